// The commands that tell the past, on a cluster whose story is known: while it runs (through the gateway) and after it was
// stopped (straight from the log), with the same words.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningCluster, startCluster } from '@shiplog/all-in-one/cluster'
import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findNatsServer } from '../cluster/find-nats-server.ts'

let directory: string
let data: string
let cluster: RunningCluster
let client: ApiClient
/** Sequences of the story's turns. */
const at: Record<string, number> = {}

interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const start = (...args: string[]): ChildProcess =>
  spawn(process.execPath, [join(import.meta.dirname, '../main.ts'), ...args], {
    env: { ...process.env, SHIPLOG_DATA_DIR: data, KUBECONFIG: '' },
  })

function shiplog(...args: string[]): Promise<Run> {
  return new Promise((resolve) => {
    const child = start(...args)
    let [stdout, stderr] = ['', '']
    child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk))
    child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk))
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }))
  })
}

const lines = (run: Run): any[] =>
  run.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

async function must(request: ApiRequest): Promise<number> {
  const result = await client.request(request)
  if (!result.ok) throw new Error(result.status.message)
  return result.sequence
}

const configMap = (verb: ApiRequest['verb'], more: Partial<ApiRequest> = {}): ApiRequest => ({
  verb,
  group: '',
  resource: 'configmaps',
  namespace: 'default',
  ...(verb === 'create' ? {} : { name: 'story' }),
  ...more,
})

const pod = (name: string, spec: object): ApiRequest => ({
  verb: 'create',
  group: '',
  resource: 'pods',
  namespace: 'default',
  body: { metadata: { name }, spec: { containers: [{ name: 'c', image: 'x', ...spec }] } },
})

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'shiplog-history-'))
  data = join(directory, 'data')
  const users = join(directory, 'tokens.csv')
  writeFileSync(users, 'secret-of-nobody,nobody,1,""\n')
  cluster = await startCluster({
    dataDir: data,
    port: 0,
    log: 'embedded',
    simulatedNodes: 3,
    tokenAuthFile: users,
    logger: silentLogger,
    findNatsServer: findNatsServer(() => undefined),
  })
  client = cluster.gateway.clientFor({ name: 'ann', groups: ['system:masters', 'system:authenticated'] })
  at['created'] = await must(
    configMap('create', {
      body: { metadata: { name: 'story', labels: { app: 'tale' } }, data: { hero: 'fox', end: '?' } },
    }),
  )
  at['changed'] = await must(
    configMap('patch', {
      patchType: 'application/merge-patch+json',
      body: { data: { hero: 'wölf', end: null, moral: 'none' } },
    }),
  )
  await must(configMap('delete'))
  at['deleted'] = await cluster.log.events.lastSequence()
  at['again'] = await must(configMap('create', { body: { metadata: { name: 'story' }, data: { hero: 'hen' } } }))
  await must(pod('placed', {}))
  await must(pod('huge', { resources: { requests: { cpu: '100', memory: '1Gi' } } }))
  for (let tries = 0; tries < 20; tries++) {
    if ((await shiplog('log', 'pod/huge', '--type', 'SchedulingAttempted')).stdout !== '') break
  }
}, 60_000)

