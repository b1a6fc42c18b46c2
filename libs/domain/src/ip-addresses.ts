// Addresses and ranges of addresses as upstream reads them: leniently, so that it can say what is wrong with a text that
// some programs take, and in the one form in which it would write them.
import { invalidValue } from '@shiplog/api/field-errors'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { StatusCause } from '@shiplog/api/status'

/** What is wrong with a text that is no address. */
export const ipSentence = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
/** What is wrong with a text that is no range. */
export const cidrSentence = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'

export interface IpAddress {
  readonly family: 'IPv4' | 'IPv6'
  /** Sixteen bytes; an IPv4 address is mapped into IPv6. */
  readonly bytes: readonly number[]
  /** Octets begin with zeros: octal to some programs, decimal to others. */
  readonly leadingZeros: boolean
  /** IPv4 written as IPv6: `::ffff:1.2.3.4`. */
  readonly mapped: boolean
}

const mappedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]

const ipv4Bytes = (text: string): { bytes: number[]; leadingZeros: boolean } | undefined => {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^\d+$/.test(part) && Number(part) <= 255)) return undefined
  return { bytes: parts.map(Number), leadingZeros: parts.some((part) => part.length > 1 && part.startsWith('0')) }
}

/** The groups of one side of `::`, as bytes; the last may be an IPv4 address. */
const groupBytes = (text: string): number[] | undefined => {
  if (text === '') return []
  const bytes: number[] = []
  const groups = text.split(':')
  for (const [index, group] of groups.entries()) {
    const tail = index === groups.length - 1 && group.includes('.') ? ipv4Bytes(group) : undefined
    if (tail && !tail.leadingZeros) bytes.push(...tail.bytes)
    else if (/^[0-9a-fA-F]{1,4}$/.test(group)) bytes.push(Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255)
    else return undefined
  }
  return bytes
}

/** An address, however sloppily written; undefined when it is none. */
export const parseIp = (text: string): IpAddress | undefined => {
  const short = ipv4Bytes(text)
  if (short)
    return { family: 'IPv4', bytes: [...mappedPrefix, ...short.bytes], leadingZeros: short.leadingZeros, mapped: false }
  if (!text.includes(':')) return undefined
  const halves = text.split('::')
  const [head, tail] = [groupBytes(halves[0]!), halves.length === 2 ? groupBytes(halves[1]!) : []]
  if (halves.length > 2 || !head || !tail) return undefined
  const missing = 16 - head.length - tail.length
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined
  const bytes = [...head, ...Array<number>(Math.max(0, missing)).fill(0), ...tail]
  const mapped = mappedPrefix.every((byte, index) => bytes[index] === byte)
  return { family: mapped ? 'IPv4' : 'IPv6', bytes, leadingZeros: false, mapped }
}

