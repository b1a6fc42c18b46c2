// What there is no more of a kind, the latest first, and the sequence at which each was there for the last time. A log has no
// index of its deletions, so one request looks back a bounded way, window by window, and says from where to look on.
import { ApiError, badRequest } from '@shiplog/api/status'
import { decodeEnvelope, header as eventHeader } from '@shiplog/events/envelope'
import type { EventLog, LogRecord } from '@shiplog/events/event-log'
import { encodeToken, parseObjectSubject, resourceFilter } from '@shiplog/events/subjects'
import type { HttpReply, HttpRequest } from '../http/fastify-types.ts'
import { answerJson } from '../http/responses.ts'
import { askedOf, check, type PastRouteDeps } from './past-routes.ts'

export const deletedPath = '/shiplog/v1/deleted'

/** Deletions of one answer, about: a window is told whole. */
const deletionsMax = 200
/** Records of the kind that are read for one answer. */
const recordsMax = 20_000
/** Sequences that are looked through for one answer, whatever stands at them. */
const sequencesMax = 500_000
/** Sequences of one window: one statement of an embedded log, which nothing interrupts. */
const windowMin = 4_096
const windowMax = 65_536
/** A window that held fewer records than this is followed by one twice as wide. */
const fewRecords = 256
/** Subjects that are asked for their last record at once. */
const lookupsMax = 64

export interface Deletion {
  readonly namespace: string
  readonly name: string
  readonly sequence: number
  readonly time: string
  readonly actor: string
  /** The last sequence at which it was there. */
  readonly last: number
}

export interface Deletions {
  /** The latest first. */
  readonly items: readonly Deletion[]
  /** Everything from this sequence on has been looked at; undefined when the log reaches back no further. */
  readonly before?: number
}

export async function serveDeleted(deps: PastRouteDeps, request: HttpRequest, reply: HttpReply): Promise<void> {
  const asked = askedOf(request, deps)
  check(deps, request, 'list', asked)
  const before = beforeOf(request.searchParams.get('before'))
  const filter = resourceFilter(asked.storedGroup, asked.resource)
  const subject = asked.namespace === '' ? filter : filter.replace(/>$/, `${encodeToken(asked.namespace)}.*`)
  answerJson(reply, 200, await deletionsBefore(deps.events, subject, before))
}

function beforeOf(text: string | null): number {
  if (text === null || text === '') return Number.MAX_SAFE_INTEGER
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new ApiError(badRequest('before: a sequence, please'))
}

/** The latest deletions before a sequence of subjects that match; what was made again since is not among them. */
export async function deletionsBefore(events: EventLog, subject: string, before: number): Promise<Deletions> {
  const oldest = await events.firstSequence()
  const end = Math.min(before, (await events.lastSequence()) + 1)
  const items: Deletion[] = []
  let to = end - 1
  let read = 0
  let width = windowMin
  while (to >= oldest && items.length < deletionsMax && read < recordsMax && end - to <= sequencesMax) {
    const from = Math.max(oldest, to - width + 1)
    const { count, tombstones } = await tombstonesIn(events, subject, from, to)
    items.push(...(await standing(events, tombstones)).reverse())
    read += count
    to = from - 1
    width = count < fewRecords ? Math.min(windowMax, width * 2) : windowMin
  }
  return { items, ...(to >= oldest ? { before: to + 1 } : {}) }
}

interface Window {
  readonly count: number
  /** The last tombstone of each subject, unless something came after it, in order. */
  readonly tombstones: readonly LogRecord[]
}

async function tombstonesIn(events: EventLog, subject: string, from: number, to: number): Promise<Window> {
  const found = new Map<string, LogRecord>()
  let count = 0
  for await (const records of events.read({ subjects: [subject], from, to })) {
    count += records.length
    for (const record of records) {
      found.delete(record.subject)
      if (record.headers[eventHeader.deleted] === '1') found.set(record.subject, record)
    }
  }
  return { count, tombstones: [...found.values()] }
}

/** Those that are the last word on their subject. */
async function standing(events: EventLog, tombstones: readonly LogRecord[]): Promise<Deletion[]> {
  const found: Deletion[] = []
  for (let at = 0; at < tombstones.length; at += lookupsMax) {
    const some = tombstones.slice(at, at + lookupsMax)
    const last = await Promise.all(some.map(({ subject }) => events.last(subject)))
    some.forEach((record, index) => {
      if (last[index]?.sequence === record.sequence) found.push(deletionOf(record))
    })
  }
  return found
}

function deletionOf({ subject, sequence, timeMs, headers }: LogRecord): Deletion {
  const { namespace = '', name = '' } = parseObjectSubject(subject) ?? {}
  const { actor } = decodeEnvelope(headers)
  return { namespace, name, sequence, time: new Date(timeMs).toISOString(), actor, last: sequence - 1 }
}
