// What EndpointSlices and Endpoints have in common: which pods stand behind a Service, at which ports.
import type { EndpointPort, ObjectReference, Pod, Service, ServicePort } from '@shiplog/api/generated/types/core-v1'
import { compileLabelMap } from '@shiplog/api/selectors'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import type { ChangeOf } from '@shiplog/reconcile/reconciler'
import { keyOfObject, type ObjectView } from '@shiplog/reconcile/view'
import { isBeingDeleted } from './ownership.ts'
import { isFinished, isReady, podCondition } from './pods.ts'
import { podsByRarestLabel } from './pods-by-label.ts'

export const serviceNameLabel = 'kubernetes.io/service-name'
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by'
export const headlessLabel = 'service.kubernetes.io/headless'

/** The Service's selector, undefined when it selects nothing by itself. */
export function selectorOf(service: Service): Readonly<Record<string, string>> | undefined {
  const { selector, type } = service.spec
  if (type === 'ExternalName' || !selector || Object.keys(selector).length === 0) return undefined
  return selector
}

/** The pods that a Service selects, found by its rarest label. */
export function podsOf(service: Service, view: ObjectView): readonly Pod[] {
  const selector = selectorOf(service)
  if (!selector) return []
  const { matches } = compileLabelMap(selector)
  const found = podsByRarestLabel(view, service.metadata.namespace ?? '', selector)
  return [...found].filter((pod) => matches(pod.metadata.labels))
}

/** What of a pod an endpoint shows: a change of anything else wakes no Service. */
const shown = (pod: Pod): readonly unknown[] => [
  pod.metadata.labels,
  pod.status.podIPs,
  pod.status.podIP,
  isReady(pod),
  isFinished(pod),
  isBeingDeleted(pod),
  pod.spec.nodeName,
]

/** The Services whose endpoints a pod's change touches. */
export function* servicesOfPod(change: ChangeOf<'pods'>, before: Pod | undefined, view: ObjectView): Iterable<string> {
  const pod = change.object
  if (!change.deleted && before && jsonEqual(shown(before), shown(pod))) return
  for (const service of view.list('services', change.namespace)) {
    const selector = selectorOf(service)
    if (!selector) continue
    const { matches } = compileSelector(service, selector)
    if (matches(pod.metadata.labels) || (before && matches(before.metadata.labels))) yield keyOfObject(service)
  }
}

const compiled = new WeakMap<object, ReturnType<typeof compileLabelMap>>()

/** Compiled once per version of a Service. */
function compileSelector(service: Service, selector: Readonly<Record<string, string>>) {
  let known = compiled.get(service)
  if (!known) compiled.set(service, (known = compileLabelMap(selector)))
  return known
}

export const isHeadless = (service: Service): boolean => service.spec.clusterIP === 'None'

/** The addresses of a pod, of one family. */
export function addressesOf(pod: Pod, family: 'IPv4' | 'IPv6'): readonly string[] {
  const all = (pod.status.podIPs ?? []).map(({ ip }) => ip)
  if (all.length === 0 && pod.status.podIP) all.push(pod.status.podIP)
  return all.filter((ip) => ip.includes(':') === (family === 'IPv6'))
}

/** The number behind a target port: itself, or the pod's container port of that name. */
function portOf(pod: Pod, servicePort: ServicePort): number | undefined {
  const target = servicePort.targetPort ?? servicePort.port
  if (typeof target === 'number') return target === 0 ? servicePort.port : target
  const protocol = servicePort.protocol ?? 'TCP'
  const containers = [
    ...(pod.spec.containers ?? []),
    ...(pod.spec.initContainers ?? []).filter((one) => one.restartPolicy === 'Always'),
  ]
  for (const container of containers) {
    for (const port of container.ports ?? []) {
      if (port.name === target && (port.protocol ?? 'TCP') === protocol) return port.containerPort
    }
  }
  return undefined
}

/** The ports of a Service at one pod; a named port that the pod does not have is left out. */
export function portsOf(service: Service, pod: Pod): readonly EndpointPort[] {
  const ports: EndpointPort[] = []
  for (const servicePort of service.spec.ports ?? []) {
    const port = portOf(pod, servicePort)
    if (port === undefined) continue
    ports.push({
      name: servicePort.name ?? '',
      port,
      protocol: servicePort.protocol ?? 'TCP',
      ...(servicePort.appProtocol ? { appProtocol: servicePort.appProtocol } : {}),
    })
  }
  return ports
}

/** The host name under which DNS knows a pod of this Service, if the pod asks for one. */
export const hostnameOf = (service: Service, pod: Pod): string | undefined =>
  pod.spec.hostname && pod.spec.subdomain === service.metadata.name ? pod.spec.hostname : undefined

/** When what led to the endpoints happened, for those who measure how long that took to arrive. */
export const triggerTimeAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time'

/** The earliest change among these pods; undefined when nothing is known of any. */
export function triggerTimeOf(changed: readonly Pod[]): string | undefined {
  const times = changed.flatMap((pod) => podCondition(pod, 'Ready')?.lastTransitionTime ?? [])
  return times.length === 0 ? undefined : times.reduce((earliest, time) => (time < earliest ? time : earliest))
}

/** Annotations with the time, or without one. */
export function withTriggerTime(
  annotations: Readonly<Record<string, string>> | undefined,
  time: string | undefined,
): Record<string, string> {
  const { [triggerTimeAnnotation]: _, ...others } = annotations ?? {}
  return time === undefined ? others : { ...others, [triggerTimeAnnotation]: time }
}

export const podReference = (pod: Pod): ObjectReference => ({
  kind: 'Pod',
  namespace: pod.metadata.namespace!,
  name: pod.metadata.name,
  uid: pod.metadata.uid,
})
