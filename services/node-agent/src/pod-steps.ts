// What the runtime is to do next about one pod, as a pure function of what the agent knows. The rules are the kubelet's:
// sandbox first, init containers in order, sidecars (init containers with restartPolicy Always) before and beside the
// others, on deletion main containers first and sidecars after them in reverse order.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { pullBackoffSaidAtMs } from './pod-outcomes.ts'
import {
  addEphemeral,
  containersOf,
  type ContainerWork,
  isRunning,
  type PodWork,
  type RestartPolicy,
  restartPolicyOf,
  restarts,
} from './pod-work.ts'

export type PodStep =
  | { readonly do: 'run-sandbox' }
  | { readonly do: 'start'; readonly container: ContainerWork }
  | { readonly do: 'pause'; readonly container: ContainerWork }
  | { readonly do: 'stop'; readonly container: ContainerWork; readonly graceMs: number }
  | { readonly do: 'remove-sandbox' }

export interface PodPlan {
  readonly steps: readonly PodStep[]
  /** When to plan again even if nothing happens; Infinity: only after an event. */
  readonly wakeAtMs: number
}

const failedForGood = (container: ContainerWork, policy: RestartPolicy): boolean =>
  container.role === 'init' &&
  container.state.at === 'terminated' &&
  container.state.exitCode !== 0 &&
  !restarts('init', policy, container.state.exitCode)

const endedForGood = (container: ContainerWork, policy: RestartPolicy): boolean =>
  container.state.at === 'terminated' && !restarts(container.role, policy, container.state.exitCode)

/** What to do now. Marks what it returns as begun, so that planning twice does not begin it twice. */
export function nextSteps(work: PodWork, pod: Pod, nowMs: number): PodPlan {
  const plan: Plan = { steps: [], wakeAtMs: Number.POSITIVE_INFINITY, nowMs }
  if (!work.finished) planPod(work, pod, plan)
  return { steps: plan.steps, wakeAtMs: plan.wakeAtMs }
}

function planPod(work: PodWork, pod: Pod, plan: Plan): void {
  addEphemeral(work, pod)
  const { activeDeadlineSeconds } = pod.spec
  const deadlineMs =
    activeDeadlineSeconds === undefined ? Number.POSITIVE_INFINITY : work.startTimeMs + activeDeadlineSeconds * 1_000
  if (plan.nowMs >= deadlineMs) work.deadlineExceeded = true
  if (work.eviction !== undefined) {
    stopAll(work, Math.min(work.eviction.graceMs, graceMsOf(pod)), plan.steps)
    return
  }
  if (pod.metadata.deletionTimestamp !== undefined || work.deadlineExceeded) {
    stopAll(work, graceMsOf(pod), plan.steps)
    return
  }
  plan.wakeAtMs = deadlineMs
  if (work.sandbox === 'none') planSandbox(work, plan)
  else if (work.sandbox === 'ready') planContainers(work, pod, plan)
}

interface Plan {
  readonly steps: PodStep[]
  wakeAtMs: number
  readonly nowMs: number
}

function planSandbox(work: PodWork, plan: Plan): void {
  if (plan.nowMs < work.sandboxNotBeforeMs) {
    plan.wakeAtMs = Math.min(plan.wakeAtMs, work.sandboxNotBeforeMs)
    return
  }
  work.sandbox = 'starting'
  plan.steps.push({ do: 'run-sandbox' })
}

function planContainers(work: PodWork, pod: Pod, plan: Plan): void {
  const policy = restartPolicyOf(pod)
  // They wait for nobody: it may be an init container that somebody wants to look into.
  for (const container of work.ephemeral) if (container.state.at === 'waiting') start(container, plan)
  if (!work.initialized) {
    const current = work.init.find((container) => !isPassed(container))
    if (current !== undefined) {
      if (failedForGood(current, policy)) stopAll(work, graceMsOf(pod), plan.steps)
      else if (!isRunning(current)) start(current, plan)
      return
    }
    work.initialized = true
  }
  if (work.main.every((container) => endedForGood(container, policy))) {
    stopAll(work, graceMsOf(pod), plan.steps)
    return
  }
  for (const container of work.init) if (container.role === 'sidecar' && !isRunning(container)) start(container, plan)
  for (const container of work.main)
    if (!isRunning(container) && !endedForGood(container, policy)) start(container, plan)
}

/** Whether the next init container may start. */
const isPassed = (container: ContainerWork): boolean =>
  container.role === 'sidecar' ? isRunning(container) && !container.awaitsStartup : succeeded(container)

function start(container: ContainerWork, plan: Plan): void {
  if (container.starting) return
  if (plan.nowMs < container.notBeforeMs) {
    const saidAtMs = pullBackoffSaidAtMs(container)
    if (saidAtMs <= plan.nowMs) plan.steps.push({ do: 'pause', container })
    plan.wakeAtMs = Math.min(plan.wakeAtMs, container.notBeforeMs, saidAtMs > plan.nowMs ? saidAtMs : Number.POSITIVE_INFINITY)
    return
  }
  container.starting = true
  plan.steps.push({ do: 'start', container })
}

const succeeded = (container: ContainerWork): boolean =>
  container.state.at === 'terminated' && container.state.exitCode === 0

/** The grace period of the deletion, else that of the spec. */
function graceMsOf({ metadata, spec }: Pod): number {
  const seconds = metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30
  return Math.max(0, seconds) * 1_000
}

/** All but sidecars at once, then sidecars in reverse order, then the sandbox. */
function stopAll(work: PodWork, graceMs: number, steps: PodStep[]): void {
  const stop = (container: ContainerWork): void => {
    if (container.stopGraceMs !== undefined && container.stopGraceMs <= graceMs) return
    container.stopGraceMs = graceMs
    steps.push({ do: 'stop', container, graceMs })
  }
  const first = containersOf(work).filter((container) => container.role !== 'sidecar' && isRunning(container))
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
