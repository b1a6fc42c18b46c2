// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface APIService {
  kind: 'APIService'
  apiVersion: 'apiregistration.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: APIServiceSpec
  status: APIServiceStatus
}

export interface APIServiceCondition {
  type: string
  status: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface APIServiceList {
  kind: 'APIServiceList'
  apiVersion: 'apiregistration.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: APIService[] | null
}

export interface APIServiceSpec {
  service?: ServiceReference
  group?: string
  version?: string
  insecureSkipTLSVerify?: boolean
  caBundle?: string
  groupPriorityMinimum: number
  versionPriority: number
}

export interface APIServiceStatus {
  conditions?: APIServiceCondition[]
}

export interface ServiceReference {
  namespace?: string
  name?: string
  port?: number
}
