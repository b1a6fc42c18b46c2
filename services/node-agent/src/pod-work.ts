// The life of one pod on its node, as a pure state machine: `nextSteps` says what to ask of the runtime now, the `on…`
// functions fold in what came of it. No clock, no I/O: time is an argument, so every path can be tested to the second.
//
// The rules are the kubelet's: sandbox first, init containers in order, sidecars (init containers with restartPolicy
// Always) before and beside the others, restarts by policy with a back-off of 10 s that doubles to 5 min, on deletion
// main containers first and sidecars after them in reverse order.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type {
  ContainerConfig,
  ContainerExit,
  ContainerRole,
  RecoveredContainer,
  StartedContainer,
} from '@shiplog/node/container-runtime'

/** The first pause before a container that ended is started again; the very first restart waits for nothing. */
export const restartBackoffMs = 10_000
export const restartBackoffMsMax = 300_000
/** A container that ran this long has its back-off forgotten. */
export const backoffResetMs = 600_000

/** Between two looks at whether what a container refers to is there by now. */
export const configRetryMs = 5_000

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
  readonly probeDelaySeconds: number
  state: ContainerState
  lastState: TerminatedState | undefined
  restartCount: number
  containerID: string
  imageID: string
  /** The pause before the next start; 0 when the next one is free. */
  backoffMs: number
  notBeforeMs: number
  starting: boolean
  /** It runs, and its startup probe has not succeeded yet: what comes after a sidecar waits for that. */
  awaitsStartup: boolean
  /** The grace with which it was asked to stop, undefined when it was not. */
  stopGraceMs: number | undefined
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
  /** Set once when all init containers had passed; they never run again. */
  initialized: boolean
  /** Set once when activeDeadlineSeconds have passed. */
  deadlineExceeded: boolean
  /** True when nothing runs and nothing will: the last status may be written (and, if it is being deleted, the end). */
  finished: boolean
}

export type PodStep =
  | { readonly do: 'run-sandbox' }
  | { readonly do: 'start'; readonly container: ContainerWork }
  | { readonly do: 'stop'; readonly container: ContainerWork; readonly graceMs: number }
  | { readonly do: 'remove-sandbox' }

export interface PodPlan {
  readonly steps: readonly PodStep[]
  /** When to ask again although nothing happens; Infinity: only after something happened. */
  readonly wakeAtMs: number
}

type RestartPolicy = 'Always' | 'OnFailure' | 'Never'

export const specOf = (pod: KubeObject): JsonObject => (pod['spec'] ?? {}) as JsonObject
export const statusOf = (pod: KubeObject): JsonObject => (pod['status'] ?? {}) as JsonObject
export const restartPolicyOf = (pod: KubeObject): RestartPolicy => specOf(pod)['restartPolicy'] ?? 'Always'

const probeDelaySecondsOf = (container: JsonObject): number =>
  Number(container['startupProbe']?.initialDelaySeconds ?? 0) +
  Number(container['readinessProbe']?.initialDelaySeconds ?? 0)

const newContainer = (container: JsonObject, role: ContainerRole, waitingReason: string): ContainerWork => ({
  name: container['name'],
  image: container['image'] ?? '',
  role,
  probeDelaySeconds: role === 'init' ? 0 : probeDelaySecondsOf(container),
  state: { at: 'waiting', reason: waitingReason },
  lastState: undefined,
  restartCount: 0,
  containerID: '',
  imageID: '',
  backoffMs: 0,
  notBeforeMs: 0,
  starting: false,
  awaitsStartup: false,
  stopGraceMs: undefined,
})

/** A pod that this node has just been given. */
export function newPodWork(pod: KubeObject, nowMs: number): PodWork {
  const spec = specOf(pod)
  const init: JsonObject[] = spec['initContainers'] ?? []
  const containers: JsonObject[] = spec['containers'] ?? []
  const waiting = init.length > 0 ? 'PodInitializing' : 'ContainerCreating'
  const startTime = statusOf(pod)['startTime']
  return {
    sandbox: 'none',
    sandboxBackoffMs: 0,
    sandboxNotBeforeMs: 0,
    podIPs: [],
    startTimeMs: typeof startTime === 'string' ? Date.parse(startTime) : nowMs,
    init: init.map((container) =>
      newContainer(container, container['restartPolicy'] === 'Always' ? 'sidecar' : 'init', waiting),
    ),
    main: containers.map((container) => newContainer(container, 'main', waiting)),
    initialized: init.length === 0,
    deadlineExceeded: false,
    finished: false,
  }
}

