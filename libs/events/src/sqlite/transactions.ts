// The transactions of the embedded log, shared by all streams of a file. Appends of one turn of the event loop are in one
// transaction: concurrent writers share one fsync, and a lone append waits for nobody.
import type { Append, AppendResult } from '../event-log.ts'
import { LogUnavailable } from '../event-log.ts'
import { asLogError, type LogDatabase } from './database.ts'

/** Most appends that wait for the next transaction. */
const queuedGroupsMax = 10_000
/** Most members of one transaction; more wait for the next turn. */
export const transactionMembersMax = 2000

/** What a stream does in a transaction. */
export interface TransactionPart {
  /** Stores the group, or says why not. Runs inside the transaction. */
  store(group: readonly Append[]): AppendResult
  /** The transaction is on disk, or it is not: what was stored is handed over, or forgotten. */
  settle(committed: boolean): void
}

export interface Transactions {
  /** Resolves when the transaction that holds the group is on disk, or with the conflict that kept it out. */
  append(part: TransactionPart, group: readonly Append[]): Promise<AppendResult>
  /** Runs an action in a transaction of its own; its part is settled. */
  runAlone(part: TransactionPart, action: () => void): void
  close(): void
}

interface QueuedAppend {
  readonly part: TransactionPart
  readonly group: readonly Append[]
  resolve(result: AppendResult): void
  reject(error: unknown): void
}

export function createTransactions({ database, file }: LogDatabase): Transactions {
  let queue: QueuedAppend[] = []
  let scheduled = false
  let closed = false

  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    // The check phase follows the poll phase: all requests that one turn of the loop brought in are in the queue by then.
    setImmediate(flush)
  }

  const rollBack = (): void => {
    try {
      if (database.isTransaction) database.exec('ROLLBACK')
    } catch {
      // SQLite has rolled back by itself.
    }
  }

  const flush = (): void => {
    scheduled = false
    if (queue.length === 0) return
    const size = nextSize(queue)
    const appends = queue.slice(0, size)
    queue = queue.slice(size)
    if (queue.length > 0) schedule()
    const parts = new Set(appends.map(({ part }) => part))
    let results: AppendResult[]
    try {
      database.exec('BEGIN IMMEDIATE')
      results = appends.map(({ part, group }) => part.store(group))
      database.exec('COMMIT')
    } catch (error) {
      rollBack()
      for (const part of parts) part.settle(false)
      for (const { group, reject } of appends) reject(asLogError(error, file, ` near ${group[0]?.subject}`))
      return
    }
    for (const part of parts) part.settle(true)
    for (const [index, { resolve }] of appends.entries()) resolve(results[index]!)
  }

  return {
    append: (part, group) =>
      new Promise((resolve, reject) => {
        if (closed) throw new LogUnavailable('The log is closed', { ambiguous: false })
        if (queue.length >= queuedGroupsMax) {
          throw new LogUnavailable('Too many appends wait for the log', { ambiguous: false })
        }
        queue.push({ part, group, resolve, reject })
        schedule()
      }),
    runAlone(part, action) {
      try {
        database.exec('BEGIN IMMEDIATE')
        action()
        database.exec('COMMIT')
      } catch (error) {
        rollBack()
        part.settle(false)
        throw asLogError(error, file)
      }
      part.settle(true)
    },
    close() {
      if (queue.length > 0) flush()
      closed = true
      for (const { reject } of queue) reject(new LogUnavailable('The log is closed', { ambiguous: false }))
      queue = []
    },
  }
}

/** How many of the waiting appends go into the next transaction: at least one. */
export function nextSize(queue: readonly { readonly group: readonly unknown[] }[]): number {
  let members = 0
  let size = 0
  while (size < queue.length && members < transactionMembersMax) {
    members += queue[size]!.group.length
    size += 1
  }
  return size
}
