// Job: runs pods until enough of them have succeeded, or too many have failed. Every end of a pod is counted exactly once:
// a pod carries a finalizer until its uid has been written into the status (uncountedTerminatedPods), and the counter
// moves, with the uid taken out again, only after the finalizer is gone. All three steps are compare-and-sets.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import { compileLabelSelector } from '@shiplog/api/selectors'
import {
  forResource,
  settled,
  watchesResource,
  type Command,
  type EventRecord,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import { keyOf, keyOfObject, type ObjectView } from '@shiplog/reconcile/view'
import { rfc3339 } from '@shiplog/runtime/clock'
import { type Condition, findCondition, setCondition } from '../shared/conditions.ts'
import { nextChildNames } from '../shared/names.ts'
import { claimChildren, controllerOf, isBeingDeleted, orphansIndex } from '../shared/ownership.ts'
import { isActive, isReady, isTerminating, podRestarts } from '../shared/pods.ts'
import { comparePodsForDeletion } from '../replica-set/pod-ranking.ts'
import { createPodCommand, deletePodCommand } from '../shared/pod-commands.ts'
import { podFromTemplate } from '../shared/pod-from-template.ts'
import { formatIndexes, parseIndexes } from './completed-indexes.ts'

const trackingFinalizer = 'batch.kubernetes.io/job-tracking'
const indexAnnotation = 'batch.kubernetes.io/job-completion-index'
const ownManager = 'kubernetes.io/job-controller'
/** Pods made in one round, and uids that wait to be counted, as upstream bounds them. */
const podsPerRoundMax = 500
const uncountedMax = 500
const backoffBaseMs = 10_000
const backoffMaxMs = 600_000
const pods = { group: '', resource: 'pods' }
/** Keys of pods whose Job is gone begin so; other keys are Jobs. */
const orphanPrefix = 'pod '

/** Runs pods to completion. */
export const jobReconciler: Reconciler = {
  name: 'job',
  component: 'job-controller',
  indexes: [orphansIndex('pods')],
  resources: [
    forResource('jobs.batch'),
    watchesResource('pods', (change, _before, view) => {
      const pod = change.object as unknown as KubeObject
      const controller = controllerOf(pod)
      const job = controller?.kind === 'Job' ? keyOf(change.namespace, controller.name) : undefined
      const known = job !== undefined && view.get('jobs.batch', job)?.metadata.uid === controller!.uid
      const keys = known ? [job] : []
      if (!change.deleted && isTracked(pod) && !known) keys.push(orphanPrefix + keyOfObject(pod))
      return keys
    }),
  ],
  reconcile: (key, view, context) => {
    if (key.startsWith(orphanPrefix)) return releaseOrphan(key.slice(orphanPrefix.length), view)
    const job = view.get('jobs.batch', key)
    if (!job) return releaseAll(key, view)
    const manager = job['spec'].managedBy as string | undefined
    if (manager !== undefined && manager !== ownManager) return settled
    const claim = claimChildren(view, job, pods, compileLabelSelector(job['spec'].selector), isActive)
    return claim.commands.length > 0 ? { commands: claim.commands } : reconcileJob(job, claim.children, view, context)
  },
}

const isTracked = (pod: KubeObject): boolean => pod.metadata.finalizers?.includes(trackingFinalizer) ?? false

/** A pod without a Job counts for nobody: nothing may hold it. */
function releaseOrphan(key: string, view: ObjectView): ReconcileResult {
  const pod = view.get('pods', key)
  if (!pod || !isTracked(pod)) return settled
  const controller = controllerOf(pod)
  if (controller?.kind === 'Job' && view.byUid(controller.uid)) return settled
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

/** What one round works out. */
interface Tally {
  readonly succeeded: number
  readonly failed: number
  readonly uncounted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] }
  readonly indexes: Set<number> | undefined
  /** Pods whose uid the stored status names: they may be let go. */
  readonly release: readonly KubeObject[]
}

const isIndexed = (job: KubeObject): boolean => job['spec'].completionMode === 'Indexed'

const indexOf = (pod: KubeObject): number => Number(pod.metadata.annotations?.[indexAnnotation] ?? Number.NaN)

/** Deleted pods count as failed, unless only failed ones are to be replaced: they may never get to say how they ended. */
function hasFailed(job: KubeObject, pod: KubeObject): boolean {
  if (pod['status']?.phase === 'Failed') return true
  if (job['spec'].podReplacementPolicy === 'Failed') return false
  return isBeingDeleted(pod) && pod['status']?.phase !== 'Succeeded'
}

