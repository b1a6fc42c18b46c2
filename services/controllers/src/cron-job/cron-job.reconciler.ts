// CronJob: makes a Job for each time of its schedule, at most one for each, and removes old ones. Reasons and sentences are
// upstream's (pkg/controller/cronjob). The name of a Job holds the minute that it is for and is used once only, so a runner
// that comes late or twice finds that the work is done. A Job that was made and not noted yet is noted by the next round.
import type { CronJob, CronJobStatus, Job } from '@shiplog/api/generated/types/batch-v1'
import type { ObjectReference } from '@shiplog/api/generated/types/core-v1'
import { cloneJson } from '@shiplog/api/clone-json'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import {
  forResource,
  ownsResource,
  settled,
  type Command,
  type EventRecord,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { rfc3339 } from '@shiplog/runtime/clock'
import { isTrue } from '../shared/conditions.ts'
import { controllerReference, isBeingDeleted, isControlledBy } from '../shared/ownership.ts'
import { dueTime, untilNextMs } from './due.ts'
import { isTimeZone, parseSchedule, type Schedule } from './schedule.ts'

const jobs = { group: 'batch', resource: 'jobs' }
const scheduledAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp'
const documentation = 'https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/'

/** Makes Jobs by the clock. */
export const cronJobReconciler: Reconciler = {
  name: 'cronjob',
  component: 'cronjob-controller',
  resources: [forResource('cronjobs.batch'), ownsResource('jobs.batch', 'CronJob')],
  reconcile: reconcileCronJob,
}

interface Round {
  readonly cronJob: CronJob
  readonly view: ObjectView
  readonly nowMs: number
  readonly jobs: readonly Job[]
  active: readonly ObjectReference[]
  lastScheduleTime: string | undefined
  lastSuccessfulTime: string | undefined
  readonly commands: Command[]
  readonly events: EventRecord[]
  requeueAfterMs: number | undefined
}

function reconcileCronJob(key: string, view: ObjectView, { nowMs }: ReconcileContext): ReconcileResult {
  const cronJob = view.get('cronjobs.batch', key)
  if (!cronJob) return settled
  const { active = [], lastScheduleTime, lastSuccessfulTime } = cronJob.status ?? {}
  const round: Round = {
    cronJob,
    view,
    nowMs,
    jobs: [...view.listOwned('jobs.batch', cronJob.metadata.uid)].filter((job) => isControlledBy(job, cronJob)),
    active,
    lastScheduleTime,
    lastSuccessfulTime,
    commands: [],
    events: [],
    requeueAfterMs: undefined,
  }
  // In this order, as upstream: of a Job that goes at once nobody is told that it is complete.
  cleanUp(round)
  noteJobs(round)
  if (!isBeingDeleted(cronJob)) schedule(round)
  return {
    commands: [...writeStatus(round), ...round.commands],
    events: round.events,
    ...(round.requeueAfterMs === undefined ? {} : { requeueAfterMs: round.requeueAfterMs }),
  }
}

const tell = (round: Round, type: EventRecord['type'], reason: string, message: string): void =>
  void round.events.push({ object: round.cronJob, type, reason, message })

// ── Jobs that there are ──────────────────────────────────────────────────────────────────────────────────────────────

const endOf = (job: Job): 'Complete' | 'Failed' | undefined =>
  isTrue(job.status.conditions, 'Complete')
    ? 'Complete'
    : isTrue(job.status.conditions, 'Failed')
      ? 'Failed'
      : undefined

const nameFor = (cronJob: CronJob, seconds: number): string => `${cronJob.metadata.name}-${Math.floor(seconds / 60)}`

/** The time that a Job was made for; undefined when this controller did not make it. */
function timeOf(cronJob: CronJob, job: Job): number | undefined {
  const text = job.metadata.annotations?.[scheduledAnnotation]
  const seconds = text === undefined ? Number.NaN : Date.parse(text) / 1000
  return Number.isNaN(seconds) || job.metadata.name !== nameFor(cronJob, seconds) ? undefined : seconds
}

const referenceTo = ({ metadata }: Job): ObjectReference => ({
  kind: 'Job',
  namespace: metadata.namespace!,
  name: metadata.name,
  uid: metadata.uid,
  apiVersion: 'batch/v1',
  ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
})

/** Brings the list of running Jobs and the times up to date with the Jobs that there are. */
function noteJobs(round: Round): void {
  for (const job of round.jobs) noteJob(round, job)
  const uids = new Set(round.jobs.map(({ metadata }) => metadata.uid))
  for (const { name, uid } of round.active) {
    if (!uids.has(uid!)) tell(round, 'Normal', 'MissingJob', `Active job went missing: ${name}`)
  }
  round.active = round.active.filter(({ uid }) => uids.has(uid!))
}

function noteJob(round: Round, job: Job): void {
  const { cronJob } = round
  const { name, uid } = job.metadata
  const isListed = round.active.some((reference) => reference.uid === uid)
  const end = endOf(job)
  const forTime = timeOf(cronJob, job)
  if (forTime !== undefined) noteScheduled(round, forTime)
  if (end === undefined) {
    if (isListed || isBeingDeleted(job)) return
    if (forTime === undefined) {
      tell(round, 'Warning', 'UnexpectedJob', `Saw a job that the controller did not create or forgot: ${name}`)
    } else round.active = [...round.active, referenceTo(job)]
    return
  }
  if (isListed) {
    round.active = round.active.filter((reference) => reference.uid !== uid)
    tell(round, 'Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${end}`)
  }
  const { completionTime } = job.status
  if (end === 'Complete' && completionTime && completionTime > (round.lastSuccessfulTime ?? '')) {
    round.lastSuccessfulTime = completionTime
  }
}

function noteScheduled(round: Round, seconds: number): void {
  const time = rfc3339(seconds * 1000)
  if (time > (round.lastScheduleTime ?? '')) round.lastScheduleTime = time
}

/** Removes the oldest finished Jobs beyond what is kept of each end. */
function cleanUp(round: Round): void {
  const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = round.cronJob.spec
  const limits = [
    ['Complete', successfulJobsHistoryLimit],
    ['Failed', failedJobsHistoryLimit],
  ] as const
  for (const [end, limit] of limits) {
    if (limit === undefined) continue
    const finished = round.jobs.filter((job) => endOf(job) === end).sort(byStart)
    for (const job of finished.slice(0, Math.max(0, finished.length - limit))) deleteJob(round, job)
  }
}

const byStart = (a: Job, b: Job): number => {
  const [one, other] = [a.status.startTime ?? '~', b.status.startTime ?? '~']
  if (one !== other) return one < other ? -1 : 1
  return a.metadata.name < b.metadata.name ? -1 : 1
}

function deleteJob(round: Round, job: Job): void {
  const { cronJob } = round
  const { name, uid } = job.metadata
  round.active = round.active.filter((reference) => reference.uid !== uid)
  if (isBeingDeleted(job)) return
  round.commands.push({
    request: {
      verb: 'delete',
      ...jobs,
      namespace: cronJob.metadata.namespace!,
      name,
      body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background', preconditions: { uid } },
    },
    event: { object: cronJob, type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted job ${name}` },
    failureEvent: ({ message }) => ({
      object: cronJob,
      type: 'Warning',
      reason: 'FailedDelete',
      message: `Deleted job: ${message}`,
    }),
  })
}

// ── the next Job ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** The schedule; undefined when there is none to follow now, and why is told. */
function scheduleOf(round: Round): Schedule | undefined {
  const { schedule: text, timeZone, suspend } = round.cronJob.spec
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    tell(round, 'Warning', 'UnknownTimeZone', `invalid timeZone: "${timeZone}": unknown time zone ${timeZone}`)
    return undefined
  }
  if (suspend) return undefined
  if (text.includes('TZ')) {
    const why = `CRON_TZ or TZ used in schedule "${text}" is not officially supported, see ${documentation} for more details`
    tell(round, 'Warning', 'UnsupportedSchedule', why)
  }
  const parsed = parseSchedule(text, timeZone)
  if ('schedule' in parsed) return parsed.schedule
  tell(round, 'Warning', 'UnparseableSchedule', `unparseable schedule: "${text}" : ${parsed.problem}`)
  return undefined
}

/** The CronJob as its status will be after this round. */
const noted = ({ cronJob, lastScheduleTime }: Round): CronJob => ({
  ...cronJob,
  status: { ...cronJob.status, ...(lastScheduleTime === undefined ? {} : { lastScheduleTime }) },
})

function schedule(round: Round): void {
  const followed = scheduleOf(round)
  if (!followed) return
  const now = round.nowMs / 1000
  const due = dueTime(noted(round), now, followed)
  if (due === 'invalid') {
    const why = 'time difference between two schedules is less than 1 second'
    tell(round, 'Warning', 'InvalidSchedule', `invalid schedule: ${round.cronJob.spec.schedule} : ${why}`)
    return
  }
  if (due.time !== undefined) meet(round, due.time, due.missed === 'many')
  round.requeueAfterMs = untilNextMs(noted(round), now, followed)
}

/** Starts the Job of a time, unless it is too late, is done already, or must wait for another. */
function meet(round: Round, time: number, missedMany: boolean): void {
  const { cronJob, view, nowMs } = round
  const { startingDeadlineSeconds, concurrencyPolicy } = cronJob.spec
  if (missedMany) {
    const why = 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew'
    tell(round, 'Warning', 'TooManyMissedTimes', why)
  }
  if (startingDeadlineSeconds !== undefined && time + startingDeadlineSeconds < nowMs / 1000) {
    tell(round, 'Warning', 'MissSchedule', `Missed scheduled time to start a job: ${rfc1123(time)}`)
    return
  }
  if (round.lastScheduleTime === rfc3339(time * 1000)) return
  const key = keyOf(cronJob.metadata.namespace, nameFor(cronJob, time))
  // Made by somebody who could not note it any more, and gone again: the time is met.
  const isGone = view.deletedAtMs('jobs.batch', key) !== undefined
  if (isGone) noteScheduled(round, time)
  // Or somebody else has the name.
  if (isGone || view.get('jobs.batch', key)) return
  if (concurrencyPolicy === 'Forbid' && round.active.length > 0) {
    const why = 'Not starting job because prior execution is running and concurrency policy is Forbid'
    tell(round, 'Normal', 'JobAlreadyActive', why)
    return
  }
  if (concurrencyPolicy === 'Replace' && removeActive(round)) return
  round.commands.push(createJob(cronJob, time))
}

/** Removes what runs. True: the new Job has to wait until that is stored. */
function removeActive(round: Round): boolean {
  const uids = new Set(round.active.map(({ uid }) => uid))
  const running = round.jobs.filter((job) => uids.has(job.metadata.uid))
  for (const job of running) deleteJob(round, job)
  return running.some((job) => !isBeingDeleted(job))
}

function createJob(cronJob: CronJob, time: number): Command {
  const { namespace } = cronJob.metadata
  const { metadata, spec } = cronJob.spec.jobTemplate
  const name = nameFor(cronJob, time)
  const body = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      namespace: namespace!,
      ...(metadata?.labels ? { labels: { ...metadata.labels } } : {}),
      annotations: { ...metadata?.annotations, [scheduledAnnotation]: inZone(time, cronJob.spec.timeZone) },
      ownerReferences: [controllerReference(cronJob)],
    },
    spec: cloneJson(spec),
  }
  return {
    request: { verb: 'create', ...jobs, namespace: namespace!, body, onlyNew: true },
    event: { object: cronJob, type: 'Normal', reason: 'SuccessfulCreate', message: `Created job ${name}` },
    failureEvent: ({ message }) => ({
      object: cronJob,
      type: 'Warning',
      reason: 'FailedCreate',
      message: `Error creating job: ${message}`,
    }),
  }
}

/** `2026-01-01T02:00:00+01:00`; a zone without offset is `Z`. */
function inZone(seconds: number, zone = 'UTC'): string {
  const at = Temporal.Instant.fromEpochMilliseconds(seconds * 1000).toZonedDateTimeISO(zone)
  const local = at.toPlainDateTime().toString({ smallestUnit: 'second' })
  return `${local}${at.offset === '+00:00' ? 'Z' : at.offset}`
}

/** `Thu, 01 Jan 2026 00:00:00 +0000`. */
const rfc1123 = (seconds: number): string => new Date(seconds * 1000).toUTCString().replace('GMT', '+0000')

function writeStatus(round: Round): readonly Command[] {
  const { cronJob, active, lastScheduleTime, lastSuccessfulTime } = round
  const status: CronJobStatus = {
    ...(active.length > 0 ? { active: [...active] } : {}),
    ...(lastScheduleTime === undefined ? {} : { lastScheduleTime }),
    ...(lastSuccessfulTime === undefined ? {} : { lastSuccessfulTime }),
  }
  if (jsonEqual(status, cronJob.status ?? {})) return []
  return [
    {
      request: {
        verb: 'update',
        group: 'batch',
        resource: 'cronjobs',
        subresource: 'status',
        namespace: cronJob.metadata.namespace!,
        name: cronJob.metadata.name,
        body: { ...cronJob, status },
      },
    },
  ]
}
