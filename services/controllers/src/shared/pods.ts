// What controllers ask of a pod: active, ready, available, as k8s.io/kubernetes/pkg/api/v1/pod defines these words.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { isBeingDeleted } from './ownership.ts'

export const podCondition = (pod: KubeObject, type: string): JsonObject | undefined =>
  (pod['status']?.conditions as JsonObject[] | undefined)?.find((condition) => condition['type'] === type)

export const isFinished = (pod: KubeObject): boolean =>
  pod['status']?.phase === 'Succeeded' || pod['status']?.phase === 'Failed'

/** Counts as one of its controller's replicas. */
export const isActive = (pod: KubeObject): boolean => !isFinished(pod) && !isBeingDeleted(pod)

/** On its way out but still there. */
export const isTerminating = (pod: KubeObject): boolean => !isFinished(pod) && isBeingDeleted(pod)

export const isReady = (pod: KubeObject): boolean => podCondition(pod, 'Ready')?.['status'] === 'True'

/** When the pod became ready, undefined when it is not or does not say. */
export function readySinceMs(pod: KubeObject): number | undefined {
  const ready = podCondition(pod, 'Ready')
  if (ready?.['status'] !== 'True' || !ready['lastTransitionTime']) return undefined
  return Date.parse(ready['lastTransitionTime'] as string)
}

/** Milliseconds until a ready pod counts as available; 0 when it does, undefined when it is not ready. */
export function untilAvailableMs(pod: KubeObject, minReadySeconds: number, nowMs: number): number | undefined {
  if (!isReady(pod)) return undefined
  if (minReadySeconds === 0) return 0
  const since = readySinceMs(pod)
  if (since === undefined) return undefined
  return Math.max(0, since + minReadySeconds * 1000 - nowMs)
}

export const podRestarts = (pod: KubeObject): number =>
  ((pod['status']?.containerStatuses as JsonObject[] | undefined) ?? []).reduce(
    (most, status) => Math.max(most, (status['restartCount'] as number | undefined) ?? 0),
    0,
  )
