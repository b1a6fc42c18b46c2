import { expect, test } from 'vitest'
import type { Append } from '../event-log.ts'
import { createPublisher, outcomeOfError } from './publish.ts'
import { createFakeStream, message } from './testing/fake-stream.ts'

const member = (name: string, expected: number | undefined): Append => ({
  subject: `evt.core.pods.default.${name}`,
  expected,
  headers: { 'Shiplog-Type': 'PodCreated' },
  payload: Buffer.from(name),
})

test('a group is one batch: every member carries its place and its own expectation, the last one commits', async () => {
  const stream = createFakeStream(() => message({ stream: 'EVENTS', seq: 12, batch: 'x', count: 3 }))
  const publish = createPublisher(stream, undefined)
  expect(await publish([member('a', 0), member('b', 7), member('c', undefined)])).toEqual({ stored: [10, 11, 12] })
  expect(stream.seenSequence).toBe(12)
  const heads = stream.sent.map(({ head }) => head)
  expect(heads.map((head) => /Nats-Batch-Sequence: (\d)/.exec(head)?.[1])).toEqual(['1', '2', '3'])
  expect(heads.map((head) => /Last-Subject-Sequence: (\d)/.exec(head)?.[1])).toEqual(['0', '7', undefined])
  expect(heads.map((head) => head.includes('Nats-Batch-Commit: 1'))).toEqual([false, false, true])
  expect(new Set(heads.map((head) => /Nats-Batch-Id: (\S+)/.exec(head)![1])).size).toBe(1)
})

test('no two batches have the same id', async () => {
  const stream = createFakeStream(() => message({ seq: 2 }))
  const publish = createPublisher(stream, undefined)
  await publish([member('a', 0), member('b', 0)])
  await publish([member('c', 0), member('d', 0)])
  const ids = stream.sent.map(({ head }) => /Nats-Batch-Id: (\S+)/.exec(head)![1])
  expect(new Set(ids).size).toBe(2)
})

test('errors are conflicts, reasons to try again, or refusals', () => {
  const error = (err_code: number, description = 'why', code = 400) => ({ code, err_code, description })
  expect(outcomeOfError('EVENTS', error(10071, 'wrong last sequence: 5'))).toEqual({ conflict: true, actual: 5 })
  expect(outcomeOfError('EVENTS', error(10164, 'wrong last sequence'))).toEqual({ conflict: true, actual: undefined })
  expect(outcomeOfError('EVENTS', error(10176))).toEqual({ retry: 'why' })
  expect(outcomeOfError('EVENTS', error(10008, 'no leader', 503))).toEqual({ retry: 'no leader' })
  // Insufficient resources come as 503, too: to try again at once would be of no use.
  expect(() => outcomeOfError('EVENTS', error(10023, 'insufficient resources', 503))).toThrow('make room there')
  expect(() => outcomeOfError('EVENTS', error(10052, 'no rights'))).toThrow('Stream EVENTS: no rights (10052)')
})

test('an answer without a stream behind it is a reason to try again', async () => {
  const publish = createPublisher(createFakeStream(() => message('', {}, '503')), undefined)
  expect(await publish([member('a', 0)])).toEqual({ retry: 'no stream answers' })
})
