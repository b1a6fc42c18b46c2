// From a Service, its EndpointSlices and the node to the rules that carry the Service's traffic there. Names of maps and
// chains are those of upstream's proxy in nftables mode, so that whoever knows the one can read the other. Pure.
import { createHash } from 'node:crypto'
import { formatIp, type IpRange, isInRange, parseIp, parseIpRange } from '@shiplog/api/ip-address'
import type { EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import type { Service, ServicePort } from '@shiplog/api/generated/types/core-v1'
import {
  type ChosenEndpoints,
  chooseEndpoints,
  type Endpoint,
  endpointsOf,
  isLocalInside,
  isLocalOutside,
  isReachedFromOutside,
  type NodePlace,
} from './endpoints.ts'
import { chainName, kubeProxyTable as table, mapName } from './base-rules.ts'
import type { Chain, Element, NamedSet, RulesetParts } from '@shiplog/node/packet-filter/ruleset'
import {
  addressType,
  back,
  daddr,
  dnat,
  drop,
  type Family,
  familyOf,
  goto,
  inRange,
  inSet,
  isEqual,
  isLocalSource,
  isPort,
  isProtocol,
  type Json,
  jump,
  notInRange,
  oneOf,
  type Protocol,
  remember,
  type Rule,
  saddr,
  type Statement,
} from '@shiplog/node/packet-filter/statements'

export interface ProxiedNode extends NodePlace {
  /** Addresses of pods of this node: traffic of others is answered by way of the node. */
  readonly podRanges: readonly IpRange[]
  /** Where the ports of the node are. */
  readonly addresses: readonly string[]
  /** False when it is about to go, so that load balancers send nothing new. */
  readonly isEligible: boolean
}

export interface ServiceInput {
  readonly service: Service
  readonly slices: readonly EndpointSlice[]
  readonly node: ProxiedNode
}

/** Upstream's. */
const affinitySecondsDefault = 10_800
const nameBytesMax = 180
const hashCharacters = 8

/** Whether a Service has an address of its own that traffic can go to. */
export const isProxied = ({ spec = {} }: Service): boolean =>
  spec.type !== 'ExternalName' && Boolean(spec.clusterIP) && spec.clusterIP !== 'None'

export function serviceRules({ service, slices, node }: ServiceInput): RulesetParts {
  if (!isProxied(service)) return {}
  const families = new Set(clusterAddresses(service).map(familyOf))
  const parts = (service.spec?.ports ?? []).flatMap((port) =>
    [...families].map((family) => portRules(portInput({ service, slices, node }, port, family))),
  )
  return {
    chains: parts.flatMap(({ chains = [] }) => chains),
    sets: parts.flatMap(({ sets = [] }) => sets),
    elements: [...clusterAddresses(service).map(clusterAddress), ...parts.flatMap(({ elements = [] }) => elements)],
  }
}

const canonical = (addresses: readonly (string | undefined)[]): string[] =>
  addresses.flatMap((text) => {
    const address = parseIp(text ?? '')
    return address === undefined ? [] : [formatIp(address)]
  })

const clusterAddresses = ({ spec = {} }: Service): string[] => canonical(spec.clusterIPs ?? [spec.clusterIP])

/** Traffic to a port that the Service has not is refused. */
const clusterAddress = (address: string): Element => ({
  ...{ family: familyOf(address), table, set: mapName.clusterIps },
  key: address,
})

interface PortInput {
  readonly service: Service
  readonly node: ProxiedNode
  readonly port: ServicePort
  readonly protocol: Protocol
  readonly family: Family
  readonly chosen: ChosenEndpoints
  /** Of all names of the port. */
  readonly base: string
}

function portInput({ service, slices, node }: ServiceInput, port: ServicePort, family: Family): PortInput {
  const protocol = (port.protocol ?? 'TCP').toLowerCase() as Protocol
  return {
    ...{ service, node, port, protocol, family },
    chosen: chooseEndpoints(endpointsOf(slices, port, family), node),
    base: nameOfPort(service, port, protocol),
  }
}

/** Short enough for the kernel, and still different where only the end differs. */
function nameOfPort({ metadata }: Service, port: ServicePort, protocol: Protocol): string {
  const text = `${metadata.namespace}/${metadata.name}/${protocol}/${port.name ?? ''}`
  return `${shortHash(text)}-${text}`.slice(0, nameBytesMax)
}

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, hashCharacters).toUpperCase()

const endpointsInside = ({ service, chosen }: PortInput): readonly Endpoint[] =>
  isLocalInside(service) ? chosen.local : chosen.cluster
