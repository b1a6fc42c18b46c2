// From what metrics ask for to what is done: stabilised over a window (no sooner down, or up, than all recommendations of the
// window agree), limited in speed, and within minReplicas and maxReplicas. As upstream's horizontal.go; what it keeps in
// memory between rounds is an argument here, and part of the result.
import type { HorizontalPodAutoscalerSpec, HPAScalingRules } from '@shiplog/api/generated/types/autoscaling-v2'
import type { Condition } from '../shared/conditions.ts'

/** `[replicas, when (ms since the epoch)]`. */
export type Stamped = readonly [amount: number, atMs: number]

/** What an autoscaler remembers from round to round. */
export interface ScalingHistory {
  /** What metrics asked for, before it was limited. */
  readonly recommendations: readonly Stamped[]
  /** How many replicas were added, and removed, when. */
  readonly ups: readonly Stamped[]
  readonly downs: readonly Stamped[]
}

export const noHistory: ScalingHistory = { recommendations: [], ups: [], downs: [] }

/** How long a lower recommendation waits unless the autoscaler says otherwise. */
export const downscaleStabilizationMs = 5 * 60_000
const scaleUpFactor = 2
const scaleUpMinimum = 4

export interface Scaling {
  readonly spec: HorizontalPodAutoscalerSpec
  readonly current: number
  readonly wanted: number
  readonly history: ScalingHistory
  readonly nowMs: number
}

export interface Limited {
  readonly replicas: number
  readonly ableToScale: Condition
  readonly scalingLimited: Condition
  readonly recommendations: readonly Stamped[]
}

interface Limit {
  readonly replicas: number
  readonly reason: string
  readonly message: string
}

const within = (replicas: number): Limit => ({
  replicas,
  reason: 'DesiredWithinRange',
  message: 'the desired count is within the acceptable range',
})
const tooMany = (replicas: number): Limit => ({
  replicas,
  reason: 'TooManyReplicas',
  message: 'the desired replica count is more than the maximum replica count',
})
const tooFew = (replicas: number): Limit => ({
  replicas,
  reason: 'TooFewReplicas',
  message: 'the desired replica count is less than the minimum replica count',
})
const tooFast = (replicas: number): Limit => ({
  replicas,
  reason: 'ScaleUpLimit',
  message: 'the desired replica count is increasing faster than the maximum scale rate',
})
const tooFastDown = (replicas: number): Limit => ({
  replicas,
  reason: 'ScaleDownLimit',
  message: 'the desired replica count is decreasing faster than the maximum scale rate',
})

const highestApplied = 'recent recommendations were higher than current one, applying the highest recent recommendation'
const lowestApplied = 'recent recommendations were lower than current one, applying the lowest recent recommendation'

export const minReplicasOf = ({ minReplicas }: HorizontalPodAutoscalerSpec): number => minReplicas ?? 1

/** What is done about a recommendation. */
export function limitScaling(scaling: Scaling): Limited {
  const { spec, wanted, history, nowMs } = scaling
  const { behavior } = spec
  const stabilized = behavior ? stabilizeByRules(scaling) : stabilize(scaling)
  const ableToScale: Condition =
    stabilized.replicas === wanted
      ? { type: 'AbleToScale', status: 'True', reason: 'ReadyForNewScale', message: 'recommended size matches current size' }
      : { type: 'AbleToScale', status: 'True', reason: stabilized.reason, message: stabilized.message }
  const steady = { ...scaling, wanted: stabilized.replicas }
  const limit = behavior ? limitByRules(steady) : limitByDefault(steady)
  const status = limit.replicas === stabilized.replicas ? 'False' : 'True'
  const { reason, message } = limit
  const longestMs = behavior
    ? Math.max(windowMs(behavior.scaleUp, 0), windowMs(behavior.scaleDown, downscaleStabilizationMs))
    : downscaleStabilizationMs
  return {
    replicas: limit.replicas,
    ableToScale,
    scalingLimited: { type: 'ScalingLimited', status, reason, message },
    recommendations: [...since(history.recommendations, nowMs - longestMs), [wanted, nowMs]],
  }
}

const since = (stamped: readonly Stamped[], fromMs: number): readonly Stamped[] =>
  stamped.filter(([, atMs]) => atMs >= fromMs)

/** The highest recommendation of the last minutes. */
function stabilize({ wanted, history, nowMs }: Scaling): Limit {
  const recent = since(history.recommendations, nowMs - downscaleStabilizationMs).map(([amount]) => amount)
  return { replicas: Math.max(wanted, ...recent), reason: 'ScaleDownStabilized', message: highestApplied }
}

