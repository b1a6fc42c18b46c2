// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface AggregationRule {
  clusterRoleSelectors?: metaV1.LabelSelector[]
}

export interface ClusterRole {
  kind: 'ClusterRole'
  apiVersion: 'rbac.authorization.k8s.io/v1'
  metadata: StoredObjectMeta
  rules?: PolicyRule[] | null
  aggregationRule?: AggregationRule
}

export interface ClusterRoleBinding {
  kind: 'ClusterRoleBinding'
  apiVersion: 'rbac.authorization.k8s.io/v1'
  metadata: StoredObjectMeta
  subjects?: Subject[]
  roleRef: RoleRef
}

export interface ClusterRoleBindingList {
  kind: 'ClusterRoleBindingList'
  apiVersion: 'rbac.authorization.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: ClusterRoleBinding[] | null
}

export interface ClusterRoleList {
  kind: 'ClusterRoleList'
  apiVersion: 'rbac.authorization.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: ClusterRole[] | null
}

export interface PolicyRule {
  verbs: string[] | null
  apiGroups?: string[]
  resources?: string[]
  resourceNames?: string[]
  nonResourceURLs?: string[]
}

export interface Role {
  kind: 'Role'
  apiVersion: 'rbac.authorization.k8s.io/v1'
  metadata: StoredObjectMeta
  rules?: PolicyRule[] | null
}

export interface RoleBinding {
  kind: 'RoleBinding'
  apiVersion: 'rbac.authorization.k8s.io/v1'
  metadata: StoredObjectMeta
  subjects?: Subject[]
  roleRef: RoleRef
}

export interface RoleBindingList {
  kind: 'RoleBindingList'
  apiVersion: 'rbac.authorization.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: RoleBinding[] | null
}

export interface RoleList {
  kind: 'RoleList'
  apiVersion: 'rbac.authorization.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: Role[] | null
}

export interface RoleRef {
  apiGroup?: string
  kind: string
  name: string
}

export interface Subject {
  kind: string
  apiGroup?: string
  name: string
  namespace?: string
}