/** A pod that an earlier life of this agent had started: what its status says becomes the state again. */
export function adoptPodWork(pod: KubeObject, nowMs: number): PodWork {
  const work = newPodWork(pod, nowMs)
  const status = statusOf(pod)
  const podIPs: JsonObject[] = status['podIPs'] ?? []
  if (podIPs.length === 0) return work
  work.sandbox = 'ready'
  work.podIPs = podIPs.map((entry) => entry['ip'] as string)
  const restore = (containers: readonly ContainerWork[], statuses: readonly JsonObject[] | undefined): void => {
    for (const container of containers) {
      const known = statuses?.find((entry) => entry['name'] === container.name)
      if (known) restoreContainer(container, known)
    }
  }
  restore(work.init, status['initContainerStatuses'])
  restore(work.main, status['containerStatuses'])
  work.initialized =
    (status['conditions'] as JsonObject[] | undefined)?.some(
      (condition) => condition['type'] === 'Initialized' && condition['status'] === 'True',
    ) ?? work.initialized
  return work
}

const timeOf = (text: unknown): number | undefined => (typeof text === 'string' ? Date.parse(text) : undefined)

function terminatedFrom(state: JsonObject | undefined): TerminatedState | undefined {
  const terminated = state?.['terminated'] as JsonObject | undefined
  if (!terminated) return undefined
  const startedAtMs = timeOf(terminated['startedAt'])
  const finishedAtMs = timeOf(terminated['finishedAt'])
  return {
    at: 'terminated',
    exitCode: terminated['exitCode'] ?? 0,
    reason: terminated['reason'] ?? '',
    ...(terminated['message'] ? { message: terminated['message'] } : {}),
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    ...(finishedAtMs === undefined ? {} : { finishedAtMs }),
    ...(terminated['containerID'] ? { containerID: terminated['containerID'] } : {}),
  }
}

function restoreContainer(container: ContainerWork, known: JsonObject): void {
  const { running, waiting } = (known['state'] ?? {}) as JsonObject
  const terminated = terminatedFrom(known['state'])
  container.restartCount = known['restartCount'] ?? 0
  container.containerID = known['containerID'] ?? ''
  container.imageID = known['imageID'] ?? ''
  container.lastState = terminatedFrom(known['lastState'])
  container.backoffMs = container.restartCount === 0 ? 0 : backoffAfter(container.restartCount)
  if (running) container.state = { at: 'running', startedAtMs: timeOf(running.startedAt) ?? 0 }
  else if (terminated) container.state = terminated
  else if (waiting) {
    container.state = {
      at: 'waiting',
      reason: waiting.reason,
      ...(waiting.message ? { message: waiting.message } : {}),
    }
    if (waiting.reason === 'CrashLoopBackOff') {
      container.notBeforeMs = (container.lastState?.finishedAtMs ?? 0) + container.backoffMs
    }
  }
}

const backoffAfter = (restarts: number): number =>
  Math.min(restartBackoffMs * 2 ** Math.min(restarts - 1, 10), restartBackoffMsMax)

/** The container as it was last started. */
export const configOf = (container: ContainerWork): ContainerConfig => ({
  name: container.name,
  image: container.image,
  role: container.role,
  attempt: container.restartCount,
  probeDelaySeconds: container.probeDelaySeconds,
})

/** The container as it will be started next: one attempt later, if it ran before. */
export const nextConfigOf = (container: ContainerWork): ContainerConfig => ({
  ...configOf(container),
  attempt: container.restartCount + (hasEnded(container) ? 1 : 0),
})

const hasEnded = ({ state, lastState }: ContainerWork): boolean =>
  state.at === 'terminated' || (state.at === 'waiting' && lastState !== undefined)

/** Whether a container that ended with this code runs again, by the pod's policy and its own role. */
export function restarts(role: ContainerRole, policy: RestartPolicy, exitCode: number): boolean {
  if (role === 'sidecar') return true
  if (role === 'init') return exitCode !== 0 && policy !== 'Never'
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0)
}

const isRunning = (container: ContainerWork): boolean => container.state.at === 'running'

const failedForGood = (container: ContainerWork, policy: RestartPolicy): boolean =>
  container.role === 'init' &&
  container.state.at === 'terminated' &&
  container.state.exitCode !== 0 &&
  !restarts('init', policy, container.state.exitCode)

const endedForGood = (container: ContainerWork, policy: RestartPolicy): boolean =>
  container.state.at === 'terminated' && !restarts(container.role, policy, container.state.exitCode)

