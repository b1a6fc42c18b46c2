// Connections of UDP that the kernel remembers outlive the endpoint they went to: their packets would go into the void for as
// long as the client sends. What is to be forgotten follows from what is remembered and what the Services are now. Pure.
import { canonicalIp } from '@shiplog/api/ip-address'
import { chooseEndpoints, endpointsOf } from './endpoints.ts'
import { isProxied, type ProxiedNode } from './service-rules.ts'
import type { EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import type { Service } from '@shiplog/api/generated/types/core-v1'

export interface TrackedFlow {
  readonly family: 'ipv4' | 'ipv6'
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly destinationPort: number
  /** Who answers: the endpoint, or the address itself where nothing was changed. */
  readonly answerer: string
  readonly answererPort: number
}

/** Lines of /proc/net/nf_conntrack, those of UDP. */
export function readFlows(text: string): TrackedFlow[] {
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/)
    if (words[2] !== 'udp') return []
    const of = (name: string): string[] => words.flatMap((word) => (word.startsWith(`${name}=`) ? [word.slice(name.length + 1)] : []))
    const [sources, destinations, sourcePorts, destinationPorts] = [of('src'), of('dst'), of('sport'), of('dport')]
    if (sources.length < 2 || destinations.length < 2) return []
    return [
      {
        family: words[0] === 'ipv6' ? 'ipv6' : 'ipv4',
        source: canonicalIp(sources[0]!),
        destination: canonicalIp(destinations[0]!),
        sourcePort: Number(sourcePorts[0]),
        destinationPort: Number(destinationPorts[0]),
        answerer: canonicalIp(sources[1]!),
        answererPort: Number(sourcePorts[1]),
      },
    ]
  })
}

/** Where the packets of UDP Services may go now: `address port` of a Service to `address port` of its endpoints. */
export function udpTargets(
  services: Iterable<readonly [service: Service, slices: readonly EndpointSlice[]]>,
  node: ProxiedNode,
): ReadonlyMap<string, ReadonlySet<string>> {
  const targets = new Map<string, Set<string>>()
  for (const [service, slices] of services) {
    if (!isProxied(service)) continue
    for (const port of service.spec?.ports ?? []) {
      if (port.protocol !== 'UDP') continue
      for (const family of ['ip', 'ip6'] as const) {
        const all = endpointsOf(slices, port, family)
        const { cluster, local } = chooseEndpoints(all, node)
        const endpoints = new Set([...cluster, ...local].map((one) => `${one.address} ${one.port}`))
        const addresses = addressesOf(service).filter((address) => address.includes(':') === (family === 'ip6'))
        for (const address of addresses) targets.set(`${address} ${port.port}`, endpoints)
        const own = node.addresses.filter((address) => address.includes(':') === (family === 'ip6'))
        if (port.nodePort) for (const address of own) targets.set(`${address} ${port.nodePort}`, endpoints)
      }
    }
  }
  return targets
}

const addressesOf = ({ spec = {}, status }: Service): string[] =>
  [
    ...(spec.clusterIPs ?? [spec.clusterIP ?? '']),
    ...(spec.externalIPs ?? []),
    ...(status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []),
  ].map(canonicalIp)

/** Flows to a Service that go to nobody who may answer now; where nobody may, those that were changed at all. */
export const staleFlows = (
  flows: readonly TrackedFlow[],
  targets: ReadonlyMap<string, ReadonlySet<string>>,
): TrackedFlow[] =>
  flows.filter((flow) => {
    const endpoints = targets.get(`${flow.destination} ${flow.destinationPort}`)
    if (endpoints === undefined || endpoints.has(`${flow.answerer} ${flow.answererPort}`)) return false
    return endpoints.size > 0 || flow.answerer !== flow.destination
  })
