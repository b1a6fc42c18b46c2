// Containers: image, ports, environment, probes, resources, security, in upstream's order and sentences.
import {
  duplicate,
  forbiddenField,
  invalidValue,
  notFoundField,
  notSupported,
  required,
} from '@shiplog/api/field-errors'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { byRule, entries, items, nonNegative, requiredName, requiredText } from '../fields.ts'
import {
  configMapKey,
  dns1123Label,
  dns1123Subdomain,
  envVarName,
  httpHeaderName,
  inclusiveRange,
  portName,
  portNumber,
  qualifiedName,
} from '../names.ts'
import { compareQuantities, nanosOf } from '../quantities.ts'
import { podFieldPaths, validateLocalPath, validateResourceFieldRef, validateVolumeMounts } from './volume-validation.ts'

const protocols = ['SCTP', 'TCP', 'UDP']
const pullPolicies = ['Always', 'IfNotPresent', 'Never']
const messagePolicies = ['File', 'FallbackToLogsOnError']
const userIdMax = 2_147_483_647
const nanosOfOne = 1_000_000_000n
const envFieldPaths = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]

/** A port by number or by name. */
export const validatePortNumberOrName = (port: unknown, field: string): StatusCause[] => {
  if (typeof port === 'string') return byRule(portName, port, field)
  return portNumber(port ?? 0).map((sentence) => invalidValue(field, port ?? 0, sentence))
}

const validatePorts = (ports: unknown, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const names = new Set<string>()
  items(ports).forEach((port: JsonObject, index) => {
    const at = `${field}[${index}]`
    const name = port['name']
    if (name) {
      const wrong = byRule(portName, name, `${at}.name`)
      causes.push(...wrong)
      if (wrong.length === 0) {
        if (names.has(name)) causes.push(duplicate(`${at}.name`, name))
        names.add(name)
      }
    }
    if (!port['containerPort']) causes.push(required(`${at}.containerPort`))
    else
      for (const sentence of portNumber(port['containerPort']))
        causes.push(invalidValue(`${at}.containerPort`, port['containerPort'], sentence))
    if (port['hostPort'])
      for (const sentence of portNumber(port['hostPort']))
        causes.push(invalidValue(`${at}.hostPort`, port['hostPort'], sentence))
    if (!port['protocol']) causes.push(required(`${at}.protocol`))
    else if (!protocols.includes(port['protocol']))
      causes.push(notSupported(`${at}.protocol`, port['protocol'], protocols))
  })
  return causes
}

const validateValueFrom = (variable: JsonObject, field: string, volumeNames: ReadonlySet<string>): StatusCause[] => {
  const source = variable['valueFrom']
  const kinds = Object.keys(source).filter((key) => source[key])
  const causes: StatusCause[] = []
  const fieldRef = source.fieldRef
  if (fieldRef) {
    const path = fieldRef.fieldPath
    if (!fieldRef.apiVersion) causes.push(required(`${field}.fieldRef.apiVersion`))
    else if (!path) causes.push(required(`${field}.fieldRef.fieldPath`))
    else if (!envFieldPaths.includes(path) && !/^metadata\.(labels|annotations)\['.+'\]$/.test(path))
      causes.push(
        podFieldPaths.includes(path) || path.startsWith('metadata.')
          ? notSupported(`${field}.fieldRef.fieldPath`, path, envFieldPaths)
          : invalidValue(
              `${field}.fieldRef.fieldPath`,
              path,
              `error converting fieldPath: field label not supported: ${path}`,
            ),
      )
  }
  if (source.resourceFieldRef)
    causes.push(...validateResourceFieldRef(source.resourceFieldRef, `${field}.resourceFieldRef`, false))
  const file = source.fileKeyRef
  if (file) {
    for (const key of ['volumeName', 'path', 'key'])
      causes.push(...requiredText(file[key], `${field}.fileKeyRef.${key}`))
    if (!volumeNames.has(file.volumeName))
      causes.push(notFoundField(`${field}.fileKeyRef.volumeName`, file.volumeName ?? ''))
  }
  for (const kind of ['configMapKeyRef', 'secretKeyRef']) {
    const reference = source[kind]
    if (!reference) continue
    causes.push(...byRule(dns1123Subdomain, reference.name ?? '', `${field}.${kind}.name`))
    causes.push(...requiredName(configMapKey, reference.key, `${field}.${kind}.key`))
  }
  if (kinds.length === 0)
    causes.push(
      invalidValue(
        field,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ),
    )
  else if (variable['value']) causes.push(invalidValue(field, '', 'may not be specified when `value` is not empty'))
  else if (kinds.length > 1)
    causes.push(invalidValue(field, '', 'may not have more than one field specified at a time'))
  return causes
}

