// The outbox: messages that nobody waits for (conditions, Event objects, records of attempts). Bounded in flight and in
// waiting; a newer message of the same key replaces one that has not gone out yet.

export interface Outbox {
  /** Sends when there is room. False when the outbox is full and the message was dropped. */
  put(key: string, send: () => Promise<unknown>): boolean
  readonly waiting: number
  readonly inFlight: number
  /** Drops what waits. */
  clear(): void
}

export function createOutbox(options: {
  readonly inFlightMax: number
  readonly waitingMax: number
  readonly onError: (error: unknown) => void
}): Outbox {
  const messages = new Map<string, () => Promise<unknown>>()
  let inFlight = 0

  function drain(): void {
    while (inFlight < options.inFlightMax) {
      const next = messages.entries().next()
      if (next.done) return
      const [key, send] = next.value
      messages.delete(key)
      inFlight++
      send()
        .catch(options.onError)
        .finally(() => {
          inFlight--
          drain()
        })
    }
  }

  return {
    put(key, send) {
      if (messages.size >= options.waitingMax && !messages.has(key)) return false
      messages.set(key, send)
      drain()
      return true
    },
    get waiting() {
      return messages.size
    },
    get inFlight() {
      return inFlight
    },
    clear: () => messages.clear(),
  }
}
