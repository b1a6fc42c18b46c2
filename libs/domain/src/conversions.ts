// Between the version that is stored and the version that was asked for. Only two kinds are served in shapes that differ:
// HorizontalPodAutoscaler (autoscaling/v1, stored as v2) and Event (events.k8s.io/v1, stored as core v1).
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf } from '@shiplog/api/schema/schema'
import { entries, isBlank, items } from './fields.ts'

/** Where autoscaling/v1 keeps what it has no fields for. */
const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics'
const currentMetricsAnnotation = 'autoscaling.alpha.kubernetes.io/current-metrics'
const conditionsAnnotation = 'autoscaling.alpha.kubernetes.io/conditions'
const behaviorAnnotation = 'autoscaling.alpha.kubernetes.io/behavior'
const annotationsOfV1 = [metricsAnnotation, currentMetricsAnnotation, conditionsAnnotation, behaviorAnnotation]

const defined = (object: JsonObject): JsonObject =>
  Object.fromEntries(entries(object).filter(([, value]) => value !== undefined))

const isCpuUtilization = (metric: JsonObject): boolean =>
  metric['type'] === 'Resource' &&
  metric['resource']?.name === 'cpu' &&
  typeof metric['resource']?.target?.averageUtilization === 'number'

const isCurrentCpu = (metric: JsonObject): boolean =>
  metric['type'] === 'Resource' &&
  metric['resource']?.name === 'cpu' &&
  typeof metric['resource']?.current?.averageUtilization === 'number'

const autoscalerToV1 = (object: KubeObject): KubeObject => {
  const { metrics, behavior, ...spec } = object['spec'] ?? {}
  const { currentMetrics, conditions, ...status } = object['status'] ?? {}
  const annotations: JsonObject = { ...object.metadata.annotations }
  const cpu = items(metrics).find(isCpuUtilization)
  const others = items(metrics).filter((metric) => metric !== cpu)
  const currentCpu = items(currentMetrics).find(isCurrentCpu)
  const otherCurrent = items(currentMetrics).filter((metric) => metric !== currentCpu)
  if (others.length > 0) annotations[metricsAnnotation] = JSON.stringify(others)
  if (otherCurrent.length > 0) annotations[currentMetricsAnnotation] = JSON.stringify(otherCurrent)
  if (items(conditions).length > 0) annotations[conditionsAnnotation] = JSON.stringify(conditions)
  if (!isBlank(behavior)) annotations[behaviorAnnotation] = JSON.stringify(behavior)
  const { annotations: _, ...metadata } = object.metadata
  return {
    ...object,
    apiVersion: 'autoscaling/v1',
    metadata: { ...metadata, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    spec: { ...spec, ...(cpu ? { targetCPUUtilizationPercentage: cpu.resource.target.averageUtilization } : {}) },
    ...(object['status']
      ? {
          status: {
            currentReplicas: 0,
            ...status,
            ...(currentCpu ? { currentCPUUtilizationPercentage: currentCpu.resource.current.averageUtilization } : {}),
          },
        }
      : {}),
  }
}

const parsedAnnotation = (annotations: JsonObject, key: string): any => {
  try {
    return typeof annotations[key] === 'string' ? JSON.parse(annotations[key]) : undefined
  } catch {
    // A user may have written anything there; what cannot be read says nothing.
    return undefined
  }
}

const autoscalerToV2 = (object: KubeObject): KubeObject => {
  const { targetCPUUtilizationPercentage, ...spec } = object['spec'] ?? {}
  const { currentCPUUtilizationPercentage, ...status } = object['status'] ?? {}
  const { annotations = {}, ...metadata } = object.metadata
  const rest = Object.fromEntries(entries(annotations).filter(([key]) => !annotationsOfV1.includes(key)))
  const metrics = [...items(parsedAnnotation(annotations, metricsAnnotation))]
  if (typeof targetCPUUtilizationPercentage === 'number')
    metrics.unshift({
      type: 'Resource',
      resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: targetCPUUtilizationPercentage } },
    })
  const currentMetrics = [...items(parsedAnnotation(annotations, currentMetricsAnnotation))]
  if (typeof currentCPUUtilizationPercentage === 'number')
    currentMetrics.unshift({
      type: 'Resource',
      resource: { name: 'cpu', current: { averageUtilization: currentCPUUtilizationPercentage } },
    })
  const conditions = parsedAnnotation(annotations, conditionsAnnotation)
  const behavior = parsedAnnotation(annotations, behaviorAnnotation)
  return {
    ...object,
    apiVersion: 'autoscaling/v2',
    metadata: { ...metadata, ...(Object.keys(rest).length > 0 ? { annotations: rest } : {}) },
    spec: { ...spec, ...(metrics.length > 0 ? { metrics } : {}), ...(behavior ? { behavior } : {}) },
    ...(object['status']
      ? {
          status: {
            ...status,
            ...(currentMetrics.length > 0 ? { currentMetrics } : {}),
            ...(Array.isArray(conditions) ? { conditions } : {}),
          },
        }
      : {}),
  }
}

const eventToCore = (object: KubeObject): KubeObject =>
  defined({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: object.metadata,
    involvedObject: object['regarding'] ?? {},
    reason: object['reason'],
    message: object['note'],
    source: object['deprecatedSource'] ?? {},
    firstTimestamp: object['deprecatedFirstTimestamp'],
    lastTimestamp: object['deprecatedLastTimestamp'],
    count: object['deprecatedCount'],
    type: object['type'],
    eventTime: object['eventTime'],
    series: object['series'],
    action: object['action'],
    related: object['related'],
    reportingComponent: object['reportingController'] ?? '',
    reportingInstance: object['reportingInstance'] ?? '',
  }) as KubeObject

const eventFromCore = (object: KubeObject): KubeObject =>
  defined({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: object.metadata,
    eventTime: object['eventTime'] ?? null,
    series: object['series'],
    reportingController: object['reportingComponent'] || undefined,
    reportingInstance: object['reportingInstance'] || undefined,
    action: object['action'],
    reason: object['reason'],
    regarding: object['involvedObject'],
    related: object['related'],
    note: object['message'],
    type: object['type'],
    deprecatedSource: object['source'] ?? {},
    deprecatedFirstTimestamp: object['firstTimestamp'],
    deprecatedLastTimestamp: object['lastTimestamp'],
    deprecatedCount: object['count'],
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
