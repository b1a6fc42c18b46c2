// From a container's spec to the process that a runtime is to run: environment, command, directory, mounts, user. A pure
// function of the spec and of what it refers to; its refusals are upstream's sentences where upstream has one.
import type { Container, EnvVarSource, PodSecurityContext, SecurityContext, VolumeMount as MountSpec } from '@shiplog/api/generated/types/core-v1'
import { type ProcessConfig, RuntimeFailure, type VolumeMount } from '@shiplog/node/container-runtime'
import { fieldValue, type PodFacts, resourceValue } from './field-references.ts'
import { keysOf, type Lookup, type Reference, type ReferenceKind, bytesAt, wordOf } from './references.ts'
import { expandVariables } from './variable-expansion.ts'

export interface EnvironmentInput extends PodFacts {
  readonly container: Container
  readonly lookup: Lookup
  /** What every container finds: of processes see RealContainers; of containers, the Services. */
  readonly base: Readonly<Record<string, string>>
}

export interface ProcessInput extends EnvironmentInput {
  /** The user as whom containers run that name none. */
  readonly uid: number
}

const configError = (message: string): RuntimeFailure => new RuntimeFailure('CreateContainerConfigError', message)

/** The ConfigMaps and Secrets that a container's environment refers to. */
export function referencesOfContainer(container: Container): Reference[] {
  const found: Reference[] = []
  const add = (kind: ReferenceKind, reference: { readonly name?: string } | undefined): void => {
    if (reference?.name) found.push({ kind, name: reference.name })
  }
  for (const source of container.envFrom ?? []) {
    add('configmaps', source.configMapRef)
    add('secrets', source.secretRef)
  }
  for (const { valueFrom } of container.env ?? []) {
    add('configmaps', valueFrom?.configMapKeyRef)
    add('secrets', valueFrom?.secretKeyRef)
  }
  return found
}

/** Throws RuntimeFailure. */
export function processOf(input: ProcessInput): ProcessConfig {
  const { container } = input
  const { command = [], args = [] } = container
  if (command.length === 0) {
    throw new RuntimeFailure(
      'CreateContainerError',
      `this node runs commands of its machine and no images: container "${container.name}" has no command, and image ` +
        `"${container.image ?? ''}" is not looked at. Give it a command, or let the pod run on a node of another kind`,
    )
  }
  const env = environmentOf(input)
  const expand = (text: string): string => expandVariables(text, (name) => env[name])
  return {
    command: [...command, ...args].map(expand),
    env,
    workingDir: container.workingDir || '/',
    mounts: (container.volumeMounts ?? []).map((mount) => mountOf(mount, expand)),
    ...userOf(input),
    terminationMessagePath: container.terminationMessagePath || '/dev/termination-log',
    outputAsMessage: container.terminationMessagePolicy === 'FallbackToLogsOnError',
    ...(container.stdin ? { stdin: true } : {}),
    ...(container.stdin && container.stdinOnce ? { stdinOnce: true } : {}),
  }
}

/** Throws RuntimeFailure for a part of a volume that cannot be. */
export function mountOf(mount: MountSpec, expand: (text: string) => string): VolumeMount {
  const subPath = expand(mount.subPathExpr ?? '') || (mount.subPath ?? '')
  if (subPath.includes('$(')) {
    throw configError(`failed to generate subpath for volumeMount "${mount.name}": missing value for a variable`)
  }
  if (subPath.startsWith('/')) throw configError(`error subPath \`${subPath}\` must not be an absolute path`)
  if (subPath.split('/').includes('..')) throw configError(`error subPath \`${subPath}\` must not contain '..'`)
  return { volume: mount.name, path: mount.mountPath, subPath }
}

/** From the sources first, then one by one; later ones see earlier ones and win. */
export function environmentOf(input: EnvironmentInput): Record<string, string> {
  const { container, base } = input
  const env: Record<string, string> = { ...base }
  for (const source of container.envFrom ?? []) {
    const prefix = source.prefix ?? ''
    for (const kind of ['configmaps', 'secrets'] as const) {
      const reference = source[kind === 'secrets' ? 'secretRef' : 'configMapRef']
      if (reference === undefined) continue
      const object = input.lookup(kind, reference.name ?? '')
      if (object === undefined) {
        if (reference.optional === true) continue
        throw configError(`${wordOf(kind)} "${reference.name}" not found`)
      }
      for (const key of Object.keys(object.data ?? {})) {
        // The kernel could not tell such a name from its value.
        if (key.includes('=')) continue
        env[prefix + key] = Buffer.from(bytesAt(kind, object, key)!).toString('utf8')
      }
    }
  }
  for (const variable of container.env ?? []) {
    const { name, valueFrom: from } = variable
    if (from === undefined) env[name] = expandVariables(variable.value ?? '', (other) => env[other])
    else {
      const value = variableValue(input, from)
      if (value !== undefined) env[name] = value
    }
  }
  return env
}

/** Undefined for what is optional and not there. */
function variableValue(input: EnvironmentInput, from: EnvVarSource): string | undefined {
  if (from.fieldRef) {
    const path = from.fieldRef.fieldPath
    const value = fieldValue(input, path)
    if (value === undefined) throw configError(`unsupported fieldPath: ${path}`)
    return value
  }
  if (from.resourceFieldRef) {
    const value = resourceValue(input, from.resourceFieldRef, input.container)
    if (value === undefined) throw configError(`unsupported container resource : ${from.resourceFieldRef.resource}`)
    return value
  }
  const kind: ReferenceKind = from.secretKeyRef ? 'secrets' : 'configmaps'
  const reference = from.secretKeyRef ?? from.configMapKeyRef
  if (reference === undefined) throw configError('no known source for the value of an environment variable')
  const object = input.lookup(kind, reference.name ?? '')
  if (object === undefined) {
    if (reference.optional === true) return undefined
    throw configError(`${wordOf(kind)} "${reference.name}" not found`)
  }
  const value = keysOf(object).includes(reference.key) ? bytesAt(kind, object, reference.key) : undefined
  if (value === undefined) {
    if (reference.optional === true) return undefined
    const word = kind === 'secrets' ? 'Secret' : 'ConfigMap'
    throw configError(`couldn't find key ${reference.key} in ${word} ${input.pod.metadata.namespace}/${reference.name}`)
  }
  return Buffer.from(value).toString('utf8')
}

function userOf({ pod, container, uid }: ProcessInput): { user?: number; group?: number } {
  const ofPod: PodSecurityContext = pod.spec.securityContext ?? {}
  const own: SecurityContext = container.securityContext ?? {}
  const user = own.runAsUser ?? ofPod.runAsUser
  const group = own.runAsGroup ?? ofPod.runAsGroup
  const where = `(pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})", container: ${container.name})`
  if ((own.runAsNonRoot ?? ofPod.runAsNonRoot) === true) {
    if (user === 0) throw configError(`container's runAsUser breaks non-root policy ${where}`)
    if (user === undefined && uid === 0) {
      throw configError(`container has runAsNonRoot and image will run as root ${where}`)
    }
  }
  const differs = (user !== undefined && user !== uid) || group !== undefined
  if (!differs) return {}
  if (uid !== 0) {
    throw configError(
      `container "${container.name}" is to run as another user or group, which only root may arrange: Shiplog runs as user ${uid}`,
    )
  }
  return { user: user ?? uid, ...(group === undefined ? (user === undefined ? {} : { group: user }) : { group }) }
}
