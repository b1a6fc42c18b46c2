// Sends the commands of a node agent: one at a time per entry, a bounded number at once, each tried again until it is
// settled. An entry that is enqueued while its command is under way is looked at once more afterwards, so the newest
// state always gets out and what lies between is skipped.
import type { Clock } from '@shiplog/runtime/clock'

/** The queue's own marks on an entry; every entry carries its own, so the queue itself needs no maps. */
export interface WriteSlot {
  queued: boolean
  inFlight: boolean
  again: boolean
  failures: number
  retry: Disposable | undefined
}

export const newWriteSlot = (): WriteSlot => ({
  queued: false,
  inFlight: false,
  again: false,
  failures: 0,
  retry: undefined,
})

/** `settled`: nothing to say at present; `more`: look again at once; `retry`: not accepted, try again after a pause. */
export type WriteOutcome = 'settled' | 'more' | 'retry'

export interface WriteQueue<Entry> {
  /** Has the entry looked at in a turn of its own: what happens in the present turn is one write. */
  enqueue(entry: Entry): void
  /** Entries waiting and under way. */
  size(): number
  stop(): void
}

const retryMsMin = 100
const retryMsMax = 5_000

export function createWriteQueue<Entry extends { readonly slot: WriteSlot }>(options: {
  readonly clock: Clock
  readonly inFlightMax: number
  /** Decides what the entry needs now and sends it. What it throws counts as `retry`. */
  readonly write: (entry: Entry) => Promise<WriteOutcome>
  readonly onFailure: (entry: Entry, error: unknown) => void
}): WriteQueue<Entry> {
  const { clock, inFlightMax } = options
  let fresh: Entry[] = []
  let waiting: Entry[] = []
  let head = 0
  let inFlight = 0
  let turn: Disposable | undefined
  let stopped = false

  function pump(): void {
    while (!stopped && inFlight < inFlightMax && head < waiting.length) {
      const entry = waiting[head++]!
      if (head > 1_024 && head * 2 > waiting.length) {
        waiting = waiting.slice(head)
        head = 0
      }
      entry.slot.queued = false
      void send(entry)
    }
  }

  async function send(entry: Entry): Promise<void> {
    const { slot } = entry
    slot.inFlight = true
    slot.again = false
    inFlight++
    let outcome: WriteOutcome
    try {
      outcome = await options.write(entry)
    } catch (error) {
      if (!stopped) options.onFailure(entry, error)
      outcome = 'retry'
    }
    inFlight--
    slot.inFlight = false
    if (outcome === 'retry' && !stopped) {
      const pauseMs = Math.min(retryMsMin * 2 ** Math.min(slot.failures++, 10), retryMsMax)
      slot.retry = clock.after(pauseMs, () => {
        slot.retry = undefined
        enqueue(entry)
      })
    } else {
      slot.failures = 0
      if (outcome === 'more' || slot.again) enqueue(entry)
    }
    pump()
  }

  function enqueue(entry: Entry): void {
    const { slot } = entry
    // While a pause runs the entry waits for its end; a queued one will see the newest state anyway.
    if (stopped || slot.queued || slot.retry) return
    if (slot.inFlight) {
      slot.again = true
      return
    }
    slot.queued = true
    fresh.push(entry)
    turn ??= clock.after(0, () => {
      turn = undefined
      for (const due of fresh) waiting.push(due)
      fresh = []
      pump()
    })
  }

  return {
    enqueue,
    size: () => fresh.length + waiting.length - head + inFlight,
    stop() {
      stopped = true
      turn?.[Symbol.dispose]()
      fresh = []
      waiting = []
      head = 0
    },
  }
}
