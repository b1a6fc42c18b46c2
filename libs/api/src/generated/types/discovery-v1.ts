// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type * as coreV1 from './core-v1.ts'
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface Endpoint {
  addresses: string[] | null
  conditions: EndpointConditions
  hostname?: string
  targetRef?: coreV1.ObjectReference
  deprecatedTopology?: Record<string, string>
  nodeName?: string
  zone?: string
  hints?: EndpointHints
}

export interface EndpointConditions {
  ready?: boolean
  serving?: boolean
  terminating?: boolean
}

export interface EndpointHints {
  forZones?: ForZone[]
  forNodes?: ForNode[]
}

export interface EndpointPort {
  name?: string
  protocol?: 'SCTP' | 'TCP' | 'UDP'
  port?: number
  appProtocol?: string
}

export interface EndpointSlice {
  kind: 'EndpointSlice'
  apiVersion: 'discovery.k8s.io/v1'
  metadata: StoredObjectMeta
  addressType: 'FQDN' | 'IPv4' | 'IPv6'
  endpoints?: Endpoint[] | null
  ports?: EndpointPort[] | null
}

export interface EndpointSliceList {
  kind: 'EndpointSliceList'
  apiVersion: 'discovery.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: EndpointSlice[] | null
}

export interface ForNode {
  name: string
}

export interface ForZone {
  name: string
}
