// What a write of a pod's status may say: addresses of one kind each, states that do not come back to life.
import { duplicate, forbiddenField, invalidValue, notSupported, required, tooLong } from '@shiplog/api/field-errors'
import type {
  ContainerStatus,
  ContainerUser,
  EphemeralContainer,
  Pod,
  PodCondition,
  PodExtendedResourceClaimStatus,
  PodSpec,
  PodStatus,
} from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { byRule, entries, immutable, items, requiredName } from '../fields.ts'
import { isDualStack, validateLegacyIp } from '../ip-addresses.ts'
import { dns1123Label, dns1123Subdomain, inclusiveRange, qualifiedName } from '../names.ts'
import { nanosOf } from '../quantities.ts'

const wellKnownConditions = new Set(['PodScheduled', 'Ready', 'Initialized'])
const idMax = 2_147_483_647
const healths = ['Healthy', 'Unhealthy', 'Unknown']
const healthMessageCharactersMax = 256
const imageReferenceCharactersMax = 256

const validateGeneration = (value: unknown, field: string): StatusCause[] =>
  typeof value === 'number' && value < 0 ? [invalidValue(field, value, 'must be a non-negative integer')] : []

const validateConditions = (conditions: Decoded<PodCondition[]> | undefined): StatusCause[] =>
  items(conditions).flatMap(({ type = '', observedGeneration }, index) => [
    ...validateGeneration(observedGeneration, `status.conditions[${index}].observedGeneration`),
    ...(wellKnownConditions.has(type) ? [] : byRule(qualifiedName, type, `status.conditions[${index}].Type`)),
  ])

/** Whether a rule of a container, or of the pod, brings a container back that ended with this code. */
const mayRestart = (
  container: Decoded<EphemeralContainer> | undefined,
  spec: Decoded<PodSpec>,
  exitCode: number,
): boolean => {
  if (!container) return false
  for (const rule of items(container.restartPolicyRules)) {
    const { operator, values } = rule.exitCodes ?? {}
    const holds = operator === 'In' ? items(values).includes(exitCode) : !items(values).includes(exitCode)
    if (rule.exitCodes && holds && rule.action === 'Restart') return true
  }
  const policy = container.restartPolicy ?? spec.restartPolicy
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0)
}

const validateTransitions = (next: Draft<Pod>, before: Draft<Pod>): StatusCause[] => {
  const spec = before.spec ?? {}
  const lists = [
    ['containerStatuses', 'containers'],
    ['initContainerStatuses', 'initContainers'],
    ['ephemeralContainerStatuses', undefined],
  ] as const
  return lists.flatMap(([list, containers]) =>
    items(before.status?.[list]).flatMap((old, index) => {
      const ended = old.state?.terminated
      const now = items(next.status?.[list]).find(({ name }) => name === old.name)
      if (!ended || !now || now.state?.terminated) return []
      const container = containers && items(spec[containers]).find(({ name }) => name === old.name)
      if (mayRestart(container, spec, ended.exitCode ?? 0)) return []
      return [forbiddenField(`status.${list}[${index}].state`, 'may not be transitioned to non-terminated state')]
    }),
  )
}

const validateAddresses = (next: Draft<Pod>, before: Draft<Pod>, key: 'podIPs' | 'hostIPs'): StatusCause[] => {
  const list = items(next.status?.[key])
  const known = items(before.status?.[key]).map(({ ip }) => String(ip ?? ''))
  const at = `status.${key}`
  const causes: StatusCause[] = []
  const single = next.status?.hostIP ?? ''
  const [first] = list
  if (key === 'hostIPs' && first && single !== (first.ip ?? ''))
    causes.push(invalidValue(`${at}[0].ip`, first.ip ?? '', 'must be equal to `hostIP`'))
  causes.push(...list.flatMap(({ ip }, index) => validateLegacyIp(ip, `${at}[${index}]`, known)))
  const texts = list.map(({ ip }) => String(ip ?? ''))
  // Upstream's objects have their Go names in this sentence.
  const shown = texts.map((ip) => ({ IP: ip }))
  if (texts.length > 1 && (!isDualStack(texts) || texts.length > 2))
    causes.push(invalidValue(at, shown, 'may specify no more than one IP for each IP family'))
  return causes
}

