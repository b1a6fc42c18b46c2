// Cluster IPs and node ports: chosen here when the service does not name them, held by guards of the log so that no two
// services ever have the same, given back when the type changes or the service goes.
import { invalidValue } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { ApiError, internalError, invalid, type StatusCause } from '@shiplog/api/status'
import { items } from '../fields.ts'
import type { AllocationChange, Allocations, DecisionContext } from '../strategy.ts'
import {
  chooseClusterIp,
  chooseNodePort,
  clusterIpKey,
  inServiceRange,
  isIpv4,
  isIpv6,
  kubernetesServiceIp,
  nodePortKey,
  nodePortMax,
  nodePortMin,
} from './ip-range.ts'
import { mayHaveNodePorts, needsClusterIp, needsHealthCheckPort, needsNodePorts, setIpFamilies } from './service-defaults.ts'
import { nodePortRangeSentence, validateClusterIps } from './service-validation.ts'

const keysOf = (service: KubeObject | undefined): string[] => {
  const spec: JsonObject | undefined = service?.['spec']
  if (!spec || spec['type'] === 'ExternalName') return []
  const keys = new Set<string>()
  for (const address of items(spec['clusterIPs'])) if (address && address !== 'None') keys.add(clusterIpKey(address))
  for (const port of items(spec['ports']))
    if (port.nodePort) keys.add(nodePortKey(port.protocol ?? 'TCP', port.nodePort))
  if (spec['healthCheckNodePort']) keys.add(nodePortKey('TCP', spec['healthCheckNodePort']))
  return [...keys]
}

const refuse = (service: KubeObject, cause: StatusCause): never => {
  throw new ApiError(invalid('', 'Service', service.metadata.name, [cause]))
}

const refuseAll = (service: KubeObject, causes: readonly StatusCause[]): void => {
  if (causes.length > 0) throw new ApiError(invalid('', 'Service', service.metadata.name, causes))
}

/** The one family that this cluster has addresses of. */
const clusterFamily = 'IPv4'

