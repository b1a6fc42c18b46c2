// The status of an autoscaler while a round writes it, and what people are told on the way.
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerStatus,
  MetricStatus,
} from '@shiplog/api/generated/types/autoscaling-v2'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import type { EventRecord } from '@shiplog/reconcile/reconciler'
import { type Condition, setCondition } from '../shared/conditions.ts'

export interface Draft {
  readonly autoscaler: HorizontalPodAutoscaler
  readonly nowMs: number
  status: HorizontalPodAutoscalerStatus
  readonly events: EventRecord[]
}

export const draftOf = (autoscaler: HorizontalPodAutoscaler, nowMs: number): Draft => ({
  ...{ autoscaler, nowMs, events: [] },
  status: autoscaler.status ?? { desiredReplicas: 0 },
})

export function note(draft: Draft, condition: Condition): void {
  const conditions = [...setCondition(draft.status.conditions ?? [], condition, draft.nowMs)]
  draft.status = { ...draft.status, conditions }
}

export const warn = (draft: Draft, reason: string, message: string): void =>
  void draft.events.push({ object: draft.autoscaler, type: 'Warning', reason, message })

/** The status with its counts and metrics; its conditions and the time of the last rescale stay. */
export function statusWith(
  { lastScaleTime, conditions }: HorizontalPodAutoscalerStatus,
  counts: { readonly current: number; readonly desired: number; readonly metrics: MetricStatus[] | null },
): HorizontalPodAutoscalerStatus {
  return {
    ...(lastScaleTime === undefined ? {} : { lastScaleTime }),
    // Zero is not written, as in upstream's type.
    ...(counts.current === 0 ? {} : { currentReplicas: counts.current }),
    desiredReplicas: counts.desired,
    currentMetrics: counts.metrics,
    ...(conditions?.length ? { conditions } : {}),
  }
}

export const isSameStatus = (
  a: HorizontalPodAutoscalerStatus | undefined,
  b: HorizontalPodAutoscalerStatus,
): boolean => jsonEqual(comparable(a), comparable(b))

const comparable = (status: HorizontalPodAutoscalerStatus | undefined): object => ({
  ...status,
  desiredReplicas: status?.desiredReplicas ?? 0,
  currentMetrics: status?.currentMetrics ?? null,
})
