// HorizontalPodAutoscalers are stored as autoscaling/v2; autoscaling/v1 has one metric (the use of the processors) and keeps
// all else in annotations, as JSON of types of its own. Field by field as k8s.io/kubernetes/pkg/apis/autoscaling/v1/conversion.go.
import type {
  HorizontalPodAutoscalerBehavior,
  HPAScalingRules,
  MetricSpec,
  MetricStatus,
} from '@shiplog/api/generated/types/autoscaling-v2'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { entries, isBlank, items } from '../fields.ts'
import { nanosOf } from '../quantities.ts'

const prefix = 'autoscaling.alpha.kubernetes.io/'
const metricsAnnotation = `${prefix}metrics`
const currentMetricsAnnotation = `${prefix}current-metrics`
const conditionsAnnotation = `${prefix}conditions`
const behaviorAnnotation = `${prefix}behavior`
const annotationsOfV1 = [metricsAnnotation, currentMetricsAnnotation, conditionsAnnotation, behaviorAnnotation]
const defaultCpuUtilizationPercentage = 80

const defined = (object: JsonObject): JsonObject =>
  Object.fromEntries(entries(object).filter(([, value]) => value !== undefined && value !== null))

/** A quantity that v1 always writes. */
const orZero = (quantity: unknown): unknown => quantity ?? '0'

const referenceOf = ({ kind = '', name = '', apiVersion }: JsonObject = {}): JsonObject =>
  defined({ kind, name, apiVersion })

type Shape = (source: JsonObject) => JsonObject

/** The five sources of a metric of `spec`, in the form of v1, in the order of its fields. */
const sourceToV1: Readonly<Record<string, Shape>> = {
  object: ({ describedObject, metric, target }) => ({
    target: referenceOf(describedObject),
    metricName: metric?.name ?? '',
    targetValue: orZero(target?.value),
    selector: metric?.selector,
    averageValue: target?.averageValue,
  }),
  pods: ({ metric, target }) => ({
    metricName: metric?.name ?? '',
    targetAverageValue: orZero(target?.averageValue),
    selector: metric?.selector,
  }),
  resource: ({ name, target }) => ({
    name,
    targetAverageUtilization: target?.averageUtilization,
    targetAverageValue: target?.averageValue,
  }),
  containerResource: ({ name, container, target }) => ({
    name,
    targetAverageUtilization: target?.averageUtilization,
    targetAverageValue: target?.averageValue,
    container,
  }),
  external: ({ metric, target }) => ({
    metricName: metric?.name ?? '',
    metricSelector: metric?.selector,
    targetValue: target?.value,
    targetAverageValue: target?.averageValue,
  }),
}

const utilizationOrAverage = ({ targetAverageUtilization, targetAverageValue }: JsonObject): JsonObject =>
  defined({
    type: typeof targetAverageUtilization === 'number' ? 'Utilization' : 'AverageValue',
    averageValue: targetAverageValue,
    averageUtilization: targetAverageUtilization,
  })

const metricOf = (name: unknown, selector: unknown): JsonObject => defined({ name: name ?? '', selector })

const sourceFromV1: Readonly<Record<string, Shape>> = {
  object: ({ target, metricName, targetValue, selector, averageValue }) => {
    const isAverage = averageValue !== undefined && averageValue !== null
    // v1 cannot leave the value out: beside an average, nothing is meant by zero.
    const value = isAverage && !nanosOf(targetValue) ? undefined : orZero(targetValue)
    return {
      describedObject: referenceOf(target),
      target: defined({ type: isAverage ? 'AverageValue' : 'Value', value, averageValue }),
      metric: metricOf(metricName, selector),
    }
  },
  pods: ({ metricName, targetAverageValue, selector }) => ({
    metric: metricOf(metricName, selector),
    target: { type: 'AverageValue', averageValue: orZero(targetAverageValue) },
  }),
  resource: ({ name, ...target }) => ({ name, target: utilizationOrAverage(target) }),
  containerResource: ({ name, container, ...target }) => ({ name, target: utilizationOrAverage(target), container }),
  external: ({ metricName, metricSelector, targetValue, targetAverageValue }) => ({
    metric: metricOf(metricName, metricSelector),
    target: defined({
      type: targetValue === undefined || targetValue === null ? 'AverageValue' : 'Value',
      value: targetValue,
      averageValue: targetAverageValue,
    }),
  }),
}

