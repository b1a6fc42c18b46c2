// Folds what the runtime answered, or what happened to a container, into what the agent knows of a pod. The rules are the
// kubelet's: restarts by policy, with a back-off of 10 s that doubles up to 5 min. Pure.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { ContainerExit, RecoveredContainer, StartedContainer } from '@shiplog/node/container-runtime'
import {
  backoffAfter,
  containersOf,
  type ContainerWork,
  hasEnded,
  type PodWork,
  restartBackoffMs,
  restartBackoffMsMax,
  restartPolicyOf,
  restarts,
  type TerminatedState,
} from './pod-work.ts'

/** A container that ran this long has its back-off reset. */
export const backoffResetMs = 600_000
/** Reasons of pulls that failed: what the container waits with until it is looked at again. */
const pullFailures = /^(ErrImagePull|RegistryUnavailable|SignatureValidationFailed)$/
/** A look at a pod follows a change of it after about this time: by then a failed pull has become a pause. */
const nextLookMs = 1_000
/** Retry interval while an object that the container refers to is missing. */
export const configRetryMs = 5_000

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
  container.pullBackoffMs = 0
  if (hasEnded(container)) container.restartCount++
  if (container.state.at === 'terminated') container.lastState = container.state
  container.state = { at: 'running', startedAtMs: started.startedAtMs }
  container.containerID = started.containerID
  container.imageID = started.imageID
}

/** A ConfigMap or Secret that the pod refers to has changed: retry at once what waits for it. */
export function onReferenceChanged(work: PodWork): void {
  work.sandboxNotBeforeMs = 0
  for (const container of containersOf(work)) {
    if (container.state.at === 'waiting' && container.state.reason === 'CreateContainerConfigError')
      container.notBeforeMs = 0
  }
}

/** A failed start waits with upstream's reasons: first the failure, then, for images, the back-off, which is of its own. */
export function onStartFailed(container: ContainerWork, reason: string, message: string, nowMs: number): void {
  container.starting = false
  if (reason === 'CreateContainerConfigError') {
    // Someone else has to create what is missing; the container should start soon after that, and a retry is cheap.
    container.notBeforeMs = nowMs + configRetryMs
  } else if (pullFailures.test(reason)) {
    container.pullBackoffMs = Math.min(Math.max(container.pullBackoffMs * 2, restartBackoffMs), restartBackoffMsMax)
    container.notBeforeMs = nowMs + container.pullBackoffMs
  } else {
    container.backoffMs = Math.min(Math.max(container.backoffMs * 2, restartBackoffMs), restartBackoffMsMax)
    container.notBeforeMs = nowMs + container.backoffMs
  }
  if (container.state.at === 'terminated') container.lastState = container.state
  container.state = { at: 'waiting', reason, message }
}

/** When a container that could not get its image begins to say that it pauses; Infinity: it does not. */
export function pullBackoffSaidAtMs({ state, notBeforeMs, pullBackoffMs }: ContainerWork): number {
  const failed = state.at === 'waiting' && pullFailures.test(state.reason)
  return failed ? notBeforeMs - pullBackoffMs + nextLookMs : Number.POSITIVE_INFINITY
}

export function onPullBackoff(container: ContainerWork, image: string): void {
  if (container.state.at !== 'waiting') return
  const { reason, message = '' } = container.state
  container.state = { at: 'waiting', reason: 'ImagePullBackOff', message: `${pullBackoffText(image)}: ${reason}: ${message}` }
}

export const pullBackoffText = (image: string): string => `Back-off pulling image "${image}"`

export function onExited(work: PodWork, pod: Pod, container: ContainerWork, exit: ContainerExit): void {
  if (container.state.at !== 'running') return
  const { startedAtMs } = container.state
  const ended = terminatedBy(exit, startedAtMs)
  container.state = ended
  container.stopGraceMs = undefined
  const stopping = pod.metadata.deletionTimestamp !== undefined || work.deadlineExceeded || work.eviction !== undefined
  if (stopping || !restarts(container.role, restartPolicyOf(pod), exit.exitCode)) return
  if (container.backoffMs === 0 || exit.finishedAtMs - startedAtMs >= backoffResetMs) {
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

const terminatedBy = (exit: ContainerExit, startedAtMs: number): TerminatedState => ({
  at: 'terminated',
  exitCode: exit.exitCode,
  reason: exit.reason,
  ...(exit.message ? { message: exit.message } : {}),
  startedAtMs,
  finishedAtMs: exit.finishedAtMs,
  containerID: exit.containerID,
})

/**
 * Merges what the runtime knows of a container after a restart of the agent: starts and exits that were never reported are
 * accounted for.
 */
export function onRecovered(work: PodWork, pod: Pod, container: ContainerWork, found: RecoveredContainer): void {
  if (found.attempt < container.restartCount) return
  const isReported = container.containerID === found.containerID && container.state.at !== 'running'
  if (isReported) return
  const { previous } = found
  if (container.containerID !== found.containerID) {
    if (container.state.at === 'terminated') container.lastState = container.state
    if (previous !== undefined) container.lastState = terminatedBy(previous, previous.startedAtMs)
  }
  container.restartCount = found.attempt
  container.containerID = found.containerID
  container.backoffMs = backoffAfter(found.attempt)
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
