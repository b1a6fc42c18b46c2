// Direct gets: one record, or many by one request. Requests and answers are read by hand, because the client's direct get
// gives each message a header object with trimmed values (a record must come back as it was written) and its payload as
// a view of the whole chunk that came from the socket, which a kept record would keep alive.
import { LogUnavailable } from '../event-log.ts'
import { jsonBytes } from './connection.ts'
import { NoAnswer } from './pending-requests.ts'
import { readDeadlineMs, untilAnswered } from './retries.ts'
import type { StreamHandle } from './stream-handle.ts'
import { headerValue, type JetStreamRecord, recordOfDirectGet, splitMessage, statusOf } from './wire.ts'

const endOfBatch = 204
const notFound = 404
const tooManySubjects = 413
const unavailable = 503

/** One record: by sequence, or the first of a subject from a sequence on. */
export type RecordQuery = { readonly seq: number; readonly next_by_subj?: string }

/** Many records: a page from a sequence on, or the last record of each subject as of a sequence. */
export type RecordsQuery =
  | { readonly seq: number; readonly batch: number; readonly max_bytes: number; readonly next_by_subj: string }
  | { readonly multi_last: readonly string[]; readonly up_to_seq: number }

export interface RecordsAnswer {
  readonly records: readonly JetStreamRecord[]
  /** How many more there are behind these. */
  readonly pending: number
  /** The server promised more than it gave: it ends at a record that it cannot read. */
  readonly short: boolean
  /** The server refuses to give the last records of so many subjects at once. */
  readonly tooMany: boolean
}

export interface DirectGet {
  one(query: RecordQuery): Promise<JetStreamRecord | undefined>
  last(subject: string): Promise<JetStreamRecord | undefined>
  many(query: RecordsQuery): Promise<RecordsAnswer>
}

export function createDirectGet(stream: StreamHandle): DirectGet {
  const call = `$JS.API.DIRECT.GET.${stream.name}`
  const silence = `Stream ${stream.name} gives no answer`
  return {
    one: (query) =>
      untilAnswered(stream, readDeadlineMs(stream), silence, (timeoutMs) => getOne(stream, call, query, timeoutMs)),
    last: (subject) =>
      untilAnswered(stream, readDeadlineMs(stream), silence, (timeoutMs) =>
        getOne(stream, `${call}.${subject}`, undefined, timeoutMs),
      ),
    many: (query) =>
      untilAnswered(stream, readDeadlineMs(stream), silence, (timeoutMs) => getMany(stream, call, query, timeoutMs)),
  }
}

async function getOne(
  { connection, name }: StreamHandle,
  call: string,
  query: RecordQuery | undefined,
  timeoutMs: number,
): Promise<JetStreamRecord | undefined> {
  const answer = await connection.request(call, jsonBytes(query), { timeoutMs })
  const { head } = splitMessage(answer)
  switch (statusOf(head)) {
    case 0:
      return recordOfDirectGet(answer)
    case notFound:
      return undefined
    case unavailable:
      throw new NoAnswer('no responders')
    default:
      throw new LogUnavailable(`Stream ${name}: ${head.split('\r\n')[0]}`, { ambiguous: false })
  }
}

async function getMany(
  { connection, name }: StreamHandle,
  call: string,
  query: RecordsQuery,
  timeoutMs: number,
): Promise<RecordsAnswer> {
  const records: JetStreamRecord[] = []
  let pending = 0
  let status = 0
  let promised = 0
  await connection.requestMany(call, jsonBytes(query), timeoutMs, (answer) => {
    const { head } = splitMessage(answer)
    status = statusOf(head)
    if (status === endOfBatch) pending = Number(headerValue(head, 'Nats-Num-Pending') ?? 0)
    if (status !== 0) return true
    const record = recordOfDirectGet(answer)
    if (record) records.push(record)
    if (records.length === 1) promised = 1 + Number(headerValue(head, 'Nats-Num-Pending') ?? 0)
    return false
  })
  if (status === unavailable) throw new NoAnswer('no responders')
  if (status !== endOfBatch && status !== notFound && status !== tooManySubjects) {
    throw new LogUnavailable(`Stream ${name} refuses to be read (${status})`, { ambiguous: false })
  }
  return { records, pending, short: records.length + pending < promised, tooMany: status === tooManySubjects }
}
