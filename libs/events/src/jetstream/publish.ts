// Sends one group of records and reads the acknowledgement. The requests are written by hand, for two reasons that were
// measured with the client 3.4.0 (docs/adr/0013-the-jetstream-client.md): its batch publisher drops the expectation of all
// members but the first and waits for an answer to the first one before it sends the next, a round trip more; and its
// headers trim values, so that a record would not come back as it was appended.
import { type ApiError, type BatchAck, JetStreamApiCodes, type PubAck } from '@nats-io/jetstream'
import { type Append, LogUnavailable } from '../event-log.ts'
import type { Msg } from './connection.ts'
import type { LogDisk } from './log-disk.ts'
import { attemptTimeoutMs } from './retries.ts'
import type { StreamHandle } from './stream-handle.ts'
import { encodeHeaders, restoredTimeHeader, splitMessage, statusOf } from './wire.ts'

/** The expectation of a member does not hold; both codes mean the same. */
const conflictCodes: readonly number[] = [
  JetStreamApiCodes.StreamWrongLastSequence,
  JetStreamApiCodes.StreamWrongLastSequenceUnknown,
]
/** The batch was not stored, and sending it again may help: a gap after a reconnection, too many open batches. */
const retryCodes: readonly number[] = [10176, 10210]
/** The server has no room (resources, memory, storage): nothing was stored, and a retry at once does not help. */
const noRoomCodes: readonly number[] = [10023, 10028, 10047]

/** What the server said to one attempt. Without an answer there is a NoAnswer instead. */
export type PublishOutcome =
  | { readonly stored: readonly number[] }
  /** `actual` is the subject's last sequence, where the server names it. */
  | { readonly conflict: true; readonly actual: number | undefined }
  | { readonly retry: string }

export type Publish = (group: readonly Append[]) => Promise<PublishOutcome>

export function createPublisher(stream: StreamHandle, disk: LogDisk | undefined): Publish {
  const nextBatchId = batchIds()
  return async (group) => {
    const answer = await (group.length === 1 ? publishOne(stream, group[0]!) : publishBatch(stream, group, nextBatchId()))
    if (statusOf(splitMessage(answer).head) === 503) return { retry: 'no stream answers' }
    const ack = answer.json<(PubAck | BatchAck) & { error?: ApiError }>()
    if (ack.error) {
      if (noRoomCodes.includes(ack.error.err_code)) disk?.onNoRoom('refused')
      return outcomeOfError(stream.name, ack.error, disk)
    }
    stream.see(ack.seq)
    return { stored: group.map((_, index) => ack.seq - group.length + 1 + index) }
  }
}

/** What an error in an acknowledgement means; throws LogUnavailable for those that no retry mends. */
export function outcomeOfError(stream: string, error: ApiError, disk?: LogDisk): PublishOutcome {
  const { code, err_code, description } = error
  if (conflictCodes.includes(err_code)) {
    const actual = /: (\d+)$/.exec(description)?.[1]
    return { conflict: true, actual: actual === undefined ? undefined : Number(actual) }
  }
  const noRoom = noRoomCodes.includes(err_code)
  if (!noRoom && (code === 503 || retryCodes.includes(err_code))) return { retry: description }
  const message = noRoom
    ? `Stream ${stream}: nats-server says "${description}" (${err_code}): ` +
      (disk?.describe() ?? 'its store limit is reached or its disk is full; make room there and restart it')
    : `Stream ${stream}: ${description} (${err_code})`
  throw new LogUnavailable(message, { ambiguous: false })
}

function publishOne({ connection }: StreamHandle, member: Append): Promise<Msg> {
  const headers = encodeHeaders(member.headers, controlHeaders(member))
  return connection.request(member.subject, member.payload, { timeoutMs: attemptTimeoutMs, headers })
}

/** All members or none: the last one commits the batch, and only it is answered. */
function publishBatch({ connection }: StreamHandle, group: readonly Append[], batchId: string): Promise<Msg> {
  const headersOf = (member: Append, index: number) =>
    encodeHeaders(member.headers, {
      ...controlHeaders(member),
      'Nats-Batch-Id': batchId,
      'Nats-Batch-Sequence': index + 1,
      'Nats-Batch-Commit': index + 1 === group.length ? 1 : undefined,
    })
  const last = group.length - 1
  for (let index = 0; index < last; index += 1) {
    const member = group[index]!
    connection.publish(member.subject, member.payload, { headers: headersOf(member, index) })
  }
  const { subject, payload } = group[last]!
  return connection.request(subject, payload, { timeoutMs: attemptTimeoutMs, headers: headersOf(group[last]!, last) })
}

/** What JetStream is to do with a record. */
function controlHeaders({ expected, timeMs, ttlSeconds }: Append): Record<string, string | number | undefined> {
  return {
    'Nats-Expected-Last-Subject-Sequence': expected,
    [restoredTimeHeader]: timeMs,
    'Nats-TTL': ttlSeconds === undefined ? undefined : `${Math.max(1, Math.ceil(ttlSeconds))}s`,
  }
}

/** Ids that no other process and no other log of this process uses. */
function batchIds(): () => string {
  const prefix = `${process.pid.toString(36)}${process.hrtime.bigint().toString(36)}`
  let serial = 0
  return () => {
    serial += 1
    return `${prefix}-${serial.toString(36)}`
  }
}
