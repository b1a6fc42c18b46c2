// Which Service of type LoadBalancer has which addresses of the pool, all of them decided at once: who has one keeps it, the
// older one where two have the same, and whoever has none gets the first that is free. Pure.
import type { Service } from '@shiplog/api/generated/types/core-v1'
import { type AddressPool, freeAddress, isInPool } from '@shiplog/api/address-pool'
import { canonicalIp, familyOfIp, type IpFamily, parseIp } from '@shiplog/api/ip-address'

/** Services that name a class are somebody else's, but for this one. */
export const poolClass = 'shiplog.dev/pool'

export interface Assigned {
  readonly service: Service
  readonly addresses: readonly string[]
  /** Why it has fewer than it asked for. */
  readonly problem?: string
}

export const isBalanced = ({ spec = {}, metadata }: Service): boolean =>
  spec.type === 'LoadBalancer' &&
  (spec.loadBalancerClass === undefined || spec.loadBalancerClass === poolClass) &&
  metadata.deletionTimestamp === undefined

export const addressesOf = ({ status }: Service): string[] =>
  (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [canonicalIp(ip)] : []))

const nameOf = ({ metadata }: Service): string => `${metadata.namespace}/${metadata.name}`

const byAge = (one: Service, other: Service): number => {
  const [left, right] = [one, other].map(({ metadata }) => `${metadata.creationTimestamp ?? ''} ${metadata.uid}`)
  return left! < right! ? -1 : 1
}

export function assignAddresses(services: Iterable<Service>, pool: AddressPool): readonly Assigned[] {
  const all = [...services].sort(byAge)
  const ours = all.filter(isBalanced)
  /** Address to whoever has it. */
  const taken = new Map<string, string>()
  for (const service of all) {
    const own = isBalanced(service) ? [] : service.spec?.type === 'LoadBalancer' ? addressesOf(service) : []
    for (const address of [...own, ...(service.spec?.externalIPs ?? []).map(canonicalIp)]) taken.set(address, nameOf(service))
  }
  const kept = new Map(ours.map((service) => [service, keep(service, pool, taken)]))
  return ours.map((service) => complete(service, kept.get(service)!, pool, taken))
}

/** What it has already and may keep, by family. */
function keep(service: Service, pool: AddressPool, taken: Map<string, string>): Map<IpFamily, string> {
  const mine = new Map<IpFamily, string>()
  const wish = wishOf(service)
  for (const address of addressesOf(service)) {
    const family = familyOfIp(address)
    if (mine.has(family) || taken.has(address) || !isInPool(pool, parseIp(address)!) || !familiesOf(service).includes(family)) continue
    if (wish !== undefined && familyOfIp(wish) === family && wish !== address) continue
    mine.set(family, address)
    taken.set(address, nameOf(service))
  }
  return mine
}

function complete(service: Service, mine: Map<IpFamily, string>, pool: AddressPool, taken: Map<string, string>): Assigned {
  const problems: string[] = []
  const families = familiesOf(service)
  for (const family of families) {
    if (mine.has(family)) continue
    const found = choose(service, family, pool, taken)
    if ('problem' in found) problems.push(found.problem)
    else {
      mine.set(family, found.address)
      taken.set(found.address, nameOf(service))
    }
  }
  const addresses = families.flatMap((family) => mine.get(family) ?? [])
  // One that prefers both families is content with one.
  const isContent = addresses.length > 0 && service.spec?.ipFamilyPolicy === 'PreferDualStack'
  return { service, addresses, ...(problems.length > 0 && !isContent ? { problem: problems.join('; ') } : {}) }
}

function choose(
  service: Service,
  family: IpFamily,
  pool: AddressPool,
  taken: ReadonlyMap<string, string>,
): { readonly address: string } | { readonly problem: string } {
  const wish = wishOf(service)
  if (wish !== undefined && familyOfIp(wish) === family) {
    const ip = parseIp(wish)
    if (!ip || !isInPool(pool, ip)) return { problem: `requested address ${wish} is not in the pool` }
    const holder = taken.get(wish)
    return holder === undefined ? { address: wish } : { problem: `requested address ${wish} is taken by service ${holder}` }
  }
  const address = freeAddress(pool, family, (one) => taken.has(one))
  return address === undefined ? { problem: `no ${family} address left in the pool` } : { address }
}

const wishOf = ({ spec }: Service): string | undefined => (spec?.loadBalancerIP ? canonicalIp(spec.loadBalancerIP) : undefined)

const familiesOf = ({ spec = {} }: Service): readonly IpFamily[] =>
  spec.ipFamilies?.length ? (spec.ipFamilies as readonly IpFamily[]) : [familyOfIp(spec.clusterIP ?? '')]
