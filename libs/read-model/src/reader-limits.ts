// What those who read by SQL may take of the machine, and cannot lift: any role may `set statement_timeout = 0`, so their
// statements are looked at from outside, by the owner's connection, and ended. Connections are counted by the server.
import type { Clock } from '@shiplog/runtime/clock'
import type pg from 'pg'
import { readerRole, secretReaderRole } from './database.ts'

export interface ReaderLimits {
  /** A statement that runs for longer is cancelled. */
  readonly statementMs: number
  /** One that goes on after that, or a transaction in which nothing happens, costs its connection. */
  readonly graceMs: number
  readonly idleInTransactionMs: number
  readonly lookMs: number
}

export const readerLimits: ReaderLimits = {
  statementMs: 60_000,
  graceMs: 5_000,
  idleInTransactionMs: 600_000,
  lookMs: 1_000,
}

/** Of 40 connections of the server: what the projector, a migration and the supervisor need is left in any case. */
const connectionLimits: Readonly<Record<string, number>> = { [readerRole]: 16, [secretReaderRole]: 6 }

/** Counts the connections of readers from now on; for the owner of the server. */
export async function limitReaderConnections(pool: pg.Pool): Promise<void> {
  for (const [role, limit] of Object.entries(connectionLimits)) {
    await pool.query(`alter role ${role} connection limit ${limit}`)
  }
}

/** Looks at the readers' statements until it is disposed; a look that fails is made again. */
export function superviseReaders(deps: {
  readonly pool: pg.Pool
  readonly clock: Clock
  readonly limits?: ReaderLimits
  readonly onEnded?: (statements: number) => void
}): Disposable {
  const { pool, clock, limits = readerLimits } = deps
  let looking = false
  return clock.every(limits.lookMs, () => {
    if (looking) return
    looking = true
    endStatements(pool, limits)
      .then(
        (ended) => ended > 0 && deps.onEnded?.(ended),
        () => undefined,
      )
      .finally(() => {
        looking = false
      })
  })
}

/** Gives how many were told to end. */
export async function endStatements(pool: pg.Pool, limits: ReaderLimits): Promise<number> {
  const { rows } = await pool.query<{ ended: number }>(
    `select count(*)::int as ended from (
       select case
         when state = 'active' and now_ - query_start > ($2::float8 + $3::float8) * interval '1 ms' then pg_terminate_backend(pid)
         when state = 'active' then pg_cancel_backend(pid)
         else pg_terminate_backend(pid) end
       from (select *, clock_timestamp() as now_ from pg_stat_activity) a
       where usename = any($1::text[]) and (
         (state in ('active', 'fastpath function call') and now_ - query_start > $2::float8 * interval '1 ms')
         or (state like 'idle in transaction%' and now_ - state_change > $4::float8 * interval '1 ms'))
     ) as told`,
    [[readerRole, secretReaderRole], limits.statementMs, limits.graceMs, limits.idleInTransactionMs],
  )
  return rows[0]?.ended ?? 0
}
