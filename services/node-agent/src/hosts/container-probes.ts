// Calls the probes of running containers when they are due, and remembers what they found.
import type { Clock } from '@shiplog/runtime/clock'
import { type ContainerWork, statusOf } from '../pod-work.ts'
import { containerSpecOf, graceMsOf } from './pod-facts.ts'
import type { HostedPod } from './pod-host.ts'
import { callProbe, type ProbeTarget } from './probe-call.ts'
import {
  type ContainerProbes,
  dueProbes,
  hasStarted,
  isReady,
  newContainerProbes,
  nextProbeAtMs,
  onProbed,
  type ProbeConfig,
  type ReportedProbes,
} from './probe-state.ts'

export interface Prober {
  /** A container runs: its probes begin. Returns whether the container still runs. */
  begin(pod: HostedPod, container: ContainerWork, isFresh: boolean): () => boolean
  end(pod: HostedPod, container: ContainerWork): void
  isReady(pod: HostedPod, container: ContainerWork): boolean
  hasStarted(pod: HostedPod, container: ContainerWork): boolean
  stop(): void
}

export interface ProberDeps {
  readonly clock: Clock
  readonly targetOf: (pod: HostedPod, container: ContainerWork) => ProbeTarget
  readonly event: (
    pod: HostedPod,
    container: ContainerWork,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ) => void
  /** A failed liveness or startup probe ends the container. */
  readonly kill: (pod: HostedPod, container: ContainerWork, graceMs: number) => void
  readonly onChange: (pod: HostedPod) => void
}

/** One run of a container. */
interface ProbedRun {
  readonly pod: HostedPod
  readonly container: ContainerWork
  readonly containerID: string
  readonly probes: ContainerProbes | undefined
  timer: Disposable | undefined
  over: boolean
}

export function createProber(deps: ProberDeps): Prober {
  const runs = new Map<string, ProbedRun>()
  const keyOf = (pod: HostedPod, container: ContainerWork): string => `${pod.uid}/${container.name}`
  const current = (pod: HostedPod, container: ContainerWork): ProbedRun | undefined => {
    const run = runs.get(keyOf(pod, container))
    return run?.containerID === container.containerID ? run : undefined
  }
  const end = (pod: HostedPod, container: ContainerWork): void => {
    const key = keyOf(pod, container)
    const run = runs.get(key)
    if (run) finish(run)
    runs.delete(key)
  }
  return {
    begin(pod, container, isFresh) {
      end(pod, container)
      const run = newRun(deps.clock, pod, container, isFresh)
      runs.set(keyOf(pod, container), run)
      callDue(deps, run)
      return () => !run.over
    },
    end,
    isReady(pod, container) {
      const run = current(pod, container)
      return run !== undefined && (run.probes === undefined || isReady(run.probes))
    },
    hasStarted(pod, container) {
      const run = current(pod, container)
      return run !== undefined && (run.probes === undefined || hasStarted(run.probes))
    },
    stop() {
      for (const run of runs.values()) finish(run)
    },
  }
}

function newRun(clock: Clock, pod: HostedPod, container: ContainerWork, isFresh: boolean): ProbedRun {
  const startedAtMs = container.state.at === 'running' ? container.state.startedAtMs : clock.nowMs()
  const reported = isFresh ? undefined : reportedOf(pod, container)
  const spec = containerSpecOf(pod, container)
  const probes = container.role === 'init' ? undefined : newContainerProbes(spec, startedAtMs, reported)
  container.awaitsStartup = probes !== undefined && !hasStarted(probes)
  return { pod, container, containerID: container.containerID, probes, timer: undefined, over: false }
}

/** What the status says of this very run of the container. */
function reportedOf({ pod }: HostedPod, { containerID }: ContainerWork): ReportedProbes | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = statusOf(pod)
  const status = [...containerStatuses, ...initContainerStatuses].find((one) => one.containerID === containerID)
  return status && { started: status.started === true, ready: status.ready === true }
}

function finish(run: ProbedRun): void {
  run.over = true
  run.timer?.[Symbol.dispose]()
}

/** Calls the probes that are due, and comes back when the next one is. */
function callDue(deps: ProberDeps, run: ProbedRun): void {
  const { clock } = deps
  run.timer?.[Symbol.dispose]()
  run.timer = undefined
  if (run.over || run.probes === undefined) return
  for (const probe of dueProbes(run.probes, clock.nowMs())) void call(deps, run, run.probes, probe)
  const nextAtMs = nextProbeAtMs(run.probes)
  if (nextAtMs === Number.POSITIVE_INFINITY) return
  run.timer = clock.after(Math.max(0, nextAtMs - clock.nowMs()), () => callDue(deps, run))
}

async function call(deps: ProberDeps, run: ProbedRun, probes: ContainerProbes, probe: ProbeConfig): Promise<void> {
  const { clock, targetOf, event } = deps
  const { pod, container } = run
  const answer = await callProbe(probe.action, targetOf(pod, container), probe.timeoutMs, clock)
  if (run.over) return
  const title = probe.kind[0]!.toUpperCase() + probe.kind.slice(1)
  if (!answer.ok) event(pod, container, 'Warning', 'Unhealthy', `${title} probe failed: ${answer.message}`)
  const effects = onProbed(probes, probe.kind, answer.ok, clock.nowMs())
  container.awaitsStartup = !hasStarted(probes)
  if (effects.kill && pod.pod.metadata.deletionTimestamp === undefined) {
    event(pod, container, 'Normal', 'Killing', `Container ${container.name} failed ${probe.kind} probe, will be restarted`)
    deps.kill(pod, container, probe.graceMs ?? graceMsOf(pod))
  }
  if (effects.changed) deps.onChange(pod)
  callDue(deps, run)
}
