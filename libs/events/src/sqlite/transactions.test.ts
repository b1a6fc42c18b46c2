import { describe, expect, test } from 'vitest'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { systemIds } from '@shiplog/runtime/ids'
import type { Append, LogRecord } from '../event-log.ts'
import { markerTtlSeconds } from '../expiry.ts'
import { asLogError, inMemory, openLogDatabase } from './database.ts'
import { createStreamList, openStreamTable } from './stream-table.ts'
import { createStreamWriter } from './stream-writer.ts'
import { createTransactions, nextSize, transactionMembersMax } from './transactions.ts'

const create = (subject: string, expected: number | undefined = 0, more: Partial<Append> = {}): Append => ({
  subject,
  expected,
  headers: {},
  payload: Buffer.from(subject),
  ...more,
})

function open(shape = { lastPerSubject: false, expiry: false }) {
  const file = openLogDatabase(inMemory)
  createStreamList(file.database)
  const table = openStreamTable(file, 'events', shape, systemIds)
  const clock = createManualClock()
  const told: LogRecord[][] = []
  const writer = createStreamWriter(table, clock, (records) => told.push([...records]))
  const transactions = createTransactions(file)
  const rows = (): unknown[] => table.query('SELECT sequence, subject FROM events ORDER BY sequence').all()
  return { ...file, table, clock, told, writer, transactions, rows }
}

test('appends of one turn share a transaction, each decided for itself, and followers hear of it once', async () => {
  const { transactions, writer, told } = open()
  const results = await Promise.all([
    transactions.append(writer, [create('a')]),
    transactions.append(writer, [create('b'), create('a')]),
    transactions.append(writer, [create('a', 1)]),
  ])
  expect(results).toEqual([
    { ok: true, sequences: [1] },
    { ok: false, conflict: { subject: 'a', expected: 0, actual: 1 } },
    { ok: true, sequences: [2] },
  ])
  expect(told.map((records) => records.map(({ sequence }) => sequence))).toEqual([[1, 2]])
})

test('a transaction that fails stores nothing, tells nobody, and its sequences are given out again', async () => {
  const { transactions, writer, told, database, table, rows } = open()
  await transactions.append(writer, [create('a')])
  database.exec(`CREATE TRIGGER t BEFORE INSERT ON events WHEN NEW.subject = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END`)
  const failing = [transactions.append(writer, [create('b')]), transactions.append(writer, [create('bad')])]
  for (const { status } of await Promise.allSettled(failing)) expect(status).toBe('rejected')
  expect([rows(), told.length, table.lastSequence]).toEqual([[[1, 'a']], 1, 1])
  expect(await transactions.append(writer, [create('b')])).toEqual({ ok: true, sequences: [2] })
})

test('a closed log takes nothing more, and stores what was waiting', async () => {
  const { transactions, writer } = open()
  const waiting = transactions.append(writer, [create('a')])
  transactions.close()
  expect(await waiting).toEqual({ ok: true, sequences: [1] })
  await expect(transactions.append(writer, [create('b')])).rejects.toThrow('The log is closed')
})

test('a transaction takes waiting groups until it has 2,000 members, and at least one', () => {
  const group = (size: number) => ({ group: Array.from({ length: size }, () => 0) })
  expect(nextSize([group(900), group(900), group(900), group(1)])).toBe(3)
  expect(nextSize([group(transactionMembersMax + 1), group(1)])).toBe(1)
  expect(nextSize([group(1)])).toBe(1)
})

test('what expires leaves a marker, and the marker goes in its turn', async () => {
  const { transactions, writer, clock, told, rows } = open({ lastPerSubject: true, expiry: true })
  await transactions.append(writer, [create('a', 0, { ttlSeconds: 10 })])
  writer.sweep(transactions)
  expect(rows()).toEqual([[1, 'a']])
  await clock.advance(10_000)
  writer.sweep(transactions)
  expect(rows()).toEqual([[2, 'a']])
  expect(told.at(-1)).toMatchObject([{ sequence: 2, subject: 'a', payload: new Uint8Array(0) }])
  await clock.advance(markerTtlSeconds * 1_000)
  writer.sweep(transactions)
  expect(rows()).toEqual([])
})

test('a restored record keeps its time, and no record is older than the one before', async () => {
  const { transactions, writer, told } = open()
  await transactions.append(writer, [create('a', 0, { timeMs: 5_000_000_000_000 })])
  await transactions.append(writer, [create('b', 0)])
  expect(told.flat().map(({ timeMs }) => timeMs)).toEqual([5_000_000_000_000, 5_000_000_000_000])
})

describe('errors of SQLite', () => {
  for (const [errcode, name, text] of [
    [5, 'LogUnavailable', 'in use by another process'],
    [11 | (3 << 8), 'LogDamaged', 'is damaged at evt.a'],
    [13, 'LogUnavailable', 'no space left'],
    [1, 'LogUnavailable', 'some error'],
  ] as const) {
    test(`${errcode} is ${name}: ${text}`, () => {
      const error = asLogError(Object.assign(new Error('some error'), { errcode }), '/tmp/log.db', ' at evt.a')
      expect([error.name, error.message]).toEqual([name, expect.stringContaining(text)])
    })
  }
})
