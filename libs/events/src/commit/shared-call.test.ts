// Shared calls: fresh for everybody, and nobody starves.
import { expect, test } from 'vitest'
import { shareCalls } from './shared-call.ts'

test('callers that come while a call is under way share the next one', async () => {
  let calls = 0
  const shared = shareCalls(async () => {
    calls += 1
    const answer = calls
    await new Promise((resolve) => setImmediate(resolve))
    return answer
  })
  expect(await Promise.all([shared(), shared(), shared(), shared()])).toEqual([1, 2, 2, 2])
  expect(await shared()).toBe(3)
})

test('callers that ask again at once starve nobody', async () => {
  const shared = shareCalls(() => new Promise((resolve) => setImmediate(resolve)))
  const counts = await Promise.all(
    Array.from({ length: 20 }, async () => {
      for (let turn = 0; turn < 50; turn += 1) await shared()
      return 50
    }),
  )
  expect(counts).toHaveLength(20)
  let quick = 0
  let waited = 0
  const hasty = (async () => {
    for (; waited === 0 && quick < 1000; quick += 1) await shared()
  })()
  await shared()
  waited = 1
  await hasty
  expect(quick).toBeLessThan(5)
})

test('a failed call fails those who shared it, and the next one is asked anew', async () => {
  let calls = 0
  const shared = shareCalls(async () => {
    calls += 1
    if (calls < 3) throw new Error(`call ${calls}`)
    return calls
  })
  const results = await Promise.allSettled([shared(), shared(), shared()])
  expect(results.map((result) => result.status === 'rejected' && (result.reason as Error).message)).toEqual([
    'call 1',
    'call 2',
    'call 2',
  ])
  expect(await shared()).toBe(3)
})