afterAll(async () => {
  await cluster.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function checkStory(): Promise<void> {
  const told = await shiplog('log', 'cm/story')
  expect(told).toMatchObject({ code: 0, stderr: '' })
  expect(told.stdout.match(/ConfigMap\w+/g)).toEqual([
    'ConfigMapCreated',
    'ConfigMapDeleted',
    'ConfigMapUpdated',
    'ConfigMapCreated',
  ])
  expect(told.stdout).toMatch(
    new RegExp(`^ +${at['again']}  [-\\d]+ [:.\\d]+  ConfigMapCreated +configmap/story in default +by ann$`, 'm'),
  )
  const some = await shiplog(
    'log',
    'cm/story',
    '--since',
    String(at['created']),
    '--until',
    String(at['deleted']),
    '-o',
    'json',
  )
  expect(lines(some).map(({ type, payload }) => [type, payload.data.hero])).toEqual([
    ['ConfigMapDeleted', 'wölf'],
    ['ConfigMapUpdated', 'wölf'],
  ])
  const byType = await shiplog('log', '--type', 'ConfigMap*', '--actor', 'ann', '--max-count', '2')
  expect(byType.stdout.trim().split('\n')).toHaveLength(2)
  const patch = await shiplog('log', 'cm/story', '-p', '--type', '*Updated')
  expect(patch.stdout).toContain('~ data.hero: fox → "wölf"')

  const history = await shiplog('history', 'configmap/story', '-o', 'json')
  const [created, changed, deleted, again] = lines(history)
  expect(lines(history)).toHaveLength(4)
  expect(created).toMatchObject({ sequence: at['created'], actor: 'ann', type: 'ConfigMapCreated' })
  expect(changed.changes).toEqual([
    { path: 'data.hero', from: 'fox', to: 'wölf' },
    { path: 'data.moral', to: 'none' },
    { path: 'data.end', from: '?' },
  ])
  expect(changed).toMatchObject({ uid: created.uid, manager: 'ann', time: expect.stringMatching(/^\d{4}-.*Z$/) })
  expect(deleted).toMatchObject({ deleted: true, uid: created.uid })
  expect(again.uid).not.toBe(created.uid)
  const text = await shiplog('history', 'configmap/story')
  expect(text.stdout.match(/^configmap\/story in default, uid /gm)).toHaveLength(2)
  expect(await shiplog('history', 'cm/nobody')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('knows no cm/nobody'),
  })

  expect(await shiplog('log', 'cm/nobody')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('knows no cm/nobody'),
  })

  const difference = await shiplog('diff', String(at['created']), String(at['changed']), 'cm')
  expect(difference).toMatchObject({
    code: 1,
    stdout: `~ configmap/story in default\n    ~ data.hero: fox → "wölf"\n    + data.moral: none\n    - data.end: ?\n`,
  })
  const backwards = await shiplog('diff', String(at['changed']), String(at['created']), 'cm')
  expect(backwards.stdout).toContain('~ data.hero: "wölf" → fox')
  const gone = await shiplog('diff', String(at['changed']), String(at['deleted']), '-l', 'app=tale')
  expect(gone.stdout).toBe('- configmap/story in default\n')
  const other = await shiplog('diff', String(at['changed']), String(at['again']), 'cm/story')
  expect(other.stdout).toMatch(/^± configmap\/story in default \(another object of that name\)\n/)
  expect(await shiplog('diff', String(at['created']), String(at['deleted']), '-l', 'app=other')).toMatchObject({
    code: 0,
  })
  expect(await shiplog('diff', '1', '99999999')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is in the future'),
  })

  expect(await shiplog('diff', '1', '2999-01-01T00:00:00Z')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('2999-01-01T00:00:00Z is in the future'),
  })

  const placed = await shiplog('explain', 'pod/placed')
  expect(placed.stdout).toMatch(/computed again, it is the same\ngoes to node-\d: 3 of 4 nodes passed the filters\n/)
  expect(placed.stdout).toMatch(/^\* node-\d {2}total \d+$/m)
  expect(placed.stdout).toMatch(/TaintToleration +raw 0, normalized 100, × 3 = 300/)
  expect(placed.stdout).toMatch(
    /- shiplog-control-plane\n(.*\n)*.*taints: node-role.kubernetes.io\/control-plane:NoSchedule/,
  )
  const huge = await shiplog('explain', 'pod/huge')
  expect(huge.stdout).toContain('fits nowhere: 0/4 nodes are available')
  expect(huge.stdout).toMatch(/cpu: wants 100, \d+(m?) of 8 free, \d+(m?) missing/)
  expect(await shiplog('explain', 'pod/nobody')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('knows no pod nobody'),
  })
}

describe('the story of a cluster', () => {
  test('is told while it runs', checkStory, 60_000)

  test('is told as it happens, and ends in order', async () => {
    const child = start('log', 'cm/live', '--follow')
    let stdout = ''
    child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk))
    const exit = new Promise<number | null>((resolve) => child.on('close', resolve))
    // Until the follower has begun, what happens is before its time.
    for (let i = 0; i < 40 && !stdout.includes('ConfigMapCreated'); i++) {
      await must(configMap('create', { body: { metadata: { name: 'live' }, data: { i: String(i) } } }))
      await new Promise((resolve) => setTimeout(resolve, 200))
      await must(configMap('delete', { name: 'live' }))
    }
    expect(stdout).toContain('configmap/live in default')
    child.kill('SIGINT')
    expect(await exit).toBe(0)
  }, 30_000)

  test('is for those who may read everything', async () => {
    const kubeconfig = join(directory, 'nobody.yaml')
    const config = {
      clusters: [
        {
          name: 'c',
          cluster: { server: cluster.url, 'certificate-authority': join(data, 'pki', 'ca.crt') },
        },
      ],
      users: [{ name: 'u', user: { token: 'secret-of-nobody' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }
    writeFileSync(kubeconfig, JSON.stringify(config))
    const refused = await shiplog('log', '--kubeconfig', kubeconfig)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('User "nobody" cannot get path "/shiplog/v1/')
    const rule = { verbs: ['get'], nonResourceURLs: ['/shiplog/v1/*'] }
    await must({
      verb: 'create',
      group: 'rbac.authorization.k8s.io',
      resource: 'clusterroles',
      body: { metadata: { name: 'historian' }, rules: [rule] },
    })
    await must({
      verb: 'create',
      group: 'rbac.authorization.k8s.io',
      resource: 'clusterrolebindings',
      body: {
        metadata: { name: 'historian' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'historian' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'nobody' }],
      },
    })
    const allowed = await shiplog('log', 'cm/story', '--kubeconfig', kubeconfig)
    expect(allowed).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('ConfigMapDeleted') })
  }, 30_000)

  test('is told with the same words after the cluster was stopped', async () => {
    await cluster.stop()
    await checkStory()
  }, 60_000)
})
