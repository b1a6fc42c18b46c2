// What a HorizontalPodAutoscaler must say: bounds, target, metrics of five kinds, and how fast it may scale.
import { forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type {
  ContainerResourceMetricSource,
  CrossVersionObjectReference,
  HPAScalingRules,
  HorizontalPodAutoscalerSpec,
  MetricSpec,
  MetricTarget,
  ObjectMetricSource,
} from '@shiplog/api/generated/types/autoscaling-v2'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, items, requiredName } from '../fields.ts'
import { dns1123Label, pathSegment } from '../names.ts'
import { nanosOf } from '../quantities.ts'

const stabilizationWindowSecondsMax = 3_600
const periodSecondsMax = 1_800
const selectPolicies = ['Disabled', 'Max', 'Min']
const policyTypes = ['Percent', 'Pods']
const metricTypes = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource']
const targetTypes = ['Utilization', 'Value', 'AverageValue']
type SourceKind = Exclude<keyof MetricSpec, 'type'>

/** The sources in upstream's order of looking at them, and the metric type that each belongs to. */
const sources: readonly (readonly [field: SourceKind, type: string])[] = [
  ['object', 'Object'],
  ['external', 'External'],
  ['pods', 'Pods'],
  ['resource', 'Resource'],
  ['containerResource', 'ContainerResource'],
]

/** `spec` of an autoscaler in its stored version. */
export function validateAutoscalerSpec(spec: Decoded<HorizontalPodAutoscalerSpec>): StatusCause[] {
  const { minReplicas, maxReplicas = 0 } = spec
  const causes: StatusCause[] = []
  if (typeof minReplicas === 'number' && minReplicas < 1)
    causes.push(invalidValue('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'))
  if (maxReplicas === 0) causes.push(required('spec.maxReplicas', 'must be set and greater than 0'))
  else if (maxReplicas < 0)
    causes.push(invalidValue('spec.maxReplicas', maxReplicas, 'must be greater than or equal to 1'))
  if (typeof minReplicas === 'number' && maxReplicas < minReplicas)
    causes.push(invalidValue('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'))
  const target = spec.scaleTargetRef ?? {}
  // The only kind of the core group that can be scaled.
  causes.push(...validateReference(target, 'spec.scaleTargetRef', target.kind !== 'ReplicationController'))
  const metrics = items(spec.metrics)
  metrics.forEach((metric, index) => {
    causes.push(...validateMetric(metric, `spec.metrics[${index}]`))
  })
  if (minReplicas === 0 && !metrics.some(({ type }) => type === 'Object' || type === 'External'))
    causes.push(
      forbiddenField(
        'spec.metrics',
        'must specify at least one Object or External metric to support scaling to zero replicas',
      ),
    )
  for (const direction of ['scaleUp', 'scaleDown'] as const)
    causes.push(...validateScalingRules(spec.behavior?.[direction], `spec.behavior.${direction}`))
  return causes
}

const validateReference = (
  reference: Decoded<CrossVersionObjectReference>,
  field: string,
  needsGroup: boolean,
): StatusCause[] => {
  const causes = (['kind', 'name'] as const).flatMap((key) =>
    requiredName(pathSegment, reference[key], `${field}.${key}`),
  )
  const version = reference.apiVersion ?? ''
  const parts = version.split('/').length
  if (parts > 2) causes.push(invalidValue(`${field}.apiVersion`, version, `unexpected GroupVersion string: ${version}`))
  // Of what can be scaled, only replication controllers are of the group without a name.
  else if (needsGroup && reference.kind !== 'ReplicationController' && (parts === 1 || version.startsWith('/')))
    causes.push(invalidValue(`${field}.apiVersion`, version, 'apiVersion must specify API group'))
  return causes
}

const validateMetric = (metric: Decoded<MetricSpec>, field: string): StatusCause[] => {
  const { type = '' } = metric
  const causes: StatusCause[] = []
  if (type === '') causes.push(required(`${field}.type`, 'must specify a metric source type'))
  if (!metricTypes.includes(type)) causes.push(notSupported(`${field}.type`, type, metricTypes))
  const present = sources.filter(([source]) => metric[source])
  const first = present[0]
  if (first) causes.push(...validateSource(first[0], metric[first[0]] ?? {}, `${field}.${first[0]}`))
  const expected = sources.find(([, of]) => of === type)?.[0]
  if (expected && !metric[expected])
    causes.push(required(`${field}.${expected}`, 'must populate information for the given metric source'))
  if (present.length !== 1)
    for (const [source] of present)
      if (source !== expected)
        causes.push(forbiddenField(`${field}.${source}`, 'must populate the given metric source only'))
  return causes
}

/** All fields that a source of one of the five kinds can have. */
type AnySource = Decoded<ObjectMetricSource & ContainerResourceMetricSource>

