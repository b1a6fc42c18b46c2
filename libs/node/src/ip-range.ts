// Addresses of one node's pod range, handed out round robin so that a freed address is not reused at once.
import { formatIp, parseIp, parseIpRange } from '@shiplog/api/ip-address'

export interface PodRange {
  /** The next free address, or undefined when all are taken. */
  allocate(): string | undefined
  /** Marks an address as taken; one outside the range is ignored. */
  reserve(ip: string): void
  release(ip: string): void
}

/** More addresses than any node has pods: a range of IPv6 is used up to here. */
const offsetMax = 2 ** 32

/** `10.244.1.0/24`: the network, its first address (the gateway) and the broadcast address are never handed out. */
export function createPodRange(cidr: string): PodRange {
  const range = parseIpRange(cidr)
  if (range === undefined || range.size < 4n) throw new Error(`not a range for pods: ${cidr}`)
  const { family, network } = range
  const taken = new Set<number>()
  const last = Math.min(Number(range.size) - 2, offsetMax)
  let next = 2
  const offsetOf = (ip: string): number => {
    const address = parseIp(ip)
    return address?.family === family ? Number(address.value - network) : -1
  }
  return {
    allocate() {
      if (taken.size >= last - 1) return undefined
      while (taken.has(next)) next = next === last ? 2 : next + 1
      taken.add(next)
      const ip = formatIp({ family, value: network + BigInt(next) })
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
