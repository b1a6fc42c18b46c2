import { expect, test } from 'vitest'
import { SequenceWaiters } from './sequence-waiters.ts'

test('who waits goes on when its sequence has been seen, and not before', async () => {
  const waiters = new SequenceWaiters()
  const seen: number[] = []
  const { signal } = new AbortController()
  for (const sequence of [3, 5]) void waiters.wait(sequence, signal).then(() => seen.push(sequence))
  waiters.reached(2)
  await Promise.resolve()
  expect(seen).toEqual([])
  waiters.reached(4)
  await new Promise(setImmediate)
  expect(seen).toEqual([3])
  waiters.reached(5)
  await new Promise(setImmediate)
  expect(seen).toEqual([3, 5])
})

test('a wait ends with the reason of its signal, before and during', async () => {
  const waiters = new SequenceWaiters()
  const ended = new Error('enough')
  const abort = new AbortController()
  const waiting = waiters.wait(7, abort.signal)
  abort.abort(ended)
  await expect(waiting).rejects.toBe(ended)
  await expect(waiters.wait(7, abort.signal)).rejects.toBe(ended)
})
