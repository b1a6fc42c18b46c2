// The checksum chain: what it covers and what it names.
import { expect, test } from 'vitest'
import { checksumHeader, sealRecord, verifyRecord } from './checksum.ts'
import { encodeEnvelope, header } from '../envelope.ts'
import type { LogRecord } from '../event-log.ts'

const append = {
  subject: 'evt.core.pods.default.web',
  expected: 0,
  headers: encodeEnvelope({
    type: 'PodCreated',
    schema: 1,
    actor: 'jürgen',
    requestId: 'r1',
    previous: 0,
    deleted: false,
  }),
  payload: Buffer.from('{"kind":"Pod"}'),
}

const asRecord = (sealed: ReturnType<typeof sealRecord>): LogRecord => ({
  subject: sealed.subject,
  sequence: 7,
  timeMs: 1,
  headers: sealed.headers,
  payload: sealed.payload,
})

test('a sealed record verifies alone, with and without a predecessor, also with a batch mark', () => {
  const first = sealRecord(append)
  verifyRecord(asRecord(first))
  const second = sealRecord(append, checksumHeader(first))
  expect(second.headers[header.chain]).toBe(checksumHeader(first))
  verifyRecord(asRecord({ ...second, headers: { ...second.headers, [header.batch]: 'x 1 2' } }))
  expect(checksumHeader(second)).not.toBe(checksumHeader(first))
})

test('any change to payload, subject, headers or chain is told with subject and sequence', () => {
  const record = asRecord(sealRecord(append, 'abc'))
  const flipped = Buffer.from(record.payload)
  flipped[3] = flipped[3]! ^ 1
  const damaged: LogRecord[] = [
    { ...record, payload: flipped },
    { ...record, payload: record.payload.slice(1) },
    { ...record, subject: 'evt.core.pods.default.web2' },
    { ...record, headers: { ...record.headers, [header.actor]: 'admin' } },
    { ...record, headers: { ...record.headers, [header.chain]: 'abd' } },
    { ...record, headers: { ...record.headers, [header.checksum]: 'x' } },
    { ...record, headers: {} },
  ]
  for (const each of damaged) {
    expect(() => verifyRecord(each)).toThrow(`${each.subject} at sequence 7 is damaged`)
  }
})