const endpointsOutside = ({ service, chosen }: PortInput): readonly Endpoint[] =>
  isLocalOutside(service) ? chosen.local : chosen.cluster

const clusterChain = ({ base }: PortInput): string => `service-${base}`
const localChain = ({ base }: PortInput): string => `local-${base}`
const externalChain = ({ base }: PortInput): string => `external-${base}`
const firewallChain = ({ base }: PortInput): string => `firewall-${base}`
const endpointChain = ({ base }: PortInput, { address, port }: Endpoint): string => `endpoint-${base}__${address}/${port}`
/** The time is part of the name: what a set remembers is for so long, and that cannot be changed. */
const affinitySet = (input: PortInput, { address, port }: Endpoint): string =>
  `affinity-${input.base}__${address}/${port}/${affinitySeconds(input)}`

const isSticky = ({ service }: PortInput): boolean => service.spec?.sessionAffinity === 'ClientIP'
const affinitySeconds = ({ service }: PortInput): number =>
  service.spec?.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? affinitySecondsDefault

function portRules(input: PortInput): RulesetParts {
  const { service, family, chosen } = input
  const isOutside = isReachedFromOutside(service)
  const used = usedEndpoints(input)
  const chains: Chain[] = []
  const add = (name: string, rules: readonly Rule[]): void => void chains.push({ family, table, name, rules })
  for (const endpoint of used) add(endpointChain(input, endpoint), endpointRules(input, endpoint))
  if (usesClusterChain(input)) add(clusterChain(input), clusterRules(input))
  if (usesLocalChain(input)) add(localChain(input), balance(input, chosen.local))
  if (isOutside && endpointsOutside(input).length > 0) add(externalChain(input), externalRules(input))
  const ranges = sourceRanges(input)
  if (ranges !== undefined) add(firewallChain(input), firewallRules(input, ranges))
  return {
    chains,
    sets: isSticky(input) ? used.map((endpoint) => rememberedClients(input, endpoint)) : [],
    elements: [...insideElements(input), ...outsideElements(input), ...(ranges === undefined ? [] : firewallElements(input))],
  }
}

function usedEndpoints(input: PortInput): readonly Endpoint[] {
  const { chosen } = input
  const cluster = usesClusterChain(input) ? chosen.cluster : []
  const local = usesLocalChain(input) ? chosen.local : []
  return [...new Map([...cluster, ...local].map((one) => [`${one.address} ${one.port}`, one])).values()]
}

/** Pods reach a local Service from inside by its outer addresses as if they were inner ones. */
const usesClusterChain = (input: PortInput): boolean =>
  input.chosen.cluster.length > 0 && (!isLocalInside(input.service) || isReachedFromOutside(input.service))
const usesLocalChain = (input: PortInput): boolean =>
  input.chosen.local.length > 0 && (isLocalInside(input.service) || isLocalOutside(input.service))

const rememberedClients = (input: PortInput, endpoint: Endpoint): NamedSet => ({
  ...{ family: input.family, table, name: affinitySet(input, endpoint), isMap: false },
  type: addressType[input.family],
  timeout: affinitySeconds(input),
})

/** Who talks to itself by way of the Service has to see the node, or its answer never comes back. */
const endpointRules = (input: PortInput, endpoint: Endpoint): Rule[] => [
  [isEqual(saddr(input.family), endpoint.address), jump(chainName.markForMasquerade)],
  ...(isSticky(input) ? [[remember(input.family, affinitySet(input, endpoint))]] : []),
  [isProtocol(input.protocol), dnat(endpoint.address, endpoint.port)],
]

const balance = (input: PortInput, endpoints: readonly Endpoint[]): Rule[] => [
  ...(isSticky(input)
    ? endpoints.map((one): Rule => [inSet(saddr(input.family), affinitySet(input, one)), goto(endpointChain(input, one))])
    : []),
  [oneOf(endpoints.map((one) => endpointChain(input, one)))],
]

function clusterRules(input: PortInput): Rule[] {
  const { service, family, port, protocol, node, chosen } = input
  const addresses = clusterAddresses(service).filter((address) => familyOf(address) === family)
  const ours = node.podRanges.filter((range) => (range.family === 'IPv6' ? 'ip6' : 'ip') === family)
  const toAddress = (address: string): Statement[] => [isEqual(daddr(family), address), isPort(protocol, port.port)]
  const fromOthers = ours.map((range) => notInRange(saddr(family), range))
  return [
    ...(fromOthers.length === 0
      ? []
      : addresses.map((address): Rule => [...toAddress(address), ...fromOthers, jump(chainName.markForMasquerade)])),
    ...balance(input, chosen.cluster),
  ]
}

