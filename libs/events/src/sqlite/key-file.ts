// The wrapped keys of encrypted payloads, in a file of their own beside the log: `keys.db`. A copy of the log has none of
// them, and what is erased is overwritten in the file and in its journal.
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { KeyLog } from '../event-log.ts'
import { asLogError, openLogDatabase } from './database.ts'
import { openStream } from './stream.ts'
import { createStreamList, openStreamTable, type StreamTable } from './stream-table.ts'
import { createTransactions } from './transactions.ts'

export interface KeyFile {
  readonly log: KeyLog
  close(): void
}

/** Opens `keys.db` in the data directory, making it when it does not exist. */
export function openKeyFile(dataDir: string, clock: Clock, ids: Ids): KeyFile {
  const file = openLogDatabase(dataDir, 'keys.db')
  const { database } = file
  const transactions = createTransactions(file)
  let table: StreamTable
  try {
    database.exec('PRAGMA secure_delete = ON')
    database.exec('BEGIN IMMEDIATE')
    createStreamList(database)
    table = openStreamTable(file, 'keys', { lastPerSubject: false, expiry: false }, ids)
    database.exec('COMMIT')
  } catch (error) {
    database.close()
    throw asLogError(error, file.file)
  }
  const { log, hub } = openStream(table, transactions, clock)
  return {
    log: {
      ...log,
      erase: async (subject) => {
        await log.compact(subject)
        // The journal holds older pages until it is written back and cut.
        file.run(() => database.exec('PRAGMA wal_checkpoint(TRUNCATE)'))
      },
    },
    close() {
      transactions.close()
      hub.end()
      database.close()
    },
  }
}
