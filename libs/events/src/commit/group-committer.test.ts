// The group committer over a log of which the test decides when it answers.
import { expect, test } from 'vitest'
import { header } from '../envelope.ts'
import type { Append, AppendResult, EventLog, LogRecord } from '../event-log.ts'
import { createGroupCommitter } from './group-committer.ts'

/** A log that stores in memory and answers when told to. */
function heldLog() {
  const appended: (readonly Append[])[] = []
  const answers: (() => void)[] = []
  const lasts = new Map<string, number>()
  let sequence = 0
  const store = (group: readonly Append[]): AppendResult => {
    for (const { subject, expected } of group) {
      const actual = lasts.get(subject) ?? 0
      if (expected !== undefined && expected !== actual) {
        return { ok: false, conflict: { subject: '?', expected, actual: undefined } }
      }
    }
    return {
      ok: true,
      sequences: group.map(({ subject }) => {
        sequence += 1
        lasts.set(subject, sequence)
        return sequence
      }),
    }
  }
  const log = {
    incarnation: 'test log',
    groupsAppends: false,
    append: (group: readonly Append[]) => {
      appended.push(group)
      return new Promise<AppendResult>((resolve) => answers.push(() => resolve(store(group))))
    },
    last: async (subject: string) => {
      const at = lasts.get(subject)
      return at === undefined ? undefined : ({ subject, sequence: at } as LogRecord)
    },
  } as unknown as EventLog
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    log,
    appended,
    settle,
    /** Answers everything that waits, again and again until nobody waits. */
    answerAll: async () => {
      await settle()
      while (answers.length > 0) {
        for (const answer of answers.splice(0)) answer()
        await settle()
      }
    },
  }
}

const create = (subject: string, expected: number | undefined = 0, bytes = 10): Append => ({
  subject,
  expected,
  headers: { [header.type]: 'X' },
  payload: new Uint8Array(bytes),
})

const sizes = (appended: readonly (readonly Append[])[]): number[] => appended.map((group) => group.length)

test('a lone group goes out at once and alone, few go side by side', async () => {
  const { log, appended, answerAll, settle } = heldLog()
  const committer = createGroupCommitter(log)
  const first = committer.commit([create('a')])
  await settle()
  expect(sizes(appended)).toEqual([1])
  const second = committer.commit([create('b')])
  await settle()
  expect(sizes(appended)).toEqual([1, 1])
  await answerAll()
  expect([await first, await second]).toEqual([
    { ok: true, sequences: [1] },
    { ok: true, sequences: [2] },
  ])
})

test('groups of several share a batch even when they are few', async () => {
  const { log, appended, answerAll } = heldLog()
  const committer = createGroupCommitter(log)
  const results = ['a', 'b', 'c'].map((name) => committer.commit([create(`${name}.1`), create(`${name}.2`)]))
  await answerAll()
  expect(sizes(appended)).toEqual([6])
  expect((await Promise.all(results)).every((result) => result.ok)).toBe(true)
})

test('what arrives while a batch is under way shares the next one', async () => {
  const { log, appended, answerAll, settle } = heldLog()
  const committer = createGroupCommitter(log, { batchGroupsMin: 4 })
  const results = Array.from({ length: 10 }, (_, index) => committer.commit([create(`a${index}`)]))
  await settle()
  results.push(...Array.from({ length: 30 }, (_, index) => committer.commit([create(`b${index}`)])))
  await settle()
  expect(sizes(appended)).toEqual([10])
  await answerAll()
  expect(sizes(appended)).toEqual([10, 30])
  expect((await Promise.all(results)).flatMap((result) => (result.ok ? result.sequences : []))).toEqual(
    Array.from({ length: 40 }, (_, index) => index + 1),
  )
})

