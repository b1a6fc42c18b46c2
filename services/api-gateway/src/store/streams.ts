// The three streams of the cluster as the gateway works with them: each a log, its projection and its committer.
import { createGroupCommitter, type GroupCommitter, type GroupCommitterOptions } from '@shiplog/events/commit/group-committer'
import type { ClusterLog, EventLog } from '@shiplog/events/event-log'
import type { LogInspection } from '@shiplog/events/integrity/log-inspection'
import { type RecordCodec, recordCodec } from '@shiplog/feed/record-codec'
import { streamOf } from '@shiplog/feed/stream-of'
import type { Clock } from '@shiplog/runtime/clock'
import { StreamProjection } from './projection.ts'

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
  const stream = (name: string, log: EventLog, ttlSeconds?: number, observe?: OnStored): Stream => ({
    log,
    projection: new StreamProjection(log, { clock, codec, ...(tombstonesMax === undefined ? {} : { tombstonesMax }) }),
    committer: createGroupCommitter(log, {
      ...(observe ? { onStored: observe } : {}),
      ...(onOutcome ? { onOutcome: (error: unknown) => onOutcome(name, error) } : {}),
    }),
    ttlSeconds,
  })
  const events: Stream = { ...stream('events', cluster.events, undefined, onStored), inspection }
  const leases = stream('leases', cluster.leases)
  const objectEvents = stream('objectevents', cluster.objectEvents, objectEventTtlSeconds)
  const byName = { events, leases, objectEvents }
  return {
    ...byName,
    of: (groupResource) => byName[streamOf(groupResource)],
    codec,
    all: [events, leases, objectEvents],
  }
}
