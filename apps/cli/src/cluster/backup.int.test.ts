// Backups as a person makes them: of a running and of a stopped cluster, on both logs, and brought back to either.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { startCluster, type RunningCluster } from '@shiplog/all-in-one/cluster'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { backup, restore } from './backup.ts'
import { findNatsServer } from './find-nats-server.ts'
import { openHistory } from '../history/history-source.ts'
import { verify } from './verify.ts'

vi.setConfig({ testTimeout: 180_000 })
const natsServer = await findNatsServer(() => undefined)({ fetch: false })

let place = ''
let clusters: RunningCluster[] = []
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'shiplog-backup-'))
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
})
afterEach(async () => {
  vi.restoreAllMocks()
  for (const cluster of clusters) await cluster.stop()
  clusters = []
  rmSync(place, { recursive: true, force: true })
})

async function up(dataDir: string, log: 'embedded' | 'jetstream'): Promise<RunningCluster> {
  const options = { port: 0, simulatedNodes: 1, logger: silentLogger, findNatsServer: findNatsServer(() => undefined) }
  const cluster = await startCluster({ dataDir, log, ...options })
  clusters.push(cluster)
  return cluster
}

const client = (cluster: RunningCluster) =>
  cluster.gateway.clientFor({ name: 'test', groups: ['system:masters', 'system:authenticated'] })
const configMaps = { group: '', resource: 'configmaps', namespace: 'default' } as const

async function put(cluster: RunningCluster, name: string): Promise<number> {
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { of: name } }
  const made = await client(cluster).request({ ...configMaps, verb: 'create', body })
  if (!made.ok) throw new Error(made.status.message)
  return Number(made.object.metadata.resourceVersion)
}

async function names(cluster: RunningCluster): Promise<string[]> {
  const listed = await client(cluster).request({ ...configMaps, verb: 'list' })
  if (!listed.ok) throw new Error(listed.status.message)
  return (listed.object['items'] as any[]).map(({ metadata }) => metadata.name).filter((name) => /^kept|^lost/.test(name))
}

const logs = ['embedded', ...(natsServer ? (['jetstream'] as const) : [])] as const

describe.each(logs)('a cluster on %s', (log) => {
  test.each(logs)('that runs is backed up, and comes back on %s with all that it was, and no sequence twice', async (target) => {
    const [from, copy, to] = ['from', 'copy', 'to'].map((name) => join(place, name)) as [string, string, string]
    const first = await up(from, log)
    for (const index of [1, 2, 3]) await put(first, `kept-${index}`)
    expect(await backup({ dataDir: from, out: copy })).toBe(0)
    // Written after the backup, and seen by clients: these sequences must not come again.
    const seen = await put(first, 'lost')
    const source = await openHistory({ dataDir: from })
    const before = new Map<number, string>()
    for await (const records of source.read()) {
      for (const one of records) {
        if (one.kind === 'damaged') throw new Error(`damaged at ${one.sequence}`)
        before.set(one.record.sequence, `${one.record.timeMs} ${one.record.subject}`)
      }
    }
    await source.close()
    await first.stop()
    expect(await verify({ dataDir: copy })).toBe(0)
    expect(await restore(copy, { dataDir: to, log: target })).toBe(0)
    expect(await verify({ dataDir: to })).toBe(0)

    const again = await up(to, target)
    expect(await names(again)).toEqual(['kept-1', 'kept-2', 'kept-3'])
    expect(await put(again, 'kept-4')).toBeGreaterThan(seen)
    // Every list is served, also of the streams that begin empty.
    for (const [group, resource] of [['', 'events'], ['coordination.k8s.io', 'leases']] as const) {
      const listed = await client(again).request({ group, resource, verb: 'list', namespace: '' })
      expect(listed.ok, resource).toBe(true)
    }
    // The same bytes at the same places at the same times.
    let compared = 0
    for await (const records of again.log.events.read({ to: seen - 1 })) {
      for (const one of records) {
        if (one.subject.startsWith('seal.') || !before.has(one.sequence)) continue
        expect(`${one.timeMs} ${one.subject}`).toBe(before.get(one.sequence))
        compared += 1
      }
    }
    expect(compared).toBeGreaterThan(10)
    await again.stop()
    expect(await verify({ dataDir: to })).toBe(0)
    // What comes after a start on a log with a gap is as whole as before.
    await (await up(to, target)).stop()
  })

  test('that is stopped is backed up, too, and a place that holds something is not written to', async () => {
    const from = join(place, 'from')
    const first = await up(from, log)
    await put(first, 'kept')
    await first.stop()
    const copy = join(place, 'copy')
    expect(await backup({ dataDir: from, out: copy })).toBe(0)
    await expect(backup({ dataDir: from, out: copy })).rejects.toThrow('exists')
    await expect(restore(copy, { dataDir: from, log: 'auto' })).rejects.toThrow('not empty')
    await expect(restore(from, { dataDir: join(place, 'to'), log: 'auto' })).rejects.toThrow('no backup')
  })
})

test('a backup that was damaged since is not restored', async () => {
  const [from, copy, to] = ['from', 'copy', 'to'].map((name) => join(place, name)) as [string, string, string]
  const cluster = await up(from, 'embedded')
  await put(cluster, 'kept')
  await cluster.stop()
  await backup({ dataDir: from, out: copy })
  const shortened = join(place, 'shortened')
  cpSync(copy, shortened, { recursive: true })
  const database = new DatabaseSync(join(copy, 'log.db'))
  database.exec("UPDATE events SET payload = CAST(replace(CAST(payload AS TEXT), 'kept', 'kopt') AS BLOB)")
  database.close()
  await expect(restore(copy, { dataDir: to, log: 'embedded' })).rejects.toThrow(/damaged/)
  const mark = join(shortened, 'high-water-mark.json')
  writeFileSync(mark, JSON.stringify({ ...JSON.parse(readFileSync(mark, 'utf8')), sequence: 1_000_000 }))
  await expect(restore(shortened, { dataDir: to, log: 'embedded' })).rejects.toThrow('shortened')
})
