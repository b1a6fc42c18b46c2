// HorizontalPodAutoscaler: every fifteen seconds it looks at the metrics of its target's pods (observe-metrics.ts), reckons how
// many replicas there should be (scaling-decision.ts), and writes the scale. What it saw and what it remembered are recorded
// with what it does. A rescale takes two rounds: the scale, then the status that tells of it.
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus } from '@shiplog/api/generated/types/autoscaling-v2'
import {
  type Command,
  type CommandFailure,
  forResource,
  readsResource,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
  settled,
} from '@shiplog/reconcile/reconciler'
import { isRace } from '@shiplog/reconcile/round'
import type { ObjectView } from '@shiplog/reconcile/view'
import { rfc3339 } from '@shiplog/runtime/clock'
import { podLabelsIndex } from '../shared/pods-by-label.ts'
import { type Draft, draftOf, isSameStatus, note, statusWith, warn } from './autoscaler-draft.ts'
import { observeMetrics } from './observe-metrics.ts'
import type { AutoscalerReadings, ScaleReading } from './readings.ts'
import { noMatch, resourceOfKind } from './scale-target.ts'
import { decideReplicas } from './scaling-decision.ts'
import { noHistory, type ScalingHistory, withRescale } from './scaling-limits.ts'

const autoscalers = 'horizontalpodautoscalers.autoscaling'
/** From round to round, as upstream's --horizontal-pod-autoscaler-sync-period. */
export const syncPeriodMs = 15_000

/** A scale that was asked for, and the status that tells of it once it stands. */
interface Rescale {
  readonly from: number
  readonly to: number
  readonly status: HorizontalPodAutoscalerStatus
}

interface Memory {
  /** When metrics were looked at last. */
  readonly atMs: number
  readonly history: ScalingHistory
  readonly rescale?: Rescale
  /** A status that is on its way. */
  readonly unsaved?: HorizontalPodAutoscalerStatus
}

export const horizontalPodAutoscalerReconciler: Reconciler = {
  name: 'horizontalpodautoscaler',
  component: 'horizontal-pod-autoscaler',
  indexes: [podLabelsIndex],
  resources: [
    forResource(autoscalers),
    readsResource('pods'),
    readsResource('deployments.apps'),
    readsResource('replicasets.apps'),
    readsResource('statefulsets.apps'),
    readsResource('replicationcontrollers'),
    readsResource('customresourcedefinitions.apiextensions.k8s.io'),
  ],
  observe(key, view, { nowMs, memory }) {
    const autoscaler = view.get(autoscalers, key)
    const target = autoscaler && resourceOfKind(view, autoscaler.spec.scaleTargetRef)
    return autoscaler && target && isDue(memoryOf(memory), nowMs) ? observeMetrics(autoscaler, target, view) : undefined
  },
  reconcile(key, view, { observed, memory, nowMs, failures }) {
    const autoscaler = view.get(autoscalers, key)
    if (!autoscaler) return settled
    const before = memoryOf(memory)
    // As upstream's queue: the first look comes a period after an autoscaler was seen first.
    if (!before) return remember({ atMs: nowMs, history: noHistory }, nowMs)
    const draft = draftOf(autoscaler, nowMs)
    if (before.rescale) return concludeRescale(draft, before, before.rescale, failures)
    if (before.unsaved && failures.length > 0) return save(draft, before, before.unsaved)
    if (!isDue(before, nowMs)) return remember({ atMs: before.atMs, history: before.history }, nowMs)
    return scaleTarget(draft, view, (observed ?? {}) as AutoscalerReadings, before.history)
  },
}

const memoryOf = (memory: ReconcileContext['memory']): Memory | undefined => memory as unknown as Memory | undefined

const isDue = (memory: Memory | undefined, nowMs: number): boolean =>
  memory !== undefined && !memory.rescale && nowMs >= memory.atMs + syncPeriodMs

/** Comes back when the period is over. */
function remember(memory: Memory, nowMs: number, more: Omit<ReconcileResult, 'memory'> = {}): ReconcileResult {
  const requeueAfterMs = Math.max(1, memory.atMs + syncPeriodMs - nowMs)
  return { requeueAfterMs, ...more, memory: memory as unknown as NonNullable<ReconcileResult['memory']> }
}

