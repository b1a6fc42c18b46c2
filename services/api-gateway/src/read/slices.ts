// Work on very many objects, a slice at a time: between slices the event loop turns, so that one request does not keep all
// others waiting (docs/adr/0012-large-answers.md). Fewer than some are done at once: no promise, no turn.
import type { Clock } from '@shiplog/runtime/clock'

/** Work goes on for this long before the event loop turns. */
export const sliceMs = 5
/** Fewer are worth no look at the clock. */
const atOnceMax = 64

export interface Turns {
  readonly nowMs: () => number
  /** Resolves when the event loop has turned. */
  readonly turn: () => Promise<void>
}

export const turnsOf = (clock: Pick<Clock, 'nowMs'>): Turns => ({
  nowMs: clock.nowMs,
  turn: () => new Promise((resolve) => setImmediate(resolve)),
})

/** As `filter` of an array. */
export async function filterInSlices<Item>(
  all: readonly Item[],
  matches: (item: Item) => boolean,
  { nowMs, turn }: Turns,
): Promise<readonly Item[]> {
  if (all.length <= atOnceMax) return all.filter(matches)
  const found: Item[] = []
  let endMs = nowMs() + sliceMs
  for (let i = 0; i < all.length; i++) {
    if (matches(all[i]!)) found.push(all[i]!)
    if (nowMs() < endMs) continue
    await turn()
    endMs = nowMs() + sliceMs
  }
  return found
}
