// From records of the log to rows, as arrays of columns: a batch goes to Postgres as one statement with one parameter a
// column, and all payloads in one binary parameter, cut there by offset and length. Never row by row.
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { decodeEnvelope, type Envelope, header } from '@shiplog/events/envelope'
import type { LogRecord } from '@shiplog/events/event-log'
import { isExpiryMarker } from '@shiplog/events/expiry'
import { decodeToken, parseObjectSubject } from '@shiplog/events/subjects'

/** The group-resource under which attempts to schedule are kept; no API resource can have this name. */
export const attemptsResource = 'attempts.shiplog'

/** Parallel arrays, one entry a row. */
export interface RowColumns {
  readonly sequence: number[]
  readonly timeMs: number[]
  readonly groupResource: string[]
  readonly namespace: string[]
  readonly name: string[]
  readonly scheduler: (string | null)[]
  readonly type: string[]
  readonly actor: string[]
  readonly requestId: string[]
  readonly previous: number[]
  readonly cause: (number | null)[]
  readonly basis: (number | null)[]
  readonly decision: (string | null)[]
  readonly schema: number[]
  readonly deleted: boolean[]
  readonly checksum: (string | null)[]
  /** Where the payload begins in `payloads`, from 1, and its length. */
  readonly at: number[]
  readonly length: number[]
  /** The payload as today's schema version reads it; null where that is the payload itself. */
  readonly upgraded: (Buffer | null)[]
  /** Why this build cannot read the payload at all. */
  readonly problem: (string | null)[]
  readonly payloads: Buffer
}

/** How payloads of older schema versions are read. */
export interface Reading {
  /** Another name means that rows must be made anew. */
  readonly name: string
  /** Gives the same bytes when nothing changed since they were written; throws on what it does not know. */
  upgrade(groupResource: string, schema: number, payload: Uint8Array): Uint8Array
}

/** What a text column cannot hold becomes U+FFFD: NUL, and halves of surrogate pairs. */
const storable = (text: string): string => text.replaceAll('\0', '\ufffd').toWellFormed()

const storableOrNull = (text: string | undefined): string | null => (text === undefined ? null : storable(text))

const sequenceOrNull = (value: number | undefined): number | null =>
  value !== undefined && Number.isSafeInteger(value) ? value : null

/** An envelope whose values cannot be decoded must not stop the projection: it is then kept as it stands. */
function envelopeOf(record: LogRecord): Envelope {
  try {
    return decodeEnvelope(record.headers)
  } catch {
    return {
      type: record.headers[header.type] ?? '',
      schema: 1,
      actor: record.headers[header.actor] ?? '',
      requestId: record.headers[header.requestId] ?? '',
      previous: 0,
      deleted: record.headers[header.deleted] === '1',
    }
  }
}

interface Place {
  readonly groupResource: string
  readonly namespace: string
  readonly name: string
  readonly scheduler?: string
}

/** Whose record it is; undefined for guards and seals, which are of no interest in SQL. */
function placeOf(subject: string): Place | undefined {
  if (subject.startsWith('dec.')) {
    const [, scheduler, namespace, pod] = subject.split('.')
    if (!scheduler || !namespace || !pod) return undefined
    return {
      groupResource: attemptsResource,
      namespace: decodeToken(namespace),
      name: decodeToken(pod),
      scheduler: decodeToken(scheduler),
    }
  }
  const address = parseObjectSubject(subject)
  return address && { ...address, groupResource: groupResourceOf(address.group, address.resource) }
}

/** The rows of a batch. Markers of expired records have no payload: their length is 0. */
export function rowsOf(records: readonly LogRecord[], reading: Reading): RowColumns {
  const rows = {
    sequence: [] as number[],
    timeMs: [] as number[],
    groupResource: [] as string[],
    namespace: [] as string[],
    name: [] as string[],
    scheduler: [] as (string | null)[],
    type: [] as string[],
    actor: [] as string[],
    requestId: [] as string[],
    previous: [] as number[],
    cause: [] as (number | null)[],
    basis: [] as (number | null)[],
    decision: [] as (string | null)[],
    schema: [] as number[],
    deleted: [] as boolean[],
    checksum: [] as (string | null)[],
    at: [] as number[],
    length: [] as number[],
    upgraded: [] as (Buffer | null)[],
    problem: [] as (string | null)[],
  }
  const payloads: Uint8Array[] = []
  let at = 1
  for (const record of records) {
    const place = placeOf(record.subject)
    if (place === undefined) continue
    const envelope = envelopeOf(record)
    const payload = isExpiryMarker(record) ? new Uint8Array() : record.payload
    rows.sequence.push(record.sequence)
    rows.timeMs.push(record.timeMs)
    rows.groupResource.push(storable(place.groupResource))
    rows.namespace.push(storable(place.namespace))
    rows.name.push(storable(place.name))
    rows.scheduler.push(storableOrNull(place.scheduler))
    rows.type.push(storable(envelope.type))
    rows.actor.push(storable(envelope.actor))
    rows.requestId.push(storable(envelope.requestId))
    rows.previous.push(sequenceOrNull(envelope.previous) ?? 0)
    rows.cause.push(sequenceOrNull(envelope.cause))
    rows.basis.push(sequenceOrNull(envelope.basis))
    rows.decision.push(storableOrNull(envelope.decision))
    rows.schema.push(sequenceOrNull(envelope.schema) ?? 1)
    rows.deleted.push(envelope.deleted)
    rows.checksum.push(storableOrNull(record.headers[header.checksum]))
    rows.at.push(at)
    rows.length.push(payload.length)
    at += payload.length
    payloads.push(payload)
    const { upgraded, problem } = read(place.groupResource, envelope.schema, payload, reading)
    rows.upgraded.push(upgraded ? Buffer.from(upgraded) : null)
    rows.problem.push(problem ?? null)
  }
  return { ...rows, payloads: Buffer.concat(payloads) }
}

function read(
  groupResource: string,
  schema: number,
  payload: Uint8Array,
  reading: Reading,
): { readonly upgraded?: Uint8Array; readonly problem?: string } {
  if (payload.length === 0 || groupResource === attemptsResource) return {}
  try {
    const upgraded = reading.upgrade(groupResource, schema, payload)
    return upgraded === payload ? {} : { upgraded }
  } catch (error) {
    return { problem: storable(error instanceof Error ? error.message : String(error)) }
  }
}
