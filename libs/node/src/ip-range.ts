// Addresses of one node's pod range, handed out round robin so that a freed address is not reused at once.

export interface IpRange {
  /** The next free address, or undefined when all are taken. */
  allocate(): string | undefined
  /** Marks an address as taken; one outside the range is ignored. */
  reserve(ip: string): void
  release(ip: string): void
}

export const parseIpv4 = (ip: string): number =>
  ip.split('.').reduce((value, octet) => value * 256 + Number.parseInt(octet, 10), 0)

export const formatIpv4 = (value: number): string =>
  `${Math.floor(value / 0x1000000) % 256}.${Math.floor(value / 0x10000) % 256}.${Math.floor(value / 256) % 256}.${value % 256}`

/** `10.244.1.0/24`: the network, its first address (the gateway) and the broadcast address are never handed out. */
export function createIpRange(cidr: string): IpRange {
  const [network = '', bits = ''] = cidr.split('/')
  const size = 2 ** (32 - Number(bits))
  const base = parseIpv4(network)
  if (!Number.isInteger(size) || size < 4 || Number.isNaN(base)) throw new Error(`not an IPv4 range: ${cidr}`)
  const taken = new Set<number>()
  const last = size - 2
  let next = 2
  const offsetOf = (ip: string): number => parseIpv4(ip) - base
  return {
    allocate() {
      if (taken.size >= last - 1) return undefined
      while (taken.has(next)) next = next === last ? 2 : next + 1
      taken.add(next)
      const ip = formatIpv4(base + next)
      next = next === last ? 2 : next + 1
      return ip
    },
    reserve(ip) {
      const offset = offsetOf(ip)
      if (offset >= 2 && offset <= last) taken.add(offset)
    },
    release(ip) {
      taken.delete(offsetOf(ip))
    },
  }
}
