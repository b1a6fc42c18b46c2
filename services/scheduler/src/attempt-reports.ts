// What the scheduler tells about its attempts: conditions of pods, Event objects, records for replays, and counters.
// Nothing here is waited for, and nothing changes a decision.
import type { ApiClient } from '@shiplog/api/api-client'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { PodGroup } from '@shiplog/api/generated/types/scheduling-v1alpha2'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { Failure } from '@shiplog/scheduling/framework/failure'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import { groupConditionRequest } from './group-messages.ts'
import { createOutbox } from './outbox.ts'
import type { PendingBinding, Refusal } from './pending-binding.ts'
import type { Preemptor } from './preemption.ts'
import { eventRequest, type PodNote, unschedulableRequest } from './pod-messages.ts'
import type { AttemptResult, SchedulerMetrics } from './scheduler-metrics.ts'
import type { QueuedPod } from './queued-pods.ts'

/** How long conditions and Event objects wait for company on their way to the log. */
const reportLingerMs = 5
const noteLingerMs = 50

export interface AttemptReportsDeps {
  readonly client: ApiClient
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: SchedulerMetrics
  /** One life of this scheduler. */
  readonly run: string
  /** While true, Event objects give way to bindings. */
  readonly isBusy: () => boolean
}

/** When a decision was made undone: from which decision on it was not assumed, and on which basis. */
export interface Forgotten {
  readonly forgottenBefore: number
  readonly basis: number
}

export interface AttemptReports {
  scheduled(pending: PendingBinding, queued: QueuedPod): void
  /** A binding that came to nothing through another replica's. */
  overtaken(): void
  /** A binding that the API refused for another reason. */
  failed(pending: PendingBinding): void
  /** A decision that could not be made. */
  attemptFailed(pod: PodInfo, object: Pod, message: string): void
  /** An Event object that says why a binding was rejected. */
  noteRejection(pending: PendingBinding, why: Refusal): void
  /** The record by which replays know that a decision was not assumed any more. */
  recordRefusal(pending: Pick<PendingBinding, 'pod' | 'node' | 'number'>, why: Refusal, forgotten: Forgotten): void
  /** A pod that fits nowhere: told once per message (`reported` remembers it). Whether it was told now. */
  unschedulable(
    pod: PodInfo,
    object: Pod,
    failure: Failure,
    record: JsonObject & { readonly basis: number },
    reported: Map<string, string>,
  ): boolean
  /** A pod that would have a node if others of its gang had one. */
  waitingForGang(pod: PodInfo, object: Pod, message: string, seen: { readonly sequence: number; readonly reported: Map<string, string> }): void
  /** Whether a PodGroup is placed. */
  groupScheduled(group: PodGroup, isScheduled: boolean): void
  /** A pod that fits nowhere, for which room is made; its condition is stored with the nomination. */
  preempting(preemptor: Preemptor, record: JsonObject): void
  /** A pod that was deleted to make room for another. */
  preempted(victim: PodInfo, preemptor: Preemptor): void
  /** Drops what has not been sent. */
  clear(): void
}

interface Unschedulable {
  readonly message: string
  /** Whether the pod is not nominated for a node any more. */
  readonly clears: boolean
  readonly basis: number
  readonly reported: Map<string, string>
}