const validateClaimStatuses = (status: Decoded<PodStatus>, spec: Decoded<PodSpec>): StatusCause[] => {
  const seen = new Set<string>()
  return items(status.resourceClaimStatuses).flatMap((one, index) => {
    const at = `status.resourceClaimStatuses[${index}]`
    const causes: StatusCause[] = []
    const name = one.name ?? ''
    if (!items(spec.resourceClaims).some((claim) => claim.name === name))
      causes.push(invalidValue(`${at}.name`, name, 'must match the name of an entry in `spec.resourceClaims`'))
    if (seen.has(name)) causes.push(duplicate(`${at}.name`, name))
    seen.add(name)
    if (typeof one.resourceClaimName === 'string')
      causes.push(...byRule(dns1123Subdomain, one.resourceClaimName, `${at}.resourceClaimName`))
    return causes
  })
}

const validateExtendedClaim = (
  given: Decoded<PodExtendedResourceClaimStatus> | undefined,
  spec: Decoded<PodSpec>,
): StatusCause[] => {
  if (!given) return []
  const at = 'status.extendedResourceClaimStatus'
  const containers = [...items(spec.initContainers), ...items(spec.containers)]
  const causes: StatusCause[] = []
  const mappings = items(given.requestMappings)
  if (mappings.length === 0) causes.push(required(`${at}.requestMappings`, 'at least one request mapping is required'))
  const seen = new Set<string>()
  mappings.forEach((mapping, index) => {
    const place = `${at}.requestMappings[${index}]`
    const { containerName = '', resourceName = '', requestName = '' } = mapping
    const container = containers.find(({ name }) => name === containerName)
    if (!container)
      causes.push(
        invalidValue(
          `${place}.containerName`,
          containerName,
          'must match the name of an entry in spec.initContainers.name or spec.containers.name',
        ),
      )
    else if (container.resources?.requests?.[resourceName] === undefined)
      causes.push(
        invalidValue(
          `${place}.resourceName`,
          resourceName,
          'must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests',
        ),
      )
    causes.push(...byRule(dns1123Label, requestName, `${at}.requestName`))
    const key = JSON.stringify([containerName, resourceName, requestName])
    if (seen.has(key)) causes.push(duplicate(place, mapping))
    seen.add(key)
  })
  return [...causes, ...requiredName(dns1123Subdomain, given.resourceClaimName, `${at}.resourceClaimName`)]
}

const validateUser = (user: Decoded<ContainerUser> | undefined, windows: boolean, field: string): StatusCause[] => {
  const linux = user?.linux
  if (!linux) return []
  if (windows) return [forbiddenField(`${field}.linux`, 'cannot be set for a windows pod')]
  const id = (value: unknown, at: string): StatusCause[] =>
    typeof value === 'number' && (value < 0 || value > idMax) ? [invalidValue(at, value, inclusiveRange(0, idMax))] : []
  return [
    ...id(linux.uid, `${field}.linux.uid`),
    ...id(linux.gid, `${field}.linux.gid`),
    ...items(linux.supplementalGroups).flatMap((group, index) =>
      id(group, `${field}.linux.supplementalGroups[${index}]`),
    ),
  ]
}

const validateAllocated = (
  status: Decoded<ContainerStatus>,
  container: Decoded<EphemeralContainer> | undefined,
  field: string,
): StatusCause[] =>
  items(status.allocatedResourcesStatus).flatMap((allocated, index) => {
    const at = `${field}.allocatedResourcesStatus[${index}]`
    const causes: StatusCause[] = []
    const name = allocated.name ?? ''
    const claim = name.startsWith('claim:')
    const claims = items(container?.resources?.claims).map(
      (one) => `claim:${one.name}${one.request ? `/${one.request}` : ''}`,
    )
    const known = claim ? claims.includes(name) : container?.resources?.requests?.[name] !== undefined
    if (container && !known)
      causes.push(
        invalidValue(
          `${at}.name`,
          name,
          claim
            ? "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty"
            : "must match one of the container's resource requests",
        ),
      )
    const ids = new Set<string>()
    items(allocated.resources).forEach((one, position) => {
      const place = `${at}.resources[${position}]`
      const { health = '', message, resourceID = '' } = one
      if (!healths.includes(health)) causes.push(notSupported(`${place}.health`, health, healths))
      if (message === '') causes.push(required(`${place}.message`, 'must be non-empty if specified'))
      else if (message !== undefined && message.length > healthMessageCharactersMax)
        causes.push(tooLong(`${place}.message`, healthMessageCharactersMax))
      if (ids.has(resourceID)) causes.push(duplicate(`${place}.resourceID`, resourceID))
      ids.add(resourceID)
    })
    return causes
  })