test('a batch is bounded in members and in bytes, and a group is never split', async () => {
  const { log, appended, answerAll } = heldLog()
  const committer = createGroupCommitter(log, { batchGroupsMin: 2, batchMembersMax: 10, batchBytesMax: 100_000 })
  const three = (name: string): Append[] => [create(`${name}.1`), create(`${name}.2`), create(`${name}.3`)]
  const results = Array.from({ length: 8 }, (_, index) => committer.commit(three(`g${index}`)))
  await answerAll()
  expect(sizes(appended)).toEqual([9, 9, 6])
  results.push(...Array.from({ length: 4 }, (_, index) => committer.commit([create(`big${index}`, 0, 40_000)])))
  await answerAll()
  expect(sizes(appended).slice(3)).toEqual([2, 2])
  expect((await Promise.all(results)).every((result) => result.ok)).toBe(true)
})

test('two groups on one subject never share a batch, and keep their order', async () => {
  const { log, appended, answerAll } = heldLog()
  const committer = createGroupCommitter(log, { batchGroupsMin: 2 })
  const results = ['x', 'x', 'y', 'x', 'z'].map((name) => committer.commit([{ ...create(name), expected: undefined }]))
  await answerAll()
  for (const group of appended) expect(new Set(group.map(({ subject }) => subject)).size).toBe(group.length)
  const sequences = (await Promise.all(results)).flatMap((result) => (result.ok ? result.sequences : []))
  expect(sequences[0]).toBeLessThan(sequences[1]!)
  expect(sequences[1]).toBeLessThan(sequences[3]!)
})

test('stale groups are refused with their own subject, whatever the log blames', async () => {
  const { log, answerAll } = heldLog()
  const committer = createGroupCommitter(log, { batchGroupsMin: 2 })
  const results = [
    committer.commit([create('a')]),
    committer.commit([create('b', 7)]),
    committer.commit([create('c'), create('d', 9)]),
    committer.commit([create('e'), create('f')]),
  ]
  await answerAll()
  expect(await Promise.all(results)).toEqual([
    { ok: true, sequences: [1] },
    { ok: false, conflict: { subject: 'b', expected: 7, actual: 0 } },
    { ok: false, conflict: { subject: 'd', expected: 9, actual: 0 } },
    { ok: true, sequences: [2, 3] },
  ])
})

test('members of a group are marked and sealed; a lone member is not marked', async () => {
  const { log, appended, answerAll } = heldLog()
  const stored: number[][] = []
  const committer = createGroupCommitter(log, { onStored: (_, sequences) => stored.push([...sequences]) })
  const results = [committer.commit([create('a'), create('b')]), committer.commit([create('c')])]
  await answerAll()
  await Promise.all(results)
  const marks = appended.flat().map(({ headers }) => headers[header.batch]?.split(' ').slice(1).join(' of '))
  expect(marks).toEqual(['1 of 2', '2 of 2', undefined])
  for (const { headers } of appended.flat()) expect(headers[header.checksum]).toMatch(/^[\w-]{43}$/)
  expect(stored).toEqual([[1, 2], [3]])
})

test('a group that no log would take is refused before it can harm its neighbours', async () => {
  const { log, answerAll } = heldLog()
  const committer = createGroupCommitter(log, { batchGroupsMin: 2 })
  const good = committer.commit([create('a')])
  await expect(committer.commit([create('not a subject')])).rejects.toThrow(TypeError)
  await expect(committer.commit([{ ...create('b'), headers: { 'Nats-Rollup': 'all' } }])).rejects.toThrow(TypeError)
  await answerAll()
  expect(await good).toEqual({ ok: true, sequences: [1] })
})

test('a full queue refuses, unambiguously; a fault reaches everyone of the batch', async () => {
  const { log } = heldLog()
  const committer = createGroupCommitter(log, { queuedGroupsMax: 3 })
  const waiting = Array.from({ length: 3 }, (_, index) => committer.commit([create(`a${index}`)]))
  await expect(committer.commit([create('b')])).rejects.toMatchObject({ name: 'LogUnavailable', ambiguous: false })
  void waiting
  const broken = createGroupCommitter(
    { ...log, append: () => Promise.reject(new Error('disk full')) },
    { batchGroupsMin: 2 },
  )
  const results = await Promise.allSettled(['x', 'y', 'z'].map((name) => broken.commit([create(name)])))
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
})
