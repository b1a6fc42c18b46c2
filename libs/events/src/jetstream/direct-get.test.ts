import { expect, test } from 'vitest'
import { createDirectGet } from './direct-get.ts'
import { NoAnswer } from './pending-requests.ts'
import { readRange } from './read.ts'
import { lastOfEach, stateAt } from './state-at.ts'
import { createFakeStream, endOfBatch, message, stored } from './testing/fake-stream.ts'

const noResponders = message('', {}, '503')
const notFound = message('', {}, '404 Message Not Found')
const query = { seq: 1, batch: 10, max_bytes: 1000, next_by_subj: '>' }

test('a record is asked for again while nobody answers', async () => {
  const stream = createFakeStream((_, count) =>
    count === 1 ? new NoAnswer('silence') : count === 2 ? noResponders : stored('evt.a', 5, 'x'),
  )
  const running = createDirectGet(stream).last('evt.a')
  await stream.clock.advance(100)
  expect(await running).toMatchObject({ sequence: 5, subject: 'evt.a' })
  expect(stream.sent.map(({ subject }) => subject)).toEqual(Array(3).fill('$JS.API.DIRECT.GET.EVENTS.evt.a'))
})

test('silence until the deadline is LogUnanswered; a refusal is thrown at once', async () => {
  const silent = createFakeStream(() => new NoAnswer('silence'))
  const running = createDirectGet(silent).one({ seq: 1 })
  running.catch(() => undefined)
  await silent.clock.advance(6000)
  await expect(running).rejects.toMatchObject({ name: 'LogUnavailable', message: 'Stream EVENTS gives no answer' })
  const refusing = createFakeStream(() => message('', {}, '408 Bad Request'))
  await expect(createDirectGet(refusing).one({ seq: 1 })).rejects.toThrow('408 Bad Request')
})

test('a record that is not there is undefined', async () => {
  expect(await createDirectGet(createFakeStream(() => notFound)).one({ seq: 9 })).toBeUndefined()
})

test('an answer that ends before what its first record promised is short', async () => {
  const first = stored('evt.a', 1, 'x', { 'Nats-Num-Pending': '2' })
  const whole = createFakeStream(() => [first, stored('evt.b', 2, 'x'), stored('evt.c', 3, 'x'), endOfBatch(0)])
  expect(await createDirectGet(whole).many(query)).toMatchObject({ short: false, pending: 0 })
  const cut = createFakeStream(() => [first, stored('evt.b', 2, 'x'), endOfBatch(0)])
  expect(await createDirectGet(cut).many(query)).toMatchObject({ short: true })
  const full = createFakeStream(() => [first, endOfBatch(2)])
  expect(await createDirectGet(full).many(query)).toMatchObject({ short: false, pending: 2 })
})

/** A server that holds these records and gives two at a time. */
const paging = (subjects: readonly string[]) =>
  createFakeStream((request) => {
    const { seq, next_by_subj } = JSON.parse(Buffer.from(request.payload).toString()) as typeof query
    const all = subjects.map((subject, index) => stored(subject, index + 1, 'x'))
    const from = all.slice(seq - 1).filter((_, index) => next_by_subj === '>' || subjects[seq - 1 + index] === next_by_subj)
    return [...from.slice(0, 2), endOfBatch(Math.max(0, from.length - 2))]
  })

const sequencesOf = async (pages: AsyncIterable<readonly { sequence: number }[]>): Promise<number[]> => {
  const sequences: number[] = []
  for await (const page of pages) sequences.push(...page.map(({ sequence }) => sequence))
  return sequences
}

test('a range is read page by page, from its beginning to its end, filtered here where there are several filters', async () => {
  const read = (options: object, last = 5) => {
    const stream = paging(['evt.a', 'evt.b', 'evt.a', 'evt.c', 'evt.a'])
    stream.see(last)
    return sequencesOf(readRange(stream, createDirectGet(stream), options))
  }
  expect(await read({})).toEqual([1, 2, 3, 4, 5])
  expect(await read({ from: 2, to: 4 })).toEqual([2, 3, 4])
  expect(await read({ subjects: ['evt.a'] })).toEqual([1, 3, 5])
  expect(await read({ subjects: ['evt.b', 'evt.c'] })).toEqual([2, 4])
  // What is stored after the read began is not its.
  expect(await read({}, 3)).toEqual([1, 2, 3])
})

test('the state of more subjects than one answer holds is asked for in parts, and comes in order', async () => {
  const subjects = Array.from({ length: 2500 }, (_, index) => `evt.core.pods.default.p-${index}`)
  const stream = createFakeStream(
    (request) => {
      const { multi_last } = JSON.parse(Buffer.from(request.payload).toString()) as { multi_last: string[] }
      if (multi_last.includes('evt.>')) return message('', {}, '413 Too Many Results')
      return [...multi_last.map((subject) => stored(subject, 5000 - Number(subject.split('-')[1]), 'x')), endOfBatch(0)]
    },
    { countBySubject: async () => new Map(subjects.map((subject) => [subject, 1])) },
  )
  const sequences = await sequencesOf(stateAt(stream, createDirectGet(stream), 9999, ['evt.>']))
  expect(sequences).toEqual(Array.from({ length: 2500 }, (_, index) => 2501 + index))
  expect(stream.sent).toHaveLength(4)
})

test('where one record cannot be read, the others of the same answer are asked for one by one', async () => {
  const stream = createFakeStream(
    (request) => {
      const { multi_last } = JSON.parse(Buffer.from(request.payload).toString()) as { multi_last: string[] }
      if (multi_last[0] === 'evt.>') return [stored('evt.a', 1, 'x', { 'Nats-Num-Pending': '2' }), endOfBatch(0)]
      if (multi_last[0] === 'evt.b') return notFound
      return [stored(multi_last[0]!, 3, 'x'), endOfBatch(0)]
    },
    { countBySubject: async () => new Map([['evt.a', 1], ['evt.b', 1], ['evt.c', 1]]) },
  )
  const records = await lastOfEach(stream, createDirectGet(stream), ['evt.>'], 9)
  expect(records?.map(({ subject }) => subject)).toEqual(['evt.a', 'evt.c'])
})

test('as of sequence 0 there is nothing, and the server is not asked', async () => {
  const stream = createFakeStream(() => new Error('asked'))
  expect(await lastOfEach(stream, createDirectGet(stream), ['evt.>'], 0)).toEqual([])
})
