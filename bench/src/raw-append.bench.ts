// Durable appends, ours beside the raw primitive below: `node bench/src/raw-append.bench.ts [seconds]`. Raw is what the
// store can do with the same bytes and nothing of ours around it: an atomic batch of pre-encoded messages on JetStream, a
// transaction of prepared inserts on SQLite. Every append is a create with its own compare-and-set.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { sealRecord } from '@shiplog/events/checksum'
import { encodeEnvelope } from '@shiplog/events/envelope'
import type { Append, ClusterLog } from '@shiplog/events/event-log'
import { createGroupCommitter, type GroupCommitterOptions } from '@shiplog/events/group-committer'
import { openConnection } from '@shiplog/events/jetstream/connection'
import { connectJetStreamClusterLog } from '@shiplog/events/jetstream/jetstream-log'
import { provideNatsServer } from '@shiplog/events/jetstream/nats-binary'
import { startNatsServer } from '@shiplog/events/jetstream/nats-child'
import { encodeHeaders } from '@shiplog/events/jetstream/wire'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'

/** About the size of a pod as a client creates it. */
const payload = Buffer.from(JSON.stringify({ kind: 'Pod', padding: 'x'.repeat(1620) }))

let serial = 0
const create = (): Append => {
  serial += 1
  return {
    subject: `evt.core.pods.bench.pod-${process.pid}-${serial}`,
    expected: 0,
    headers: encodeEnvelope({
      type: 'PodCreated',
      schema: 1,
      actor: 'kubernetes-admin',
      requestId: `0b1f6a2e-6f0e-4b8e-9d5a-${String(serial).padStart(12, '0')}`,
      previous: 0,
      deleted: false,
    }),
    payload,
  }
}

export interface AppendFigure {
  readonly what: string
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Against the raw figure of the same concurrency. */
  readonly ofRaw?: number
}

/** Keeps `inFlight` calls under way for some seconds; `weight` appends per call. */
async function measure(
  what: string,
  seconds: number,
  inFlight: number,
  weight: number,
  call: () => unknown,
): Promise<AppendFigure> {
  const times: number[] = []
  const warm = performance.now() + 200
  const end = warm + seconds * 1000
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (;;) {
        const began = performance.now()
        if (began > end) return
        await call()
        if (began > warm) times.push(performance.now() - began)
      }
    }),
  )
  times.sort((a, b) => a - b)
  const at = (share: number): number => Number((times[Math.floor(times.length * share)] ?? 0).toFixed(2))
  return { what, perSecond: Math.round((times.length * weight) / seconds), p50Ms: at(0.5), p99Ms: at(0.99) }
}

const concurrencies = [1, 64, 256] as const

async function measureLog(
  name: string,
  log: ClusterLog,
  seconds: number,
  raw: ReadonlyMap<number, number>,
  options?: GroupCommitterOptions,
): Promise<AppendFigure[]> {
  const committer = createGroupCommitter(log.events, options)
  const figures: AppendFigure[] = []
  for (const inFlight of concurrencies) {
    const figure = await measure(`${name}, ${inFlight} in flight`, seconds, inFlight, 1, async () => {
      const result = await committer.commit([sealRecord(create())])
      if (!result.ok) throw new Error('a create lost')
    })
    figures.push({ ...figure, ofRaw: Number((figure.perSecond / (raw.get(inFlight) ?? Number.NaN)).toFixed(2)) })
  }
  return figures
}

export async function benchSqlite(seconds: number): Promise<AppendFigure[]> {
  const dir = mkdtempSync(join(tmpdir(), 'shiplog-bench-'))
  const figures: AppendFigure[] = []
  const raw = new Map<number, number>()
  const database = new DatabaseSync(join(dir, 'raw.db'))
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE')
  database.exec('CREATE TABLE e (sequence INTEGER PRIMARY KEY, subject TEXT, headers TEXT, payload BLOB) STRICT')
  database.exec('CREATE INDEX s ON e (subject, sequence)')
  const insert = database.prepare('INSERT INTO e (subject, headers, payload) VALUES (?, ?, ?)')
  for (const size of concurrencies) {
    const figure = await measure(`SQLite raw, transactions of ${size}`, seconds, 1, size, () => {
      database.exec('BEGIN IMMEDIATE')
      for (let index = 0; index < size; index += 1) {
        const { subject, headers } = create()
        insert.run(subject, JSON.stringify(headers), payload)
      }
      database.exec('COMMIT')
      return new Promise((resolve) => setImmediate(resolve))
    })
    raw.set(size, figure.perSecond)
    figures.push(figure)
  }
  database.close()
  const log = await openSqliteClusterLog({ dataDir: dir })
  figures.push(...(await measureLog('SQLite log', log, seconds, raw)))
  await log.close()
  rmSync(dir, { recursive: true, force: true })
  return figures
}

export async function benchJetStream(seconds: number, options?: GroupCommitterOptions): Promise<AppendFigure[]> {
  const server = await provideNatsServer()
  if (server === undefined) throw new Error('no nats-server to be had')
  const dir = mkdtempSync(join(tmpdir(), 'shiplog-bench-'))
  const child = await startNatsServer({ binary: server.path, dataDir: dir })
  const log = await connectJetStreamClusterLog({ servers: child.url, credentials: child.credentials.gateway })
  const connection = await openConnection({
    servers: child.url,
    credentials: child.credentials.gateway,
    clock: systemClock,
  })
  const figures: AppendFigure[] = []
  const raw = new Map<number, number>()
  let batch = 0
  for (const size of concurrencies) {
    const figure = await measure(`JetStream raw, atomic batches of ${size}`, seconds, 1, size, () => {
      batch += 1
      for (let index = 1; ; index += 1) {
        const { subject, headers } = create()
        const encoded = encodeHeaders(headers, {
          'Nats-Expected-Last-Subject-Sequence': 0,
          ...(size === 1
            ? {}
            : {
                'Nats-Batch-Id': `bench${batch}`,
                'Nats-Batch-Sequence': index,
                'Nats-Batch-Commit': index === size ? 1 : undefined,
              }),
        })
        if (index === size) return connection.request(subject, payload, { timeoutMs: 5000, headers: encoded })
        connection.publish(subject, payload, { headers: encoded })
      }
    })
    raw.set(size, figure.perSecond)
    figures.push(figure)
  }
  await connection.close()
  figures.push(...(await measureLog('JetStream log', log, seconds, raw, options)))
  await log.close()
  await child.stop()
  rmSync(dir, { recursive: true, force: true })
  return figures
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const seconds = Number(process.argv[2] ?? 3)
  console.table([...(await benchSqlite(seconds)), ...(await benchJetStream(seconds))])
}