/** What to do now. Marks what it hands out as begun, so that asking twice does not begin it twice. */
export function nextSteps(work: PodWork, pod: KubeObject, nowMs: number): PodPlan {
  const steps: PodStep[] = []
  if (work.finished) return { steps, wakeAtMs: Number.POSITIVE_INFINITY }
  const policy = restartPolicyOf(pod)
  const deadlineSeconds = specOf(pod)['activeDeadlineSeconds'] as number | undefined
  const deadlineMs =
    deadlineSeconds === undefined ? Number.POSITIVE_INFINITY : work.startTimeMs + deadlineSeconds * 1_000
  if (nowMs >= deadlineMs) work.deadlineExceeded = true

  if (pod.metadata['deletionTimestamp'] !== undefined || work.deadlineExceeded) {
    stopAll(work, graceMsOf(pod), steps)
    return { steps, wakeAtMs: Number.POSITIVE_INFINITY }
  }

  let wakeAtMs = deadlineMs
  const start = (container: ContainerWork): void => {
    if (container.starting) return
    if (nowMs < container.notBeforeMs) {
      wakeAtMs = Math.min(wakeAtMs, container.notBeforeMs)
      return
    }
    container.starting = true
    steps.push({ do: 'start', container })
  }

  if (work.sandbox === 'none') {
    if (nowMs < work.sandboxNotBeforeMs) return { steps, wakeAtMs: Math.min(wakeAtMs, work.sandboxNotBeforeMs) }
    work.sandbox = 'starting'
    steps.push({ do: 'run-sandbox' })
    return { steps, wakeAtMs }
  }
  if (work.sandbox !== 'ready') return { steps, wakeAtMs }

  if (!work.initialized) {
    for (const container of work.init) {
      const isPassed =
        container.role === 'sidecar' ? isRunning(container) && !container.awaitsStartup : succeeded(container)
      if (isPassed) continue
      if (failedForGood(container, policy)) stopAll(work, graceMsOf(pod), steps)
      else if (!isRunning(container)) start(container)
      return { steps, wakeAtMs }
    }
    work.initialized = true
  }

  if (work.main.every((container) => endedForGood(container, policy))) {
    stopAll(work, graceMsOf(pod), steps)
    return { steps, wakeAtMs }
  }
  for (const container of work.init) if (container.role === 'sidecar' && !isRunning(container)) start(container)
  for (const container of work.main) if (!isRunning(container) && !endedForGood(container, policy)) start(container)
  return { steps, wakeAtMs }
}

const succeeded = (container: ContainerWork): boolean =>
  container.state.at === 'terminated' && container.state.exitCode === 0

/** The grace of a deletion, else the one of the spec. */
function graceMsOf(pod: KubeObject): number {
  const seconds = pod.metadata['deletionGracePeriodSeconds'] ?? specOf(pod)['terminationGracePeriodSeconds'] ?? 30
  return Math.max(0, Number(seconds)) * 1_000
}

/** Main and plain init containers at once, then sidecars in reverse order, then the sandbox. */
function stopAll(work: PodWork, graceMs: number, steps: PodStep[]): void {
  const stop = (container: ContainerWork): void => {
    if (container.stopGraceMs !== undefined && container.stopGraceMs <= graceMs) return
    container.stopGraceMs = graceMs
    steps.push({ do: 'stop', container, graceMs })
  }
  const first = [...work.init.filter((container) => container.role === 'init'), ...work.main].filter(isRunning)
  if (first.length > 0) {
    for (const container of first) stop(container)
    return
  }
  const sidecar = work.init.findLast((container) => container.role === 'sidecar' && isRunning(container))
  if (sidecar) {
    stop(sidecar)
    return
  }
  work.sandbox = 'removed'
  work.finished = true
  steps.push({ do: 'remove-sandbox' })
}

export function onSandboxReady(work: PodWork, podIPs: readonly string[]): void {
  if (work.sandbox !== 'starting') return
  work.sandbox = 'ready'
  work.podIPs = podIPs
}

export function onSandboxFailed(work: PodWork, nowMs: number): void {
  if (work.sandbox !== 'starting') return
  work.sandbox = 'none'
  work.sandboxBackoffMs = Math.min(Math.max(work.sandboxBackoffMs * 2, 1_000), restartBackoffMsMax)
  work.sandboxNotBeforeMs = nowMs + work.sandboxBackoffMs
}

