// Addresses and ranges of both families as numbers, and back in the one spelling that RFC 5952 allows. Pure.

export type IpFamily = 'IPv4' | 'IPv6'

export interface IpAddress {
  readonly family: IpFamily
  readonly value: bigint
}

/** All addresses that begin with the same `bits` bits. */
export interface IpRange {
  readonly family: IpFamily
  /** The first address, all bits after the prefix being 0. */
  readonly network: bigint
  readonly bits: number
  readonly size: bigint
}

const bitsOf = { IPv4: 32, IPv6: 128 } as const
const groupsOfIpv6 = 8

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0n
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    value = value * 256n + BigInt(part)
  }
  return value
}

/** The 16-bit groups of a part of an IPv6 address; the end of the whole may be an IPv4 address. */
function groupsOf(text: string, isEnd: boolean): readonly bigint[] | undefined {
  if (text === '') return []
  const groups: bigint[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    const ipv4 = isEnd && index === parts.length - 1 ? parseIpv4(part) : undefined
    if (ipv4 !== undefined) groups.push(ipv4 >> 16n, ipv4 & 0xffffn)
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(BigInt(`0x${part}`))
    else return undefined
  }
  return groups
}

function parseIpv6(text: string): bigint | undefined {
  const [head = '', tail, ...more] = text.split('::')
  if (more.length > 0) return undefined
  const [before, after] = [groupsOf(head, tail === undefined), groupsOf(tail ?? '', true)]
  if (!before || !after) return undefined
  const missing = groupsOfIpv6 - before.length - after.length
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined
  const groups = [...before, ...Array.from({ length: missing }, () => 0n), ...after]
  return groups.reduce((value, group) => value * 65_536n + group, 0n)
}

/** `10.0.0.1`, `fd00::1`; undefined for anything else, also for IPv4 parts with leading zeros. */
export function parseIp(text: string): IpAddress | undefined {
  const family = text.includes(':') ? 'IPv6' : 'IPv4'
  const value = family === 'IPv6' ? parseIpv6(text) : parseIpv4(text)
  return value === undefined ? undefined : { family, value }
}

/** Where the first of the longest runs of zero groups is, when it is worth two colons. */
function longestZeros(groups: readonly bigint[]): { readonly at: number; readonly length: number } | undefined {
  let best: { at: number; length: number } | undefined
  for (let at = 0; at < groups.length; at++) {
    let length = 0
    while (groups[at + length] === 0n) length++
    if (length > (best?.length ?? 1)) best = { at, length }
  }
  return best
}

/** The canonical spelling. */
export function formatIp({ family, value }: IpAddress): string {
  if (family === 'IPv4') return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.')
  const groups = Array.from({ length: groupsOfIpv6 }, (_, index) => (value >> BigInt(112 - 16 * index)) & 0xffffn)
  const text = (some: readonly bigint[]): string => some.map((group) => group.toString(16)).join(':')
  const zeros = longestZeros(groups)
  if (!zeros) return text(groups)
  return `${text(groups.slice(0, zeros.at))}::${text(groups.slice(zeros.at + zeros.length))}`
}

/** The same address in its canonical spelling; what is none stays as it is. */
export function canonicalIp(text: string): string {
  const address = parseIp(text)
  return address ? formatIp(address) : text
}

/** The family of what looks like an address; upstream decides by the colon, too. */
export const familyOfIp = (text: string): IpFamily => (text.includes(':') ? 'IPv6' : 'IPv4')

/** `10.96.0.0/12`, `fd00:10:96::/112`; undefined for anything else. Bits after the prefix are cleared. */
export function parseIpRange(text: string): IpRange | undefined {
  const [address = '', digits = '', ...more] = text.split('/')
  const ip = parseIp(address)
  if (!ip || more.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined
  const bits = Number(digits)
  if (bits > bitsOf[ip.family]) return undefined
  const size = 1n << BigInt(bitsOf[ip.family] - bits)
  return { family: ip.family, network: ip.value - (ip.value % size), bits, size }
}

export const formatIpRange = ({ family, network, bits }: IpRange): string =>
  `${formatIp({ family, value: network })}/${bits}`

export const isInRange = ({ family, network, size }: IpRange, ip: IpAddress): boolean =>
  ip.family === family && ip.value >= network && ip.value < network + size

/** Part `index` of a range that is cut into parts of `bits` bits, counted from the end when negative; undefined past its end. */
export function partOfRange(range: IpRange, bits: number, index: number): IpRange | undefined {
  if (bits < range.bits) return undefined
  const size = 1n << BigInt(bitsOf[range.family] - bits)
  const count = range.size / size
  const at = index < 0 ? count + BigInt(index) : BigInt(index)
  if (at < 0n || at >= count) return undefined
  return { family: range.family, network: range.network + at * size, bits, size }
}

/** One range, or two of different families: the first is the family of whoever does not say. */
export type IpRanges = readonly [IpRange] | readonly [IpRange, IpRange]

/** Reads `10.96.0.0/12,fd00:10:96::/112`; throws a sentence about what is wrong with it. */
export function parseIpRanges(text: string): IpRanges {
  const [first, second, ...more] = text.split(',').map((part) => {
    const range = parseIpRange(part.trim())
    if (!range) throw new Error(`${JSON.stringify(part)} is no range like 10.0.0.0/8 or fd00::/64`)
    return range
  })
  if (more.length > 0) throw new Error('one range, or one of each family')
  if (!second) return [first!]
  if (first!.family === second.family) throw new Error('two ranges must be of different IP families')
  return [first!, second]
}
