// The work queue: which keys are to be reconciled, each at most once at a time. It keeps client-go's three sets:
// *queue* (order of hand-out), *dirty* (wants work) and *processing* (is being worked on). A key that becomes dirty
// while it is processed is handed out again only after `done`, so that no two workers ever hold the same key.
import type { Clock } from '@shiplog/runtime/clock'

/** Back-off of a key that failed, doubling from base to max, as upstream's controllers have it. */
export const backoffBaseMs = 5
export const backoffMaxMs = 1_000_000

/** Counters under the names that Kubernetes gives them (`workqueue_…`). */
export interface WorkQueueMetrics {
  readonly depth: number
  readonly adds: number
  readonly retries: number
  readonly processing: number
  readonly delayed: number
  /** Time spent so far on keys that are being worked on: together, and of the one that takes longest. */
  readonly unfinishedSeconds: number
  readonly longestRunningSeconds: number
}

/** Records how long keys wait to be taken, and are worked on. */
export interface WorkQueueTimes {
  readonly waited: { observe(seconds: number): void }
  readonly worked: { observe(seconds: number): void }
}

export interface WorkQueue {
  /** Wants the key worked on; a key that already waits stays where it is. */
  add(key: string): void
  /** As `add`, later. Of several delays for one key the earliest counts. */
  addAfter(key: string, delayMs: number): void
  /** As `addAfter` with the key's back-off, which then doubles. Returns the delay. */
  addRateLimited(key: string): number
  /** Ends the key's back-off: the next failure starts from the base again. */
  forget(key: string): void
  /** How often the key failed since it was last forgotten. */
  failures(key: string): number
  /** The next key, which is then being processed until `done`. Undefined when none waits. */
  take(): string | undefined
  done(key: string): void
  /** Called whenever a key becomes ready to be taken. */
  onReady(callback: () => void): void
  /** Drops all keys and timers, and takes no more. */
  shutDown(): void
  metrics(): WorkQueueMetrics
}

/** Creates an empty queue. Its length is bounded by the number of distinct keys, which is the number of objects. */
export function createWorkQueue(clock: Clock, times?: WorkQueueTimes): WorkQueue {
  // A Set keeps the order of insertion, and taking from its front is O(1).
  const queue = new Set<string>()
  /** With the time since when a key wants work. */
  const dirty = new Map<string, number>()
  /** With the time since when a key is worked on. */
  const processing = new Map<string, number>()
  const failed = new Map<string, number>()
  const delayed = new Map<string, { readonly atMs: number; readonly timer: Disposable }>()
  let ready: () => void = () => undefined
  let adds = 0
  let retries = 0
  let open = true

  const add = (key: string): void => {
    if (!open || dirty.has(key)) return
    adds++
    dirty.set(key, clock.nowMs())
    if (processing.has(key)) return
    queue.add(key)
    ready()
  }

  const addAfter = (key: string, delayMs: number): void => {
    if (!open) return
    if (delayMs <= 0) {
      add(key)
      return
    }
    const atMs = clock.nowMs() + delayMs
    const waiting = delayed.get(key)
    if (waiting) {
      if (waiting.atMs <= atMs) return
      waiting.timer[Symbol.dispose]()
    }
    const timer = clock.after(delayMs, () => {
      delayed.delete(key)
      add(key)
    })
    delayed.set(key, { atMs, timer })
  }

  return {
    add,
    addAfter,
    addRateLimited: (key) => {
      const before = failed.get(key) ?? 0
      const delayMs = Math.min(backoffBaseMs * 2 ** Math.min(before, 40), backoffMaxMs)
      failed.set(key, before + 1)
      retries++
      addAfter(key, delayMs)
      return delayMs
    },
    forget: (key) => {
      failed.delete(key)
    },
    failures: (key) => failed.get(key) ?? 0,
    take: () => {
      const next = queue.values().next()
      if (next.done) return undefined
      queue.delete(next.value)
      const nowMs = clock.nowMs()
      times?.waited.observe((nowMs - dirty.get(next.value)!) / 1_000)
      dirty.delete(next.value)
      processing.set(next.value, nowMs)
      return next.value
    },
    done: (key) => {
      const sinceMs = processing.get(key)
      if (sinceMs !== undefined) times?.worked.observe((clock.nowMs() - sinceMs) / 1_000)
      processing.delete(key)
      if (!dirty.has(key) || !open) return
      queue.add(key)
      ready()
    },
    onReady: (callback) => {
      ready = callback
    },
    shutDown: () => {
      open = false
      for (const { timer } of delayed.values()) timer[Symbol.dispose]()
      delayed.clear()
      queue.clear()
      dirty.clear()
    },
    metrics: () => ({
      ...unfinished(processing.values(), clock.nowMs()),
      depth: queue.size,
      adds,
      retries,
      processing: processing.size,
      delayed: delayed.size,
    }),
  }
}

function unfinished(
  startedMs: Iterable<number>,
  nowMs: number,
): Pick<WorkQueueMetrics, 'unfinishedSeconds' | 'longestRunningSeconds'> {
  let [unfinishedSeconds, longestRunningSeconds] = [0, 0]
  for (const since of startedMs) {
    const seconds = (nowMs - since) / 1_000
    unfinishedSeconds += seconds
    longestRunningSeconds = Math.max(longestRunningSeconds, seconds)
  }
  return { unfinishedSeconds, longestRunningSeconds }
}
