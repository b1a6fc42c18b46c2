// EndpointSlice mirroring: Endpoints that somebody writes for a Service without a selector, as the slices that everything
// else reads. One slice for each set of ports and family of addresses, as upstream's; names come from a counter over the
// Endpoints' uid.
import type { EndpointAddress, Endpoints, EndpointPort, Service } from '@shiplog/api/generated/types/core-v1'
import type { Endpoint, EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import { parseIp } from '@shiplog/api/ip-address'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import {
  forResource,
  settled,
  watchesResource,
  type Command,
  type EventRecord,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { canonicalJson, nextChildNames } from '../shared/names.ts'
import { controllerReference, isBeingDeleted } from '../shared/ownership.ts'
import { managedByLabel, serviceNameLabel } from '../shared/service-endpoints.ts'

/** Upstream's --mirroring-max-endpoints-per-subset. */
const endpointsPerSubsetMax = 1_000
const manager = 'endpointslicemirroring-controller.k8s.io'
const slices = { group: 'discovery.k8s.io', resource: 'endpointslices' }
const groupResource = 'endpointslices.discovery.k8s.io'
const skipLabel = 'endpointslice.kubernetes.io/skip-mirror'
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader'
const notCopied: ReadonlySet<string> = new Set([
  'endpoints.kubernetes.io/last-change-trigger-time',
  'kubectl.kubernetes.io/last-applied-configuration',
])

export const endpointSliceMirroringReconciler: Reconciler = {
  name: 'endpointslicemirroring',
  component: 'endpoint-slice-mirroring-controller',
  resources: [
    forResource('endpoints'),
    watchesResource('services', (change) => [keyOf(change.namespace, change.name)]),
    watchesResource(groupResource, ({ namespace, object: { metadata } }) => {
      const service = metadata.labels?.[serviceNameLabel]
      return service && metadata.labels?.[managedByLabel] === manager ? [keyOf(namespace, service)] : []
    }),
  ],
  reconcile: (key, view) => {
    const endpoints = view.get('endpoints', key)
    // Without its Endpoints a mirror goes by garbage collection.
    if (!endpoints || isBeingDeleted(endpoints)) return settled
    const groups = isMirrored(endpoints, view.get('services', key)) ? mirrorOf(endpoints) : nothing
    return { ...compare(endpoints, groups, view), events: groups.events }
  },
}

const isMirrored = ({ metadata }: Endpoints, service: Service | undefined): boolean =>
  service !== undefined &&
  service.spec.selector === undefined &&
  metadata.labels?.[skipLabel] !== 'true' &&
  metadata.annotations?.[leaderAnnotation] === undefined

interface Group {
  readonly family: 'IPv4' | 'IPv6'
  readonly ports: readonly EndpointPort[]
  readonly endpoints: Endpoint[]
}

interface Mirror {
  readonly groups: ReadonlyMap<string, Group>
  readonly events: readonly EventRecord[]
}

const nothing: Mirror = { groups: new Map(), events: [] }

const groupKey = (family: string, ports: readonly object[]): string => `${family} ${canonicalJson(ports)}`

function mirrorOf(endpoints: Endpoints): Mirror {
  const groups = new Map<string, Group>()
  let invalid = 0
  let skipped = 0
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of endpoints.subsets ?? []) {
    const mirrored = ports.map(({ name = '', port, protocol = 'TCP', appProtocol }) => ({
      name,
      port,
      protocol,
      ...(appProtocol === undefined ? {} : { appProtocol }),
    }))
    const all = [
      ...addresses.map((address) => ({ address, ready: true })),
      ...notReadyAddresses.map((address) => ({ address, ready: false })),
    ]
    let added = 0
    for (const { address, ready } of all) {
      const family = familyOf(address.ip)
      if (!family) invalid++
      else if (added === endpointsPerSubsetMax) skipped++
      else {
        added++
        const key = groupKey(family, mirrored)
        let group = groups.get(key)
        if (!group) groups.set(key, (group = { family, ports: mirrored, endpoints: [] }))
        group.endpoints.push(endpointOf(address, ready))
      }
    }
  }
  return { groups, events: complaints(endpoints, invalid, skipped) }
}

function familyOf(ip: string): 'IPv4' | 'IPv6' | undefined {
  if (parseIp(ip) === undefined) return undefined
  return ip.includes(':') ? 'IPv6' : 'IPv4'
}

const endpointOf = ({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint => ({
  addresses: [ip],
  conditions: { ready },
  ...(hostname ? { hostname } : {}),
  ...(targetRef ? { targetRef } : {}),
  ...(nodeName ? { nodeName } : {}),
})

function complaints(object: Endpoints, invalid: number, skipped: number): EventRecord[] {
  const events: EventRecord[] = []
  const tell = (reason: string, message: string): void => void events.push({ object, type: 'Warning', reason, message })
  if (invalid > 0) tell('InvalidIPAddress', `Skipped ${invalid} invalid IP addresses when mirroring to EndpointSlices`)
  if (skipped > 0) {
    const most = `A max of ${endpointsPerSubsetMax} addresses can be mirrored to EndpointSlices per Endpoints subset.`
    tell('TooManyAddressesToMirror', `${most} ${skipped + invalid} addresses were skipped`)
  }
  return events
}

/** One slice for each group: the first that there is of it stays, others go. */
function compare(endpoints: Endpoints, { groups }: Mirror, view: ObjectView): ReconcileResult {
  const metadata = metadataFor(endpoints)
  const commands: Command[] = []
  const missing = new Map(groups)
  const existing = [...view.listOwned(groupResource, endpoints.metadata.uid)]
    .filter((slice) => !isBeingDeleted(slice) && slice.metadata.labels?.[managedByLabel] === manager)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  for (const slice of existing) {
    const key = groupKey(slice.addressType, slice.ports ?? [])
    const group = missing.get(key)
    missing.delete(key)
    if (!group) commands.push(removal(slice))
    else if (!isSame(slice, group, metadata)) commands.push(replacement(slice, group, metadata))
  }
  const { namespace, name, uid } = endpoints.metadata
  const taken = (one: string): boolean => {
    const key = keyOf(namespace, one)
    return view.get(groupResource, key) !== undefined || view.deletedAtMs(groupResource, key) !== undefined
  }
  const names = nextChildNames(`${name}-`, uid, missing.size, taken)
  for (const [i, group] of [...missing.values()].entries()) {
    commands.push(creation(endpoints, names[i]!, group, metadata))
  }
  return { commands }
}

type SliceMetadata = Readonly<Record<'labels' | 'annotations', Readonly<Record<string, string>>>>

const metadataFor = ({ metadata }: Endpoints): SliceMetadata => ({
  labels: { ...metadata.labels, [serviceNameLabel]: metadata.name, [managedByLabel]: manager },
  annotations: Object.fromEntries(
    Object.entries(metadata.annotations ?? {}).filter(([annotation]) => !notCopied.has(annotation)),
  ),
})

const isSame = (slice: EndpointSlice, group: Group, { labels, annotations }: SliceMetadata): boolean =>
  jsonEqual(slice.endpoints ?? [], group.endpoints) &&
  jsonEqual(slice.metadata.labels ?? {}, labels) &&
  jsonEqual(slice.metadata.annotations ?? {}, annotations)

const removal = ({ metadata }: EndpointSlice): Command => ({
  request: {
    verb: 'delete',
    ...slices,
    namespace: metadata.namespace!,
    name: metadata.name,
    body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: metadata.uid } },
  },
})

const replacement = (slice: EndpointSlice, group: Group, metadata: SliceMetadata): Command => ({
  request: {
    verb: 'update',
    ...slices,
    namespace: slice.metadata.namespace!,
    name: slice.metadata.name,
    body: { ...slice, metadata: { ...slice.metadata, ...metadata }, endpoints: group.endpoints },
  },
})

const creation = (endpoints: Endpoints, name: string, group: Group, metadata: SliceMetadata): Command => ({
  request: {
    verb: 'create',
    ...slices,
    namespace: endpoints.metadata.namespace!,
    onlyNew: true,
    body: {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name,
        generateName: `${endpoints.metadata.name}-`,
        namespace: endpoints.metadata.namespace!,
        ...metadata,
        ownerReferences: [controllerReference(endpoints)],
      },
      addressType: group.family,
      endpoints: group.endpoints,
      ports: [...group.ports],
    },
  },
})
