// Addresses and ranges of them: Kubernetes' `ip()` and `cidr()`.
import { goQuote } from '@shiplog/api/decode/go-quote'
import { formatIp, parseIp, type IpAddress } from '@shiplog/api/ip-address'
import { EvaluationError, Opaque, type Value } from '../values.ts'
import { held, text, type Functions } from './arguments.ts'

const ipType = 'net.IP'
const cidrType = 'net.CIDR'

/** An address of the range, as it was written, and how many bits all have in common. */
interface Cidr extends IpAddress {
  readonly bits: number
}

const bitsOf = (ip: IpAddress): number => (ip.family === 'IPv4' ? 32 : 128)
const isMapped = (ip: IpAddress): boolean => ip.family === 'IPv6' && ip.value >> 32n === 0xffffn

const readIp = (given: string): IpAddress => {
  const zone = given.indexOf('%')
  if (zone > 0 && parseIp(given.slice(0, zone))?.family === 'IPv6')
    throw new EvaluationError(`IP address ${goQuote(given)} with zone value is not allowed`)
  const ip = parseIp(given)
  if (!ip)
    throw new EvaluationError(
      `IP Address ${goQuote(given)} parse error during conversion from string: ParseAddr(${goQuote(given)}): ${whyNoAddress(given)}`,
    )
  if (isMapped(ip)) throw new EvaluationError(`IPv4-mapped IPv6 address ${goQuote(given)} is not allowed`)
  return ip
}

/** As Go's netip says it, in the cases that people meet. */
const whyNoAddress = (given: string): string => {
  const first = /[.:%]/.exec(given)?.[0]
  if (first === undefined) return 'unable to parse IP'
  if (first === '.') {
    const parts = given.split('.')
    const wrong = given.search(/[^0-9.]/)
    if (wrong >= 0) return `unexpected character (at ${goQuote(given.slice(wrong))})`
    if (parts.some((one) => one.length > 1 && one.startsWith('0'))) return 'IPv4 field has octet with leading zero'
    if (parts.some((one) => Number(one) > 255)) return 'IPv4 field has value >255'
    if (parts.some((one) => one === '')) return `IPv4 field must have at least one digit (at ${goQuote(given.slice(given.search(/\.(?=\.|$)|^\./)))})`
    return parts.length > 4 ? 'IPv4 address too long' : 'IPv4 address too short'
  }
  return 'unable to parse IP'
}

const readCidr = (given: string): Cidr => {
  const [address = '', bits, ...more] = given.split('/')
  const ip = parseIp(address)
  const problem = (detail: string): EvaluationError =>
    new EvaluationError(
      `network address parse error during conversion from string: network address parse error during conversion from string: netip.ParsePrefix(${goQuote(given)}): ${detail}`,
    )
  if (bits === undefined) throw problem("no '/'")
  if (more.length > 0 || !ip) throw problem(`ParseAddr(${goQuote(given.slice(0, given.lastIndexOf('/')))}): ${whyNoAddress(given.slice(0, given.lastIndexOf('/')))}`)
  if (!/^(0|[1-9]\d{0,2})$/.test(bits)) throw problem(`bad bits after slash: ${goQuote(bits)}`)
  if (Number(bits) > bitsOf(ip)) throw problem('prefix length out of range')
  if (isMapped(ip))
    throw new EvaluationError(`network address parse error during conversion from string: IPv4-mapped IPv6 address ${goQuote(given)} is not allowed`)
  return { ...ip, bits: Number(bits) }
}

const masked = (cidr: Cidr): Cidr => {
  const rest = BigInt(bitsOf(cidr) - cidr.bits)
  return { ...cidr, value: (cidr.value >> rest) << rest }
}

const contains = (cidr: Cidr, ip: IpAddress): boolean => {
  const rest = BigInt(bitsOf(cidr) - cidr.bits)
  return cidr.family === ip.family && cidr.value >> rest === ip.value >> rest
}

const ipOf = (value: Value | undefined): IpAddress => (typeof value === 'string' ? readIp(value) : held(value, ipType))
const cidrOf = (value: Value | undefined): Cidr => (typeof value === 'string' ? readCidr(value) : held(value, cidrType))

const cidrText = (cidr: Cidr): string => `${formatIp(cidr)}/${cidr.bits}`

/** The text of an address; undefined of what is none. */
export const addressText = (value: Opaque): string | undefined => {
  if (value.type === ipType) return formatIp(value.held as IpAddress)
  return value.type === cidrType ? cidrText(value.held as Cidr) : undefined
}

const succeeds = (read: () => unknown): boolean => {
  try {
    read()
    return true
  } catch (error) {
    if (error instanceof EvaluationError) return false
    throw error
  }
}

const first = (ip: IpAddress, bits: number): bigint => ip.value >> BigInt(bitsOf(ip) - bits)
const isMulticast = (ip: IpAddress): boolean => (ip.family === 'IPv4' ? first(ip, 4) === 0xen : first(ip, 8) === 0xffn)
const isLoopback = (ip: IpAddress): boolean => (ip.family === 'IPv4' ? first(ip, 8) === 127n : ip.value === 1n)
const isLinkLocal = (ip: IpAddress): boolean => (ip.family === 'IPv4' ? first(ip, 16) === 0xa9fen : first(ip, 10) === 0x3fan)
const isLinkLocalMulticast = (ip: IpAddress): boolean =>
  ip.family === 'IPv4' ? first(ip, 24) === 0xe00000n : first(ip, 16) >> 8n === 0xffn && (first(ip, 16) & 0xfn) === 2n
const isBroadcast = (ip: IpAddress): boolean => ip.family === 'IPv4' && ip.value === 0xffffffffn

export const addressFunctions: Functions = {
  ip: ([value]) =>
    value instanceof Opaque && value.type === cidrType
      ? new Opaque(ipType, { family: (value.held as Cidr).family, value: (value.held as Cidr).value })
      : new Opaque(ipType, readIp(text(value))),
  isIP: ([value]) => succeeds(() => readIp(text(value))),
  'ip.isCanonical': ([value]) => formatIp(readIp(text(value))) === value,
  family: ([value]) => (held<IpAddress>(value, ipType).family === 'IPv4' ? 4n : 6n),
  isUnspecified: ([value]) => held<IpAddress>(value, ipType).value === 0n,
  isLoopback: ([value]) => isLoopback(held(value, ipType)),
  isLinkLocalMulticast: ([value]) => isLinkLocalMulticast(held(value, ipType)),
  isLinkLocalUnicast: ([value]) => isLinkLocal(held(value, ipType)),
  isGlobalUnicast: ([value]) => {
    const ip = held<IpAddress>(value, ipType)
    return ip.value !== 0n && !isBroadcast(ip) && !isLoopback(ip) && !isMulticast(ip) && !isLinkLocal(ip)
  },
  cidr: ([value]) => new Opaque(cidrType, readCidr(text(value))),
  isCIDR: ([value]) => succeeds(() => readCidr(text(value))),
  containsIP: ([value, other]) => contains(held(value, cidrType), ipOf(other)),
  containsCIDR: ([value, other]) => {
    const [outer, inner] = [held<Cidr>(value, cidrType), cidrOf(other)]
    return contains(outer, inner) && outer.bits <= inner.bits
  },
  masked: ([value]) => new Opaque(cidrType, masked(held(value, cidrType))),
  prefixLength: ([value]) => BigInt(held<Cidr>(value, cidrType).bits),
}
