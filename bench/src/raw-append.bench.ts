// Durable appends, ours beside the raw primitive below: `node bench/src/raw-append.bench.ts [seconds]`. Raw is what the
// store can do with the same bytes and nothing of ours around it: an atomic batch of pre-encoded messages on JetStream, a
// transaction of prepared inserts on SQLite. Every append is a create with its own compare-and-set.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import { encodeEnvelope } from '@shiplog/events/envelope'
import type { Append, ClusterLog } from '@shiplog/events/event-log'
import { createGroupCommitter, type GroupCommitterOptions } from '@shiplog/events/commit/group-committer'
import { openConnection } from '@shiplog/events/jetstream/connection'
import { connectJetStreamClusterLog } from '@shiplog/events/jetstream/jetstream-log'
import { provideNatsServer } from '@shiplog/nats-server/nats-binary'
import { startNatsServer } from '@shiplog/nats-server/nats-child'
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
  /** Against the raw primitive beside it, the same number of appends at a time. */
  readonly ofRaw?: number
}

interface Slice {
  readonly perSecond: number
  readonly times: readonly number[]
}

/** Keeps `inFlight` calls under way for a slice of time; `weight` appends per call. */
async function slice(inFlight: number, weight: number, call: () => unknown): Promise<Slice> {
  const times: number[] = []
  const began = performance.now()
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (;;) {
        const start = performance.now()
        if (start > began + sliceMs) return
        await call()
        times.push(performance.now() - start)
      }
    }),
  )
  return { perSecond: (times.length * weight * 1000) / (performance.now() - began), times }
}

const sliceMs = 300
const median = (values: readonly number[]): number =>
  [...values].sort((x, y) => x - y)[values.length >> 1] ?? Number.NaN

function figureOf(what: string, slices: readonly Slice[]): AppendFigure {
  const times = slices.flatMap((each) => each.times).sort((x, y) => x - y)
  const at = (share: number): number => Number((times[Math.floor(times.length * share)] ?? 0).toFixed(2))
  return { what, perSecond: Math.round(median(slices.map((each) => each.perSecond))), p50Ms: at(0.5), p99Ms: at(0.99) }
}

const concurrencies = [1, 64, 256] as const

/** Raw and ours in turns, so that a busy machine disturbs both alike; the ratio is the median over the turns. */
async function compare(name: string, seconds: number, raw: (size: number) => unknown, ours: () => unknown) {
  const turns = Math.max(3, Math.round((seconds * 1000) / sliceMs))
  const figures: AppendFigure[] = []
  for (const size of concurrencies) {
    const rawSlices: Slice[] = []
    const ourSlices: Slice[] = []
    for (let turn = 0; turn < turns; turn += 1) {
      rawSlices.push(await slice(1, size, () => raw(size)))
      ourSlices.push(await slice(size, 1, ours))
    }
    const ratios = ourSlices.map((each, turn) => each.perSecond / rawSlices[turn]!.perSecond)
    figures.push(figureOf(`${name} raw, batches of ${size}`, rawSlices))
    figures.push({
      ...figureOf(`${name} log, ${size} in flight`, ourSlices),
      ofRaw: Number(median(ratios).toFixed(2)),
    })
  }
  return figures
}

/** A create through the committer, as a gateway does it. */
function committed(log: ClusterLog, options?: GroupCommitterOptions): () => Promise<void> {
  const committer = createGroupCommitter(log.events, options)
  return async () => {
    const result = await committer.commit([sealRecord(create())])
    if (!result.ok) throw new Error('a create lost')
  }
}

export async function benchSqlite(seconds: number): Promise<AppendFigure[]> {
  const dir = mkdtempSync(join(tmpdir(), 'shiplog-bench-'))
  const database = new DatabaseSync(join(dir, 'raw.db'))
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE')
  database.exec('CREATE TABLE e (sequence INTEGER PRIMARY KEY, subject TEXT, headers TEXT, payload BLOB) STRICT')
  database.exec('CREATE INDEX s ON e (subject, sequence)')
  const insert = database.prepare('INSERT INTO e (subject, headers, payload) VALUES (?, ?, ?)')
  const raw = (size: number): Promise<unknown> => {
    database.exec('BEGIN IMMEDIATE')
    for (let index = 0; index < size; index += 1) {
      const { subject, headers } = create()
      insert.run(subject, JSON.stringify(headers), payload)
    }
    database.exec('COMMIT')
    return new Promise((resolve) => setImmediate(resolve))
  }
  const log = await openSqliteClusterLog({ dataDir: dir })
  const figures = await compare('SQLite', seconds, raw, committed(log))
  await log.close()
  database.close()
  rmSync(dir, { recursive: true, force: true })
  return figures
}

export async function benchJetStream(seconds: number, options?: GroupCommitterOptions): Promise<AppendFigure[]> {
  const server = await provideNatsServer()
  if (server === undefined) throw new Error('no nats-server to be had')
  const dir = mkdtempSync(join(tmpdir(), 'shiplog-bench-'))
  const child = await startNatsServer({ binary: server.path, dataDir: dir })
  const credentials = child.credentials.gateway
  const log = await connectJetStreamClusterLog({ servers: child.url, credentials })
  const connection = await openConnection({ servers: child.url, credentials, clock: systemClock })
  let batch = 0
  const raw = (size: number): unknown => {
    batch += 1
    for (let index = 1; ; index += 1) {
      const { subject, headers } = create()
      const encoded = encodeHeaders(headers, {
        'Nats-Expected-Last-Subject-Sequence': 0,
        'Nats-Batch-Id': size === 1 ? undefined : `bench${batch}`,
        'Nats-Batch-Sequence': size === 1 ? undefined : index,
        'Nats-Batch-Commit': size > 1 && index === size ? 1 : undefined,
      })
      if (index === size) return connection.request(subject, payload, { timeoutMs: 5000, headers: encoded })
      connection.publish(subject, payload, { headers: encoded })
    }
  }
  const figures = await compare('JetStream', seconds, raw, committed(log, options))
  await connection.close()
  await log.close()
  await child.stop()
  rmSync(dir, { recursive: true, force: true })
  return figures
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const seconds = Number(process.argv[2] ?? 3)
  console.table([...(await benchSqlite(seconds)), ...(await benchJetStream(seconds))])
}
