// What controllers ask of a pod: active, ready, available, as k8s.io/kubernetes/pkg/api/v1/pod defines these words.
import type { Pod, PodCondition } from '@shiplog/api/generated/types/core-v1'
import { findCondition } from './conditions.ts'
import { isBeingDeleted } from './ownership.ts'

export const podCondition = (pod: Pod, type: string): PodCondition | undefined =>
  findCondition(pod.status.conditions, type)

export const isFinished = (pod: Pod): boolean => pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed'

/** Counts as one of its controller's replicas. */
export const isActive = (pod: Pod): boolean => !isFinished(pod) && !isBeingDeleted(pod)

/** On its way out but still there. */
export const isTerminating = (pod: Pod): boolean => !isFinished(pod) && isBeingDeleted(pod)

export const isReady = (pod: Pod): boolean => podCondition(pod, 'Ready')?.status === 'True'

/** When the pod became ready, undefined when it is not or does not say. */
export function readySinceMs(pod: Pod): number | undefined {
  const ready = podCondition(pod, 'Ready')
  if (ready?.status !== 'True' || !ready.lastTransitionTime) return undefined
  return Date.parse(ready.lastTransitionTime)
}

/** Milliseconds until a ready pod counts as available; 0 when it does, undefined when it is not ready. */
export function untilAvailableMs(pod: Pod, minReadySeconds: number, nowMs: number): number | undefined {
  if (!isReady(pod)) return undefined
  if (minReadySeconds === 0) return 0
  const since = readySinceMs(pod)
  if (since === undefined) return undefined
  return Math.max(0, since + minReadySeconds * 1000 - nowMs)
}

export const podRestarts = (pod: Pod): number =>
  (pod.status.containerStatuses ?? []).reduce((most, status) => Math.max(most, status.restartCount ?? 0), 0)
