// A call that concurrent callers share: those that come while one is under way share the next one, never the one that
// began before they asked. So every answer is as fresh as the question, at the price of at most two round trips.

/** Wraps a call so that its callers share it. */
export function shareCalls<T>(call: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  let queued: PromiseWithResolvers<T> | undefined

  const start = (): Promise<T> => {
    // The queued call starts before anybody hears of this one's end, or a caller that asks at once would overtake it.
    const settle = (): void => {
      running = undefined
      if (queued === undefined) return
      const { resolve, reject } = queued
      queued = undefined
      start().then(resolve, reject)
    }
    running = call().finally(settle)
    return running
  }
  return () => {
    if (running === undefined) return start()
    queued ??= Promise.withResolvers<T>()
    return queued.promise
  }
}
