// What a Job asks for, and what its pods are to it: the small questions that counting, judging and making pods share.
import type { Job, JobCondition } from '@shiplog/api/generated/types/batch-v1'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { isTrue } from '../shared/conditions.ts'
import { isBeingDeleted } from '../shared/ownership.ts'
import { podCondition } from '../shared/pods.ts'

/** Holds a pod until its end has been counted. */
export const trackingFinalizer = 'batch.kubernetes.io/job-tracking'
export const indexAnnotation = 'batch.kubernetes.io/job-completion-index'
/** How often pods of the index failed before this one, and how often that was not to be counted. */
export const failureCountAnnotation = 'batch.kubernetes.io/job-index-failure-count'
export const ignoredFailureCountAnnotation = 'batch.kubernetes.io/job-index-ignored-failure-count'
const backoffLimitDefault = 6
const int32Max = 2 ** 31 - 1

export const isIndexed = (job: Job): boolean => job.spec.completionMode === 'Indexed'

export const isSuspended = (job: Job): boolean => Boolean(job.spec.suspend)

export const completionsOf = (job: Job): number | undefined => job.spec.completions

export const parallelismOf = (job: Job): number => job.spec.parallelism ?? 1

export const backoffLimitOf = (job: Job): number => job.spec.backoffLimit ?? backoffLimitDefault

/** How often each index may fail; undefined when only the Job as a whole has a limit. */
export const indexLimitOf = (job: Job): number | undefined =>
  isIndexed(job) ? job.spec.backoffLimitPerIndex : undefined

/** Pods on their way out are replaced only when they have ended: how they ended may decide about the Job. */
export const replacesOnlyEnded = (job: Job): boolean =>
  job.spec.podReplacementPolicy === 'Failed' || job.spec.podFailurePolicy !== undefined

export const conditionsOf = (job: Job): readonly JobCondition[] => job.status.conditions ?? []

export const isFinishedJob = (job: Job): boolean =>
  isTrue(conditionsOf(job), 'Complete') || isTrue(conditionsOf(job), 'Failed')

/** How the Job ends is written, though not everything of it has ended. */
export const hasVerdict = (job: Job): boolean =>
  isTrue(conditionsOf(job), 'FailureTarget') || isTrue(conditionsOf(job), 'SuccessCriteriaMet')

/** The verdict ended it: however it went, it counts for nothing any more. */
export const wasMadeSuperfluous = (job: Job, pod: Pod): boolean => hasVerdict(job) && isBeingDeleted(pod)

export const isTracked = (pod: Pod): boolean => pod.metadata.finalizers?.includes(trackingFinalizer) ?? false

export const hasSucceeded = (pod: Pod): boolean => pod.status.phase === 'Succeeded'

/** A deleted pod counts as failed, unless its end is to be awaited: it may never get to say how it ended. */
export function hasFailed(job: Job, pod: Pod): boolean {
  if (pod.status.phase === 'Failed') return true
  if (replacesOnlyEnded(job)) return false
  return isBeingDeleted(pod) && !hasSucceeded(pod)
}

/** The index that a pod of an Indexed Job works on; undefined for one that is none of this Job's. */
export function indexOf(job: Job, pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[indexAnnotation]
  if (text === undefined || !/^\d+$/.test(text)) return undefined
  const index = Number(text)
  return index < (completionsOf(job) ?? 0) ? index : undefined
}

/** Whether a pod's end means anything to its Job. */
export const counts = (job: Job, pod: Pod): boolean => !isIndexed(job) || indexOf(job, pod) !== undefined

const int32Of = (text: string | undefined): number =>
  text !== undefined && /^\d{1,10}$/.test(text) && Number(text) <= int32Max ? Number(text) : 0

/** Failures of the index before this pod, as the pod was told when it was made. */
export const failuresBefore = (pod: Pod): { readonly counted: number; readonly ignored: number } => ({
  counted: int32Of(pod.metadata.annotations?.[failureCountAnnotation]),
  ignored: int32Of(pod.metadata.annotations?.[ignoredFailureCountAnnotation]),
})

function containersEndedMs(pod: Pod): number | undefined {
  const sidecars = new Set(
    (pod.spec.initContainers ?? [])
      .filter((container) => container.restartPolicy === 'Always')
      .map((container) => container.name),
  )
  const statuses = [
    ...(pod.status.containerStatuses ?? []),
    ...(pod.status.initContainerStatuses ?? []).filter((one) => sidecars.has(one.name)),
  ]
  const times = statuses.map((status) => Date.parse(status.state?.terminated?.finishedAt ?? ''))
  return times.length > 0 && times.every((time) => Number.isFinite(time)) ? Math.max(...times) : undefined
}

/** When the deletion of a pod began; its timestamp lies ahead by the grace. */
export const deletionBeganMs = ({ metadata }: KubeObject): number | undefined =>
  metadata.deletionTimestamp === undefined
    ? undefined
    : Date.parse(metadata.deletionTimestamp) - (metadata.deletionGracePeriodSeconds ?? 0) * 1_000

/** When a pod ended: by its containers, else when it stopped being ready, else when its deletion began. */
export function finishedAtMs(pod: Pod): number {
  const ended = containersEndedMs(pod)
  if (ended !== undefined) return ended
  const ready = podCondition(pod, 'Ready')
  if (ready?.status === 'False' && ready.lastTransitionTime) {
    return Date.parse(ready.lastTransitionTime)
  }
  return deletionBeganMs(pod) ?? Date.parse(pod.metadata.creationTimestamp)
}
