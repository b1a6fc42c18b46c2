// The embedded log: the EventLog port on one SQLite file, for one process on one machine. node:sqlite is synchronous: an
// append blocks the event loop for the time of its commit, which is the price of having no second thread. This file puts
// the parts together; each part is a file beside it.
import { type Clock, systemClock } from '@shiplog/runtime/clock'
import { type Ids, systemIds } from '@shiplog/runtime/ids'
import { checkGroup } from '../commit/append-checks.ts'
import { createFollowHub, type FollowHub } from '../commit/follow-hub.ts'
import { type ClusterLog, type EventLog, type FollowOptions, type LogRecord, LogUnavailable } from '../event-log.ts'
import { asLogError, inMemory, openLogDatabase } from './database.ts'
import { readRange, stateAt } from './stream-reader.ts'
import { createStreamList, openStreamTable, type StreamTable } from './stream-table.ts'
import { createStreamWriter, type StreamWriter } from './stream-writer.ts'
import { createTransactions, type Transactions } from './transactions.ts'

/** How often expired records are looked for. */
const sweepIntervalMs = 1000

export interface SqliteLogOptions {
  /** Where the file `log.db` lies; `:memory:` for a log that ends with the process (tests, simulations). */
  readonly dataDir: string
  readonly clock?: Clock
  readonly ids?: Ids
}

/** Opens the embedded log, making it when it does not exist. Fails when another process has it open. */
export async function openSqliteClusterLog(options: SqliteLogOptions): Promise<ClusterLog> {
  const { dataDir, clock = systemClock, ids = systemIds } = options
  const file = openLogDatabase(dataDir)
  const { database } = file
  const transactions = createTransactions(file)
  let tables: readonly [StreamTable, StreamTable, StreamTable]
  try {
    database.exec('BEGIN IMMEDIATE')
    createStreamList(database)
    tables = [
      openStreamTable(file, 'events', { lastPerSubject: false, expiry: false }, ids),
      openStreamTable(file, 'leases', { lastPerSubject: true, expiry: false }, ids),
      openStreamTable(file, 'object_events', { lastPerSubject: true, expiry: true }, ids),
    ]
    database.exec('COMMIT')
  } catch (error) {
    database.close()
    throw asLogError(error, file.file)
  }
  const events = openStream(tables[0], transactions, clock)
  const leases = openStream(tables[1], transactions, clock)
  const objectEvents = openStream(tables[2], transactions, clock)
  // On a full disk nothing can expire; that is no reason to end, and it is tried again.
  const sweep = (): void => {
    try {
      objectEvents.writer.sweep(transactions)
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error
    }
  }
  sweep()
  const sweeper = clock.every(sweepIntervalMs, sweep)
  let closed = false
  return {
    events: events.log,
    leases: leases.log,
    objectEvents: objectEvents.log,
    description: dataDir === inMemory ? 'embedded (in memory)' : 'embedded (SQLite)',
    close: async () => {
      if (closed) return
      closed = true
      sweeper[Symbol.dispose]()
      transactions.close()
      for (const { hub } of [events, leases, objectEvents]) hub.end()
      database.close()
    },
  }
}

interface SqliteStream {
  readonly log: EventLog
  readonly hub: FollowHub
  readonly writer: StreamWriter
}

function openStream(table: StreamTable, transactions: Transactions, clock: Clock): SqliteStream {
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
