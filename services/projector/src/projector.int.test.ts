// The projector on a real PostgreSQL: killed at every point it waits at, doubled, rebuilt, poisoned.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { builtInRegistry, createRegistry } from '@shiplog/api/schema/registry'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import { encodeEnvelope } from '@shiplog/events/envelope'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { contractOf, contractSql } from '@shiplog/read-model/contract'
import { createPool } from '@shiplog/read-model/database'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@shiplog/read-model/embedded-postgres'
import { createPostgresReadModel, prepare } from '@shiplog/read-model/postgres-read-model'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createProjector, type Projector } from './projector.ts'
import { caughtUp, dump } from './testing/dump.ts'
import { expectTablesToBe, fold } from './testing/tables.ts'
import { createRandomLog, randomOf } from './testing/random-log.ts'

type Pool = ReturnType<typeof createPool>

let directory = ''
let server: EmbeddedPostgres
let pool: Pool

const poolOf = (): Pool => createPool({ url: server.adminUrl, applicationName: 'test', statementTimeoutMs: 20_000 })

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'shiplog-projector-'))
  server = await startEmbeddedPostgres({ dataDir: directory, clock: systemClock, ids: systemIds })
  pool = poolOf()
  // As replicas do that are started together: all find the database empty.
  const others = Array.from({ length: 3 }, poolOf)
  await Promise.all([pool, ...others].map((one) => prepare(one)))
  await Promise.all(others.map((one) => one.end()))
}, 60_000)
afterAll(async () => {
  await pool?.end()
  await server?.stop()
  rmSync(directory, { recursive: true, force: true })
})
beforeEach(async () => {
  await forgetAll()
})

const forgetAll = async (): Promise<void> =>
  void (await pool.query('truncate shiplog.streams, shiplog.versions, shiplog.objects'))

const memoryLog = (): Promise<ClusterLog> => openSqliteClusterLog({ dataDir: ':memory:' })

function projectorOn(log: ClusterLog, over: Pool, batchRecordsMax = 40): Projector {
  return createProjector({
    log,
    model: createPostgresReadModel(over),
    clock: systemClock,
    logger: silentLogger,
    batchRecordsMax,
    standbyMs: 5,
    retryMs: 1,
  })
}

async function rebuilt(log: ClusterLog): Promise<string[]> {
  await forgetAll()
  const own = poolOf()
  const projector = projectorOn(log, own, 1_000)
  await projector.start()
  await caughtUp(pool, log)
  await projector.stop()
  await own.end()
  return dump(pool)
}

/** `v1.as_of` at random sequences is what a fold up to there gives. */
async function expectThePastToBe(log: ClusterLog, random: (below: number) => number): Promise<void> {
  const { records } = await fold(log)
  for (let sample = 0; sample < 10; sample += 1) {
    const at = 1 + random(records.at(-1)!.sequence)
    const present = new Map<string, number>()
    for (const { subject, sequence, headers } of records) {
      if (sequence > at) break
      if (headers['Shiplog-Deleted'] === '1') present.delete(subject)
      else present.set(subject, sequence)
    }
    const { rows } = await pool.query<{ sequence: string }>('select sequence from v1.as_of($1::bigint) order by 1', [
      at,
    ])
    expect(rows.map(({ sequence }) => Number(sequence))).toEqual([...present.values()].sort((a, b) => a - b))
  }
}

