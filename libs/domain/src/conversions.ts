// Between the version that is stored and the version that was asked for. Only two kinds are served in shapes that differ:
// HorizontalPodAutoscaler (autoscaling/v1, stored as v2) and Event (events.k8s.io/v1, stored as core v1).
import type { Draft } from '@shiplog/api/decoded'
import type { Event as CoreEvent } from '@shiplog/api/generated/types/core-v1'
import type { Event as NewerEvent } from '@shiplog/api/generated/types/events-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf } from '@shiplog/api/schema/schema'
import { entries } from './fields.ts'
import { autoscalerToV1, autoscalerToV2 } from './horizontal-pod-autoscaler/autoscaler-versions.ts'

const defined = (object: JsonObject): JsonObject =>
  Object.fromEntries(entries(object).filter(([, value]) => value !== undefined))

const eventToCore = (object: Draft<NewerEvent>): KubeObject =>
  defined({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: object.metadata,
    involvedObject: object.regarding ?? {},
    reason: object.reason,
    message: object.note,
    source: object.deprecatedSource ?? {},
    firstTimestamp: object.deprecatedFirstTimestamp,
    lastTimestamp: object.deprecatedLastTimestamp,
    count: object.deprecatedCount,
    type: object.type,
    eventTime: object.eventTime,
    series: object.series,
    action: object.action,
    related: object.related,
    reportingComponent: object.reportingController ?? '',
    reportingInstance: object.reportingInstance ?? '',
  }) as KubeObject

const eventFromCore = (object: Draft<CoreEvent>): KubeObject =>
  defined({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: object.metadata,
    eventTime: object.eventTime ?? null,
    series: object.series,
    reportingController: object.reportingComponent || undefined,
    reportingInstance: object.reportingInstance || undefined,
    action: object.action,
    reason: object.reason,
    regarding: object.involvedObject,
    related: object.related,
    note: object.message,
    type: object.type,
    deprecatedSource: object.source ?? {},
    deprecatedFirstTimestamp: object.firstTimestamp,
    deprecatedLastTimestamp: object.lastTimestamp,
    deprecatedCount: object.count,
  }) as KubeObject

/** The object in another group and version. The given object is not changed; parts of it may be shared. */
export const convert = (object: KubeObject, toGroup: string, toVersion: string): KubeObject => {
  const target = apiVersionOf(toGroup, toVersion)
  if (object.apiVersion === target) return object
  if (object.kind === 'HorizontalPodAutoscaler') {
    if (target === 'autoscaling/v1') return autoscalerToV1(object)
    if (target === 'autoscaling/v2') return autoscalerToV2(object)
  }
  if (object.kind === 'Event') {
    if (target === 'v1') return eventToCore(object)
    if (target === 'events.k8s.io/v1') return eventFromCore(object)
  }
  return { ...object, apiVersion: target }
}
