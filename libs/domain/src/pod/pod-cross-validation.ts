// Fields of a pod that do not go together: namespaces of the host, operating systems, claims of devices, volumes twice.
import { duplicate, forbiddenField, invalidValue, notFoundField, required, tooLong } from '@shiplog/api/field-errors'
import type { PodSpec, ResourceClaim, Volume } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, items } from '../fields.ts'
import { dns1123Label, dns1123Subdomain } from '../names.ts'
import { containersOf } from './containers.ts'

const hostnameCharactersMax = 64

const isSet = (value: unknown): boolean => value !== undefined && value !== null

/** Users of their own, and namespaces of the host. */
const validateHostUsers = (spec: Decoded<PodSpec>, field: string): StatusCause[] => {
  if (spec.hostUsers !== false) return []
  const forbidden = (name: string): StatusCause => forbiddenField(`${field}.${name}`, 'when `hostUsers` is false')
  return [
    ...(spec.hostNetwork === true ? [forbidden('hostNetwork')] : []),
    ...(spec.hostPID === true ? [forbidden('HostPID')] : []),
    ...(spec.hostIPC === true ? [forbidden('HostIPC')] : []),
    ...containersOf(spec, field).flatMap(([container, at]) =>
      items(container.volumeDevices).length > 0
        ? [forbiddenField(`${at}.volumeDevices`, 'when `hostUsers` is false')]
        : [],
    ),
  ]
}

const validateHostname = (spec: Decoded<PodSpec>, field: string): StatusCause[] => {
  const name = spec.hostnameOverride
  if (typeof name !== 'string') return []
  const at = `${field}.hostnameOverride`
  return [
    ...(spec.setHostnameAsFQDN === true
      ? [forbiddenField(at, 'may not be specified when setHostnameAsFQDN is true')]
      : []),
    ...(spec.hostNetwork === true ? [forbiddenField(at, 'may not be specified when hostNetwork is true')] : []),
    ...(name.length > hostnameCharactersMax ? [tooLong(at, hostnameCharactersMax)] : []),
    ...byRule(dns1123Subdomain, name, at),
  ]
}

/** Containers that are processes of a Windows host. */
const validateHostProcesses = (spec: Decoded<PodSpec>, field: string): StatusCause[] => {
  const whole = spec.securityContext?.windowsOptions?.hostProcess
  const causes: StatusCause[] = []
  let processes = 0
  const containers = containersOf(spec, field)
  for (const [container, at] of containers) {
    const own = container.securityContext?.windowsOptions?.hostProcess
    if (isSet(whole) && isSet(own) && whole !== own)
      causes.push(
        invalidValue(
          `${at}.securityContext.windowsOptions.hostProcess`,
          own,
          `pod hostProcess value must be identical if both are specified, was ${whole}`,
        ),
      )
    if (own ?? whole) processes++
  }
  if (processes === 0) return causes
  if (processes !== containers.length)
    causes.push(
      invalidValue(
        field,
        '',
        'If pod contains any hostProcess containers then all containers must be HostProcess containers',
      ),
    )
  if (spec.hostNetwork !== true)
    causes.push(
      invalidValue(
        `${field}.hostNetwork`,
        false,
        'hostNetwork must be true if pod contains any hostProcess containers',
      ),
    )
  return causes
}

const linuxPodFields = ['hostUsers', 'hostPID', 'hostIPC', 'shareProcessNamespace'] as const
const linuxPodContextFields = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'sysctls',
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
  'seLinuxChangePolicy',
] as const
const linuxContextFields = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
] as const
/** Pointers in Go, whose false is said; the others are not told from nothing. */
const saidWhenFalse: ReadonlySet<string> = new Set(['hostUsers', 'shareProcessNamespace'])

const validateOperatingSystem = (spec: Decoded<PodSpec>, field: string): StatusCause[] => {
  const name = spec.os?.name
  const containers = containersOf(spec, field)
  if (name === 'linux') {
    const wrong = (at: string): StatusCause =>
      forbiddenField(`${at}.securityContext.windowsOptions`, 'windows options cannot be set for a linux pod')
    return [
      ...(spec.securityContext?.windowsOptions ? [wrong(field)] : []),
      ...containers.flatMap(([container, at]) => (container.securityContext?.windowsOptions ? [wrong(at)] : [])),
    ]
  }
  if (name !== 'windows') return []
  const wrong = (at: string): StatusCause => forbiddenField(at, 'cannot be set for a windows pod')
  return [
    ...linuxPodFields.flatMap((key) =>
      spec[key] === true || (saidWhenFalse.has(key) && spec[key] === false) ? [wrong(`${field}.${key}`)] : [],
    ),
    ...linuxPodContextFields.flatMap((key) =>
      isSet(spec.securityContext?.[key]) ? [wrong(`${field}.securityContext.${key}`)] : [],
    ),
    ...containers.flatMap(([container, at]) =>
      linuxContextFields.flatMap((key) =>
        isSet(container.securityContext?.[key]) ? [wrong(`${at}.securityContext.${key}`)] : [],
      ),
    ),
  ]
}

