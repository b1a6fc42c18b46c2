import { createManualClock } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { giveBackMemory } from './give-back-memory.ts'

/** Kept long enough to become old, then dropped: nothing but a full collection takes it away. */
async function makeGarbage(): Promise<void> {
  let objects: object[] = []
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 30_000; i++) objects.push({ round, text: `garbage ${round} ${i}`, list: [i] })
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(objects.length).toBe(360_000)
  objects = []
}

test('what a busy time has left is given back when the process is idle, once', async () => {
  const clock = createManualClock()
  using _memory = giveBackMemory(clock)
  await makeGarbage()
  const busy = process.memoryUsage().heapTotal
  // So much time by the clock that what was computed meanwhile is nothing.
  await clock.advance(3_600_000)
  const idle = process.memoryUsage().heapTotal
  expect(busy - idle).toBeGreaterThan(12 * 1024 * 1024)
})