export function onStarted(container: ContainerWork, started: StartedContainer): void {
  container.starting = false
  container.awaitsStartup = false
  if (hasEnded(container)) container.restartCount++
  if (container.state.at === 'terminated') container.lastState = container.state
  container.state = { at: 'running', startedAtMs: started.startedAtMs }
  container.containerID = started.containerID
  container.imageID = started.imageID
}

/** Something that the pod refers to has changed: what waits for it need not wait longer. */
export function onReferenceChanged(work: PodWork): void {
  work.sandboxNotBeforeMs = 0
  for (const container of [...work.init, ...work.main]) {
    if (container.state.at === 'waiting' && container.state.reason === 'CreateContainerConfigError')
      container.notBeforeMs = 0
  }
}

/** A start that failed waits as upstream shows it: the failure first, then, for images, the pause. */
export function onStartFailed(container: ContainerWork, reason: string, message: string, nowMs: number): void {
  container.starting = false
  if (reason === 'CreateContainerConfigError') {
    // Somebody else has to mend it, and then it should run soon; it costs a look at what it refers to.
    container.notBeforeMs = nowMs + configRetryMs
  } else {
    container.backoffMs = Math.min(Math.max(container.backoffMs * 2, restartBackoffMs), restartBackoffMsMax)
    container.notBeforeMs = nowMs + container.backoffMs
  }
  if (container.state.at === 'terminated') container.lastState = container.state
  const again = container.state.at === 'waiting' && /^(ErrImagePull|ImagePullBackOff)$/.test(container.state.reason)
  container.state =
    reason === 'ErrImagePull' && again
      ? {
          at: 'waiting',
          reason: 'ImagePullBackOff',
          message: `Back-off pulling image "${container.image}": ErrImagePull: ${message}`,
        }
      : { at: 'waiting', reason, message }
}

export function onExited(work: PodWork, pod: KubeObject, container: ContainerWork, exit: ContainerExit): void {
  if (container.state.at !== 'running') return
  const ended: TerminatedState = {
    at: 'terminated',
    exitCode: exit.exitCode,
    reason: exit.reason,
    ...(exit.message ? { message: exit.message } : {}),
    startedAtMs: container.state.startedAtMs,
    finishedAtMs: exit.finishedAtMs,
    containerID: exit.containerID,
  }
  const ranMs = exit.finishedAtMs - container.state.startedAtMs
  container.state = ended
  container.stopGraceMs = undefined
  const stopping = pod.metadata['deletionTimestamp'] !== undefined || work.deadlineExceeded
  if (stopping || !restarts(container.role, restartPolicyOf(pod), exit.exitCode)) return
  if (container.backoffMs === 0 || ranMs >= backoffResetMs) {
    container.backoffMs = restartBackoffMs
    container.notBeforeMs = 0
    return
  }
  container.notBeforeMs = exit.finishedAtMs + container.backoffMs
  container.lastState = ended
  const { name, namespace, uid } = pod.metadata
  container.state = {
    at: 'waiting',
    reason: 'CrashLoopBackOff',
    message: `back-off ${goDuration(container.backoffMs)} restarting failed container=${container.name} pod=${name}_${namespace}(${uid})`,
  }
  container.backoffMs = Math.min(container.backoffMs * 2, restartBackoffMsMax)
}

/**
 * What a runtime of real containers still knows of one goes beyond what was last reported: starts and ends that happened
 * while nobody reported them are made up for.
 */
export function onRecovered(work: PodWork, pod: KubeObject, container: ContainerWork, found: RecoveredContainer): void {
  if (found.attempt < container.restartCount) return
  const isTold = container.containerID === found.containerID && container.state.at !== 'running'
  if (isTold) return
  const { previous } = found
  if (container.containerID !== found.containerID) {
    if (container.state.at === 'terminated') container.lastState = container.state
    if (previous !== undefined) {
      container.lastState = {
        at: 'terminated',
        exitCode: previous.exitCode,
        reason: previous.reason,
        ...(previous.message ? { message: previous.message } : {}),
        startedAtMs: previous.startedAtMs,
        finishedAtMs: previous.finishedAtMs,
        containerID: previous.containerID,
      }
    }
  }
  container.restartCount = found.attempt
  container.containerID = found.containerID
  container.backoffMs = found.attempt === 0 ? 0 : backoffAfter(found.attempt)
  container.notBeforeMs = 0
  container.state = { at: 'running', startedAtMs: found.startedAtMs }
  if (found.ended !== undefined) onExited(work, pod, container, found.ended)
}

/** `10s`, `1m20s`, `5m0s`: Go's form of a duration of whole seconds. */
export function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  const minutes = Math.floor(seconds / 60)
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds % 60}s`
}
