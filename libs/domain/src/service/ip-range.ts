// The ranges that cluster IPs come from and the range that node ports come from, and a choice in them that depends on
// nothing but what is held and one seeded integer.
import { canonicalIp, formatIp, type IpRange, type IpRanges, parseIpRanges } from '@shiplog/api/ip-address'
import type { Allocations, DecisionContext } from '../strategy.ts'

/** `10.96.0.0/12`, upstream's usual service range. */
export const defaultServiceRanges = parseIpRanges('10.96.0.0/12')

/** Upstream's limits: an allocator of fewer addresses is of no use, one of more than 2^64 cannot count them. */
const [rangeSizeMin, rangeSizeMax] = [8n, 2n ** 64n]

/** Reads the option of a cluster's service ranges; throws a sentence about what is wrong with it. */
export function parseServiceRanges(text: string): IpRanges {
  const ranges = parseIpRanges(text)
  for (const { size } of ranges) {
    if (size < rangeSizeMin) throw new Error(`a range of services has at least ${rangeSizeMin} addresses`)
    if (size > rangeSizeMax) throw new Error('a range of services is too large: the mask of IPv6 must be >= 64')
  }
  return ranges
}

const addressOf = (range: IpRange, offset: bigint): string =>
  formatIp({ family: range.family, value: range.network + offset })

/** The address of service default/kubernetes: the first of the primary range. */
export const kubernetesServiceIp = ([primary]: IpRanges): string => addressOf(primary, 1n)

export const nodePortMin = 30_000
export const nodePortMax = 32_767

const staticBandPorts = 86
/** Places at which a search may begin: a range of IPv6 has more addresses than a number can count. */
const candidatesMax = 2n ** 40n

/** Guard of an address, however it is spelled. */
export const clusterIpKey = (address: string): string => `clusterip/${canonicalIp(address)}`
/** Guard of a node port. */
export const nodePortKey = (protocol: string, port: number): string => `nodeport/${protocol}/${port}`

/** The offsets of a range's addresses that services may have: not the network's own, nor an IPv4 broadcast. */
const usable = ({ family, size }: IpRange): { readonly first: bigint; readonly last: bigint } => ({
  first: 1n,
  last: family === 'IPv4' ? size - 2n : size - 1n,
})

/** Whether an address of the range is one that services may have. */
export const isUsable = (range: IpRange, value: bigint): boolean => {
  const { first, last } = usable(range)
  const offset = value - range.network
  return offset >= first && offset <= last
}

/** Lowest offsets are left for addresses that people choose by hand: upstream's `min(max(16, size / 16), 256)`. */
const staticBand = (size: bigint): bigint => {
  if (size <= 16n) return 0n
  const step = size / 16n
  return step < 16n ? 16n : step > 256n ? 256n : step
}

/** The first of `count` numbers from `low` that is free, beginning at a seeded place; undefined when none is. */
const firstFree = (
  low: number,
  count: number,
  context: DecisionContext,
  free: (candidate: number) => boolean,
): number | undefined => {
  const start = context.integer(count)
  for (let step = 0; step < count; step += 1) {
    const candidate = low + ((start + step) % count)
    if (free(candidate)) return candidate
  }
  return undefined
}

/** A free address of the range, or undefined when it is full. `isReserved` addresses are for somebody else. */
export const chooseClusterIp = (
  range: IpRange,
  held: Allocations,
  context: DecisionContext,
  isReserved: (address: string) => boolean,
): string | undefined => {
  const { first, last } = usable(range)
  const band = staticBand(range.size)
  const search = (from: bigint, to: bigint): string | undefined => {
    const count = to - from + 1n < candidatesMax ? to - from + 1n : candidatesMax
    if (count <= 0n) return undefined
    const chosen = firstFree(0, Number(count), context, (candidate) => {
      const address = addressOf(range, from + BigInt(candidate))
      return !isReserved(address) && held.holder(clusterIpKey(address)) === undefined
    })
    return chosen === undefined ? undefined : addressOf(range, from + BigInt(chosen))
  }
  return search(first + band, last) ?? search(first, first + band - 1n)
}

/** A node port that is free for all of `protocols`, or undefined when the range is full. */
export const chooseNodePort = (
  held: Allocations,
  context: DecisionContext,
  protocols: readonly string[],
  taken: ReadonlySet<string>,
): number | undefined => {
  const free = (port: number): boolean =>
    protocols.every((protocol) => {
      const key = nodePortKey(protocol, port)
      return !taken.has(key) && held.holder(key) === undefined
    })
  const low = nodePortMin + staticBandPorts
  return firstFree(low, nodePortMax - low + 1, context, free) ?? firstFree(nodePortMin, staticBandPorts, context, free)
}
