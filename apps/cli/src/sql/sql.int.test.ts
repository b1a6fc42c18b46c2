// SQL as a person uses it: `up` starts the embedded PostgreSQL, `shiplog sql` asks, and every query of docs/sql.md works.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { servedBytes } from '@shiplog/api/codec'
import { decodeRecordLine } from '@shiplog/events/history/record-lines'
import { objectSubject } from '@shiplog/events/subjects'
import { eventually } from '@shiplog/testing/eventually'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

/** Every question is a process of its own: on a busy machine that takes its time. */
vi.setConfig({ testTimeout: 90_000 })

const main = join(import.meta.dirname, '../main.ts')
const root = join(import.meta.dirname, '../../../..')
let dataDir = ''
let cluster: ChildProcess
let said = ''

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function shiplog(...args: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })))
}

const sql = (query: string, ...args: string[]): Promise<Outcome> => shiplog('sql', '-d', dataDir, ...args, query)

async function rows(query: string, ...args: string[]): Promise<any[]> {
  const { code, stdout, stderr } = await sql(query, '-o', 'json', '--fresh', ...args)
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}

function api(method: string, path: string, body?: object): Promise<{ code: number; bytes: Buffer }> {
  const server = /server: (\S+)/.exec(readFileSync(join(dataDir, 'kubeconfig'), 'utf8'))![1]!
  const file = (name: string): Buffer => readFileSync(join(dataDir, 'pki', name))
  return new Promise((resolve, reject) => {
    const call = request(
      `${server}${path}`,
      {
        method,
        ca: file('ca.crt'),
        cert: file('admin.crt'),
        key: file('admin.key'),
        headers: { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' },
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve({ code: response.statusCode!, bytes: Buffer.concat(chunks) }))
      },
    )
    call.on('error', reject)
    call.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

const until = (what: string, how: () => Promise<boolean> | boolean): Promise<true> =>
  eventually(what, how, { everyMs: 100, details: () => said })

const container = { name: 'c', image: 'nginx:1', resources: { requests: { cpu: '250m', memory: '64Mi' } } }
const labels = { app: 'web' }

beforeAll(async () => {
  dataDir = join(mkdtempSync(join(tmpdir(), 'shiplog-sql-')), 'data')
  cluster = spawn(
    process.execPath,
    [main, 'up', '-d', dataDir, '--port', '0', '--log', 'embedded', '--postgres', 'auto'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  cluster.stderr!.on('data', (chunk: Buffer) => (said += chunk))
  await until('SQL is there', () => said.includes('SQL: postgres://'))
  const created = await api('POST', '/apis/apps/v1/namespaces/default/deployments', {
    metadata: { name: 'web' },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  })
  expect(created.code).toBe(201)
  await api('POST', '/api/v1/namespaces/default/configmaps', {
    metadata: { name: 'gone' },
    data: { a: 'ü' },
  })
  await api('DELETE', '/api/v1/namespaces/default/configmaps/gone')
  await api('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'unused' }, data: { a: 'b' } })
  await api('POST', '/api/v1/namespaces/default/configmaps', {
    metadata: { name: 'poisoned' },
    data: { a: 'x\u0000y' },
  })
  await api('POST', '/api/v1/namespaces/default/pods', {
    metadata: { name: 'stuck' },
    spec: { containers: [container], nodeSelector: { disk: 'ssd' } },
  })
  await until('the pods run', async () => {
    const list = JSON.parse((await api('GET', '/api/v1/namespaces/default/pods')).bytes.toString())
    return list.items.filter((pod: any) => pod.status.phase === 'Running').length === 2
  })
}, 120_000)
afterAll(async () => {
  const ended = new Promise((resolve) => cluster.once('exit', resolve))
  cluster.kill('SIGTERM')
  await ended
  rmSync(join(dataDir, '..'), { recursive: true, force: true })
})

describe('the queries of docs/sql.md', () => {
  const text = readFileSync(join(root, 'docs/sql.md'), 'utf8')
  const queries = [...text.matchAll(/\n([^\n]+):\n\n```sql\n([\s\S]*?)```/g)].map(
    ([, title, query]) => [title!, query!] as const,
  )

  test('are ten at least', () => expect(queries.length).toBeGreaterThanOrEqual(10))

  test.each(queries)('%s', async (_title, query) => {
    expect((await rows(query)).length).toBeGreaterThan(0)
  })
})

test('every object is the same bytes in SQL, in the gateway, and in a replay of the log from its first sequence', async () => {
  await api('POST', '/api/v1/namespaces/default/secrets', { metadata: { name: 'key' }, stringData: { a: 'b' } })
  const objects = await rows(
    `select group_resource, namespace, name, sequence, encode(sha256(v1.served(payload, sequence)), 'hex') as served,
       encode(sha256, 'hex') = encode(sha256(payload), 'hex') as own from v1.objects`,
    '--with-secrets',
  )
  expect(objects.length).toBeGreaterThan(30)
  const replayed = new Map<string, string>()
  for (const line of (await api('GET', '/shiplog/v1/events?subject=evt.%3E')).bytes.toString().trim().split('\n')) {
    const { subject, sequence, headers, payload, clear = payload } = decodeRecordLine(Buffer.from(line))
    if (headers['Shiplog-Deleted'] === '1') replayed.delete(subject)
    else replayed.set(subject, createHash('sha256').update(servedBytes(clear, sequence)).digest('hex'))
  }
  let compared = 0
  let durable = 0
  for (const { group_resource: groupResource, namespace, name, sequence, served, own } of objects) {
    const [resource, ...groupParts] = (groupResource as string).split('.')
    const group = groupParts.join('.')
    const base = group === '' ? '/api/v1' : `/apis/${group}/v1`
    const place = namespace === '' ? '' : `/namespaces/${namespace}`
    const { bytes } = await api('GET', `${base}${place}/${resource}/${encodeURIComponent(name)}`)
    // Leases and Event objects go on changing while this is asked.
    if (JSON.parse(bytes.toString()).metadata.resourceVersion !== String(sequence)) continue
    const hash = createHash('sha256').update(bytes.toString().trimEnd()).digest('hex')
    // What SQL holds of Secrets is encrypted.
    const isTold = resource !== 'secrets'
    expect([name, isTold ? hash : '', own]).toEqual([name, isTold ? served : '', true])
    compared += 1
    if (resource === 'leases' || resource === 'events') continue
    expect([name, replayed.get(objectSubject({ group, resource: resource!, namespace, name }))]).toEqual([name, hash])
    durable += 1
  }
  expect(compared).toBeGreaterThan(objects.length * 0.8)
  expect(durable).toBe(replayed.size)
})

test('what a Secret holds lies encrypted in SQL too, and its bytes are shown when they are asked for', async () => {
  await api('POST', '/api/v1/namespaces/default/secrets', { metadata: { name: 'shown' }, stringData: { a: 'b' } })
  const query = `select name, type, data, payload is null as hidden from v1.secrets where name = 'shown'`
  expect(await rows(query)).toEqual([{ name: 'shown', type: 'Opaque', data: null, hidden: true }])
  expect(await rows(query, '--with-secrets')).toEqual([{ name: 'shown', type: 'Opaque', data: null, hidden: false }])
  const [stored] = await rows(`select convert_from(payload, 'UTF8') as said from v1.secrets where name = 'shown'`, '--with-secrets')
  expect(stored!['said']).toMatch(/^\{"encrypted":"[A-Za-z0-9+/=]+"\}$/)
  expect((await sql('delete from shiplog.objects', '--with-secrets')).code).toBe(1)
  // Nor can a reader hold the projector's locks, or make tables of its own.
  expect((await sql('select pg_advisory_lock(1351681537, 1)')).code).toBe(1)
  expect((await sql('create temporary table mine as select 1')).code).toBe(1)
  for (const file of ['postgres-url', 'postgres-url-with-secrets']) {
    expect(statSync(join(dataDir, file)).mode & 0o777).toBe(0o600)
  }
})

test('an object with a NUL is parked and its neighbours are there', async () => {
  const parked = await rows(
    `select name, reason, convert_from(payload, 'UTF8') like '%x\\\\u0000y%' as whole from v1.parked`,
  )
  expect(parked).toEqual([{ name: 'poisoned', reason: expect.stringContaining('Unicode'), whole: true }])
  const maps = await rows(
    `select name, data from v1.configmaps where namespace = 'default' and name <> 'kube-root-ca.crt' order by name`,
  )
  expect(maps).toEqual([
    { name: 'poisoned', data: null },
    { name: 'unused', data: { a: 'b' } },
  ])
})

test('the past: views as of a sequence and a time are what the API told then', async () => {
  const [{ sequence }] = await rows('select max(sequence) as sequence from v1.deployments_history')
  await api('PATCH', '/apis/apps/v1/namespaces/default/deployments/web', { spec: { replicas: 1 } })
  const [now] = await rows(`select replicas, sequence from v1.deployments where name = 'web'`)
  expect(now.replicas).toBe(1)
  expect(now.sequence).toBeGreaterThan(sequence)
  const [then] = await rows(`select replicas, sequence from v1.deployments_as_of(${sequence}) where name = 'web'`)
  expect(then).toEqual({ replicas: 2, sequence })
  const [byTime] = await rows(
    `select d.replicas from v1.deployments_history h, v1.deployments_as_of(h.valid_from) d where h.sequence = ${sequence}`,
  )
  expect(byTime).toEqual({ replicas: 2 })
  expect(await rows(`select name from v1.configmaps_history where name = 'gone' and valid @> now()`)).toEqual([])
  const beyond = await sql('select * from v1.pods_as_of(1000000)')
  expect([beyond.code, beyond.stderr]).toEqual([1, expect.stringContaining('not yet at 1000000')])
})

test('--fresh sees a write that was acknowledged the moment before', async () => {
  for (let round = 0; round < 5; round += 1) {
    const { code } = await api('POST', '/api/v1/namespaces/default/configmaps', {
      metadata: { name: `fresh-${round}` },
    })
    expect(code).toBe(201)
    expect(await rows(`select name from v1.configmaps where name = 'fresh-${round}'`)).toHaveLength(1)
  }
})

test('tables, CSV, wrong queries, and a role that can only read', async () => {
  expect((await sql(`select 1 as one, null as nothing, 'a,"b"' as text`)).stdout).toBe(
    'ONE   NOTHING   TEXT\n1               a,"b"\n',
  )
  expect((await sql(`select 1 as one, null as nothing, 'a,"b"' as text`, '-o', 'csv')).stdout).toBe(
    'one,nothing,text\n1,,"a,""b"""\n',
  )
  expect((await sql('select nam from v1.pods')).stderr).toContain('column "nam" does not exist')
  for (const query of ['delete from shiplog.objects', 'select * from shiplog.objects', 'create table v1.x ()']) {
    expect((await sql(query)).code).toBe(1)
  }
  const many = await sql('select n from generate_series(1, 2500) n', '-o', 'csv')
  expect(many.stdout.trimEnd().split('\n')).toHaveLength(2501)
})

test('the projector is a pod in kube-system, ready while SQL works', async () => {
  const name = 'shiplog-projector-shiplog-control-plane'
  await until('its pod is ready', async () => {
    const { code, bytes } = await api('GET', `/api/v1/namespaces/kube-system/pods/${name}`)
    return code === 200 && JSON.parse(bytes.toString()).status?.containerStatuses?.[0]?.ready === true
  })
})

test('status and metrics tell how far SQL is', async () => {
  await rows('select 1 as one')
  const status = await shiplog('status', '-d', dataDir)
  expect(status.stdout).toMatch(/SQL: postgres:\/\/127\.0\.0\.1:\d+\/shiplog \((up to date|\d+ events behind)\)/)
  const metrics = (await api('GET', '/metrics')).bytes.toString()
  expect(Number(/^shiplog_projector_position\{stream="events"\} (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(30)
  expect(metrics).toMatch(/^shiplog_projector_lag_events\{stream="events"\} \d+$/m)
})
