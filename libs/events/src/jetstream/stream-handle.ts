// One stream as the parts of the adapter share it: its name and incarnation, the highest sequence that any answer has
// shown, and what stream info says. A stream that was replaced or shortened is found out here.
import type { StreamInfo } from '@nats-io/jetstream'
import { LogDamaged, LogUnavailable } from '../event-log.ts'
import { shareCalls } from '../commit/shared-call.ts'
import type { Management } from './management.ts'
import { readDeadlineMs, type Session } from './retries.ts'
import { findStream, incarnationOf, refusal } from './stream-config.ts'

/** A leader that has heard nothing from a replica for longer cannot count on it. */
const replicaActiveMs = 2000
const nanosecondsPerMs = 1_000_000

export interface StreamHandle extends Session {
  readonly management: Management
  readonly name: string
  readonly incarnation: string
  readonly subjects: readonly string[]
  /** Highest sequence that any answer has shown: a record stored from now on lies beyond it. */
  readonly seenSequence: number
  see(sequence: number): void
  /** Stream info; throws LogDamaged when the stream is gone, was replaced or shortened. */
  info(): Promise<StreamInfo>
  /** As a linearizable read; concurrent calls share one request. */
  lastSequence(): Promise<number>
  /** How many records each subject has, by the server's index. */
  countBySubject(filter?: string): Promise<Map<string, number>>
}

export function createStreamHandle(session: Session, management: Management, opened: StreamInfo): StreamHandle {
  const { name } = opened.config
  const incarnation = incarnationOf(opened)
  let seenSequence = opened.state.last_seq

  const see = (sequence: number): void => {
    if (sequence > seenSequence) seenSequence = sequence
  }

  const info = async (): Promise<StreamInfo> => {
    const acknowledged = seenSequence
    const found = await findStream(management, name, readDeadlineMs(session))
    if (found === undefined) throw new LogDamaged(`Stream ${name} is gone`)
    checkSameStream(found, incarnation, acknowledged)
    return found
  }

  const lastSequence = shareCalls(async (): Promise<number> => {
    const found = await info()
    if (!hearsMajority(found)) {
      throw new LogUnavailable(`Stream ${name}: its leader does not hear from a majority`, { ambiguous: false })
    }
    see(found.state.last_seq)
    return found.state.last_seq
  })

  const countBySubject = async (filter = '>'): Promise<Map<string, number>> => {
    const { state } = await management
      .call(`STREAM.INFO.${name}`, readDeadlineMs(session), ({ streams }) => streams.info(name, { subjects_filter: filter }))
      .catch((error: unknown) => {
        throw refusal(name, error)
      })
    return new Map(Object.entries(state.subjects ?? {}))
  }

  return {
    ...session,
    management,
    name,
    incarnation,
    subjects: opened.config.subjects,
    get seenSequence() {
      return seenSequence
    },
    see,
    info,
    lastSequence,
    countBySubject,
  }
}

/** Throws LogDamaged when this is another stream, or ends before a sequence that was acknowledged. */
export function checkSameStream(info: StreamInfo, incarnation: string, acknowledged: number): void {
  const { name, num_replicas } = info.config
  if (incarnationOf(info) !== incarnation) {
    throw new LogDamaged(`Stream ${name} was replaced: ${incarnationOf(info)} instead of ${incarnation}`)
  }
  // A replica that was cut off may be behind for a while: only where there is one copy is this a loss.
  if (num_replicas === 1 && info.state.last_seq < acknowledged) {
    throw new LogDamaged(
      `Stream ${name} was shortened: it ends at sequence ${info.state.last_seq}, but sequence ${acknowledged} was acknowledged`,
    )
  }
}

/** A leader that was cut off goes on answering with an old end: its word counts while it hears from a majority. */
export function hearsMajority({ config, cluster }: Pick<StreamInfo, 'config' | 'cluster'>): boolean {
  if (config.num_replicas <= 1) return true
  const active = (cluster?.replicas ?? []).filter(
    (replica) => replica.offline !== true && replica.active <= replicaActiveMs * nanosecondsPerMs,
  )
  return active.length + 1 > config.num_replicas / 2
}
