// Which endpoints of a Service's port take traffic on a node: those that are ready, or, when none is, those that still serve
// while they end; near ones where hints say so; those of the node alone where a policy does. Pure.
import { formatIp, parseIp } from '@shiplog/api/ip-address'
import type { Endpoint as SliceEndpoint, EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import type { Service, ServicePort } from '@shiplog/api/generated/types/core-v1'
import type { Family } from '@shiplog/node/packet-filter/statements'

export interface Endpoint {
  readonly address: string
  readonly port: number
  readonly isReady: boolean
  readonly isServing: boolean
  readonly isTerminating: boolean
  readonly nodeName: string | undefined
  readonly zones: readonly string[]
  readonly nodes: readonly string[]
}

/** What of a node decides where its traffic goes. */
export interface NodePlace {
  readonly name: string
  readonly zone: string | undefined
}

/** The label by which a slice names its Service. */
export const serviceNameLabel = 'kubernetes.io/service-name'

const addressTypes: Readonly<Record<Family, string>> = { ip: 'IPv4', ip6: 'IPv6' }

/** All endpoints of a port, in the order of their addresses, each address and port once. */
export function endpointsOf(slices: readonly EndpointSlice[], port: ServicePort, family: Family): Endpoint[] {
  const found = new Map<string, Endpoint>()
  for (const slice of slices) {
    if (slice.addressType !== addressTypes[family]) continue
    for (const target of slice.ports ?? []) {
      if ((target.name ?? '') !== (port.name ?? '') || (target.protocol ?? 'TCP') !== (port.protocol ?? 'TCP')) continue
      if (target.port === undefined) continue
      for (const endpoint of slice.endpoints ?? []) {
        const one = readEndpoint(endpoint, target.port)
        if (one === undefined) continue
        const id = `${one.address} ${one.port}`
        // While it moves from slice to slice an endpoint may be in two of them.
        if (!found.has(id) || (one.isReady && !found.get(id)!.isReady)) found.set(id, one)
      }
    }
  }
  return [...found].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, endpoint]) => endpoint)
}

function readEndpoint({ addresses, conditions = {}, nodeName, hints }: SliceEndpoint, port: number): Endpoint | undefined {
  // All addresses of an endpoint mean the same; the first one is taken, as upstream does.
  const address = parseIp(addresses?.[0] ?? '')
  if (address === undefined) return undefined
  const isReady = conditions.ready ?? true
  return {
    ...{ address: formatIp(address), port, isReady, nodeName },
    isServing: conditions.serving ?? isReady,
    isTerminating: conditions.terminating ?? false,
    zones: (hints?.forZones ?? []).map(({ name }) => name),
    nodes: (hints?.forNodes ?? []).map(({ name }) => name),
  }
}

/** Whether somebody outside the cluster may come, by a port of the nodes or an address. */
export const isReachedFromOutside = ({ spec = {}, status }: Service): boolean =>
  spec.type === 'NodePort' ||
  spec.type === 'LoadBalancer' ||
  (spec.externalIPs ?? []).length > 0 ||
  (status?.loadBalancer?.ingress ?? []).length > 0

export const isLocalInside = ({ spec = {} }: Service): boolean => spec.internalTrafficPolicy === 'Local'
export const isLocalOutside = (service: Service): boolean =>
  isReachedFromOutside(service) && service.spec?.externalTrafficPolicy === 'Local'

export interface ChosenEndpoints {
  /** For traffic that may go to any node. */
  readonly cluster: readonly Endpoint[]
  /** For traffic that stays on this one. */
  readonly local: readonly Endpoint[]
  /** There are some somewhere. */
  readonly hasAny: boolean
}

export function chooseEndpoints(all: readonly Endpoint[], node: NodePlace): ChosenEndpoints {
  const ready = all.filter(({ isReady }) => isReady)
  const cluster = ready.length > 0 ? nearOnes(ready, node) : all.filter(isLeaving)
  const here = all.filter(({ nodeName }) => nodeName === node.name)
  const readyHere = here.filter(({ isReady }) => isReady)
  const local = readyHere.length > 0 ? readyHere : here.filter(isLeaving)
  return { cluster, local, hasAny: cluster.length > 0 || all.some((one) => one.isReady || isLeaving(one)) }
}

const isLeaving = ({ isServing, isTerminating }: Endpoint): boolean => isServing && isTerminating

/** Hints hold only when every endpoint has one and one of them is for this node, or its zone. */
function nearOnes(ready: readonly Endpoint[], { name, zone }: NodePlace): readonly Endpoint[] {
  if (ready.every(({ nodes }) => nodes.length > 0)) {
    const forNode = ready.filter(({ nodes }) => nodes.includes(name))
    if (forNode.length > 0) return forNode
  }
  if (zone !== undefined && ready.every(({ zones }) => zones.length > 0)) {
    const forZone = ready.filter(({ zones }) => zones.includes(zone))
    if (forZone.length > 0) return forZone
  }
  return ready
}
