// Taking records out of a stream, and leaving sequences out that a restored log must not give out again.
import { JetStreamApiError, type PurgeOpts } from '@nats-io/jetstream'
import { groupMembersMax } from '../commit/append-checks.ts'
import { type Append, type AppendResult, type EventLog, LogUnavailable } from '../event-log.ts'
import { appendDeadlineMs } from './retries.ts'
import { refusal } from './stream-config.ts'
import type { StreamHandle } from './stream-handle.ts'

/** Groups of padding at the same time. */
const paddingGroupsInFlight = 8

export async function purge({ management, clock, name }: StreamHandle, what: PurgeOpts): Promise<void> {
  const deadlineMs = clock.nowMs() + appendDeadlineMs
  await management
    .call(`STREAM.PURGE.${name}`, deadlineMs, ({ streams }) => streams.purge(name, what))
    .catch((error: unknown) => {
      throw refusal(name, error)
    })
}

/** JetStream has no message at a sequence. */
const noMessage = 10_057
const sequenceNotFound = 10_043

/** Deletes all records of a subject but the newest, each overwritten on the disk by the server. */
export async function erase(
  { management, clock, name }: StreamHandle,
  log: Pick<EventLog, 'last' | 'read'>,
  subject: string,
): Promise<void> {
  const last = await log.last(subject)
  if (last === undefined) return
  for await (const records of log.read({ subjects: [subject], to: last.sequence - 1 })) {
    for (const { sequence } of records) {
      const deadlineMs = clock.nowMs() + appendDeadlineMs
      await management
        .call(`STREAM.MSG.DELETE.${name}`, deadlineMs, ({ streams }) => streams.deleteMessage(name, sequence, true))
        .catch((error: unknown) => {
          // Somebody else has erased it, or the answer to the first request was lost.
          if (error instanceof JetStreamApiError && [noMessage, sequenceNotFound].includes(error.code)) return
          throw refusal(name, error)
        })
    }
  }
}

/**
 * Gives no sequence up to this one to any record from now on. An empty stream can be told where to begin; one that holds
 * records only counts on, so padding is stored and purged.
 */
export async function skipTo(
  stream: StreamHandle,
  append: (group: readonly Append[]) => Promise<AppendResult>,
  sequence: number,
): Promise<void> {
  if ((await stream.lastSequence()) >= sequence) return
  if ((await stream.info()).state.messages === 0) await purge(stream, { seq: sequence + 1 })
  const last = await stream.lastSequence()
  if (last >= sequence) return
  const place = stream.subjects.at(-1)!.replace('>', 'padding')
  const pad = async (members: number): Promise<void> => {
    const result = await append(Array.from({ length: members }, (_, index) => padding(`${place}.${index}`)))
    if (!result.ok) throw new LogUnavailable(`Stream ${stream.name}: somebody else writes`, { ambiguous: false })
  }
  const sizes = groupSizes(sequence - last)
  for (let index = 0; index < sizes.length; index += paddingGroupsInFlight) {
    await Promise.all(sizes.slice(index, index + paddingGroupsInFlight).map(pad))
  }
  await purge(stream, { filter: `${place}.>` })
}

const padding = (subject: string): Append => ({ subject, expected: undefined, headers: {}, payload: new Uint8Array(0) })

/** Full groups and the rest. */
export function groupSizes(members: number): number[] {
  const full = Array.from({ length: Math.floor(members / groupMembersMax) }, () => groupMembersMax)
  const rest = members % groupMembersMax
  return rest === 0 ? full : [...full, rest]
}
