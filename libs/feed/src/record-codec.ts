// The one door between records of the log and what they mean. A record is the version of an object, the end of one, or
// one of the log's own; its payload may be of an older schema version or encrypted. Whoever turns a record into an
// object (projection, object feed, history, command line, SQL) does it here, so that all of them read the same.
import { builtInSchemaVersions, type SchemaVersions } from '@shiplog/api/codec'
import { parseObjectText } from '@shiplog/api/exact-json'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { verifyRecord } from '@shiplog/events/integrity/checksum'
import { header } from '@shiplog/events/envelope'
import { LogDamaged, type LogRecord } from '@shiplog/events/event-log'
import { isExpiryMarker } from '@shiplog/events/expiry'
import { isOwnRecord } from '@shiplog/events/integrity/seals'
import { type ObjectAddress, parseObjectSubject } from '@shiplog/events/subjects'
import { leanObjectText } from './lean-object-text.ts'

/** A record of an object. */
export interface ObjectRecord {
  /** `deletion`: the payload is the last object. `expiry`: the object aged out, and the record carries no payload. */
  readonly kind: 'object' | 'deletion' | 'expiry'
  readonly record: LogRecord
  readonly address: ObjectAddress
  readonly groupResource: string
}

/** A record of no object: a guard, an attempt to schedule, a checkpoint of the log itself. */
export interface OtherRecord {
  readonly kind: 'guard' | 'attempt' | 'checkpoint' | 'unknown'
  readonly record: LogRecord
}

/** A record that does not say any more what was once written. */
export interface DamagedRecord {
  readonly kind: 'damaged'
  readonly sequence: number
  /** Undefined when nothing tells whose record it was. */
  readonly subject: string | undefined
  /** `its checksum does not match`. */
  readonly problem: string
}

export type DecodedRecord = ObjectRecord | OtherRecord

/** Where payloads are encrypted on their way into the log, they are decrypted here. */
export interface PayloadCipher {
  isEncrypted(record: LogRecord): boolean
  decrypt(record: LogRecord): Promise<Uint8Array>
}

export interface RecordCodec {
  readonly versions: SchemaVersions
  /**
   * Decrypts what is encrypted. Comes before everything else; where nothing is encrypted it gives the same array at
   * once, so that a caller only waits when there is something to wait for.
   */
  open(records: readonly LogRecord[]): readonly LogRecord[] | Promise<readonly LogRecord[]>
  /** What a record is. Reads the subject and headers alone. */
  decode(record: LogRecord): DecodedRecord
  /** The stored bytes in today's form; undefined when the record carries none. Throws LogDamaged for what cannot be read. */
  stored(decoded: ObjectRecord): Uint8Array | undefined
  /** The object, with its resourceVersion; a fresh parse. Undefined where `stored` is. */
  object(decoded: ObjectRecord): KubeObject | undefined
  /** As `object`, without managedFields. */
  leanObject(decoded: ObjectRecord): KubeObject | undefined
  /** Decodes after a check of the checksum and of the payload: for readers of the past, who say what is damaged. */
  inspect(record: LogRecord): Promise<DecodedRecord | DamagedRecord>
}

export interface RecordCodecOptions {
  readonly versions?: SchemaVersions
  readonly cipher?: PayloadCipher
}

