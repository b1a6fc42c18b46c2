import { expect, test } from 'vitest'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { systemIds } from '@shiplog/runtime/ids'
import { inMemory, openLogDatabase } from './database.ts'
import { readRange, stateAt, subjectClause } from './stream-reader.ts'
import { createStreamList, openStreamTable, type StreamTable } from './stream-table.ts'
import { createStreamWriter } from './stream-writer.ts'
import { createTransactions } from './transactions.ts'

/** A stream with one record for each of these subjects, in their order. */
async function streamOf(subjects: readonly string[], payloadBytes = 10): Promise<StreamTable> {
  const file = openLogDatabase(inMemory)
  createStreamList(file.database)
  const table = openStreamTable(file, 'events', { lastPerSubject: false, expiry: false }, systemIds)
  const writer = createStreamWriter(table, createManualClock(), () => undefined)
  const transactions = createTransactions(file)
  for (const subject of subjects) {
    const payload = Buffer.alloc(payloadBytes, subject)
    await transactions.append(writer, [{ subject, expected: undefined, headers: { of: subject }, payload }])
  }
  return table
}

async function pagesOf(pages: AsyncIterable<readonly { sequence: number; subject: string }[]>) {
  const found: { sequence: number; subject: string }[][] = []
  for await (const page of pages) found.push(page.map(({ sequence, subject }) => ({ sequence, subject })))
  return found
}
const sequencesOf = async (pages: Parameters<typeof pagesOf>[0]): Promise<number[]> =>
  (await pagesOf(pages)).flat().map(({ sequence }) => sequence)

test('the state is the last record of each subject as of a sequence, in order', async () => {
  const table = await streamOf(['a.1', 'a.2', 'a.1', 'b.1', 'a.1'])
  expect(await sequencesOf(stateAt(table, 5, ['>']))).toEqual([2, 4, 5])
  expect(await sequencesOf(stateAt(table, 3, ['>']))).toEqual([2, 3])
  expect(await sequencesOf(stateAt(table, 5, ['a.>']))).toEqual([2, 5])
  expect(await sequencesOf(stateAt(table, 5, ['*.1']))).toEqual([4, 5])
  expect(await sequencesOf(stateAt(table, 5, ['a.2', 'b.>']))).toEqual([2, 4])
  expect(await sequencesOf(stateAt(table, 0, ['>']))).toEqual([])
})

test('it is the same whether the records lie close together or far apart', async () => {
  const subjects = Array.from({ length: 2_000 }, (_, index) => (index % 10 === 0 ? `a.${index}` : 'busy'))
  const expected = [...subjects.keys()].filter((index) => index % 10 === 0).map((index) => index + 1)
  const sparse = await streamOf(subjects)
  expect(await sequencesOf(stateAt(sparse, 2_000, ['a.>']))).toEqual(expected)
  const dense = await streamOf(subjects.filter((subject) => subject !== 'busy'))
  expect(await sequencesOf(stateAt(dense, 200, ['a.>']))).toHaveLength(expected.length)
})

test('a record that goes while the state is read is left out, and no other', async () => {
  const table = await streamOf(Array.from({ length: 1_000 }, (_, index) => `a.${index}`))
  const pages = stateAt(table, 1_000, ['>'])[Symbol.asyncIterator]()
  const first = (await pages.next()).value as readonly { sequence: number }[]
  table.database.exec('DELETE FROM events WHERE sequence IN (700, 1000)')
  const second = (await pages.next()).value as readonly { sequence: number }[]
  const sequences = [...first, ...second].map(({ sequence }) => sequence)
  expect(sequences).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1).filter((at) => at !== 700 && at !== 1_000))
})

test('pages hold 512 records, or 4 MB of payload', async () => {
  const small = await streamOf(Array.from({ length: 1_100 }, (_, index) => `a.${index}`))
  expect((await pagesOf(readRange(small))).map((page) => page.length)).toEqual([512, 512, 76])
  expect((await pagesOf(stateAt(small, 1_100, ['>']))).map((page) => page.length)).toEqual([512, 512, 76])
  const large = await streamOf(Array.from({ length: 7 }, (_, index) => `a.${index}`), 1_500_000)
  for (const read of [readRange(large), stateAt(large, 7, ['>'])]) {
    expect((await pagesOf(read)).map((page) => page.map(({ sequence }) => sequence))).toEqual([[1, 2, 3], [4, 5, 6], [7]])
  }
})

test('a range is bounded on both sides and filtered, also where a page holds nothing that is wanted', async () => {
  const subjects = Array.from({ length: 1_500 }, (_, index) => (index === 0 || index === 1_400 ? 'a.x.1' : 'b'))
  const table = await streamOf(subjects)
  expect(await sequencesOf(readRange(table, { subjects: ['*.x.*'] }))).toEqual([1, 1_401])
  expect(await sequencesOf(readRange(table, { from: 2, to: 1_401, subjects: ['a.>'] }))).toEqual([1_401])
  expect(await sequencesOf(readRange(table, { from: 1_501 }))).toEqual([])
})

test('what SQLite filters exactly is not filtered again; a wildcard in the middle is', () => {
  expect(subjectClause(['>'])).toEqual({ sql: '', parameters: [], exact: true })
  expect(subjectClause(['a.b', 'c.>'])).toEqual({
    sql: 'AND (subject = ? OR (subject > ? AND subject < ?))',
    parameters: ['a.b', 'c.', 'c/'],
    exact: true,
  })
  expect(subjectClause(['a.*.c'])).toMatchObject({ parameters: ['a.', 'a/'], exact: false })
  expect(subjectClause(['*.c'])).toMatchObject({ sql: 'AND (1)', exact: false })
})