const validateEnv = (container: JsonObject, field: string, volumeNames: ReadonlySet<string>): StatusCause[] => {
  const causes: StatusCause[] = []
  items(container['envFrom']).forEach((source: JsonObject, index) => {
    const at = `${field}.envFrom[${index}]`
    if (source['prefix']) causes.push(...byRule(envVarName, source['prefix'], `${at}.prefix`))
    const kinds = ['configMapRef', 'secretRef'].filter((kind) => source[kind])
    for (const kind of kinds) causes.push(...requiredName(dns1123Subdomain, source[kind].name, `${at}.${kind}.name`))
    const all = `${field}.envFrom`
    if (kinds.length === 0) causes.push(invalidValue(all, '', 'must specify one of: `configMapRef` or `secretRef`'))
    if (kinds.length > 1) causes.push(invalidValue(all, '', 'may not have more than one field specified at a time'))
  })
  items(container['env']).forEach((variable: JsonObject, index) => {
    const at = `${field}.env[${index}]`
    causes.push(...requiredName(envVarName, variable['name'], `${at}.name`))
    if (variable['valueFrom']) causes.push(...validateValueFrom(variable, `${at}.valueFrom`, volumeNames))
  })
  return causes
}

const validateHandler = (
  handler: JsonObject,
  field: string,
  kinds: readonly string[],
  graceSeconds = 0,
): StatusCause[] => {
  const causes: StatusCause[] = []
  let found = 0
  for (const kind of kinds) {
    const action = handler[kind]
    if (!action) continue
    found += 1
    const at = `${field}.${kind}`
    if (found > 1) {
      causes.push(forbiddenField(at, 'may not specify more than 1 handler type'))
      continue
    }
    if (kind === 'exec' && items(action.command).length === 0) causes.push(required(`${at}.command`))
    if (kind === 'httpGet') {
      causes.push(...requiredText(action.path, `${at}.path`))
      causes.push(...validatePortNumberOrName(action.port, `${at}.port`))
      if (action.scheme !== 'HTTP' && action.scheme !== 'HTTPS')
        causes.push(notSupported(`${at}.scheme`, action.scheme ?? '', ['HTTP', 'HTTPS']))
      for (const header of items(action.httpHeaders))
        for (const sentence of httpHeaderName(String(header.name ?? '')))
          causes.push(invalidValue(`${at}.httpHeaders`, header.name ?? '', sentence))
    }
    if (kind === 'tcpSocket') causes.push(...validatePortNumberOrName(action.port, `${at}.port`))
    if (kind === 'grpc')
      for (const sentence of portNumber(action.port ?? 0))
        causes.push(invalidValue(`${at}.port`, action.port ?? 0, sentence))
    const seconds: number = action.seconds ?? 0
    if (kind === 'sleep' && (seconds < 0 || seconds > graceSeconds))
      causes.push(
        invalidValue(at, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`),
      )
  }
  if (found === 0) causes.push(required(field, 'must specify a handler type'))
  return causes
}

const validateProbe = (probe: JsonObject | undefined, field: string): StatusCause[] => {
  if (!probe) return []
  const causes = validateHandler(probe, field, ['exec', 'httpGet', 'tcpSocket', 'grpc'])
  for (const key of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'])
    causes.push(...nonNegative(probe[key], `${field}.${key}`))
  const grace = probe['terminationGracePeriodSeconds']
  if (typeof grace === 'number' && grace <= 0)
    causes.push(invalidValue(`${field}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'))
  return causes
}

const validateProbes = (container: JsonObject, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const key of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const probe = container[key]
    if (!probe) continue
    causes.push(...validateProbe(probe, `${field}.${key}`))
    if (key === 'readinessProbe') {
      if (typeof probe.terminationGracePeriodSeconds === 'number')
        causes.push(
          invalidValue(
            `${field}.${key}.terminationGracePeriodSeconds`,
            probe.terminationGracePeriodSeconds,
            'must not be set for readinessProbes',
          ),
        )
    } else if (probe.successThreshold !== 1)
      causes.push(invalidValue(`${field}.${key}.successThreshold`, probe.successThreshold, 'must be 1'))
  }
  return causes
}

export const isHugePages = (name: string): boolean => name.startsWith('hugepages-')
export const isExtended = (name: string): boolean =>
  name.includes('/') && !name.includes('kubernetes.io/') && !name.startsWith('requests.')

/** The name of a resource that a container may ask for. */
export const validateContainerResourceName = (name: string, field: string): StatusCause[] => {
  const causes = byRule(qualifiedName, name, field)
  if (!name.includes('/')) {
    if (causes.length > 0) return [...causes, invalidValue(field, name, 'must be a standard resource for containers')]
    if (name !== 'cpu' && name !== 'memory' && name !== 'ephemeral-storage' && !isHugePages(name)) {
      causes.push(invalidValue(field, name, 'must be a standard resource type or fully qualified'))
      causes.push(invalidValue(field, name, 'must be a standard resource for containers'))
    }
  } else if (!name.includes('kubernetes.io/') && name.startsWith('requests.'))
    causes.push(invalidValue(field, name, "doesn't follow extended resource name standard"))
  return causes
}

/** Whether an amount is some whole pages of the size that the resource's name tells. */
const isMultipleOfPage = (name: string, nanos: bigint): boolean => {
  const page = nanosOf(name.slice('hugepages-'.length))
  return page !== undefined && page > 0n && nanos % page === 0n
}

/** Requests and limits of a container (or of a pod as a whole). */
export const validateResources = (
  resources: JsonObject | undefined,
  field: string,
  validateName: (name: string, field: string) => StatusCause[] = validateContainerResourceName,
): StatusCause[] => {
  if (!resources) return []
  const causes: StatusCause[] = []
  const limits: JsonObject = resources['limits'] ?? {}
  const requests: JsonObject = resources['requests'] ?? {}
  for (const [list, key] of [
    [limits, 'limits'],
    [requests, 'requests'],
  ] as const)
    for (const [name, quantity] of entries(list)) {
      const at = `${field}.${key}[${name}]`
      causes.push(...validateName(name, at))
      const nanos = nanosOf(quantity)
      if (nanos !== undefined && nanos < 0n)
        causes.push(invalidValue(at, String(quantity), 'must be greater than or equal to 0'))
      if (nanos !== undefined && isExtended(name) && nanos % nanosOfOne !== 0n)
        causes.push(invalidValue(at, String(quantity), 'must be an integer'))
      if (nanos !== undefined && isHugePages(name) && !isMultipleOfPage(name, nanos))
        causes.push(
          invalidValue(at, String(quantity), `${String(quantity)} is not positive integer multiple of ${name}`),
        )
    }
  const asked = [...Object.keys(limits), ...Object.keys(requests)]
  if (asked.some(isHugePages) && !asked.includes('cpu') && !asked.includes('memory'))
    causes.push(forbiddenField(field, 'HugePages require cpu or memory'))
  for (const [name, quantity] of entries(requests)) {
    const limit = limits[name]
    const fixed = isExtended(name) || isHugePages(name)
    if (limit === undefined || limit === null) {
      if (fixed) causes.push(required(`${field}.limits`, 'Limit must be set for non overcommitable resources'))
      continue
    }
    const order = compareQuantities(quantity, limit)
    if (order === undefined || order === 0) continue
    if (fixed)
      causes.push(invalidValue(`${field}.requests`, String(quantity), `must be equal to ${name} limit of ${limit}`))
    else if (order > 0)
      causes.push(
        invalidValue(`${field}.requests`, String(quantity), `must be less than or equal to ${name} limit of ${limit}`),
      )
  }
  return causes
}

const validateUserIds = (context: JsonObject, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const key of ['runAsUser', 'runAsGroup', 'fsGroup']) {
    const id = context[key]
    if (typeof id === 'number' && (id < 0 || id > userIdMax))
      causes.push(invalidValue(`${field}.${key}`, id, inclusiveRange(0, userIdMax)))
  }
  return causes
}

const seccompTypes = ['Localhost', 'RuntimeDefault', 'Unconfined']

const validateSeccomp = (profile: JsonObject | undefined, field: string): StatusCause[] => {
  if (!profile) return []
  const type = profile['type']
  const profilePath = profile['localhostProfile']
  if (type === 'Localhost') {
    if (typeof profilePath !== 'string')
      return [required(`${field}.localhostProfile`, 'must be set when seccomp type is Localhost')]
    return validateLocalPath(profilePath, `${field}.localhostProfile`)
  }
  const causes =
    typeof profilePath === 'string'
      ? [
          invalidValue(
            `${field}.localhostProfile`,
            { Type: type ?? '', LocalhostProfile: profilePath },
            'can only be set when seccomp type is Localhost',
          ),
        ]
      : []
  if (!type) causes.push(required(`${field}.type`, 'type is required when seccompProfile is set'))
  else if (!seccompTypes.includes(type)) causes.push(notSupported(`${field}.type`, type, seccompTypes))
  return causes
}

const validateAppArmor = (profile: JsonObject | undefined, field: string): StatusCause[] => {
  if (!profile) return []
  const { type, localhostProfile } = profile
  if (!type) return [required(`${field}.type`, 'type is required when appArmorProfile is set')]
  if (!seccompTypes.includes(type)) return [notSupported(`${field}.type`, type, seccompTypes)]
  if (type === 'Localhost')
    return localhostProfile
      ? []
      : [required(`${field}.localhostProfile`, 'must be set when AppArmor type is Localhost')]
  return typeof localhostProfile === 'string'
    ? [invalidValue(`${field}.localhostProfile`, localhostProfile, 'can only be set when AppArmor type is Localhost')]
    : []
}

/** What the security contexts of pods and containers share. */
export const validateSecurityCommon = (context: JsonObject | undefined, field: string): StatusCause[] =>
  context
    ? [
        ...validateUserIds(context, field),
        ...validateSeccomp(context['seccompProfile'], `${field}.seccompProfile`),
        ...validateAppArmor(context['appArmorProfile'], `${field}.appArmorProfile`),
      ]
    : []

const validateContainerSecurity = (context: JsonObject | undefined, field: string): StatusCause[] => {
  if (!context) return []
  const causes = validateSecurityCommon(context, field)
  const procMounts = ['Default', 'Unmasked']
  if (context['procMount'] && !procMounts.includes(context['procMount']))
    causes.push(notSupported(`${field}.procMount`, context['procMount'], procMounts))
  if (context['allowPrivilegeEscalation'] === false) {
    if (context['privileged'] === true)
      causes.push(
        invalidValue(field, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'),
      )
    if (items(context['capabilities']?.add).includes('CAP_SYS_ADMIN'))
      causes.push(
        invalidValue(
          field,
          context,
          'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
        ),
      )
  }
  return causes
}

const validateImage = (container: JsonObject, field: string): StatusCause[] => {
  const image = container['image']
  if (typeof image !== 'string' || image === '') return [required(`${field}.image`)]
  return image.trim() === image
    ? []
    : [invalidValue(`${field}.image`, image, 'must not have leading or trailing whitespace')]
}

const resizableResources = ['cpu', 'memory']
const resizePolicies = ['NotRequired', 'RestartContainer']
const restartPolicies = ['Always', 'Never', 'OnFailure']
const restartActions = ['Restart', 'RestartAllContainers']

const validateResizeAndRestart = (container: JsonObject, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  items(container['resizePolicy']).forEach((policy: JsonObject) => {
    // Upstream tells of the list, whichever policy is wrong.
    for (const [key, values] of [
      ['resourceName', resizableResources],
      ['restartPolicy', resizePolicies],
    ] as const) {
      if (!policy[key]) causes.push(required(`${field}.resizePolicy`))
      else if (!values.includes(policy[key])) causes.push(notSupported(`${field}.resizePolicy`, policy[key], values))
    }
  })
  const restart = container['restartPolicy']
  if (typeof restart === 'string' && !restartPolicies.includes(restart))
    causes.push(notSupported(`${field}.restartPolicy`, restart, restartPolicies))
  const rules = items(container['restartPolicyRules'])
  if (rules.length > 0 && !restart)
    causes.push(required(`${field}.restartPolicy`, 'must specify restartPolicy when restart rules are used'))
  // Of an init container without a policy, upstream looks no further.
  if (!restart && field.includes('.initContainers[')) return causes
  rules.forEach((rule: JsonObject, index) => {
    const at = `${field}.restartPolicyRules[${index}]`
    if (!restartActions.includes(rule['action']))
      causes.push(notSupported(`${at}.action`, rule['action'] ?? '', restartActions))
    if (!rule['exitCodes']) causes.push(required(`${at}.exitCodes`, 'must be specified'))
  })
  return causes
}

/** What containers, init containers and ephemeral containers share. */
export const validateContainerCommon = (
  container: JsonObject,
  volumeNames: ReadonlySet<string>,
  field: string,
): StatusCause[] => {
  const causes: StatusCause[] = requiredName(dns1123Label, container['name'], `${field}.name`)
  causes.push(...validateImage(container, field))
  const messagePolicy = container['terminationMessagePolicy']
  if (!messagePolicy) causes.push(required(`${field}.terminationMessagePolicy`))
  else if (!messagePolicies.includes(messagePolicy))
    causes.push(notSupported(`${field}.terminationMessagePolicy`, messagePolicy, messagePolicies))
  causes.push(...validatePorts(container['ports'], `${field}.ports`))
  causes.push(...validateEnv(container, field, volumeNames))
  causes.push(...validateVolumeMounts(container, volumeNames, field))
  const pullPolicy = container['imagePullPolicy']
  if (!pullPolicy) causes.push(required(`${field}.imagePullPolicy`))
  else if (!pullPolicies.includes(pullPolicy))
    causes.push(notSupported(`${field}.imagePullPolicy`, pullPolicy, pullPolicies))
  causes.push(...validateResources(container['resources'], `${field}.resources`))
  causes.push(...validateContainerSecurity(container['securityContext'], `${field}.securityContext`))
  causes.push(...validateResizeAndRestart(container, field))
  items(container['volumeDevices']).forEach((device: JsonObject, index) => {
    const at = `${field}.volumeDevices[${index}]`
    if (!device['name']) causes.push(required(`${at}.name`))
    if (!device['devicePath']) causes.push(required(`${at}.devicePath`))
    if (!volumeNames.has(device['name'])) causes.push(notFoundField(`${at}.name`, device['name'] ?? ''))
  })
  return causes
}

const validateLifecycle = (container: JsonObject, field: string, graceSeconds: number): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const hook of ['postStart', 'preStop']) {
    const handler = container['lifecycle']?.[hook]
    if (handler)
      causes.push(
        ...validateHandler(
          handler,
          `${field}.lifecycle.${hook}`,
          ['exec', 'httpGet', 'tcpSocket', 'sleep'],
          graceSeconds,
        ),
      )
  }
  return causes
}

