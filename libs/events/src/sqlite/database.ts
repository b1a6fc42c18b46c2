// The file of the embedded log: how it is opened, and its errors in the words of the EventLog port.
import { closeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describeDisk, makeRoom } from '@shiplog/runtime/disk-space'
import { closeFile, openSecretFile, secretDirectory } from '@shiplog/runtime/secret-files'
import { LogDamaged, LogUnavailable } from '../event-log.ts'

/** A data directory that stands for no file at all: the log ends with the process. */
export const inMemory = ':memory:'

export interface LogDatabase {
  readonly database: DatabaseSync
  /** Its path, for messages. */
  readonly file: string
  /** Runs a synchronous action; its errors become those of the port. `where` is part of what is said of damage. */
  run<T>(action: () => T, where?: string): T
}

/** Opens a file in the data directory (`log.db`, `keys.db`), making both when they do not exist. */
export function openLogDatabase(dataDir: string, name = 'log.db'): LogDatabase {
  const file = dataDir === inMemory ? inMemory : secretLogFile(dataDir, name)
  const database = openDatabase(file)
  return {
    database,
    file,
    run(action, where) {
      if (!database.isOpen) throw new LogUnavailable('The log is closed', { ambiguous: false })
      try {
        return action()
      } catch (error) {
        throw asLogError(error, file, where)
      }
    },
  }
}

/** SQLite gives the files beside a database (-wal, -shm) its mode: it is closed to others before there is anything in it. */
function secretLogFile(dataDir: string, name: string): string {
  const file = join(dataDir, name)
  secretDirectory(dataDir)
  closeSync(openSecretFile(file, 'a'))
  for (const beside of ['-wal', '-shm', '-journal']) closeFile(`${file}${beside}`)
  return file
}

function openDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    // The exclusive lock is held until the process ends, however it ends; it keeps a second process out.
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    database.exec('PRAGMA page_size = 8192')
    database.exec('PRAGMA journal_mode = WAL')
    database.exec('PRAGMA synchronous = FULL')
    // A checkpoint holds up the commit that it comes with: with four times as many pages it was 33 ms instead of 11.
    database.exec('PRAGMA wal_autocheckpoint = 1000')
    database.exec('PRAGMA cell_size_check = ON')
    return database
  } catch (error) {
    database.close()
    throw asLogError(error, file)
  }
}

/** SQLite's error as one of the port's. */
export function asLogError(error: unknown, file: string, where = ''): Error {
  if (error instanceof LogDamaged || error instanceof LogUnavailable || error instanceof TypeError) return error
  const code = (error as { errcode?: number }).errcode ?? 0
  const message = error instanceof Error ? error.message : String(error)
  // The low byte is the primary result code.
  switch (code & 0xff) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return new LogUnavailable(`The log ${file} is in use by another process`, { ambiguous: false, cause: error })
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return new LogDamaged(`The log ${file} is damaged${where}: ${message}`, { cause: error })
    case 13: // SQLITE_FULL
      return new LogUnavailable(
        `The log ${file}: no space left on the log's disk (SQLite: ${message}); ${describeDisk(dirname(file), makeRoom)}`,
        { ambiguous: false, cause: error },
      )
    default:
      return new LogUnavailable(`The log ${file}: ${message}`, { ambiguous: false, cause: error })
  }
}
