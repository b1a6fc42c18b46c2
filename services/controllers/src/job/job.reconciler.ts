// Job: runs pods until enough of them have succeeded, or too many have failed. One round looks at the pods (job-tally.ts),
// asks how the Job ends (job-verdict.ts), makes or removes pods (job-pods.ts) and writes the status. The last condition,
// Complete or Failed, is written only by a round that sees the verdict stored and nothing left that runs or waits to be
// counted.
import type { Job, JobCondition, JobStatus } from '@shiplog/api/generated/types/batch-v1'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import { compileLabelSelector } from '@shiplog/api/selectors'
import {
  forResource,
  settled,
  watchesResource,
  type ChangeOf,
  type Command,
  type EventRecord,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import { keyOfObject, type ObjectView } from '@shiplog/reconcile/view'
import { rfc3339 } from '@shiplog/runtime/clock'
import { type Condition, findCondition, isTrue } from '../shared/conditions.ts'
import {
  adopterKeys,
  controllingObject,
  claimChildren,
  controllerKeys,
  controllerOf,
  isBeingDeleted,
  labelSelectorOf,
  orphansIndex,
} from '../shared/ownership.ts'
import { deletePodCommand } from '../shared/pod-commands.ts'
import { isActive, isReady, isTerminating } from '../shared/pods.ts'
import { formatIndexes } from './completed-indexes.ts'
import {
  completionsOf,
  conditionsOf,
  hasVerdict,
  isFinishedJob,
  isSuspended,
  isTracked,
  trackingFinalizer,
} from './job-facts.ts'
import { managePods, removeUncounted, untrack } from './job-pods.ts'
import { countEnds, look, type Count, type Look } from './job-tally.ts'
import { deadlineMs, type Verdict, verdictOf } from './job-verdict.ts'

const ownManager = 'kubernetes.io/job-controller'
/** Keys of pods that a Job may have left behind begin so; other keys are Jobs. */
const orphanPrefix = 'pod '

/** Runs pods to completion. */
export const jobReconciler: Reconciler = {
  name: 'job',
  component: 'job-controller',
  indexes: [orphansIndex('pods')],
  resources: [forResource('jobs.batch'), watchesResource('pods', podKeys)],
  reconcile: (key, view, context) => {
    if (key.startsWith(orphanPrefix)) return releaseOrphan(key.slice(orphanPrefix.length), view)
    const job = view.get('jobs.batch', key)
    if (!job) return releaseAll(key, view)
    if (isManagedElsewhere(job)) return settled
    if (isFinishedJob(job)) return { commands: trackedPodsOf(job, view).map(untrack) }
    const selector = compileLabelSelector(job.spec.selector)
    const claim = claimChildren(view, job, 'pods', selector, { finalizer: trackingFinalizer })
    return claim.commands.length > 0 ? { commands: claim.commands } : reconcileJob(job, claim.children, view, context)
  },
}

const isManagedElsewhere = (job: Job): boolean => (job.spec.managedBy ?? ownManager) !== ownManager

/** The Job of a pod, the one that it had before, those that may adopt it; or the pod itself, when it is nobody's. */
function podKeys(change: ChangeOf<'pods'>, before: Pod | undefined, view: ObjectView): Iterable<string> {
  const pod = change.object
  const keys = new Set<string>()
  const controller = controllerOf(pod)
  if (jobOf(pod, view)) for (const key of controllerKeys(pod, 'Job')) keys.add(key)
  if (before && before.metadata.ownerReferences !== pod.metadata.ownerReferences && jobOf(before, view)) {
    for (const key of controllerKeys(before, 'Job')) keys.add(key)
  }
  if (change.deleted || (controller && (controller.kind !== 'Job' || keys.size > 0))) return keys
  const wasOrphan = before !== undefined && !controllerOf(before)
  // An orphan wakes those who may adopt it when it appears, is released or gets other labels; not at each status.
  if (!controller && !(wasOrphan && jsonEqual(before.metadata.labels, pod.metadata.labels))) {
    for (const key of adopterKeys(view, 'jobs.batch', pod, labelSelectorOf)) keys.add(key)
  }
  if (isTracked(pod)) keys.add(orphanPrefix + keyOfObject(pod))
  return keys
}

/** The Job that controls a pod, if it exists. */
const jobOf = (pod: Pod, view: ObjectView): Job | undefined => controllingObject(view, 'jobs.batch', 'Job', pod)

function trackedPodsOf(job: Job, view: ObjectView): Pod[] {
  return [...view.listOwned('pods', job.metadata.uid)].filter(isTracked)
}

/** A pod without a Job counts for nobody: nothing may hold it. One that a Job is about to adopt stays. */
function releaseOrphan(key: string, view: ObjectView): ReconcileResult {
  const pod = view.get('pods', key)
  if (!pod || !isTracked(pod) || jobOf(pod, view)) return settled
  const controller = controllerOf(pod)
  if (controller && controller.kind !== 'Job') return settled
  if (!controller && !isBeingDeleted(pod)) {
    for (const jobKey of adopterKeys(view, 'jobs.batch', pod, labelSelectorOf)) {
      const job = view.get('jobs.batch', jobKey)!
      if (!isFinishedJob(job) && !isBeingDeleted(job) && !isManagedElsewhere(job)) return settled
    }
  }
  return { commands: [untrack(pod)] }
}

/** The Job is gone: its pods of that name are let go. */
function releaseAll(key: string, view: ObjectView): ReconcileResult {
  const namespace = key.slice(0, key.indexOf('/'))
  const name = key.slice(key.indexOf('/') + 1)
  const commands: Command[] = []
  for (const pod of view.list('pods', namespace)) {
    const controller = controllerOf(pod)
    if (controller?.kind === 'Job' && controller.name === name && isTracked(pod)) commands.push(untrack(pod))
  }
  return { commands }
}

/** What one round works out, collected before it becomes commands. */
interface Round {
  readonly job: Job
  readonly children: readonly Pod[]
  readonly active: readonly Pod[]
  readonly terminating: readonly Pod[]
  readonly seen: Look
  readonly nowMs: number
  conditions: readonly JobCondition[]
  startTime: string | undefined
  completionTime: string | undefined
  requeueAfterMs: number | undefined
  readonly commands: Command[]
  readonly events: EventRecord[]
}

function reconcileJob(
  job: Job,
  children: readonly Pod[],
  view: ObjectView,
  context: ReconcileContext,
): ReconcileResult {
  if (isBeingDeleted(job)) return { commands: children.filter(isTracked).map(untrack) }
  const { nowMs } = context
  const seen = look(job, children)
  const round: Round = {
    job,
    children,
    active: children.filter(isActive),
    terminating: children.filter(isTerminating),
    seen,
    nowMs,
    conditions: conditionsOf(job),
    startTime: job.status.startTime,
    completionTime: undefined,
    requeueAfterMs: undefined,
    commands: [],
    events: [],
  }
  if (round.startTime === undefined && !isSuspended(job)) round.startTime = rfc3339(nowMs)
  const { active, startTime } = round
  const verdict = verdictOf({ job, children, activeCount: active.length, seen, startTime, nowMs })
  const isStored = hasVerdict(job)
  const ending = verdict && { isSuccess: verdict.type === 'SuccessCriteriaMet', isStored }
  const count = countEnds(job, children, seen, ending)
  if (verdict) finish(round, verdict, isStored, count)
  else if (isSuspended(job)) suspend(round)
  else goOn(round, view)
  // A pod that is let go is not deleted in the same round: no object is written twice in one.
  const written = new Set(round.commands.map(({ request }) => request.name))
  round.commands.push(...count.release.filter((pod) => !written.has(pod.metadata.name)).map(untrack))
  writeStatus(round, count)
  return {
    commands: round.commands,
    events: round.events,
    ...(round.requeueAfterMs === undefined ? {} : { requeueAfterMs: round.requeueAfterMs }),
  }
}

const say = (round: Round, type: EventRecord['type'], reason: string, message: string): void => {
  round.events.push({ object: round.job, type, reason, message })
}

/** Replaces a condition that says something else, with the time of now, or adds one. */
function setJobCondition(round: Round, next: Condition): void {
  const before = findCondition(round.conditions, next.type)
  if (before?.status === next.status && before.reason === next.reason && (before.message ?? '') === next.message) return
  const now = rfc3339(round.nowMs)
  const { type } = next
  const { reason, message } = next
  const written = { type, status: next.status, lastProbeTime: now, lastTransitionTime: now, reason, message }
  round.conditions = before
    ? round.conditions.map((condition) => (condition === before ? written : condition))
    : [...round.conditions, written]
}

/** The verdict is written first; the end itself when nothing is left that runs or waits to be counted. */
function finish(round: Round, verdict: Verdict, isStored: boolean, { uncounted, release }: Count): void {
  const { job, active, terminating } = round
  setJobCondition(round, verdict)
  for (const pod of active) round.commands.push(deletePodCommand(job, pod, false))
  const isOver =
    isStored &&
    active.length + terminating.length + release.length === 0 &&
    uncounted.succeeded.length + uncounted.failed.length === 0
  if (!isOver) return
  if (verdict.type === 'FailureTarget') {
    setJobCondition(round, { ...verdict, type: 'Failed' })
    say(round, 'Warning', verdict.reason, verdict.message)
    return
  }
  setJobCondition(round, { ...verdict, type: 'Complete' })
  round.completionTime = rfc3339(round.nowMs)
  if (round.seen.succeeded > (completionsOf(job) ?? Number.POSITIVE_INFINITY)) {
    say(round, 'Warning', 'TooManySucceededPods', 'Too many succeeded pods running after completion count reached')
  }
  say(round, 'Normal', 'Completed', 'Job completed')
}

function suspend(round: Round): void {
  if (!isTrue(round.conditions, 'Suspended')) {
    setJobCondition(round, { type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' })
    say(round, 'Normal', 'Suspended', 'Job suspended')
    round.startTime = undefined
  }
  for (const pod of round.active) round.commands.push(removeUncounted(round.job, pod, false))
}

function goOn(round: Round, view: ObjectView): void {
  const { job, nowMs } = round
  if (isTrue(round.conditions, 'Suspended')) {
    setJobCondition(round, { type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' })
    say(round, 'Normal', 'Resumed', 'Job resumed')
    // The deadline counts the time for which the Job has been active without a break.
    round.startTime = rfc3339(nowMs)
  }
  const work = managePods({ ...round, view })
  round.commands.push(...work.commands)
  const endMs = deadlineMs(job, round.startTime)
  const untilMs = Math.min(work.untilMs ?? Number.POSITIVE_INFINITY, (endMs ?? Number.POSITIVE_INFINITY) - nowMs)
  if (Number.isFinite(untilMs)) round.requeueAfterMs = Math.max(1, untilMs)
}

function statusOf(round: Round, { uncounted }: Count): JobStatus {
  const { active, terminating, seen, conditions, startTime, completionTime } = round
  const succeeded = seen.indexes ? seen.indexes.size : seen.countedSucceeded
  return {
    ...(conditions.length > 0 ? { conditions: [...conditions] } : {}),
    ...(startTime === undefined ? {} : { startTime }),
    ...(completionTime === undefined ? {} : { completionTime }),
    ...(active.length > 0 ? { active: active.length } : {}),
    ...(succeeded > 0 ? { succeeded } : {}),
    ...(seen.countedFailed > 0 ? { failed: seen.countedFailed } : {}),
    terminating: terminating.length,
    ...(seen.indexes && seen.indexes.size > 0 ? { completedIndexes: formatIndexes(seen.indexes) } : {}),
    ...(seen.failedIndexes ? { failedIndexes: formatIndexes(seen.failedIndexes) } : {}),
    uncountedTerminatedPods: {
      ...(uncounted.succeeded.length > 0 ? { succeeded: [...uncounted.succeeded] } : {}),
      ...(uncounted.failed.length > 0 ? { failed: [...uncounted.failed] } : {}),
    },
    ready: active.filter(isReady).length,
  }
}

/** The status first, and the events only once it is written: a lost race must not tell a story twice. */
function writeStatus(round: Round, count: Count): void {
  const { job } = round
  const status = statusOf(round, count)
  if (jsonEqual(status, job.status ?? {})) return
  const event = round.events.pop()
  round.commands.unshift({
    request: {
      verb: 'update',
      group: 'batch',
      resource: 'jobs',
      subresource: 'status',
      namespace: job.metadata.namespace!,
      name: job.metadata.name,
      body: { ...job, status },
    },
    ...(event ? { event } : {}),
  })
}