/** The same of what is seen: metrics of `status`. */
const currentToV1: Readonly<Record<string, Shape>> = {
  object: ({ describedObject, metric, current }) => ({
    target: referenceOf(describedObject),
    metricName: metric?.name ?? '',
    currentValue: orZero(current?.value),
    selector: metric?.selector,
    averageValue: current?.averageValue,
  }),
  pods: ({ metric, current }) => ({
    metricName: metric?.name ?? '',
    currentAverageValue: orZero(current?.averageValue),
    selector: metric?.selector,
  }),
  resource: ({ name, current }) => ({
    name,
    currentAverageUtilization: current?.averageUtilization,
    currentAverageValue: orZero(current?.averageValue),
  }),
  containerResource: ({ name, container, current }) => ({
    name,
    currentAverageUtilization: current?.averageUtilization,
    currentAverageValue: orZero(current?.averageValue),
    container,
  }),
  external: ({ metric, current }) => ({
    metricName: metric?.name ?? '',
    metricSelector: metric?.selector,
    currentValue: orZero(current?.value),
    currentAverageValue: current?.averageValue,
  }),
}

const seenOf = ({ currentAverageValue, currentAverageUtilization }: JsonObject): JsonObject =>
  defined({ averageValue: orZero(currentAverageValue), averageUtilization: currentAverageUtilization })

const currentFromV1: Readonly<Record<string, Shape>> = {
  object: ({ target, metricName, currentValue, selector, averageValue }) => ({
    metric: metricOf(metricName, selector),
    current: defined({ value: orZero(currentValue), averageValue }),
    describedObject: referenceOf(target),
  }),
  pods: ({ metricName, currentAverageValue, selector }) => ({
    metric: metricOf(metricName, selector),
    current: { averageValue: orZero(currentAverageValue) },
  }),
  resource: ({ name, ...current }) => ({ name, current: seenOf(current) }),
  containerResource: ({ name, container, ...current }) => ({ name, current: seenOf(current), container }),
  external: ({ metricName, metricSelector, currentValue, currentAverageValue }) => ({
    metric: metricOf(metricName, metricSelector),
    current: defined({ value: orZero(currentValue), averageValue: currentAverageValue }),
  }),
}

const convertMetric =
  (shapes: Readonly<Record<string, Shape>>) =>
  (metric: Partial<MetricSpec & MetricStatus> & JsonObject): JsonObject => ({
    type: metric?.type ?? '',
    ...Object.fromEntries(
      Object.entries(shapes).flatMap(([key, shape]) => {
        const source: unknown = metric?.[key]
        return source !== null && typeof source === 'object' ? [[key, defined(shape(source as JsonObject))]] : []
      }),
    ),
  })

/** Upstream writes its internal type: all fields, by the names that Go has for them. */
const behaviorToV1 = ({ scaleUp, scaleDown }: HorizontalPodAutoscalerBehavior): JsonObject => {
  const rulesOf = (rules: HPAScalingRules | undefined): JsonObject | null =>
    rules
      ? {
          StabilizationWindowSeconds: rules.stabilizationWindowSeconds ?? null,
          SelectPolicy: rules.selectPolicy ?? null,
          Policies:
            rules.policies?.map(({ type = '', value = 0, periodSeconds = 0 }) => ({
              Type: type,
              Value: value,
              PeriodSeconds: periodSeconds,
            })) ?? null,
          Tolerance: rules.tolerance ?? null,
        }
      : null
  return { ScaleUp: rulesOf(scaleUp), ScaleDown: rulesOf(scaleDown) }
}

/** Go reads names of fields without regard to case. */
const lowered = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(lowered)
  if (value === null || typeof value !== 'object') return value
  return defined(
    Object.fromEntries(
      Object.entries(value).map(([key, one]) => [`${key.charAt(0).toLowerCase()}${key.slice(1)}`, lowered(one)]),
    ),
  )
}

