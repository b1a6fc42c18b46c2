// Bounds how many commands are in flight: at most `limit` at a time, the rest wait in order of arrival.

export type CommandGate = <T>(work: () => Promise<T>) => Promise<T>

/** Creates a gate for at most `limit` at a time. */
export function createCommandGate(limit: number): CommandGate {
  const waiting: (() => void)[] = []
  let running = 0
  return async (work) => {
    if (running >= limit) {
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
      })
    } else running++
    try {
      return await work()
    } finally {
      // A waiter inherits the slot; without one it becomes free.
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}
