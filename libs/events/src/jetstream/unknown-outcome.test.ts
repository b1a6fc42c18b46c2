import { expect, test } from 'vitest'
import type { Append } from '../event-log.ts'
import type { RecordQuery } from './direct-get.ts'
import { findConflict, findOwnRecords, isSame } from './unknown-outcome.ts'
import { JetStreamRecord } from './wire.ts'

const web = 'evt.core.pods.default.web'
const append = (expected: number | undefined, request = 'r1'): Append => ({
  subject: web,
  expected,
  headers: { 'Shiplog-Request': request },
  payload: Buffer.from('x'),
})
const record = (sequence: number, request = 'r1'): JetStreamRecord =>
  new JetStreamRecord(web, sequence, 0, `NATS/1.0\r\nShiplog-Request: ${request}\r\n\r\n`, Buffer.from('x'))

/** A log that holds these records of one subject. */
const holding = (...records: JetStreamRecord[]) => ({
  one: async ({ seq }: RecordQuery) => records.find(({ sequence }) => sequence >= seq),
  last: async () => records.at(-1),
})
const seen: number[] = []
const stream = { see: (sequence: number) => void seen.push(sequence) }

test('with an expectation, our record is the first one behind it or none', async () => {
  expect(await findOwnRecords(stream, holding(record(4, 'other'), record(7)), [append(4)], 0)).toEqual([7])
  expect(seen.at(-1)).toBe(7)
  expect(await findOwnRecords(stream, holding(record(6, 'other'), record(7)), [append(4)], 0)).toBeUndefined()
})

test('without one, it may lie behind those of others, but not before the append began', async () => {
  const log = holding(record(6, 'other'), record(8))
  expect(await findOwnRecords(stream, log, [append(undefined)], 5)).toEqual([8])
  expect(await findOwnRecords(stream, log, [append(undefined)], 8)).toBeUndefined()
})

test('a group is stored when all members are', async () => {
  expect(await findOwnRecords(stream, holding(record(7)), [append(4), append(4, 'r2')], 0)).toBeUndefined()
})

test('the member that conflicts is the one whose subject has moved on; none when all fit by now', async () => {
  const log = { last: async (subject: string) => (subject.endsWith('b') ? record(9) : undefined) }
  const group = [
    { ...append(0), subject: 'evt.a' },
    { ...append(3), subject: 'evt.b' },
  ]
  expect(await findConflict(log, group, undefined)).toEqual({ subject: 'evt.b', expected: 3, actual: 9 })
  expect(await findConflict(log, [group[0]!, { ...group[1]!, expected: 9 }], undefined)).toBeUndefined()
})

test('a record is ours only with every header and byte', () => {
  expect(isSame(record(1), append(0))).toBe(true)
  expect(isSame(record(1), append(0, 'r2'))).toBe(false)
  expect(isSame(record(1), { ...append(0), payload: Buffer.from('y') })).toBe(false)
  expect(isSame(record(1), { ...append(0), payload: Buffer.from('xx') })).toBe(false)
})
