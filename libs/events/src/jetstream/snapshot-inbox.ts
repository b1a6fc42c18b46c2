// What an ordered consumer has delivered of a snapshot and its reader has not taken yet, and whether the snapshot is over.
import type { LogRecord } from '../event-log.ts'
import type { SubjectFilter } from '../subject-filter.ts'

export interface SnapshotInbox {
  /** The consumer begins (again) and promises this many records. */
  begin(pending: number): void
  /** `pending`: how many records the server still has behind this one. */
  put(record: LogRecord, pending: number): void
  /** The server has nothing more to send. */
  idle(): void
  /** The server waits for this answer before it sends more. */
  owe(answer: () => void): void
  fail(error: unknown): void
  /** Everything so far, once. Throws what the consumer failed with. */
  take(): SnapshotPart
  /** Resolves when there is something new, or after `wake`. */
  changed(): Promise<void>
  wake(): void
}

export interface SnapshotPart {
  readonly records: readonly LogRecord[]
  /** To be called when the records have been handed over. */
  readonly answers: readonly (() => void)[]
  /** The last part. */
  readonly ended: boolean
  /** It ended before everything came that was promised. */
  readonly short: boolean
}

export function createSnapshotInbox(matches: SubjectFilter): SnapshotInbox {
  let records: LogRecord[] = []
  let answers: (() => void)[] = []
  /** The last sequence that was put here. */
  let reached = 0
  /** How many of the promised records have not come. */
  let left = Number.POSITIVE_INFINITY
  let short = false
  let failure: { readonly error: unknown } | undefined
  let isNew = false
  let resume = (): void => undefined

  const wake = (): void => {
    isNew = true
    resume()
  }

  return {
    begin(pending) {
      left = pending
      short = false
      wake()
    },
    put(record, pending) {
      left -= 1
      if (pending === 0 && left > 0) short = true
      // A consumer that had to begin again sends the snapshot from its start: what was handed over before is skipped.
      if (record.sequence > reached) {
        if (matches(record.subject)) records.push(record)
        reached = record.sequence
      }
      wake()
    },
    idle() {
      short = left > 0
      wake()
    },
    owe(answer) {
      answers.push(answer)
      wake()
    },
    fail(error) {
      failure = { error }
      wake()
    },
    take() {
      if (failure) throw failure.error
      const part = { records, answers, ended: left <= 0 || short, short }
      records = []
      answers = []
      isNew = false
      return part
    },
    changed: () =>
      isNew
        ? Promise.resolve()
        : new Promise((resolve) => {
            resume = resolve
          }),
    wake,
  }
}