const validateMountedImages = (status: Decoded<ContainerStatus>, field: string): StatusCause[] =>
  items(status.volumeMounts).flatMap((mount, index) => {
    const image = mount.volumeStatus?.image
    const at = `${field}.volumeMounts[${index}].volumeStatus.imageVolumeStatus.imageRef`
    if (!image) return []
    if (!image.imageRef) return [required(at, 'imageRef must not be empty')]
    return image.imageRef.length > imageReferenceCharactersMax ? [tooLong(at, imageReferenceCharactersMax)] : []
  })

const validateContainerStatuses = (next: Draft<Pod>): StatusCause[] => {
  const spec = next.spec ?? {}
  const windows = spec.os?.name === 'windows'
  const lists = [
    ['containerStatuses', 'containers'],
    ['initContainerStatuses', 'initContainers'],
    ['ephemeralContainerStatuses', undefined],
  ] as const
  return lists.flatMap(([list, containers]) =>
    items(next.status?.[list]).flatMap((status, index) => {
      const at = `status.${list}[${index}]`
      const container = containers && items(spec[containers]).find(({ name }) => name === status.name)
      return [
        ...validateUser(status.user, windows, `${at}.user`),
        ...(containers
          ? validateAllocated(status, container, at)
          : items(status.allocatedResourcesStatus).length > 0
            ? [forbiddenField(`${at}.allocatedResourcesStatus`, 'must not be specified in container status')]
            : []),
        ...validateMountedImages(status, at),
      ]
    }),
  )
}

const nativeResources = /^(cpu|memory|ephemeral-storage|storage|hugepages-.+|pods)$/

const validateAllocatableClaims = (status: Decoded<PodStatus>, spec: Decoded<PodSpec>): StatusCause[] =>
  items(status.nodeAllocatableResourceClaimStatuses).flatMap((one, index) => {
    const at = `status.nodeAllocatableResourceClaimStatuses[${index}]`
    const name = one.resourceClaimName ?? ''
    const causes: StatusCause[] = name === '' ? [required(`${at}.resourceClaimName`, 'must not be empty')] : []
    const named = [...items(spec.resourceClaims), ...items(status.resourceClaimStatuses)]
    if (!named.some(({ resourceClaimName }) => resourceClaimName === name))
      causes.push(invalidValue(`${at}.resourceClaimName`, name, 'no mapping found in pod reference'))
    if (items(one.containers).length === 0) causes.push(required(`${at}.containers`, 'must not be empty'))
    if (entries(one.resources).length === 0) causes.push(required(`${at}.resources`, 'must not be empty'))
    for (const [resource, quantity] of entries(one.resources)) {
      const place = `${at}.resources[${resource}]`
      if (!nativeResources.test(resource))
        causes.push(invalidValue(place, resource, 'must be a node allocatable resource name'))
      if ((nanosOf(quantity) ?? 0n) < 0n) causes.push(invalidValue(place, String(quantity), 'must be non-negative'))
    }
    return causes
  })

/** All that a write of the status, or of what the status shares with it, must keep to. */
export const validatePodStatusUpdate = (next: Draft<Pod>, before: Draft<Pod>): StatusCause[] => {
  const status = next.status ?? {}
  const spec = next.spec ?? {}
  const nominated = status.nominatedNodeName ?? ''
  const newlyNominated = nominated !== '' && nominated !== (before.status?.nominatedNodeName ?? '')
  return [
    ...validateConditions(status.conditions),
    ...(newlyNominated ? byRule(dns1123Subdomain, nominated, 'status.nominatedNodeName') : []),
    ...(newlyNominated && before.spec?.nodeName
      ? [forbiddenField('status.nominatedNodeName', 'may not be set on pods that are already bound to a node')]
      : []),
    ...validateGeneration(status.observedGeneration, 'status.observedGeneration'),
    ...immutable(status.qosClass ?? '', before.status?.qosClass ?? '', 'status.qosClass'),
    ...validateTransitions(next, before),
    ...validateClaimStatuses(status, spec),
    ...validateExtendedClaim(status.extendedResourceClaimStatus, spec),
    ...validateAllocatableClaims(status, spec),
    ...validateAddresses(next, before, 'podIPs'),
    ...validateAddresses(next, before, 'hostIPs'),
    ...validateContainerStatuses(next),
  ]
}
