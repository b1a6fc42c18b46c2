// The three streams of the cluster as the gateway works with them: each a log, its projection and its committer.
import { createGroupCommitter, type GroupCommitter, type GroupCommitterOptions } from '@shiplog/events/commit/group-committer'
import type { ClusterLog, EventLog } from '@shiplog/events/event-log'
import type { LogInspection } from '@shiplog/events/integrity/log-inspection'
import { type RecordCodec, recordCodec } from '@shiplog/feed/record-codec'
import { streamOf } from '@shiplog/feed/stream-of'
import type { Clock } from '@shiplog/runtime/clock'
import { type HistoryLimits, type ProjectionOptions, StreamProjection } from './projection.ts'

/** Told of every group that EVENTS has stored. */
export type OnStored = NonNullable<GroupCommitterOptions['onStored']>

/** Told of every append's outcome, by stream: what the log threw, or undefined for stored. */
export type OnOutcome = (stream: string, error: unknown) => void

export interface Stream {
  readonly log: EventLog
  readonly projection: StreamProjection
  readonly committer: GroupCommitter
  /** Seconds that a record of this stream lives; undefined for ever. */
  readonly ttlSeconds: number | undefined
  /** What is known of damage to its past; only EVENTS has a past beyond memory. */
  readonly inspection?: LogInspection | undefined
}

/** Event objects live for an hour, as upstream's default `--event-ttl`. */
export const objectEventTtlSeconds = 3_600

/**
 * The past of Leases and Event objects: a watch that begins further back lists again, as when the log has forgotten it. In
 * fifty minutes a hundred nodes renew their Leases 30,000 times.
 */
const agingHistory: HistoryLimits = { events: 10_000, bytes: 16 * 1024 * 1024 }

export interface Streams {
  readonly events: Stream
  readonly leases: Stream
  readonly objectEvents: Stream
  of(groupResource: string): Stream
  /** Reads the records of all of them. */
  readonly codec: RecordCodec
  readonly all: readonly Stream[]
}

export function createStreams(
  cluster: ClusterLog,
  options: {
    readonly clock: Clock
    readonly codec?: RecordCodec
    readonly inspection?: LogInspection
    readonly onStored?: OnStored
    readonly onOutcome?: OnOutcome
    /** Deleted subjects that each projection remembers; see projection.ts for the default. */
    readonly tombstonesMax?: number
  },
): Streams {
  const { clock, codec = recordCodec, inspection, onStored, onOutcome, tombstonesMax } = options
  const memory = { clock, codec, ...(tombstonesMax === undefined ? {} : { tombstonesMax }) }
  const stream = (name: string, log: EventLog, projection: ProjectionOptions, observe?: OnStored): Stream => ({
    log,
    projection: new StreamProjection(log, projection),
    committer: createGroupCommitter(log, {
      ...(observe ? { onStored: observe } : {}),
      ...(onOutcome ? { onOutcome: (error: unknown) => onOutcome(name, error) } : {}),
    }),
    ttlSeconds: undefined,
  })
  const aging = { ...memory, history: agingHistory }
  const events: Stream = { ...stream('events', cluster.events, memory, onStored), inspection }
  const leases = stream('leases', cluster.leases, aging)
  const objectEvents = { ...stream('objectevents', cluster.objectEvents, aging), ttlSeconds: objectEventTtlSeconds }
  const byName = { events, leases, objectEvents }
  return {
    ...byName,
    of: (groupResource) => byName[streamOf(groupResource)],
    codec,
    all: [events, leases, objectEvents],
  }
}
