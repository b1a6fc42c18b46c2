// One reading of the log for all who start with it in one process: the snapshot that the first follower reads (and whose
// records were verified on the way) is kept, and the followers that come later begin with the same records instead of
// reading them from the log again. Kept for the time of the start only, since it holds every payload.
import type { ClusterLog, EventLog, FollowOptions, LogRecord } from '../event-log.ts'

export interface SharedSnapshots {
  readonly log: ClusterLog
  /** The start is over: what is kept goes, and who follows from now on reads the log. */
  release(): void
}

/** What one follower has read, whole; undefined when it came to no end. */
interface Snapshot {
  readonly pages: readonly (readonly LogRecord[])[]
  /** Everything after this sequence is still to come. */
  readonly through: number
}

/** Shares the snapshots of everything (`>`); who wants less, or begins at a sequence, follows the log itself. */
export function shareSnapshots(log: ClusterLog): SharedSnapshots {
  const parts = [shareSnapshot(log.events), shareSnapshot(log.leases), shareSnapshot(log.objectEvents)] as const
  const [events, leases, objectEvents] = parts
  return {
    log: { ...log, events: events.log, leases: leases.log, objectEvents: objectEvents.log },
    release: () => {
      for (const part of parts) part.release()
    },
  }
}

function shareSnapshot(log: EventLog): { readonly log: EventLog; release(): void } {
  let reading: Promise<Snapshot | undefined> | undefined
  let released = false

  /** The first reading, kept while it goes by. */
  async function* readFirst(
    options: FollowOptions,
    settle: (snapshot: Snapshot | undefined) => void,
  ): AsyncIterable<readonly LogRecord[]> {
    let pages: (readonly LogRecord[])[] = []
    let complete = false
    try {
      for await (const records of log.follow(options)) {
        if (!complete && records.length === 0) {
          complete = true
          const newest = pages.reduce((most, page) => Math.max(most, page.at(-1)!.sequence), 0)
          settle(released ? undefined : { pages, through: newest })
          // This follower lives as long as the process: it must not keep them.
          pages = []
        } else if (!complete) {
          pages.push(records)
        }
        yield records
      }
    } finally {
      if (!complete) {
        reading = undefined
        settle(undefined)
      }
    }
  }

  async function* follow(options: FollowOptions): AsyncIterable<readonly LogRecord[]> {
    const whole = options.from === undefined && options.subjects.includes('>')
    if (!whole || released) return yield* log.follow(options)
    if (reading === undefined) {
      const { promise, resolve } = Promise.withResolvers<Snapshot | undefined>()
      reading = promise
      return yield* readFirst(options, resolve)
    }
    const through = yield* replay(reading, options.signal)
    if (options.signal.aborted) return
    // From a sequence on, a follow begins with the empty array that ends a snapshot.
    yield* log.follow(through === undefined ? options : { ...options, from: through + 1 })
  }

  return {
    log: { ...log, follow },
    release() {
      released = true
      reading = undefined
    },
  }
}

/** The pages of a snapshot; gives its end. A generator of its own: the one that goes on following would keep the pages. */
async function* replay(
  reading: Promise<Snapshot | undefined>,
  signal: AbortSignal,
): AsyncGenerator<readonly LogRecord[], number | undefined> {
  const snapshot = await reading
  if (snapshot === undefined) return undefined
  for (const page of snapshot.pages) {
    if (signal.aborted) break
    yield page
    await turn()
  }
  return snapshot.through
}

/** Lets the event loop turn between pages. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
