// `GET /shiplog/v1/events`: the records of EVENTS as JSON lines, for the tools that tell, explain and replay the past.
// It is no part of the Kubernetes API; whoever may `get` this path as a non-resource URL reads everything, Secrets
// included. `GET /shiplog/v1/log` says how far the log reaches, and which sequence belongs to a time.
import { ApiError, badRequest } from '@shiplog/api/status'
import type { EventLog, LogRecord } from '@shiplog/events/event-log'
import { oldestWholeSequence, sequenceAtTime } from '@shiplog/events/history/history'
import { encodeRecordLine } from '@shiplog/events/history/record-lines'
import type { FrameSink } from '../read/watch.ts'

export const eventsPath = '/shiplog/v1/events'
export const logPath = '/shiplog/v1/log'

/** Filters of one request. */
const subjectsMax = 64

export interface EventsQuery {
  readonly from: number
  readonly to: number | undefined
  readonly subjects: readonly string[]
  readonly follow: boolean
}

export function parseEventsQuery(query: URLSearchParams): EventsQuery {
  const number = (name: string): number | undefined => {
    const text = query.get(name)
    if (text === null || text === '') return undefined
    if (!/^\d{1,15}$/.test(text)) throw new ApiError(badRequest(`${name}: ${JSON.stringify(text)} is not a sequence`))
    return Number(text)
  }
  const subjects = query.getAll('subject')
  if (subjects.length > subjectsMax) throw new ApiError(badRequest(`at most ${subjectsMax} subjects, please`))
  for (const subject of subjects) {
    if (!/^[^\s.]+(\.[^\s.]+)*$/.test(subject))
      throw new ApiError(badRequest(`${JSON.stringify(subject)} is not a subject`))
  }
  return { from: number('from') ?? 1, to: number('to'), subjects, follow: query.get('follow') === 'true' }
}

/** Writes what was asked for, and with `follow` what comes, until the client goes. */
export async function serveEvents(log: EventLog, query: EventsQuery, sink: FrameSink, stopped: AbortSignal) {
  const signal = AbortSignal.any([sink.closed, stopped])
  const filter = query.subjects.length > 0 ? { subjects: query.subjects } : {}
  const source =
    query.follow && query.to === undefined
      ? log.follow({ subjects: filter.subjects ?? ['>'], from: query.from, signal })
      : log.read({ from: query.from, ...(query.to === undefined ? {} : { to: query.to }), ...filter })
  try {
    for await (const records of source) {
      if (signal.aborted) break
      if (records.length > 0 && !sink.write(lines(records))) await sink.drained()
    }
    sink.end()
  } catch (error) {
    // The answer has begun: only its breaking off can tell that it is not whole.
    sink.destroy()
    throw error
  }
}

const lines = (records: readonly LogRecord[]): Buffer => Buffer.concat(records.map(encodeRecordLine))

/** How far the log reaches; with `time`, also the newest sequence at that time. */
export async function describeLog(log: EventLog, query: URLSearchParams): Promise<Record<string, unknown>> {
  const [oldest, newest] = await Promise.all([oldestWholeSequence(log), log.lastSequence()])
  const time = query.get('time')
  if (time === null) return { oldest, newest, incarnation: log.incarnation }
  const timeMs = Date.parse(time)
  if (Number.isNaN(timeMs)) throw new ApiError(badRequest(`${JSON.stringify(time)} is not a time`))
  const sequence = await sequenceAtTime(log, timeMs, oldest, newest)
  return { oldest, newest, incarnation: log.incarnation, sequence }
}
