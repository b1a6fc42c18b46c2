// Gives the room of forgotten records back to the disk. SQLite would use it again, but a file only grows by itself.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** For the log of a stopped cluster; needs as much free room as the log takes. */
export function shrinkSqliteLog(dataDir: string): void {
  const database = new DatabaseSync(join(dataDir, 'log.db'), { timeout: 0 })
  try {
    database.exec('VACUUM')
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } finally {
    database.close()
  }
}
