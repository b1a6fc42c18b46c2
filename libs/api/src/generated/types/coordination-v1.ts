// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface Lease {
  kind: 'Lease'
  apiVersion: 'coordination.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: LeaseSpec
}

export interface LeaseList {
  kind: 'LeaseList'
  apiVersion: 'coordination.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: Lease[] | null
}

export interface LeaseSpec {
  holderIdentity?: string
  leaseDurationSeconds?: number
  acquireTime?: string
  renewTime?: string
  leaseTransitions?: number
  strategy?: string
  preferredHolder?: string
}
