// One stream of a file: the EventLog port over its table.
import type { Clock } from '@shiplog/runtime/clock'
import { checkGroup } from '../commit/append-checks.ts'
import { createFollowHub, type FollowHub } from '../commit/follow-hub.ts'
import type { EventLog, FollowOptions, LogRecord } from '../event-log.ts'
import { readRange, stateAt } from './stream-reader.ts'
import type { StreamTable } from './stream-table.ts'
import { createStreamWriter, type StreamWriter } from './stream-writer.ts'
import type { Transactions } from './transactions.ts'

export interface SqliteStream {
  readonly log: EventLog
  readonly hub: FollowHub
  readonly writer: StreamWriter
}

export function openStream(table: StreamTable, transactions: Transactions, clock: Clock): SqliteStream {
  const hub = createFollowHub(table.lastSequence + 1, (from, to, subjects) => readRange(table, { from, to, subjects }))
  const writer = createStreamWriter(table, clock, (records) => hub.push(records))
  const { statements, run } = table
  const log: EventLog = {
    incarnation: table.incarnation,
    groupsAppends: true,
    append: async (group) => {
      checkGroup(group)
      return await transactions.append(writer, group)
    },
    read: (options) => readRange(table, options),
    get: async (sequence) => run(() => table.record(statements.at, sequence), ` at sequence ${sequence}`),
    last: async (subject) => run(() => table.record(statements.lastOf, subject), ` at ${subject}`),
    lastUpTo: async (subject, sequence) =>
      run(() => table.record(statements.lastUpTo, subject, sequence), ` at ${subject}`),
    stateAt: (sequence, subjects) => stateAt(table, sequence, subjects),
    follow: (options) => follow(table, hub, options),
    lastSequence: async () => table.lastSequence,
    firstSequence: async () => run(() => statements.first.get()![0] ?? table.lastSequence + 1),
    recordCount: async () => run(() => statements.count.get()![0]),
    countBySubject: async () => run(() => new Map(statements.countBySubject.all())),
    skipTo: async (sequence) => run(() => skipTo(table, hub, sequence)),
    compact: async (subject, before) =>
      run(() => {
        const last = table.lastSequenceOf(subject)
        statements.dropBefore.run(subject, Math.min(last, before ?? last))
      }, ` at ${subject}`),
    purge: async (subject, through = table.lastSequence) =>
      run(() => void statements.dropBefore.run(subject, through + 1), ` at ${subject}`),
    close: async () => hub.end(),
  }
  return { log, hub, writer }
}

async function* follow(
  table: StreamTable,
  hub: FollowHub,
  { from, subjects, signal }: FollowOptions,
): AsyncIterable<readonly LogRecord[]> {
  let next = from
  if (next === undefined) {
    const through = table.lastSequence
    // A record that is superseded while the state is read is left out, and its successor comes with what follows.
    yield* stateAt(table, through, subjects, signal)
    next = through + 1
  }
  if (signal.aborted) return
  yield []
  yield* hub.follow({ from: next, subjects, signal })
}

function skipTo(table: StreamTable, hub: FollowHub, sequence: number): void {
  if (sequence <= table.lastSequence) return
  table.statements.setLast.run(sequence, table.name)
  table.lastSequence = sequence
  hub.push([], sequence)
}
