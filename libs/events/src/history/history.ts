// Finding one's way in the past of a log: from a time to a sequence, from a sequence to its moment, and how far back the
// log can be trusted to be whole. Everything here is the same on every log.
import { batchOf } from '../envelope.ts'
import type { EventLog, LogRecord } from '../event-log.ts'
import { type Compaction, compactionSubject, parseLogRecord } from '../integrity/seals.ts'

/** Records that are looked at, at first, when the one at a sequence has been forgotten. */
const gapStep = 64

/** The newest record at or before a sequence that the log still holds. */
export async function recordUpTo(log: EventLog, sequence: number): Promise<LogRecord | undefined> {
  const exact = await log.get(sequence)
  if (exact) return exact
  for (let to = sequence - 1, step = gapStep; to >= 1; to -= step, step *= 4) {
    let found: LogRecord | undefined
    for await (const records of log.read({ from: Math.max(1, to - step + 1), to })) found = records.at(-1) ?? found
    if (found) return found
  }
  return undefined
}

/** The first record from a sequence on, up to another. */
async function recordFrom(log: EventLog, from: number, to: number): Promise<LogRecord | undefined> {
  const exact = await log.get(from)
  if (exact) return exact
  for await (const records of log.read({ from, to })) return records[0]
  return undefined
}

/**
 * The sequence of the newest record that was stored at or before a time, by binary search: record times never fall.
 * `first - 1` when there is none.
 */
export async function sequenceAtTime(log: EventLog, timeMs: number, first: number, last: number): Promise<number> {
  let known = first - 1
  let beyond = last + 1
  while (beyond - known > 1) {
    const middle = known + Math.floor((beyond - known) / 2)
    const record = await recordFrom(log, middle, beyond - 1)
    if (record !== undefined && record.timeMs <= timeMs) known = record.sequence
    else beyond = middle
  }
  return known
}

/** A batch is one change: the last sequence of the batch that a record belongs to, its own when it stands alone. */
export function endOfBatch(record: LogRecord): number {
  const batch = batchOf(record.headers)
  return batch ? record.sequence + batch.size - batch.index : record.sequence
}

/** What the compaction records up to `through` say; they are never taken back, so each is read once. */
interface Holes {
  readonly through: number
  /** The newest record that tells of forgotten objects, 0 when there is none. */
  readonly before: number
}

const holesOf = new WeakMap<EventLog, Holes>()

/**
 * The oldest sequence whose state the log can still show whole. Compaction of objects punches holes behind the first
 * record: what it forgot may be missing from any state before the record that tells of it.
 */
export async function oldestWholeSequence(log: EventLog): Promise<number> {
  const [first, newest] = await Promise.all([log.firstSequence(), log.last(compactionSubject)])
  if (newest === undefined) return first
  let { through, before } = holesOf.get(log) ?? { through: 0, before: 0 }
  if (newest.sequence > through) {
    for await (const records of log.read({ from: through + 1, to: newest.sequence, subjects: [compactionSubject] })) {
      for (const record of records) {
        const { forgotten } = parseLogRecord<Compaction>(record)
        if (Object.keys(forgotten).some((subject) => subject.startsWith('evt.'))) before = record.sequence
      }
    }
    through = newest.sequence
    holesOf.set(log, { through, before })
  }
  return Math.max(first, before)
}
