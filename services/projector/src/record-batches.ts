// From what the log hands over to what one transaction takes: arrays of records are gathered while the one before is being
// written, up to a bound, and cut only where a batch of the log ends, so that readers in SQL see it whole too.
import { batchOf } from '@shiplog/events/envelope'
import type { LogRecord } from '@shiplog/events/event-log'

export interface GatherOptions {
  /** Most records of one transaction, unless a single batch of the log has more. */
  readonly recordsMax: number
  readonly bytesMax: number
  /** Records that wait; the log is not asked for more beyond it. */
  readonly waitingMax: number
}

/** `snapshotEnd` stands where the log's snapshot is complete, always alone. */
export type Gathered = { readonly records: readonly LogRecord[] } | { readonly snapshotEnd: true }

/** True when the batch that a record belongs to is complete with it. */
const endsBatch = (record: LogRecord, next: LogRecord | undefined): boolean => {
  const batch = batchOf(record.headers)
  if (batch === undefined || batch.index >= batch.size) return true
  return next !== undefined && batchOf(next.headers)?.id !== batch.id
}

/**
 * Gathers what `source` yields. An empty array of the source is the end of its snapshot (see EventLog.follow); before
 * it, records stand alone: a snapshot has holes in its batches.
 */
export async function* gather(
  source: AsyncIterable<readonly LogRecord[]>,
  options: GatherOptions,
): AsyncGenerator<Gathered> {
  let waiting: LogRecord[] = []
  /** How many of `waiting` belong to the snapshot; -1 once its end has been told. */
  let snapshotRecords: number | undefined
  let synced = false
  let ended = false
  let failure: { readonly error: unknown } | undefined
  let wakeReader = (): void => undefined
  let wakeSource = (): void => undefined
  let stopped = false

  const pump = async (): Promise<void> => {
    for await (const records of source) {
      if (stopped) return
      if (records.length === 0 && !synced && snapshotRecords === undefined) snapshotRecords = waiting.length
      else for (const record of records) waiting.push(record)
      wakeReader()
      if (waiting.length >= options.waitingMax) {
        await new Promise<void>((resolve) => {
          wakeSource = resolve
        })
      }
    }
  }
  pump()
    .catch((error: unknown) => {
      failure = { error }
    })
    .finally(() => {
      ended = true
      wakeReader()
    })

  const take = (): LogRecord[] => {
    const available = snapshotRecords ?? waiting.length
    let count = 0
    let bytes = 0
    for (let index = 0; index < available; index += 1) {
      const record = waiting[index]!
      bytes += record.payload.length
      const inSnapshot = !synced
      const whole = inSnapshot || endsBatch(record, waiting[index + 1])
      if (count > 0 && (index >= options.recordsMax || bytes > options.bytesMax)) break
      if (whole) count = index + 1
    }
    const taken = waiting.slice(0, count)
    waiting = waiting.slice(count)
    if (snapshotRecords !== undefined) snapshotRecords -= count
    if (waiting.length < options.waitingMax) wakeSource()
    return taken
  }

  try {
    for (;;) {
      const records = take()
      if (records.length > 0) yield { records }
      else if (snapshotRecords === 0) {
        snapshotRecords = undefined
        synced = true
        yield { snapshotEnd: true }
      } else if (failure) throw failure.error
      else if (ended) return
      else {
        await new Promise<void>((resolve) => {
          wakeReader = resolve
        })
      }
    }
  } finally {
    stopped = true
    wakeSource()
  }
}
