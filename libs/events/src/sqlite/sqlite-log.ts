// The embedded log: the EventLog port on one SQLite file, for one process on one machine. node:sqlite is synchronous: an
// append blocks the event loop for the time of its commit, which is the price of having no second thread. This file puts
// the parts together; each part is a file beside it.
import { type Clock, systemClock } from '@shiplog/runtime/clock'
import { type Ids, systemIds } from '@shiplog/runtime/ids'
import { type ClusterLog, LogUnavailable } from '../event-log.ts'
import { asLogError, inMemory, openLogDatabase } from './database.ts'
import { type KeyFile, openKeyFile } from './key-file.ts'
import { openStream } from './stream.ts'
import { createStreamList, openStreamTable, type StreamTable } from './stream-table.ts'
import { createTransactions } from './transactions.ts'

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
  let keys: KeyFile
  try {
    database.exec('BEGIN IMMEDIATE')
    createStreamList(database)
    tables = [
      openStreamTable(file, 'events', { lastPerSubject: false, expiry: false }, ids),
      openStreamTable(file, 'leases', { lastPerSubject: true, expiry: false }, ids),
      openStreamTable(file, 'object_events', { lastPerSubject: true, expiry: true }, ids),
    ]
    database.exec('COMMIT')
    keys = openKeyFile(dataDir, clock, ids)
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
    keys: keys.log,
    description: dataDir === inMemory ? 'embedded (in memory)' : 'embedded (SQLite)',
    close: async () => {
      if (closed) return
      closed = true
      sweeper[Symbol.dispose]()
      transactions.close()
      for (const { hub } of [events, leases, objectEvents]) hub.end()
      database.close()
      keys.close()
    },
  }
}
