// Cluster IPs and node ports: chosen here when the service does not name them, held by guards of the log so that no two
// services ever have the same, given back when the type changes or the service goes.
import { invalidValue } from '@shiplog/api/field-errors'
import {
  canonicalIp,
  familyOfIp,
  formatIpRange,
  type IpFamily,
  type IpRanges,
  isInRange,
  parseIp,
} from '@shiplog/api/ip-address'
import type { Service, ServiceSpec } from '@shiplog/api/generated/types/core-v1'
import { ApiError, internalError, invalid, type StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { items } from '../fields.ts'
import type { AllocationChange, Allocations, DecisionContext } from '../strategy.ts'
import {
  chooseClusterIp,
  chooseNodePort,
  clusterIpKey,
  defaultServiceRanges,
  isUsable,
  kubernetesServiceIp,
  nodePortKey,
  nodePortMax,
  nodePortMin,
} from './ip-range.ts'
import { mayHaveNodePorts, needsClusterIp, needsHealthCheckPort, needsNodePorts } from './service-defaults.ts'
import { initIpFamilies } from './service-families.ts'
import { nodePortRangeSentence } from './service-validation.ts'

const keysOf = (service: Draft<Service> | undefined): string[] => {
  const spec = service?.spec
  if (!spec || spec.type === 'ExternalName') return []
  const keys = new Set<string>()
  for (const address of items(spec.clusterIPs)) if (address && address !== 'None') keys.add(clusterIpKey(address))
  for (const port of items(spec.ports)) if (port.nodePort) keys.add(nodePortKey(port.protocol ?? 'TCP', port.nodePort))
  if (spec.healthCheckNodePort) keys.add(nodePortKey('TCP', spec.healthCheckNodePort))
  return [...keys]
}

const refuse = (service: Draft<Service>, cause: StatusCause): never => {
  throw new ApiError(invalid('', 'Service', service.metadata.name, [cause]))
}

const isFree = (key: string, held: Allocations, own: ReadonlySet<string>): boolean =>
  own.has(key) || held.holder(key) === undefined

interface Allocation {
  readonly service: Draft<Service>
  readonly spec: Decoded<ServiceSpec>
  readonly own: ReadonlySet<string>
  readonly held: Allocations
  readonly context: DecisionContext
  readonly ranges: IpRanges
}

/** The first address of the primary range is for Service default/kubernetes alone. */
const isReserved =
  ({ service, ranges }: Allocation) =>
  (address: string): boolean =>
    canonicalIp(address) === kubernetesServiceIp(ranges) &&
    !(service.metadata.namespace === 'default' && service.metadata.name === 'kubernetes')

/** An address that the service asks for; throws why it cannot have it. */
function takeAddress(allocation: Allocation, family: IpFamily, address: string): void {
  const { service, spec, own, held, ranges } = allocation
  const ip = parseIp(address)!
  const range = ranges.find((one) => one.family === family)!
  const why = !isInRange(range, ip)
    ? 'the provided network does not match the current range'
    : !isUsable(range, ip.value)
      ? `the provided IP (${canonicalIp(address)}) is not in the valid range. The range of valid IPs is ${formatIpRange(range)}`
      : isReserved(allocation)(address) || !isFree(clusterIpKey(address), held, own)
        ? 'provided IP is already allocated'
        : undefined
  if (why) refuse(service, invalidValue('spec.clusterIPs', spec.clusterIPs, `failed to allocate IP ${address}: ${why}`))
}

/** Fills the addresses from place `from` on, one for each family. */
function allocateClusterIps(allocation: Allocation, from: number): void {
  const { service, spec, held, context, ranges } = allocation
  // Validated by now.
  const families = items(spec.ipFamilies) as readonly IpFamily[]
  const addresses: string[] = [...items(spec.clusterIPs)]
  while (addresses.length < families.length) addresses.push('')
  spec.clusterIPs = addresses
  for (const [index, family] of families.entries()) {
    if (index < from) continue
    const address = addresses[index]
    if (address) {
      takeAddress(allocation, family, address)
      continue
    }
    const range = ranges.find((one) => one.family === family)!
    const chosen = chooseClusterIp(range, held, context, isReserved(allocation))
    if (chosen === undefined)
      throw new ApiError(
        internalError(
          `failed to allocate a serviceIP for Service ${JSON.stringify(service.metadata.name)}: range is full`,
        ),
      )
    addresses[index] = chosen
  }
  spec.clusterIP = addresses[0]
}

/** New services and those that had no addresses get all; one that gets a second family gets that one's. */
function updateClusterIps(allocation: Allocation, old: Decoded<ServiceSpec> | undefined): void {
  const { spec } = allocation
  if (!needsClusterIp(spec)) return
  if (!old || !needsClusterIp(old)) {
    if (items(spec.clusterIPs)[0] !== 'None') allocateClusterIps(allocation, 0)
    return
  }
  const oldAddresses: readonly string[] = items(old.clusterIPs)
  if (oldAddresses[0] === 'None') return
  const count = (of: Decoded<ServiceSpec>, addresses: readonly string[]): number =>
    items(of.ipFamilies).length || new Set(addresses.map(familyOfIp)).size
  // Also for one that gives up its address at the same time: validation refuses that.
  if (count(old, oldAddresses) === 1 && count(spec, items(spec.clusterIPs)) === 2) allocateClusterIps(allocation, 1)
}

const allocateNodePorts = (
  service: Draft<Service>,
  spec: Decoded<ServiceSpec>,
  own: ReadonlySet<string>,
  held: Allocations,
  context: DecisionContext,
): void => {
  const taken = new Set<string>()
  const ports = items(spec.ports)
  ports.forEach((port, index) => {
    const wanted = port.nodePort
    // A type that has none: validation says so.
    if (!wanted || !mayHaveNodePorts(spec)) return
    const key = nodePortKey(port.protocol ?? 'TCP', wanted)
    const field = `spec.ports[${index}].nodePort`
    // Of the same service only the same port, over another protocol, may have it as well.
    const isTaken = ports.slice(0, index).some((other) => other.nodePort === wanted && other.port !== port.port)
    if (!own.has(key)) {
      if (wanted < nodePortMin || wanted > nodePortMax)
        refuse(service, invalidValue(field, wanted, nodePortRangeSentence(nodePortMin, nodePortMax)))
      if (isTaken || !isFree(key, held, own))
        refuse(service, invalidValue(field, wanted, 'provided port is already allocated'))
    }
    taken.add(key)
  })
  const full = (): never => {
    throw new ApiError(internalError('failed to allocate a nodePort: range is full'))
  }
  if (needsNodePorts(spec))
    for (const port of ports) {
      if (port.nodePort) continue
      // The same port number over several protocols shares one node port, as upstream; given twice over one protocol in a
      // new service it is refused later.
      const shared = ports.find((other) => other.port === port.port && other.nodePort)?.nodePort
      const { protocol = 'TCP' } = port
      const isShareable = (number: number, key = nodePortKey(protocol, number)): boolean =>
        (!taken.has(key) || own.size === 0) && isFree(key, held, own)
      port.nodePort =
        shared && isShareable(shared) ? shared : (chooseNodePort(held, context, [protocol], taken) ?? full())
      taken.add(nodePortKey(protocol, port.nodePort))
    }
  if (needsHealthCheckPort(spec)) {
    const wanted = spec.healthCheckNodePort
    if (!wanted) spec.healthCheckNodePort = chooseNodePort(held, context, ['TCP'], taken) ?? full()
    else if (!isFree(nodePortKey('TCP', wanted), held, own))
      refuse(service, invalidValue('spec.healthCheckNodePort', wanted, 'provided port is already allocated'))
  }
}

/** Fills what is missing in `next`, and tells which guards to take and to release. */
export const allocateService = (
  next: Draft<Service> | undefined,
  before: Draft<Service> | undefined,
  held: Allocations,
  context: DecisionContext,
): AllocationChange => {
  const owned = keysOf(before)
  if (!next) return { take: [], release: owned }
  const own = new Set(owned)
  const spec = next.spec ?? {}
  const ranges = context.serviceRanges ?? defaultServiceRanges
  initIpFamilies(next, before, ranges)
  updateClusterIps({ service: next, spec, own, held, context, ranges }, before?.spec)
  if (needsClusterIp(spec)) allocateNodePorts(next, spec, own, held, context)
  const wanted = keysOf(next)
  return {
    take: wanted.filter((key) => !own.has(key)),
    release: owned.filter((key) => !wanted.includes(key)),
  }
}
