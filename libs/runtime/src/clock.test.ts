import { describe, expect, test } from 'vitest'
import { createClock, rfc3339, rfc3339Micro, systemClock, type Timers } from './clock.ts'

const dayMs = 86_400_000

/** Timers as the platform has them, in a time of their own: a wait beyond 2^31 - 1 ms fires at once. */
function platformLike() {
  let nowMs = 0
  let started = 0
  const waiting = new Set<{ atMs: number; callback: () => void }>()
  const timers: Timers = {
    monotonicMs: () => nowMs,
    start: (ms, callback) => {
      started++
      const timer = { atMs: nowMs + (ms > 2 ** 31 - 1 ? 1 : ms), callback }
      waiting.add(timer)
      return () => waiting.delete(timer)
    },
  }
  const passTo = (endMs: number): void => {
    for (;;) {
      const [next] = [...waiting].filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)
      if (!next) break
      nowMs = Math.max(nowMs, next.atMs)
      waiting.delete(next)
      next.callback()
    }
    nowMs = endMs
  }
  return { timers, passTo, started: () => started, waiting: () => waiting.size }
}

describe('a wait longer than a timer of the platform can wait', () => {
  const lengths = [2 ** 31 - 1, 2 ** 31, 5_000_000_000, 2_147_483_647_000]

  test.each(lengths)('of %d ms fires once, then and not before', (ms) => {
    const time = platformLike()
    const fired: number[] = []
    createClock(time.timers).after(ms, () => fired.push(time.timers.monotonicMs()))
    time.passTo(ms - 1)
    expect(fired).toEqual([])
    time.passTo(ms + dayMs)
    expect(fired).toEqual([ms])
    expect(time.started()).toBe(Math.ceil(ms / (2 ** 31 - 1)))
  })

  test('can be slept, and aborted in any of its parts', async () => {
    const time = platformLike()
    const clock = createClock(time.timers)
    const ending = new AbortController()
    let slept = false
    const long = clock.sleep(100 * dayMs).then(() => {
      slept = true
    })
    const aborted = clock.sleep(100 * dayMs, ending.signal)
    time.passTo(60 * dayMs)
    await Promise.resolve()
    expect(slept).toBe(false)
    ending.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    expect(time.waiting()).toBe(1)
    time.passTo(100 * dayMs)
    await long
    expect(time.waiting()).toBe(0)
  })

  test('can be cancelled in any of its parts', () => {
    const time = platformLike()
    const handle = createClock(time.timers).after(100 * dayMs, () => expect.unreachable())
    time.passTo(60 * dayMs)
    handle[Symbol.dispose]()
    expect(time.waiting()).toBe(0)
  })

  test('may be for ever', () => {
    const time = platformLike()
    createClock(time.timers).after(Number.POSITIVE_INFINITY, () => expect.unreachable())
    time.passTo(1_000 * dayMs)
    expect(time.waiting()).toBe(1)
    expect(() => createClock(time.timers).after(Number.NaN, () => undefined)).toThrow(RangeError)
  })

  test('may be a period', () => {
    const time = platformLike()
    const fired: number[] = []
    const handle = createClock(time.timers).every(30 * dayMs, () => fired.push(time.timers.monotonicMs() / dayMs))
    time.passTo(100 * dayMs)
    expect(fired).toEqual([30, 60, 90])
    handle[Symbol.dispose]()
    expect(time.waiting()).toBe(0)
  })

  test('does not fire on the real clock either', async () => {
    let fired = 0
    const count = (): void => {
      fired++
    }
    const handles = [
      systemClock.after(5_000_000_000, count),
      systemClock.every(5_000_000_000, count),
      systemClock.after(Number.POSITIVE_INFINITY, count),
    ]
    await systemClock.sleep(20)
    for (const handle of handles) handle[Symbol.dispose]()
    expect(fired).toBe(0)
  })
})

test('a period can end itself while it fires', () => {
  const time = platformLike()
  let fired = 0
  const handle = createClock(time.timers).every(10, () => {
    fired++
    handle[Symbol.dispose]()
  })
  time.passTo(1_000)
  expect(fired).toBe(1)
  expect(time.waiting()).toBe(0)
})

test('a moment beyond what can be written is written as the last one', () => {
  expect(rfc3339(Date.parse('2026-01-01T00:00:00Z') + 2 ** 62 * 1_000)).toBe('9999-12-31T23:59:59Z')
  expect(rfc3339Micro(Number.POSITIVE_INFINITY)).toBe('9999-12-31T23:59:59.999000Z')
})
