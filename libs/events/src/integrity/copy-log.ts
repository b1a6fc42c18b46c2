// A log copied record by record, each at its own sequence, with its own time, headers and bytes: what a backup is, and what
// brings it back, on either log. Sequences that hold nothing (forgotten ones) hold nothing in the copy.
import { type Append, type EventLog, LogDamaged, type LogRecord } from '../event-log.ts'
import { ownAppend, type Skip, skipSubject } from './seals.ts'

/** Members and payload bytes of one append. */
const groupRecordsMax = 500
const groupBytesMax = 8 * 1024 * 1024

/** Copies records that come in order; the log must end before the first of them. Gives how many there were. */
export async function copyRecords(
  source: AsyncIterable<readonly LogRecord[]>,
  target: EventLog,
  onProgress: (sequence: number) => void = () => undefined,
): Promise<number> {
  let group: LogRecord[] = []
  let subjects = new Set<string>()
  let bytes = 0
  let count = 0
  const flush = async (): Promise<void> => {
    if (group.length === 0) return
    const [first, last] = [group[0]!, group.at(-1)!]
    await target.skipTo(first.sequence - 1)
    const result = await target.append(group.map(appendOf))
    if (!result.ok || result.sequences.at(-1) !== last.sequence) {
      throw new LogDamaged(`The copy holds something else at sequence ${first.sequence} than the log it was made from`)
    }
    count += group.length
    onProgress(last.sequence)
    group = []
    subjects = new Set()
    bytes = 0
  }
  for await (const records of source) {
    for (const record of records) {
      const { sequence, subject, payload } = record
      const full = group.length >= groupRecordsMax || bytes + payload.length > groupBytesMax
      const gap = group.length > 0 && sequence !== group.at(-1)!.sequence + 1
      if (full || gap || subjects.has(subject)) await flush()
      group.push(record)
      subjects.add(subject)
      bytes += payload.length
    }
  }
  await flush()
  return count
}

const appendOf = ({ subject, headers, payload, timeMs }: LogRecord): Append => ({
  subject,
  headers,
  payload,
  timeMs,
  expected: undefined,
})

/** Leaves out so many sequences, and says so in the log, so that nobody takes them for lost records. */
export async function leaveOut(log: EventLog, count: number): Promise<void> {
  const from = (await log.lastSequence()) + 1
  const through = from + count - 1
  await log.skipTo(through)
  const payload: Skip = { from, through }
  const result = await log.append([ownAppend(skipSubject, 'SequencesSkipped', await log.last(skipSubject), payload)])
  if (!result.ok) throw new LogDamaged('Somebody else writes to the log that is restored')
}
