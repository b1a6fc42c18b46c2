// What a reader cannot do to the machine, however it sets its session: on the real embedded server.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createPool, readerRole } from './database.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts'
import { removePostgresHome } from './postgres-home.ts'
import { allowLogin, prepare } from './postgres-read-model.ts'
import { endStatements, limitReaderConnections, superviseReaders } from './reader-limits.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'shiplog-limits-'))
let server: EmbeddedPostgres
let owner: pg.Pool
beforeAll(async () => {
  server = await startEmbeddedPostgres({ dataDir, clock: systemClock, ids: systemIds })
  owner = createPool({ url: server.adminUrl, applicationName: 'test', statementTimeoutMs: 10_000 })
  await prepare(owner)
  await allowLogin(owner, { [readerRole]: server.passwordOf(readerRole) })
  await limitReaderConnections(owner)
}, 120_000)
afterAll(async () => {
  await owner.end()
  await server.stop()
  removePostgresHome(dataDir)
  rmSync(dataDir, { recursive: true, force: true })
})

const clients: pg.Client[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)))
})
async function reader(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.urlOf(readerRole) })
  client.on('error', () => undefined)
  clients.push(client)
  await client.connect()
  return client
}

test('a statement ends at the limit although the session has lifted its own; one that resists loses its connection', async () => {
  const limits = { statementMs: 500, graceMs: 500, idleInTransactionMs: 500, lookMs: 50 }
  await endStatements(owner, limits)
  using _supervisor = superviseReaders({ pool: owner, clock: systemClock, limits })
  const client = await reader()
  await client.query('set statement_timeout = 0')
  await expect(
    client.query('select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b'),
  ).rejects.toThrow('canceling statement')
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  const stubborn = client.query(
    'do $$ begin loop begin perform pg_sleep(60); exception when query_canceled then null; end; end loop; end $$',
  )
  await expect(stubborn).rejects.toThrow(/terminating connection|Connection terminated/)

  const idle = await reader()
  await idle.query('set idle_in_transaction_session_timeout = 0; begin; select 1')
  await expect
    .poll(() => idle.query('select 1').then(() => 'alive', () => 'ended'), { timeout: 10_000, interval: 1_500 })
    .toBe('ended')
}, 60_000)

test('connections are counted, and the owner has one in any case', async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 34 }, reader))
  const refused = outcomes.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
  expect(outcomes.length - refused.length).toBe(16)
  for (const { reason } of refused) expect(String(reason)).toContain('too many connections for role')
  expect((await owner.query('select 1 as one')).rows).toEqual([{ one: 1 }])
}, 60_000)

test('room on disk and memory of one query have a bound that the role cannot lift', async () => {
  const client = await reader()
  await expect(client.query('set temp_file_limit = -1')).rejects.toThrow('permission denied')
  await client.query("set work_mem = '64GB'")
  await expect(
    client.query('select cardinality(array_agg(repeat(i::text, 3000))) from generate_series(1, 100000) i'),
  ).rejects.toThrow(/out of memory|memory alloc/)
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
}, 120_000)

test.skipIf(process.platform !== 'linux')('the server and its connections run at low priority', async () => {
  const client = await reader()
  const { rows } = await client.query('select pg_backend_pid() as pid')
  const stat = readFileSync(`/proc/${rows[0].pid}/stat`, 'utf8')
  expect(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])).toBeGreaterThanOrEqual(10)
})
