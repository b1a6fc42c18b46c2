// A pod's spec, whether of a pod or of a workload's template (k8s.io/kubernetes/pkg/apis/core/validation).
import {
  duplicate,
  forbiddenField,
  invalidValue,
  notFoundField,
  notSupported,
  required,
} from '@shiplog/api/field-errors'
import type {
  EphemeralContainer,
  PodSchedulingGate,
  PodSecurityContext,
  PodSpec,
  PodTemplateSpec,
} from '@shiplog/api/generated/types/core-v1'
import { validateLabels } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, isBlank, items, requiredName } from '../fields.ts'
import { validateLegacyIp } from '../ip-addresses.ts'
import { validateAnnotations } from '../metadata-validation.ts'
import { dns1123Label, dns1123Subdomain, inclusiveRange, qualifiedName, searchDomain } from '../names.ts'
import { containersOf } from './containers.ts'
import { addName, validateContainerCommon, validateContainers, validateInitContainers } from './container-validation.ts'
import { validatePodAnnotations, validateSeccompMatch } from './pod-annotation-validation.ts'
import { validatePodCombinations } from './pod-cross-validation.ts'
import { validateAffinity, validateSchedulingGroup, validateTolerations, validateTopologySpread } from './scheduling-validation.ts'
import { validatePodResources } from './pod-resources.ts'
import { validateResources } from './resource-validation.ts'
import { validateSecurityCommon } from './security-context-validation.ts'
import { validateVolumes } from './volume-validation.ts'

const restartPolicies = ['Always', 'OnFailure', 'Never']
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']
const operatingSystems = ['linux', 'windows']
const preemptionPolicies = ['PreemptLowerPriority', 'Never']
const activeDeadlineSecondsMax = 2_147_483_647
const nameserversMax = 3