/** `spec.containers`. */
export const validateContainers = (
  containers: unknown,
  volumeNames: ReadonlySet<string>,
  field: string,
  names: Set<string>,
  graceSeconds: number,
): StatusCause[] => {
  if (items(containers).length === 0) return [required(field)]
  const causes: StatusCause[] = []
  items(containers).forEach((container: JsonObject, index) => {
    const at = `${field}[${index}]`
    causes.push(...validateContainerCommon(container, volumeNames, at))
    if (names.has(container['name'])) causes.push(duplicate(`${at}.name`, container['name']))
    else if (container['name']) names.add(container['name'])
    causes.push(...validateLifecycle(container, at, graceSeconds), ...validateProbes(container, at))
  })
  return causes
}

/** `spec.initContainers`; with restartPolicy Always they are sidecars and may have probes. */
export const validateInitContainers = (
  containers: unknown,
  volumeNames: ReadonlySet<string>,
  field: string,
  names: Set<string>,
  graceSeconds: number,
): StatusCause[] => {
  const causes: StatusCause[] = []
  items(containers).forEach((container: JsonObject, index) => {
    const at = `${field}[${index}]`
    causes.push(...validateContainerCommon(container, volumeNames, at))
    if (names.has(container['name'])) causes.push(duplicate(`${at}.name`, container['name']))
    else if (container['name']) names.add(container['name'])
    const policy = container['restartPolicy']
    if (policy === 'Always') {
      causes.push(...validateLifecycle(container, at, graceSeconds), ...validateProbes(container, at))
      return
    }
    for (const key of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'])
      if (container[key])
        causes.push(forbiddenField(`${at}.${key}`, 'may not be set for init containers without restartPolicy=Always'))
  })
  return causes
}