function tally(job: KubeObject, children: readonly KubeObject[]): Tally {
  const status = (job['status'] ?? {}) as JsonObject
  const byUid = new Map(children.map((pod) => [pod.metadata.uid, pod]))
  const stored = (status['uncountedTerminatedPods'] ?? {}) as { succeeded?: string[]; failed?: string[] }
  const release: KubeObject[] = []
  const settleList = (uids: readonly string[] = []): { readonly waiting: string[]; readonly counted: number } => {
    const waiting = uids.filter((uid) => {
      const pod = byUid.get(uid)
      if (!pod || !isTracked(pod)) return false
      release.push(pod)
      return true
    })
    return { waiting, counted: uids.length - waiting.length }
  }
  const succeeded = settleList(stored.succeeded)
  const failed = settleList(stored.failed)
  const named = new Set([...(stored.succeeded ?? []), ...(stored.failed ?? [])])
  const indexes = isIndexed(job)
    ? parseIndexes(status['completedIndexes'] as string | undefined, job['spec'].completions)
    : undefined
  for (const pod of children) {
    if (!isTracked(pod) || named.has(pod.metadata.uid)) continue
    if (succeeded.waiting.length + failed.waiting.length >= uncountedMax) break
    if (pod['status']?.phase === 'Succeeded') {
      // Of two pods of one index only the first counts; the other still has to be let go.
      indexes?.add(indexOf(pod))
      succeeded.waiting.push(pod.metadata.uid)
    } else if (hasFailed(job, pod)) failed.waiting.push(pod.metadata.uid)
  }
  return {
    succeeded: indexes ? indexes.size : ((status['succeeded'] as number | undefined) ?? 0) + succeeded.counted,
    failed: ((status['failed'] as number | undefined) ?? 0) + failed.counted,
    uncounted: { succeeded: succeeded.waiting, failed: failed.waiting },
    indexes,
    release,
  }
}

