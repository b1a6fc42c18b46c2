// What became of an append that conflicts: whose record stands in the way, our own from an earlier attempt, or another's.
import type { Append, Conflict, LogRecord } from '../event-log.ts'
import type { DirectGet } from './direct-get.ts'
import type { StreamHandle } from './stream-handle.ts'

/**
 * The sequences at which an earlier attempt of this very group was stored; undefined when it was not. `floor` is a
 * sequence that the log had reached before the first attempt.
 */
export async function findOwnRecords(
  stream: Pick<StreamHandle, 'see'>,
  directGet: Pick<DirectGet, 'one'>,
  group: readonly Append[],
  floor: number,
): Promise<readonly number[] | undefined> {
  const sequences: number[] = []
  for (const member of group) {
    const own = await findOwnRecord(directGet, member, floor)
    if (own === undefined) return undefined
    sequences.push(own.sequence)
  }
  stream.see(sequences.at(-1)!)
  return sequences
}

async function findOwnRecord(
  directGet: Pick<DirectGet, 'one'>,
  member: Append,
  floor: number,
): Promise<LogRecord | undefined> {
  for (let from = (member.expected ?? floor) + 1; ; ) {
    const next = await directGet.one({ seq: from, next_by_subj: member.subject })
    if (next === undefined || isSame(next, member)) return next
    // Ours would have come right behind the record that it expects.
    if (member.expected !== undefined) return undefined
    from = next.sequence + 1
  }
}

/** The member whose expectation does not hold; undefined when all of them do by now. */
export async function findConflict(
  directGet: Pick<DirectGet, 'last'>,
  group: readonly Append[],
  actual: number | undefined,
): Promise<Conflict | undefined> {
  const [only] = group
  if (group.length === 1 && only!.expected !== undefined) {
    return { subject: only!.subject, expected: only!.expected, actual }
  }
  const lasts = await Promise.all(
    group.map(({ subject, expected }) => (expected === undefined ? undefined : directGet.last(subject))),
  )
  for (const [index, { subject, expected }] of group.entries()) {
    const sequence = lasts[index]?.sequence ?? 0
    if (expected !== undefined && sequence !== expected) return { subject, expected, actual: sequence }
  }
  return undefined
}

/** True when the record is what this append would have stored: the request id in the headers makes it unique. */
export function isSame(record: LogRecord, append: Append): boolean {
  if (record.payload.length !== append.payload.length) return false
  for (const name in append.headers) if (record.headers[name] !== append.headers[name]) return false
  return Buffer.compare(record.payload, append.payload) === 0
}