export function createAttemptReports(deps: AttemptReportsDeps): AttemptReports {
  const { client, clock, metrics, run } = deps
  const onError = (err: unknown): void => deps.logger.warn({ err }, 'failed to deliver report')
  /** Conditions and records of attempts: what people and replays need. */
  const reports = createOutbox({ clock, waveMax: 256, waitingMax: 50_000, lingerMs: reportLingerMs, onError })
  /** Event objects: nice to have. */
  const notes = createOutbox({
    clock,
    waveMax: 256,
    waitingMax: 10_000,
    lingerMs: noteLingerMs,
    isBusy: deps.isBusy,
    onError,
  })
  let noteNumber = 0

  const recordAttempt = (pod: PodInfo, record: JsonObject): Promise<void> =>
    client.recordAttempt({ scheduler: pod.schedulerName, namespace: pod.namespace, pod: pod.name, record })

  function note({ schedulerName }: PodInfo, about: Parameters<typeof eventRequest>[0], what: PodNote): void {
    const reporter = { controller: schedulerName, instance: `${schedulerName}-${run}` }
    const request = eventRequest(about, what, { ...reporter, nowMs: clock.nowMs(), unique: noteNumber++ })
    const put = notes.put(`${about.uid} ${what.reason}`, () => client.request(request))
    if (!put) metrics.eventDiscarded()
  }

  function count({ schedulerName }: PodInfo, result: AttemptResult, startedMs: number): void {
    metrics.attempt(result, schedulerName, (clock.nowMs() - startedMs) / 1000)
  }

  /** Stores the condition and tells of it, unless that has been done. */
  function tellUnschedulable(pod: PodInfo, object: Pod, { message, clears, basis, reported }: Unschedulable): boolean {
    const { uid } = pod
    const nowMs = clock.nowMs()
    count(pod, 'unschedulable', nowMs)
    const isKnown = reported.get(uid) === message && !clears
    const request = unschedulableRequest(object, message, nowMs, clears ? '' : undefined)
    reported.set(uid, message)
    // A condition that says so already was reported in an earlier life.
    if (isKnown || request === undefined) return false
    const put = reports.put(`condition/${uid}`, async () => {
      // What does not get through is reported again with the next attempt.
      const again = (): void => void (reported.get(uid) === message && reported.delete(uid))
      try {
        const result = await client.request({ ...request, basis })
        if (!result.ok) again()
      } catch (err) {
        again()
        throw err
      }
    })
    if (!put) reported.delete(uid)
    note(pod, object.metadata, { type: 'Warning', reason: 'FailedScheduling', action: 'Scheduling', message })
    return true
  }

  return {
    scheduled({ pod, object, node, startedMs }, queued) {
      count(pod, 'scheduled', startedMs)
      metrics.scheduled(queued.attempts, (clock.nowMs() - queued.enqueuedMs) / 1000)
      note(pod, object.metadata, {
        type: 'Normal',
        reason: 'Scheduled',
        action: 'Binding',
        message: `Successfully assigned ${pod.namespace}/${pod.name} to ${node}`,
      })
    },

    overtaken: () => metrics.overtaken(),

    failed: ({ pod, startedMs }) => count(pod, 'error', startedMs),

    attemptFailed(pod, object, message) {
      count(pod, 'error', clock.nowMs())
      note(pod, object.metadata, { type: 'Warning', reason: 'FailedScheduling', action: 'Scheduling', message })
    },

    noteRejection({ pod, object }, why) {
      note(pod, object.metadata, {
        type: 'Warning',
        reason: 'FailedScheduling',
        action: 'Scheduling',
        message: `binding rejected: running Bind plugin "DefaultBinder": ${why.message ?? why.error ?? ''}`,
      })
    },

    recordRefusal({ pod, node, number }, why, forgotten) {
      const record = { scheduler: pod.schedulerName, run, number, node, refused: why, ...forgotten }
      reports.put(`refused/${pod.uid}/${number}`, () => recordAttempt(pod, record))
    },

    unschedulable(pod, object, { message, clearsNomination }, record, reported) {
      const clears = clearsNomination && pod.nominatedNode !== ''
      const isTold = tellUnschedulable(pod, object, { message, clears, basis: record.basis, reported })
      if (isTold) reports.put(`attempt/${pod.uid}`, () => recordAttempt(pod, record))
      return isTold
    },

    waitingForGang(pod, object, message, { sequence, reported }) {
      tellUnschedulable(pod, object, { message, clears: pod.nominatedNode !== '', basis: sequence, reported })
    },

    groupScheduled(group, isScheduled) {
      const { namespace, name } = group.metadata
      const request = groupConditionRequest(group, isScheduled, clock.nowMs())
      if (request !== undefined) reports.put(`group/${namespace}/${name}`, () => client.request(request))
    },

    preempting({ pod, object, message, preemption }, record) {
      count(pod, 'unschedulable', clock.nowMs())
      metrics.preempting(preemption.victims.length)
      reports.put(`attempt/${pod.uid}`, () => recordAttempt(pod, record))
      note(pod, object.metadata, { type: 'Warning', reason: 'FailedScheduling', action: 'Scheduling', message })
    },

    preempted(victim, { pod, preemption }) {
      note(pod, victim, {
        type: 'Normal',
        reason: 'Preempted',
        action: 'Preempting',
        message: `Preempted by pod ${pod.uid} on node ${preemption.node}`,
        related: pod,
      })
    },

    clear() {
      reports.clear()
      notes.clear()
    },
  }
}