/** Claims that a container names, each once and among those of the pod. */
const validateClaimNames = (
  claims: Decoded<ResourceClaim[]> | undefined,
  known: readonly string[],
  field: string,
): StatusCause[] => {
  const causes: StatusCause[] = []
  const seen = new Set<string>()
  items(claims).forEach(({ name = '', request = '' }, index) => {
    const at = `${field}[${index}]`
    if (name === '') {
      causes.push(required(at))
      return
    }
    if (seen.has(name)) causes.push(duplicate(at, name))
    else {
      if (request !== '') causes.push(...byRule(dns1123Label, request, `${at}.request`))
      const key = request === '' ? name : `${name}/${request}`
      if (seen.has(key)) causes.push(duplicate(at, key))
      else if (request === '')
        for (const other of seen) if (other.startsWith(`${name}/`)) causes.push(duplicate(at, name))
      seen.add(key)
    }
    if (known.includes(name)) return
    const cause = notFoundField(at, name)
    const which = known.length === 0 ? ' which is empty' : `: ${[...known].sort().join(', ')}`
    causes.push({ ...cause, message: `${cause.message}: must be one of the names in pod.spec.resourceClaims${which}` })
  })
  return causes
}

const validateClaims = (spec: Decoded<PodSpec>, field: string): StatusCause[] => {
  const names = items(spec.resourceClaims).map(({ name = '' }) => name)
  return [
    ...names.flatMap((name, index) =>
      name !== '' && names.indexOf(name) < index ? [duplicate(`${field}.resourceClaims[${index}].name`, name)] : [],
    ),
    ...items(spec.resourceClaims).flatMap((claim, index) =>
      (['resourceClaimName', 'resourceClaimTemplateName'] as const).flatMap((key) => {
        const name = claim[key]
        return name === undefined ? [] : byRule(dns1123Subdomain, name, `${field}.resourceClaims[${index}].${key}`)
      }),
    ),
    ...containersOf(spec, field).flatMap(([container, at]) =>
      validateClaimNames(container.resources?.claims, names, `${at}.resources.claims`),
    ),
  ]
}

/** Raw devices: of volumes that can be ones, and not mounted beside. */
const validateDevices = (spec: Decoded<PodSpec>, field: string): StatusCause[] => {
  const volumes = new Map<string | undefined, Decoded<Volume>>(
    items(spec.volumes).map((volume) => [volume.name, volume]),
  )
  return containersOf(spec, field).flatMap(([container, at]) => {
    const [devices, mounts] = [items(container.volumeDevices), items(container.volumeMounts)]
    const causes: StatusCause[] = []
    devices.forEach(({ name = '', devicePath = '' }, index) => {
      const place = `${at}.volumeDevices[${index}]`
      const earlier = devices.slice(0, index)
      if (name !== '' && earlier.some((one) => one.name === name))
        causes.push(invalidValue(`${place}.name`, name, 'must be unique'))
      const volume = volumes.get(name)
      if (volume && !volume.persistentVolumeClaim && !volume.ephemeral)
        causes.push(
          invalidValue(
            `${place}.name`,
            name,
            'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
          ),
        )
      const path = `${place}.devicePath`
      if (devicePath !== '' && earlier.some((one) => one.devicePath === devicePath))
        causes.push(invalidValue(path, devicePath, 'must be unique'))
      if (devicePath.split('/').includes('..'))
        causes.push(invalidValue(path, devicePath, "can not contain backsteps ('..')"))
      if (mounts.some((mount) => mount.name === name))
        causes.push(invalidValue(`${place}.name`, name, 'must not already exist in volumeMounts'))
      if (mounts.some((mount) => mount.mountPath === devicePath))
        causes.push(invalidValue(path, devicePath, 'must not already exist as a path in volumeMounts'))
    })
    mounts.forEach(({ name = '', mountPath = '' }, index) => {
      const place = `${at}.volumeMounts[${index}]`
      if (devices.some((device) => device.name === name))
        causes.push(invalidValue(`${place}.name`, name, 'must not already exist in volumeDevices'))
      if (devices.some((device) => device.devicePath === mountPath))
        causes.push(invalidValue(`${place}.mountPath`, mountPath, 'must not already exist as a path in volumeDevices'))
    })
    return causes
  })
}

const validateResize = (spec: Decoded<PodSpec>, field: string): StatusCause[] =>
  containersOf(spec, field).flatMap(([container, at]) => {
    const policies = items(container.resizePolicy)
    const names = policies.map(({ resourceName }) => resourceName)
    const sidecar = container.restartPolicy === 'Always'
    return policies.flatMap(({ resourceName, restartPolicy }, index) => [
      ...(names.indexOf(resourceName) < index ? [duplicate(`${at}.resizePolicy[${index}]`, resourceName)] : []),
      ...(spec.restartPolicy === 'Never' && restartPolicy !== 'NotRequired'
        ? [
            invalidValue(
              `${at}.resizePolicy`,
              restartPolicy ?? '',
              "must be 'NotRequired' when pod `restartPolicy` is 'Never'",
            ),
          ]
        : []),
      ...(at.includes('.initContainers[') && !sidecar && restartPolicy === 'RestartContainer'
        ? [
            invalidValue(
              `${at}.resizePolicy[${index}].restartPolicy`,
              restartPolicy,
              "must not be set to 'RestartContainer' for non-sidecar initContainers",
            ),
          ]
        : []),
    ])
  })

/** All of them. */
export const validatePodCombinations = (spec: Decoded<PodSpec>, field: string): StatusCause[] => [
  ...(spec.shareProcessNamespace === true && spec.hostPID === true
    ? [
        invalidValue(
          `${field}.securityContext.shareProcessNamespace`,
          true,
          'ShareProcessNamespace and HostPID cannot both be enabled',
        ),
      ]
    : []),
  ...validateClaims(spec, field),
  ...validateDevices(spec, field),
  ...validateResize(spec, field),
  ...validateHostProcesses(spec, field),
  ...validateHostUsers(spec, field),
  ...validateHostname(spec, field),
  ...validateOperatingSystem(spec, field),
]
