// Turns, and room for large answers.
import { ApiError } from '@shiplog/api/status'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { systemClock } from '@shiplog/runtime/clock'
import { expect, test } from 'vitest'
import { createOutgoing } from './outgoing.ts'

const limits = { heldBytesMax: 1_000, heldBytesOfUserMax: 600 }

test('the event loop turns between slices, however much there is to send', async () => {
  const outgoing = createOutgoing(systemClock)
  let sent = 0
  const busy = (): void => {
    const untilMs = systemClock.nowMs() + 2
    while (systemClock.nowMs() < untilMs);
    sent++
  }
  const many = 50
  for (let i = 0; i < many; i++) outgoing.enqueue(busy)
  let turns = 0
  while (sent < many) {
    await new Promise((resolve) => setImmediate(resolve))
    turns++
  }
  // Five milliseconds hold two or three of them.
  expect(turns).toBeGreaterThanOrEqual(many / 4)
})

test('beyond what all, or one user, may hold, large answers wait, and are told to come back in the end', async () => {
  const clock = createManualClock()
  const outgoing = createOutgoing(clock, limits)
  const jane = [await outgoing.admit('jane', 300), await outgoing.admit('jane', 300)]
  const third = outgoing.admit('jane', 300)
  const other = await outgoing.admit('tom', 300)
  expect(outgoing.heldBytes).toBe(900)
  const refusedTom = outgoing.admit('tom', 300)
  jane[0]![Symbol.dispose]()
  jane[0]![Symbol.dispose]()
  const got = await third
  expect(outgoing.heldBytes).toBe(900)
  const refusal = refusedTom.then(
    () => undefined,
    (error: unknown) => error,
  )
  await clock.advance(5_000)
  const error = await refusal
  expect(error).toBeInstanceOf(ApiError)
  expect((error as ApiError).status).toMatchObject({
    code: 429,
    reason: 'TooManyRequests',
    details: { retryAfterSeconds: 2 },
  })
  for (const room of [jane[1]!, got, other]) room[Symbol.dispose]()
  expect(outgoing.heldBytes).toBe(0)
  // One that wants more than a user may have gets all of it, alone.
  const whole = await outgoing.admit('jane', 5_000)
  expect(outgoing.heldBytes).toBe(600)
  whole[Symbol.dispose]()
})
