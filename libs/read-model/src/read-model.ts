// The port of the read model: where the projector writes, and what it promises. A stream is claimed by one projector at
// a time; every batch moves the stream's position in the same transaction as its rows, so a batch is there whole or not
// at all, and never twice.
import type { LogRecord } from '@shiplog/events/event-log'
import type { Damage } from '@shiplog/events/integrity/log-inspection'
import type { StreamName } from '@shiplog/feed/stream-of'

/** A stream that this projector alone writes, until it lets go or its connection breaks. */
export interface ClaimedStream {
  /** Everything up to here is in the model; 0 for nothing. */
  readonly position: number
  /** Applies records in order and moves the position, in one transaction. Throws PositionMoved when another was faster. */
  apply(records: readonly LogRecord[], through: number): Promise<void>
  /** Tells that everything that the log stored up to a time is in the model: nothing before it is still to come. */
  completeUntil(timeMs: number): Promise<void>
  /** Puts a mark where the log has no readable record any more, unless the model has it still from before. */
  markDamage(damages: readonly Damage[]): Promise<void>
  /** Forgets what is known of objects whose keys were destroyed; that they were there stays. */
  forgetContents(gone: readonly GoneContent[]): Promise<void>
  /** Forgets objects up to a sequence whose last record is not among those kept; for streams that age. */
  keepOnly(sequences: readonly number[], through: number): Promise<void>
}

/** An object whose key was destroyed. */
export interface GoneContent {
  readonly subject: string
  readonly uid: string
  /** What stands in the place of what it held. */
  readonly problem: string
}

/** What a log is, as far as the model must know whether it still follows the same one. */
export interface LogIdentity {
  readonly incarnation: string
  readonly lastSequence: number
}

export interface ReadModel {
  /**
   * Runs `work` while this process owns the stream and gives 'done'; 'taken' at once when another owns it. What the
   * model holds of another log, or of a longer one, is forgotten first.
   */
  withStream(
    stream: StreamName,
    identity: LogIdentity,
    work: (claimed: ClaimedStream) => Promise<void>,
  ): Promise<'done' | 'taken'>
  close(): Promise<void>
}

/** Another projector moved the position: whoever gets this has lost its claim and must begin again. */
export class PositionMoved extends Error {
  override readonly name = 'PositionMoved'
}
