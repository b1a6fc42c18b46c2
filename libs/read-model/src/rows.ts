// From records of the log to rows, as arrays of columns: a batch goes to Postgres as one statement with one parameter a
// column, and all payloads in one binary parameter, cut there by offset and length. Never row by row.
import { parseObject } from '@shiplog/api/codec'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { verifyRecord } from '@shiplog/events/integrity/checksum'
import { decodeEnvelope, type Envelope, header } from '@shiplog/events/envelope'
import { LogDamaged, type LogRecord } from '@shiplog/events/event-log'
import { decodeToken, parseObjectSubject } from '@shiplog/events/subjects'
import { type DecodedRecord, endsObject, isEncrypted, isObjectRecord, type RecordCodec } from '@shiplog/feed/record-codec'

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

export interface Place {
  readonly groupResource: string
  readonly namespace: string
  readonly name: string
  readonly scheduler?: string
}

/** Whose record it is; undefined for guards and seals, which are of no interest in SQL. */
export function placeOfSubject(subject: string): Place | undefined {
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
export async function rowsOf(records: readonly LogRecord[], codec: RecordCodec): Promise<RowColumns> {
  const opened = await codec.open(records)
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
  for (const [index, record] of records.entries()) {
    const decoded = codec.decode(opened[index]!)
    const place = placeOfSubject(record.subject)
    if (place === undefined) continue
    const envelope = envelopeOf(record)
    const payload = decoded.kind === 'expiry' ? new Uint8Array() : record.payload
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
    rows.deleted.push(isObjectRecord(decoded) && endsObject(decoded))
    rows.checksum.push(storableOrNull(record.headers[header.checksum]))
    rows.at.push(at)
    rows.length.push(payload.length)
    at += payload.length
    payloads.push(payload)
    const { upgraded, problem } = read(decoded, payload, codec)
    rows.upgraded.push(upgraded ? Buffer.from(upgraded) : null)
    rows.problem.push(problem ?? null)
  }
  return { ...rows, payloads: Buffer.concat(payloads) }
}

/**
 * What SQL is told of an object whose records are encrypted: what it is, and nothing that it holds. Tables are files, too, and
 * would keep it when its key is long destroyed.
 */
function outlineOf(stored: Uint8Array): Uint8Array {
  const { kind, apiVersion, metadata, type, immutable } = parseObject(stored)
  const { [lastApplied]: _, ...annotations } = metadata.annotations ?? {}
  const kept = { ...metadata, ...(metadata.annotations ? { annotations } : {}) }
  return Buffer.from(JSON.stringify({ kind, apiVersion, metadata: kept, ...(kind === 'Secret' ? { type, immutable } : {}) }))
}

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** What stands in `unreadable` for a damaged record. */
export const damagedText = (problem: string): string => `damaged record: ${problem}`

/** Why a record is not what was once written, undefined when it is. */
function damageOf({ record, kind }: DecodedRecord): string | undefined {
  try {
    if (kind !== 'expiry') verifyRecord(record)
    return undefined
  } catch (error) {
    if (!(error instanceof LogDamaged)) throw error
    return error.message.replace(/^.* is damaged: /, '')
  }
}

/** The payload in today's form, where that is not what the log holds; or why there is none. */
function read(
  decoded: DecodedRecord,
  payload: Uint8Array,
  codec: RecordCodec,
): { readonly upgraded?: Uint8Array; readonly problem?: string } {
  const damage = damageOf(decoded)
  if (damage !== undefined) return { problem: storable(damagedText(damage)) }
  if (!isObjectRecord(decoded)) return {}
  try {
    const stored = codec.stored(decoded)
    if (stored !== undefined && isEncrypted(decoded.record)) return { upgraded: outlineOf(stored) }
    return stored === undefined || stored === payload ? {} : { upgraded: stored }
  } catch (error) {
    return { problem: storable(error instanceof Error ? error.message : String(error)) }
  }
}
