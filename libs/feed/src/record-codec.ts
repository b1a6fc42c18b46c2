// The one door between records of the log and what they mean. A record is the version of an object, the end of one, or
// one of the log's own; its payload may be of an older schema version or encrypted. Whoever turns a record into an
// object (projection, object feed, history, command line, SQL) does it here, so that all of them read the same.
import { builtInSchemaVersions, type SchemaVersions } from '@shiplog/api/codec'
import { parseObjectText } from '@shiplog/api/exact-json'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { verifyRecord } from '@shiplog/events/integrity/checksum'
import { header } from '@shiplog/events/envelope'
import { type Append, LogDamaged, type LogRecord } from '@shiplog/events/event-log'
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
  /** The record, where that is whole: only what it held is gone, with its key. When, by whom and of what it was it still says. */
  readonly whole?: LogRecord
}

export type DecodedRecord = ObjectRecord | OtherRecord

/** What an encrypted payload says, or why nobody can tell. */
export type Opened = { readonly clear: Uint8Array } | { readonly unreadable: string }

/** Where payloads are encrypted on their way into the log, they are decrypted here. */
export interface PayloadCipher {
  /** At once where the key is at hand. `waits`: until it is; else LogUnavailable is thrown where it may come later. */
  decrypt(record: LogRecord, waits: boolean): Opened | Promise<Opened>
  /** The append as it is to be stored: the same one where its resource is not encrypted. Before its checksum is made. */
  encrypt(append: Append, of: { readonly groupResource: string; readonly uid: string }): Append | Promise<Append>
}

export interface RecordCodec {
  readonly versions: SchemaVersions
  /** Tells how it reads records: what was derived with another one must be derived anew. */
  readonly reading: string
  /**
   * Decrypts what is encrypted: what it says stands in `clear` then, beside the payload as it is stored. Comes before everything
   * else; where nothing is encrypted it gives the same array at once, and a promise only where a key has to be waited for.
   * `waits`: however long that takes (default), or LogUnavailable.
   */
  open(records: readonly LogRecord[], waits?: boolean): readonly LogRecord[] | Promise<readonly LogRecord[]>
  /** Encrypts what is to be encrypted, before its checksum is made. */
  encrypt: PayloadCipher['encrypt']
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
  /** Encrypted records are inspected as far as they can be without their keys: for who copies them. */
  readonly leavesEncrypted?: boolean
}

export function createRecordCodec(options: RecordCodecOptions = {}): RecordCodec {
  const versions = options.versions ?? builtInSchemaVersions
  const { cipher } = options

  const stored = ({ record, groupResource }: ObjectRecord): Uint8Array | undefined => {
    if (record.payload.length === 0) return undefined
    const payload = clearPayload(record)
    try {
      return versions.upgrade(groupResource, schemaOf(record), payload)
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
    reading: cipher === undefined ? versions.name : `${versions.name} with keys`,
    open(records, waits = true) {
      if (cipher === undefined || !records.some(isLocked)) return records
      const opened = records.map((record) => (isLocked(record) ? decrypted(cipher, record, waits) : record))
      return opened.some((one) => one instanceof Promise) ? Promise.all(opened) : (opened as LogRecord[])
    },
    encrypt: (append, of) => cipher?.encrypt(append, of) ?? append,
    decode: decodeRecord,
    stored,
    object: (decoded) => parse(decoded, asItIs),
    leanObject: (decoded) => parse(decoded, leanObjectText),
    async inspect(record) {
      try {
        // A marker that the log itself leaves at an expiry carries no checksum.
        if (!isExpiryMarker(record)) verifyRecord(record)
        if (options.leavesEncrypted && isEncrypted(record)) return decodeRecord(record)
        const [opened] = await codec.open([record], false)
        const { sequence, subject } = opened!
        const unreadable = opened!.unreadable ?? (isLocked(opened!) ? noKeys : undefined)
        if (unreadable !== undefined) return { kind: 'damaged', sequence, subject, problem: unreadable, whole: opened! }
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

/** The codec of this build, without keys: what is encrypted is not for its readers. */
export const recordCodec: RecordCodec = createRecordCodec()

/** For who copies records as they are stored. */
export const storedFormCodec: RecordCodec = createRecordCodec({ leavesEncrypted: true })

/** True for a record whose payload is encrypted in the log. */
export const isEncrypted = ({ headers }: Pick<LogRecord, 'headers'>): boolean => headers[header.key] !== undefined

/** True where nobody has said yet what it says. */
const isLocked = (record: LogRecord): boolean =>
  isEncrypted(record) && record.clear === undefined && record.unreadable === undefined

const noKeys = 'it is encrypted, and this process has no keys'

/** What is read as the object: the payload, decrypted where it is encrypted. */
function clearPayload(record: LogRecord): Uint8Array {
  if (!isEncrypted(record)) return record.payload
  if (record.clear !== undefined) return record.clear
  throw new LogDamaged(`${placeOf(record)} cannot be read: ${record.unreadable ?? noKeys}`)
}

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

function decrypted(cipher: PayloadCipher, record: LogRecord, waits: boolean): LogRecord | Promise<LogRecord> {
  const { subject, sequence, timeMs, headers, payload } = record
  const withWhat = (opened: Opened): LogRecord => ({ subject, sequence, timeMs, headers, payload, ...opened })
  const opened = cipher.decrypt(record, waits)
  return opened instanceof Promise ? opened.then(withWhat) : withWhat(opened)
}

const placeOf = ({ subject, sequence }: LogRecord): string => `${subject} at sequence ${sequence}`

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The message of a LogDamaged without the place that it begins with. */
const problemOf = ({ message }: LogDamaged): string =>
  message.replace(/^.*? at sequence \d+ (is damaged: )?/, '').replace(/ at sequence \d+/, '')