const windowMs = (rules: HPAScalingRules | undefined, otherwiseMs: number): number =>
  rules?.stabilizationWindowSeconds === undefined ? otherwiseMs : rules.stabilizationWindowSeconds * 1_000

/** Between the lowest recommendation of the window for going up and the highest of that for going down. */
function stabilizeByRules({ spec, current, wanted, history, nowMs }: Scaling): Limit {
  const after = (ms: number): number[] =>
    history.recommendations.filter(([, atMs]) => atMs > nowMs - ms).map(([amount]) => amount)
  const up = Math.min(wanted, ...after(windowMs(spec.behavior?.scaleUp, 0)))
  const down = Math.max(wanted, ...after(windowMs(spec.behavior?.scaleDown, downscaleStabilizationMs)))
  const replicas = Math.min(Math.max(current, up), down)
  return wanted >= current
    ? { replicas, reason: 'ScaleUpStabilized', message: lowestApplied }
    : { replicas, reason: 'ScaleDownStabilized', message: highestApplied }
}

/** At most twice as many, or four. */
function limitByDefault({ spec, current, wanted }: Scaling): Limit {
  const fastest = Math.trunc(Math.max(scaleUpFactor * current, scaleUpMinimum))
  const most = spec.maxReplicas > fastest ? tooFast(fastest) : tooMany(spec.maxReplicas)
  const least = minReplicasOf(spec)
  if (wanted < least) return tooFew(least)
  return wanted > most.replicas ? most : within(wanted)
}

function limitByRules(scaling: Scaling): Limit {
  const { spec, current, wanted } = scaling
  if (wanted > current) {
    const fastest = Math.max(current, scaleUpLimit(scaling, spec.behavior?.scaleUp))
    const most = spec.maxReplicas > fastest ? tooFast(fastest) : tooMany(spec.maxReplicas)
    return wanted > most.replicas ? most : within(wanted)
  }
  if (wanted < current) {
    const fastest = Math.min(current, scaleDownLimit(scaling, spec.behavior?.scaleDown))
    const least = minReplicasOf(spec) < fastest ? tooFastDown(fastest) : tooFew(minReplicasOf(spec))
    return wanted < least.replicas ? least : within(wanted)
  }
  return within(wanted)
}

/** How many there were when the period began. */
function atPeriodStart({ current, history, nowMs }: Scaling, periodSeconds: number): number {
  const sum = (stamped: readonly Stamped[]): number =>
    stamped.reduce((all, [amount, atMs]) => (atMs > nowMs - periodSeconds * 1_000 ? all + amount : all), 0)
  return current - sum(history.ups) + sum(history.downs)
}

/** Up to how many the policies allow to go now. */
function scaleUpLimit(scaling: Scaling, rules: HPAScalingRules | undefined): number {
  if (rules?.selectPolicy === 'Disabled') return scaling.current
  const proposals = (rules?.policies ?? []).map(({ type, value, periodSeconds }) => {
    const start = atPeriodStart(scaling, periodSeconds)
    return type === 'Pods' ? start + value : Math.ceil(start * (1 + value / 100))
  })
  return rules?.selectPolicy === 'Min' ? Math.min(...proposals) : Math.max(...proposals)
}

/** Down to how many. */
function scaleDownLimit(scaling: Scaling, rules: HPAScalingRules | undefined): number {
  if (rules?.selectPolicy === 'Disabled') return scaling.current
  const proposals = (rules?.policies ?? []).map(({ type, value, periodSeconds }) => {
    const start = atPeriodStart(scaling, periodSeconds)
    return type === 'Pods' ? start - value : Math.trunc(start * (1 - value / 100))
  })
  return rules?.selectPolicy === 'Min' ? Math.max(...proposals) : Math.min(...proposals)
}

const longestPeriodMs = (rules: HPAScalingRules | undefined): number =>
  Math.max(0, ...(rules?.policies ?? []).map(({ periodSeconds }) => periodSeconds)) * 1_000

/** The history after a rescale. Without rules of its own an autoscaler asks for none. */
export function withRescale(
  history: ScalingHistory,
  { behavior }: HorizontalPodAutoscalerSpec,
  [from, to]: readonly [from: number, to: number],
  nowMs: number,
): ScalingHistory {
  if (!behavior) return history
  const longestMs = Math.max(longestPeriodMs(behavior.scaleUp), longestPeriodMs(behavior.scaleDown))
  const ups = since(history.ups, nowMs - longestMs)
  const downs = since(history.downs, nowMs - longestMs)
  return to > from
    ? { ...history, ups: [...ups, [to - from, nowMs]], downs }
    : { ...history, ups, downs: [...downs, [from - to, nowMs]] }
}
