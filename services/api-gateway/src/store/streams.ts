// The three streams of the cluster as the gateway works with them: each a log, its projection and its committer.
import { createGroupCommitter, type GroupCommitter, type GroupCommitterOptions } from '@shiplog/events/commit/group-committer'
import type { ClusterLog, EventLog } from '@shiplog/events/event-log'
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
}

/** Event objects live for an hour, as upstream's default `--event-ttl`. */
export const objectEventTtlSeconds = 3_600

export interface Streams {
  readonly events: Stream
  readonly leases: Stream
  readonly objectEvents: Stream
  of(groupResource: string): Stream
  readonly all: readonly Stream[]
}

export function createStreams(
  cluster: ClusterLog,
  options: { readonly clock: Clock; readonly onStored?: OnStored; readonly onOutcome?: OnOutcome },
): Streams {
  const { clock, onStored, onOutcome } = options
  const stream = (name: string, log: EventLog, ttlSeconds?: number, observe?: OnStored): Stream => ({
    log,
    projection: new StreamProjection(log, { clock }),
    committer: createGroupCommitter(log, {
      ...(observe ? { onStored: observe } : {}),
      ...(onOutcome ? { onOutcome: (error: unknown) => onOutcome(name, error) } : {}),
    }),
    ttlSeconds,
  })
  const events = stream('events', cluster.events, undefined, onStored)
  const leases = stream('leases', cluster.leases)
  const objectEvents = stream('objectevents', cluster.objectEvents, objectEventTtlSeconds)
  return {
    events,
    leases,
    objectEvents,
    of: (groupResource) =>
      groupResource === 'leases.coordination.k8s.io' ? leases : groupResource === 'events' ? objectEvents : events,
    all: [events, leases, objectEvents],
  }
}
