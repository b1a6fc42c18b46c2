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

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const onAbort = (): void => {
        clearTimeout(timer)
        reject(signal?.reason as Error)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, ms)
      signal?.addEventListener('abort', onAbort, { once: true })
    }),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms).unref()
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
  every: (ms, callback) => {
    const timer = setInterval(callback, ms).unref()
    return { [Symbol.dispose]: () => clearInterval(timer) }
  },
}

/** RFC 3339 with seconds, the form of metav1.Time: `2026-11-23T16:33:22Z`. */
export const rfc3339 = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`

/** RFC 3339 with microseconds, the form of metav1.MicroTime. */
export const rfc3339Micro = (ms: number): string => `${new Date(ms).toISOString().slice(0, 23)}000Z`