/** The longest run of two or more zero groups is left out: RFC 5952. */
const ipv6Text = (bytes: readonly number[]): string => {
  const groups = Array.from({ length: 8 }, (_, index) => bytes[2 * index]! * 256 + bytes[2 * index + 1]!)
  let [start, length] = [-1, 1]
  for (let from = 0; from < 8; from++) {
    let to = from
    while (to < 8 && groups[to] === 0) to++
    if (to - from > length) [start, length] = [from, to - from]
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':')
  return start < 0 ? text(groups) : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`
}

/** The one form of an address. */
export const ipText = ({ family, bytes }: Pick<IpAddress, 'family' | 'bytes'>): string =>
  family === 'IPv4' ? bytes.slice(12).join('.') : ipv6Text(bytes)

export interface Cidr {
  readonly address: IpAddress
  /** Of the address as its family counts them. */
  readonly bits: number
  /** The first address of the range. */
  readonly network: readonly number[]
  readonly leadingZeros: boolean
}

const networkOf = (bytes: readonly number[], bits: number): number[] =>
  bytes.map((byte, index) => byte & ((0xff_00 >> Math.min(8, Math.max(0, bits - index * 8))) & 0xff))

/** A range, however sloppily written; undefined when it is none. */
export const parseCidr = (text: string): Cidr | undefined => {
  const slash = text.indexOf('/')
  const address = slash < 0 ? undefined : parseIp(text.slice(0, slash))
  const length = text.slice(slash + 1)
  if (!address || !/^\d+$/.test(length)) return undefined
  const bits = Number(length)
  const asIpv4 = address.family === 'IPv4' && !address.mapped
  if (bits > (asIpv4 ? 32 : 128)) return undefined
  const leadingZeros = address.leadingZeros || (length.length > 1 && length.startsWith('0'))
  return { address, bits, network: networkOf(address.bytes, asIpv4 ? 96 + bits : bits), leadingZeros }
}

/** The one form of a range: of its first address. */
export const cidrText = ({ address, bits, network }: Cidr): string => {
  const family = address.mapped && bits < 96 ? 'IPv6' : address.family
  return `${ipText({ family, bytes: network })}/${address.mapped && bits >= 96 ? bits - 96 : bits}`
}

/** Whether a range lies in another and is smaller: `except` of a network policy. */
export const isStrictlyInside = (inner: Cidr, outer: Cidr): boolean => {
  const size = (cidr: Cidr): number => (cidr.address.family === 'IPv4' && !cidr.address.mapped ? 96 : 0) + cidr.bits
  if (inner.address.family !== outer.address.family || size(inner) <= size(outer)) return false
  return networkOf(inner.network, size(outer)).every((byte, index) => byte === outer.network[index])
}

/** What is wrong with an address in a field that has always taken addresses in any form; what was there before may stay. */
export const validateLegacyIp = (value: unknown, field: string, before: readonly string[] = []): StatusCause[] => {
  const text = String(value ?? '')
  if (before.includes(text)) return []
  const address = parseIp(text)
  if (!address) return [invalidValue(field, text, ipSentence)]
  if (address.leadingZeros) return [invalidValue(field, text, 'must not have leading 0s')]
  return address.mapped ? [invalidValue(field, text, 'must not be an IPv4-mapped IPv6 address')] : []
}

/** What is wrong with an address in a field that takes the one form only. */
export const validateIp = (value: unknown, field: string): StatusCause[] => {
  const text = String(value ?? '')
  const causes = validateLegacyIp(text, field)
  const address = parseIp(text)
  if (causes.length > 0 || !address || ipText(address) === text) return causes
  return [invalidValue(field, text, `must be in canonical form (${goQuote(ipText(address))})`)]
}

export const validateLegacyCidr = (value: unknown, field: string, before: readonly string[] = []): StatusCause[] => {
  const text = String(value ?? '')
  if (before.includes(text)) return []
  const cidr = parseCidr(text)
  if (!cidr) return [invalidValue(field, text, cidrSentence)]
  if (cidr.leadingZeros) return [invalidValue(field, text, 'must not have leading 0s in IP or prefix length')]
  if (cidr.address.mapped) return [invalidValue(field, text, 'must not have an IPv4-mapped IPv6 address')]
  return cidr.network.every((byte, index) => byte === cidr.address.bytes[index])
    ? []
    : [invalidValue(field, text, 'must not have bits set beyond the prefix length')]
}

export const validateCidr = (value: unknown, field: string): StatusCause[] => {
  const text = String(value ?? '')
  const causes = validateLegacyCidr(text, field)
  const cidr = parseCidr(text)
  if (causes.length > 0 || !cidr || cidrText(cidr) === text) return causes
  return [invalidValue(field, text, `must be in canonical form (${goQuote(cidrText(cidr))})`)]
}

/** What to tell of an address that is right, but not in the one form. */
export const ipWarnings = (value: unknown, field: string): string[] => {
  const text = String(value ?? '')
  const address = parseIp(text)
  if (!address) return []
  const form = goQuote(ipText(address))
  if (address.leadingZeros || address.mapped)
    return [`${field}: non-standard IP address ${goQuote(text)} is invalid: use ${form}`]
  return address.family === 'IPv6' && ipText(address) !== text
    ? [`${field}: IPv6 address ${goQuote(text)} should be in RFC 5952 canonical format (${form})`]
    : []
}

export const cidrWarnings = (value: unknown, field: string): string[] => {
  const text = String(value ?? '')
  const cidr = parseCidr(text)
  if (!cidr) return []
  const [shown, form] = [goQuote(text), goQuote(cidrText(cidr))]
  const warnings: string[] = []
  if (!cidr.network.every((byte, index) => byte === cidr.address.bytes[index])) {
    const one = goQuote(`${ipText(cidr.address)}/${cidr.address.family === 'IPv4' ? 32 : 128}`)
    warnings.push(`${field}: CIDR value ${shown} is ambiguous in this context (should be ${form} or ${one}?)`)
  }
  if (cidr.leadingZeros || cidr.address.mapped)
    warnings.push(`${field}: non-standard CIDR value ${shown} is invalid: use ${form}`)
  if (warnings.length === 0 && cidr.address.family === 'IPv6' && cidrText(cidr) !== text)
    warnings.push(`${field}: IPv6 CIDR value ${shown} should be in RFC 5952 canonical format (${form})`)
  return warnings
}

/** One address of each family, at most: what a pod or a host may have. */
export const isDualStack = (addresses: readonly string[]): boolean => {
  const families = addresses.map((address) => parseIp(address)?.family)
  return families.includes('IPv4') && families.includes('IPv6')
}

/** Addresses that traffic cannot come to from outside. */
export const validateReachable = (address: string, field: string): StatusCause[] => {
  const { bytes, family } = parseIp(address)!
  const [first, second, third] = family === 'IPv4' ? bytes.slice(12) : bytes
  const wrong = (detail: string): StatusCause[] => [invalidValue(field, address, detail)]
  if (family === 'IPv4' ? bytes.slice(12).every((byte) => byte === 0) : bytes.every((byte) => byte === 0))
    return wrong(`may not be unspecified (${address})`)
  if (family === 'IPv4' ? first === 127 : bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1)
    return wrong('may not be in the loopback range (127.0.0.0/8, ::1/128)')
  if (family === 'IPv4' ? first === 169 && second === 254 : first === 0xfe && (second! & 0xc0) === 0x80)
    return wrong('may not be in the link-local range (169.254.0.0/16, fe80::/10)')
  if (family === 'IPv4' ? first === 224 && second === 0 && third === 0 : first === 0xff && (second! & 0x0f) === 2)
    return wrong('may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)')
  return []
}
