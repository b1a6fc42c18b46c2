// A kind gets a new stored form: records of the old one are in the log, and everybody reads them as the new one. Pods of
// version 1 say `old-app`; version 2 says `app`, and asks for a node by name, so that one sees who reads which.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type RunningCluster, startCluster } from '@shiplog/all-in-one/cluster'
import type { ApiRequest } from '@shiplog/api/api-client'
import { createSchemaVersions } from '@shiplog/api/codec'
import type { KubeObject } from '@shiplog/api/kube-object'
import { createRecordCodec, type RecordCodec } from '@shiplog/feed/record-codec'
import { defaultConfiguration } from '@shiplog/scheduling/framework/configuration'
import { createProfiles } from '@shiplog/scheduling/framework/profiles'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { explainPod } from '@shiplog/scheduling/replay/explain-decision'
import { history } from './history.ts'
import { type HistorySource, logSource } from './history-source.ts'
import { replayAll } from '../replay/replay.ts'

const upgraded: RecordCodec = createRecordCodec({
  versions: createSchemaVersions({
    pods: {
      current: 2,
      upcasters: {
        1: (pod) => {
          const app = pod.metadata.labels?.['old-app']
          if (app === undefined) return pod
          return {
            ...pod,
            metadata: { ...pod.metadata, labels: { app } },
            spec: { ...pod['spec'], nodeSelector: { 'kubernetes.io/hostname': 'node-1' } },
          }
        },
      },
    },
  }),
})

const template = { spec: { containers: [{ name: 'main', image: 'x' }] } }
let directory = ''
let cluster: RunningCluster
let source: HistorySource
/** Where the pod was written in its old form. */
let written = 0

const start = (nodes: number, codec?: RecordCodec): Promise<RunningCluster> =>
  startCluster({
    dataDir: join(directory, 'data'),
    port: 0,
    log: 'embedded',
    simulatedNodes: nodes,
    logger: silentLogger,
    findNatsServer: () => Promise.resolve(undefined),
    ...(codec ? { codec, postgres: 'auto' } : {}),
  })

async function ask(what: Partial<ApiRequest>): Promise<{ object: KubeObject; sequence: number }> {
  const client = cluster.gateway.clientFor({ name: 'ann', groups: ['system:masters'] })
  const result = await client.request({ verb: 'get', group: '', resource: 'pods', namespace: 'default', ...what })
  if (!result.ok) throw new Error(JSON.stringify(result.status))
  return { object: result.object, sequence: result.sequence }
}

function get(path: string): Promise<any> {
  const file = (name: string): Buffer => readFileSync(join(cluster.dataDir, 'pki', name))
  return new Promise((resolve, reject) => {
    const tls = { ca: file('ca.crt'), cert: file('admin.crt'), key: file('admin.key'), agent: false as const }
    request(`${cluster.url}${path}`, tls, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(JSON.parse(text)))
    })
      .on('error', reject)
      .end()
  })
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'shiplog-upgrade-'))
  cluster = await start(0)
  const pod = { metadata: { name: 'aged', labels: { 'old-app': 'web' } }, ...template }
  written = (await ask({ verb: 'create', body: pod })).sequence
  // The scheduler finds no node, and says so.
  await vi.waitFor(async () => expect((await ask({ name: 'aged' })).object['status']?.conditions).toHaveLength(1), 20_000)
  await cluster.stop()
  cluster = await start(2, upgraded)
  source = logSource(cluster.log.events, () => Promise.resolve(), upgraded)
}, 120_000)

afterAll(async () => {
  await cluster.stop()
  rmSync(directory, { recursive: true, force: true })
})

const old = { metadata: { labels: { 'old-app': 'web' } } }
const now = { metadata: { labels: { app: 'web' } }, spec: { nodeSelector: { 'kubernetes.io/hostname': 'node-1' } } }

describe('a pod of the first schema version is read as one of the second', () => {
  test('by the gateway: gets, lists by selector, and /at', async () => {
    expect((await ask({ name: 'aged' })).object).toMatchObject(now)
    const { items } = await get('/api/v1/namespaces/default/pods?labelSelector=app%3Dweb')
    expect(items).toHaveLength(1)
    expect(await get(`/at/${written}/api/v1/namespaces/default/pods/aged`)).toMatchObject(now)
    expect((await get(`/at/${written}/api/v1/pods?labelSelector=app%3Dweb`)).items).toMatchObject([now])
  })

  test('by the scheduler, which sends it where the new form says', async () => {
    await vi.waitFor(
      async () => expect((await ask({ name: 'aged' })).object['spec'].nodeName).toBe('node-1'),
      { timeout: 20_000, interval: 100 },
    )
  })

  test('by the controllers: a ReplicaSet adopts it by its new label', async () => {
    const spec = {
      replicas: 1,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, ...template },
    }
    const apps = { group: 'apps', resource: 'replicasets' }
    await ask({ ...apps, verb: 'create', body: { metadata: { name: 'web' }, spec } })
    await vi.waitFor(
      async () => expect((await ask({ name: 'aged' })).object.metadata.ownerReferences).toMatchObject([{ name: 'web' }]),
      { timeout: 20_000, interval: 100 },
    )
  })

  test('and what is written then is written in the second', async () => {
    const last = (await cluster.log.events.last('evt.core.pods.default.aged'))!
    expect(last.headers['Shiplog-Schema']).toBe('2')
    expect(JSON.parse(Buffer.from(last.payload).toString())).toMatchObject(now)
    const first = (await cluster.log.events.get(written))!
    expect(JSON.parse(Buffer.from(first.payload).toString())).toMatchObject(old)
  })

  test('by replay and explain, which come to the same decision', async () => {
    const report = await replayAll(source)
    expect(report).toMatchObject({ different: [], unknown: [], damages: [] })
    expect(report.attempts).toBeGreaterThan(0)
    const at = await cluster.log.events.lastSequence()
    const profiles = createProfiles([defaultConfiguration])
    const explained = await explainPod(source, { namespace: 'default', name: 'aged' }, at, { profiles })
    expect(explained).toMatchObject({ node: 'node-1', asRecorded: true })
    expect(explained.required).toEqual({ nodeSelector: { 'kubernetes.io/hostname': 'node-1' } })
  })

  test('by history', async () => {
    const said: string[] = []
    const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0)
    try {
      await history('pod/aged', { dataDir: cluster.dataDir, codec: upgraded, output: 'json' })
    } finally {
      spy.mockRestore()
    }
    const [created] = said.map((line) => JSON.parse(line))
    expect(created.changes).toContainEqual({ path: 'metadata.labels.app', to: 'web' })
    expect(said.join('')).not.toContain('old-app')
  })

  test('by SQL, in the present and in history; the bytes stay what the log holds', async () => {
    const query = `select object->'metadata'->'labels'->>'app' as app, convert_from(payload, 'UTF8') as bytes
      from v1.pods_history where name = 'aged' order by sequence`
    const main = join(import.meta.dirname, '../main.ts')
    const rows = await vi.waitFor(
      async () => {
        const run = [main, 'sql', '-d', cluster.dataDir, '-o', 'json', '--fresh', query]
        return JSON.parse((await promisify(execFile)(process.execPath, run)).stdout) as any[]
      },
      { timeout: 60_000, interval: 500 },
    )
    expect(new Set(rows.map(({ app }) => app))).toEqual(new Set(['web']))
    expect(rows[0].bytes).toContain('"old-app":"web"')
  }, 90_000)
})