function scaleTarget(draft: Draft, view: ObjectView, readings: AutoscalerReadings, past: ScalingHistory): ReconcileResult {
  const { autoscaler, nowMs } = draft
  const { scaleTargetRef } = autoscaler.spec
  const { scale, scaleFault } = readings
  if (!scale) {
    const fault = resourceOfKind(view, scaleTargetRef) ? (scaleFault ?? 'unrecognized resource') : noMatch(scaleTargetRef)
    warn(draft, 'FailedGetScale', fault)
    const message = `the HPA controller was unable to get the target's current scale: ${fault}`
    note(draft, { type: 'AbleToScale', status: 'False', reason: 'FailedGetScale', message })
    return finish(draft, { atMs: nowMs, history: past })
  }
  const message = "the HPA controller was able to get the target's current scale"
  note(draft, { type: 'AbleToScale', status: 'True', reason: 'SucceededGetScale', message })
  const current = scale.specReplicas
  const { replicas, reason, metrics, history } = decideReplicas(draft, view, { ...readings, scale }, past)
  if (replicas === undefined || replicas === current) {
    const desired = replicas ?? autoscaler.status?.desiredReplicas ?? 0
    draft.status = statusWith(draft.status, { current, desired, metrics })
    return finish(draft, { atMs: nowMs, history })
  }
  const status = statusWith(draft.status, { current, desired: replicas, metrics })
  const told = `New size: ${replicas}; reason: ${reason}`
  const command: Command = {
    request: scaleRequest(autoscaler, scale, replicas),
    event: { object: autoscaler, type: 'Normal', reason: 'SuccessfulRescale', message: told },
    failureEvent: (refusal) => ({
      ...{ object: autoscaler, type: 'Warning', reason: 'FailedRescale', message: `${told}; error: ${refusal.message}` },
    }),
  }
  const memory: Memory = { atMs: nowMs, history, rescale: { from: current, to: replicas, status } }
  return { ...remember(memory, nowMs, { commands: [command], events: draft.events }), requeueAfterMs: 1 }
}

function scaleRequest({ metadata, spec }: HorizontalPodAutoscaler, scale: ScaleReading, replicas: number): Command['request'] {
  const { namespace = '' } = metadata
  const { name } = spec.scaleTargetRef
  const { group, version, resource, resourceVersion } = scale
  const body = {
    ...{ kind: 'Scale', apiVersion: 'autoscaling/v1' },
    metadata: { name, namespace, resourceVersion },
    spec: { replicas },
  }
  const address = { group, ...(version === undefined ? {} : { version }), resource, subresource: 'scale' }
  return { verb: 'update', ...address, namespace, name, body }
}

/** Tells what became of a rescale. One that met a newer version of the target is decided anew. */
function concludeRescale(
  draft: Draft,
  { atMs, history }: Memory,
  { from, to, status }: Rescale,
  failures: readonly CommandFailure[],
): ReconcileResult {
  const { nowMs, autoscaler } = draft
  const refusal = failures[0]?.status
  if (refusal && isRace(refusal)) {
    return { ...remember({ atMs: nowMs - syncPeriodMs, history }, nowMs), requeueAfterMs: 1 }
  }
  draft.status = status
  if (refusal) {
    const message = `the HPA controller was unable to update the target scale: ${refusal.message}`
    note(draft, { type: 'AbleToScale', status: 'False', reason: 'FailedUpdateScale', message })
    const desired = autoscaler.status?.desiredReplicas ?? 0
    draft.status = statusWith(draft.status, { current: from, desired, metrics: status.currentMetrics ?? null })
    return finish(draft, { atMs, history })
  }
  const message = `the HPA controller was able to update the target scale to ${to}`
  note(draft, { type: 'AbleToScale', status: 'True', reason: 'SucceededRescale', message })
  draft.status = { ...draft.status, lastScaleTime: rfc3339(nowMs) }
  return finish(draft, { atMs, history: withRescale(history, autoscaler.spec, [from, to], nowMs) })
}

/** Writes the status when it says something else than before. */
function finish(draft: Draft, memory: Memory): ReconcileResult {
  const { autoscaler, status, events, nowMs } = draft
  if (isSameStatus(autoscaler.status, status)) return remember(memory, nowMs, { events })
  return { ...save(draft, memory, status), events }
}

/** Sends a status; when it is refused it is sent again with the object as it is then. */
function save({ autoscaler, nowMs }: Draft, { atMs, history }: Memory, status: HorizontalPodAutoscalerStatus): ReconcileResult {
  const { name, namespace = '' } = autoscaler.metadata
  const command: Command = {
    request: {
      ...{ verb: 'update', group: 'autoscaling', resource: 'horizontalpodautoscalers', subresource: 'status' },
      ...{ namespace, name, body: { ...autoscaler, status } },
    },
    failureEvent: ({ message = '' }) => ({ object: autoscaler, type: 'Warning', reason: 'FailedUpdateStatus', message }),
  }
  return remember({ atMs, history, unsaved: status }, nowMs, { commands: [command] })
}
