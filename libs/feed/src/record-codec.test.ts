import { createSchemaVersions } from '@shiplog/api/codec'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import { encodeEnvelope, header } from '@shiplog/events/envelope'
import { LogDamaged, type LogRecord } from '@shiplog/events/event-log'
import { expiryMarkerHeaders } from '@shiplog/events/expiry'
import { describe, expect, test } from 'vitest'
import { createRecordCodec, decodeRecord, isObjectRecord, recordCodec, storedFormCodec } from './record-codec.ts'

const record = (subject: string, body: string, how: { deleted?: boolean; schema?: number; key?: string } = {}): LogRecord => {
  const headers = encodeEnvelope({
    type: 'Happened',
    schema: how.schema ?? 1,
    actor: 'ann',
    requestId: 'r',
    previous: 0,
    deleted: how.deleted ?? false,
  })
  if (how.key) headers[header.key] = how.key
  const sealed = sealRecord({ subject, expected: 0, headers, payload: Buffer.from(body) })
  return { ...sealed, sequence: 7, timeMs: 0 }
}
const map = (data: string): string =>
  JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'x', managedFields: [{}] }, data })
const subject = 'evt.core.configmaps.default.x'

const objectOf = (codec: typeof recordCodec, one: LogRecord) => {
  const decoded = codec.decode(one)
  return isObjectRecord(decoded) ? codec.object(decoded) : undefined
}

describe('what a record is', () => {
  test('is told by its subject, its headers and whether it carries anything', () => {
    const marker = { subject: 'oev.default.x', sequence: 7, timeMs: 0, headers: expiryMarkerHeaders, payload: Buffer.alloc(0) }
    const kinds = [
      record(subject, map('a')),
      record(subject, map('a'), { deleted: true }),
      marker,
      record('guard.room.node-0', 'uid'),
      record('dec.default-scheduler.default.p', '{}'),
      record('seal.log', '{}'),
      record('evt.odd', '{}'),
    ].map((one) => decodeRecord(one).kind)
    expect(kinds).toEqual(['object', 'deletion', 'expiry', 'guard', 'attempt', 'checkpoint', 'unknown'])
  })

  test('an object comes with its resourceVersion, and lean without managedFields', () => {
    const decoded = decodeRecord(record(subject, map('a')))
    if (!isObjectRecord(decoded)) throw new Error(decoded.kind)
    expect(decoded).toMatchObject({ groupResource: 'configmaps', address: { namespace: 'default', name: 'x' } })
    expect(recordCodec.object(decoded)).toMatchObject({ metadata: { resourceVersion: '7', managedFields: [{}] } })
    expect(recordCodec.leanObject(decoded)).not.toHaveProperty('metadata.managedFields')
  })
})

describe('older schema versions', () => {
  const upcasters = { 1: (object: any) => ({ ...object, data: `${object.data}!` }) }
  const codec = createRecordCodec({ versions: createSchemaVersions({ configmaps: { current: 2, upcasters } }) })

  test('are read as the present one, whatever reads them', () => {
    expect(objectOf(codec, record(subject, map('a')))).toMatchObject({ data: 'a!' })
    expect(objectOf(codec, record(subject, map('a'), { schema: 2 }))).toMatchObject({ data: 'a' })
    expect(objectOf(recordCodec, record(subject, map('a')))).toMatchObject({ data: 'a' })
  })

  test('and what a newer build wrote is refused by name', async () => {
    const newer = record(subject, map('a'), { schema: 3 })
    expect(() => objectOf(codec, newer)).toThrow(/evt.core.configmaps.default.x at sequence 7 .*upgrade Shiplog/)
    expect(await codec.inspect(newer)).toMatchObject({ kind: 'damaged', sequence: 7, subject })
  })
})

describe('encrypted payloads', () => {
  const opened = ({ payload }: LogRecord) => ({ clear: Buffer.from(payload.subarray(1)).reverse() })
  const codec = createRecordCodec({ cipher: { decrypt: async (one) => opened(one), encrypt: (append) => append } })
  const locked = record(subject, `!${[...map('secret')].reverse().join('')}`, { key: 'uid-1' })

  test('are decrypted before anything else looks at them, and stay what they are beside it', async () => {
    const [one] = await codec.open([locked])
    expect(objectOf(codec, one!)).toMatchObject({ data: 'secret' })
    expect(one!.payload).toBe(locked.payload)
    expect(await codec.inspect(locked)).toMatchObject({ kind: 'object' })
  })

  test('nobody waits where nothing is encrypted, or the key is at hand', () => {
    const records = [record(subject, map('a'))]
    expect(codec.open(records)).toBe(records)
    const atHand = createRecordCodec({ cipher: { decrypt: opened, encrypt: (append) => append } })
    expect(atHand.open([locked])).toMatchObject([{ sequence: 7, clear: expect.anything() }])
  })

  test('are nothing to a reader without keys, and say so', async () => {
    expect(recordCodec.open([locked])).toEqual([locked])
    expect(() => objectOf(recordCodec, locked)).toThrow(/at sequence 7 cannot be read: it is encrypted, and this process has no keys/)
    expect(await recordCodec.inspect(locked)).toMatchObject({ kind: 'damaged', sequence: 7 })
    expect(await storedFormCodec.inspect(locked)).toMatchObject({ kind: 'object', record: locked })
  })

  test('whose key is gone are holes that still say when, of what and by whom they are', async () => {
    const gone = createRecordCodec({ cipher: { decrypt: () => ({ unreadable: 'its key is gone' }), encrypt: (append) => append } })
    expect(await gone.inspect(locked)).toMatchObject({ kind: 'damaged', problem: 'its key is gone', whole: { headers: locked.headers } })
    const [one] = await gone.open([locked])
    expect(() => objectOf(gone, one!)).toThrow(LogDamaged)
  })
})

describe('damage', () => {
  test('of a payload is told by its checksum', async () => {
    const one = record(subject, map('a'))
    const payload = Buffer.from(one.payload)
    payload[20]! ^= 1
    expect(await recordCodec.inspect({ ...one, payload })).toEqual({
      kind: 'damaged',
      sequence: 7,
      subject,
      problem: 'its checksum does not match',
    })
    expect(await recordCodec.inspect(one)).toMatchObject({ kind: 'object' })
  })

  test('of a payload that is none is told, though its checksum holds', async () => {
    for (const body of ['{', '[]', '"text"', '{"kind":"ConfigMap"}']) {
      expect(await recordCodec.inspect(record(subject, body)), body).toMatchObject({ kind: 'damaged' })
    }
  })
})
