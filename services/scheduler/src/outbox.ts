// The outbox: messages that nobody waits for (conditions, Event objects, records of attempts). Bounded in flight and in
// waiting; a newer message of the same key replaces one that has not gone out yet. Messages go out in waves: those of
// one wave share a group commit, where a trickle would cost the log a sync to disk for each.
import type { Clock } from '@shiplog/runtime/clock'

export interface Outbox {
  /** Takes a message. False when the outbox is full and the message was dropped. */
  put(key: string, send: () => Promise<unknown>): boolean
  readonly waiting: number
  readonly inFlight: number
  /** Drops what waits. */
  clear(): void
}

export interface OutboxOptions {
  readonly clock: Clock
  /** Messages of one wave; the next wave starts when all of it have been answered. */
  readonly waveMax: number
  readonly waitingMax: number
  /** How long a message may wait for others to join its wave. */
  readonly lingerMs: number
  /** While this says true, waves are put off, but never longer than `patienceMs`: there is more urgent work. */
  readonly isBusy?: () => boolean
  readonly onError: (error: unknown) => void
}

/** How long a wave may be put off. */
export const patienceMs = 1_000

export function createOutbox(options: OutboxOptions): Outbox {
  const messages = new Map<string, () => Promise<unknown>>()
  let inFlight = 0
  let timer: Disposable | undefined

  function schedule(waitedMs = 0): void {
    if (timer !== undefined || inFlight > 0 || messages.size === 0) return
    timer = options.clock.after(options.lingerMs, () => {
      timer = undefined
      const waited = waitedMs + options.lingerMs
      if (waited < patienceMs && options.isBusy?.()) schedule(waited)
      else sendWave()
    })
  }

  function sendWave(): void {
    for (const [key, send] of messages) {
      if (inFlight >= options.waveMax) break
      messages.delete(key)
      inFlight++
      send()
        .catch(options.onError)
        .finally(() => {
          inFlight--
          schedule()
        })
    }
  }

  return {
    put(key, send) {
      if (messages.size >= options.waitingMax && !messages.has(key)) return false
      messages.set(key, send)
      schedule()
      return true
    },
    get waiting() {
      return messages.size
    },
    get inFlight() {
      return inFlight
    },
    clear() {
      messages.clear()
      timer?.[Symbol.dispose]()
      timer = undefined
    },
  }
}
