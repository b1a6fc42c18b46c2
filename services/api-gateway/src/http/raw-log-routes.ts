// `GET /shiplog/v1/events`: the records of EVENTS as JSON lines, for the tools that tell, explain and replay the past. With
// `state=true` the present comes first, the last record of every subject, with a line of its own after it, and then what
// comes; of the other streams (`stream=leases`) that is all there is: controllers that run apart follow it. It is no part of the Kubernetes API; whoever may `get` this path as a non-resource URL reads everything, Secrets
// included. `GET /shiplog/v1/log` says how far the log reaches, and which sequence belongs to a time.
import { ApiError, badRequest, methodNotAllowed } from '@shiplog/api/status'
import type { EventLog, LogRecord } from '@shiplog/events/event-log'
import { oldestWholeSequence, sequenceAtTime } from '@shiplog/events/history/history'
import { type Damage, isDamage, type LogInspection, withDamage } from '@shiplog/events/integrity/log-inspection'
import { encodeDamageLine, encodeRecordLine, stateEndLine } from '@shiplog/events/history/record-lines'
import type { RecordCodec } from '@shiplog/feed/record-codec'
import type { FollowedLog } from '@shiplog/feed/object-feed-from-log'
import { type StreamName, streamNames } from '@shiplog/feed/stream-of'
import type { Logger } from '@shiplog/runtime/logger'
import type { FrameSink } from '../read/watch.ts'
import type { HttpReply, HttpRequest } from './fastify-types.ts'
import { answerJson, beginStream } from './responses.ts'
import { isWebSocketRequest } from './web-socket.ts'

export interface RawLogDeps {
  readonly log: FollowedLog & { readonly events: EventLog }
  /** What is known of damage to it. */
  readonly inspection: LogInspection | undefined
  readonly codec: RecordCodec
  readonly stopped: AbortSignal
  readonly logger: Logger
}

export async function serveLogDescription(deps: RawLogDeps, request: HttpRequest, reply: HttpReply): Promise<void> {
  refuseOtherMethods(request)
  answerJson(reply, 200, await describeLog(deps.log.events, request.searchParams, deps.inspection))
}

export async function serveRawEvents(deps: RawLogDeps, request: HttpRequest, reply: HttpReply): Promise<void> {
  refuseOtherMethods(request)
  const query = parseEventsQuery(request.searchParams)
  if (isWebSocketRequest(request.raw)) throw new ApiError(badRequest(`${eventsPath} is not served over a WebSocket`))
  const sink = beginStream(reply, 'application/x-ndjson')
  const served = query.isState
    ? serveState(deps, query, sink)
    : serveEvents(deps, query, sink)
  await served.catch((error: unknown) =>
    deps.logger.error({ err: error }, 'failed to read the event log for a client'),
  )
}

function refuseOtherMethods({ method }: HttpRequest): void {
  if (method !== 'GET') throw new ApiError(methodNotAllowed({ group: '', resource: '' }, method))
}

export const eventsPath = '/shiplog/v1/events'
export const logPath = '/shiplog/v1/log'

/** Filters of one request. */
const subjectsMax = 64

export interface EventsQuery {
  readonly from: number
  readonly to: number | undefined
  readonly subjects: readonly string[]
  readonly follow: boolean
  /** The present first, whatever `from` says, and then what comes. */
  readonly isState: boolean
  readonly stream: StreamName
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
  const stream = streamNames.find((name) => name === (query.get('stream') ?? 'events'))
  if (!stream) throw new ApiError(badRequest(`there are the streams ${streamNames.join(', ')}`))
  const isState = query.get('state') === 'true'
  if (stream !== 'events' && !isState) throw new ApiError(badRequest(`of ${stream} there is only the state`))
  return { from: number('from') ?? 1, to: number('to'), subjects, follow: query.get('follow') === 'true', isState, stream }
}

/** How long a reader waits for the inspection of the log; what is not known then is read without it. */
const inspectionTimeoutMs = 20_000

/**
 * Writes what was asked for, and with `follow` what comes, until the client goes. A record that is damaged or missing has
 * a line of its own.
 */
export async function serveEvents(
  deps: Omit<RawLogDeps, 'logger' | 'log'> & { readonly log: Pick<RawLogDeps['log'], 'events'> },
  query: EventsQuery,
  sink: FrameSink,
): Promise<void> {
  const { inspection, codec } = deps
  const log = deps.log.events
  const signal = AbortSignal.any([sink.closed, deps.stopped])
  const filter = query.subjects.length > 0 ? { subjects: query.subjects } : {}
  const records =
    query.follow && query.to === undefined
      ? log.follow({ subjects: filter.subjects ?? ['>'], from: query.from, signal })
      : log.read({ from: query.from, ...(query.to === undefined ? {} : { to: query.to }), ...filter })
  try {
    await inspection?.finished(inspectionTimeoutMs)
    const to = query.to ?? (query.follow ? query.from - 1 : Number.MAX_SAFE_INTEGER)
    const damages = inspection?.within(query.from, to, query.subjects) ?? []
    for await (const page of withDamage(records, damages)) {
      if (signal.aborted) break
      if (page.length > 0 && !sink.write(await linesOf(codec, page))) await sink.drained()
    }
    sink.end()
  } catch (error) {
    // The answer has begun: only its breaking off can tell that it is not whole.
    sink.destroy()
    throw error
  }
}

/** The last record of every subject, the line that says so, and then every record, until the client goes. */
async function serveState(
  { log, codec, stopped }: RawLogDeps,
  { subjects, stream }: EventsQuery,
  sink: FrameSink,
): Promise<void> {
  const signal = AbortSignal.any([sink.closed, stopped])
  try {
    for await (const page of log[stream].follow({ subjects: subjects.length > 0 ? subjects : ['>'], signal })) {
      const bytes = page.length === 0 ? stateEndLine : await linesOf(codec, page)
      if (!sink.write(bytes)) await sink.drained()
    }
    sink.end()
  } catch (error) {
    sink.destroy()
    throw error
  }
}

/** Encrypted records come with what they say beside what is stored: the reader has no keys, and checks the checksum all the same. */
async function linesOf(codec: RecordCodec, page: readonly (LogRecord | Damage)[]): Promise<Buffer> {
  const opened = await codec.open(page.filter((one): one is LogRecord => !isDamage(one)), false)
  let next = 0
  return Buffer.concat(page.map((one) => (isDamage(one) ? encodeDamageLine(one) : encodeRecordLine(opened[next++]!))))
}

/** How far the log reaches; with `time`, also the newest sequence at that time. */
export async function describeLog(
  log: EventLog,
  query: URLSearchParams,
  inspection: LogInspection | undefined,
): Promise<Record<string, unknown>> {
  const [oldest, newest] = await Promise.all([oldestWholeSequence(log), log.lastSequence()])
  const time = query.get('time')
  if (time === null) {
    const known = inspection && {
      inspection: { state: inspection.state, through: inspection.through, damages: inspection.damages },
    }
    return { oldest, newest, incarnation: log.incarnation, ...known }
  }
  const timeMs = Date.parse(time)
  if (Number.isNaN(timeMs)) throw new ApiError(badRequest(`${JSON.stringify(time)} is not a time`))
  const sequence = await sequenceAtTime(log, timeMs, oldest, newest)
  return { oldest, newest, incarnation: log.incarnation, sequence }
}