const isCpuWanted = ({ type, resource }: MetricSpec): boolean =>
  type === 'Resource' && resource?.name === 'cpu' && typeof resource.target?.averageUtilization === 'number'

const isCpuSeen = ({ type, resource }: MetricStatus): boolean =>
  type === 'Resource' && resource?.name === 'cpu' && typeof resource.current?.averageUtilization === 'number'

export const autoscalerToV1 = (object: KubeObject): KubeObject => {
  const { spec: stored, status: storedStatus } = object
  const { metrics, behavior, ...spec } = stored ?? {}
  const { currentMetrics, conditions, ...status } = storedStatus ?? {}
  const annotations: JsonObject = Object.fromEntries(
    entries(object.metadata.annotations).filter(([key]) => !annotationsOfV1.includes(key)),
  )
  const cpu = items(metrics).find(isCpuWanted)
  const others = items(metrics).filter((metric) => !isCpuWanted(metric))
  const currentCpu = items(currentMetrics).findLast(isCpuSeen)
  if (others.length > 0) annotations[metricsAnnotation] = JSON.stringify(others.map(convertMetric(sourceToV1)))
  // Of what is seen v1 tells less than is known, even of the processors.
  if (items(currentMetrics).length > 0)
    annotations[currentMetricsAnnotation] = JSON.stringify(items(currentMetrics).map(convertMetric(currentToV1)))
  if (!isBlank(behavior)) annotations[behaviorAnnotation] = JSON.stringify(behaviorToV1(behavior))
  if (items(conditions).length > 0)
    annotations[conditionsAnnotation] = JSON.stringify(
      items(conditions).map((one) => ({
        type: one.type ?? '',
        status: one.status ?? '',
        lastTransitionTime: one.lastTransitionTime ?? null,
        ...defined({ reason: one.reason || undefined, message: one.message || undefined }),
      })),
    )
  const { annotations: _, ...metadata } = object.metadata
  const seen = currentCpu ? { currentCPUUtilizationPercentage: currentCpu.resource.current.averageUtilization } : {}
  return {
    ...object,
    apiVersion: 'autoscaling/v1',
    metadata: { ...metadata, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    spec: { ...spec, ...(cpu ? { targetCPUUtilizationPercentage: cpu.resource.target.averageUtilization } : {}) },
    ...(storedStatus ? { status: { currentReplicas: 0, ...status, ...seen } } : {}),
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

const cpuMetric = (averageUtilization: number): JsonObject => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
})

export const autoscalerToV2 = (object: KubeObject): KubeObject => {
  const { spec: given, status: givenStatus } = object
  const { targetCPUUtilizationPercentage: wanted, ...spec } = given ?? {}
  const { currentCPUUtilizationPercentage: seen, ...status } = givenStatus ?? {}
  const { annotations = {}, ...metadata } = object.metadata
  const rest = Object.fromEntries(entries(annotations).filter(([key]) => !annotationsOfV1.includes(key)))
  const metrics = items(parsedAnnotation(annotations, metricsAnnotation)).map(convertMetric(sourceFromV1))
  if (typeof wanted === 'number') metrics.push(cpuMetric(wanted))
  if (metrics.length === 0) metrics.push(cpuMetric(defaultCpuUtilizationPercentage))
  const known = parsedAnnotation(annotations, currentMetricsAnnotation)
  const currentMetrics = Array.isArray(known)
    ? known.map(convertMetric(currentFromV1))
    : typeof seen === 'number'
      ? [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: seen } } }]
      : []
  const conditions = parsedAnnotation(annotations, conditionsAnnotation)
  const behavior = lowered(parsedAnnotation(annotations, behaviorAnnotation))
  return {
    ...object,
    apiVersion: 'autoscaling/v2',
    metadata: { ...metadata, ...(Object.keys(rest).length > 0 ? { annotations: rest } : {}) },
    spec: { ...spec, metrics, ...(isBlank(behavior) || typeof behavior !== 'object' ? {} : { behavior }) },
    ...(givenStatus
      ? {
          status: {
            ...status,
            ...(currentMetrics.length > 0 ? { currentMetrics } : {}),
            ...(Array.isArray(conditions) ? { conditions: conditions.map(lowered) } : {}),
          },
        }
      : {}),
  }
}
