// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface FieldSelectorAttributes {
  rawSelector?: string
  requirements?: metaV1.FieldSelectorRequirement[]
}

export interface LabelSelectorAttributes {
  rawSelector?: string
  requirements?: metaV1.LabelSelectorRequirement[]
}

export interface LocalSubjectAccessReview {
  kind: 'LocalSubjectAccessReview'
  apiVersion: 'authorization.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: SubjectAccessReviewSpec
  status: SubjectAccessReviewStatus
}

export interface NonResourceAttributes {
  path?: string
  verb?: string
}

export interface NonResourceRule {
  verbs: string[] | null
  nonResourceURLs?: string[]
}

export interface ResourceAttributes {
  namespace?: string
  verb?: string
  group?: string
  version?: string
  resource?: string
  subresource?: string
  name?: string
  fieldSelector?: FieldSelectorAttributes
  labelSelector?: LabelSelectorAttributes
}

export interface ResourceRule {
  verbs: string[] | null
  apiGroups?: string[]
  resources?: string[]
  resourceNames?: string[]
}

export interface SelfSubjectAccessReview {
  kind: 'SelfSubjectAccessReview'
  apiVersion: 'authorization.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: SelfSubjectAccessReviewSpec
  status: SubjectAccessReviewStatus
}

export interface SelfSubjectAccessReviewSpec {
  resourceAttributes?: ResourceAttributes
  nonResourceAttributes?: NonResourceAttributes
}

export interface SelfSubjectRulesReview {
  kind: 'SelfSubjectRulesReview'
  apiVersion: 'authorization.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: SelfSubjectRulesReviewSpec
  status: SubjectRulesReviewStatus
}

export interface SelfSubjectRulesReviewSpec {
  namespace?: string
}

export interface SubjectAccessReview {
  kind: 'SubjectAccessReview'
  apiVersion: 'authorization.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: SubjectAccessReviewSpec
  status: SubjectAccessReviewStatus
}

export interface SubjectAccessReviewSpec {
  resourceAttributes?: ResourceAttributes
  nonResourceAttributes?: NonResourceAttributes
  user?: string
  groups?: string[]
  extra?: Record<string, string[]>
  uid?: string
}

export interface SubjectAccessReviewStatus {
  allowed: boolean
  denied?: boolean
  reason?: string
  evaluationError?: string
}

export interface SubjectRulesReviewStatus {
  resourceRules: ResourceRule[] | null
  nonResourceRules: NonResourceRule[] | null
  incomplete: boolean
  evaluationError?: string
}
