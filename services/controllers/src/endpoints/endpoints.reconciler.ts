// Endpoints: the older form of what EndpointSlices say, one object of the Service's name, still read by many clients.
import type {
  EndpointAddress,
  EndpointPort,
  EndpointSubset,
  Endpoints,
  Pod,
  Service,
} from '@shiplog/api/generated/types/core-v1'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import {
  forResource,
  settled,
  watchesResource,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { canonicalJson } from '../shared/names.ts'
import { isBeingDeleted } from '../shared/ownership.ts'
import { isFinished, isReady } from '../shared/pods.ts'
import {
  addressesOf,
  headlessLabel,
  hostnameOf,
  isHeadless,
  podReference,
  podsOf,
  portsOf,
  selectorOf,
  servicesOfPod,
  triggerTimeOf,
  withTriggerTime,
} from '../shared/service-endpoints.ts'
import { podLabelsIndex } from '../shared/pods-by-label.ts'

/** Upstream's bound; what is beyond it is left out, and an annotation says so. */
export const endpointsMax = 1_000
const overCapacityAnnotation = 'endpoints.kubernetes.io/over-capacity'
const managedByLabel = 'endpoints.kubernetes.io/managed-by'
const manager = 'endpoint-controller'

/** Keeps the Endpoints of Services with a selector; those of other Services are their owner's business. */
export const endpointsReconciler: Reconciler = {
  name: 'endpoints',
  component: 'endpoint-controller',
  indexes: [podLabelsIndex],
  resources: [
    forResource('services'),
    watchesResource('pods', servicesOfPod),
    watchesResource('endpoints', (change) => [keyOf(change.namespace, change.name)]),
  ],
  reconcile: (key, view) => {
    const service = view.get('services', key)
    const known = view.get('endpoints', key)
    if (!service) return known?.metadata.labels?.[managedByLabel] === manager ? removeEndpoints(known) : settled
    if (isBeingDeleted(service) || !selectorOf(service)) return settled
    return reconcileEndpoints(service, known, view)
  },
}

const removeEndpoints = (endpoints: Endpoints): ReconcileResult => ({
  commands: [
    {
      request: {
        verb: 'delete',
        group: '',
        resource: 'endpoints',
        namespace: endpoints.metadata.namespace!,
        name: endpoints.metadata.name,
        body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: endpoints.metadata.uid } },
      },
    },
  ],
})

interface Placed {
  readonly pod: Pod
  readonly address: EndpointAddress
  readonly ready: boolean
  readonly ports: readonly EndpointPort[]
}

function placedPods(service: Service, view: ObjectView): readonly Placed[] {
  const publishNotReady = service.spec.publishNotReadyAddresses === true
  const family = service.spec.ipFamilies?.[0] || 'IPv4'
  const placed: Placed[] = []
  for (const pod of podsOf(service, view)) {
    if (isFinished(pod) || (isBeingDeleted(pod) && !publishNotReady)) continue
    const [ip] = addressesOf(pod, family)
    if (!ip) continue
    const hostname = hostnameOf(service, pod)
    const nodeName = pod.spec.nodeName
    const address = {
      ip,
      ...(hostname ? { hostname } : {}),
      ...(nodeName ? { nodeName } : {}),
      targetRef: podReference(pod),
    }
    placed.push({ pod, address, ready: publishNotReady || isReady(pod), ports: portsOf(service, pod) })
  }
  return placed
}

const ipOf = (placed: Placed): string => placed.address.ip

/** Addresses with the same ports share a subset. */
function subsetsOf(service: Service, placed: readonly Placed[]): readonly EndpointSubset[] {
  const bySubset = new Map<string, { readonly ports: readonly EndpointPort[]; readonly members: Placed[] }>()
  const headlessWithoutPorts = isHeadless(service) && !service.spec.ports?.length
  for (const one of placed) {
    if (one.ports.length === 0 && !headlessWithoutPorts) continue
    const key = canonicalJson(one.ports)
    const subset = bySubset.get(key) ?? { ports: one.ports, members: [] }
    subset.members.push(one)
    bySubset.set(key, subset)
  }
  return [...bySubset]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ports, members }]) => {
      const sorted = members.sort((a, b) => (ipOf(a) < ipOf(b) ? -1 : 1))
      const ready = sorted.filter((one) => one.ready).map((one) => one.address)
      const notReady = sorted.filter((one) => !one.ready).map((one) => one.address)
      return {
        ...(ready.length > 0 ? { addresses: ready } : {}),
        ...(notReady.length > 0 ? { notReadyAddresses: notReady } : {}),
        ...(ports.length > 0 ? { ports: ports.map(withoutEmptyName) } : {}),
      }
    })
}

const withoutEmptyName = (port: EndpointPort): EndpointPort => {
  const { name, ...rest } = port
  return name ? { name, ...rest } : rest
}

/** Pods that were not there before, or not in this state. */
function changedPods(known: Endpoints, placed: readonly Placed[]): readonly Pod[] {
  const before = new Set<string>()
  for (const { addresses = [], notReadyAddresses = [] } of known.subsets ?? []) {
    for (const { ip, targetRef } of addresses) before.add(`${targetRef?.uid} ${ip} true`)
    for (const { ip, targetRef } of notReadyAddresses) before.add(`${targetRef?.uid} ${ip} false`)
  }
  const isKnown = ({ pod, address, ready }: Placed): boolean => before.has(`${pod.metadata.uid} ${address.ip} ${ready}`)
  return placed.filter((one) => !isKnown(one)).map(({ pod }) => pod)
}

function reconcileEndpoints(service: Service, known: Endpoints | undefined, view: ObjectView): ReconcileResult {
  const all = placedPods(service, view)
  // Those that are ready first; then by address, so that two runners leave out the same ones.
  const kept =
    all.length <= endpointsMax
      ? all
      : [...all]
          .sort((a, b) => Number(b.ready) - Number(a.ready) || (ipOf(a) < ipOf(b) ? -1 : 1))
          .slice(0, endpointsMax)
  const subsets = subsetsOf(service, kept)
  const labels: Record<string, string> = { ...service.metadata.labels, [managedByLabel]: manager }
  delete labels[headlessLabel]
  if (isHeadless(service)) labels[headlessLabel] = ''
  const annotations = withTriggerTime(known?.metadata.annotations, undefined)
  delete annotations[overCapacityAnnotation]
  if (kept.length < all.length) annotations[overCapacityAnnotation] = 'truncated'
  const address = { group: '', resource: 'endpoints', namespace: service.metadata.namespace! }
  const { name } = service.metadata
  if (!known) {
    const told = withTriggerTime(annotations, service.metadata.creationTimestamp)
    const metadata = { name, namespace: address.namespace, labels, annotations: told }
    const body = { apiVersion: 'v1', kind: 'Endpoints', metadata, ...(subsets.length > 0 ? { subsets } : {}) }
    return { commands: [{ request: { verb: 'create', ...address, body } }] }
  }
  if (
    jsonEqual(subsets, known.subsets ?? []) &&
    jsonEqual(labels, known.metadata.labels ?? {}) &&
    jsonEqual(annotations, withTriggerTime(known.metadata.annotations, undefined))
  ) {
    return settled
  }
  const { subsets: _before, ...rest } = known
  const body = {
    ...rest,
    metadata: { ...known.metadata, labels, annotations: withTriggerTime(annotations, triggerTimeOf(changedPods(known, kept))) },
    ...(subsets.length > 0 ? { subsets } : {}),
  }
  return { commands: [{ request: { verb: 'update', ...address, name, body } }] }
}
