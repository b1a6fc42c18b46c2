import { describe, expect, test } from 'vitest'
import type { Append } from '../event-log.ts'
import { createAppend } from './append.ts'
import { createDirectGet } from './direct-get.ts'
import type { LogDisk } from './log-disk.ts'
import { NoAnswer } from './pending-requests.ts'
import { createPublisher } from './publish.ts'
import { type Answer, createFakeStream, type FakeStream, message, stored } from './testing/fake-stream.ts'

const pod: Append = { subject: 'evt.core.pods.default.web', expected: 4, headers: { 'Shiplog-Request': 'r1' }, payload: Buffer.from('{}') }
const conflict = message({ error: { code: 400, err_code: 10071, description: 'wrong last sequence: 7' } })

function appendTo(stream: FakeStream, disk?: LogDisk) {
  return createAppend({ stream, directGet: createDirectGet(stream), publish: createPublisher(stream, disk), disk })
}

/** Lets the retries' pauses pass while the append runs. */
async function settled<T>(stream: FakeStream, running: Promise<T>): Promise<T> {
  let over = false
  const end = (): void => {
    over = true
  }
  running.then(end, end)
  while (!over) await stream.clock.advance(1000)
  return await running
}

const run = async (answer: Answer, group: readonly Append[], disk?: LogDisk) => {
  const stream = createFakeStream(answer)
  return { stream, result: await settled(stream, appendTo(stream, disk)(group)) }
}

describe('an append whose answer is lost', () => {
  const lostOnce =
    (then: Answer): Answer =>
    (request, count) =>
      count === 1 ? new NoAnswer('no answer within 3000 ms') : then(request, count)

  test('is sent again with the same expectation, and found stored when its own record conflicts', async () => {
    const { stream, result } = await run(
      lostOnce((request) =>
        request.subject.startsWith('$JS') ? stored(pod.subject, 7, '{}', pod.headers) : conflict,
      ),
      [pod],
    )
    expect(result).toEqual({ ok: true, sequences: [7] })
    expect(stream.seenSequence).toBe(7)
    const attempts = stream.sent.filter(({ subject }) => subject === pod.subject)
    expect(attempts).toHaveLength(2)
    for (const { head } of attempts) expect(head).toContain('Nats-Expected-Last-Subject-Sequence: 4\r\n')
  })

  test('is a conflict when the record that stands in the way is of another request', async () => {
    const { result } = await run(
      lostOnce((request) =>
        request.subject.startsWith('$JS') ? stored(pod.subject, 7, '{}', { 'Shiplog-Request': 'r2' }) : conflict,
      ),
      [pod],
    )
    expect(result).toEqual({ ok: false, conflict: { subject: pod.subject, expected: 4, actual: 7 } })
  })

  test('without an expectation gets one for the next attempt, so that no second copy is stored', async () => {
    const { stream, result } = await run(
      lostOnce((request) => {
        if (!request.subject.startsWith('$JS')) return message({ stream: 'EVENTS', seq: 9 })
        const isLast = request.subject.endsWith(pod.subject)
        return isLast ? stored(pod.subject, 3, 'old', {}) : message('', {}, '404 Message Not Found')
      }),
      [{ ...pod, expected: undefined }],
    )
    expect(result).toEqual({ ok: true, sequences: [9] })
    const [first, second] = stream.sent.filter(({ subject }) => subject === pod.subject)
    expect(first!.head).not.toContain('Nats-Expected')
    expect(second!.head).toContain('Nats-Expected-Last-Subject-Sequence: 3\r\n')
  })

  test('fails after ten seconds, and says that the records may be stored', async () => {
    const failing = run(() => new NoAnswer('no answer within 3000 ms'), [pod])
    await expect(failing).rejects.toMatchObject({ name: 'LogUnavailable', ambiguous: true })
  })
})

test('an append that was never sent is not ambiguous', async () => {
  const failing = run(() => new NoAnswer('not connected'), [pod])
  await expect(failing).rejects.toMatchObject({ name: 'LogUnavailable', ambiguous: false })
})

test('a conflict at the first attempt is an answer, without a look at the record', async () => {
  const { stream, result } = await run(() => conflict, [pod])
  expect(result).toEqual({ ok: false, conflict: { subject: pod.subject, expected: 4, actual: 7 } })
  expect(stream.sent).toHaveLength(1)
})

test('nothing is sent to a mute server, or onto a full disk', async () => {
  const mute = createFakeStream(() => message({ seq: 1 }), { mute: true })
  await expect(appendTo(mute)([pod])).rejects.toMatchObject({ ambiguous: false })
  const disk: LogDisk = { describe: () => 'the disk is full', onNoRoom: () => undefined, isFull: () => true }
  const full = createFakeStream(() => message({ seq: 1 }))
  await expect(appendTo(full, disk)([pod])).rejects.toThrow('the disk is full')
  expect([...mute.sent, ...full.sent]).toEqual([])
})

test('a server that answers everything except appends is told of as one without room', async () => {
  const told: string[] = []
  const disk: LogDisk = { describe: () => 'no room', onNoRoom: (how) => told.push(how), isFull: () => false }
  await expect(run(() => new NoAnswer('silence'), [pod], disk)).rejects.toThrow('silence; no room')
  expect(told).toEqual(['unanswered'])
})