export function createRecordCodec(options: RecordCodecOptions = {}): RecordCodec {
  const versions = options.versions ?? builtInSchemaVersions
  const { cipher } = options

  const stored = ({ record, groupResource }: ObjectRecord): Uint8Array | undefined => {
    if (record.payload.length === 0) return undefined
    try {
      return versions.upgrade(groupResource, schemaOf(record), record.payload)
    } catch (cause) {
      throw new LogDamaged(`${placeOf(record)} cannot be read: ${messageOf(cause)}`, { cause })
    }
  }

  const parse = (decoded: ObjectRecord, prepare: (text: string) => string): KubeObject | undefined => {
    const bytes = stored(decoded)
    return bytes && parseStored(decoded.record, bytes, prepare)
  }

  const codec: RecordCodec = {
    versions,
    open(records) {
      if (cipher === undefined || !records.some((record) => cipher.isEncrypted(record))) return records
      return Promise.all(records.map((record) => (cipher.isEncrypted(record) ? decrypted(cipher, record) : record)))
    },
    decode: decodeRecord,
    stored,
    object: (decoded) => parse(decoded, asItIs),
    leanObject: (decoded) => parse(decoded, leanObjectText),
    async inspect(record) {
      try {
        // A marker that the log itself leaves at an expiry carries no checksum.
        if (!isExpiryMarker(record)) verifyRecord(record)
        const [opened] = await codec.open([record])
        const decoded = decodeRecord(opened!)
        if (isObjectRecord(decoded)) codec.object(decoded)
        else if (decoded.kind === 'attempt') attemptOf(decoded)
        return decoded
      } catch (error) {
        if (!(error instanceof LogDamaged)) throw error
        return { kind: 'damaged', sequence: record.sequence, subject: record.subject, problem: problemOf(error) }
      }
    },
  }
  return codec
}

/** The codec of this build. */
export const recordCodec: RecordCodec = createRecordCodec()

export const isObjectRecord = (decoded: DecodedRecord | DamagedRecord): decoded is ObjectRecord =>
  decoded.kind === 'object' || decoded.kind === 'deletion' || decoded.kind === 'expiry'

/** True for the end of an object, however it came about. */
export const endsObject = ({ kind }: ObjectRecord): boolean => kind !== 'object'

/** What an attempt to schedule says. */
export function attemptOf({ record }: OtherRecord): JsonObject {
  try {
    return JSON.parse(Buffer.from(record.payload).toString('utf8')) as JsonObject
  } catch (cause) {
    throw new LogDamaged(`${placeOf(record)} is damaged: its payload cannot be read`, { cause })
  }
}

/** The version of the stored form that a record was written in. */
export const schemaOf = (record: LogRecord): number => Number(record.headers[header.schema] ?? 1)

export function decodeRecord(record: LogRecord): DecodedRecord {
  const address = parseObjectSubject(record.subject)
  if (address === undefined) return { kind: otherKindOf(record), record }
  const groupResource = groupResourceOf(address.group, address.resource)
  return { kind: objectKindOf(record), record, address, groupResource }
}

/** Deletions of ours carry the header; whatever has no payload is the mark of something that aged out. */
function objectKindOf(record: LogRecord): ObjectRecord['kind'] {
  if (record.payload.length === 0 || isExpiryMarker(record)) return 'expiry'
  return record.headers[header.deleted] === '1' ? 'deletion' : 'object'
}

function otherKindOf(record: LogRecord): OtherRecord['kind'] {
  if (record.subject.startsWith('guard.')) return 'guard'
  if (record.subject.startsWith('dec.')) return 'attempt'
  return isOwnRecord(record) ? 'checkpoint' : 'unknown'
}

const asItIs = (text: string): string => text

function parseStored(record: LogRecord, bytes: Uint8Array, prepare: (text: string) => string): KubeObject {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  let object: KubeObject
  try {
    object = parseObjectText(prepare(text))
  } catch (cause) {
    throw new LogDamaged(`${placeOf(record)} is damaged: its payload cannot be read`, { cause })
  }
  if (typeof object?.metadata !== 'object') {
    throw new LogDamaged(`${placeOf(record)} is damaged: its payload is no object`)
  }
  object.metadata.resourceVersion = String(record.sequence)
  return object
}

async function decrypted(cipher: PayloadCipher, record: LogRecord): Promise<LogRecord> {
  const { subject, sequence, timeMs, headers } = record
  try {
    return { subject, sequence, timeMs, headers, payload: await cipher.decrypt(record) }
  } catch (cause) {
    throw new LogDamaged(`${placeOf(record)} cannot be decrypted: ${messageOf(cause)}`, { cause })
  }
}

const placeOf = ({ subject, sequence }: LogRecord): string => `${subject} at sequence ${sequence}`

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The message of a LogDamaged without the place that it begins with. */
const problemOf = ({ message }: LogDamaged): string =>
  message.replace(/^.*? at sequence \d+ (is damaged: )?/, '').replace(/ at sequence \d+/, '')
