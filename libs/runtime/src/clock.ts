// Time as a port. Everything outside this folder asks a Clock, so that tests and simulations own time.

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number
  /** Resolves after `ms`, or rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `callback` once after `ms`; disposing the handle cancels it. Timers do not keep the process alive. */
  after(ms: number, callback: () => void): Disposable
  /** Calls `callback` every `ms` until the handle is disposed. Timers do not keep the process alive. */
  every(ms: number, callback: () => void): Disposable
}

/** What a timer of the platform can wait at most (about 24.8 days); it fires at once when asked for more. */
const timerMsMax = 2 ** 31 - 1

/** The timers of the platform, which a test replaces. */
export interface Timers {
  /** Milliseconds on a clock that never goes back. */
  monotonicMs(): number
  /** At most `timerMsMax`. Gives what cancels it. */
  start(ms: number, callback: () => void, keepsAlive: boolean): () => void
}

const platformTimers: Timers = {
  monotonicMs: () => performance.now(),
  start: (ms, callback, keepsAlive) => {
    const timer = setTimeout(callback, ms)
    if (!keepsAlive) timer.unref()
    return () => clearTimeout(timer)
  },
}

/**
 * Waits however long that is, in parts that a timer can wait. Waiting for ever (Infinity, or beyond what a number can
 * count) is waiting; a length that is no number is a fault of the caller.
 */
function wait(timers: Timers, ms: number, callback: () => void, keepsAlive: boolean): () => void {
  if (Number.isNaN(ms)) throw new RangeError('a wait needs a length')
  const endMs = timers.monotonicMs() + ms
  let cancel: () => void
  const next = (leftMs: number): void => {
    cancel = timers.start(Math.min(Math.max(0, leftMs), timerMsMax), leftMs <= timerMsMax ? callback : again, keepsAlive)
  }
  const again = (): void => next(endMs - timers.monotonicMs())
  next(ms)
  return () => cancel()
}

/** A clock on the given timers; the system's own outside of tests. */
export const createClock = (timers: Timers): Clock => ({
  nowMs: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const onAbort = (): void => {
        cancel()
        reject(signal?.reason as Error)
      }
      const wake = (): void => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      const cancel = wait(timers, ms, wake, true)
      signal?.addEventListener('abort', onAbort, { once: true })
    }),
  after: (ms, callback) => ({ [Symbol.dispose]: wait(timers, ms, callback, false) }),
  every: (ms, callback) => {
    let dueMs = timers.monotonicMs() + ms
    let isOver = false
    let cancel: () => void
    const tick = (): void => {
      // The next one counts from when this one was due, so that lateness does not add up; what was missed is left out.
      const nowMs = timers.monotonicMs()
      dueMs = Math.max(dueMs + ms, nowMs)
      cancel = wait(timers, dueMs - nowMs, tick, false)
      callback()
      if (isOver) cancel()
    }
    cancel = wait(timers, ms, tick, false)
    return {
      [Symbol.dispose]: () => {
        isOver = true
        cancel()
      },
    }
  },
})

export const systemClock: Clock = createClock(platformTimers)

/** The last moment that RFC 3339 can write: a time that lies further ahead (a deadline of centuries) is written so. */
const lastMomentMs = Date.parse('9999-12-31T23:59:59.999Z')
const written = (ms: number): string => new Date(Math.min(ms, lastMomentMs)).toISOString()

/** RFC 3339 with seconds, the form of metav1.Time: `2026-11-23T16:33:22Z`. */
export const rfc3339 = (ms: number): string => `${written(ms).slice(0, 19)}Z`

/** RFC 3339 with microseconds, the form of metav1.MicroTime. */
export const rfc3339Micro = (ms: number): string => `${written(ms).slice(0, 23)}000Z`
