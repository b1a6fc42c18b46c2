// What the dashboard asks of the past beside `/at/…`: the history of one object, what was deleted, and when the log grew.
// Unlike the raw log these ask for the rights that the API asks for: who may get an object may see its history, who may
// list a kind may see which of it were deleted.
import type { KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { ApiError, badRequest, expired, forbidden } from '@shiplog/api/status'
import { decodeEnvelope, header as eventHeader } from '@shiplog/events/envelope'
import type { EventLog, LogRecord } from '@shiplog/events/event-log'
import { oldestWholeSequence, recordUpTo } from '@shiplog/events/history/history'
import type { LogInspection } from '@shiplog/events/integrity/log-inspection'
import { encodeToken, objectSubject, parseObjectSubject, resourceFilter } from '@shiplog/events/subjects'
import { type FieldChange, fieldChanges, managerOf, withoutSecrets } from '@shiplog/feed/history/field-changes'
import { contentOf, isDamaged, type PastLog, pastOf } from '@shiplog/feed/history/past-records'
import { endsObject, isObjectRecord, recordCodec, type RecordCodec } from '@shiplog/feed/record-codec'
import { keepsOnlyLast } from '@shiplog/feed/stream-of'
import type { Authorizer } from '../access/rbac-authorizer.ts'
import type { HttpReply, HttpRequest } from '../http/fastify-types.ts'
import { answerJson } from '../http/responses.ts'
import type { Kinds } from '../store/kinds.ts'

export const historyPath = '/shiplog/v1/history'
export const deletedPath = '/shiplog/v1/deleted'
export const timelinePath = '/shiplog/v1/timeline'

/** Versions of one answer, the newest ones. */
const versionsMax = 500
const changesMax = 200
const deletedMax = 500
const marksMax = 400
const marksDefault = 100
/** How far back deletions are looked for. */
const deletedRecordsMax = 500_000

export interface PastRouteDeps {
  readonly events: EventLog
  readonly inspection: LogInspection | undefined
  readonly codec?: RecordCodec | undefined
  readonly authorizer: Authorizer
  readonly kinds: Kinds
}

/** One change of an object. */
interface Version {
  readonly sequence: number
  readonly time: string
  readonly type: string
  readonly actor: string
  readonly manager?: string | undefined
  readonly cause?: number | undefined
  readonly basis?: number | undefined
  readonly uid: string
  readonly deleted: boolean
  readonly created: boolean
  readonly changes: readonly FieldChange[]
  /** Fields that changed beyond those that are told. */
  readonly more?: number
}

interface Asked {
  readonly group: string
  readonly resource: string
  readonly namespace: string
  readonly name: string
  /** Of the group under which it is stored. */
  readonly storedGroup: string
}

function askedOf({ searchParams }: HttpRequest, { kinds }: PastRouteDeps): Asked {
  const [group = '', resource = '', namespace = '', name = ''] = ['group', 'resource', 'namespace', 'name'].map(
    (key) => searchParams.get(key) ?? '',
  )
  if (resource === '') throw new ApiError(badRequest('which resource?'))
  // A kind that is gone still has a past.
  const storedGroup = kinds.current.storage(groupResourceOf(group, resource))?.storageGroup ?? group
  if (keepsOnlyLast(groupResourceOf(storedGroup, resource)))
    throw new ApiError(badRequest(`${resource} age: the log keeps only the last of each, so they have no history`))
  return { group, resource, namespace, name, storedGroup }
}

function check({ authorizer }: PastRouteDeps, { user }: HttpRequest, verb: string, asked: Asked): void {
  const access = { user, verb, group: asked.group, resource: asked.resource, subresource: '', namespace: asked.namespace, name: asked.name }
  if (authorizer.allows(access)) return
  const where = asked.namespace === '' ? ' at the cluster scope' : ` in the namespace "${asked.namespace}"`
  const why = `User "${user.name}" cannot ${verb} resource "${asked.resource}" in API group "${asked.group}"${where}`
  throw new ApiError(forbidden({ group: asked.group, resource: asked.resource }, asked.name, why))
}

export async function serveHistory(deps: PastRouteDeps, request: HttpRequest, reply: HttpReply): Promise<void> {
  const asked = askedOf(request, deps)
  if (asked.name === '') throw new ApiError(badRequest('which object?'))
  check(deps, request, 'get', asked)
  const subject = objectSubject({ ...asked, group: asked.storedGroup })
  const past = pastOf(deps.events, deps.codec ?? recordCodec, deps.inspection)
  answerJson(reply, 200, { versions: await versionsOf(past, subject, deps.codec ?? recordCodec) })
}

async function versionsOf(past: PastLog, subject: string, codec: RecordCodec): Promise<readonly (Version | object)[]> {
  const versions: (Version | object)[] = []
  let before: KubeObject | undefined
  for await (const records of past.read({ subjects: [subject] })) {
    for (const one of records) {
      if (isDamaged(one)) versions.push(one.whole ? goneOf(one.whole, one.problem) : { sequence: one.sequence, damaged: one.problem })
      else if (isObjectRecord(one)) {
        const after = contentOf(codec, one) as KubeObject | undefined
        if (after === undefined) continue
        versions.push(versionOf(one.record, before, after, endsObject(one)))
        before = endsObject(one) ? undefined : after
      }
      if (versions.length > versionsMax) versions.shift()
    }
  }
  return versions
}

/** A change of which only that it was is known: the key of what it held is gone. */
function goneOf({ sequence, timeMs, headers }: LogRecord, gone: string): object {
  const { type, actor, deleted } = decodeEnvelope(headers)
  return { sequence, time: new Date(timeMs).toISOString(), type, actor, deleted, gone }
}

function versionOf(
  record: LogRecord,
  before: KubeObject | undefined,
  after: KubeObject,
  deleted: boolean,
): Version {
  const { uid = '' } = after.metadata
  const isSame = before !== undefined && before.metadata.uid === uid
  const previous = isSame ? before : undefined
  const { type, actor, cause, basis } = decodeEnvelope(record.headers)
  const changes = deleted && !isSame ? [] : withoutSecrets(String(after.kind), fieldChanges(previous, after))
  return {
    ...{ sequence: record.sequence, time: new Date(record.timeMs).toISOString(), type, actor, cause, basis, uid, deleted },
    manager: managerOf(previous, after),
    created: previous === undefined && !deleted,
    changes: changes.slice(0, changesMax),
    ...(changes.length > changesMax ? { more: changes.length - changesMax } : {}),
  }
}

/** What there is no more of a kind, the latest first, and the sequence at which it was there for the last time. */
export async function serveDeleted(deps: PastRouteDeps, request: HttpRequest, reply: HttpReply): Promise<void> {
  const asked = askedOf(request, deps)
  check(deps, request, 'list', asked)
  const filter = resourceFilter(asked.storedGroup, asked.resource)
  const subject = asked.namespace === '' ? filter : filter.replace(/>$/, `${encodeToken(asked.namespace)}.*`)
  const deleted = new Map<string, object>()
  const from = Math.max(1, (await deps.events.lastSequence()) - deletedRecordsMax)
  for await (const records of deps.events.read({ subjects: [subject], from })) {
    for (const { subject: key, headers, sequence, timeMs } of records) {
      deleted.delete(key)
      if (headers[eventHeader.deleted] !== '1') continue
      const { namespace = '', name = '' } = parseObjectSubject(key) ?? {}
      const { actor } = decodeEnvelope(headers)
      deleted.set(key, { namespace, name, sequence, time: new Date(timeMs).toISOString(), actor, last: sequence - 1 })
      if (deleted.size > deletedMax) deleted.delete(deleted.keys().next().value!)
    }
  }
  answerJson(reply, 200, { items: [...deleted.values()].reverse() })
}

/** When records were stored does not change: of the marks that were asked for it is known. */
const timesKnownMax = 20_000

/**
 * How far the log reaches, and sequences evenly spread with the times at which they were stored: where many lie close
 * together, much happened. It tells how much, and nothing of what. Marks lie on round numbers: while the log grows most of
 * them stay, and are not looked up again.
 */
export function createTimelineRoute(deps: Pick<PastRouteDeps, 'events'>): (request: HttpRequest, reply: HttpReply) => Promise<void> {
  const known = new Map<number, { readonly sequence: number; readonly time: string } | undefined>()
  async function markAt(sequence: number): Promise<{ readonly sequence: number; readonly time: string } | undefined> {
    if (known.has(sequence)) return known.get(sequence)
    const record = await recordUpTo(deps.events, sequence)
    const mark = record && { sequence, time: new Date(record.timeMs).toISOString() }
    if (known.size >= timesKnownMax) known.delete(known.keys().next().value!)
    known.set(sequence, mark)
    return mark
  }
  return async ({ searchParams }, reply) => {
    const { events } = deps
    const [oldest, newest] = await Promise.all([oldestWholeSequence(events), events.lastSequence()])
    const number = (name: string, or: number): number => Number(searchParams.get(name) ?? or) || or
    const wanted = Math.min(marksMax, Math.max(2, number('marks', marksDefault)))
    const [from, to] = [Math.max(oldest, number('from', oldest)), Math.min(newest, number('to', newest))]
    if (from > to) throw new ApiError(expired(`the log reaches from ${oldest} to ${newest}`))
    const marks = await Promise.all(roundMarks(from, to, wanted).map(markAt))
    answerJson(reply, 200, { oldest, newest, marks: marks.filter((mark) => mark !== undefined) })
  }
}

/** Both ends, and multiples of a power of two between them; about so many. */
export function roundMarks(from: number, to: number, wanted: number): number[] {
  const step = 2 ** Math.max(0, Math.ceil(Math.log2((to - from) / wanted)))
  const marks = [from]
  for (let mark = Math.ceil((from + 1) / step) * step; mark < to; mark += step) marks.push(mark)
  if (to > from) marks.push(to)
  return marks
}
