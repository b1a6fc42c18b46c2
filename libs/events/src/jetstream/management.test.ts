import { JetStreamApiError } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import type { Connection } from './connection.ts'
import { openManagement } from './management.ts'
import { NoAnswer } from './pending-requests.ts'
import { type Answer, createFakeStream, message } from './testing/fake-stream.ts'

/** What the client asks of its connection besides requests. */
const nats = { options: { inboxPrefix: '_INBOX' }, features: { get: () => ({ ok: true, min: '2.12.0' }) } } as unknown as Connection['nats']
const info = message({ config: { name: 'EVENTS' }, created: 'then', state: { last_seq: 7 } })

async function ask(answer: Answer, deadlineMs = 5000) {
  const stream = createFakeStream(answer, { nats })
  const management = await openManagement(stream)
  const running = management.call('STREAM.INFO.EVENTS', stream.clock.nowMs() + deadlineMs, ({ streams }) => streams.info('EVENTS'))
  running.catch(() => undefined)
  await stream.clock.advance(6000)
  return { stream, found: await running }
}

test('the client asks through our connection, again while nobody answers or the server is not ready', async () => {
  const notReady = message({ error: { code: 503, err_code: 10008, description: 'JetStream system temporarily unavailable' } })
  const { stream, found } = await ask((_, count) =>
    count === 1 ? new NoAnswer('the connection broke') : count === 2 ? message('', {}, '503') : count === 3 ? notReady : info,
  )
  expect(found.state.last_seq).toBe(7)
  expect(stream.sent.map(({ subject }) => subject)).toEqual(Array(4).fill('$JS.API.STREAM.INFO.EVENTS'))
})

test('a refusal is the client’s error, at once', async () => {
  const missing = message({ error: { code: 404, err_code: 10059, description: 'stream not found' } })
  const refused = ask(() => missing)
  await expect(refused).rejects.toBeInstanceOf(JetStreamApiError)
  await expect(refused).rejects.toMatchObject({ status: 404, code: 10059 })
})

test('silence until the deadline is LogUnanswered', async () => {
  await expect(ask(() => new NoAnswer('silence'))).rejects.toThrow('JetStream gives no answer to STREAM.INFO.EVENTS')
})
