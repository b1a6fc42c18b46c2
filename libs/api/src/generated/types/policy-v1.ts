// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface Eviction {
  kind: 'Eviction'
  apiVersion: 'policy/v1'
  metadata: StoredObjectMeta
  deleteOptions?: metaV1.DeleteOptions
}

export interface PodDisruptionBudget {
  kind: 'PodDisruptionBudget'
  apiVersion: 'policy/v1'
  metadata: StoredObjectMeta
  spec: PodDisruptionBudgetSpec
  status: PodDisruptionBudgetStatus
}

export interface PodDisruptionBudgetList {
  kind: 'PodDisruptionBudgetList'
  apiVersion: 'policy/v1'
  metadata: metaV1.ListMeta
  items: PodDisruptionBudget[] | null
}

export interface PodDisruptionBudgetSpec {
  minAvailable?: number | string
  selector?: metaV1.LabelSelector
  maxUnavailable?: number | string
  unhealthyPodEvictionPolicy?: 'AlwaysAllow' | 'IfHealthyBudget'
}

export interface PodDisruptionBudgetStatus {
  observedGeneration?: number
  disruptedPods?: Record<string, string>
  disruptionsAllowed?: number
  currentHealthy?: number
  desiredHealthy?: number
  expectedPods?: number
  conditions?: metaV1.Condition[]
}
