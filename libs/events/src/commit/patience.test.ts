import { createManualClock } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { LogDamaged, LogUnanswered, LogUnavailable } from '../event-log.ts'
import { patiently, startPatienceMs } from './patience.ts'

/** Fails so often, then answers. */
const after = (failures: number, error: Error) => {
  let asked = 0
  return {
    ask: () => (asked++ < failures ? Promise.reject(error) : Promise.resolve('answer')),
    asked: () => asked,
  }
}

test('a log that does not answer is asked again', async () => {
  const clock = createManualClock()
  const slow = after(3, new LogUnanswered('slow'))
  const answer = patiently(clock, slow.ask)
  await clock.advance(10_000)
  expect(await answer).toBe('answer')
  expect(slow.asked()).toBe(4)
})

test('patience ends', async () => {
  const clock = createManualClock()
  const silent = after(Number.POSITIVE_INFINITY, new LogUnanswered('silent'))
  const answer = patiently(clock, silent.ask)
  const seen = answer.catch((error: Error) => error.message)
  await clock.advance(startPatienceMs + 1_000)
  expect(await seen).toBe('silent')
})

test.each([new LogUnavailable('refused', { ambiguous: false }), new LogDamaged('damaged')])(
  'what stays as it is ends the start at once: $message',
  async (error) => {
    const final = after(1, error)
    await expect(patiently(createManualClock(), final.ask)).rejects.toThrow(error.message)
    expect(final.asked()).toBe(1)
  },
)

test('a start that is stopped does not wait', async () => {
  const stop = new AbortController()
  stop.abort()
  const silent = after(1, new LogUnanswered('silent'))
  await expect(patiently(createManualClock(), silent.ask, stop.signal)).rejects.toThrow('silent')
})
