// What an autoscaler looks up: the scale of its target, then a reading for each metric, from the three metrics APIs. None of
// them is part of the view: use changes all the time, and two of the APIs are other people's.
import type { ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { Scale } from '@shiplog/api/generated/types/autoscaling-v1'
import type { HorizontalPodAutoscaler, MetricIdentifier, MetricSpec } from '@shiplog/api/generated/types/autoscaling-v2'
import { goDurationMs } from '@shiplog/api/go-duration'
import type { JsonObject } from '@shiplog/api/kube-object'
import { milliOf } from '@shiplog/api/quantity'
import { compileLabelSelector, formatSelector } from '@shiplog/api/selectors'
import type { PodMetrics } from '@shiplog/api/metrics'
import type { Observation } from '@shiplog/reconcile/reconciler'
import type { ObjectView } from '@shiplog/reconcile/view'
import { selectorText } from './metric-names.ts'
import type { AutoscalerReadings, PodReading, Reading, ScaleReading } from './readings.ts'
import { type KindResource, resourceOfKind } from './scale-target.ts'
import { minReplicasOf } from './scaling-limits.ts'

const customMetrics = { group: 'custom.metrics.k8s.io', version: 'v1beta2' } as const
const externalMetrics = { group: 'external.metrics.k8s.io', version: 'v1beta1' } as const
/** Of metrics that do not say over which time they were taken. */
const defaultWindowMs = 60_000

/** One of custom.metrics.k8s.io or external.metrics.k8s.io. */
interface MetricValue {
  readonly describedObject?: { readonly name: string }
  readonly timestamp: string
  readonly windowSeconds?: number
  readonly value: string
}

/** Asks for the scale and, unless the count of replicas decides alone, for the metrics. */
export function* observeMetrics(
  autoscaler: HorizontalPodAutoscaler,
  target: KindResource,
  view: ObjectView,
): Observation {
  const { namespace = '' } = autoscaler.metadata
  const { name } = autoscaler.spec.scaleTargetRef
  const { groupResource: _, ...address } = target
  const [answer] = yield [{ verb: 'get', ...address, subresource: 'scale', namespace, name }]
  if (!answer!.ok) return readings({ scaleFault: answer!.status.message ?? '' })
  const scale = scaleOf(target, answer!.object as unknown as Scale)
  if (!isMeasured(autoscaler, scale)) return readings({ scale })
  const specs = autoscaler.spec.metrics ?? []
  const requests = specs.map((spec) => requestFor(view, spec, namespace, scale.selector))
  // Metrics of one API for the same pods are one request.
  const distinct = new Map(requests.flatMap((one) => (one ? [[JSON.stringify(one), one] as const] : [])))
  const answers = yield [...distinct.values()]
  const answered = new Map([...distinct.keys()].map((key, index) => [key, answers[index]!]))
  const metrics = specs.map((spec, index) => readingOf(spec, namespace, answered.get(JSON.stringify(requests[index]))))
  return readings({ scale, metrics })
}

const readings = (value: AutoscalerReadings): JsonObject => value as unknown as JsonObject

const scaleOf = ({ groupResource: _, ...address }: KindResource, { metadata, spec, status }: Scale): ScaleReading => ({
  ...address,
  resourceVersion: metadata.resourceVersion ?? '',
  ...{ specReplicas: spec?.replicas ?? 0, statusReplicas: status?.replicas ?? 0, selector: status?.selector ?? '' },
})

/** Whether metrics have a say: not when scaling is off, or the count is out of its bounds. */
export function isMeasured({ spec }: HorizontalPodAutoscaler, { specReplicas }: ScaleReading): boolean {
  return specReplicas !== 0 && specReplicas <= spec.maxReplicas && specReplicas >= minReplicasOf(spec)
}

const queryOf = (labelSelector: string, metric?: MetricIdentifier): Record<string, string> => {
  const metricLabelSelector = metric?.selector ? formatSelector(compileLabelSelector(metric.selector)) : ''
  return {
    ...(labelSelector === '' ? {} : { labelSelector }),
    ...(metricLabelSelector === '' ? {} : { metricLabelSelector }),
  }
}

/** Undefined for what cannot be asked for. */
function requestFor(view: ObjectView, spec: MetricSpec, namespace: string, selector: string): ApiRequest | undefined {
  if (selector === '') return undefined
  if (spec.resource || spec.containerResource) {
    const pods = { group: 'metrics.k8s.io', version: 'v1beta1', resource: 'pods' }
    return { verb: 'list', ...pods, namespace, query: queryOf(selector) }
  }
  if (spec.pods) {
    const { metric } = spec.pods
    const all = { resource: 'pods', name: '*', subresource: metric.name }
    return { verb: 'get', ...customMetrics, ...all, namespace, query: queryOf(selector, metric) }
  }
  if (spec.object) {
    const { describedObject, metric } = spec.object
    if (describedObject.kind === 'Namespace' && !describedObject.apiVersion?.includes('/')) {
      const own = { resource: 'namespaces', name: namespace, subresource: `metrics/${metric.name}` }
      return { verb: 'get', ...customMetrics, ...own, query: queryOf('', metric) }
    }
    const described = resourceOfKind(view, describedObject)
    if (!described) return undefined
    const one = { resource: described.groupResource, name: describedObject.name, subresource: metric.name }
    return { verb: 'get', ...customMetrics, ...one, namespace, query: queryOf('', metric) }
  }
  if (!spec.external) return undefined
  const { metric } = spec.external
  const labels = metric.selector ? formatSelector(compileLabelSelector(metric.selector)) : ''
  return { verb: 'list', ...externalMetrics, resource: metric.name, namespace, query: queryOf(labels) }
}

/** What an answer says of a metric, or the beginning of upstream's sentence about why it says nothing. */
function readingOf(spec: MetricSpec, namespace: string, answer: ApiResult | undefined): Reading {
  if (spec.resource) return resourceReading(spec.resource.name, '', answer)
  if (spec.containerResource) return resourceReading(spec.containerResource.name, spec.containerResource.container, answer)
  if (spec.pods) {
    const found = itemsOf<MetricValue>(answer, 'custom')
    if (typeof found === 'string') return { fault: `unable to get metric ${spec.pods.metric.name}: ${found}` }
    return { pods: Object.fromEntries(found.map((one) => [one.describedObject?.name ?? '', podReading(one)])) }
  }
  if (spec.object) {
    const found = itemsOf<MetricValue>(answer, 'custom')
    if (typeof found !== 'string') return { value: milliOf(found[0]!.value) }
    const { kind, name } = spec.object.describedObject
    // Upstream's sentence has its words in this order.
    return { fault: `unable to get metric ${spec.object.metric.name}: ${kind} on ${namespace} ${name}/${found}` }
  }
  const { name = '', selector } = spec.external?.metric ?? {}
  const found = itemsOf<MetricValue>(answer, 'external', name)
  if (typeof found !== 'string') return { values: found.map(({ value }) => milliOf(value)) }
  return { fault: `unable to get external metric ${namespace}/${name}/${selectorText(selector)}: ${found}` }
}

const podReading = ({ value, timestamp, windowSeconds }: MetricValue): PodReading => [
  milliOf(value),
  Date.parse(timestamp),
  windowSeconds === undefined ? defaultWindowMs : windowSeconds * 1_000,
]

type Api = 'resource' | 'custom' | 'external'

/** The items of an answer, or why there are none. */
function itemsOf<Item>(answer: ApiResult | undefined, api: Api, metric = ''): readonly Item[] | string {
  if (!answer) return `unable to fetch metrics from ${api} metrics API: the server could not find the requested resource`
  if (!answer.ok) return `unable to fetch metrics from ${api} metrics API: ${whyNot(answer.status.message ?? '', api, metric)}`
  const items = (answer.object as { readonly items?: readonly Item[] }).items ?? []
  return items.length > 0 ? items : `no metrics returned from ${api} metrics API`
}

const notServed = 'the server could not find the requested resource'

/** Upstream's clients say it so when nobody serves the API. */
function whyNot(message: string, api: Api, metric: string): string {
  if (message !== notServed) return message
  if (api === 'custom') return `no custom metrics API (${customMetrics.group}) registered`
  return api === 'external' ? `${notServed} (get ${metric}.${externalMetrics.group})` : message
}

/** The use of a resource by each pod, or by one container of each. */
function resourceReading(resource: string, container: string, answer: ApiResult | undefined): Reading {
  const found = itemsOf<PodMetrics>(answer, 'resource')
  if (typeof found === 'string') return { fault: `unable to get metrics for resource ${resource}: ${found}` }
  const pods: Record<string, PodReading> = {}
  for (const { metadata, timestamp, window, containers } of found) {
    const counted = container === '' ? containers : containers.filter(({ name }) => name === container)
    const amounts = counted.map(({ usage }) => usage[resource])
    if (amounts.length === 0 || amounts.some((amount) => amount === undefined)) continue
    const milli = amounts.reduce((sum, amount) => sum + milliOf(amount!), 0)
    pods[metadata.name] = [milli, Date.parse(timestamp), goDurationMs(window) ?? defaultWindowMs]
  }
  return { pods }
}
