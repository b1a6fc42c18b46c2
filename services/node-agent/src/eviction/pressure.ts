// From what a node has left to what is to be done about it: which conditions it has, which threshold is to be brought back. One
// step at a time, as the kubelet's eviction manager takes them. Pure.
import { amountIn, type EvictionConfig, type Signal, type Threshold } from './thresholds.ts'

export interface Observation {
  readonly available: number
  readonly capacity: number
  readonly atMs: number
}

export type Observations = ReadonlyMap<Signal, Observation>

export type Pressure = 'MemoryPressure' | 'DiskPressure' | 'PIDPressure'
export type Resource = 'memory' | 'ephemeral-storage' | 'inodes' | 'pids'

export interface PressureState {
  /** Since when thresholds have been met. */
  readonly firstMetMs: ReadonlyMap<Threshold, number>
  /** When conditions were last caused. */
  readonly lastSeenMs: ReadonlyMap<Pressure, number>
  /** Acted upon: they count until their minimum is had back. */
  readonly acting: readonly Threshold[]
  readonly observed: Observations
}

export const noPressure: PressureState = { firstMetMs: new Map(), lastSeenMs: new Map(), acting: [], observed: new Map() }

export interface PressureStep {
  readonly state: PressureState
  readonly pressures: ReadonlySet<Pressure>
  /** To be brought back now, the most pressing first. */
  readonly starved: readonly Threshold[]
}

const pressureOf = (signal: Signal): Pressure =>
  signal === 'memory.available' ? 'MemoryPressure' : signal === 'pid.available' ? 'PIDPressure' : 'DiskPressure'

export const resourceOf = (signal: Signal): Resource => {
  if (signal === 'memory.available') return 'memory'
  if (signal === 'pid.available') return 'pids'
  return signal.endsWith('.inodesFree') ? 'inodes' : 'ephemeral-storage'
}

export function pressureStep(before: PressureState, observed: Observations, config: EvictionConfig, nowMs: number): PressureStep {
  const unresolved = thresholdsMet(before.acting, observed, true)
  const met = [...new Set([...thresholdsMet(config.thresholds, observed, false), ...unresolved])]
  const firstMetMs = new Map(met.map((threshold) => [threshold, before.firstMetMs.get(threshold) ?? nowMs]))
  const caused = new Set(met.map(({ signal }) => pressureOf(signal)))
  const lastSeenMs = new Map([...before.lastSeenMs, ...[...caused].map((pressure) => [pressure, nowMs] as const)])
  const pressures = new Set([...lastSeenMs].filter(([, seenMs]) => nowMs - seenMs < config.transitionMs || seenMs === nowMs).map(([pressure]) => pressure))
  const acting = met.filter((threshold) => nowMs - firstMetMs.get(threshold)! >= threshold.graceMs)
  // What was not measured again since the last step says nothing of what that step brought.
  const fresh = acting.filter(({ signal }) => (observed.get(signal)?.atMs ?? 0) > (before.observed.get(signal)?.atMs ?? 0))
  const starved = [...fresh].sort((a, b) => Number(b.signal === 'memory.available') - Number(a.signal === 'memory.available'))
  return { state: { firstMetMs, lastSeenMs, acting, observed }, pressures, starved }
}

/** With `withReclaim` a threshold counts as met until its minimum is had back besides. */
export const thresholdsMet = (thresholds: readonly Threshold[], observed: Observations, withReclaim: boolean): Threshold[] =>
  thresholds.filter(({ signal, value, minimumReclaim }) => {
    const found = observed.get(signal)
    if (found === undefined) return false
    const more = withReclaim && minimumReclaim ? amountIn(minimumReclaim, found.capacity) : 0
    return amountIn(value, found.capacity) + more > found.available
  })
