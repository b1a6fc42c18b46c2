// Security contexts of pods and containers as the runtime wants them told. Pure; refusals are upstream's sentences.
import { createHash } from 'node:crypto'
import type { Container, Pod, PodSecurityContext, SeccompProfile, SecurityContext } from '@shiplog/api/generated/types/core-v1'
import { RuntimeFailure } from '@shiplog/node/container-runtime'
import type { ContainerSecurityMessage, NamespaceOptionMessage, SandboxConfigMessage, SecurityProfileMessage } from '@shiplog/node/cri/cri-messages'

/** What the image says of its user, numeric or by name. */
export interface ImageUser {
  readonly uid?: number
  readonly username?: string
}

/** As upstream hides them from containers that are not privileged. */
const maskedPaths = [
  ...['/proc/asound', '/proc/acpi', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats'],
  ...['/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug', '/proc/scsi', '/sys/firmware'],
  '/sys/devices/virtual/powercap',
]
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

export function namespaceOptions({ spec, metadata }: Pod, targetId?: string): NamespaceOptionMessage {
  const pid = spec.hostPID ? 'NODE' : spec.shareProcessNamespace ? 'POD' : 'CONTAINER'
  return {
    network: spec.hostNetwork ? 'NODE' : 'POD',
    ipc: spec.hostIPC ? 'NODE' : 'POD',
    ...(targetId === undefined ? { pid } : { pid: 'TARGET', targetId }),
    ...(spec.hostUsers === false ? { usernsOptions: userNamespaceOf(metadata.uid) } : {}),
  }
}

const idsOfPod = 65_536
/** Ranges of ids beyond the machine's own. */
const idRanges = 65_534

/** Each pod gets a range of ids, told by its uid, so that it is the same in every life of the agent. */
function userNamespaceOf(podUid: string): NonNullable<NamespaceOptionMessage['usernsOptions']> {
  const range = 1 + (createHash('sha256').update(podUid).digest().readUInt32BE() % idRanges)
  const mapping = [{ hostId: range * idsOfPod, containerId: 0, length: idsOfPod }]
  return { mode: 'POD', uids: mapping, gids: mapping }
}

function seccompOf(profile: SeccompProfile | undefined, profilesDir: string): SecurityProfileMessage {
  switch (profile?.type) {
    case 'RuntimeDefault':
      return { profileType: 'RuntimeDefault' }
    case 'Localhost':
      return { profileType: 'Localhost', localhostRef: `${profilesDir}/${profile.localhostProfile ?? ''}` }
    default:
      return { profileType: 'Unconfined' }
  }
}

const all = ({ spec }: Pod): readonly Container[] => [...(spec.containers ?? []), ...(spec.initContainers ?? [])]

export function sandboxSecurity(pod: Pod, profilesDir: string): SandboxConfigMessage['linux']['securityContext'] {
  const context: PodSecurityContext = pod.spec.securityContext ?? {}
  return {
    namespaceOptions: namespaceOptions(pod),
    privileged: all(pod).some(({ securityContext }) => securityContext?.privileged === true),
    ...(context.runAsUser === undefined ? {} : { runAsUser: { value: context.runAsUser } }),
    ...(context.runAsGroup === undefined || context.runAsUser === undefined ? {} : { runAsGroup: { value: context.runAsGroup } }),
    supplementalGroups: groupsOf(context),
    seccomp: context.seccompProfile ? seccompOf(context.seccompProfile, profilesDir) : { profileType: 'RuntimeDefault' },
  }
}

const groupsOf = ({ supplementalGroups = [], fsGroup }: PodSecurityContext): number[] => [
  ...(fsGroup === undefined ? [] : [fsGroup]),
  ...supplementalGroups,
]

export interface ContainerSecurityInput {
  readonly pod: Pod
  readonly container: Container
  readonly image: ImageUser
  readonly profilesDir: string
  /** Of an ephemeral container that looks into another's processes. */
  readonly targetId?: string
}

/** Throws RuntimeFailure when a container that must not be root would be. */
export function containerSecurity(input: ContainerSecurityInput): ContainerSecurityMessage {
  const { pod, container, image, profilesDir, targetId } = input
  const ofPod: PodSecurityContext = pod.spec.securityContext ?? {}
  const own: SecurityContext = container.securityContext ?? {}
  const runAsUser = own.runAsUser ?? ofPod.runAsUser
  const runAsGroup = own.runAsGroup ?? ofPod.runAsGroup
  if ((own.runAsNonRoot ?? ofPod.runAsNonRoot) === true) assertNotRoot(pod, container, runAsUser, image)
  const user = runAsUser ?? image.uid
  const privileged = own.privileged === true
  const hidden = own.procMount !== 'Unmasked' && !privileged
  return {
    privileged,
    namespaceOptions: namespaceOptions(pod, targetId),
    ...(user === undefined ? (image.username ? { runAsUsername: image.username } : {}) : { runAsUser: { value: user } }),
    ...(runAsGroup === undefined ? {} : { runAsGroup: { value: runAsGroup } }),
    readonlyRootfs: own.readOnlyRootFilesystem === true,
    supplementalGroups: groupsOf(ofPod),
    supplementalGroupsPolicy: ofPod.supplementalGroupsPolicy === 'Strict' ? 'Strict' : 'Merge',
    noNewPrivs: own.allowPrivilegeEscalation === false,
    maskedPaths: hidden ? maskedPaths : [],
    readonlyPaths: hidden ? readonlyPaths : [],
    seccomp: privileged ? { profileType: 'Unconfined' } : seccompOf(own.seccompProfile ?? ofPod.seccompProfile, profilesDir),
    capabilities: {
      addCapabilities: own.capabilities?.add ?? [],
      dropCapabilities: own.capabilities?.drop ?? [],
    },
  }
}

function assertNotRoot({ metadata }: Pod, { name }: Container, runAsUser: number | undefined, image: ImageUser): void {
  const where = `(pod: "${metadata.name}_${metadata.namespace}(${metadata.uid})", container: ${name})`
  const refuse = (message: string): never => {
    throw new RuntimeFailure('CreateContainerConfigError', message)
  }
  if (runAsUser === 0) refuse(`container's runAsUser breaks non-root policy ${where}`)
  if (runAsUser !== undefined) return
  if (image.uid === 0 || (image.uid === undefined && !image.username)) {
    refuse(`container has runAsNonRoot and image will run as root ${where}`)
  }
  if (image.username) {
    refuse(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root ${where}`,
    )
  }
}