const validateEphemeralContainers = (
  containers: Decoded<EphemeralContainer[]> | undefined,
  volumeNames: ReadonlySet<string>,
  field: string,
  names: ReadonlySet<string>,
): StatusCause[] => {
  const causes: StatusCause[] = []
  const seen = new Set(names)
  items(containers).forEach((container, index) => {
    const at = `${field}[${index}]`
    causes.push(...validateContainerCommon(container, volumeNames, at))
    addName(container, seen, at, causes)
    if (container.targetContainerName && !names.has(container.targetContainerName))
      causes.push(notFoundField(`${at}.targetContainerName`, container.targetContainerName))
    for (const key of ['ports', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'] as const)
      if (container[key]) causes.push(forbiddenField(`${at}.${key}`, 'cannot be set for an Ephemeral Container'))
    if (!isBlank(container.resources))
      causes.push(forbiddenField(`${at}.resources`, 'cannot be set for an Ephemeral Container'))
  })
  return causes
}

const validateHostPorts = (spec: Decoded<PodSpec>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const seen = new Set<string>()
  items(spec.containers).forEach((container, index) => {
    items(container.ports).forEach((port, position) => {
      const at = `${field}.containers[${index}].ports[${position}]`
      if (!port.hostPort) return
      if (spec.hostNetwork === true && port.hostPort !== port.containerPort)
        causes.push(
          invalidValue(`${at}.hostPort`, port.hostPort, 'must match `containerPort` when `hostNetwork` is true'),
        )
      const key = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`
      if (seen.has(key)) causes.push(duplicate(`${at}.hostPort`, key))
      seen.add(key)
    })
  })
  return causes
}

const validateDns = (spec: Decoded<PodSpec>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const policy = spec.dnsPolicy
  if (!policy) causes.push(required(`${field}.dnsPolicy`))
  else if (!dnsPolicies.includes(policy)) causes.push(notSupported(`${field}.dnsPolicy`, policy, dnsPolicies))
  const nameservers = items(spec.dnsConfig?.nameservers)
  if (policy === 'None') {
    if (!spec.dnsConfig)
      causes.push(required(`${field}.dnsConfig`, 'must provide `dnsConfig` when `dnsPolicy` is None'))
    else if (nameservers.length === 0)
      causes.push(
        required(`${field}.dnsConfig.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'),
      )
  }
  if (nameservers.length > nameserversMax)
    causes.push(
      invalidValue(
        `${field}.dnsConfig.nameservers`,
        nameservers,
        `must not have more than ${nameserversMax} nameservers`,
      ),
    )
  nameservers.forEach((address, index) => {
    causes.push(...validateLegacyIp(address, `${field}.dnsConfig.nameservers[${index}]`))
  })
  items(spec.dnsConfig?.searches).forEach((domain, index) => {
    const text = String(domain).replace(/\.$/, '')
    causes.push(...byRule(searchDomain, text, `${field}.dnsConfig.searches[${index}]`))
  })
  items(spec.dnsConfig?.options).forEach((option, index) => {
    if (!option.name) causes.push(required(`${field}.dnsConfig.options[${index}]`, 'must not be empty'))
  })
  return causes
}

const groupIdMax = 2_147_483_647
const sysctlPattern = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/
const sysctlSentence =
  'must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$'

/** The namespace of a kernel parameter, by the field that shares the host's. */
const sharedNamespace = (sysctl: string): 'hostNetwork' | 'hostIPC' | undefined => {
  const name = sysctl.replaceAll('/', '.')
  if (name.startsWith('net.')) return 'hostNetwork'
  return /^(kernel\.(shm|msg)|fs\.mqueue\.)/.test(name) || name === 'kernel.sem' ? 'hostIPC' : undefined
}

/** All of /proc is shown only to a container whose root is nobody outside. */
const validateProcMounts = (spec: Decoded<PodSpec>, field: string): StatusCause[] =>
  spec.hostUsers === false
    ? []
    : containersOf(spec, field).flatMap(([container, at]) =>
        container.securityContext?.procMount === 'Unmasked'
          ? [invalidValue(`${at}.securityContext.procMount`, 'Unmasked', '`hostUsers` must be false to use `Unmasked`')]
          : [],
      )

const validatePodSecurity = (
  context: Decoded<PodSecurityContext> | undefined,
  field: string,
  host: Decoded<PodSpec>,
): StatusCause[] => {
  if (!context) return []
  const causes = validateSecurityCommon(context, field)
  items(context.supplementalGroups).forEach((group, index) => {
    if (group < 0 || group > groupIdMax)
      causes.push(invalidValue(`${field}.supplementalGroups[${index}]`, group, inclusiveRange(0, groupIdMax)))
  })
  const seen = new Set<string>()
  items(context.sysctls).forEach(({ name = '' }, index) => {
    const at = `${field}.sysctls[${index}].name`
    if (name === '') causes.push(required(at))
    else if (name.length > 253 || !sysctlPattern.test(name)) causes.push(invalidValue(at, name, sysctlSentence))
    else if (seen.has(name)) causes.push(duplicate(at, name))
    seen.add(name)
    const shared = sharedNamespace(name)
    if (shared && host[shared] === true)
      causes.push(invalidValue(at, name, `may not be specified when '${shared}' is true`))
  })
  const oneOf = (
    key: 'fsGroupChangePolicy' | 'supplementalGroupsPolicy' | 'seLinuxChangePolicy',
    values: readonly string[],
  ): void => {
    const value = context[key]
    if (value !== undefined && !values.includes(value)) causes.push(notSupported(`${field}.${key}`, value, values))
  }
  oneOf('fsGroupChangePolicy', ['Always', 'OnRootMismatch'])
  oneOf('supplementalGroupsPolicy', ['Merge', 'Strict'])
  oneOf('seLinuxChangePolicy', ['Recursive'])
  return causes
}

/** The whole spec at `field`. `podName` is absent for templates. */
export const validatePodSpec = (spec: Decoded<PodSpec>, field: string, podName?: string): StatusCause[] => {
  // Only volumes that are right can be mounted.
  const volumeNames = new Set<string>()
  const causes: StatusCause[] = validateVolumes(spec.volumes, `${field}.volumes`, podName, volumeNames)
  const names = new Set<string>()
  const grace = spec.terminationGracePeriodSeconds ?? 0
  causes.push(...validateContainers(spec.containers, volumeNames, `${field}.containers`, names, grace))
  if (spec.initContainers)
    causes.push(...validateInitContainers(spec.initContainers, volumeNames, `${field}.initContainers`, names, grace))
  if (spec.ephemeralContainers)
    causes.push(
      ...validateEphemeralContainers(spec.ephemeralContainers, volumeNames, `${field}.ephemeralContainers`, names),
    )
  causes.push(...validateHostPorts(spec, field))
  const restartPolicy = spec.restartPolicy
  if (!restartPolicy) causes.push(required(`${field}.restartPolicy`))
  else if (!restartPolicies.includes(restartPolicy))
    causes.push(notSupported(`${field}.restartPolicy`, restartPolicy, restartPolicies))
  causes.push(...validateDns(spec, field))
  causes.push(...validateLabels(spec.nodeSelector, `${field}.nodeSelector`))
  causes.push(...validatePodSecurity(spec.securityContext, `${field}.securityContext`, spec))
  items(spec.resourceClaims).forEach((claim, index) => {
    const { name = '', resourceClaimName = null, resourceClaimTemplateName = null } = claim
    const at = `${field}.resourceClaims[${index}]`
    causes.push(...requiredName(dns1123Label, name, `${at}.name`))
    const shown = {
      Name: name,
      ResourceClaimName: resourceClaimName,
      ResourceClaimTemplateName: resourceClaimTemplateName,
    }
    if (resourceClaimName === null && resourceClaimTemplateName === null)
      causes.push(invalidValue(at, shown, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`'))
    if (resourceClaimName !== null && resourceClaimTemplateName !== null)
      causes.push(
        invalidValue(at, shown, 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified'),
      )
  })
  if (spec.affinity) causes.push(...validateAffinity(spec.affinity, `${field}.affinity`))
  items(spec.readinessGates).forEach((gate, index) => {
    causes.push(
      ...byRule(qualifiedName, String(gate.conditionType ?? ''), `${field}.readinessGates[${index}].conditionType`),
    )
  })
  causes.push(...validateGates(spec.schedulingGates, `${field}.schedulingGates`))
  causes.push(...validateSchedulingGroup(spec.schedulingGroup, `${field}.schedulingGroup`))
  if (spec.topologySpreadConstraints)
    causes.push(...validateTopologySpread(spec.topologySpreadConstraints, `${field}.topologySpreadConstraints`))
  for (const key of ['serviceAccountName', 'nodeName', 'priorityClassName', 'runtimeClassName'] as const)
    if (spec[key]) causes.push(...byRule(dns1123Subdomain, String(spec[key]), `${field}.${key}`))
  const deadline = spec.activeDeadlineSeconds
  if (typeof deadline === 'number' && (deadline < 1 || deadline > activeDeadlineSecondsMax))
    causes.push(invalidValue(`${field}.activeDeadlineSeconds`, deadline, inclusiveRange(1, activeDeadlineSecondsMax)))
  for (const key of ['hostname', 'subdomain'] as const)
    if (spec[key]) causes.push(...byRule(dns1123Label, String(spec[key]), `${field}.${key}`))
  if (spec.tolerations) causes.push(...validateTolerations(spec.tolerations, `${field}.tolerations`))
  items(spec.hostAliases).forEach((alias, index) => {
    causes.push(...validateLegacyIp(alias.ip ?? '', `${field}.hostAliases[${index}].ip`))
    items(alias.hostnames).forEach((hostname, position) => {
      causes.push(
        ...byRule(dns1123Subdomain, String(hostname), `${field}.hostAliases[${index}].hostnames[${position}]`),
      )
    })
  })
  causes.push(...validatePodCombinations(spec, field))
  const os = spec.os
  if (os && !os.name) causes.push(required(`${field}.os.name`))
  else if (os?.name && !operatingSystems.includes(os.name))
    causes.push(notSupported(`${field}.os.name`, os.name, operatingSystems))
  if (spec.preemptionPolicy && !preemptionPolicies.includes(spec.preemptionPolicy))
    causes.push(notSupported(`${field}.preemptionPolicy`, spec.preemptionPolicy, preemptionPolicies))
  if (spec.overhead) causes.push(...validateResources({ limits: spec.overhead }, `${field}.overhead`))
  if (spec.resources) causes.push(...validatePodResources(spec, `${field}.resources`))
  causes.push(...validateProcMounts(spec, field))
  return causes
}

const validateGates = (gates: Decoded<PodSchedulingGate[]> | undefined, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const seen = new Set<string>()
  items(gates).forEach(({ name = '' }, index) => {
    const at = `${field}[${index}]`
    causes.push(...byRule(qualifiedName, name, at))
    if (seen.has(name)) causes.push(duplicate(at, name))
    seen.add(name)
  })
  return causes
}

/** A workload's template: its metadata and its spec. */
export const validatePodTemplate = (template: Decoded<PodTemplateSpec> | undefined, field: string): StatusCause[] => {
  if (!template) return [required(field)]
  const metadata = template.metadata ?? {}
  const causes = [
    ...validateLabels(metadata.labels, `${field}.labels`),
    ...validateAnnotations(metadata.annotations, `${field}.annotations`),
    ...validatePodAnnotations(metadata.annotations, template.spec ?? {}, `${field}.annotations`),
    ...validatePodSpec(template.spec ?? {}, `${field}.spec`),
    ...validateSeccompMatch(metadata.annotations, template.spec ?? {}, `${field}.spec`),
  ]
  if (items(template.spec?.ephemeralContainers).length > 0)
    causes.push(forbiddenField(`${field}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'))
  return causes
}
