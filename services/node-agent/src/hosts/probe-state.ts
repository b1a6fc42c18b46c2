// What the probes of one container have found so far, as a pure state machine: `dueProbes` says whom to ask now, the answer
// is folded in by `onProbed`. The rules are the kubelet's: nothing before the startup probe has succeeded, thresholds of
// answers in a row, and after a failed liveness or startup probe silence until the container has been restarted.
import type { Container, Probe } from '@shiplog/api/generated/types/core-v1'

export type ProbeKind = 'startup' | 'liveness' | 'readiness'

export interface ProbeConfig {
  readonly kind: ProbeKind
  readonly initialDelayMs: number
  readonly periodMs: number
  readonly timeoutMs: number
  readonly successThreshold: number
  readonly failureThreshold: number
  /** A grace of its own for the end that it causes. */
  readonly graceMs: number | undefined
  /** exec, httpGet, tcpSocket or grpc. */
  readonly action: Probe
}

interface ProbeProgress {
  readonly config: ProbeConfig
  nextAtMs: number
  asking: boolean
  /** What counts now. */
  result: 'unknown' | 'success' | 'failure'
  /** The last answers in a row that were alike. */
  last: boolean | undefined
  inARow: number
}

export interface ContainerProbes {
  readonly startedAtMs: number
  readonly progress: readonly ProbeProgress[]
  /** A probe asked for the container's end: no further questions. */
  ended: boolean
}

const seconds = (value: number | undefined, standard: number): number => Math.max(0, value ?? standard) * 1_000

const fields = { startup: 'startupProbe', liveness: 'livenessProbe', readiness: 'readinessProbe' } as const

/** What was last reported of a container that goes on: it counts until its probes say otherwise. */
export interface ReportedProbes {
  readonly started: boolean
  readonly ready: boolean
}

/** The probes of a container, or undefined when it has none. */
export function newContainerProbes(
  spec: Pick<Container, 'startupProbe' | 'livenessProbe' | 'readinessProbe'>,
  startedAtMs: number,
  reported?: ReportedProbes,
): ContainerProbes | undefined {
  const progress = (['startup', 'liveness', 'readiness'] as const).flatMap((kind): ProbeProgress[] => {
    const probe = spec[fields[kind]]
    if (!probe) return []
    const config: ProbeConfig = {
      kind,
      initialDelayMs: seconds(probe.initialDelaySeconds, 0),
      periodMs: Math.max(1_000, seconds(probe.periodSeconds, 10)),
      timeoutMs: Math.max(1_000, seconds(probe.timeoutSeconds, 1)),
      successThreshold: Math.max(1, probe.successThreshold ?? 1),
      failureThreshold: Math.max(1, probe.failureThreshold ?? 3),
      graceMs:
        probe.terminationGracePeriodSeconds === undefined
          ? undefined
          : seconds(probe.terminationGracePeriodSeconds, 30),
      action: probe,
    }
    // Alive until the opposite is shown; ready and started only when that is shown.
    const isGood = kind === 'liveness' || (kind === 'readiness' ? reported?.ready : reported?.started) === true
    const result = isGood ? 'success' : kind === 'readiness' ? 'failure' : 'unknown'
    return [
      { config, nextAtMs: startedAtMs + config.initialDelayMs, asking: false, result, last: undefined, inARow: 0 },
    ]
  })
  return progress.length === 0 ? undefined : { startedAtMs, progress, ended: false }
}

const of = (probes: ContainerProbes, kind: ProbeKind): ProbeProgress | undefined =>
  probes.progress.find(({ config }) => config.kind === kind)

/** Whether the startup probe has succeeded, or there is none. */
export const hasStarted = (probes: ContainerProbes): boolean =>
  (of(probes, 'startup')?.result ?? 'success') === 'success'

export const isReady = (probes: ContainerProbes): boolean =>
  hasStarted(probes) && (of(probes, 'readiness')?.result ?? 'success') === 'success'

const isAsked = (probes: ContainerProbes, { config }: ProbeProgress): boolean =>
  !probes.ended && (config.kind === 'startup' ? !hasStarted(probes) : hasStarted(probes))

/** Whom to ask now. Marks them as being asked. */
export function dueProbes(probes: ContainerProbes, nowMs: number): ProbeConfig[] {
  return probes.progress.flatMap((one) => {
    if (one.asking || one.nextAtMs > nowMs || !isAsked(probes, one)) return []
    one.asking = true
    one.nextAtMs = Math.max(one.nextAtMs + one.config.periodMs, nowMs)
    return [one.config]
  })
}

/** When to look again; Infinity: only after an answer. */
export const nextProbeAtMs = (probes: ContainerProbes): number =>
  Math.min(
    Number.POSITIVE_INFINITY,
    ...probes.progress.filter((one) => !one.asking && isAsked(probes, one)).map((one) => one.nextAtMs),
  )

export interface ProbeEffects {
  /** Readiness or startedness is not what it was. */
  readonly changed: boolean
  /** The container is to be ended. */
  readonly kill: boolean
}

/** Folds an answer in. */
export function onProbed(probes: ContainerProbes, kind: ProbeKind, wentWell: boolean, nowMs: number): ProbeEffects {
  const one = of(probes, kind)
  if (one === undefined) return { changed: false, kill: false }
  one.asking = false
  if (probes.ended) return { changed: false, kill: false }
  const before = [hasStarted(probes), isReady(probes)]
  one.inARow = one.last === wentWell ? one.inARow + 1 : 1
  one.last = wentWell
  const { successThreshold, failureThreshold } = one.config
  if (one.inARow >= (wentWell ? successThreshold : failureThreshold)) one.result = wentWell ? 'success' : 'failure'
  const kill = kind !== 'readiness' && one.result === 'failure'
  if (kill) probes.ended = true
  if (kind === 'startup' && one.result === 'success') {
    // The others have waited for this: they are asked at once, unless their own delay is not over.
    for (const other of probes.progress)
      other.nextAtMs = Math.max(nowMs, probes.startedAtMs + other.config.initialDelayMs)
  }
  return { changed: before[0] !== hasStarted(probes) || before[1] !== isReady(probes), kill }
}
