// From a container of a pod to what a runtime is told to make: command, environment, mounts, user, resources. A pure function
// of the spec and of what it refers to; its refusals are upstream's sentences.
import type { Container, EphemeralContainer, VolumeMount as MountSpec } from '@shiplog/api/generated/types/core-v1'
import { type PodVolume, RuntimeFailure } from '@shiplog/node/container-runtime'
import { containerNameLabel, podNameLabel, podNamespaceLabel, podUidLabel, terminationFileAnnotation, terminationPolicyAnnotation } from '@shiplog/node/cri/cri-labels'
import type { ContainerConfigMessage, MountMessage } from '@shiplog/node/cri/cri-messages'
import { type EnvironmentInput, environmentOf, mountOf } from '../container-process.ts'
import { expandVariables } from '../variable-expansion.ts'
import { linuxResources, oomScoreOf } from './container-resources.ts'
import { containerSecurity, type ImageUser } from './security-context.ts'

export interface ContainerConfigInput extends EnvironmentInput {
  readonly container: Container
  readonly attempt: number
  readonly imageRef: string
  readonly imageUser: ImageUser
  readonly profilesDir: string
  readonly memoryCapacityBytes: number
  /** Files of the node that are mounted beside volumes. */
  readonly terminationFile: string
  readonly hostsFile: string
  readonly targetId?: string
  readonly volumes: ReadonlyMap<string, PodVolume>
  /** Where the content of a volume is; for a part of it, what was mounted safely. */
  readonly sourceOf: (volume: string, mountIndex: number) => string
}

/** A part of a volume that a container mounts. */
export interface VolumePart {
  readonly index: number
  readonly volume: string
  readonly subPath: string
}

/** What has to be mounted before the container can be made. Throws RuntimeFailure. */
export function volumePartsOf(input: EnvironmentInput): VolumePart[] {
  const env = environmentOf(input)
  return mountsIn(input.container).flatMap((mount, index) => {
    const { subPath } = mountOf(mount, (text) => expandVariables(text, (name) => env[name]))
    return subPath === '' ? [] : [{ index, volume: mount.name, subPath }]
  })
}

const mountsIn = ({ volumeMounts }: Container): readonly MountSpec[] => volumeMounts ?? []

/** Throws RuntimeFailure. */
export function containerConfig(input: ContainerConfigInput): ContainerConfigMessage {
  const { container, pod, attempt, imageRef, terminationFile } = input
  const { name, namespace = '', uid, deletionGracePeriodSeconds } = pod.metadata
  const env = environmentOf(input)
  const expand = (text: string): string => expandVariables(text, (variable) => env[variable])
  return {
    metadata: { name: container.name, attempt },
    image: { image: imageRef, userSpecifiedImage: container.image ?? '' },
    command: (container.command ?? []).map(expand),
    args: (container.args ?? []).map(expand),
    workingDir: container.workingDir ?? '',
    envs: Object.entries(env).map(([key, value]) => ({ key, value: Buffer.from(value) })),
    mounts: mounts(input),
    devices: [],
    labels: { [podNameLabel]: name, [podNamespaceLabel]: namespace, [podUidLabel]: uid, [containerNameLabel]: container.name },
    annotations: {
      'io.kubernetes.container.restartCount': String(attempt),
      'io.kubernetes.container.terminationMessagePath': container.terminationMessagePath ?? '/dev/termination-log',
      [terminationPolicyAnnotation]: container.terminationMessagePolicy ?? 'File',
      'io.kubernetes.pod.terminationGracePeriod': String(deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30),
      [terminationFileAnnotation]: terminationFile,
    },
    logPath: `${container.name}/${attempt}.log`,
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    linux: {
      resources: { ...linuxResources(container.resources), oomScoreAdj: oomScoreOf(pod, container, input.memoryCapacityBytes) },
      securityContext: containerSecurity({ ...input, image: input.imageUser }),
    },
  }
}

const propagations = {
  Bidirectional: 'PROPAGATION_BIDIRECTIONAL',
  HostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  None: 'PROPAGATION_PRIVATE',
} as const

function mounts(input: ContainerConfigInput): MountMessage[] {
  const { container, terminationFile, hostsFile } = input
  const own = mountsIn(container).map((mount, index) => volumeMount(input, mount, index))
  const paths = new Set(own.map(({ containerPath }) => containerPath))
  const files = [
    { containerPath: container.terminationMessagePath || '/dev/termination-log', hostPath: terminationFile },
    { containerPath: '/etc/hosts', hostPath: hostsFile },
  ]
  return [...own, ...files.filter(({ containerPath }) => !paths.has(containerPath))]
}

function volumeMount(input: ContainerConfigInput, mount: MountSpec, index: number): MountMessage {
  const { mountPath, mountPropagation, readOnly = false, recursiveReadOnly } = mount
  const volume = input.volumes.get(mount.name)
  if (volume === undefined) throw new RuntimeFailure('CreateContainerConfigError', `volume "${mount.name}" not found`)
  const containerPath = mountPath.startsWith('/') ? mountPath : `/${mountPath}`
  if (volume.kind === 'image') {
    return {
      ...{ containerPath, hostPath: '', image: { image: volume.reference }, readonly: true },
      ...(mount.subPath ? { imageSubPath: mount.subPath } : {}),
    }
  }
  const recursive = readOnly && recursiveReadOnly !== undefined && recursiveReadOnly !== 'Disabled'
  return {
    ...{ containerPath, hostPath: input.sourceOf(mount.name, index) },
    // Files that are kept up to date from outside are nobody's to change.
    readonly: readOnly || volume.kind === 'files',
    ...(recursive ? { recursiveReadOnly: true } : {}),
    propagation: propagations[(mountPropagation ?? 'None') as keyof typeof propagations],
  }
}

/** Named by pods for what they are: the container that an ephemeral one looks into. */
export const targetNameOf = (container: Container | EphemeralContainer): string | undefined =>
  (container as EphemeralContainer).targetContainerName || undefined

