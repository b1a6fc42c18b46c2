// The past through the front door: what the API said once, it says again below /at/, byte for byte, while the cluster
// goes on, after a restart (when nothing of it is in memory), and to an unmodified kubectl.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type RunningCluster, startCluster } from '@shiplog/all-in-one/cluster'
import { silentLogger } from '@shiplog/runtime/logger'
import { describe, expect, test } from 'vitest'
import { provideKubectl } from '../../../../tools/kubectl/provide.ts'
import { findNatsServer } from '../cluster/find-nats-server.ts'

interface Answer {
  readonly code: number
  readonly text: string
  readonly type: string
}

/** Answers that are recorded and compared. */
const answersWanted = 2_000

function clientOf(cluster: RunningCluster) {
  const file = (name: string): Buffer => readFileSync(join(cluster.dataDir, 'pki', name))
  const agent = new Agent({
    ca: file('ca.crt'),
    cert: file('admin.crt'),
    key: file('admin.key'),
    keepAlive: true,
    maxSockets: 16,
  })
  const send = (
    path: string,
    more: { method?: string; body?: unknown; accept?: string; type?: string; until?: (text: string) => boolean } = {},
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const body = more.body === undefined ? undefined : JSON.stringify(more.body)
      const call = request(
        `${cluster.url}${path}`,
        {
          agent,
          method: more.method ?? 'GET',
          headers: {
            accept: more.accept ?? 'application/json',
            ...(body
              ? { 'content-type': more.type ?? 'application/json', 'content-length': Buffer.byteLength(body) }
              : {}),
          },
        },
        (response) => {
          let text = ''
          const done = (): void =>
            resolve({ code: response.statusCode!, text, type: String(response.headers['content-type']) })
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => {
            text += chunk
            if (more.until?.(text)) {
              done()
              call.destroy()
            }
          })
          response.on('end', done)
        },
      )
      call.on('error', reject)
      call.end(body)
    })
  return { send, close: () => agent.destroy() }
}

type Client = ReturnType<typeof clientOf>

const start = (dataDir: string, log: 'embedded' | 'jetstream'): Promise<RunningCluster> =>
  startCluster({
    dataDir,
    port: 0,
    log,
    simulatedNodes: 4,
    logger: silentLogger,
    findNatsServer: findNatsServer(() => undefined),
  })

const deployment = (name: string, replicas: number): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, labels: { app: name } },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'nginx' }] } },
  },
})

const apps = '/apis/apps/v1/namespaces/default/deployments'
const pods = '/api/v1/namespaces/default/pods'
const mergePatch = 'application/merge-patch+json'

