// What a stream does inside a transaction: checks the expectations of a group, stores it, and drops what has expired.
import type { SQLInputValue } from 'node:sqlite'
import type { Clock } from '@shiplog/runtime/clock'
import type { Append, AppendResult, LogRecord } from '../event-log.ts'
import { expiryMarkerHeaders, markerTtlSeconds } from '../expiry.ts'
import type { RecordRow } from './sqlite-record.ts'
import { recordColumns } from './sqlite-record.ts'
import type { StreamTable } from './stream-table.ts'
import { type TransactionPart, type Transactions, transactionMembersMax } from './transactions.ts'

const msPerSecond = 1000

export interface StreamWriter extends TransactionPart {
  /** Drops what has expired and leaves markers. */
  sweep(transactions: Transactions): void
}

/** `onStored` is told of records when their transaction is on disk. */
export function createStreamWriter(
  table: StreamTable,
  clock: Clock,
  onStored: (records: readonly LogRecord[]) => void,
): StreamWriter {
  const { name, shape, statements } = table
  /** What the transaction under way has stored. */
  let stored: LogRecord[] = []

  const write = ({ subject, headers, payload, ttlSeconds, timeMs }: Omit<Append, 'expected'>): number => {
    const sequence = table.lastSequence + 1
    const storedMs = Math.max(table.lastTimeMs, timeMs ?? clock.nowMs())
    const values: SQLInputValue[] = [sequence, subject, storedMs, JSON.stringify(headers), payload]
    if (shape.expiry) values.push(ttlSeconds === undefined ? null : storedMs + ttlSeconds * msPerSecond)
    statements.insert.run(...values)
    if (shape.lastPerSubject) statements.dropBefore.run(subject, sequence)
    table.lastSequence = sequence
    table.lastTimeMs = storedMs
    stored.push({ subject, sequence, timeMs: storedMs, headers, payload })
    return sequence
  }

  const writer: StreamWriter = {
    store(group): AppendResult {
      for (const { subject, expected } of group) {
        if (expected === undefined) continue
        const actual = table.lastSequenceOf(subject)
        if (actual !== expected) return { ok: false, conflict: { subject, expected, actual } }
      }
      const sequences = group.map(write)
      statements.setLast.run(table.lastSequence, name)
      return { ok: true, sequences }
    },
    settle(committed) {
      const records = stored
      stored = []
      if (records.length === 0) return
      if (committed) onStored(records)
      else table.lastSequence = records[0]!.sequence - 1
    },
    sweep(transactions) {
      if (!table.database.isOpen) return
      const expired = table
        .query<RecordRow>(
          `SELECT ${recordColumns} FROM ${name} WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ${transactionMembersMax}`,
        )
        .all(clock.nowMs())
      if (expired.length === 0) return
      const drop = table.database.prepare(`DELETE FROM ${name} WHERE sequence = ?`)
      transactions.runAlone(writer, () => {
        for (const [sequence, subject, , , payload] of expired) {
          drop.run(sequence)
          const isMarker = payload.length === 0
          if (!isMarker) write({ subject, headers: expiryMarkerHeaders, payload: noBytes, ttlSeconds: markerTtlSeconds })
        }
        statements.setLast.run(table.lastSequence, name)
      })
    },
  }
  return writer
}

const noBytes = new Uint8Array(0)
