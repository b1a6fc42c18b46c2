// What the agent knows of one pod on its node: its sandbox and its containers, as plain data. What is to be done about it is
// said by pod-steps.ts; what came of that is folded in by pod-outcomes.ts; an earlier life's pod comes back by pod-adoption.ts.
// No clock, no I/O: time is an argument, so every path can be tested to the second.
import type { Container, EphemeralContainer, Pod, PodStatus } from '@shiplog/api/generated/types/core-v1'
import type { PodRejection } from './pod-admission.ts'
import type { ContainerConfig, ContainerRole } from '@shiplog/node/container-runtime'

/** Initial restart back-off; the first restart is immediate. */
export const restartBackoffMs = 10_000
export const restartBackoffMsMax = 300_000

export interface TerminatedState {
  readonly at: 'terminated'
  readonly exitCode: number
  readonly reason: string
  readonly message?: string
  readonly startedAtMs?: number
  readonly finishedAtMs?: number
  readonly containerID?: string
}

export type ContainerState =
  | { readonly at: 'waiting'; readonly reason: string; readonly message?: string }
  | { readonly at: 'running'; readonly startedAtMs: number }
  | TerminatedState

export interface ContainerWork {
  readonly name: string
  readonly image: string
  readonly role: ContainerRole
  readonly commandLine: readonly string[]
  readonly probeDelaySeconds: number
  state: ContainerState
  lastState: TerminatedState | undefined
  restartCount: number
  containerID: string
  imageID: string
  /** Pause before the next restart; 0 when the next one is immediate. */
  backoffMs: number
  notBeforeMs: number
  /** Pause after the last pull of its image that failed; 0 when the last one did not. */
  pullBackoffMs: number
  starting: boolean
  /** Running, but its startup probe has not succeeded yet: what comes after a sidecar waits for that. */
  awaitsStartup: boolean
  /** Grace period of the pending stop; undefined when no stop was requested. */
  stopGraceMs: number | undefined
}

export interface PodEviction {
  /** What the status and the Event object say. */
  readonly message: string
  readonly graceMs: number
  /** The pod may be in the right: it is ended for others' sake, and its conditions say so. */
  readonly isDisruption: boolean
}

export interface PodWork {
  sandbox: 'none' | 'starting' | 'ready' | 'removed'
  sandboxBackoffMs: number
  sandboxNotBeforeMs: number
  podIPs: readonly string[]
  startTimeMs: number
  /** Init containers and sidecars, in the order of the spec. */
  readonly init: readonly ContainerWork[]
  readonly main: readonly ContainerWork[]
  /** Added to a running pod; never removed and never restarted. */
  readonly ephemeral: ContainerWork[]
  /** Set once when all init containers had passed; they never run again. */
  initialized: boolean
  /** Set once when activeDeadlineSeconds have passed. */
  deadlineExceeded: boolean
  /** Set once when the node ends the pod, because it is short of something or the pod takes too much. */
  eviction?: PodEviction
  /** Why the node did not take the pod. */
  rejection?: PodRejection
  /** Nothing runs and nothing will: the final status may be written and, for a deleted pod, the final DELETE sent. */
  finished: boolean
}

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never'

/** Pods of tests, and of logs of old, may lack a status. */
export const statusOf = (pod: Pod): PodStatus => pod.status ?? {}
export const restartPolicyOf = (pod: Pod): RestartPolicy => pod.spec.restartPolicy ?? 'Always'

const probeDelaySecondsOf = ({ startupProbe, readinessProbe }: Container): number =>
  (startupProbe?.initialDelaySeconds ?? 0) + (readinessProbe?.initialDelaySeconds ?? 0)

/** Shared by the many containers that leave it to their image what they run. */
const noCommandLine: readonly string[] = []

const commandLineOf = ({ command = [], args = [] }: Pick<Container, 'command' | 'args'>): readonly string[] =>
  command.length + args.length === 0 ? noCommandLine : [...command, ...args]

const newContainer = (
  container: Container | EphemeralContainer,
  role: ContainerRole,
  waitingReason: string,
): ContainerWork => ({
  name: container.name,
  image: container.image ?? '',
  role,
  commandLine: commandLineOf(container),
  probeDelaySeconds: role === 'init' ? 0 : probeDelaySecondsOf(container),
  state: { at: 'waiting', reason: waitingReason },
  lastState: undefined,
  restartCount: 0,
  containerID: '',
  imageID: '',
  backoffMs: 0,
  notBeforeMs: 0,
  pullBackoffMs: 0,
  starting: false,
  awaitsStartup: false,
  stopGraceMs: undefined,
})

const creating = 'ContainerCreating'

/** All containers of a pod, whatever their role. */
export const containersOf = ({ init, main, ephemeral }: PodWork): readonly ContainerWork[] => [
  ...init,
  ...main,
  ...ephemeral,
]

/** Adds ephemeral containers that the spec has gained. */
export function addEphemeral(work: PodWork, pod: Pod): void {
  for (const spec of pod.spec.ephemeralContainers ?? []) {
    if (!work.ephemeral.some(({ name }) => name === spec.name))
      work.ephemeral.push(newContainer(spec, 'ephemeral', creating))
  }
}

/** A pod that was just bound to this node. */
export function newPodWork(pod: Pod, nowMs: number): PodWork {
  const { initContainers: init = [], containers, ephemeralContainers = [] } = pod.spec
  const waiting = init.length > 0 ? 'PodInitializing' : creating
  const { startTime } = statusOf(pod)
  return {
    sandbox: 'none',
    sandboxBackoffMs: 0,
    sandboxNotBeforeMs: 0,
    podIPs: [],
    startTimeMs: startTime === undefined ? nowMs : Date.parse(startTime),
    init: init.map((container) =>
      newContainer(container, container.restartPolicy === 'Always' ? 'sidecar' : 'init', waiting),
    ),
    main: (containers ?? []).map((container) => newContainer(container, 'main', waiting)),
    ephemeral: ephemeralContainers.map((container) => newContainer(container, 'ephemeral', creating)),
    initialized: init.length === 0,
    deadlineExceeded: false,
    finished: false,
  }
}

/** Back-off after this many restarts. */
export const backoffAfter = (restarts: number): number =>
  restarts === 0 ? 0 : Math.min(restartBackoffMs * 2 ** Math.min(restarts - 1, 10), restartBackoffMsMax)

export const isRunning = (container: ContainerWork): boolean => container.state.at === 'running'

/** The container as it was last started. */
export const configOf = (container: ContainerWork): ContainerConfig => ({
  name: container.name,
  image: container.image,
  role: container.role,
  attempt: container.restartCount,
  commandLine: container.commandLine,
  probeDelaySeconds: container.probeDelaySeconds,
})

/** The container as it will be started next: with the next attempt number if it ran before. */
export const nextConfigOf = (container: ContainerWork): ContainerConfig => ({
  ...configOf(container),
  attempt: container.restartCount + (hasEnded(container) ? 1 : 0),
})

export const hasEnded = ({ state, lastState }: ContainerWork): boolean =>
  state.at === 'terminated' || (state.at === 'waiting' && lastState !== undefined)

/** Whether a container that exited with this code is restarted, by the pod's policy and the container's role. */
export function restarts(role: ContainerRole, policy: RestartPolicy, exitCode: number): boolean {
  if (role === 'sidecar') return true
  if (role === 'ephemeral') return false
  if (role === 'init') return exitCode !== 0 && policy !== 'Never'
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0)
}
