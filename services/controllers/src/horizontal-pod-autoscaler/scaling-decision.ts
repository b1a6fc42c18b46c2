// How many replicas there should be: the bounds first, then the metrics. Conditions and warnings go into the draft.
import type { MetricStatus } from '@shiplog/api/generated/types/autoscaling-v2'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { ObjectView } from '@shiplog/reconcile/view'
import { podsByRarestLabel } from '../shared/pods-by-label.ts'
import { type Draft, note, warn } from './autoscaler-draft.ts'
import { wishOf } from './autoscaler-metrics.ts'
import type { AutoscalerReadings, ScaleReading } from './readings.ts'
import { readSelector, rivals } from './scale-target.ts'
import { limitScaling, minReplicasOf, type ScalingHistory } from './scaling-limits.ts'

export interface Decision {
  /** Undefined when nothing can be said. */
  readonly replicas: number | undefined
  /** Why, for the Event. */
  readonly reason: string
  readonly metrics: MetricStatus[] | null
  readonly history: ScalingHistory
}

export function decideReplicas(
  draft: Draft,
  view: ObjectView,
  readings: AutoscalerReadings & { readonly scale: ScaleReading },
  past: ScalingHistory,
): Decision {
  const { autoscaler, nowMs } = draft
  const { spec } = autoscaler
  const { scale } = readings
  const current = scale.specReplicas
  const history: ScalingHistory =
    past.recommendations.length > 0 ? past : { ...past, recommendations: [[current, nowMs]] }
  const least = minReplicasOf(spec)
  if (current === 0) {
    const message = 'scaling is disabled since the replica count of the target is zero'
    note(draft, { type: 'ScalingActive', status: 'False', reason: 'ScalingDisabled', message })
    return { replicas: 0, reason: '', metrics: null, history }
  }
  if (current > spec.maxReplicas) {
    const reason = 'Current number of replicas above Spec.MaxReplicas'
    return { replicas: spec.maxReplicas, reason, metrics: null, history }
  }
  if (current < least) {
    return { replicas: least, reason: 'Current number of replicas below Spec.MinReplicas', metrics: null, history }
  }
  const pods = podsOfTarget(draft, view, scale.selector)
  if (!pods) return { replicas: undefined, reason: '', metrics: null, history }
  const wish = wishOf({ autoscaler, scale, metrics: readings.metrics ?? [], pods, nowMs })
  note(draft, wish.scalingActive)
  for (const { reason, message } of wish.warnings) warn(draft, reason, message)
  const wanted = wish.replicas
  if (wanted === undefined) return { replicas: undefined, reason: '', metrics: wish.statuses, history }
  const limited = limitScaling({ spec, current, wanted, history, nowMs })
  note(draft, limited.ableToScale)
  note(draft, limited.scalingLimited)
  const metric = wanted > 0 ? wish.metric : ''
  const reason = wanted > current ? `${metric} above target` : wanted < current ? 'All metrics below target' : ''
  const { replicas, recommendations } = limited
  return { replicas, reason, metrics: wish.statuses, history: { ...history, recommendations } }
}

/** The pods that the target's selector finds; undefined, with a condition that says why, when that is of no use. */
function podsOfTarget(draft: Draft, view: ObjectView, text: string): readonly Pod[] | undefined {
  const { autoscaler } = draft
  const refuse = (event: string, reason: string, message: string, told = message): undefined => {
    warn(draft, event, message)
    note(draft, { type: 'ScalingActive', status: 'False', reason, message: told })
    warn(draft, 'FailedComputeMetricsReplicas', message)
  }
  if (text === '')
    return refuse('SelectorRequired', 'InvalidSelector', 'selector is required', "the HPA target's scale is missing a selector")
  const selector = readSelector(text)
  if ('fault' in selector) {
    const message = `couldn't convert selector into a corresponding internal selector object: ${selector.fault}`
    return refuse('InvalidSelector', 'InvalidSelector', message)
  }
  const { namespace = '' } = autoscaler.metadata
  const labels = selector.requirements.filter(({ operator, values }) => /^==?$/.test(operator) && values.length === 1)
  const rarest = Object.fromEntries(labels.map(({ key, values }) => [key, values[0]!]))
  const pods = [...podsByRarestLabel(view, namespace, rarest)].filter(({ metadata }) => selector.matches(metadata.labels))
  const others = rivals(view, autoscaler, pods)
  if (others.length === 0) return pods
  const named = others.map((name) => `${namespace}/${name}`).join(' ')
  return refuse('AmbiguousSelector', 'AmbiguousSelector', `pods by selector ${text} are controlled by multiple HPAs: [${named}]`)
}
