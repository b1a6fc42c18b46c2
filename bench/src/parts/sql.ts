// How fast the projector brings the log to SQL: a log that is there already, and one that grows by 10,000 events a second
// while it follows. Log, projector and the load are one process here, PostgreSQL another.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import { encodeEnvelope } from '@shiplog/events/envelope'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { createProjector, type Projector } from '@shiplog/projector/projector'
import { createPool } from '@shiplog/read-model/database'
import { startEmbeddedPostgres } from '@shiplog/read-model/embedded-postgres'
import { createPostgresReadModel, prepare } from '@shiplog/read-model/postgres-read-model'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import type { Part } from '../part.ts'
import { nameMark, nameOf, podBody, sentMark } from '../payloads.ts'
import type { Figure } from '../report.ts'

const eventsThere = 100_000
const eventsPerSecond = 10_000
const steadySeconds = 10
const batchEvents = 500
const objects = 20_000
const patienceMs = 120_000

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Appends pods, each object again and again. */
function writerOn(log: ClusterLog) {
  const body = podBody('nobody').replace(sentMark, '0'.repeat(sentMark.length))
  const sequences = new Map<number, number>()
  let next = 0
  return async (events: number): Promise<void> => {
    const group = Array.from({ length: events }, (_, index) => {
      const object = (next + index) % objects
      const name = nameOf('pod', object)
      const previous = sequences.get(object) ?? 0
      return sealRecord({
        subject: `evt.core.pods.default.${name}`,
        expected: previous,
        headers: encodeEnvelope({
          type: previous === 0 ? 'PodCreated' : 'PodUpdated',
          schema: 1,
          actor: 'bench',
          requestId: String(next + index),
          previous,
          deleted: false,
        }),
        payload: Buffer.from(body.replace(nameMark, name)),
      })
    })
    const result = await log.events.append(group)
    if (!result.ok) throw new Error(`conflict on ${result.conflict.subject}`)
    for (const [index, sequence] of result.sequences.entries()) sequences.set((next + index) % objects, sequence)
    next += events
  }
}

const positionOf = (projector: Projector): number => projector.progress()[0]!.position

async function reached(projector: Projector, sequence: number): Promise<void> {
  const end = performance.now() + patienceMs
  while (positionOf(projector) < sequence) {
    if (performance.now() > end)
      throw new Error(`at ${positionOf(projector)} after ${patienceMs} ms, not at ${sequence}`)
    await sleep(2)
  }
}

interface Measured {
  readonly caughtUpPerSecond: number
  readonly writtenPerSecond: number
  readonly lagMax: number
  readonly lagEnd: number
  readonly behindMs: number
}

async function measure(): Promise<Measured> {
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-bench-sql-'))
  const log = await openSqliteClusterLog({ dataDir: directory })
  const server = await startEmbeddedPostgres({ dataDir: directory, clock: systemClock, ids: systemIds })
  const pool = createPool({ url: server.adminUrl, applicationName: 'bench', statementTimeoutMs: patienceMs })
  const projector = createProjector({
    log,
    model: createPostgresReadModel(pool),
    clock: systemClock,
    logger: silentLogger,
  })
  try {
    await prepare(pool)
    const write = writerOn(log)
    for (let written = 0; written < eventsThere; written += batchEvents) await write(batchEvents)
    const begunMs = performance.now()
    await projector.start()
    await reached(projector, await log.events.lastSequence())
    const caughtUpPerSecond = eventsThere / ((performance.now() - begunMs) / 1_000)

    let lagMax = 0
    let end = 0
    const steadyMs = performance.now()
    for (let batch = 0; batch < (eventsPerSecond * steadySeconds) / batchEvents; batch++) {
      await write(batchEvents)
      end = await log.events.lastSequence()
      lagMax = Math.max(lagMax, end - positionOf(projector))
      await sleep(Math.max(0, steadyMs + ((batch + 1) * batchEvents * 1_000) / eventsPerSecond - performance.now()))
    }
    const lagEnd = end - positionOf(projector)
    const endedMs = performance.now()
    const writtenPerSecond = (eventsPerSecond * steadySeconds) / ((endedMs - steadyMs) / 1_000)
    await reached(projector, end)
    return { caughtUpPerSecond, writtenPerSecond, lagMax, lagEnd, behindMs: performance.now() - endedMs }
  } finally {
    await projector.stop()
    await pool.end()
    await server.stop()
    await log.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

export const sql: Part = {
  name: 'sql',
  about: 'the projector: events a second to SQL, and its lag at 10,000 events a second',
  async run(options) {
    options.progress(`sql: ${eventsThere} events, then ${steadySeconds} s of ${eventsPerSecond} a second`)
    const { caughtUpPerSecond, writtenPerSecond, lagMax, lagEnd, behindMs } = await measure()
    const note = 'pods of 1.6 KB'
    const steady = `${note}, ${Math.round(writtenPerSecond)} events/s written`
    const figures: Figure[] = [
      {
        what: 'log to SQL, from the beginning',
        value: caughtUpPerSecond,
        unit: 'events/s',
        better: 'higher',
        aim: eventsPerSecond,
        note,
      },
      {
        what: `lag at ${eventsPerSecond} events/s, most`,
        value: lagMax,
        unit: 'events',
        better: 'lower',
        note: steady,
      },
      { what: `lag after ${steadySeconds} s of it`, value: lagEnd, unit: 'events', better: 'lower', note },
      { what: 'and until it was made good', value: behindMs, unit: 'ms', better: 'lower', note },
    ]
    return figures
  },
}
