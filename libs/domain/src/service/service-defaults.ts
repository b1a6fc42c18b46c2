// Defaults of services, and what an update that leaves allocated values out gets back (upstream's patchAllocatedValues).
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { fill, fillText, items, keep, section } from '../fields.ts'

const clientIpTimeoutSeconds = 10_800

const isExternallyReachable = (spec: JsonObject): boolean =>
  spec['type'] === 'NodePort' ||
  spec['type'] === 'LoadBalancer' ||
  (spec['type'] === 'ClusterIP' && items(spec['externalIPs']).length > 0)

/** Whether the type has cluster IPs. */
export const needsClusterIp = (spec: JsonObject): boolean => spec['type'] !== 'ExternalName'

/** Whether the ports of this type have node ports. */
export const needsNodePorts = (spec: JsonObject): boolean =>
  spec['type'] === 'NodePort' || (spec['type'] === 'LoadBalancer' && spec['allocateLoadBalancerNodePorts'] !== false)

/** Whether the type may have node ports at all. */
export const mayHaveNodePorts = (spec: JsonObject): boolean =>
  spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer'

/** Whether a health check port is needed: a load balancer that keeps traffic on the node it arrived at. */
export const needsHealthCheckPort = (spec: JsonObject): boolean =>
  spec['type'] === 'LoadBalancer' && spec['externalTrafficPolicy'] === 'Local'

/** The one address and the list of addresses say the same. */
export const mirrorClusterIp = (spec: JsonObject): void => {
  if (spec['clusterIP'] && items(spec['clusterIPs']).length === 0) spec['clusterIPs'] = [spec['clusterIP']]
}

/** Everything that does not depend on what is allocated. */
export const setServiceDefaults = (draft: JsonObject): void => {
  const spec = section(draft, 'spec')
  fillText(spec, 'sessionAffinity', 'None')
  if (spec['sessionAffinity'] === 'None') delete spec['sessionAffinityConfig']
  if (spec['sessionAffinity'] === 'ClientIP')
    fill(section(section(spec, 'sessionAffinityConfig'), 'clientIP'), 'timeoutSeconds', clientIpTimeoutSeconds)
  fillText(spec, 'type', 'ClusterIP')
  for (const port of items(spec['ports'])) {
    fillText(port, 'protocol', 'TCP')
    if (port.targetPort === undefined || port.targetPort === null || port.targetPort === 0 || port.targetPort === '')
      port.targetPort = port.port
    if (port.nodePort === 0) delete port.nodePort
  }
  if (isExternallyReachable(spec)) fillText(spec, 'externalTrafficPolicy', 'Cluster')
  if (spec['type'] !== 'ExternalName') fill(spec, 'internalTrafficPolicy', 'Cluster')
  if (spec['type'] === 'LoadBalancer') fill(spec, 'allocateLoadBalancerNodePorts', true)
  if (spec['clusterIP'] === '') delete spec['clusterIP']
  for (const ingress of items(section(section(draft, 'status'), 'loadBalancer')['ingress']))
    if (ingress.ip) fill(ingress, 'ipMode', 'VIP')
}

/** IP families: one IPv4 family, but both for headless services without selector, as upstream on single-stack. */
export const setIpFamilies = (spec: JsonObject): void => {
  if (!needsClusterIp(spec)) {
    for (const key of ['ipFamilies', 'ipFamilyPolicy', 'clusterIP', 'clusterIPs']) delete spec[key]
    return
  }
  const headlessWithoutSelector = spec['clusterIP'] === 'None' && Object.keys(spec['selector'] ?? {}).length === 0
  if (headlessWithoutSelector) fill(spec, 'ipFamilyPolicy', 'RequireDualStack')
  fill(spec, 'ipFamilyPolicy', 'SingleStack')
  if (items(spec['ipFamilies']).length === 0)
    spec['ipFamilies'] =
      headlessWithoutSelector && spec['ipFamilyPolicy'] !== 'SingleStack' ? ['IPv4', 'IPv6'] : ['IPv4']
}

const copyNodePorts = (spec: JsonObject, old: JsonObject): void => {
  const used = new Set(items(spec['ports']).flatMap((port) => (port.nodePort ? [port.nodePort] : [])))
  const before = items(old['ports'])
  for (const port of items(spec['ports'])) {
    if (port.nodePort) continue
    const match = before.find(
      (candidate) => candidate.port === port.port && (candidate.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    )
    if (!match?.nodePort || used.has(match.nodePort)) continue
    port.nodePort = match.nodePort
    used.add(match.nodePort)
  }
}

/** What an update that does not mention allocated values keeps, and what a change of type gives up. */
export const prepareServiceForUpdate = (draft: KubeObject, before: KubeObject): void => {
  const spec = section(draft, 'spec')
  const old: JsonObject = before['spec'] ?? {}
  draft['status'] = before['status'] ?? { loadBalancer: {} }
  mirrorClusterIp(spec)
  if (needsClusterIp(spec) && needsClusterIp(old)) {
    if (!spec['clusterIP']) {
      keep(spec, old, 'clusterIP')
      keep(spec, old, 'clusterIPs')
    } else if (spec['clusterIP'] !== old['clusterIP'] && items(spec['clusterIPs'])[0] === old['clusterIP'])
      spec['clusterIPs'] = [spec['clusterIP']]
    if (items(spec['ipFamilies']).length === 0) keep(spec, old, 'ipFamilies')
    if (!spec['ipFamilyPolicy']) keep(spec, old, 'ipFamilyPolicy')
  }
  if (needsNodePorts(spec) && needsNodePorts(old)) copyNodePorts(spec, old)
  if (needsHealthCheckPort(spec) && needsHealthCheckPort(old) && !spec['healthCheckNodePort'])
    keep(spec, old, 'healthCheckNodePort')
  // A client that changes the type and sends the rest as it was does not mean to keep what the new type cannot have.
  if (!mayHaveNodePorts(spec) && mayHaveNodePorts(old))
    for (const port of items(spec['ports'])) {
      const same = items(old['ports']).some((candidate) => candidate.nodePort === port.nodePort)
      if (same) delete port.nodePort
    }
  if (!needsClusterIp(spec) && needsClusterIp(old) && spec['clusterIP'] === old['clusterIP'])
    for (const key of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy']) delete spec[key]
  if (
    !needsHealthCheckPort(spec) &&
    needsHealthCheckPort(old) &&
    spec['healthCheckNodePort'] === old['healthCheckNodePort']
  )
    delete spec['healthCheckNodePort']
  if (!isExternallyReachable(spec) && isExternallyReachable(old)) delete spec['externalTrafficPolicy']
  if (spec['type'] !== 'LoadBalancer' && old['type'] === 'LoadBalancer') delete spec['allocateLoadBalancerNodePorts']
  if (spec['type'] === 'ExternalName' && old['type'] !== 'ExternalName') delete spec['internalTrafficPolicy']
  setIpFamilies(spec)
}
