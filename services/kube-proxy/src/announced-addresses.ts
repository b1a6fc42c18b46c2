// Which node answers for an address of a load balancer that comes from a pool: one of those that are ready, and of a Service that
// keeps its traffic on the node one that has an endpoint. All proxies come to the same answer by themselves, and a node that
// comes or goes moves no addresses but its own share. Pure.
import { createHash } from 'node:crypto'
import type { Node, Service } from '@shiplog/api/generated/types/core-v1'
import type { EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import { type AddressPool, isInPool } from '@shiplog/api/address-pool'
import { canonicalIp, parseIp } from '@shiplog/api/ip-address'
import { chooseEndpoints, endpointsOf, isLocalOutside } from './endpoints.ts'

/** By it an autoscaler says that it takes the node away. */
export const toBeDeletedTaint = 'ToBeDeletedByClusterAutoscaler'
/** Upstream's label of nodes that balancers are to leave alone. */
const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers'

/** Whether a node may answer for addresses. */
export const mayAnnounce = ({ metadata, spec, status }: Node): boolean =>
  metadata.deletionTimestamp === undefined &&
  metadata.labels?.[excludeLabel] === undefined &&
  spec?.taints?.some(({ key }) => key === toBeDeletedTaint) !== true &&
  status?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True') === true

export interface AnnounceInput {
  readonly node: string
  /** Names of nodes that may. */
  readonly candidates: readonly string[]
  readonly services: Iterable<readonly [service: Service, slices: readonly EndpointSlice[]]>
  readonly pool: AddressPool
}

export function announcedAddresses({ node, candidates, services, pool }: AnnounceInput): string[] {
  const found: string[] = []
  for (const [service, slices] of services) {
    for (const { ip, ipMode } of service.status?.loadBalancer?.ingress ?? []) {
      const address = parseIp(ip ?? '')
      if (address === undefined || ipMode === 'Proxy' || !isInPool(pool, address)) continue
      const able = isLocalOutside(service) ? candidates.filter((name) => hasEndpoint(service, slices, name)) : candidates
      if (chosenOf(able, canonicalIp(ip!)) === node) found.push(canonicalIp(ip!))
    }
  }
  return [...new Set(found)].sort()
}

const hasEndpoint = ({ spec }: Service, slices: readonly EndpointSlice[], name: string): boolean =>
  (spec?.ports ?? []).some((port) =>
    (['ip', 'ip6'] as const).some((family) => chooseEndpoints(endpointsOf(slices, port, family), { name, zone: undefined }).local.length > 0),
  )

/** The highest draw wins (rendezvous hashing). */
function chosenOf(names: readonly string[], address: string): string | undefined {
  const draw = (name: string): string => createHash('sha256').update(`${address} ${name}`).digest('hex')
  return [...names].sort((one, other) => (draw(one) < draw(other) ? 1 : -1))[0]
}
