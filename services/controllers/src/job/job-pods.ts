// The pods that a Job should have now: which to make, with what in them, and which to remove.
import type { Job } from '@shiplog/api/generated/types/batch-v1'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { Command } from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { comparePodsForDeletion } from '../replica-set/pod-ranking.ts'
import { dropFinalizer } from '../shared/finalizers.ts'
import { generateNameMax, nextChildNames } from '../shared/names.ts'
import { createPodCommand, deletePodCommand } from '../shared/pod-commands.ts'
import { type NewPod, podFromTemplate } from '../shared/pod-from-template.ts'
import { indexBackoffMs, jobBackoffMs } from './job-backoff.ts'
import {
  completionsOf,
  failureCountAnnotation,
  failuresBefore,
  ignoredFailureCountAnnotation,
  indexAnnotation,
  indexLimitOf,
  indexOf,
  isIndexed,
  isTracked,
  parallelismOf,
  replacesOnlyEnded,
  trackingFinalizer,
} from './job-facts.ts'
import type { Look } from './job-tally.ts'
import { judgeFailure } from './pod-failure-policy.ts'

/** Pods made or removed in one round, as upstream bounds them. */
const podsPerRoundMax = 500
const pods = { group: '', resource: 'pods' }

/** Lets a pod go. */
export const untrack = (pod: Pod): Command => dropFinalizer(pods, pod, trackingFinalizer)

/**
 * Removes a pod that is not wanted any more without counting it as failed: it is let go first, and deleted by the round
 * that sees it so.
 */
export const removeUncounted = (job: Job, pod: Pod, chosen: boolean): Command =>
  isTracked(pod) ? untrack(pod) : deletePodCommand(job, pod, chosen)

export interface PodWork {
  readonly commands: readonly Command[]
  /** When there may be more to do, though nothing changes. */
  readonly untilMs?: number
}

export interface JobPods {
  readonly job: Job
  readonly children: readonly Pod[]
  readonly active: readonly Pod[]
  readonly terminating: readonly Pod[]
  readonly seen: Look
  readonly view: ObjectView
  readonly nowMs: number
}

/** How many pods should run. */
function wantedCount({ job, active, seen }: JobPods): number {
  const completions = completionsOf(job)
  if (completions !== undefined) return Math.max(0, Math.min(parallelismOf(job), completions - seen.succeeded))
  // Without a number of completions nobody new starts once one has succeeded; those that run may end.
  return seen.succeeded > 0 ? active.length : parallelismOf(job)
}

/** Makes as many pods as may run now, or removes those that are too many. */
export function managePods(input: JobPods): PodWork {
  const { job, active, terminating, nowMs } = input
  const wanted = wantedCount(input)
  const surplus = podsForRemoval(input, Math.max(0, active.length - wanted)).slice(0, podsPerRoundMax)
  if (surplus.length > 0) {
    return { commands: surplus.map((pod) => removeUncounted(job, pod, surplus.length < active.length)) }
  }
  const onTheirWay = replacesOnlyEnded(job) ? terminating.length : 0
  const missing = Math.min(wanted - active.length - onTheirWay, podsPerRoundMax)
  if (missing <= 0) return { commands: [] }
  if (indexLimitOf(job) !== undefined) return createIndexesApart(input, missing)
  const untilMs = jobBackoffMs(job, input.children, nowMs)
  if (untilMs > 0) return { commands: [], untilMs }
  return isIndexed(job)
    ? { commands: pendingIndexes(input, missing).map((index) => createIndexed(input, index)) }
    : { commands: createPlain(input, missing) }
}

/** Pods of no index or of one that another pod works on, then as many more as are too many; those let go already first. */
function podsForRemoval({ job, active, nowMs }: JobPods, atLeast: number): readonly Pod[] {
  const order = comparePodsForDeletion(() => 0, nowMs)
  const sorted = [...active].sort((a, b) => Number(isTracked(a)) - Number(isTracked(b)) || order(a, b))
  if (!isIndexed(job)) return sorted.slice(0, atLeast)
  const last = new Map(sorted.map((pod) => [indexOf(job, pod), pod]))
  const isDouble = (pod: Pod): boolean => {
    const index = indexOf(job, pod)
    return index === undefined || last.get(index) !== pod
  }
  const doubles = sorted.filter(isDouble)
  const others = sorted.filter((pod) => !isDouble(pod))
  return [...doubles, ...others.slice(0, Math.max(0, atLeast - doubles.length))]
}

