// The Bus within one process: what all-in-one and tests use where several processes would use NATS. Messages are
// delivered in turns of their own, so that nobody is called from within a call, and sockets and timers get their turn.
import type { Clock } from '@shiplog/runtime/clock'
import { compileFilter, type SubjectFilter } from '../subject-filter.ts'
import { type Bus, type BusMessage, NoBusAnswer } from './bus.ts'

const defaultPayloadBytesMax = 8 * 1024 * 1024
/** What waits for delivery; past it messages are lost, as on a network. */
const waitingBytesMax = 256 * 1024 * 1024
const waitingMessagesMax = 200_000

interface Subscriber {
  readonly onMessage: (message: BusMessage) => void
  readonly queue: string | undefined
  readonly matches: SubjectFilter
  gone: boolean
}

interface Delivery {
  readonly message: BusMessage
  readonly subscriber: Subscriber
}

interface Asked {
  answer(payload: Uint8Array): void
  fail(error: Error): void
}

/** Creates a bus; everybody who is to meet on it is given the same one. */
export function createMemoryBus(options: { readonly clock: Clock; readonly payloadBytesMax?: number }): Bus {
  const { clock, payloadBytesMax = defaultPayloadBytesMax } = options
  const exact = new Map<string, Set<Subscriber>>()
  const patterns = new Set<Subscriber>()
  const asked = new Map<string, Asked>()
  const interrupted = new Set<() => void>()
  let waiting: Delivery[] = []
  let waitingBytes = 0
  let scheduled = false
  let closed = false
  let serial = 0
  let turn = 0

  const isWildcard = (subject: string): boolean => /(^|\.)(\*|>)(\.|$)/.test(subject)

  /** Who is to get a message: everybody without a queue, and one of each queue. */
  function listenersOf(subject: string): Subscriber[] {
    const all = [...(exact.get(subject) ?? [])]
    for (const subscriber of patterns) if (subscriber.matches(subject)) all.push(subscriber)
    if (!all.some(({ queue }) => queue !== undefined)) return all
    const chosen = all.filter(({ queue }) => queue === undefined)
    turn += 1
    for (const [, members] of Map.groupBy(all, ({ queue }) => queue)) {
      if (members[0]!.queue !== undefined) chosen.push(members[turn % members.length]!)
    }
    return chosen
  }

  function deliver(message: BusMessage, listeners: readonly Subscriber[]): void {
    const bytes = message.payload.length * listeners.length
    if (waiting.length + listeners.length > waitingMessagesMax || waitingBytes + bytes > waitingBytesMax) {
      for (const callback of interrupted) queueMicrotask(callback)
      return
    }
    waitingBytes += bytes
    for (const subscriber of listeners) waiting.push({ message, subscriber })
    if (scheduled) return
    scheduled = true
    setImmediate(drain)
  }

  function drain(): void {
    const turnOf = waiting
    waiting = []
    waitingBytes = 0
    scheduled = false
    for (const { message, subscriber } of turnOf) {
      if (subscriber.gone) continue
      try {
        subscriber.onMessage(message)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  function checkSize(payload: Uint8Array): void {
    if (payload.length > payloadBytesMax) {
      throw new RangeError(`a message of ${payload.length} bytes is larger than ${payloadBytesMax}`)
    }
  }

  return {
    payloadBytesMax,

    publish(subject, payload) {
      checkSize(payload)
      if (closed) return
      const request = asked.get(subject)
      if (request) setImmediate(() => request.answer(payload))
      else deliver({ subject, payload, reply: undefined }, listenersOf(subject))
    },

    async request(subject, payload, { timeoutMs, signal }) {
      checkSize(payload)
      signal?.throwIfAborted()
      if (closed) throw new NoBusAnswer('the bus is closed', true)
      const listeners = listenersOf(subject)
      if (listeners.length === 0) throw new NoBusAnswer(`nobody listens to ${subject}`, true)
      serial += 1
      const reply = `_INBOX.${serial}`
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
      asked.set(reply, { answer: resolve, fail: reject })
      const timer = clock.after(timeoutMs, () =>
        reject(new NoBusAnswer(`no answer on ${subject} within ${timeoutMs} ms`, false)),
      )
      const onAbort = (): void => reject(signal?.reason)
      signal?.addEventListener('abort', onAbort, { once: true })
      deliver({ subject, payload, reply }, listeners)
      try {
        return await promise
      } finally {
        asked.delete(reply)
        timer[Symbol.dispose]()
        signal?.removeEventListener('abort', onAbort)
      }
    },

    subscribe(subject, onMessage, how = {}) {
      const subscriber: Subscriber = { onMessage, queue: how.queue, matches: compileFilter([subject]), gone: false }
      if (isWildcard(subject)) patterns.add(subscriber)
      else {
        const there = exact.get(subject)
        if (there) there.add(subscriber)
        else exact.set(subject, new Set([subscriber]))
      }
      return {
        [Symbol.dispose]: () => {
          subscriber.gone = true
          patterns.delete(subscriber)
          const there = exact.get(subject)
          if (there?.delete(subscriber) && there.size === 0) exact.delete(subject)
        },
      }
    },

    onInterrupted(callback) {
      interrupted.add(callback)
      return { [Symbol.dispose]: () => void interrupted.delete(callback) }
    },

    close() {
      closed = true
      waiting = []
      exact.clear()
      patterns.clear()
      for (const { fail } of asked.values()) fail(new NoBusAnswer('the bus is closed', false))
      return Promise.resolve()
    },
  }
}
