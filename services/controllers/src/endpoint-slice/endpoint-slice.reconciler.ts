// EndpointSlice: the addresses behind each Service with a selector, 100 to a slice. Endpoints stay in the slice where they
// are; what is new fills slices that have room, so that one pod's change rewrites one slice.
import type { EndpointPort, Pod, Service } from '@shiplog/api/generated/types/core-v1'
import type { Endpoint, EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import {
  forResource,
  settled,
  watchesResource,
  type Command,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { canonicalJson, nextChildNames } from '../shared/names.ts'
import { controllerReference, isBeingDeleted } from '../shared/ownership.ts'
import { isFinished, isReady } from '../shared/pods.ts'
import {
  addressesOf,
  headlessLabel,
  hostnameOf,
  isHeadless,
  managedByLabel,
  podReference,
  podsOf,
  portsOf,
  selectorOf,
  serviceNameLabel,
  servicesOfPod,
  triggerTimeOf,
  withTriggerTime,
} from '../shared/service-endpoints.ts'
import { podLabelsIndex } from '../shared/pods-by-label.ts'

/** Upstream's --max-endpoints-per-slice. */
export const endpointsPerSliceMax = 100
const manager = 'endpointslice-controller.k8s.io'
const slicesResource = { group: 'discovery.k8s.io', resource: 'endpointslices' }
const groupResource = 'endpointslices.discovery.k8s.io'
const zoneLabel = 'topology.kubernetes.io/zone'

type Family = 'IPv4' | 'IPv6'

/** Keeps the slices of Services with a selector. */
export const endpointSliceReconciler: Reconciler = {
  name: 'endpointslice',
  component: 'endpoint-slice-controller',
  indexes: [podLabelsIndex],
  resources: [
    forResource('services'),
    watchesResource('pods', servicesOfPod),
    watchesResource(groupResource, (change) => {
      const labels = change.object.metadata.labels
      const service = labels?.[serviceNameLabel]
      return service && labels?.[managedByLabel] === manager ? [keyOf(change.namespace, service)] : []
    }),
    // The zone of an endpoint is its node's; it is read when the endpoint is written.
    watchesResource('nodes', () => []),
  ],
  reconcile: (key, view) => {
    const service = view.get('services', key)
    // Without the Service its slices go by garbage collection.
    if (!service || isBeingDeleted(service) || !selectorOf(service)) return settled
    return reconcileSlices(service, view)
  },
}

/** Slices that should exist: endpoints that share their ports and address family. */
interface Group {
  readonly family: Family
  readonly ports: readonly EndpointPort[]
  readonly endpoints: Map<string, Endpoint>
}

function familiesOf(service: Service): readonly Family[] {
  const families = service.spec.ipFamilies?.filter((family) => family !== '')
  return families?.length ? families : ['IPv4']
}

function endpointOf(service: Service, pod: Pod, addresses: readonly string[], view: ObjectView): Endpoint {
  const serving = isReady(pod)
  const terminating = isBeingDeleted(pod)
  const nodeName = pod.spec.nodeName
  const zone = nodeName ? view.get('nodes', keyOf('', nodeName))?.metadata.labels?.[zoneLabel] : undefined
  const hostname = hostnameOf(service, pod)
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating)
  return {
    addresses: [...addresses],
    conditions: { ready, serving, terminating },
    ...(hostname ? { hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    targetRef: podReference(pod),
    ...(zone ? { zone } : {}),
  }
}

function desiredGroups(service: Service, view: ObjectView): Map<string, Group> {
  const groups = new Map<string, Group>()
  const pods = podsOf(service, view).filter((pod) => !isFinished(pod))
  for (const family of familiesOf(service)) {
    for (const pod of pods) {
      const addresses = addressesOf(pod, family)
      if (addresses.length === 0) continue
      const ports = portsOf(service, pod)
      const key = groupKey(family, ports)
      let group = groups.get(key)
      if (!group) groups.set(key, (group = { family, ports, endpoints: new Map() }))
      group.endpoints.set(pod.metadata.uid, endpointOf(service, pod, addresses, view))
    }
    // Never nothing: an empty slice says that there is a Service and nobody behind it.
    if (![...groups.values()].some((group) => group.family === family)) {
      groups.set(groupKey(family, []), { family, ports: [], endpoints: new Map() })
    }
  }
  return groups
}

const groupKey = (family: string, ports: readonly object[]): string => `${family} ${canonicalJson(ports)}`

function labelsFor(service: Service): Record<string, string> {
  const labels = { ...service.metadata.labels }
  delete labels[headlessLabel]
  return {
    ...labels,
    [managedByLabel]: manager,
    [serviceNameLabel]: service.metadata.name,
    ...(isHeadless(service) ? { [headlessLabel]: '' } : {}),
  }
}

function reconcileSlices(service: Service, view: ObjectView): ReconcileResult {
  const namespace = service.metadata.namespace!
  const labels = labelsFor(service)
  const groups = desiredGroups(service, view)
  const slices = ownSlices(service, view)
  const time = triggerTime(service, slices, groups, view)
  const commands: Command[] = []
  const kept = new Map<string, { readonly slice: EndpointSlice; readonly endpoints: Endpoint[] }[]>()
  for (const slice of slices) {
    const key = groupKey(slice.addressType, slice.ports ?? [])
    const group = groups.get(key)
    if (!group) {
      commands.push(deleteSlice(slice))
      continue
    }
    const endpoints: Endpoint[] = []
    for (const endpoint of slice.endpoints ?? []) {
      const uid = endpoint.targetRef?.uid ?? ''
      const wanted = group.endpoints.get(uid)
      if (!wanted) continue
      endpoints.push(wanted)
      group.endpoints.delete(uid)
    }
    const list = kept.get(key) ?? []
    list.push({ slice, endpoints })
    kept.set(key, list)
  }
  let newSlices: { readonly group: Group; readonly endpoints: readonly Endpoint[] }[] = []
  for (const [key, group] of groups) {
    const ofGroup = kept.get(key) ?? []
    const missing = [...group.endpoints.values()]
    // The fullest first: slices fill up, and the emptiest can go.
    for (const { endpoints } of [...ofGroup].sort((a, b) => b.endpoints.length - a.endpoints.length)) {
      endpoints.push(...missing.splice(0, Math.max(0, endpointsPerSliceMax - endpoints.length)))
    }
    const parts: Endpoint[][] = []
    while (missing.length > 0) parts.push(missing.splice(0, endpointsPerSliceMax))
    if (ofGroup.length === 0 && parts.length === 0) parts.push([])
    newSlices = [...newSlices, ...parts.map((endpoints) => ({ group, endpoints }))]
    const filled = ofGroup.filter(({ endpoints }) => endpoints.length > 0)
    // One empty slice may stay when the group has no other.
    const surviving = filled.length > 0 || parts.length > 0 ? filled : ofGroup.slice(0, 1)
    for (const { slice, endpoints } of ofGroup) {
      if (!surviving.some((one) => one.slice === slice)) commands.push(deleteSlice(slice))
      else if (!jsonEqual(endpoints, slice.endpoints ?? []) || !jsonEqual(labels, slice.metadata.labels ?? {})) {
        commands.push(updateSlice(slice, { labels, annotations: withTriggerTime(slice.metadata.annotations, time) }, endpoints))
      }
    }
  }
  const taken = (name: string): boolean => {
    const key = keyOf(namespace, name)
    return view.get(groupResource, key) !== undefined || view.deletedAtMs(groupResource, key) !== undefined
  }
  const names = nextChildNames(`${service.metadata.name}-`, service.metadata.uid, newSlices.length, taken)
  newSlices.forEach(({ group, endpoints }, i) => {
    commands.push({
      request: {
        verb: 'create',
        ...slicesResource,
        namespace,
        onlyNew: true,
        body: {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: {
            name: names[i]!,
            generateName: `${service.metadata.name}-`,
            namespace,
            labels,
            ...(time === undefined ? {} : { annotations: withTriggerTime(undefined, time) }),
            ownerReferences: [controllerReference(service)],
          },
          addressType: group.family,
          endpoints: [...endpoints],
          ports: [...group.ports],
        },
      },
    })
  })
  return { commands }
}

/** When what is written now was caused: by the Service itself, or by the pods of which something is new. */
function triggerTime(
  service: Service,
  slices: readonly EndpointSlice[],
  groups: ReadonlyMap<string, Group>,
  view: ObjectView,
): string | undefined {
  if (slices.length === 0) return service.metadata.creationTimestamp
  const before = new Map(slices.flatMap(({ endpoints }) => (endpoints ?? []).map((one) => [one.targetRef?.uid, one] as const)))
  const changed = [...groups.values()]
    .flatMap(({ endpoints }) => [...endpoints])
    // That a pod begins to end is no change of its readiness, which is whose time is told.
    .filter(([uid, endpoint]) => before.get(uid)?.conditions?.serving !== endpoint.conditions?.serving)
  return triggerTimeOf(changed.flatMap(([uid]) => (view.byUid(uid)?.object as Pod | undefined) ?? []))
}

/** In order of their names, so that two runners go through them alike. */
function ownSlices(service: Service, view: ObjectView): readonly EndpointSlice[] {
  return [...view.listOwned(groupResource, service.metadata.uid)]
    .filter((slice) => !isBeingDeleted(slice) && slice.metadata.labels?.[managedByLabel] === manager)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
}

const deleteSlice = (slice: EndpointSlice): Command => ({
  request: {
    verb: 'delete',
    ...slicesResource,
    namespace: slice.metadata.namespace!,
    name: slice.metadata.name,
    body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: slice.metadata.uid } },
  },
})

const updateSlice = (
  slice: EndpointSlice,
  metadata: Pick<EndpointSlice['metadata'], 'labels' | 'annotations'>,
  endpoints: readonly Endpoint[],
): Command => ({
  request: {
    verb: 'update',
    ...slicesResource,
    namespace: slice.metadata.namespace!,
    name: slice.metadata.name,
    body: { ...slice, metadata: { ...slice.metadata, ...metadata }, endpoints },
  },
})