/** The lowest indexes that nobody works on, has done or has given up. */
function pendingIndexes({ job, active, terminating, seen }: JobPods, count: number): readonly number[] {
  const busy = replacesOnlyEnded(job) ? [...active, ...terminating] : active
  const taken = new Set(busy.map((pod) => indexOf(job, pod)))
  const pending: number[] = []
  for (let index = 0; index < (completionsOf(job) ?? 0) && pending.length < count; index++) {
    if (taken.has(index) || seen.indexes?.has(index) || seen.failedIndexes?.has(index)) continue
    pending.push(index)
  }
  return pending
}

/** Where indexes have limits of their own, each waits for itself. */
function createIndexesApart(input: JobPods, missing: number): PodWork {
  const commands: Command[] = []
  let untilMs: number | undefined
  for (const index of pendingIndexes(input, missing)) {
    const leftMs = indexBackoffMs(input.seen.held.get(index), input.nowMs)
    if (leftMs === 0) commands.push(createIndexed(input, index))
    else untilMs = Math.min(untilMs ?? leftMs, leftMs)
  }
  return { commands, ...(untilMs === undefined ? {} : { untilMs }) }
}

const isTaken =
  (view: ObjectView, namespace: string) =>
  (name: string): boolean => {
    const key = keyOf(namespace, name)
    return view.get('pods', key) !== undefined || view.deletedAtMs('pods', key) !== undefined
  }

function createPlain({ job, view }: JobPods, count: number): readonly Command[] {
  const { name, uid, namespace } = job.metadata
  return nextChildNames(`${name}-`, uid, count, isTaken(view, namespace!)).map((pod) =>
    createPodCommand(job, podOf(job, pod)),
  )
}

function podOf(job: Job, name: string): NewPod {
  const pod = podFromTemplate(job, job.spec.template, name)
  const finalizers = pod.metadata.finalizers ?? []
  pod.metadata.finalizers = finalizers.includes(trackingFinalizer) ? finalizers : [...finalizers, trackingFinalizer]
  return pod
}

/** `work-7-`: however long the Job's name is, the index stays readable. */
function indexedPrefix(jobName: string, index: number): string {
  const suffix = `-${index}-`
  return `${jobName.slice(0, generateNameMax - suffix.length)}${suffix}`
}

/** An Indexed Job's pod knows its index by annotation, label, host name and environment. */
function createIndexed({ job, seen, view }: JobPods, index: number): Command {
  const { name: jobName, uid, namespace } = job.metadata
  const prefix = indexedPrefix(jobName, index)
  const [name] = nextChildNames(prefix, `${uid}/${index}`, 1, isTaken(view, namespace!))
  const pod = podOf(job, name!)
  pod.metadata.generateName = prefix
  pod.metadata.annotations = {
    ...pod.metadata.annotations,
    [indexAnnotation]: String(index),
    ...(indexLimitOf(job) === undefined ? {} : failureAnnotations(job, seen.held.get(index))),
  }
  pod.metadata.labels = { ...pod.metadata.labels, [indexAnnotation]: String(index) }
  pod.spec.hostname = `${jobName}-${index}`
  const fieldPath = `metadata.labels['${indexAnnotation}']`
  const variable = { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } }
  for (const list of ['containers', 'initContainers'] as const) {
    for (const container of pod.spec[list] ?? []) {
      const env = container.env ?? []
      if (!env.some((one) => one.name === variable.name)) container.env = [...env, variable]
    }
  }
  return createPodCommand(job, pod)
}

/** How often the index failed before, for the pod that replaces one that failed. */
function failureAnnotations(job: Job, replaced: Pod | undefined): Record<string, string> {
  if (!replaced) return { [failureCountAnnotation]: '0' }
  const { counted, ignored } = failuresBefore(replaced)
  const { isCounted } = judgeFailure(job, replaced)
  const ignoredNow = ignored + (isCounted ? 0 : 1)
  return {
    [failureCountAnnotation]: String(counted + (isCounted ? 1 : 0)),
    ...(ignoredNow > 0 ? { [ignoredFailureCountAnnotation]: String(ignoredNow) } : {}),
  }
}
