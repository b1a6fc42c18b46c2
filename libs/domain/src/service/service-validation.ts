// Validation of services (ValidateService and ValidateServiceUpdate of k8s.io/kubernetes/pkg/apis/core/validation).
import { duplicate, forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type { JsonObject } from '@shiplog/api/kube-object'
import { validateLabels } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import { byRule, items, requiredName } from '../fields.ts'
import { dns1123Label, dns1123Subdomain, portNumber, qualifiedName } from '../names.ts'
import { validatePortNumberOrName } from '../pod/container-validation.ts'
import { cidrSentence, isCidr, isIpv4, isIpv6 } from './ip-range.ts'
import { validateFamilyFields } from './service-families.ts'

const protocols = ['SCTP', 'TCP', 'UDP']
const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const affinities = ['ClientIP', 'None']
const trafficPolicies = ['Cluster', 'Local']
const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode']
const clientIpTimeoutSecondsMax = 86_400

const validatePorts = (spec: JsonObject): StatusCause[] => {
  const causes: StatusCause[] = []
  const ports = items(spec['ports'])
  const headless = items(spec['clusterIPs'])[0] === 'None' || spec['clusterIP'] === 'None'
  if (ports.length === 0 && !headless && spec['type'] !== 'ExternalName') causes.push(required('spec.ports'))
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
    if (port['nodePort'] && spec['type'] === 'ExternalName')
      causes.push(forbiddenField(`${at}.nodePort`, "may not be used when `type` is 'ExternalName'"))
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

const isHeadless = (spec: JsonObject): boolean =>
  items(spec['clusterIPs']).length === 1 && items(spec['clusterIPs'])[0] === 'None'

const validateClusterIps = (spec: JsonObject): StatusCause[] => {
  if (spec['type'] === 'ExternalName') {
    const given: readonly (readonly [string, boolean])[] = [
      ['clusterIPs', items(spec['clusterIPs']).length > 0 || Boolean(spec['clusterIP'])],
      ['ipFamilies', items(spec['ipFamilies']).length > 0],
      ['ipFamilyPolicy', typeof spec['ipFamilyPolicy'] === 'string'],
    ]
    return given.flatMap(([field, present]) =>
      present ? [forbiddenField(`spec.${field}`, 'may not be set for ExternalName services')] : [],
    )
  }
  const causes = validateFamilyFields(spec)
  if (isHeadless(spec) && (spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer'))
    causes.push(invalidValue('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec['type']} services`))
  return causes
}

const validateEnums = (spec: JsonObject): StatusCause[] => {
  const causes: StatusCause[] = []
  const affinity = spec['sessionAffinity']
  if (!affinity) causes.push(required('spec.sessionAffinity'))
  else if (!affinities.includes(affinity)) causes.push(notSupported('spec.sessionAffinity', affinity, affinities))
  if (affinity === 'ClientIP') {
    const seconds = spec['sessionAffinityConfig']?.clientIP?.timeoutSeconds
    if (typeof seconds === 'number' && (seconds <= 0 || seconds > clientIpTimeoutSecondsMax))
      causes.push(
        invalidValue(
          'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
          seconds,
          `must be greater than 0 and less than ${clientIpTimeoutSecondsMax}`,
        ),
      )
  }
  const type = spec['type']
  if (!type) causes.push(required('spec.type'))
  else if (!types.includes(type)) causes.push(notSupported('spec.type', type, types))
  const external = spec['externalTrafficPolicy']
  if (external) {
    const reachable = type === 'NodePort' || type === 'LoadBalancer' || items(spec['externalIPs']).length > 0
    if (!reachable)
      causes.push(
        invalidValue('spec.externalTrafficPolicy', external, 'may only be set for externally-accessible services'),
      )
    else if (!trafficPolicies.includes(external))
      causes.push(notSupported('spec.externalTrafficPolicy', external, trafficPolicies))
  }
  const internal = spec['internalTrafficPolicy']
  if (typeof internal === 'string' && !trafficPolicies.includes(internal))
    causes.push(notSupported('spec.internalTrafficPolicy', internal, trafficPolicies))
  if (typeof spec['allocateLoadBalancerNodePorts'] === 'boolean' && type !== 'LoadBalancer')
    causes.push(forbiddenField('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'"))
  return causes
}

/** A service, after defaults. */
export const validateService = (service: JsonObject): StatusCause[] => {
  const spec: JsonObject = service['spec'] ?? {}
  const causes: StatusCause[] = []
  if (spec['type'] === 'ExternalName')
    causes.push(
      ...requiredName(dns1123Subdomain, String(spec['externalName'] ?? '').replace(/\.$/, ''), 'spec.externalName'),
    )
  causes.push(...validatePorts(spec))
  if (spec['selector']) causes.push(...validateLabels(spec['selector'], 'spec.selector'))
  causes.push(...validateEnums(spec), ...validateClusterIps(spec))
  items(spec['externalIPs']).forEach((address, index) => {
    if (!isIpv4(String(address)) && !isIpv6(String(address)))
      causes.push(
        invalidValue(
          `spec.externalIPs[${index}]`,
          address,
          'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        ),
      )
  })
  const ranges = items(spec['loadBalancerSourceRanges'])
  if (ranges.length > 0) {
    // Upstream's errors name the field with a capital.
    const at = 'spec.LoadBalancerSourceRanges'
    if (spec['type'] !== 'LoadBalancer')
      causes.push(forbiddenField(at, "may only be used when `type` is 'LoadBalancer'"))
    ranges.forEach((range, index) => {
      if (!isCidr(String(range).trim())) causes.push(invalidValue(`${at}[${index}]`, range, cidrSentence))
    })
  }
  const distribution = spec['trafficDistribution']
  if (typeof distribution === 'string' && !distributions.includes(distribution))
    causes.push(notSupported('spec.trafficDistribution', distribution, distributions))
  const balancer = spec['loadBalancerClass']
  if (typeof balancer === 'string') {
    if (spec['type'] === 'LoadBalancer') causes.push(...byRule(qualifiedName, balancer, 'spec.loadBalancerClass'))
    else causes.push(forbiddenField('spec.loadBalancerClass', "may only be used when `type` is 'LoadBalancer'"))
  }
  const healthPort = spec['healthCheckNodePort']
  if (healthPort) {
    for (const sentence of portNumber(healthPort))
      causes.push(invalidValue('spec.healthCheckNodePort', healthPort, sentence))
    if (spec['type'] !== 'LoadBalancer' || spec['externalTrafficPolicy'] !== 'Local')
      causes.push(
        invalidValue(
          'spec.healthCheckNodePort',
          healthPort,
          "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        ),
      )
  }
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
  if (now['type'] === 'ExternalName' || was['type'] === 'ExternalName') return []
  const causes: StatusCause[] = []
  causes.push(...validateAddressChange(now, was), ...validateFamilyChange(now, was))
  const oldHealthPort = was['healthCheckNodePort']
  if (oldHealthPort && now['healthCheckNodePort'] && now['healthCheckNodePort'] !== oldHealthPort)
    causes.push(forbiddenField('spec.healthCheckNodePort', 'field is immutable'))
  return causes
}

/** What is wrong with a node port outside the range. */
export const nodePortRangeSentence = (low: number, high: number): string =>
  `provided port is not in the valid range. The range of valid ports is ${low}-${high}`