function externalRules(input: PortInput): Rule[] {
  const { family, node, chosen } = input
  if (!isLocalOutside(input.service)) return [[jump(chainName.markForMasquerade)], [goto(clusterChain(input))]]
  const ours = node.podRanges.filter((range) => (range.family === 'IPv6' ? 'ip6' : 'ip') === family)
  const fromInside: Rule[] =
    chosen.cluster.length === 0
      ? []
      : [
          ...ours.map((range): Rule => [...inRange(saddr(family), range), goto(clusterChain(input))]),
          [isLocalSource, jump(chainName.markForMasquerade)],
          [isLocalSource, goto(clusterChain(input))],
        ]
  return [...fromInside, [goto(localChain(input))]]
}

function firewallRules({ family, service, node }: PortInput, ranges: readonly IpRange[]): Rule[] {
  const allowed = ranges.map((range): Rule => [...inRange(saddr(family), range), back])
  // A node that calls the address of a load balancer does so from that very address.
  const isNodeAllowed = node.addresses.some((text) => {
    const address = parseIp(text)
    return address !== undefined && ranges.some((range) => isInRange(range, address))
  })
  const own = isNodeAllowed
    ? loadBalancerAddresses(service, family).map((address): Rule => [isEqual(saddr(family), address), back])
    : []
  return [...allowed, ...own, [drop]]
}

/** Only a load balancer has them, and they hold for its addresses alone. */
function sourceRanges({ service, family }: PortInput): readonly IpRange[] | undefined {
  const { loadBalancerSourceRanges = [], type } = service.spec ?? {}
  if (type !== 'LoadBalancer' || loadBalancerSourceRanges.length === 0) return undefined
  if (loadBalancerAddresses(service, family).length === 0) return undefined
  const ranges = loadBalancerSourceRanges.flatMap((text) => parseIpRange(text.trim()) ?? [])
  return ranges.filter((range) => (range.family === 'IPv6' ? 'ip6' : 'ip') === family)
}

/** A load balancer that passes connections on by itself (ipMode Proxy) is to see them. */
const loadBalancerAddresses = ({ status }: Service, family: Family): string[] =>
  canonical(
    (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) => (ipMode === 'Proxy' ? [] : ip)),
  ).filter((address) => familyOf(address) === family)

const outerAddresses = ({ service, family }: PortInput): string[] => [
  ...canonical(service.spec?.externalIPs ?? []).filter((address) => familyOf(address) === family),
  ...loadBalancerAddresses(service, family),
]

const atAddress = ({ protocol, port }: PortInput, address: string): Json => ({ concat: [address, protocol, port.port] })

/** Refused at once where there is nobody; dropped where there is somebody, on other nodes only. */
const refusal = ({ chosen }: PortInput): Statement => (chosen.hasAny ? drop : goto(chainName.reject))

function insideElements(input: PortInput): Element[] {
  const { service, family } = input
  const addresses = clusterAddresses(service).filter((address) => familyOf(address) === family)
  const hasEndpoints = endpointsInside(input).length > 0
  const set = hasEndpoints ? mapName.serviceIps : mapName.noEndpointServices
  const verdict = hasEndpoints
    ? goto(isLocalInside(service) ? localChain(input) : clusterChain(input))
    : refusal(input)
  return addresses.map((address) => ({ family, table, set, key: atAddress(input, address), verdict }))
}

function outsideElements(input: PortInput): Element[] {
  const { service, family, port, protocol } = input
  if (!isReachedFromOutside(service)) return []
  const hasEndpoints = endpointsOutside(input).length > 0
  const verdict = hasEndpoints ? goto(externalChain(input)) : refusal(input)
  const byAddress = outerAddresses(input).map((address): Element => ({
    ...{ family, table, verdict, key: atAddress(input, address) },
    set: hasEndpoints ? mapName.serviceIps : mapName.noEndpointServices,
  }))
  if (!port.nodePort) return byAddress
  const ofNode: Element = {
    ...{ family, table, verdict, key: { concat: [protocol, port.nodePort] } },
    set: hasEndpoints ? mapName.serviceNodePorts : mapName.noEndpointNodePorts,
  }
  return [...byAddress, ofNode]
}

const firewallElements = (input: PortInput): Element[] =>
  loadBalancerAddresses(input.service, input.family).map((address) => ({
    ...{ family: input.family, table, set: mapName.firewallIps },
    key: atAddress(input, address),
    verdict: goto(firewallChain(input)),
  }))

