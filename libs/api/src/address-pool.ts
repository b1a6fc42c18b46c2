// Addresses that may be given away one by one: ranges and spans of both families, as people write them down. Pure.
import { formatIp, type IpAddress, type IpFamily, parseIp, parseIpRange } from './ip-address.ts'

export interface PoolSpan {
  readonly family: IpFamily
  readonly first: bigint
  /** Inside, too. */
  readonly last: bigint
}

/** In the order in which they are given away. */
export type AddressPool = readonly PoolSpan[]

/** Reads `172.30.1.0/24,172.30.2.10-172.30.2.20,fd00::10-fd00::1f`; throws a sentence about what is wrong with it. */
export const parseAddressPool = (text: string): AddressPool => text.split(',').map((part) => parseSpan(part.trim()))

function parseSpan(text: string): PoolSpan {
  const range = parseIpRange(text)
  if (range) return { family: range.family, first: range.network, last: range.network + range.size - 1n }
  const [first, last, ...more] = text.split('-').map((end) => parseIp(end.trim()))
  if (!first || more.length > 0 || (text.includes('-') && !last))
    throw new Error(`${JSON.stringify(text)} is neither a range like 172.30.1.0/24 nor two ends like 172.30.1.10-172.30.1.20`)
  const end = last ?? first
  if (end.family !== first.family) throw new Error(`${JSON.stringify(text)} has ends of different IP families`)
  if (end.value < first.value) throw new Error(`${JSON.stringify(text)} ends before it begins`)
  return { family: first.family, first: first.value, last: end.value }
}

export const isInPool = (pool: AddressPool, { family, value }: IpAddress): boolean =>
  pool.some((span) => span.family === family && value >= span.first && value <= span.last)

/** The first address of a family that nobody has; takes as long as there are taken ones before it. */
export function freeAddress(pool: AddressPool, family: IpFamily, isTaken: (address: string) => boolean): string | undefined {
  for (const span of pool) {
    if (span.family !== family) continue
    for (let value = span.first; value <= span.last; value++) {
      const address = formatIp({ family, value })
      if (!isTaken(address)) return address
    }
  }
  return undefined
}
