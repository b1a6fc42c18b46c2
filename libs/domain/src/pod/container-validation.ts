// Containers: image, ports, environment, probes, resources, security, in upstream's order and sentences.
import {
  duplicate,
  forbiddenField,
  invalidValue,
  notFoundField,
  notSupported,
  required,
} from '@shiplog/api/field-errors'
import type { Container, ContainerPort, EphemeralContainer } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, items, requiredName } from '../fields.ts'
import { dns1123Label, portName, portNumber } from '../names.ts'
import { validateEnv } from './environment-validation.ts'
import { validateLifecycle, validateProbes } from './probe-validation.ts'
import { validateResources } from './resource-validation.ts'
import { validateContainerSecurity } from './security-context-validation.ts'
import { validateVolumeMounts } from './volume-mount-validation.ts'

const protocols = ['SCTP', 'TCP', 'UDP']
const pullPolicies = ['Always', 'IfNotPresent', 'Never']
const messagePolicies = ['File', 'FallbackToLogsOnError']

const validatePorts = (ports: Decoded<ContainerPort[]> | undefined, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const names = new Set<string>()
  items(ports).forEach((port, index) => {
    const at = `${field}[${index}]`
    const name = port.name
    if (name) {
      const wrong = byRule(portName, name, `${at}.name`)
      causes.push(...wrong)
      if (wrong.length === 0) {
        if (names.has(name)) causes.push(duplicate(`${at}.name`, name))
        names.add(name)
      }
    }
    if (!port.containerPort) causes.push(required(`${at}.containerPort`))
    else
      for (const sentence of portNumber(port.containerPort))
        causes.push(invalidValue(`${at}.containerPort`, port.containerPort, sentence))
    if (port.hostPort)
      for (const sentence of portNumber(port.hostPort))
        causes.push(invalidValue(`${at}.hostPort`, port.hostPort, sentence))
    if (!port.protocol) causes.push(required(`${at}.protocol`))
    else if (!protocols.includes(port.protocol)) causes.push(notSupported(`${at}.protocol`, port.protocol, protocols))
  })
  return causes
}

const validateImage = (container: Decoded<Container>, field: string): StatusCause[] => {
  const image = container.image
  if (typeof image !== 'string' || image === '') return [required(`${field}.image`)]
  return image.trim() === image
    ? []
    : [invalidValue(`${field}.image`, image, 'must not have leading or trailing whitespace')]
}

const resizableResources = ['cpu', 'memory']
const resizePolicies = ['NotRequired', 'RestartContainer']
const restartPolicies = ['Always', 'Never', 'OnFailure']
const restartActions = ['Restart', 'RestartAllContainers']

const validateResizeAndRestart = (container: Decoded<Container>, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  items(container.resizePolicy).forEach((policy) => {
    // Upstream tells of the list, whichever policy is wrong.
    for (const [key, values] of [
      ['resourceName', resizableResources],
      ['restartPolicy', resizePolicies],
    ] as const) {
      if (!policy[key]) causes.push(required(`${field}.resizePolicy`))
      else if (!values.includes(policy[key])) causes.push(notSupported(`${field}.resizePolicy`, policy[key], values))
    }
  })
  const restart = container.restartPolicy
  if (typeof restart === 'string' && !restartPolicies.includes(restart))
    causes.push(notSupported(`${field}.restartPolicy`, restart, restartPolicies))
  const rules = items(container.restartPolicyRules)
  if (rules.length > 0 && !restart)
    causes.push(required(`${field}.restartPolicy`, 'must specify restartPolicy when restart rules are used'))
  // Of an init container without a policy, upstream looks no further.
  if (!restart && field.includes('.initContainers[')) return causes
  rules.forEach((rule, index) => {
    const at = `${field}.restartPolicyRules[${index}]`
    if (!restartActions.includes(rule.action ?? ''))
      causes.push(notSupported(`${at}.action`, rule.action ?? '', restartActions))
    if (!rule.exitCodes) causes.push(required(`${at}.exitCodes`, 'must be specified'))
  })
  return causes
}

/** What containers, init containers and ephemeral containers share. */
export const validateContainerCommon = (
  container: Decoded<Container>,
  volumeNames: ReadonlySet<string>,
  field: string,
): StatusCause[] => {
  const causes: StatusCause[] = requiredName(dns1123Label, container.name, `${field}.name`)
  causes.push(...validateImage(container, field))
  const messagePolicy = container.terminationMessagePolicy
  if (!messagePolicy) causes.push(required(`${field}.terminationMessagePolicy`))
  else if (!messagePolicies.includes(messagePolicy))
    causes.push(notSupported(`${field}.terminationMessagePolicy`, messagePolicy, messagePolicies))
  causes.push(...validatePorts(container.ports, `${field}.ports`))
  causes.push(...validateEnv(container, field, volumeNames))
  causes.push(...validateVolumeMounts(container, volumeNames, field))
  const pullPolicy = container.imagePullPolicy
  if (!pullPolicy) causes.push(required(`${field}.imagePullPolicy`))
  else if (!pullPolicies.includes(pullPolicy))
    causes.push(notSupported(`${field}.imagePullPolicy`, pullPolicy, pullPolicies))
  causes.push(...validateResources(container.resources, `${field}.resources`))
  causes.push(...validateContainerSecurity(container.securityContext, `${field}.securityContext`))
  causes.push(...validateResizeAndRestart(container, field))
  items(container.volumeDevices).forEach((device, index) => {
    const at = `${field}.volumeDevices[${index}]`
    const { name = '' } = device
    if (name === '') causes.push(required(`${at}.name`))
    if (!device.devicePath) causes.push(required(`${at}.devicePath`))
    if (!volumeNames.has(name)) causes.push(notFoundField(`${at}.name`, name))
  })
  return causes
}

/** Containers of a pod share one space of names. */
export const addName = (
  { name }: Decoded<EphemeralContainer>,
  names: Set<string>,
  field: string,
  causes: StatusCause[],
): void => {
  if (!name) return
  if (names.has(name)) causes.push(duplicate(`${field}.name`, name))
  names.add(name)
}

/** `spec.containers`. */
export const validateContainers = (
  containers: Decoded<Container[]> | null | undefined,
  volumeNames: ReadonlySet<string>,
  field: string,
  names: Set<string>,
  graceSeconds: number,
): StatusCause[] => {
  if (items(containers).length === 0) return [required(field)]
  const causes: StatusCause[] = []
  items(containers).forEach((container, index) => {
    const at = `${field}[${index}]`
    causes.push(...validateContainerCommon(container, volumeNames, at))
    addName(container, names, at, causes)
    causes.push(...validateLifecycle(container, at, graceSeconds), ...validateProbes(container, at))
  })
  return causes
}

/** `spec.initContainers`; with restartPolicy Always they are sidecars and may have probes. */
export const validateInitContainers = (
  containers: Decoded<Container[]> | null | undefined,
  volumeNames: ReadonlySet<string>,
  field: string,
  names: Set<string>,
  graceSeconds: number,
): StatusCause[] => {
  const causes: StatusCause[] = []
  items(containers).forEach((container, index) => {
    const at = `${field}[${index}]`
    causes.push(...validateContainerCommon(container, volumeNames, at))
    addName(container, names, at, causes)
    const policy = container.restartPolicy
    if (policy === 'Always') {
      causes.push(...validateLifecycle(container, at, graceSeconds), ...validateProbes(container, at))
      return
    }
    for (const key of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const)
      if (container[key])
        causes.push(forbiddenField(`${at}.${key}`, 'may not be set for init containers without restartPolicy=Always'))
  })
  return causes
}
