// The object feed of a fake cluster. It can lag, be held back, and break.
import { type FeedBatch, isWanted, type ObjectChange, type ObjectFeed } from '@shiplog/feed/object-feed'
import type { Clock } from '@shiplog/runtime/clock'
import { changeOf, type MemoryStore } from './memory-store.ts'

export interface MemoryFeeds {
  /** A feed that hands changes over later. */
  delayed(delayMs: () => number): ObjectFeed
  /** While true no feed says anything new. */
  hold(isHeld: boolean): void
  /** Ends all feeds that are followed now, with an error. */
  break(): void
}

export function createMemoryFeeds(store: MemoryStore, clock: Pick<Clock, 'nowMs' | 'sleep'>): MemoryFeeds {
  let wakers: (() => void)[] = []
  let isHeld = false
  let breaks = 0
  const wake = (): void => {
    const waiting = wakers
    wakers = []
    for (const waker of waiting) waker()
  }
  store.onChange(wake)
  const woken = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      wakers.push(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
    })

  async function* follow(
    groupResources: readonly string[],
    signal: AbortSignal,
    delayMs: () => number,
  ): AsyncIterable<FeedBatch> {
    const breaksBefore = breaks
    const wanted = new Set(groupResources)
    let at = store.changes.length
    const { sequence } = store
    const present = presentOf(store, wanted, clock.nowMs())
    // In two parts, as a big one comes.
    const half = present.length >> 1
    if (half > 0) yield { changes: present.slice(0, half), sequence: 0, synced: false }
    yield { changes: present.slice(half), sequence, synced: true }
    while (!signal.aborted) {
      if (breaks > breaksBefore) throw new Error('the feed broke')
      if (isHeld || at === store.changes.length) {
        await woken(signal)
        continue
      }
      const delay = delayMs()
      if (delay > 0) await clock.sleep(delay, signal).catch(() => undefined)
      if (signal.aborted) return
      const part = store.changes.slice(at)
      at += part.length
      const changes = part.filter((change) => isWanted(wanted, change.groupResource))
      yield { changes, sequence: part.at(-1)!.sequence, synced: true }
    }
  }

  return {
    delayed: (delayMs) => ({ follow: (groupResources, signal) => follow(groupResources, signal, delayMs) }),
    hold(held) {
      isHeld = held
      wake()
    },
    break() {
      breaks++
      wake()
    },
  }
}

/** The present objects as changes, oldest version first. */
function presentOf(store: MemoryStore, wanted: ReadonlySet<string>, timeMs: number): ObjectChange[] {
  const present: ObjectChange[] = []
  for (const groupResource of store.groupResources()) {
    if (!isWanted(wanted, groupResource)) continue
    for (const object of store.list(groupResource)) {
      const sequence = Number(object.metadata.resourceVersion)
      present.push(changeOf(groupResource, object, { sequence, timeMs, type: `${object.kind}Created`, deleted: false }))
    }
  }
  return present.sort((a, b) => a.sequence - b.sequence)
}
