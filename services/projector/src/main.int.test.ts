// Projectors as processes on a real nats-server and a real PostgreSQL: two of them, each killed with -9 while the log
// grows, NATS and PostgreSQL killed under them; in the end the tables are what a fold of the log says, and what a
// projector makes of the log that never met a fault.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClusterLog } from '@shiplog/events/event-log'
import { connectJetStreamClusterLog } from '@shiplog/events/jetstream/jetstream-log'
import { provideNatsServer } from '@shiplog/nats-server/nats-binary'
import { type NatsChild, startNatsServer } from '@shiplog/nats-server/nats-child'
import { createPool } from '@shiplog/read-model/database'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@shiplog/read-model/embedded-postgres'
import { createPostgresReadModel } from '@shiplog/read-model/postgres-read-model'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { eventually } from '@shiplog/testing/eventually'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createProjector } from './projector.ts'
import { caughtUp, dump } from './testing/dump.ts'
import { createRandomLog } from './testing/random-log.ts'
import { expectTablesToBe } from './testing/tables.ts'

const directory = mkdtempSync(join(tmpdir(), 'shiplog-projectors-'))
const credentials = join(directory, 'reader.json')
const growEvents = 600
const limitMs = 30_000

let nats: NatsChild
let postgres: EmbeddedPostgres
let log: ClusterLog
let pool: ReturnType<typeof createPool>

interface Process {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  output: string
  healthPort: number | undefined
}
const processes: Process[] = []

/** The first line of this file is the process id of the server. */
const postmasterFile = async (): Promise<string> => {
  const { rows } = await pool.query<{ data_directory: string }>('show data_directory')
  return join(rows[0]!.data_directory, 'postmaster.pid')
}
const poolOf = () => createPool({ url: postgres.adminUrl, applicationName: 'test', statementTimeoutMs: 20_000 })

function start(): Process {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      SHIPLOG_NATS_URL: nats.url,
      SHIPLOG_NATS_CREDENTIALS: credentials,
      SHIPLOG_POSTGRES_URL: postgres.adminUrl,
      SHIPLOG_HEALTH_HOST: '127.0.0.1',
      SHIPLOG_HEALTH_PORT: '0',
    },
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const started: Process = { child, exited, output: '', healthPort: undefined }
  child.stderr!.on('data', (chunk: Buffer) => {
    started.output += chunk.toString()
    started.healthPort ??= Number(/"healthPort":(\d+)/.exec(started.output)?.[1]) || undefined
  })
  processes.push(started)
  return started
}

const until = (what: string, look: () => Promise<boolean>): Promise<true> =>
  eventually(what, look, {
    withinMs: limitMs,
    everyMs: 50,
    details: () => processes.map(({ output }) => output).join('\n──\n'),
  })

async function kill({ child, exited }: Process): Promise<void> {
  child.kill('SIGKILL')
  await exited
}

const metrics = async ({ healthPort }: Process): Promise<string> =>
  await (await fetch(`http://127.0.0.1:${healthPort}/metrics`)).text()
const isReady = async ({ healthPort }: Process): Promise<boolean> =>
  healthPort !== undefined && (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).ok
/** Streams on which this process has projected something. */
const worksOn = async (one: Process): Promise<number> =>
  [...(await metrics(one)).matchAll(/^shiplog_projector_events_total\{.*\} [1-9]/gm)].length

beforeAll(async () => {
  const binary = await provideNatsServer()
  if (binary === undefined) throw new Error('this test needs a nats-server')
  nats = await startNatsServer({ binary: binary.path, dataDir: directory })
  writeFileSync(credentials, JSON.stringify(nats.credentials.reader))
  postgres = await startEmbeddedPostgres({ dataDir: directory, clock, ids: systemIds })
  log = await connectJetStreamClusterLog({ servers: nats.url, credentials: nats.credentials.gateway })
  pool = poolOf()
}, 60_000)

afterAll(async () => {
  for (const one of processes) one.child.kill('SIGKILL')
  await pool?.end()
  await log?.close()
  await nats?.stop()
  await postgres?.stop()
  rmSync(directory, { recursive: true, force: true })
})

test('two projectors, killed in turn with NATS and PostgreSQL, leave neither gaps nor doubles', {
  timeout: 120_000,
}, async () => {
  const random = createRandomLog(log, 7)
  const [first, second] = [start(), start()]
  await random.grow(growEvents)
  await until('both are ready', async () => (await isReady(first)) && (await isReady(second)))
  await caughtUp(pool, log)
  // Each stream is written by one of them, the other stands by.
  expect((await worksOn(first)) + (await worksOn(second))).toBe(3)

  await Promise.all([random.grow(growEvents), kill(first)])
  await Promise.all([random.grow(growEvents), caughtUp(pool, log, limitMs)])
  const third = start()
  await until('the third is ready', () => isReady(third))
  await Promise.all([random.grow(growEvents), kill(second)])
  await caughtUp(pool, log, limitMs)

  nats.kill()
  await random.grow(growEvents)
  await caughtUp(pool, log, limitMs)

  const [pid] = readFileSync(await postmasterFile(), 'utf8').split('\n')
  process.kill(Number(pid), 'SIGKILL')
  await random.grow(growEvents)
  const fourth = start()
  await until('all are ready again', async () => (await isReady(third)) && (await isReady(fourth)))
  await until('all is projected', async () => {
    await caughtUp(pool, log, 1_000)
    return true
  })

  third.child.kill('SIGTERM')
  fourth.child.kill('SIGTERM')
  expect(await Promise.all([third.exited, fourth.exited])).toEqual([0, 0])
  expect(random.poisoned).toBeGreaterThan(0)
  await expectTablesToBe(pool, log)
  const found = await dump(pool)
  await pool.query('truncate shiplog.streams, shiplog.versions, shiplog.objects')
  const own = poolOf()
  const calm = createProjector({ log, model: createPostgresReadModel(own), clock, logger: silentLogger })
  await calm.start()
  await caughtUp(pool, log)
  await calm.stop()
  await own.end()
  expect(await dump(pool)).toEqual(found)
})