function reconcileJob(
  job: KubeObject,
  children: readonly KubeObject[],
  view: ObjectView,
  context: ReconcileContext,
): ReconcileResult {
  const status = (job['status'] ?? {}) as JsonObject
  const before = (status['conditions'] ?? []) as readonly JsonObject[]
  const isDone = ['Complete', 'Failed'].some((type) => findCondition(before, type)?.['status'] === 'True')
  if (isDone || isBeingDeleted(job)) return { commands: children.filter(isTracked).map(untrack) }

  const count = tally(job, children)
  const active = children.filter(isActive)
  const terminating = children.filter(isTerminating)
  const commands: Command[] = count.release.map(untrack)
  const events: EventRecord[] = []
  const say = (type: EventRecord['type'], reason: string, message: string): void => {
    events.push({ object: job, type, reason, message })
  }
  let conditions = before
  const set = (condition: Condition): void => {
    conditions = setJobCondition(conditions, condition, context.nowMs)
  }
  let startTime = status['startTime'] as string | undefined
  let completionTime: string | undefined
  let requeueAfterMs: number | undefined

  const suspended = Boolean(job['spec'].suspend)
  const wasSuspended = findCondition(before, 'Suspended')?.['status'] === 'True'
  if (suspended) startTime = undefined
  else if (startTime === undefined) startTime = rfc3339(context.nowMs)

  const verdict = verdictOf(job, count, active, startTime, conditions, context)
  if (verdict) {
    set(verdict)
    const settledNow =
      active.length === 0 &&
      terminating.length === 0 &&
      count.uncounted.succeeded.length === 0 &&
      count.uncounted.failed.length === 0
    if (settledNow) {
      const complete = verdict.type === 'SuccessCriteriaMet'
      set({ ...verdict, type: complete ? 'Complete' : 'Failed' })
      if (complete) {
        completionTime = rfc3339(context.nowMs)
        say('Normal', 'Completed', 'Job completed')
      } else say('Warning', verdict.reason, verdict.message)
    }
    for (const pod of active) commands.push(deletePodCommand(job, pod, false))
  } else if (suspended) {
    set({ type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' })
    if (!wasSuspended) say('Normal', 'Suspended', 'Job suspended')
    for (const pod of active) commands.push(deletePodCommand(job, pod, false))
  } else {
    if (wasSuspended) {
      set({ type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' })
      say('Normal', 'Resumed', 'Job resumed')
    }
    const work = manageActive(job, count, active, terminating, children, view, context)
    commands.push(...work.commands)
    const deadlineMs = deadlineOf(job, startTime)
    const untilMs = Math.min(
      work.untilMs ?? Number.POSITIVE_INFINITY,
      deadlineMs === undefined ? Number.POSITIVE_INFINITY : deadlineMs - context.nowMs,
    )
    if (Number.isFinite(untilMs)) requeueAfterMs = Math.max(1, untilMs)
  }

  const ready = active.filter(isReady).length
  const { uncounted, indexes } = count
  const next: JsonObject = {
    ...(conditions.length > 0 ? { conditions } : {}),
    ...(startTime === undefined ? {} : { startTime }),
    ...(completionTime === undefined ? {} : { completionTime }),
    ...(active.length > 0 ? { active: active.length } : {}),
    ...(count.succeeded > 0 ? { succeeded: count.succeeded } : {}),
    ...(count.failed > 0 ? { failed: count.failed } : {}),
    terminating: terminating.length,
    ...(indexes && indexes.size > 0 ? { completedIndexes: formatIndexes(indexes) } : {}),
    uncountedTerminatedPods: {
      ...(uncounted.succeeded.length > 0 ? { succeeded: uncounted.succeeded } : {}),
      ...(uncounted.failed.length > 0 ? { failed: uncounted.failed } : {}),
    },
    ready,
  }
  if (jsonEqual(next, status)) {
    return { commands, ...(requeueAfterMs === undefined ? {} : { requeueAfterMs }) }
  }
  // The status first, and its events only once it is written: a lost race must not tell a story twice.
  const [event, ...more] = events
  commands.unshift({
    request: {
      verb: 'update',
      group: 'batch',
      resource: 'jobs',
      subresource: 'status',
      namespace: job.metadata.namespace!,
      name: job.metadata.name,
      body: { ...job, status: next },
    },
    ...(event ? { event } : {}),
  })
  return { commands, events: more, ...(requeueAfterMs === undefined ? {} : { requeueAfterMs }) }
}

/** Job conditions also carry the time of the last probe. */
function setJobCondition(conditions: readonly JsonObject[], next: Condition, nowMs: number): readonly JsonObject[] {
  const after = setCondition(conditions, next, nowMs)
  if (after === conditions) return conditions
  return after.map((condition) =>
    condition['type'] === next.type ? { ...condition, lastProbeTime: rfc3339(nowMs) } : condition,
  )
}

function deadlineOf(job: KubeObject, startTime: string | undefined): number | undefined {
  const seconds = job['spec'].activeDeadlineSeconds as number | undefined
  return seconds === undefined || startTime === undefined ? undefined : Date.parse(startTime) + seconds * 1000
}

/** How the Job ends, once it is known; undefined while it goes on. Once given, a verdict stands. */
function verdictOf(
  job: KubeObject,
  count: Tally,
  active: readonly KubeObject[],
  startTime: string | undefined,
  conditions: readonly JsonObject[],
  context: ReconcileContext,
): Condition | undefined {
  for (const type of ['FailureTarget', 'SuccessCriteriaMet']) {
    const given = findCondition(conditions, type)
    if (given?.['status'] === 'True') {
      return { type, status: 'True', reason: given['reason'] as string, message: given['message'] as string }
    }
  }
  const fail = (reason: string, message: string): Condition => ({
    type: 'FailureTarget',
    status: 'True',
    reason,
    message,
  })
  const { spec } = job as { spec?: JsonObject }
  const limit = (spec?.['backoffLimit'] as number | undefined) ?? 6
  const failed = count.failed + count.uncounted.failed.length
  const restarts =
    spec?.['template']?.spec?.restartPolicy === 'OnFailure' ? active.reduce((sum, pod) => sum + podRestarts(pod), 0) : 0
  if (failed > limit || (restarts > 0 && restarts >= limit)) {
    return fail('BackoffLimitExceeded', 'Job has reached the specified backoff limit')
  }
  const deadlineMs = deadlineOf(job, startTime)
  if (deadlineMs !== undefined && context.nowMs >= deadlineMs) {
    return fail('DeadlineExceeded', 'Job was active longer than specified deadline')
  }
  const completions = spec?.['completions'] as number | undefined
  const succeeded = succeededOf(count)
  const enough = completions === undefined ? succeeded > 0 && active.length === 0 : succeeded >= completions
  if (!enough) return undefined
  return {
    type: 'SuccessCriteriaMet',
    status: 'True',
    reason: 'CompletionsReached',
    message: 'Reached expected number of succeeded pods',
  }
}

const succeededOf = (count: Tally): number =>
  count.indexes ? count.indexes.size : count.succeeded + count.uncounted.succeeded.length

/** Makes as many pods as may run now, or removes those that are too many. */
function manageActive(
  job: KubeObject,
  count: Tally,
  active: readonly KubeObject[],
  terminating: readonly KubeObject[],
  children: readonly KubeObject[],
  view: ObjectView,
  context: ReconcileContext,
): { readonly commands: readonly Command[]; readonly untilMs?: number } {
  const parallelism = (job['spec'].parallelism as number | undefined) ?? 1
  const completions = job['spec'].completions as number | undefined
  const succeeded = succeededOf(count)
  const wanted =
    completions === undefined
      ? succeeded > 0
        ? Math.min(active.length, parallelism)
        : parallelism
      : Math.min(parallelism, completions - succeeded)
  if (active.length > wanted) {
    const surplus = [...active].sort(comparePodsForDeletion(() => 0, context.nowMs)).slice(0, active.length - wanted)
    return { commands: surplus.map((pod) => deletePodCommand(job, pod, wanted > 0)) }
  }
  const held = job['spec'].podReplacementPolicy === 'Failed' ? terminating.length : 0
  const missing = Math.min(wanted - active.length - held, podsPerRoundMax)
  if (missing <= 0) return { commands: [] }
  const untilMs = backoffMs(job, children, context.nowMs)
  if (untilMs > 0) return { commands: [], untilMs }
  return { commands: createPods(job, missing, count, active, view) }
}

function finishedAtMs(pod: KubeObject): number {
  const statuses = (pod['status']?.containerStatuses ?? []) as JsonObject[]
  const times = statuses.map((status) => Date.parse(status['state']?.terminated?.finishedAt as string))
  const known = times.filter((time) => Number.isFinite(time))
  if (known.length > 0) return Math.max(...known)
  return Date.parse(pod.metadata.deletionTimestamp ?? pod.metadata.creationTimestamp)
}

/** Milliseconds to wait after failures in a row: ten seconds, doubling to ten minutes. */
function backoffMs(job: KubeObject, children: readonly KubeObject[], nowMs: number): number {
  const ended = children
    .filter((pod) => pod['status']?.phase === 'Succeeded' || hasFailed(job, pod))
    .sort((a, b) => finishedAtMs(b) - finishedAtMs(a))
  const lastSuccess = ended.findIndex((pod) => pod['status']?.phase === 'Succeeded')
  const failures = lastSuccess < 0 ? ended.length : lastSuccess
  if (failures === 0) return 0
  // A deletion's time lies ahead by the grace that it grants: nobody waits for what has not happened.
  const lastMs = Math.min(finishedAtMs(ended[0]!), nowMs)
  return lastMs + Math.min(backoffBaseMs * 2 ** Math.min(failures - 1, 20), backoffMaxMs) - nowMs
}

function createPods(
  job: KubeObject,
  missing: number,
  count: Tally,
  active: readonly KubeObject[],
  view: ObjectView,
): readonly Command[] {
  const namespace = job.metadata.namespace!
  const { name, uid } = job.metadata
  const taken = (pod: string): boolean => {
    const key = keyOf(namespace, pod)
    return view.get('pods', key) !== undefined || view.deletedAtMs('pods', key) !== undefined
  }
  const template = job['spec'].template as JsonObject
  if (!count.indexes) {
    return nextChildNames(`${name}-`, uid, missing, taken).map((pod) =>
      createPodCommand(job, podOf(job, template, pod)),
    )
  }
  const running = new Set(active.map(indexOf))
  const commands: Command[] = []
  for (let index = 0; index < job['spec'].completions && commands.length < missing; index++) {
    if (count.indexes.has(index) || running.has(index)) continue
    const [pod] = nextChildNames(`${name}-${index}-`, `${uid}/${index}`, 1, taken)
    commands.push(createPodCommand(job, indexedPod(podOf(job, template, pod!), name, index)))
  }
  return commands
}

function podOf(job: KubeObject, template: JsonObject, name: string): JsonObject {
  const pod = podFromTemplate(job, template, name)
  pod['metadata'].finalizers = [...((pod['metadata'].finalizers as string[] | undefined) ?? []), trackingFinalizer]
  return pod
}

/** An Indexed Job's pod knows its index by annotation, label, host name and environment. */
function indexedPod(pod: JsonObject, jobName: string, index: number): JsonObject {
  pod['metadata'].generateName = `${jobName}-${index}-`
  pod['metadata'].annotations = { ...pod['metadata'].annotations, [indexAnnotation]: String(index) }
  pod['metadata'].labels = { ...pod['metadata'].labels, [indexAnnotation]: String(index) }
  pod['spec'].hostname = `${jobName}-${index}`
  const fieldPath = `metadata.labels['${indexAnnotation}']`
  const variable = { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } }
  for (const list of ['containers', 'initContainers']) {
    for (const container of (pod['spec'][list] ?? []) as JsonObject[]) {
      const env = (container['env'] ?? []) as JsonObject[]
      if (!env.some((one) => one['name'] === variable.name)) container['env'] = [...env, variable]
    }
  }
  return pod
}

function untrack(pod: KubeObject): Command {
  const kept = (pod.metadata.finalizers ?? []).filter((finalizer) => finalizer !== trackingFinalizer)
  const { uid, resourceVersion } = pod.metadata
  return {
    request: {
      verb: 'patch',
      ...pods,
      namespace: pod.metadata.namespace!,
      name: pod.metadata.name,
      patchType: 'application/merge-patch+json',
      body: { metadata: { uid, resourceVersion, finalizers: kept.length > 0 ? kept : null } },
    },
  }
}
