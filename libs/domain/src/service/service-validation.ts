// Validation of services (ValidateService of k8s.io/kubernetes/pkg/apis/core/validation).
import { duplicate, forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { Service, ServicePort, ServiceSpec } from '@shiplog/api/generated/types/core-v1'
import { validateLabels } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { byRule, items, requiredName } from '../fields.ts'
import { parseIp, validateLegacyCidr, validateLegacyIp, validateReachable } from '../ip-addresses.ts'
import { validateFamilyFields } from './service-families.ts'
import { dns1123Label, dns1123Subdomain, portNumber, qualifiedName } from '../names.ts'
import { validatePortNumberOrName } from '../pod/probe-validation.ts'

const protocols = ['SCTP', 'TCP', 'UDP']
const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const affinities = ['ClientIP', 'None']
const trafficPolicies = ['Cluster', 'Local']
const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode']
const clientIpTimeoutSecondsMax = 86_400

const validatePorts = (spec: Decoded<ServiceSpec>): StatusCause[] => {
  const causes: StatusCause[] = []
  const ports = items(spec.ports)
  const names = new Set<string>()
  ports.forEach((port, index) => {
    const at = `spec.ports[${index}]`
    if (ports.length > 1 && !port.name) causes.push(required(`${at}.name`))
    else if (port.name) {
      causes.push(...byRule(dns1123Label, port.name, `${at}.name`))
      if (names.has(port.name)) causes.push(duplicate(`${at}.name`, port.name))
      names.add(port.name)
    }
    for (const sentence of portNumber(port.port)) causes.push(invalidValue(`${at}.port`, port.port ?? 0, sentence))
    if (!port.protocol) causes.push(required(`${at}.protocol`))
    else if (!protocols.includes(port.protocol)) causes.push(notSupported(`${at}.protocol`, port.protocol, protocols))
    causes.push(...validatePortNumberOrName(port.targetPort, `${at}.targetPort`))
    if (typeof port.appProtocol === 'string')
      causes.push(...byRule(qualifiedName, port.appProtocol, `${at}.appProtocol`))
    if (port.nodePort && spec.type === 'ClusterIP')
      causes.push(forbiddenField(`${at}.nodePort`, "may not be used when `type` is 'ClusterIP'"))
  })
  causes.push(...validatePortUniqueness(ports))
  return causes
}

const validatePortUniqueness = (ports: readonly Decoded<ServicePort>[]): StatusCause[] => {
  const causes: StatusCause[] = []
  const nodePorts = new Set<string>()
  ports.forEach((port, index) => {
    if (!port.nodePort) return
    const key = `${port.protocol}/${port.nodePort}`
    if (nodePorts.has(key)) causes.push(duplicate(`spec.ports[${index}].nodePort`, port.nodePort))
    nodePorts.add(key)
  })
  const pairs = new Set<string>()
  ports.forEach((port, index) => {
    const key = `${port.protocol}/${port.port}`
    if (pairs.has(key))
      // Upstream prints the internal type, whose fields have no JSON names.
      causes.push(
        duplicate(`spec.ports[${index}]`, {
          Name: '',
          Protocol: port.protocol,
          AppProtocol: null,
          Port: port.port,
          TargetPort: 0,
          NodePort: 0,
        }),
      )
    pairs.add(key)
  })
  return causes
}

/** 'None' and nothing else: beside an address it is a mistake. */
export const isHeadless = ({ clusterIPs }: Decoded<ServiceSpec>): boolean =>
  items(clusterIPs).length === 1 && items(clusterIPs)[0] === 'None'

export const validateClusterIps = (
  spec: Decoded<ServiceSpec>,
  before: Decoded<ServiceSpec> | undefined,
): StatusCause[] => validateFamilyFields(spec, before)

/** What an ExternalName service may not have: it is a name and nothing else. */
const validateExternalName = (spec: Decoded<ServiceSpec>): StatusCause[] => {
  const forbidden = (key: string): StatusCause[] => [
    forbiddenField(`spec.${key}`, 'may not be set for ExternalName services'),
  ]
  return [
    ...(items(spec.clusterIPs).length > 0 ? forbidden('clusterIPs') : []),
    ...(items(spec.ipFamilies).length > 0 ? forbidden('ipFamilies') : []),
    ...(typeof spec.ipFamilyPolicy === 'string' ? forbidden('ipFamilyPolicy') : []),
    ...requiredName(dns1123Subdomain, String(spec.externalName ?? '').replace(/\.$/, ''), 'spec.externalName'),
  ]
}

const validateExternalIps = (spec: Decoded<ServiceSpec>, before: Decoded<ServiceSpec> | undefined): StatusCause[] => {
  const known = items(before?.externalIPs)
  return items(spec.externalIPs).flatMap((address, index) => {
    const at = `spec.externalIPs[${index}]`
    const wrong = validateLegacyIp(address, at, known)
    return wrong.length > 0 || !parseIp(address) ? wrong : validateReachable(address, at)
  })
}

const rangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges'

const validateSourceRanges = (service: Draft<Service>, before: Draft<Service> | undefined): StatusCause[] => {
  const spec = service.spec ?? {}
  const ranges = items(spec.loadBalancerSourceRanges)
  const only = (at: string): StatusCause[] =>
    spec.type === 'LoadBalancer' ? [] : [forbiddenField(at, "may only be used when `type` is 'LoadBalancer'")]
  if (ranges.length > 0) {
    // Upstream's errors name the field with a capital.
    const at = 'spec.LoadBalancerSourceRanges'
    const known = items(before?.spec?.loadBalancerSourceRanges).map((range) => range.trim())
    return [
      ...only(at),
      ...ranges.flatMap((range, index) => validateLegacyCidr(range.trim(), `${at}[${index}]`, known)),
    ]
  }
  const annotation = service.metadata.annotations?.[rangesAnnotation]
  if (typeof annotation !== 'string') return []
  const at = `metadata.annotations[${rangesAnnotation}]`
  const same = before?.metadata.annotations?.[rangesAnnotation] === annotation
  const texts = same || annotation.trim() === '' ? [] : annotation.trim().split(',')
  return [...only(at), ...texts.flatMap((text) => validateLegacyCidr(text.trim(), at))]
}

const hintsAnnotation = 'service.kubernetes.io/topology-aware-hints'
const modeAnnotation = 'service.kubernetes.io/topology-mode'

const validateTopologyAnnotations = (annotations: Readonly<Record<string, string>> | undefined): StatusCause[] => {
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

const validateAffinity = (spec: Decoded<ServiceSpec>): StatusCause[] => {
  const affinity = spec.sessionAffinity
  if (!affinity) return [required('spec.sessionAffinity')]
  if (!affinities.includes(affinity)) return [notSupported('spec.sessionAffinity', affinity, affinities)]
  const at = 'spec.sessionAffinityConfig'
  const config = spec.sessionAffinityConfig
  if (affinity === 'None') return config ? [forbiddenField(at, 'must not be set when session affinity is None')] : []
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

const validateExternalTraffic = (spec: Decoded<ServiceSpec>): StatusCause[] => {
  const causes: StatusCause[] = []
  const { type, externalTrafficPolicy: policy, healthCheckNodePort: port } = spec
  const at = 'spec.externalTrafficPolicy'
  const reachable =
    type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && items(spec.externalIPs).length > 0)
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

const validateType = (spec: Decoded<ServiceSpec>): StatusCause[] => {
  const { type, internalTrafficPolicy: internal } = spec
  const causes: StatusCause[] = []
  if (!type) causes.push(required('spec.type'))
  else if (!types.includes(type)) causes.push(notSupported('spec.type', type, types))
  const inside = 'spec.internalTrafficPolicy'
  if (typeof internal !== 'string') {
    if (type && types.includes(type) && type !== 'ExternalName') causes.push(required(inside))
  } else if (!trafficPolicies.includes(internal)) causes.push(notSupported(inside, internal, trafficPolicies))
  if (typeof spec.allocateLoadBalancerNodePorts === 'boolean' && type !== 'LoadBalancer')
    causes.push(forbiddenField('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'"))
  if (type === 'LoadBalancer' && typeof spec.allocateLoadBalancerNodePorts !== 'boolean')
    causes.push(required('allocateLoadBalancerNodePorts'))
  return causes
}

const validateBalancerClass = (spec: Decoded<ServiceSpec>): StatusCause[] => {
  const balancer = spec.loadBalancerClass
  if (typeof balancer !== 'string') return []
  return spec.type === 'LoadBalancer'
    ? byRule(qualifiedName, balancer, 'spec.loadBalancerClass')
    : [forbiddenField('spec.loadBalancerClass', "may only be used when `type` is 'LoadBalancer'")]
}

/** A service, after defaults; `before` may keep addresses that would not be taken today. */
export const validateService = (service: Draft<Service>, before?: Draft<Service>): StatusCause[] => {
  const spec = service.spec ?? {}
  const was = before?.spec
  const { type } = spec
  const causes = validateTopologyAnnotations(service.metadata.annotations)
  if (items(spec.ports).length === 0 && !isHeadless(spec) && type !== 'ExternalName')
    causes.push(required('spec.ports'))
  if ((type === 'LoadBalancer' || type === 'NodePort') && isHeadless(spec))
    causes.push(invalidValue('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${type} services`))
  if (type === 'ExternalName') causes.push(...validateExternalName(spec))
  causes.push(...validatePorts(spec))
  if (spec.selector) causes.push(...validateLabels(spec.selector, 'spec.selector'))
  causes.push(...validateAffinity(spec))
  if (type !== 'ExternalName') causes.push(...validateClusterIps(spec, was))
  causes.push(
    ...validateExternalIps(spec, was),
    ...validateType(spec),
    ...validateSourceRanges(service, before),
    ...validateBalancerClass(spec),
    ...validateExternalTraffic(spec),
  )
  const distribution = spec.trafficDistribution
  if (typeof distribution === 'string' && !distributions.includes(distribution))
    causes.push(notSupported('spec.trafficDistribution', distribution, distributions))
  return causes
}

/** What is wrong with a node port outside the range. */
export const nodePortRangeSentence = (low: number, high: number): string =>
  `provided port is not in the valid range. The range of valid ports is ${low}-${high}`
