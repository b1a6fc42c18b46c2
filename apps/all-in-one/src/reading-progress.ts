// A start that takes long says what it is doing: how many objects have been read from the log, every other second. A start
// that is quick says nothing.
import type { ClusterLog, EventLog, FollowOptions } from '@shiplog/events/event-log'
import type { Clock } from '@shiplog/runtime/clock'

const tellEveryMs = 2_000

/** Tells from now on; dispose it when the start is over. */
export function tellReading(
  clock: Clock,
  progress: (line: string) => void,
): {
  /** Whoever follows the log through here is counted until it has read what there is. */
  watch(log: ClusterLog): ClusterLog
} & Disposable {
  const startedAtMs = clock.nowMs()
  /** Of each who reads, in the order in which they began. */
  const counts: number[] = []
  /** What was told last: a start may wait for other things than the log. */
  let told = ''
  const timer = clock.every(tellEveryMs, () => {
    const seconds = Math.round((clock.nowMs() - startedAtMs) / 1_000)
    const count = counts.at(-1)
    const state = `${counts.length} ${count}`
    if (count !== undefined && state === told) return
    told = state
    const who = counts.length === 1 ? 'gateway' : 'scheduler, controllers and agents'
    progress(
      count === undefined
        ? `checking the log (${seconds} s)`
        : `reading the log for the ${who}: ${count} objects (${seconds} s)`,
    )
  })
  async function* follow(events: EventLog, options: FollowOptions): ReturnType<EventLog['follow']> {
    const place = options.from === undefined ? counts.push(0) - 1 : undefined
    let reading = place !== undefined
    for await (const records of events.follow(options)) {
      if (records.length === 0) reading = false
      else if (reading) counts[place!]! += records.length
      yield records
    }
  }
  return {
    watch: (log) => ({ ...log, events: { ...log.events, follow: (options) => follow(log.events, options) } }),
    [Symbol.dispose]: () => timer[Symbol.dispose](),
  }
}
