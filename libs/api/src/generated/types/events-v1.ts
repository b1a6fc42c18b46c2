// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type * as coreV1 from './core-v1.ts'
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface Event {
  kind: 'Event'
  apiVersion: 'events.k8s.io/v1'
  metadata: StoredObjectMeta
  eventTime: string
  series?: EventSeries
  reportingController?: string
  reportingInstance?: string
  action?: string
  reason?: string
  regarding: coreV1.ObjectReference
  related?: coreV1.ObjectReference
  note?: string
  type?: string
  deprecatedSource: coreV1.EventSource
  deprecatedFirstTimestamp?: string
  deprecatedLastTimestamp?: string
  deprecatedCount?: number
}

export interface EventList {
  kind: 'EventList'
  apiVersion: 'events.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: Event[] | null
}

export interface EventSeries {
  count: number
  lastObservedTime: string
}
