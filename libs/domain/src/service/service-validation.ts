// Validation of services (ValidateService and ValidateServiceUpdate of k8s.io/kubernetes/pkg/apis/core/validation).
import { duplicate, forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { JsonObject } from '@shiplog/api/kube-object'
import { validateLabels } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import { byRule, items, requiredName } from '../fields.ts'
import { parseIp, validateLegacyCidr, validateLegacyIp, validateReachable } from '../ip-addresses.ts'
import { validateFamilyFields } from './service-families.ts'
import { dns1123Label, dns1123Subdomain, portNumber, qualifiedName } from '../names.ts'
import { validatePortNumberOrName } from '../pod/container-validation.ts'

const protocols = ['SCTP', 'TCP', 'UDP']
const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const affinities = ['ClientIP', 'None']
const trafficPolicies = ['Cluster', 'Local']
const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode']
const clientIpTimeoutSecondsMax = 86_400

const validatePorts = (spec: JsonObject): StatusCause[] => {
  const causes: StatusCause[] = []
  const ports = items(spec['ports'])
  const names = new Set<string>()
  ports.forEach((port: JsonObject, index) => {
    const at = `spec.ports[${index}]`
    if (ports.length > 1 && !port['name']) causes.push(required(`${at}.name`))
    else if (port['name']) {
      causes.push(...byRule(dns1123Label, port['name'], `${at}.name`))
      if (names.has(port['name'])) causes.push(duplicate(`${at}.name`, port['name']))
      names.add(port['name'])
    }
    for (const sentence of portNumber(port['port']))
      causes.push(invalidValue(`${at}.port`, port['port'] ?? 0, sentence))
    if (!port['protocol']) causes.push(required(`${at}.protocol`))
    else if (!protocols.includes(port['protocol']))
      causes.push(notSupported(`${at}.protocol`, port['protocol'], protocols))
    causes.push(...validatePortNumberOrName(port['targetPort'], `${at}.targetPort`))
    if (typeof port['appProtocol'] === 'string')
      causes.push(...byRule(qualifiedName, port['appProtocol'], `${at}.appProtocol`))
    if (port['nodePort'] && spec['type'] === 'ClusterIP')
      causes.push(forbiddenField(`${at}.nodePort`, "may not be used when `type` is 'ClusterIP'"))
  })
  causes.push(...validatePortUniqueness(ports))
  return causes
}

const validatePortUniqueness = (ports: readonly JsonObject[]): StatusCause[] => {
  const causes: StatusCause[] = []
  const nodePorts = new Set<string>()
  ports.forEach((port, index) => {
    if (!port['nodePort']) return
    const key = `${port['protocol']}/${port['nodePort']}`
    if (nodePorts.has(key)) causes.push(duplicate(`spec.ports[${index}].nodePort`, port['nodePort']))
    nodePorts.add(key)
  })
  const pairs = new Set<string>()
  ports.forEach((port, index) => {
    const key = `${port['protocol']}/${port['port']}`
    if (pairs.has(key))
      // Upstream prints the internal type, whose fields have no JSON names.
      causes.push(
        duplicate(`spec.ports[${index}]`, {
          Name: '',
          Protocol: port['protocol'],
          AppProtocol: null,
          Port: port['port'],
          TargetPort: 0,
          NodePort: 0,
        }),
      )
    pairs.add(key)
  })
  return causes
}

/** 'None' and nothing else: beside an address it is a mistake. */
const isHeadless = ({ clusterIPs }: JsonObject): boolean => items(clusterIPs).length === 1 && clusterIPs[0] === 'None'

export const validateClusterIps = (spec: JsonObject, before: JsonObject | undefined): StatusCause[] =>
  validateFamilyFields(spec, before)

/** What an ExternalName service may not have: it is a name and nothing else. */
const validateExternalName = (spec: JsonObject): StatusCause[] => {
  const forbidden = (key: string): StatusCause[] => [
    forbiddenField(`spec.${key}`, 'may not be set for ExternalName services'),
  ]
  return [
    ...(items(spec['clusterIPs']).length > 0 ? forbidden('clusterIPs') : []),
    ...(items(spec['ipFamilies']).length > 0 ? forbidden('ipFamilies') : []),
    ...(typeof spec['ipFamilyPolicy'] === 'string' ? forbidden('ipFamilyPolicy') : []),
    ...requiredName(dns1123Subdomain, String(spec['externalName'] ?? '').replace(/\.$/, ''), 'spec.externalName'),
  ]
}

const validateExternalIps = (spec: JsonObject, before: JsonObject | undefined): StatusCause[] => {
  const known = items(before?.['externalIPs']).map(String)
  return items(spec['externalIPs']).flatMap((address, index) => {
    const at = `spec.externalIPs[${index}]`
    const wrong = validateLegacyIp(address, at, known)
    return wrong.length > 0 || !parseIp(String(address)) ? wrong : validateReachable(String(address), at)
  })
}

const rangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges'

const validateSourceRanges = (service: JsonObject, before: JsonObject | undefined): StatusCause[] => {
  const spec: JsonObject = service['spec'] ?? {}
  const ranges = items(spec['loadBalancerSourceRanges'])
  const only = (at: string): StatusCause[] =>
    spec['type'] === 'LoadBalancer' ? [] : [forbiddenField(at, "may only be used when `type` is 'LoadBalancer'")]
  if (ranges.length > 0) {
    // Upstream's errors name the field with a capital.
    const at = 'spec.LoadBalancerSourceRanges'
    const known = items(before?.['spec']?.loadBalancerSourceRanges).map((range) => String(range).trim())
    return [
      ...only(at),
      ...ranges.flatMap((range, index) => validateLegacyCidr(String(range).trim(), `${at}[${index}]`, known)),
    ]
  }
  const annotation = service['metadata']?.annotations?.[rangesAnnotation]
  if (typeof annotation !== 'string') return []
  const at = `metadata.annotations[${rangesAnnotation}]`
  const same = before?.['metadata']?.annotations?.[rangesAnnotation] === annotation
  const texts = same || annotation.trim() === '' ? [] : annotation.trim().split(',')
  return [...only(at), ...texts.flatMap((text) => validateLegacyCidr(text.trim(), at))]
}

const hintsAnnotation = 'service.kubernetes.io/topology-aware-hints'
const modeAnnotation = 'service.kubernetes.io/topology-mode'

const validateTopologyAnnotations = (annotations: JsonObject | undefined): StatusCause[] => {
  const [hints, mode] = [annotations?.[hintsAnnotation], annotations?.[modeAnnotation]]
  return hints === undefined || mode === undefined || hints === mode
    ? []
    : [
        invalidValue(
          `metadata.annotations[${modeAnnotation}]`,
          mode,
          `must match annotations[${hintsAnnotation}] when both are specified`,
        ),
      ]
}

const validateAffinity = (spec: JsonObject): StatusCause[] => {
  const affinity = spec['sessionAffinity']
  if (!affinity) return [required('spec.sessionAffinity')]
  if (!affinities.includes(affinity)) return [notSupported('spec.sessionAffinity', affinity, affinities)]
  const at = 'spec.sessionAffinityConfig'
  const config = spec['sessionAffinityConfig']
  if (affinity === 'None')
    return config ? [forbiddenField(at, 'must not be set when session affinity is None')] : []
  const missing = 'when session affinity type is ClientIP'
  if (!config) return [required(at, missing)]
  if (!config.clientIP) return [required(`${at}.clientIP`, missing)]
  const seconds = config.clientIP.timeoutSeconds
  if (typeof seconds !== 'number') return [required(`${at}.clientIP.timeoutSeconds`, missing)]
  return seconds > 0 && seconds <= clientIpTimeoutSecondsMax
    ? []
    : [
        invalidValue(
          `${at}.clientIP.timeoutSeconds`,
          seconds,
          `must be greater than 0 and less than ${clientIpTimeoutSecondsMax}`,
        ),
      ]
}

const validateExternalTraffic = (spec: JsonObject): StatusCause[] => {
  const causes: StatusCause[] = []
  const { type, externalTrafficPolicy: policy, healthCheckNodePort: port } = spec
  const at = 'spec.externalTrafficPolicy'
  const reachable =
    type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && items(spec['externalIPs']).length > 0)
  if (!reachable) {
    if (policy) causes.push(invalidValue(at, policy, 'may only be set for externally-accessible services'))
  } else if (!policy) causes.push(required(at))
  else if (!trafficPolicies.includes(policy)) causes.push(notSupported(at, policy, trafficPolicies))
  if (type === 'LoadBalancer' && policy === 'Local')
    for (const sentence of port ? portNumber(port) : [])
      causes.push(invalidValue('spec.healthCheckNodePort', port, sentence))
  else if (port)
    causes.push(
      invalidValue(
        'spec.healthCheckNodePort',
        port,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    )
  return causes
}

const validateType = (spec: JsonObject): StatusCause[] => {
  const { type, internalTrafficPolicy: internal } = spec
  const causes: StatusCause[] = []
  if (!type) causes.push(required('spec.type'))
  else if (!types.includes(type)) causes.push(notSupported('spec.type', type, types))
  const inside = 'spec.internalTrafficPolicy'
  if (typeof internal !== 'string') {
    if (types.includes(type) && type !== 'ExternalName') causes.push(required(inside))
  } else if (!trafficPolicies.includes(internal)) causes.push(notSupported(inside, internal, trafficPolicies))
  if (typeof spec['allocateLoadBalancerNodePorts'] === 'boolean' && type !== 'LoadBalancer')
    causes.push(forbiddenField('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'"))
  if (type === 'LoadBalancer' && typeof spec['allocateLoadBalancerNodePorts'] !== 'boolean')
    causes.push(required('allocateLoadBalancerNodePorts'))
  return causes
}

const validateBalancerClass = (spec: JsonObject): StatusCause[] => {
  const balancer = spec['loadBalancerClass']
  if (typeof balancer !== 'string') return []
  return spec['type'] === 'LoadBalancer'
    ? byRule(qualifiedName, balancer, 'spec.loadBalancerClass')
    : [forbiddenField('spec.loadBalancerClass', "may only be used when `type` is 'LoadBalancer'")]
}

/** A service, after defaults; `before` may keep addresses that would not be taken today. */
export const validateService = (service: JsonObject, before?: JsonObject): StatusCause[] => {
  const spec: JsonObject = service['spec'] ?? {}
  const was: JsonObject | undefined = before?.['spec']
  const { type } = spec
  const causes = validateTopologyAnnotations(service['metadata']?.annotations)
  if (items(spec['ports']).length === 0 && !isHeadless(spec) && type !== 'ExternalName')
    causes.push(required('spec.ports'))
  if ((type === 'LoadBalancer' || type === 'NodePort') && isHeadless(spec))
    causes.push(invalidValue('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${type} services`))
  if (type === 'ExternalName') causes.push(...validateExternalName(spec))
  causes.push(...validatePorts(spec))
  if (spec['selector']) causes.push(...validateLabels(spec['selector'], 'spec.selector'))
  causes.push(...validateAffinity(spec))
  if (type !== 'ExternalName') causes.push(...validateClusterIps(spec, was))
  causes.push(
    ...validateExternalIps(spec, was),
    ...validateType(spec),
    ...validateSourceRanges(service, before),
    ...validateBalancerClass(spec),
    ...validateExternalTraffic(spec),
  )
  const distribution = spec['trafficDistribution']
  if (typeof distribution === 'string' && !distributions.includes(distribution))
    causes.push(notSupported('spec.trafficDistribution', distribution, distributions))
  return causes
}

const unchanging = 'may not change once set'

/** A second address may come, and go when the policy says so; what is there does not change. */
const validateAddressChange = (now: JsonObject, was: JsonObject): StatusCause[] => {
  if (isHeadless(now) && isHeadless(was)) return []
  const [old, next] = [items(was['clusterIPs']), items(now['clusterIPs'])]
  if (old.length > 0 && next.length === 0)
    return [invalidValue('spec.clusterIPs[0]', next, 'primary clusterIP can not be unset')]
  const causes = old
    .slice(0, old.length === next.length ? old.length : 1)
    .flatMap((address, index) =>
      address === next[index] ? [] : [invalidValue(`spec.clusterIPs[${index}]`, next, unchanging)],
    )
  if (old.length > next.length && next.length === 1 && now['ipFamilyPolicy'] !== 'SingleStack')
    causes.push(
      invalidValue(
        'spec.ipFamilyPolicy',
        now['ipFamilyPolicy'],
        "must be set to 'SingleStack' when releasing the secondary clusterIP",
      ),
    )
  return causes
}

/** As for the addresses; headless services may have others at any time. */
const validateFamilyChange = (now: JsonObject, was: JsonObject): StatusCause[] => {
  if (isHeadless(now) || isHeadless(was)) return []
  const [old, next] = [items(was['ipFamilies']), items(now['ipFamilies'])]
  const isSameLength = old.length === next.length
  const causes = old.slice(0, isSameLength ? old.length : 1).flatMap((family, index) =>
    next.length === 0 || family === next[index]
      ? []
      : // Upstream shows the addresses here when their number differs.
        [invalidValue('spec.ipFamilies[0]', isSameLength ? next : now['clusterIPs'], unchanging)],
  )
  if (old.length > next.length && next.length === 1 && now['ipFamilyPolicy'] !== 'SingleStack')
    causes.push(
      invalidValue(
        'spec.ipFamilyPolicy',
        now['ipFamilyPolicy'],
        "must be set to 'SingleStack' when releasing the secondary ipFamily",
      ),
    )
  return causes
}

/** What an update of a service may not change. */
export const validateServiceUpdate = (next: JsonObject, before: JsonObject): StatusCause[] => {
  const now: JsonObject = next['spec'] ?? {}
  const was: JsonObject = before['spec'] ?? {}
  const causes: StatusCause[] = []
  if (now['type'] !== 'ExternalName' && was['type'] !== 'ExternalName')
    causes.push(...validateAddressChange(now, was), ...validateFamilyChange(now, was))
  const balanced = now['type'] === 'LoadBalancer' && was['type'] === 'LoadBalancer'
  if (balanced && (now['loadBalancerClass'] ?? null) !== (was['loadBalancerClass'] ?? null))
    causes.push(invalidValue('spec.loadBalancerClass', now['loadBalancerClass'], 'may not change once set'))
  const checked = (spec: JsonObject): boolean =>
    spec['type'] === 'LoadBalancer' && spec['externalTrafficPolicy'] === 'Local'
  if (checked(now) && checked(was) && now['healthCheckNodePort'] !== was['healthCheckNodePort'])
    causes.push(forbiddenField('spec.healthCheckNodePort', 'field is immutable'))
  return causes
}

/** What is wrong with a node port outside the range. */
export const nodePortRangeSentence = (low: number, high: number): string =>
  `provided port is not in the valid range. The range of valid ports is ${low}-${high}`
