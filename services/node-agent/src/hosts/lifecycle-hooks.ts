// Lifecycle hooks of containers: postStart after a start, preStop before a stop and within its grace period.
import type { Clock } from '@shiplog/runtime/clock'
import type { ContainerWork } from '../pod-work.ts'
import type { HostedPod } from './pod-host.ts'
import { containerSpecOf } from './pod-facts.ts'
import { callProbe, type ProbeTarget } from './probe-call.ts'

/** The kubelet's minimum for a container to end, whatever its hook has used up. */
export const stopGraceMsMin = 2_000
const hookTimeoutMsMax = 600_000

export interface LifecycleHooks {
  /** Runs the postStart hook, if there is one; false when it failed. */
  postStart(pod: HostedPod, container: ContainerWork): Promise<boolean>
  /** Runs the preStop hook, if there is one, and has the container stopped, all within the grace period. */
  stop(pod: HostedPod, container: ContainerWork, graceMs: number): void
  /** The container has ended: its hook need not go on. */
  ended(pod: HostedPod, container: ContainerWork): void
  end(): void
}

export interface LifecycleHookDeps {
  readonly clock: Clock
  readonly targetOf: (pod: HostedPod, container: ContainerWork) => ProbeTarget
  readonly stopContainer: (podUid: string, containerID: string, graceMs: number) => void
  readonly warn: (pod: HostedPod, container: ContainerWork, reason: string, message: string) => void
}

const keyOf = (pod: HostedPod, container: ContainerWork): string => `${pod.uid}/${container.name}`

export function createLifecycleHooks(deps: LifecycleHookDeps): LifecycleHooks {
  /** preStop hooks that run. */
  const running = new Map<string, AbortController>()
  return {
    async postStart(pod, container) {
      const hook = containerSpecOf(pod, container).lifecycle?.postStart
      return hook === undefined || (await runHook(deps, pod, container, 'postStart', hookTimeoutMsMax))
    },
    stop: (pod, container, graceMs) => stop(deps, running, pod, container, graceMs),
    ended(pod, container) {
      const key = keyOf(pod, container)
      running.get(key)?.abort()
      running.delete(key)
    },
    end() {
      for (const hook of running.values()) hook.abort()
    },
  }
}

/** False, and an Event object, when the hook failed. */
async function runHook(
  { clock, targetOf, warn }: LifecycleHookDeps,
  pod: HostedPod,
  container: ContainerWork,
  which: 'postStart' | 'preStop',
  timeoutMs: number,
): Promise<boolean> {
  const hook = containerSpecOf(pod, container).lifecycle?.[which] ?? {}
  const answer = await callProbe(hook, targetOf(pod, container), timeoutMs, clock)
  if (!answer.ok) {
    const word = which === 'postStart' ? 'PostStartHook' : 'PreStopHook'
    warn(pod, container, `Failed${word}`, `${word} failed${answer.message ? `: ${answer.message}` : ''}`)
  }
  return answer.ok
}

function stop(
  deps: LifecycleHookDeps,
  running: Map<string, AbortController>,
  pod: HostedPod,
  container: ContainerWork,
  graceMs: number,
): void {
  const { clock } = deps
  const key = keyOf(pod, container)
  const { containerID } = container
  const order = (leftMs: number): void => deps.stopContainer(pod.uid, containerID, leftMs)
  const earlier = running.get(key)
  if (earlier !== undefined) {
    // Asked again, with less time: the hook has had its share.
    earlier.abort()
    order(graceMs)
    return
  }
  if (containerSpecOf(pod, container).lifecycle?.preStop === undefined || graceMs <= 0) {
    order(graceMs)
    return
  }
  const abort = new AbortController()
  running.set(key, abort)
  const begunMs = clock.nowMs()
  const over = clock.sleep(graceMs, abort.signal).catch(() => undefined)
  void Promise.race([runHook(deps, pod, container, 'preStop', graceMs), over]).then(() => {
    const wasAborted = abort.signal.aborted
    abort.abort()
    if (running.get(key) === abort) running.delete(key)
    if (!wasAborted) order(Math.max(stopGraceMsMin, graceMs - (clock.nowMs() - begunMs)))
  })
}
