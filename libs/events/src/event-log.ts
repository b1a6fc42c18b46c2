// The EventLog port: one ordered, durable stream of records with a compare-and-set per subject. Two adapters satisfy it
// and the same contract suite: JetStream (many processes) and SQLite (one process).
//
// A *sequence* is the position of a record in the stream; it is also the object's resourceVersion. It is a safe integer
// inside the process and a decimal string at every edge.

/** A record to append. */
export interface Append {
  /** Tokens separated by dots; see subjects.ts for the encoding of names. */
  readonly subject: string
  /** The sequence of the last record of this subject, 0 when there must be none, undefined for "whatever it is". */
  readonly expected: number | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly payload: Uint8Array
  /** Seconds after which the log may drop the record, on logs that were opened with `expiry`. */
  readonly ttlSeconds?: number
  /** When it was first stored, of a record that is restored; by default now. Never before that of the record before. */
  readonly timeMs?: number
}

/** A record as the log holds it. Immutable. */
export interface LogRecord {
  readonly subject: string
  readonly sequence: number
  /** When the log stored it, milliseconds since the epoch. */
  readonly timeMs: number
  readonly headers: Readonly<Record<string, string>>
  readonly payload: Uint8Array
  /** What an encrypted payload says, of a record that somebody with its key has passed on. Never stored. */
  readonly clear?: Uint8Array
  /** Why nobody can tell what an encrypted payload says: its key is gone. */
  readonly unreadable?: string
}

/** What became of an append. A refusal is a value; a fault (log unreachable, closed) is thrown. */
export type AppendResult =
  | { readonly ok: true; readonly sequences: readonly number[] }
  | { readonly ok: false; readonly conflict: Conflict }

/** The member of the group whose expectation did not hold. `actual` is the subject's last sequence when it is known. */
export interface Conflict {
  readonly subject: string
  readonly expected: number
  readonly actual: number | undefined
}

export interface ReadOptions {
  /** First sequence to return; default 1. */
  readonly from?: number
  /** Last sequence to return; default the end of the log when the read began. */
  readonly to?: number
  /** Subject filters with NATS wildcards (`evt.core.pods.>`); default everything. */
  readonly subjects?: readonly string[]
}

export interface Snapshot {
  /** The last record of every subject that matches, tombstones included, in sequence order. */
  readonly records: AsyncIterable<readonly LogRecord[]>
}

export interface EventLog {
  /**
   * Appends all members or none. Durable when it resolves. An ambiguous outcome (a timeout) is resolved inside: the same
   * append is sent again until an acknowledgement or a conflict decides, or `appendDeadlineMs` has passed
   * (then it throws LogUnavailable, whose `ambiguous` says whether the records may be stored).
   */
  append(group: readonly Append[]): Promise<AppendResult>

  /** Records from a sequence, in order, up to the end as of now. */
  read(options?: ReadOptions): AsyncIterable<readonly LogRecord[]>

  /** The record at a sequence, or undefined when there is none (never written, or purged). */
  get(sequence: number): Promise<LogRecord | undefined>

  /** The last record of a subject. */
  last(subject: string): Promise<LogRecord | undefined>

  /** The newest record of a subject at or before a sequence: what `last` would have said then. */
  lastUpTo(subject: string, sequence: number): Promise<LogRecord | undefined>

  /** The last record of every subject that matches, tombstones included, as of a sequence, in sequence order. */
  stateAt(sequence: number, subjects: readonly string[]): AsyncIterable<readonly LogRecord[]>

  /**
   * The last record per subject as an exact snapshot, then every later record: nothing missed, nothing twice.
   * Yields arrays in order. Between the snapshot and the rest stands one empty array, which says that the snapshot is
   * complete. With `from` there is no snapshot: the empty array comes first, then every record from that sequence on.
   * Ends when the signal aborts; throws when the log lost records that it had promised.
   */
  follow(options: FollowOptions): AsyncIterable<readonly LogRecord[]>

  /**
   * The sequence of the newest record, as a linearizable read: a record that any process has been told is stored is not
   * beyond it. Concurrent calls share one round trip.
   */
  lastSequence(): Promise<number>

  /** The oldest sequence that reads may start from. */
  firstSequence(): Promise<number>

  /** How many records the log holds; sequences of what was forgotten have none. */
  recordCount(): Promise<number>

  /** How many records each subject has by the log's own index; to find out what is damaged, not for daily use. */
  countBySubject(): Promise<ReadonlyMap<string, number>>

  /**
   * Gives no sequence up to this one to any record, from now on. For a log that is restored: what was given out after the
   * backup was taken must not be given out again. Nobody else may write meanwhile.
   */
  skipTo(sequence: number): Promise<void>

  /**
   * Forgets the records of a subject before a sequence at which it has a record (default: all but the newest);
   * compare-and-set on it stays intact, also while others write.
   */
  compact(subject: string, before?: number): Promise<void>

  /**
   * Forgets a subject as if it had never existed, up to and with a sequence (default: whatever there is). Only for
   * subjects whose last record is a long-past tombstone, never for the tombstone alone.
   */
  purge(subject: string, through?: number): Promise<void>

  /**
   * True when the adapter itself makes appends that are in flight together durable together (one fsync), each group still
   * atomic on its own: a group committer hands them straight on.
   */
  readonly groupsAppends: boolean

  /** Identity of the stream: never the same again for another stream, also one of the same name. */
  readonly incarnation: string

  close(): Promise<void>
}

/** The store of wrapped keys: a log of its own, of which the last record of each subject counts, and what was before it goes for good. */
export interface KeyLog extends EventLog {
  /** Forgets all records of a subject but the newest, and overwrites where they lay. */
  erase(subject: string): Promise<void>
}

export interface FollowOptions {
  readonly subjects: readonly string[]
  readonly from?: number
  readonly signal: AbortSignal
}

/** The three streams of a cluster; see DESIGN.md, "Streams and subjects". */
export interface ClusterLog {
  /** Every change of every durable object, guards, decisions and seals. */
  readonly events: EventLog
  /** Lease objects: the last per subject. */
  readonly leases: EventLog
  /** Event objects: expiring. */
  readonly objectEvents: EventLog
  /** Wrapped keys of encrypted payloads. No part of the log: what is erased here makes records there unreadable. */
  readonly keys: KeyLog
  /** `embedded`, or `jetstream` with the server's version, for people. */
  readonly description: string
  close(): Promise<void>
}

/** The log cannot be reached or gave no answer in time. */
export class LogUnavailable extends Error {
  override readonly name = 'LogUnavailable'
  /** True when records of the append may have been stored all the same. */
  readonly ambiguous: boolean
  constructor(message: string, options: { ambiguous: boolean; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.ambiguous = options.ambiguous
  }
}

/** The log cannot be reached, or is too slow to answer: to ask again later may help. */
export class LogUnanswered extends LogUnavailable {
  constructor(message: string) {
    super(message, { ambiguous: false })
  }
}

/** The log is damaged: start-up must stop. The message names subject and sequence. */
export class LogDamaged extends Error {
  override readonly name = 'LogDamaged'
}
