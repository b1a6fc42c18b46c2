// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'

export interface BoundObjectReference {
  kind?: string
  apiVersion?: string
  name?: string
  uid?: string
}

export interface SelfSubjectReview {
  kind: 'SelfSubjectReview'
  apiVersion: 'authentication.k8s.io/v1'
  metadata: StoredObjectMeta
  status: SelfSubjectReviewStatus
}

export interface SelfSubjectReviewStatus {
  userInfo: UserInfo
}

export interface TokenRequest {
  kind: 'TokenRequest'
  apiVersion: 'authentication.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: TokenRequestSpec
  status: TokenRequestStatus
}

export interface TokenRequestSpec {
  audiences?: string[] | null
  expirationSeconds?: number
  boundObjectRef?: BoundObjectReference
}

export interface TokenRequestStatus {
  token?: string
  expirationTimestamp?: string
}

export interface TokenReview {
  kind: 'TokenReview'
  apiVersion: 'authentication.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: TokenReviewSpec
  status: TokenReviewStatus
}

export interface TokenReviewSpec {
  token: string
  audiences?: string[]
}

export interface TokenReviewStatus {
  authenticated?: boolean
  user: UserInfo
  audiences?: string[]
  error?: string
}

export interface UserInfo {
  username?: string
  uid?: string
  groups?: string[]
  extra?: Record<string, string[]>
}