/** What is wrong with the addresses and families that are asked for; nothing is taken for a service that asks wrongly. */
const familyCauses = (spec: JsonObject, was: JsonObject | undefined): StatusCause[] => {
  if (!needsClusterIp(spec)) return []
  const wrong = validateClusterIps(spec, was)
  if (wrong.length > 0) return wrong
  const [addresses, families] = [items(spec['clusterIPs']), items(spec['ipFamilies'])]
  const headlessAlone = spec['clusterIP'] === 'None' && Object.keys(spec['selector'] ?? {}).length === 0
  const policy = spec['ipFamilyPolicy'] ?? was?.['ipFamilyPolicy'] ?? (headlessAlone ? 'RequireDualStack' : 'SingleStack')
  const at = 'spec.ipFamilyPolicy'
  const several = (what: string): StatusCause =>
    invalidValue(at, policy, `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`)
  const causes: StatusCause[] = []
  const single = policy === 'SingleStack'
  const same = (key: string): boolean => JSON.stringify(spec[key]) === JSON.stringify(was?.[key])
  if (single && addresses.length === 2 && !same('clusterIPs')) causes.push(several('cluster IPs'))
  if (single && families.length === 2 && !same('ipFamilies')) causes.push(several('IP families'))
  addresses.forEach((address, index) => {
    const family = String(address).includes(':') ? 'IPv6' : 'IPv4'
    if (address !== 'None' && index >= families.length && family !== clusterFamily)
      causes.push(invalidValue(`spec.clusterIPs[${index}]`, addresses, `${family} is not configured on this cluster`))
  })
  if (causes.length > 0 || headlessAlone) return causes
  if (policy === 'RequireDualStack')
    causes.push(invalidValue(at, policy, 'this cluster is not configured for dual-stack services'))
  families.forEach((family, index) => {
    if (family !== clusterFamily)
      causes.push(invalidValue(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster'))
  })
  return causes
}

const isFree = (key: string, held: Allocations, own: ReadonlySet<string>): boolean =>
  own.has(key) || held.holder(key) === undefined

const allocateClusterIp = (
  service: KubeObject,
  spec: JsonObject,
  own: ReadonlySet<string>,
  held: Allocations,
  context: DecisionContext,
): void => {
  const address: string | undefined = spec['clusterIP']
  if (address === 'None') return
  if (!address) {
    const chosen = chooseClusterIp(held, context)
    if (chosen === undefined) throw new ApiError(internalError('failed to allocate a serviceIP: range is full'))
    spec['clusterIP'] = chosen
    spec['clusterIPs'] = [chosen]
    return
  }
  if (own.has(clusterIpKey(address))) return
  // Not an address at all, or another one than before: validation says so.
  if ((!isIpv4(address) && !isIpv6(address)) || [...own].some((key) => key.startsWith('clusterip/'))) return
  const reserved =
    address === kubernetesServiceIp &&
    !(service.metadata.namespace === 'default' && service.metadata.name === 'kubernetes')
  if (!inServiceRange(address))
    refuse(
      service,
      invalidValue(
        'spec.clusterIPs',
        spec['clusterIPs'],
        `failed to allocate IP ${address}: the provided network does not match the current range`,
      ),
    )
  if (reserved || !isFree(clusterIpKey(address), held, own))
    refuse(
      service,
      invalidValue(
        'spec.clusterIPs',
        spec['clusterIPs'],
        `failed to allocate IP ${address}: provided IP is already allocated`,
      ),
    )
}

const allocateNodePorts = (
  service: KubeObject,
  spec: JsonObject,
  own: ReadonlySet<string>,
  held: Allocations,
  context: DecisionContext,
): void => {
  const taken = new Set<string>()
  const ports = items(spec['ports'])
  ports.forEach((port: JsonObject, index) => {
    const wanted = port['nodePort']
    // A type that has none: validation says so.
    if (!wanted || !mayHaveNodePorts(spec)) return
    const key = nodePortKey(port['protocol'], wanted)
    const field = `spec.ports[${index}].nodePort`
    if (!own.has(key)) {
      if (wanted < nodePortMin || wanted > nodePortMax)
        refuse(service, invalidValue(field, wanted, nodePortRangeSentence(nodePortMin, nodePortMax)))
      if (!isFree(key, held, own)) refuse(service, invalidValue(field, wanted, 'provided port is already allocated'))
    }
    taken.add(key)
  })
  const full = (): never => {
    throw new ApiError(internalError('failed to allocate a nodePort: range is full'))
  }
  if (needsNodePorts(spec))
    for (const port of ports) {
      if (port.nodePort) continue
      // The same port number over several protocols shares one node port, as upstream.
      const twin = ports.find((other) => other.port === port.port && other.nodePort)
      const twinKey = twin && nodePortKey(port.protocol, twin.nodePort)
      port.nodePort =
        twinKey && !taken.has(twinKey) && isFree(twinKey, held, own)
          ? twin.nodePort
          : (chooseNodePort(held, context, [port.protocol], taken) ?? full())
      taken.add(nodePortKey(port.protocol, port.nodePort))
    }
  if (needsHealthCheckPort(spec)) {
    const wanted = spec['healthCheckNodePort']
    if (!wanted) spec['healthCheckNodePort'] = chooseNodePort(held, context, ['TCP'], taken) ?? full()
    else if (!isFree(nodePortKey('TCP', wanted), held, own))
      refuse(service, invalidValue('spec.healthCheckNodePort', wanted, 'provided port is already allocated'))
  }
}

/** Fills what is missing in `next`, and tells which guards to take and to release. */
export const allocateService = (
  next: KubeObject | undefined,
  before: KubeObject | undefined,
  held: Allocations,
  context: DecisionContext,
): AllocationChange => {
  const owned = keysOf(before)
  if (!next) return { take: [], release: owned }
  const own = new Set(owned)
  const spec: JsonObject = next['spec'] ?? {}
  refuseAll(next, familyCauses(spec, before?.['spec']))
  setIpFamilies(spec)
  if (needsClusterIp(spec)) {
    allocateClusterIp(next, spec, own, held, context)
    allocateNodePorts(next, spec, own, held, context)
  }
  const wanted = keysOf(next)
  return {
    take: wanted.filter((key) => !own.has(key)),
    release: owned.filter((key) => !wanted.includes(key)),
  }
}
