// The range that cluster IPs come from and the range that node ports come from, and a choice in them that depends on
// nothing but what is held and one seeded integer.
import type { Allocations, DecisionContext } from '../strategy.ts'

/** `10.96.0.0/12`, upstream's usual service range. */
export const serviceCidr = '10.96.0.0/12'
/** The address of service default/kubernetes. */
export const kubernetesServiceIp = '10.96.0.1'
export const nodePortMin = 30_000
export const nodePortMax = 32_767

const networkStart = 0x0a60_0000
const networkAddresses = 2 ** 20
/** Lowest offsets are left for addresses that people choose by hand, as upstream's bands do. */
const staticBandAddresses = 256
const staticBandPorts = 86

/** Guard of an address. */
export const clusterIpKey = (address: string): string => `clusterip/${address}`
/** Guard of a node port. */
export const nodePortKey = (protocol: string, port: number): string => `nodeport/${protocol}/${port}`

const numberOfIpv4 = (address: string): number | undefined => {
  const parts = address.split('.')
  if (parts.length !== 4) return undefined
  let value = 0
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    value = value * 256 + Number(part)
  }
  return value
}

const ipv4OfNumber = (value: number): string =>
  [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.')

/** Whether the text is an IPv4 address in canonical form. */
export const isIpv4 = (address: string): boolean => numberOfIpv4(address) !== undefined

/** Whether the text may be an IPv6 address. */
export const isIpv6 = (address: string): boolean =>
  address.includes(':') && /^[0-9a-fA-F:.]+$/.test(address) && address.split('::').length <= 2

/** Whether the text is a range of addresses: `10.0.0.0/8`. */
export const isCidr = (text: string): boolean => {
  const [address = '', bits = '', ...more] = text.split('/')
  if (more.length > 0 || !/^\d{1,3}$/.test(bits)) return false
  return isIpv4(address) ? Number(bits) <= 32 : isIpv6(address) && Number(bits) <= 128
}

/** What is wrong with a text that is no range. */
export const cidrSentence = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'
/** What is wrong with a text that is no address. */
export const ipSentence = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'

/** Whether an address is one that services may have: inside the range, neither its first nor its last. */
export const inServiceRange = (address: string): boolean => {
  const value = numberOfIpv4(address)
  return value !== undefined && value > networkStart && value < networkStart + networkAddresses - 1
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

/** A free cluster IP, or undefined when the range is full. */
export const chooseClusterIp = (held: Allocations, context: DecisionContext): string | undefined => {
  const free = (value: number): boolean => {
    const address = ipv4OfNumber(value)
    return address !== kubernetesServiceIp && held.holder(clusterIpKey(address)) === undefined
  }
  const low = networkStart + staticBandAddresses + 1
  const chosen =
    firstFree(low, networkAddresses - staticBandAddresses - 2, context, free) ??
    firstFree(networkStart + 1, staticBandAddresses, context, free)
  return chosen === undefined ? undefined : ipv4OfNumber(chosen)
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
