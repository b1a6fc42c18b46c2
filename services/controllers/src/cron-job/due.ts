// When a CronJob is due: the most recent time of its schedule that it has not met, and when to look again. The counting of
// missed times is upstream's (pkg/controller/cronjob/utils.go). Times are seconds since the epoch.
import type { CronJob } from '@shiplog/api/generated/types/batch-v1'
import type { Schedule } from './schedule.ts'

/** From so many missed times on a CronJob says that something is wrong. */
const missedMax = 100
/** Looking again a little late is better than too early. */
const lookAgainMs = 100

export interface MostRecent {
  /** What the schedule was followed from. */
  readonly from: number
  readonly time: number | undefined
  readonly missed: 'none' | 'few' | 'many'
}

const secondsOf = (text: string): number => Date.parse(text) / 1000

function mostRecent(cronJob: CronJob, now: number, schedule: Schedule, withDeadline: boolean): MostRecent | 'invalid' {
  const { metadata, spec, status } = cronJob
  let from = secondsOf(status?.lastScheduleTime ?? metadata.creationTimestamp)
  if (withDeadline && spec.startingDeadlineSeconds !== undefined) {
    from = Math.max(from, now - spec.startingDeadlineSeconds)
  }
  const first = schedule.next(from)
  if (first === undefined || now < first) return { from, time: undefined, missed: 'none' }
  const second = schedule.next(first)
  if (second === undefined || now < second) return { from, time: first, missed: 'none' }
  const between = Math.round(second - first)
  if (between < 1) return 'invalid'
  const count = Math.floor((now - first) / between) + 1
  let time: number | undefined
  for (let at = schedule.next(first + (count - 2) * between); at !== undefined && at <= now; at = schedule.next(at)) {
    time = at
  }
  return { from, time, missed: count > missedMax ? 'many' : 'few' }
}

/** The time that the CronJob should start a Job for now; undefined when it has met all. */
export function dueTime(cronJob: CronJob, now: number, schedule: Schedule): MostRecent | 'invalid' {
  return mostRecent(cronJob, now, schedule, true)
}

/** Milliseconds until the schedule has to be looked at again; undefined when it never fires again. */
export function untilNextMs(cronJob: CronJob, now: number, schedule: Schedule): number | undefined {
  const last = mostRecent(cronJob, now, schedule, false)
  const from = last === 'invalid' ? now : (last.time ?? (last.missed === 'none' ? last.from : now))
  const next = schedule.next(from)
  return next === undefined ? undefined : Math.max(0, (next - now) * 1000) + lookAgainMs
}
