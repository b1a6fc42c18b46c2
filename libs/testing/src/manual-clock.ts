// A clock that stands still until a test lets time pass. Timers fire in order, and all that follows from one settles
// before the next.
import type { Clock } from '@shiplog/runtime/clock'

export interface ManualClock extends Clock {
  /** Lets time pass. */
  advance(ms: number): Promise<void>
  /** Timers and sleepers that wait. */
  timerCount(): number
}

interface Timer {
  atMs: number
  readonly everyMs: number | undefined
  readonly callback: () => void
}

/** Turns of the event loop after which everything has run that needs no time. */
const turnsDefault = 30

/** Lets everything run that needs no time. */
export const settle = async (turns = turnsDefault): Promise<void> => {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}

export function createManualClock(startMs = Date.parse('2026-01-01T00:00:00Z')): ManualClock {
  let nowMs = startMs
  // In the order in which they were set, so that of two for the same time the earlier one comes first.
  const timers = new Set<Timer>()
  const add = (ms: number, callback: () => void, everyMs?: number): Disposable => {
    const timer: Timer = { atMs: nowMs + ms, everyMs, callback }
    timers.add(timer)
    return { [Symbol.dispose]: () => void timers.delete(timer) }
  }
  const nextUpTo = (endMs: number): Timer | undefined => {
    let next: Timer | undefined
    for (const timer of timers) if (timer.atMs <= endMs && (next === undefined || timer.atMs < next.atMs)) next = timer
    return next
  }
  return {
    nowMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error)
        const timer = add(ms, resolve)
        signal?.addEventListener(
          'abort',
          () => {
            timer[Symbol.dispose]()
            reject(signal.reason as Error)
          },
          { once: true },
        )
      }),
    after: (ms, callback) => add(ms, callback),
    every: (ms, callback) => add(ms, callback, ms),
    timerCount: () => timers.size,
    async advance(ms) {
      const endMs = nowMs + ms
      for (;;) {
        await settle()
        const next = nextUpTo(endMs)
        if (next === undefined) break
        nowMs = Math.max(nowMs, next.atMs)
        if (next.everyMs === undefined) timers.delete(next)
        else next.atMs += next.everyMs
        next.callback()
      }
      nowMs = endMs
      await settle()
    },
  }
}
