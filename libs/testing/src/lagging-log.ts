// A log whose followers hear of everything late, as on a busy or distant machine, while appends and direct reads are as
// fast as ever. Whatever reads a projection without asking how far it is gives wrong answers on it.
import type { ClusterLog, EventLog, FollowOptions, LogRecord } from '@shiplog/events/event-log'
import type { Clock } from '@shiplog/runtime/clock'

/** The same log; what follows its snapshot reaches followers `lagMs()` later, in order. */
export function laggingLog(log: ClusterLog, clock: Clock, lagMs: () => number): ClusterLog {
  const lagging = (stream: EventLog): EventLog => {
    async function* follow(options: FollowOptions): AsyncIterable<readonly LogRecord[]> {
      let live = false
      for await (const records of stream.follow(options)) {
        if (live) {
          const delayMs = lagMs()
          if (delayMs > 0) await clock.sleep(delayMs)
        } else if (records.length === 0) live = true
        yield records
      }
    }
    // An adapter's methods are closures, so that they can be handed over one by one.
    return { ...stream, follow }
  }
  return {
    events: lagging(log.events),
    leases: lagging(log.leases),
    objectEvents: lagging(log.objectEvents),
    keys: log.keys,
    description: `${log.description}, heard of late`,
    close: () => log.close(),
  }
}
