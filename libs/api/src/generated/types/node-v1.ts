// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type * as coreV1 from './core-v1.ts'
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface Overhead {
  podFixed?: Record<string, string>
}

export interface RuntimeClass {
  kind: 'RuntimeClass'
  apiVersion: 'node.k8s.io/v1'
  metadata: StoredObjectMeta
  handler: string
  overhead?: Overhead
  scheduling?: Scheduling
}

export interface RuntimeClassList {
  kind: 'RuntimeClassList'
  apiVersion: 'node.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: RuntimeClass[] | null
}

export interface Scheduling {
  nodeSelector?: Record<string, string>
  tolerations?: coreV1.Toleration[]
}
