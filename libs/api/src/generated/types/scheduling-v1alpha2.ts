// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface GangSchedulingPolicy {
  minCount: number
}

export interface PodGroup {
  kind: 'PodGroup'
  apiVersion: 'scheduling.k8s.io/v1alpha2'
  metadata: StoredObjectMeta
  spec: PodGroupSpec
  status: PodGroupStatus
}

export interface PodGroupList {
  kind: 'PodGroupList'
  apiVersion: 'scheduling.k8s.io/v1alpha2'
  metadata: metaV1.ListMeta
  items: PodGroup[] | null
}

export interface PodGroupResourceClaim {
  name: string
  resourceClaimName?: string
  resourceClaimTemplateName?: string
}

export interface PodGroupResourceClaimStatus {
  name: string
  resourceClaimName?: string
}

export interface PodGroupSchedulingConstraints {
  topology?: TopologyConstraint[]
}

export interface PodGroupSchedulingPolicy {
  basic?: unknown
  gang?: GangSchedulingPolicy
}

export interface PodGroupSpec {
  podGroupTemplateRef?: PodGroupTemplateReference
  schedulingPolicy: PodGroupSchedulingPolicy
  schedulingConstraints?: PodGroupSchedulingConstraints
  resourceClaims?: PodGroupResourceClaim[]
  disruptionMode?: 'Pod' | 'PodGroup'
  priorityClassName?: string
  priority?: number
}

export interface PodGroupStatus {
  conditions?: metaV1.Condition[]
  resourceClaimStatuses?: PodGroupResourceClaimStatus[]
}

export interface PodGroupTemplate {
  name: string
  schedulingPolicy: PodGroupSchedulingPolicy
  schedulingConstraints?: PodGroupSchedulingConstraints
  resourceClaims?: PodGroupResourceClaim[]
  disruptionMode?: 'Pod' | 'PodGroup'
  priorityClassName?: string
  priority?: number
}

export interface PodGroupTemplateReference {
  workload?: WorkloadPodGroupTemplateReference
}

export interface TopologyConstraint {
  key: string
}

export interface TypedLocalObjectReference {
  apiGroup?: string
  kind: string
  name: string
}

export interface Workload {
  kind: 'Workload'
  apiVersion: 'scheduling.k8s.io/v1alpha2'
  metadata: StoredObjectMeta
  spec: WorkloadSpec
}

export interface WorkloadList {
  kind: 'WorkloadList'
  apiVersion: 'scheduling.k8s.io/v1alpha2'
  metadata: metaV1.ListMeta
  items: Workload[] | null
}

export interface WorkloadPodGroupTemplateReference {
  workloadName: string
  podGroupTemplateName: string
}

export interface WorkloadSpec {
  controllerRef?: TypedLocalObjectReference
  podGroupTemplates: PodGroupTemplate[] | null
}