const validateSource = (kind: SourceKind, source: AnySource, field: string): StatusCause[] => {
  const target = source.target ?? {}
  const at = `${field}.target`
  const { value, averageValue, averageUtilization } = target
  const causes: StatusCause[] = []
  if (kind === 'object')
    causes.push(...validateReference(source.describedObject ?? {}, `${field}.describedObject`, false))
  if (kind === 'object' || kind === 'external' || kind === 'pods')
    causes.push(...requiredName(pathSegment, source.metric?.name, `${field}.metric.name`, 'must specify a metric name'))
  else if (!source.name) causes.push(required(`${field}.name`, 'must specify a resource name'))
  if (kind === 'containerResource')
    causes.push(
      ...(source.container
        ? byRule(dns1123Label, source.container, `${field}.container`)
        : [required(`${field}.container`, 'must specify a container')]),
    )
  causes.push(...validateTarget(target, at))
  const unset = (one: unknown): boolean => one === undefined || one === null
  if (kind === 'pods') {
    if (unset(averageValue)) causes.push(required(`${at}.averageValue`, 'must specify a positive target averageValue'))
  } else if (kind === 'object' || kind === 'external') {
    if (unset(value) && unset(averageValue))
      causes.push(
        required(
          `${at}.averageValue`,
          kind === 'object'
            ? 'must set either a target value or averageValue'
            : 'must set either a target value for metric or a per-pod target',
        ),
      )
    if (kind === 'external' && !unset(value) && !unset(averageValue))
      causes.push(forbiddenField(`${at}.value`, 'may not set both a target value for metric and a per-pod target'))
  } else {
    if (unset(averageUtilization) && unset(averageValue))
      causes.push(required(`${at}.averageUtilization`, 'must set either a target raw value or a target utilization'))
    if (!unset(averageUtilization) && !unset(averageValue))
      causes.push(forbiddenField(`${at}.averageValue`, 'may not set both a target raw value and a target utilization'))
  }
  return causes
}

const validateTarget = (target: Decoded<MetricTarget>, field: string): StatusCause[] => {
  const { type = '', averageUtilization } = target
  const causes: StatusCause[] = []
  if (type === '') causes.push(required(`${field}.type`, 'must specify a metric target type'))
  if (!targetTypes.includes(type))
    causes.push(invalidValue(`${field}.type`, type, 'must be either Utilization, Value, or AverageValue'))
  for (const key of ['value', 'averageValue'] as const) {
    const nanos = nanosOf(target[key])
    if (nanos !== undefined && nanos <= 0n)
      causes.push(invalidValue(`${field}.${key}`, String(target[key]), 'must be positive'))
  }
  if (typeof averageUtilization === 'number' && averageUtilization < 1)
    causes.push(invalidValue(`${field}.averageUtilization`, averageUtilization, 'must be greater than 0'))
  return causes
}

const validateScalingRules = (rules: Decoded<HPAScalingRules> | undefined, field: string): StatusCause[] => {
  if (!rules) return []
  const causes: StatusCause[] = []
  const window = rules.stabilizationWindowSeconds
  if (typeof window === 'number' && window < 0)
    causes.push(invalidValue(`${field}.stabilizationWindowSeconds`, window, 'must be greater than or equal to zero'))
  if (typeof window === 'number' && window > stabilizationWindowSecondsMax)
    causes.push(
      invalidValue(
        `${field}.stabilizationWindowSeconds`,
        window,
        `must be less than or equal to ${stabilizationWindowSecondsMax}`,
      ),
    )
  const select = rules.selectPolicy
  if (typeof select === 'string' && !selectPolicies.includes(select))
    causes.push(notSupported(`${field}.selectPolicy`, select, selectPolicies))
  const policies = items(rules.policies)
  if (policies.length === 0) causes.push(required(`${field}.policies`, 'must specify at least one Policy'))
  policies.forEach((policy, index) => {
    const at = `${field}.policies[${index}]`
    const { type = '', value = 0, periodSeconds = 0 } = policy
    if (!policyTypes.includes(type)) causes.push(notSupported(`${at}.type`, type, policyTypes))
    if (value <= 0) causes.push(invalidValue(`${at}.value`, value, 'must be greater than zero'))
    if (periodSeconds <= 0) causes.push(invalidValue(`${at}.periodSeconds`, periodSeconds, 'must be greater than zero'))
    if (periodSeconds > periodSecondsMax)
      causes.push(
        invalidValue(`${at}.periodSeconds`, periodSeconds, `must be less than or equal to ${periodSecondsMax}`),
      )
  })
  const tolerance = nanosOf(rules.tolerance)
  if (tolerance !== undefined && tolerance < 0n)
    causes.push(invalidValue(`${field}.tolerance`, String(rules.tolerance), 'must be greater than or equal to 0'))
  return causes
}