/** Something always happens: rollouts, scaling, deletions, re-creations, patches. */
async function workload(client: Client, going: () => boolean): Promise<void> {
  const must = async (answer: Promise<Answer>): Promise<void> => {
    const { code, text } = await answer
    if (code >= 400 && code !== 404 && code !== 409) throw new Error(text)
  }
  for (let round = 0; going(); round++) {
    const name = `web-${round % 3}`
    await must(client.send(apps, { method: 'POST', body: deployment(name, 2 + (round % 4)) }))
    await must(
      client.send(`${apps}/${name}`, {
        method: 'PATCH',
        type: mergePatch,
        body: { spec: { replicas: 1 + ((round * 3) % 7) }, metadata: { annotations: { round: `ü${round}` } } },
      }),
    )
    await must(
      client.send('/api/v1/namespaces/default/configmaps', {
        method: 'POST',
        body: { metadata: { name: `c${round % 5}` }, data: { round: String(round) } },
      }),
    )
    if (round % 3 === 2) {
      await must(client.send(`${apps}/web-${(round + 1) % 3}`, { method: 'DELETE' }))
      await must(client.send(`/api/v1/namespaces/default/configmaps/c${(round + 2) % 5}`, { method: 'DELETE' }))
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

interface Recorded {
  readonly path: string
  readonly at: number
  readonly text: string
}

const listsOf = [
  pods,
  '/api/v1/pods',
  '/api/v1/pods?labelSelector=app%3Dweb-1',
  '/api/v1/pods?fieldSelector=status.phase%3DRunning',
  '/api/v1/pods?limit=3',
  '/api/v1/nodes',
  apps,
  '/apis/apps/v1/replicasets',
  '/api/v1/configmaps',
  '/api/v1/namespaces/default/configmaps',
]

/** Lists, and gets of what they showed, each with the version that it reported. */
async function record(client: Client, wanted: number): Promise<Recorded[]> {
  const recorded: Recorded[] = []
  const note = (path: string, { code, text }: Answer): any => {
    if (code === 404) return undefined
    expect(code).toBe(200)
    const object = JSON.parse(text)
    recorded.push({ path, at: Number(object.metadata.resourceVersion), text })
    return object
  }
  for (let i = 0; recorded.length < wanted; i++) {
    const path = listsOf[i % listsOf.length]!
    const list = note(path, await client.send(path))
    if (list.metadata.continue) {
      const next = `${path}&continue=${encodeURIComponent(list.metadata.continue)}`
      note(next, await client.send(next))
    }
    const base = path.replace(/\?.*$/, '')
    const singles = (list.items as any[]).slice(i % 3, (i % 3) + 6).map(async ({ metadata }) => {
      const single = metadata.namespace
        ? `${base.replace(/\/namespaces\/[^/]+/, '').replace(/\/([a-z]+)$/, `/namespaces/${metadata.namespace}/$1`)}/${metadata.name}`
        : `${base}/${metadata.name}`
      note(single, await client.send(single))
    })
    await Promise.all(singles)
  }
  return recorded
}

/** How many answers are asked for at a time. */
const askedAtOnce = 8

/** Asks again below /at/; gives how long single objects took, milliseconds, ascending. */
async function compare(client: Client, recorded: readonly Recorded[]): Promise<number[]> {
  const times: number[] = []
  const left = recorded.values()
  const compareRest = async (): Promise<void> => {
    for (const { path, at, text } of left) {
      const began = performance.now()
      const again = await client.send(`/at/${at}${path}`)
      if (!listsOf.includes(path)) times.push(performance.now() - began)
      if (again.text !== text) expect({ path, at, text: again.text }).toEqual({ path, at, text })
    }
  }
  await Promise.all(Array.from({ length: askedAtOnce }, compareRest))
  return times.sort((a, b) => a - b)
}

const p99 = (times: readonly number[]): number => times[Math.floor(times.length * 0.99)]!

describe.each(['embedded', 'jetstream'] as const)('the past on the log %s', (log) => {
  test(`${answersWanted} answers that were recorded under a workload are the same later, and after a restart`, async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'shiplog-past-'))
    let cluster = await start(dataDir, log)
    try {
      let client = clientOf(cluster)
      let going = true
      const working = workload(client, () => going)
      const recorded = await record(client, answersWanted)
      // The first comparison runs while the workload goes on.
      const fromMemory = await compare(client, recorded.slice(0, 1_000))
      going = false
      await working
      await compare(client, recorded.slice(1_000))
      const last = recorded.at(-1)!.at
      const tables = await client.send(`/at/${last}${pods}`, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
      client.close()
      await cluster.stop()

      cluster = await start(dataDir, log)
      client = clientOf(cluster)
      const fromLog = await compare(client, recorded)
      const tablesAgain = await client.send(`/at/${last}${pods}`, {
        accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
      })
      expect(tablesAgain).toEqual(tables)
      process.stderr.write(
        `past on ${log}: GET p99 ${p99(fromMemory).toFixed(1)} ms from memory under load, ${p99(fromLog).toFixed(1)} ms from the log\n`,
      )
      client.close()
    } finally {
      await cluster.stop()
      rmSync(dataDir, { recursive: true, force: true })
    }
  }, 180_000)
})

describe('the past to its clients', () => {
  test('it is read-only, ends where the log ends, says why, and kubectl lives in it', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'shiplog-past-'))
    const cluster = await start(dataDir, 'embedded')
    const client = clientOf(cluster)
    try {
      const status = async (path: string, more: Parameters<Client['send']>[1] = {}): Promise<any> =>
        JSON.parse((await client.send(path, more)).text)
      await client.send(apps, { method: 'POST', body: deployment('web', 3) })
      let before: any
      await expect
        .poll(
          async () => {
            before = await status(pods)
            return before.items.filter((pod: any) => pod.status.phase === 'Running').length
          },
          { timeout: 10_000 },
        )
        .toBe(3)
      // Event objects have a stream of their own: those are shown that were there when the sequence was stored.
      const noted = async (): Promise<number> =>
        (await status('/api/v1/namespaces/default/events')).items.filter((event: any) => event.reason === 'Scheduled')
          .length
      await expect.poll(noted, { timeout: 10_000 }).toBe(3)
      await client.send('/api/v1/namespaces/default/configmaps', {
        method: 'POST',
        body: { metadata: { name: 'mark' } },
      })
      before = await status(pods)
      const at = Number(before.metadata.resourceVersion)
      const timeThen = new Date().toISOString()
      await new Promise((resolve) => setTimeout(resolve, 1_100))
      await client.send(`${apps}/web`, { method: 'DELETE' })
      await expect.poll(async () => (await status(pods)).items.length, { timeout: 10_000 }).toBe(0)

      // Writes.
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        const refused = await client.send(`/at/${at}${pods}`, { method, body: {} })
        expect([refused.code, JSON.parse(refused.text)]).toMatchObject([
          405,
          { kind: 'Status', reason: 'MethodNotAllowed', message: expect.stringContaining('the past is read-only') },
        ])
      }
      // Before, after, and nonsense.
      expect(await status(`/at/0${pods}`)).toMatchObject({
        code: 410,
        reason: 'Expired',
        message: 'the log does not reach back to sequence 0: the oldest sequence left is 1',
      })
      expect(await status(`/at/2001-01-01T00:00:00Z${pods}`)).toMatchObject({ code: 410, reason: 'Expired' })
      expect(await status(`/at/999999999${pods}`)).toMatchObject({
        code: 504,
        message: expect.stringMatching(/^Timeout: Too large resource version: 999999999, current: \d+$/),
        // Nobody is told to try again, as kubectl would for half a minute.
        details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }] },
      })
      expect(await status(`/at/2999-01-01T00:00:00Z${pods}`)).toMatchObject({
        code: 400,
        message: expect.stringContaining('is in the future'),
      })
      expect(await status(`/at/yesterday${pods}`)).toMatchObject({ code: 400 })
      expect(await status(`/at/${at}/metrics`)).toMatchObject({ code: 404 })
      expect(await status(`/at/${at}/shiplog/v1/events`)).toMatchObject({ code: 404 })
      expect(await status(`/at/${at}${pods}/nobody`)).toMatchObject({ code: 404, reason: 'NotFound' })
      // By time.
      expect((await status(`/at/${encodeURIComponent(timeThen)}${pods}`)).items).toEqual(before.items)
      // A watch tells the state, and then nothing more until its time is over.
      const watched = await client.send(`/at/${at}${pods}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true`)
      const frames = watched.text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      expect(frames.map(({ type }) => type)).toEqual(['ADDED', 'ADDED', 'ADDED', 'BOOKMARK'])
      expect(frames.slice(0, 3).map(({ object }) => object.metadata.name)).toEqual(
        before.items.map((pod: any) => pod.metadata.name),
      )
      expect(frames[3].object.metadata.resourceVersion).toBe(String(at))
      const fromThen = await client.send(`/at/${at}${pods}?watch=true&timeoutSeconds=1&resourceVersion=${at}`)
      expect(fromThen.text).toBe('')
      const story = await client.send(`/at/${at}${pods}?watch=true&timeoutSeconds=1&resourceVersion=1`)
      expect(story.text.match(/"type":"ADDED"/g)).toHaveLength(3)
      expect(story.text).not.toContain('"type":"DELETED"')

      // The unmodified kubectl.
      const { kubectl } = await provideKubectl()
      const k = async (...args: string[]): Promise<string> => {
        const { stdout } = await promisify(execFile)(kubectl, args, {
          env: { ...process.env, KUBECONFIG: cluster.kubeconfig, HOME: dataDir, KUBECACHEDIR: join(dataDir, 'cache') },
        })
        return stdout
      }
      const then = `--server=${cluster.url}/at/${at}`
      expect((await k(then, 'get', 'pods', '--no-headers')).match(/Running/g)).toHaveLength(3)
      expect(await k('get', 'pods', '-o', 'name')).toBe('')
      expect(await k(then, 'get', 'all', '-A')).toContain('deployment.apps/web')
      expect(await k(then, 'get', 'pods', '-l', 'app=web', '--chunk-size=1', '-o', 'name')).toBe(
        before.items.map((pod: any) => `pod/${pod.metadata.name}\n`).join(''),
      )
      const name = before.items[0].metadata.name as string
      const described = await k(then, 'describe', 'pod', name)
      expect(described).toMatch(/Status: +Running/)
      expect(described).toMatch(/Scheduled +\S+ +default-scheduler +Successfully assigned default\/web/)
      expect(await k(then, 'describe', 'deployment', 'web')).toContain('3 desired')
      expect(await k(then, 'explain', 'pod.spec.nodeName')).toContain('nodeName')
      await expect(k(`--server=${cluster.url}/at/0`, 'get', 'pods')).rejects.toThrow(
        'Error from server (Expired): the log does not reach back to sequence 0: the oldest sequence left is 1',
      )
      expect(await k(then, 'api-resources')).toContain('deployments')
      expect(await k(then, 'rollout', 'status', 'deployment/web')).toContain('successfully rolled out')
      expect(await k(then, 'wait', '--for=condition=Ready', `pod/${name}`, '--timeout=5s')).toContain('condition met')
      await expect(k(then, 'delete', 'pod', name)).rejects.toThrow(/the past is read-only/)
      const byTime = `--server=${cluster.url}/at/${timeThen}`
      expect((await k(byTime, 'get', 'pods', '--no-headers')).match(/Running/g)).toHaveLength(3)
    } finally {
      client.close()
      await cluster.stop()
      rmSync(dataDir, { recursive: true, force: true })
    }
  }, 120_000)
})
