// The log on NATS JetStream: the EventLog port for many processes. This file connects, checks, and puts the parts of the
// adapter together; each part is a file beside it.
import type { StreamInfo } from '@nats-io/jetstream'
import { type Clock, systemClock } from '@shiplog/runtime/clock'
import type { ClusterLog, EventLog } from '../event-log.ts'
import { createAppend } from './append.ts'
import { type ConnectionOptions, openConnection } from './connection.ts'
import { createDirectGet } from './direct-get.ts'
import { createFollowing } from './follow.ts'
import type { LogDisk } from './log-disk.ts'
import { type Management, openManagement } from './management.ts'
import { createPublisher } from './publish.ts'
import { erase, purge, skipTo } from './purge.ts'
import { readRange } from './read.ts'
import { appendDeadlineMs, type Session } from './retries.ts'
import { lastOfEach, stateAt } from './state-at.ts'
import { checkServer, ensureStream, streamConfigs } from './stream-config.ts'
import { createStreamHandle, type StreamHandle } from './stream-handle.ts'

export interface JetStreamLogOptions extends Omit<ConnectionOptions, 'clock'> {
  readonly clock?: Clock
  /** Copies of each stream; more than one needs a cluster of servers. Default 1. */
  readonly replicas?: number
  /** The incarnation of `events` that this data is known to have had: another one, or none, is damage. */
  readonly expectIncarnation?: string
  /** True: the streams must exist (a reader has no right to make them). */
  readonly readOnly?: boolean
  readonly disk?: LogDisk
}

/** Connects, checks server and streams (making streams that never existed), and gives the three logs. */
export async function connectJetStreamClusterLog(options: JetStreamLogOptions): Promise<ClusterLog> {
  const { clock = systemClock, expectIncarnation, disk } = options
  const connection = await openConnection({ ...options, clock })
  try {
    checkServer(connection)
    const session = { connection, clock }
    const management = await openManagement(session)
    const open = async (config: ReturnType<typeof streamConfigs>[number], expected?: string): Promise<StreamLog> => {
      const opened = await ensureStream(management, config, {
        deadlineMs: clock.nowMs() + appendDeadlineMs,
        // A log of before there were keys gets its store of keys now; records whose keys are lost say so themselves.
        mustExist: expectIncarnation !== undefined && config.name !== 'KEYS',
        readOnly: options.readOnly === true,
        expectIncarnation: expected,
      })
      return createStreamLog(session, management, opened, disk)
    }
    const configs = streamConfigs(options.replicas ?? 1)
    const [events, leases, objectEvents, keys] = await Promise.all([
      open(configs[0], expectIncarnation),
      open(configs[1]),
      open(configs[2]),
      open(configs[3]),
    ])
    return {
      events: events.log,
      leases: leases.log,
      objectEvents: objectEvents.log,
      keys: { ...keys.log, erase: (subject) => erase(keys.stream, keys.log, subject) },
      description: `jetstream (nats-server ${connection.serverVersion})`,
      close: async () => {
        for (const stream of [events, leases, objectEvents, keys]) stream.stop()
        await connection.close()
      },
    }
  } catch (error) {
    await connection.close()
    throw error
  }
}

interface StreamLog {
  readonly stream: StreamHandle
  readonly log: EventLog
  stop(): void
}

function createStreamLog(session: Session, management: Management, opened: StreamInfo, disk?: LogDisk): StreamLog {
  const stream = createStreamHandle(session, management, opened)
  const directGet = createDirectGet(stream)
  const append = createAppend({ stream, directGet, publish: createPublisher(stream, disk), disk })
  const { follow, stop } = createFollowing(stream, directGet)
  const log: EventLog = {
    incarnation: stream.incarnation,
    groupsAppends: false,
    append,
    read: (options) => readRange(stream, directGet, options),
    // To the server, a request for 0 is an empty one.
    get: async (sequence) => (sequence < 1 ? undefined : directGet.one({ seq: sequence })),
    last: directGet.last,
    lastUpTo: async (subject, sequence) => (await lastOfEach(stream, directGet, [subject], sequence))?.at(-1),
    stateAt: (sequence, subjects) => stateAt(stream, directGet, sequence, subjects),
    follow,
    lastSequence: stream.lastSequence,
    firstSequence: async () => {
      const { state } = await stream.info()
      return state.messages === 0 ? state.last_seq + 1 : state.first_seq
    },
    countBySubject: () => stream.countBySubject(),
    recordCount: async () => (await stream.info()).state.messages,
    skipTo: (sequence) => skipTo(stream, append, sequence),
    compact: (subject, before) =>
      purge(stream, before === undefined ? { filter: subject, keep: 1 } : { filter: subject, seq: before }),
    purge: (subject, through) =>
      purge(stream, through === undefined ? { filter: subject } : { filter: subject, seq: through + 1 }),
    close: async () => stop(),
  }
  return { stream, log, stop }
}
