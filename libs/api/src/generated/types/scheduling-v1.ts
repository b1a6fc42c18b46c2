// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface PriorityClass {
  kind: 'PriorityClass'
  apiVersion: 'scheduling.k8s.io/v1'
  metadata: StoredObjectMeta
  value?: number
  globalDefault?: boolean
  description?: string
  preemptionPolicy?: 'Never' | 'PreemptLowerPriority'
}

export interface PriorityClassList {
  kind: 'PriorityClassList'
  apiVersion: 'scheduling.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: PriorityClass[] | null
}