/** A pool whose connections break at the n-th thing they are asked: before it, in its midst, or after it was done. */
function breakingPool(real: Pool, dieAt: number, how: number): { pool: Pool; readonly died: boolean } {
  let asked = 0
  let died = false
  const state = {
    get died() {
      return died
    },
    pool: new Proxy(real, {
      get(target, key) {
        if (key !== 'connect') return bound(target, key)
        return async () => {
          if (died) throw new Error('killed')
          const client = await target.connect()
          return new Proxy(client, {
            get(connection, property) {
              if (property !== 'query') return bound(connection, property)
              return async (...values: unknown[]) => {
                if (died) throw new Error('killed')
                asked += 1
                const query = (connection.query as (...rest: unknown[]) => Promise<unknown>).bind(connection)
                if (asked !== dieAt) return query(...values)
                died = true
                const cut = (): void =>
                  (connection as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy()
                if (how === 2) await query(...values).catch(() => undefined)
                const sent = how === 1 ? query(...values) : undefined
                if (how === 1) await new Promise((resolve) => setImmediate(resolve))
                cut()
                await sent?.catch(() => undefined)
                throw new Error('killed')
              }
            },
          })
        }
      },
    }) as Pool,
  }
  return state
}

const bound = (target: object, key: string | symbol): unknown => {
  const value = Reflect.get(target, key)
  return typeof value === 'function' ? value.bind(target) : value
}

describe('a projector', () => {
  test('that is killed 200 times at random moments neither skips nor doubles, and rebuilt it is the same', async () => {
    const seed = 20_261_123
    const random = randomOf(seed)
    const log = await memoryLog()
    const source = createRandomLog(log, seed)
    await source.grow(300)
    let kills = 0
    for (let life = 0; life < 400 && kills < 200; life += 1) {
      const own = poolOf()
      const breaking = breakingPool(own, 1 + random(28), random(3))
      const projector = projectorOn(log, breaking.pool, 5 + random(60))
      const starting = projector.start()
      await source.grow(8)
      const end = performance.now() + 300
      while (!breaking.died && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 1))
      if (breaking.died) kills += 1
      await projector.stop()
      await starting
      await own.end()
    }
    expect(kills).toBe(200)
    const own = poolOf()
    const last = projectorOn(log, own)
    await last.start()
    await caughtUp(pool, log)
    await last.stop()
    await own.end()
    const killed = await dump(pool)
    await expectTablesToBe(pool, log)
    expect(source.poisoned).toBeGreaterThan(5)
    const parked = await pool.query('select count(*)::int as count from v1.parked')
    expect(parked.rows[0].count).toBe(source.poisoned)
    expect(await rebuilt(log)).toEqual(killed)
    await expectThePastToBe(log, random)
    await log.close()
  }, 180_000)

  test('that is killed with SIGKILL goes on where its last transaction ended', async () => {
    const home = mkdtempSync(join(tmpdir(), 'shiplog-killed-'))
    const filling = await openSqliteClusterLog({ dataDir: home })
    const source = createRandomLog(filling, 7)
    await source.grow(2_500)
    await filling.close()
    const positions: number[] = []
    for (let kill = 0; kill < 6; kill += 1) {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, 'testing/killed-projector.ts'), home, server.adminUrl],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      )
      await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()))
      await new Promise((resolve) => setTimeout(resolve, kill * 15))
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
      const { rows } = await pool.query<{ position: string }>('select position from shiplog.streams where stream = 1')
      positions.push(Number(rows[0]?.position ?? 0))
    }
    expect(positions).toEqual(positions.toSorted((left, right) => left - right))
    const log = await openSqliteClusterLog({ dataDir: home })
    const own = poolOf()
    const projector = projectorOn(log, own)
    await projector.start()
    await caughtUp(pool, log)
    await projector.stop()
    await own.end()
    await expectTablesToBe(pool, log)
    const killed = await dump(pool)
    expect(await rebuilt(log)).toEqual(killed)
    await log.close()
    rmSync(home, { recursive: true, force: true })
  }, 120_000)

  test('stands by while another writes, and takes over when it ends', async () => {
    const log = await memoryLog()
    const source = createRandomLog(log, 3)
    const pools = [poolOf(), poolOf()] as const
    const [first, second] = [projectorOn(log, pools[0]), projectorOn(log, pools[1])]
    await first.start()
    await second.start()
    expect(first.progress().map(({ state }) => state)).toEqual(['writing', 'writing', 'writing'])
    expect(second.progress().map(({ state }) => state)).toEqual(['standby', 'standby', 'standby'])
    expect(second.health().every(({ ok }) => ok)).toBe(true)
    await source.grow(200)
    await caughtUp(pool, log)
    await first.stop()
    await source.grow(200)
    await caughtUp(pool, log)
    expect(second.progress().map(({ state }) => state)).toEqual(['writing', 'writing', 'writing'])
    expect(second.progress()[0]!.events).toBeGreaterThan(0)
    await second.stop()
    await expectTablesToBe(pool, log)
    await log.close()
    for (const own of pools) await own.end()
  })

  test('answers about a time only when it has everything up to then, also while nothing happens', async () => {
    const asOf = (time: string): Promise<number> =>
      pool.query(`select * from v1.as_of($1::timestamptz)`, [time]).then(({ rowCount }) => rowCount ?? 0)
    const log = await memoryLog()
    await createRandomLog(log, 11).grow(60)
    await rebuilt(log)
    const { present } = await fold(log)
    // The projector is down: what happens now is not known, and is not left out silently.
    await createRandomLog(log, 12)
      .grow(1)
      .catch(() => undefined)
    const missed = new Date(systemClock.nowMs()).toISOString()
    await expect(asOf(missed)).rejects.toThrow(/^the projection is complete up to .*, not yet up to /)
    await expect(pool.query('select * from v1.pods_as_of(now())')).rejects.toThrow('not yet up to')
    const own = poolOf()
    const projector = projectorOn(log, own)
    await projector.start()
    await expect.poll(() => asOf(missed).catch(() => 0), { timeout: 20_000 }).toBeGreaterThanOrEqual(present.size)
    // Nothing happens: the time up to which it is complete goes on.
    const later = new Date(systemClock.nowMs()).toISOString()
    await expect.poll(() => asOf(later).catch(() => 0), { timeout: 20_000 }).toBeGreaterThanOrEqual(present.size)
    await projector.stop()
    await own.end()
    await log.close()
  })

  test('whose log is another one, or was cut, begins anew', async () => {
    const old = await memoryLog()
    await createRandomLog(old, 5).grow(100)
    await rebuilt(old)
    const log = await memoryLog()
    await createRandomLog(log, 6).grow(50)
    const own = poolOf()
    const projector = projectorOn(log, own)
    await projector.start()
    await caughtUp(pool, log)
    await projector.stop()
    await own.end()
    await expectTablesToBe(pool, log)
    await old.close()
    await log.close()
  })

  test('parks what SQL cannot take, with its bytes and the reason, and the rest of the batch goes on', async () => {
    const log = await memoryLog()
    const bodies: Readonly<Record<string, string>> = {
      nul: '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"nul"},"data":{"a":"x\\u0000y"}}',
      escaped: '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"escaped"},"data":{"a":"x\\\\u0000y"}}',
      large: '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"large"},"data":{"a":1e400}}',
      beyond: '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"beyond"},"data":{"a":1e200000}}',
      half: '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"half"},"data":{"a":"\\udc00"}}',
      torn: '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"torn"},"da',
      deep: `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"deep"},"data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      fine: '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"fine"},"data":{"a":"b"}}',
    }
    const group = Object.entries(bodies).map(([name, payload]) =>
      sealRecord({
        subject: `evt.core.configmaps.default.${name}`,
        expected: 0,
        headers: encodeEnvelope({
          type: 'ConfigMapCreated',
          schema: 1,
          actor: 'a\0b',
          requestId: 'r',
          previous: 0,
          deleted: false,
        }),
        payload: Buffer.from(payload),
      }),
    )
    await log.events.append(group)
    await rebuilt(log)
    const parked = await pool.query<{ name: string; reason: string; payload: Buffer }>(
      'select * from v1.parked order by name',
    )
    expect(parked.rows.map(({ name }) => name)).toEqual(['beyond', 'deep', 'half', 'nul', 'torn'])
    for (const { name, reason, payload } of parked.rows) {
      expect(reason).not.toBe('')
      expect(payload.toString()).toBe(bodies[name])
    }
    const maps = await pool.query<{ name: string; data: { a: unknown } | null; large: string }>(
      `select name, data, data->>'a' as large from v1.configmaps where unreadable is null order by name`,
    )
    expect(maps.rows.map(({ name }) => name)).toEqual(['escaped', 'fine', 'large'])
    // The number is within numeric, so SQL holds it to the last digit.
    expect(maps.rows[2]!.large).toBe(`1${'0'.repeat(400)}`)
    expect(maps.rows[0]!.data).toEqual({ a: 'x\\u0000y' })
    expect((await pool.query('select * from v1.configmaps_history')).rowCount).toBe(8)
    expect((await pool.query(`select * from v1.as_of(${group.length})`)).rowCount).toBe(8)
    await log.close()
  })

  test('brings views of an older release up to date: columns keep their places, new ones come last', async () => {
    const columnsOf = async (view: string): Promise<string[]> =>
      (
        await pool.query<{ name: string }>(
          `select column_name as name from information_schema.columns where table_schema = 'v1' and table_name = $1 order by ordinal_position`,
          [view],
        )
      ).rows.map(({ name }) => name)
    const present = await columnsOf('runtimeclasses')
    const registry = builtInRegistry()
    const definitions = Object.fromEntries(registry.definitions)
    const name = 'io.k8s.api.node.v1.RuntimeClass'
    const { handler: _, ...fields } = definitions[name]!.fields
    definitions[name] = { ...definitions[name]!, fields: { retired: { type: 'integer' }, ...fields } }
    await pool.query('drop schema v1 cascade')
    await pool.query(contractSql(contractOf(createRegistry(definitions, registry.resources))))
    await pool.query('truncate shiplog.contract')
    const before = await columnsOf('runtimeclasses')
    expect(before).toContain('retired')
    expect(before).not.toContain('handler')
    await prepare(pool)
    expect(await columnsOf('runtimeclasses')).toEqual([...before, 'handler'])
    expect(new Set([...before, 'handler'])).toEqual(new Set([...present, 'retired']))
    const log = await memoryLog()
    const payload = { kind: 'RuntimeClass', apiVersion: 'node.k8s.io/v1', metadata: { name: 'a' }, handler: 'runc' }
    await log.events.append([
      sealRecord({
        subject: 'evt.node%2Ek8s%2Eio.runtimeclasses._.a',
        expected: 0,
        headers: encodeEnvelope({
          type: 'Created',
          schema: 1,
          actor: 'a',
          requestId: 'r',
          previous: 0,
          deleted: false,
        }),
        payload: Buffer.from(JSON.stringify(payload)),
      }),
    ])
    await rebuilt(log)
    const query = 'select name, handler, retired from v1.runtimeclasses_as_of(1)'
    expect((await pool.query(query)).rows).toEqual([{ name: 'a', handler: 'runc', retired: null }])
    await log.close()
  })

  test('forgets Event objects that expired while nobody looked', async () => {
    const log = await memoryLog()
    const event = (name: string, ttlSeconds?: number) =>
      log.objectEvents.append([
        {
          subject: `oev.default.${name}`,
          expected: undefined,
          headers: encodeEnvelope({
            type: 'EventCreated',
            schema: 1,
            actor: 'a',
            requestId: 'r',
            previous: 0,
            deleted: false,
          }),
          payload: Buffer.from(
            JSON.stringify({ kind: 'Event', apiVersion: 'v1', metadata: { name }, reason: 'Because' }),
          ),
          ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
        },
      ])
    await event('short', 1)
    await event('long', 100)
    const names = async (): Promise<string[]> =>
      (await pool.query<{ name: string }>('select name from v1.events order by name')).rows.map(({ name }) => name)
    const first = poolOf()
    const projector = projectorOn(log, first)
    await projector.start()
    await caughtUp(pool, log)
    expect(await names()).toEqual(['long', 'short'])
    await projector.stop()
    await first.end()
    await log.objectEvents.purge('oev.default.short')
    const second = poolOf()
    const later = projectorOn(log, second)
    await later.start()
    await event('next', 100)
    await caughtUp(pool, log)
    expect(await names()).toEqual(['long', 'next'])
    await later.stop()
    await second.end()
    await log.close()
  })
})
