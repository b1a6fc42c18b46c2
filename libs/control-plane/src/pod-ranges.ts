// Which addresses the pods and the machine of each node have: parts of the cluster's pod ranges, one of each family.
import {
  formatIp,
  formatIpRange,
  type IpFamily,
  type IpRange,
  type IpRanges,
  parseIp,
  parseIpRange,
  partOfRange,
} from '@shiplog/api/ip-address'

/** Without an option: 10.244 to 10.255, then 10.112 to 10.243, a /16 each. */
const podOctet = (block: number): number => (block < 12 ? 244 + block : 100 + block)
const podOctetsMax = 144
/** Kept away from simulated nodes, whatever their number. */
const machineRanges = { controlPlane: '10.111.255.0/24', process: '10.111.254.0/24' } as const

/** Upstream's --node-cidr-mask-size-ipv4 and -ipv6. */
const [nodeBitsIpv4, nodeBitsIpv6] = [24, 64]
/** A range of IPv6 that is smaller than two such parts is cut into 65,536, as kubeadm does. */
const [smallRangeBits, smallPartBits, smallPartBitsMax] = [62, 16, 120]
const firstAddresses: Readonly<Record<IpFamily, string>> = { IPv4: '172.18.0.2', IPv6: 'fd00:172:18::2' }

/** The prefix of a node's part of IPv4: a /24, or as much larger as its number of pods asks for. */
function bitsForPods(pods: number): number {
  let bits = nodeBitsIpv4
  while (bits > 16 && 2 ** (32 - bits) - 3 < pods) bits--
  return bits
}

const bitsIn = ({ family, bits }: IpRange, pods: number): number => {
  if (family === 'IPv4') return bitsForPods(pods)
  return bits <= smallRangeBits ? nodeBitsIpv6 : Math.min(bits + smallPartBits, smallPartBitsMax)
}

const noneLeft = (index: number): Error =>
  new Error(`no pod addresses left for node ${index}: ask for fewer nodes, fewer pods a node or larger pod ranges`)

/** The part of node `index` where no ranges were asked for. */
function defaultPart(index: number, pods: number): string {
  const bits = bitsForPods(pods)
  const offset = index * 2 ** (32 - bits)
  const block = Math.floor(offset / 65_536)
  if (block >= podOctetsMax) throw noneLeft(index)
  const { network } = parseIpRange(`10.${podOctet(block)}.0.0/16`)!
  return `${formatIp({ family: 'IPv4', value: network + BigInt(offset % 65_536) })}/${bits}`
}

/** The last parts of a range are those of the machine's own nodes. */
const machinePart = (range: IpRange, place: -1 | -2): IpRange | undefined => partOfRange(range, bitsIn(range, 0), place)

/** The pod ranges of the simulated node with this index, the primary family first. */
export function podRangesOf(index: number, pods: number, ranges?: IpRanges): readonly string[] {
  if (!ranges) return [defaultPart(index, pods)]
  return ranges.map((range) => {
    const part = partOfRange(range, bitsIn(range, pods), index)
    const reserved = machinePart(range, -2)
    if (!part || !reserved || part.network + part.size > reserved.network) throw noneLeft(index)
    return formatIpRange(part)
  })
}

/** The pod ranges of a node that stands for this machine. */
export function machinePodRanges(which: 'controlPlane' | 'process', ranges?: IpRanges): readonly string[] {
  if (!ranges) return [machineRanges[which]]
  return ranges.map((range) => {
    const part = machinePart(range, which === 'controlPlane' ? -1 : -2)
    if (!part) throw new Error(`${formatIpRange(range)} is too small for the pods of two nodes`)
    return formatIpRange(part)
  })
}

/** The addresses of the simulated node with this index: of the families that its pods have. */
export const simulatedAddresses = (index: number, ranges?: IpRanges): readonly string[] =>
  (ranges ?? [{ family: 'IPv4' as const }]).map(({ family }) =>
    formatIp({ family, value: parseIp(firstAddresses[family])!.value + BigInt(index) }),
  )

/** Gives ranges to nodes that did not bring any. */
export interface PodRangePool {
  /** A range of each family, the primary one first, that no node has; undefined when none is left. */
  next(): readonly string[] | undefined
}

/**
 * What is free beside `taken`. It gives from the end: nodes that say by their number which part is theirs take them from the
 * beginning.
 */
export function createPodRangePool(taken: readonly IpRange[], ranges?: IpRanges): PodRangePool {
  // The last two parts of a range that was asked for are the machine's own.
  const families = ranges ? ranges.map((range) => partsFromTheEnd(range, bitsIn(range, 0), 2)) : [defaultPartsFromTheEnd()]
  return {
    next() {
      const found = families.map((parts) => {
        // Each part is looked at once.
        for (let { value, done } = parts.next(); !done; { value, done } = parts.next())
          if (!taken.some((one) => overlaps(one, value))) return formatIpRange(value)
        return undefined
      })
      return found.every((one) => one !== undefined) ? found : undefined
    },
  }
}

const overlaps = (a: IpRange, b: IpRange): boolean =>
  a.family === b.family && a.network < b.network + b.size && b.network < a.network + a.size

/** The parts of a range from the end, without the last `reserved`. */
function* partsFromTheEnd(range: IpRange, bits: number, reserved: number): Generator<IpRange> {
  for (let place = -1 - reserved; ; place -= 1) {
    const part = partOfRange(range, bits, place)
    if (!part) return
    yield part
  }
}

function* defaultPartsFromTheEnd(): Generator<IpRange> {
  for (let block = podOctetsMax - 1; block >= 0; block--) {
    yield* partsFromTheEnd(parseIpRange(`10.${podOctet(block)}.0.0/16`)!, nodeBitsIpv4, 0)
  }
}
