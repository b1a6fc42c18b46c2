// The embedded server as a child that may be killed, and whose parent may be.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { eventually } from '@shiplog/testing/eventually'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createPool } from './database.ts'
import { startEmbeddedPostgres } from './embedded-postgres.ts'
import { postgresHome, removePostgresHome } from './postgres-home.ts'

let dataDir = ''
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'shiplog-postgres-'))
})
afterEach(() => {
  removePostgresHome(dataDir)
  rmSync(dataDir, { recursive: true, force: true })
})

const start = () => startEmbeddedPostgres({ dataDir, clock: systemClock, ids: systemIds })

async function ask(url: string, query: string): Promise<any> {
  const pool = createPool({ url, applicationName: 'test', statementTimeoutMs: 5_000 })
  try {
    return (await pool.query(query)).rows[0]
  } finally {
    await pool.end()
  }
}

/** Asks until the answer is as expected, or time is up. */
const patiently = { withinMs: 40_000, everyMs: 50 }

test('keeps what it holds over stops and kills, and comes back by itself', async () => {
  const first = await start()
  await ask(first.adminUrl, 'create table kept (n int)')
  const { pid } = await ask(first.adminUrl, `select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int as pid`)
  process.kill(pid, 'SIGKILL')
  await eventually(async () => (await ask(first.adminUrl, 'select count(*)::int as n from kept')).n === 0, patiently)
  await first.stop()
  await expect(ask(first.adminUrl, 'select 1')).rejects.toThrow()
  const second = await start()
  expect((await ask(second.adminUrl, 'select count(*)::int as n from kept')).n).toBe(0)
  await expect(ask(second.adminUrl.replace(/:[0-9a-f]{32}@/, ':wrong@'), 'select 1')).rejects.toThrow(/password/)
  await second.stop()
}, 90_000)

test('begins anew when the data directory was made anew', async () => {
  const first = await start()
  await ask(first.adminUrl, 'create table kept (n int)')
  await first.stop()
  rmSync(join(dataDir, 'postgres-secret'))
  const second = await start()
  await expect(ask(second.adminUrl, 'select * from kept')).rejects.toThrow(/does not exist/)
  await second.stop()
}, 90_000)

test('ends when the process that started it is killed', async () => {
  const holder = spawn(process.execPath, [join(import.meta.dirname, 'testing/postgres-holder.ts'), dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const url = await new Promise<string>((resolve) =>
    holder.stdout.once('data', (line: Buffer) => resolve(String(line).trim())),
  )
  expect((await ask(url, 'select 1 as one')).one).toBe(1)
  holder.kill('SIGKILL')
  await eventually(
    () =>
      ask(url, 'select 1').then(
        () => false,
        () => true,
      ),
    patiently,
  )
}, 90_000)

test('whose home is removed while it runs is made anew, with what it must be given, and takes nobody along', async () => {
  let prepared = 0
  const ends: string[] = []
  const server = await startEmbeddedPostgres({
    dataDir,
    clock: systemClock,
    ids: systemIds,
    onEnd: (how) => ends.push(how),
    prepare: async ({ adminUrl }) => {
      prepared += 1
      await ask(adminUrl, 'create table if not exists prepared (n int)')
    },
  })
  rmSync(postgresHome(dataDir), { recursive: true })
  await eventually(async () => prepared === 2 && server.lives().running, patiently)
  expect((await ask(server.adminUrl, 'select count(*)::int as n from prepared')).n).toBe(0)
  expect(server.lives().restarts).toBeGreaterThan(0)
  expect(ends.length).toBeGreaterThan(0)
  await server.stop()
}, 90_000)

test('two clusters of one user share no directory, and one that is removed leaves the other alone', async () => {
  const other = mkdtempSync(join(tmpdir(), 'shiplog-postgres-'))
  expect(postgresHome(other)).not.toBe(postgresHome(dataDir))
  // What is above them is the machine's, or each one's own data directory.
  expect(['/var/lib', other]).toContain(dirname(postgresHome(other)))
  const [one, two] = await Promise.all([
    start(),
    startEmbeddedPostgres({ dataDir: other, clock: systemClock, ids: systemIds }),
  ])
  await one.stop()
  removePostgresHome(dataDir)
  expect((await ask(two.adminUrl, 'select 1 as one')).one).toBe(1)
  await two.stop()
  removePostgresHome(other)
  rmSync(other, { recursive: true, force: true })
}, 90_000)
