import type { Clock } from '@shiplog/runtime/clock'
import { describe, expect, test } from 'vitest'
import { backoffBaseMs, backoffMaxMs, createWorkQueue } from './work-queue.ts'

/** A clock whose timers fire when the test says so. */
function manualClock(): Clock & { advance(ms: number): void } {
  let now = 0
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>()
  return {
    nowMs: () => now,
    sleep: () => Promise.resolve(),
    after: (ms, callback) => {
      const timer = { at: now + ms, callback }
      timers.add(timer)
      return { [Symbol.dispose]: () => timers.delete(timer) }
    },
    every: () => ({ [Symbol.dispose]: () => undefined }),
    advance: (ms) => {
      now += ms
      for (const timer of [...timers].sort((a, b) => a.at - b.at)) {
        if (timer.at > now || !timers.delete(timer)) continue
        timer.callback()
      }
    },
  }
}

describe('the work queue', () => {
  test('tells how long keys wait, are worked on, and have been worked on so far', () => {
    const clock = manualClock()
    const [waited, worked]: [number[], number[]] = [[], []]
    const queue = createWorkQueue(clock, {
      waited: { observe: (seconds) => void waited.push(seconds) },
      worked: { observe: (seconds) => void worked.push(seconds) },
    })
    queue.add('a')
    queue.add('b')
    clock.advance(2_000)
    queue.take()
    clock.advance(1_000)
    queue.take()
    clock.advance(500)
    expect(queue.metrics()).toMatchObject({ unfinishedSeconds: 2, longestRunningSeconds: 1.5 })
    // What is added while it is worked on waits from then on.
    queue.add('a')
    queue.done('a')
    queue.done('b')
    clock.advance(250)
    queue.take()
    expect(waited).toEqual([2, 3, 0.25])
    expect(worked).toEqual([1.5, 0.5])
    expect(queue.metrics()).toMatchObject({ processing: 1, unfinishedSeconds: 0 })
  })

  test('hands a key out once however often it was added', () => {
    const queue = createWorkQueue(manualClock())
    queue.add('a')
    queue.add('b')
    queue.add('a')
    expect([queue.take(), queue.take(), queue.take()]).toEqual(['a', 'b', undefined])
    expect(queue.metrics().adds).toBe(2)
  })

  test('hands a key that was added while processed out again only after done', () => {
    const queue = createWorkQueue(manualClock())
    queue.add('a')
    expect(queue.take()).toBe('a')
    queue.add('a')
    expect(queue.take()).toBeUndefined()
    queue.done('a')
    expect(queue.take()).toBe('a')
    queue.done('a')
    expect(queue.take()).toBeUndefined()
  })

  test('doubles the back-off of a key until it is forgotten, and caps it', () => {
    const clock = manualClock()
    const queue = createWorkQueue(clock)
    const delays = [1, 2, 3].map(() => {
      const delay = queue.addRateLimited('a')
      clock.advance(delay)
      queue.done(queue.take()!)
      return delay
    })
    expect(delays).toEqual([backoffBaseMs, backoffBaseMs * 2, backoffBaseMs * 4])
    queue.forget('a')
    expect(queue.addRateLimited('a')).toBe(backoffBaseMs)
    for (let i = 0; i < 60; i++) queue.addRateLimited('b')
    expect(queue.addRateLimited('b')).toBe(backoffMaxMs)
  })

  test('takes the earliest of several delays for one key', () => {
    const clock = manualClock()
    const queue = createWorkQueue(clock)
    queue.addAfter('a', 100)
    queue.addAfter('a', 10)
    queue.addAfter('a', 50)
    clock.advance(9)
    expect(queue.take()).toBeUndefined()
    clock.advance(1)
    expect(queue.take()).toBe('a')
    queue.done('a')
    clock.advance(1000)
    expect(queue.take()).toBeUndefined()
  })

  test('takes nothing more once it is shut down', () => {
    const clock = manualClock()
    const queue = createWorkQueue(clock)
    queue.add('a')
    queue.addAfter('b', 5)
    queue.shutDown()
    queue.add('c')
    clock.advance(10)
    expect(queue.take()).toBeUndefined()
  })
})
