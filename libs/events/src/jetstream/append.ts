// Appends until the outcome is known. A request without an answer may have been carried out or not, so the same append is
// sent again with the same expectation: either it is acknowledged, or it conflicts, and then the record that stands in the
// way is looked at, since it may be our own from an attempt whose answer was lost.
import { checkGroup } from '../commit/append-checks.ts'
import { type Append, type AppendResult, LogUnavailable } from '../event-log.ts'
import { notConnected } from './connection.ts'
import type { DirectGet } from './direct-get.ts'
import type { LogDisk } from './log-disk.ts'
import { NoAnswer } from './pending-requests.ts'
import type { Publish } from './publish.ts'
import { appendDeadlineMs, muteTimeoutMs, retryDelayMs } from './retries.ts'
import type { StreamHandle } from './stream-handle.ts'
import { findConflict, findOwnRecords } from './unknown-outcome.ts'

export interface AppendParts {
  readonly stream: StreamHandle
  readonly publish: Publish
  readonly directGet: DirectGet
  readonly disk: LogDisk | undefined
}

/** One append under way. */
interface Attempts {
  readonly group: readonly Append[]
  readonly deadlineMs: number
  /** Our own records lie behind this sequence. */
  readonly floor: number
  /** What the next attempt sends: the group, or the group with an expectation that keeps a second copy out. */
  members: readonly Append[]
  /** True once a request was sent that had no answer. */
  ambiguous: boolean
  /** Why the last attempt was not enough. */
  why: string
}

export function createAppend(parts: AppendParts): (group: readonly Append[]) => Promise<AppendResult> {
  const { stream, disk } = parts
  const { connection, clock } = stream
  return async (group) => {
    checkGroup(group)
    if (disk?.isFull()) throw new LogUnavailable(`Stream ${stream.name}: ${disk.describe()}`, { ambiguous: false })
    await refuseWhileMute(stream)
    const attempts: Attempts = {
      group,
      deadlineMs: clock.nowMs() + appendDeadlineMs,
      floor: stream.seenSequence,
      members: group,
      ambiguous: false,
      why: 'no answer',
    }
    for (;;) {
      const result = await attempt(parts, attempts)
      if (result) return result
      if (clock.nowMs() > attempts.deadlineMs) throw await notAppended(parts, attempts)
      if (attempts.ambiguous && group.every(({ expected }) => expected === undefined)) {
        await connection.connected(attempts.deadlineMs)
        const own = await preventSecondCopy(parts, attempts)
        if (own) return { ok: true, sequences: own }
      }
      await clock.sleep(retryDelayMs)
    }
  }
}

/** While the server is mute nothing is sent: what was not sent is not ambiguous. */
async function refuseWhileMute({ connection, clock, name }: StreamHandle): Promise<void> {
  if (!connection.mute) return
  await connection.heard(clock.nowMs() + muteTimeoutMs)
  if (connection.mute) throw new LogUnavailable(`Stream ${name}: nats-server gives no answer`, { ambiguous: false })
}

/** Undefined when another attempt is needed. */
async function attempt(parts: AppendParts, attempts: Attempts): Promise<AppendResult | undefined> {
  const { stream, publish, directGet } = parts
  const { group, floor } = attempts
  try {
    await stream.connection.connected(attempts.deadlineMs)
    const outcome = await publish(attempts.members)
    if ('stored' in outcome) return { ok: true, sequences: outcome.stored }
    if ('conflict' in outcome) {
      const own = attempts.ambiguous ? await findOwnRecords(stream, directGet, group, floor) : undefined
      if (own) return { ok: true, sequences: own }
      const conflict = await findConflict(directGet, group, outcome.actual)
      if (conflict) return { ok: false, conflict }
    }
    attempts.why = 'retry' in outcome ? outcome.retry : 'a conflict that is gone again'
  } catch (error) {
    if (error instanceof LogUnavailable && attempts.ambiguous) {
      throw new LogUnavailable(error.message, { ambiguous: true, cause: error })
    }
    if (!(error instanceof NoAnswer)) throw error
    attempts.why = error.message
    attempts.ambiguous ||= error.message !== notConnected
  }
  return undefined
}

/**
 * A group without expectations would be stored a second time: gives the records of the first attempt when they are
 * there, and makes the next attempt conditional when they are not.
 */
async function preventSecondCopy(
  { stream, directGet }: AppendParts,
  attempts: Attempts,
): Promise<readonly number[] | undefined> {
  const { group, floor } = attempts
  const own = await findOwnRecords(stream, directGet, group, floor).catch(() => undefined)
  if (own) return own
  const before = await directGet.last(group[0]!.subject).catch(() => undefined)
  attempts.members = group.map((member, index) =>
    index === 0 ? { ...member, expected: before?.sequence ?? 0 } : member,
  )
  return undefined
}

/** The error at the deadline. A server that answers everything except appends has most likely met a full disk. */
async function notAppended({ stream, disk }: AppendParts, { group, why, ambiguous }: Attempts): Promise<LogUnavailable> {
  const answers =
    disk !== undefined &&
    (await stream.info().then(
      () => true,
      () => false,
    ))
  if (answers) disk.onNoRoom('unanswered')
  const about = answers ? `; ${disk.describe()}` : ''
  const { subject } = group[0]!
  return new LogUnavailable(`${subject} could not be appended in ${appendDeadlineMs} ms: ${why}${about}`, { ambiguous })
}
