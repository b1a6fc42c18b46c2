// What the rules are made from, kept up to date from the feed: Services, their EndpointSlices, the nodes. Pure.
import type { Node, Service } from '@shiplog/api/generated/types/core-v1'
import type { EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import type { IpRange } from '@shiplog/api/ip-address'
import { formatIp, parseIp, parseIpRange } from '@shiplog/api/ip-address'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import { mayAnnounce, toBeDeletedTaint } from './announced-addresses.ts'
import { serviceNameLabel } from './endpoints.ts'
import type { ProxiedNode } from './service-rules.ts'

export const serviceResources = ['services', 'endpointslices.discovery.k8s.io', 'nodes'] as const

export interface ServiceView {
  readonly services: ReadonlyMap<string, Service>
  slicesOf(key: string): readonly EndpointSlice[]
  node(name: string): ProxiedNode
  /** Nodes that may answer for addresses of load balancers. */
  readonly announcing: ReadonlySet<string>
  /** Takes a change; says which Services and which node it touches. */
  apply(change: ObjectChange): { readonly service?: string; readonly node?: string }
}

export const keyOf = ({ namespace = '', name }: { readonly namespace?: string; readonly name: string }): string => `${namespace}/${name}`

export function createServiceView(): ServiceView {
  const services = new Map<string, Service>()
  const slices = new Map<string, Map<string, EndpointSlice>>()
  const nodes = new Map<string, ProxiedNode>()
  const announcing = new Set<string>()

  function applySlice(slice: EndpointSlice, isGone: boolean): string | undefined {
    const owner = slice.metadata.labels?.[serviceNameLabel]
    const id = keyOf(slice.metadata)
    if (!owner) return undefined
    const key = keyOf({ namespace: slice.metadata.namespace ?? '', name: owner })
    const known = slices.get(key) ?? new Map<string, EndpointSlice>()
    if (isGone) known.delete(id)
    else known.set(id, slice)
    if (known.size === 0) slices.delete(key)
    else slices.set(key, known)
    return key
  }

  return {
    ...{ services, announcing },
    slicesOf: (key) => [...(slices.get(key)?.values() ?? [])],
    node: (name) => nodes.get(name) ?? { name, zone: undefined, podRanges: [], addresses: [], isEligible: true },
    apply({ groupResource, object, deleted }) {
      if (groupResource === 'services') {
        const key = keyOf(object.metadata)
        if (deleted) services.delete(key)
        else services.set(key, object as Service)
        return { service: key }
      }
      if (groupResource === 'endpointslices.discovery.k8s.io') {
        const service = applySlice(object as EndpointSlice, deleted)
        return service === undefined ? {} : { service }
      }
      if (groupResource !== 'nodes') return {}
      const { name } = object.metadata
      const before = nodes.get(name)
      const after = deleted ? undefined : proxiedNodeOf(object as Node)
      if (!deleted && mayAnnounce(object as Node)) announcing.add(name)
      else announcing.delete(name)
      if (after) nodes.set(name, after)
      else nodes.delete(name)
      // Heartbeats and statuses of pods come all the time; what rules are made from does not change with them.
      return textOf(before) === textOf(after) ? {} : { node: name }
    },
  }
}

const textOf = (node: ProxiedNode | undefined): string =>
  node === undefined
    ? ''
    : JSON.stringify([node.zone, node.addresses, node.podRanges.map(({ family, network, bits }) => [family, String(network), bits])])

export function proxiedNodeOf({ metadata, spec, status }: Node): ProxiedNode {
  const ranges: IpRange[] = (spec?.podCIDRs ?? []).flatMap((text) => parseIpRange(text) ?? [])
  const addresses = (status?.addresses ?? []).flatMap(({ type, address }) => {
    const ip = type === 'InternalIP' ? parseIp(address) : undefined
    return ip === undefined ? [] : [formatIp(ip)]
  })
  const isLeaving = metadata.deletionTimestamp !== undefined || spec?.taints?.some(({ key }) => key === toBeDeletedTaint) === true
  const zone = metadata.labels?.['topology.kubernetes.io/zone']
  return { name: metadata.name, zone, podRanges: ranges, addresses, isEligible: !isLeaving }
}
