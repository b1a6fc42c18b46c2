// The follow hub: all followers of a stream in this process share one tail of recent records. New records are pushed once
// and wake everybody at once; a follower that fell behind the tail reads from the log itself until it has caught up, so a
// slow follower costs no memory.
import type { LogRecord } from '../event-log.ts'
import { compileFilter } from '../subject-filter.ts'

/**
 * Most records and payload bytes that the tail holds; older ones are read from the log again. Followers of a process are a
 * few turns behind at most, and each of the three streams has a tail: it need not hold more than a burst.
 */
const tailRecordsMax = 8_192
const tailBytesMax = 4 * 1024 * 1024
/** Most records that one step hands over. */
const stepRecordsMax = 1024

export interface FollowHub {
  /** The next sequence that a push may begin with. */
  readonly next: number
  /** New records, in order. `through`: the log holds nothing else up to this sequence. */
  push(records: readonly LogRecord[], through?: number): void
  /** Ends all followers: with an error, or quietly when the log is closed. */
  end(error?: Error): void
  /** Every matching record from `from` on, until the signal aborts. */
  follow(options: HubFollowOptions): AsyncIterable<readonly LogRecord[]>
}

export interface HubFollowOptions {
  readonly from: number
  readonly subjects: readonly string[]
  readonly signal: AbortSignal
}

/** Reads what lies before the tail: records from and to these sequences, inclusive. */
export type ReadBack = (from: number, to: number, subjects: readonly string[]) => AsyncIterable<readonly LogRecord[]>

/** Creates a hub whose tail begins at `start`: every record from there on will be pushed. */
export function createFollowHub(start: number, readBack: ReadBack): FollowHub {
  let tail: LogRecord[] = []
  let tailBytes = 0
  /** Everything from this sequence on is in the tail. */
  let coveredFrom = start
  let next = start
  let ended: { readonly error: Error | undefined } | undefined
  let waiters: (() => void)[] = []

  const wake = (): void => {
    const woken = waiters
    waiters = []
    for (const resolve of woken) resolve()
  }

  /** Index of the first record of the tail at or after a sequence. */
  const indexOf = (sequence: number): number => {
    let low = 0
    let high = tail.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (tail[middle]!.sequence < sequence) low = middle + 1
      else high = middle
    }
    return low
  }

  const trim = (): void => {
    if (tail.length <= tailRecordsMax && tailBytes <= tailBytesMax) return
    let drop = 0
    while (drop < tail.length - 1 && (tail.length - drop > tailRecordsMax / 2 || tailBytes > tailBytesMax / 2)) {
      tailBytes -= tail[drop]!.payload.length
      drop += 1
    }
    tail = tail.slice(drop)
    coveredFrom = tail[0]!.sequence
  }

  async function* follow(options: HubFollowOptions): AsyncIterable<readonly LogRecord[]> {
    const matches = compileFilter(options.subjects)
    const { signal } = options
    let position = options.from
    let stop = (): void => undefined
    const onAbort = (): void => stop()
    signal.addEventListener('abort', onAbort)
    try {
      while (!signal.aborted) {
        if (position < coveredFrom) {
          const to = coveredFrom - 1
          for await (const records of readBack(position, to, options.subjects)) {
            if (signal.aborted) return
            yield records
          }
          position = to + 1
        } else if (position < next) {
          const begin = indexOf(position)
          const step = tail.slice(begin, begin + stepRecordsMax)
          position = begin + stepRecordsMax >= tail.length ? next : step.at(-1)!.sequence + 1
          const records = step.filter((record) => matches(record.subject))
          if (records.length > 0) yield records
        } else if (ended) {
          if (ended.error) throw ended.error
          return
        } else {
          await new Promise<void>((resolve) => {
            stop = resolve
            waiters.push(resolve)
          })
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  return {
    get next() {
      return next
    },
    push(records, through) {
      for (const record of records) {
        tail.push(record)
        tailBytes += record.payload.length
      }
      next = Math.max(next, (records.at(-1)?.sequence ?? 0) + 1, (through ?? 0) + 1)
      trim()
      wake()
    },
    end(error) {
      ended ??= { error }
      wake()
    },
    follow,
  }
}
