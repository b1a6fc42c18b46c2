// Defaults of services, and what an update that leaves allocated values out gets back (upstream's patchAllocatedValues).
import type { Service, ServiceSpec } from '@shiplog/api/generated/types/core-v1'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { fill, fillText, items, keep, section } from '../fields.ts'

const clientIpTimeoutSeconds = 10_800

const isExternallyReachable = (spec: Decoded<ServiceSpec>): boolean =>
  spec.type === 'NodePort' ||
  spec.type === 'LoadBalancer' ||
  (spec.type === 'ClusterIP' && items(spec.externalIPs).length > 0)

/** Whether the type has cluster IPs. */
export const needsClusterIp = (spec: Decoded<ServiceSpec>): boolean => spec.type !== 'ExternalName'

/** Whether the ports of this type have node ports. */
export const needsNodePorts = (spec: Decoded<ServiceSpec>): boolean =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)

/** Whether the type may have node ports at all. */
export const mayHaveNodePorts = (spec: Decoded<ServiceSpec>): boolean =>
  spec.type === 'NodePort' || spec.type === 'LoadBalancer'

/** Whether a health check port is needed: a load balancer that keeps traffic on the node it arrived at. */
export const needsHealthCheckPort = (spec: Decoded<ServiceSpec>): boolean =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'

/** The one address and the list of addresses say the same. */
export const mirrorClusterIp = (spec: Decoded<ServiceSpec>): void => {
  if (spec.clusterIP && items(spec.clusterIPs).length === 0) spec.clusterIPs = [spec.clusterIP]
}

/** Everything that does not depend on what is allocated. */
export const setServiceDefaults = (draft: Draft<Service>): void => {
  const spec = section(draft, 'spec')
  fillText(spec, 'sessionAffinity', 'None')
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig
  if (spec.sessionAffinity === 'ClientIP')
    fill(section(section(spec, 'sessionAffinityConfig'), 'clientIP'), 'timeoutSeconds', clientIpTimeoutSeconds)
  fillText(spec, 'type', 'ClusterIP')
  for (const port of items(spec.ports)) {
    fillText(port, 'protocol', 'TCP')
    if (!port.targetPort) keep(port, { targetPort: port.port }, 'targetPort')
    if (port.nodePort === 0) delete port.nodePort
  }
  if (isExternallyReachable(spec)) fillText(spec, 'externalTrafficPolicy', 'Cluster')
  if (spec.type !== 'ExternalName') fill(spec, 'internalTrafficPolicy', 'Cluster')
  else delete spec.internalTrafficPolicy
  if (spec.type === 'LoadBalancer') fill(spec, 'allocateLoadBalancerNodePorts', true)
  if (spec.clusterIP === '') delete spec.clusterIP
  for (const ingress of items(section(section(draft, 'status'), 'loadBalancer').ingress))
    if (ingress.ip) fill(ingress, 'ipMode', 'VIP')
}

/** Whether two lists that may be absent hold the same values in the same order. */
type Texts = readonly string[] | undefined

export const sameList = (left: Texts, right: Texts): boolean =>
  items(left).length === items(right).length && items(left).every((value, index) => value === items(right)[index])

const copyNodePorts = (spec: Decoded<ServiceSpec>, old: Decoded<ServiceSpec>): void => {
  const used = new Set(items(spec.ports).flatMap((port) => (port.nodePort ? [port.nodePort] : [])))
  const before = items(old.ports)
  for (const port of items(spec.ports)) {
    if (port.nodePort) continue
    const match = before.find(
      (candidate) => candidate.port === port.port && (candidate.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    )
    if (!match?.nodePort || used.has(match.nodePort)) continue
    port.nodePort = match.nodePort
    used.add(match.nodePort)
  }
}

/** An address that is not mentioned is kept; a client that knows one address only means the list when it changes it. */
const keepClusterIps = (spec: Decoded<ServiceSpec>, old: Decoded<ServiceSpec>): void => {
  if (needsClusterIp(spec) && needsClusterIp(old)) {
    if (!spec.clusterIP) keep(spec, old, 'clusterIP')
    if (items(spec.clusterIPs).length === 0) keep(spec, old, 'clusterIPs')
  }
  if (spec.clusterIP && spec.clusterIP !== old.clusterIP && sameList(spec.clusterIPs, old.clusterIPs))
    spec.clusterIPs = [spec.clusterIP]
}

/** What a type without addresses gives up, unless the client changed it at the same time: validation refuses that. */
const dropClusterIps = (spec: Decoded<ServiceSpec>, old: Decoded<ServiceSpec>): void => {
  if (spec.clusterIP === old.clusterIP && sameList(spec.clusterIPs, old.clusterIPs)) {
    delete spec.clusterIP
    delete spec.clusterIPs
  }
  if (sameList(spec.ipFamilies, old.ipFamilies)) delete spec.ipFamilies
  if (spec.ipFamilyPolicy === old.ipFamilyPolicy) delete spec.ipFamilyPolicy
}

const nodePortsOf = (spec: Decoded<ServiceSpec>): Set<number> =>
  new Set(items(spec.ports).flatMap((port) => (port.nodePort ? [port.nodePort] : [])))

const sameNodePorts = (spec: Decoded<ServiceSpec>, old: Decoded<ServiceSpec>): boolean =>
  nodePortsOf(spec).symmetricDifference(nodePortsOf(old)).size === 0

/** Takes away what the new type cannot have; what the client changed at the same time stays, to be refused. */
const dropUnchanged = (spec: Decoded<ServiceSpec>, old: Decoded<ServiceSpec>, key: keyof ServiceSpec): void => {
  if (spec[key] === old[key]) delete spec[key]
}

/** What an update that does not mention allocated values keeps, and what a change of type gives up. */
export const prepareServiceForUpdate = (draft: Draft<Service>, before: Draft<Service>): void => {
  const spec = section(draft, 'spec')
  const old = before.spec ?? {}
  draft.status = before.status ?? { loadBalancer: {} }
  keepClusterIps(spec, old)
  if (needsNodePorts(spec) && needsNodePorts(old)) copyNodePorts(spec, old)
  if (needsHealthCheckPort(spec) && needsHealthCheckPort(old) && !spec.healthCheckNodePort)
    keep(spec, old, 'healthCheckNodePort')
  // A client that changes the type and sends the rest as it was does not mean to keep what the new type cannot have.
  if (!mayHaveNodePorts(spec) && mayHaveNodePorts(old) && sameNodePorts(spec, old))
    for (const port of items(spec.ports)) delete port.nodePort
  if (!needsClusterIp(spec) && needsClusterIp(old)) dropClusterIps(spec, old)
  if (!needsHealthCheckPort(spec) && needsHealthCheckPort(old) && spec.healthCheckNodePort === old.healthCheckNodePort)
    delete spec.healthCheckNodePort
  if (!isExternallyReachable(spec) && isExternallyReachable(old)) dropUnchanged(spec, old, 'externalTrafficPolicy')
  if (spec.type !== 'LoadBalancer' && old.type === 'LoadBalancer')
    for (const key of ['allocateLoadBalancerNodePorts', 'loadBalancerClass'] as const) dropUnchanged(spec, old, key)
  if (spec.type === 'ExternalName' && old.type !== 'ExternalName') delete spec.internalTrafficPolicy
}
