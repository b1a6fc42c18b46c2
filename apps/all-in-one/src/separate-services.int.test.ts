// Every service as a process of its own, on a real nats-server that uses the configuration of the compose file: they come
// up in any order, do their work, and go on when one of each kind is killed.
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { ApiClient } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { type ApiConnection, createApiConnection } from '@shiplog/api-client/api-connection'
import { createHttpApiClient } from '@shiplog/api-client/http-api-client'
import { provideNatsServer } from '@shiplog/nats-server/nats-binary'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { eventually } from '@shiplog/testing/eventually'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeComponentFiles } from './component-files.ts'

const root = resolve(import.meta.dirname, '../../..')
const files = mkdtempSync(join(tmpdir(), 'shiplog-apart-'))
const replicas = 30
/** The bundle of infra/bundle.mjs in this folder is run instead of the sources. */
const bundle = process.env['SHIPLOG_TEST_BUNDLE']
const mainOf = (service: string): string =>
  bundle ? resolve(bundle, `${service}.mjs`) : join(root, 'services', service, 'src/main.ts')

interface Process {
  readonly child: ChildProcess
  readonly healthPort: number
  output: string
}

let natsServer: ChildProcess
let natsUrl = ''
let connection: ApiConnection
let admin: ApiClient
const gatewayPorts: number[] = []
const processes = new Map<string, Process>()

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

async function start(name: string, service: string, own: Readonly<Record<string, string>>): Promise<void> {
  const healthPort = await freePort()
  const child = spawn(process.execPath, [mainOf(service)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      SHIPLOG_HEALTH_HOST: '127.0.0.1',
      SHIPLOG_HEALTH_PORT: String(healthPort),
      SHIPLOG_REPLICA: name,
      ...own,
    },
  })
  const started: Process = { child, healthPort, output: '' }
  child.stderr!.on('data', (chunk: Buffer) => {
    started.output += chunk.toString()
  })
  processes.set(name, started)
}

const startGateway = (index: number): Promise<void> =>
  start(`gateway-${index}`, 'api-gateway', {
    SHIPLOG_NATS_URL: natsUrl,
    SHIPLOG_NATS_CREDENTIALS: join(files, 'api-gateway/nats.json'),
    SHIPLOG_DATA_DIR: join(files, `mark-${index}`),
    SHIPLOG_HOST: '127.0.0.1',
    SHIPLOG_PORT: String(gatewayPorts[index]),
    SHIPLOG_CA: join(files, 'api-gateway/ca.crt'),
    SHIPLOG_SERVER_CERT: join(files, 'api-gateway/server.crt'),
    SHIPLOG_SERVER_KEY: join(files, 'api-gateway/server.key'),
    SHIPLOG_SERVICE_ACCOUNT_KEY: join(files, 'api-gateway/sa.key'),
    SHIPLOG_ENCRYPTION_PROVIDER_CONFIG: join(files, 'api-gateway/encryption.yaml'),
  })

const clientOf = (place: string): Record<string, string> => ({
  SHIPLOG_API_SERVERS: gatewayPorts.map((port) => `https://127.0.0.1:${port}`).join(','),
  SHIPLOG_API_CA: join(files, place, 'ca.crt'),
  SHIPLOG_API_CERT: join(files, place, 'client.crt'),
  SHIPLOG_API_KEY: join(files, place, 'client.key'),
})

const startReader = (
  name: string,
  service: string,
  component: string,
  more: Readonly<Record<string, string>> = {},
): Promise<void> =>
  start(name, service, {
    ...more,
    ...clientOf(component),
    SHIPLOG_NATS_URL: natsUrl,
    SHIPLOG_NATS_CREDENTIALS: join(files, component, 'nats.json'),
  })
const startController = (name: string) =>
  startReader(name, 'controllers', 'kube-controller-manager', {
    SHIPLOG_ENCRYPTION_PROVIDER_CONFIG: join(files, 'kube-controller-manager', 'encryption.yaml'),
  })
const startScheduler = (name: string) => startReader(name, 'scheduler', 'kube-scheduler')
/** The agents of two nodes in one process, by the bus alone. */
const startAgents = () =>
  start('agents', 'node-agent', {
    SHIPLOG_NATS_URL: natsUrl,
    SHIPLOG_NATS_CREDENTIALS: join(files, '{node}', 'nats.json'),
    SHIPLOG_NODE_NAMES: 'node-0,node-1',
  })

/** The agent of a node whose pods are processes. */
const startMachine = () =>
  start('machine', 'node-agent', {
    SHIPLOG_NATS_URL: natsUrl,
    SHIPLOG_NATS_CREDENTIALS: join(files, '{node}', 'nats.json'),
    SHIPLOG_NODE_NAMES: 'machine',
    SHIPLOG_NODE_RUNTIME: 'process',
    SHIPLOG_NODE_DIR: join(files, 'machines'),
  })

const health = async (name: string, path: string): Promise<{ readonly ok: boolean; readonly text: string }> => {
  try {
    const answer = await fetch(`http://127.0.0.1:${processes.get(name)!.healthPort}${path}`)
    return { ok: answer.ok, text: await answer.text() }
  } catch {
    return { ok: false, text: '' }
  }
}

const told = (): string =>
  [...processes].map(([name, { output }]) => `── ${name}\n${output.slice(-1_500)}`).join('\n')

const until = <T>(what: string, withinMs: number, look: () => Promise<T | undefined | false>) =>
  eventually<T | undefined | false>(what, look, { withinMs, everyMs: 100, details: told })

const list = async (resource: string, group = '', namespace = 'default'): Promise<KubeObject[]> => {
  const result = await admin.request({ verb: 'list', group, resource, namespace })
  if (!result.ok) throw new Error(result.status.message)
  return result.object['items'] as KubeObject[]
}
const pods = (): Promise<KubeObject[]> => list('pods')

async function running(count: number, limitMs: number): Promise<readonly string[]> {
  const found = await until(`${count} pods run`, limitMs, async () => {
    const all = await pods()
    return all.length === count && all.every((pod) => pod['status']?.phase === 'Running') && all
  })
  return found.map((pod) => pod.metadata.uid!).sort()
}

async function scale(count: number): Promise<void> {
  const result = await admin.request({
    verb: 'patch',
    group: 'apps',
    resource: 'deployments',
    namespace: 'default',
    name: 'web',
    patchType: 'application/merge-patch+json',
    body: { spec: { replicas: count } },
  })
  expect(result.ok).toBe(true)
}

/** What a metric of several processes adds up to. */
const sum = async (pattern: RegExp, ...names: string[]): Promise<number> => {
  let total = 0
  for (const name of names) total += Number(pattern.exec((await health(name, '/metrics')).text)?.[1] ?? 0)
  return total
}

function kill(name: string): void {
  processes.get(name)!.child.kill('SIGKILL')
  processes.delete(name)
}

beforeAll(async () => {
  for (let index = 0; index < 2; index++) gatewayPorts.push(await freePort())
  await writeComponentFiles({
    directory: files,
    nowMs: clock.nowMs(),
    hosts: [],
    nodes: ['node-0', 'node-1', 'machine'],
    server: `https://127.0.0.1:${gatewayPorts[0]}`,
  })
  const binary = await provideNatsServer({})
  if (binary === undefined) throw new Error('this test needs a nats-server')
  // Laid out as the compose file mounts it.
  const natsHome = join(files, 'etc/nats')
  mkdirSync(natsHome, { recursive: true })
  const configuration = readFileSync(join(root, 'infra/nats/nats.conf'), 'utf8')
  writeFileSync(join(natsHome, 'nats.conf'), configuration.replace('/data', join(files, 'store')))
  cpSync(join(files, 'nats'), join(files, 'etc/nats-auth'), { recursive: true })
  const natsPort = await freePort()
  natsUrl = `nats://127.0.0.1:${natsPort}`
  const where = ['-c', join(natsHome, 'nats.conf'), '-a', '127.0.0.1', '-p', String(natsPort)]
  // Readers first: they wait for the server, and for the gateway that makes the streams.
  await startController('controllers-0')
  await startScheduler('scheduler-0')
  await startAgents()
  natsServer = spawn(binary.path, where, { stdio: 'ignore' })
  await startGateway(0)
  await startGateway(1)
  await startController('controllers-1')
  await startScheduler('scheduler-1')
  const pem = (file: string): string => readFileSync(join(files, 'authority', file), 'utf8')
  connection = createApiConnection({
    servers: gatewayPorts.map((port) => `https://127.0.0.1:${port}`),
    ca: pem('ca.crt'),
    credentials: { certificate: pem('admin.crt'), key: pem('admin.key') },
    userAgent: 'test',
    clock,
  })
  admin = createHttpApiClient({ connection, clock })
})

afterAll(async () => {
  connection?.close()
  for (const { child } of processes.values()) child.kill('SIGKILL')
  natsServer?.kill('SIGKILL')
  await clock.sleep(100)
  rmSync(files, { recursive: true, force: true })
})

describe('services that run apart', { timeout: 150_000 }, () => {
  test('become ready, whatever the order, and replicas know each other', async () => {
    for (const name of processes.keys()) {
      await until(`${name} is ready`, 60_000, async () => (await health(name, '/readyz')).ok)
    }
    for (const kind of ['controllers', 'scheduler']) {
      await until(`the replicas of ${kind} divide the work`, 30_000, async () => {
        return (await sum(/shiplog_replica_members\{[^}]*\} (\d)/, `${kind}-0`, `${kind}-1`)) === 4
      })
    }
  })

  test('run a Deployment', async () => {
    const labels = { app: 'web' }
    const made = await until('the Deployment is accepted', 5_000, async () => {
      const result = await admin.request({
        verb: 'create',
        group: 'apps',
        resource: 'deployments',
        namespace: 'default',
        body: {
          metadata: { name: 'web' },
          spec: {
            replicas,
            selector: { matchLabels: labels },
            template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'nginx' }] } },
          },
        },
      })
      return result.ok && result
    })
    expect(made.code).toBe(201)
    await running(replicas, 15_000)
    const events = await list('events')
    const reporters = new Set(events.map((event) => event['reportingComponent'] || event['source']?.component))
    expect([...reporters]).toEqual(expect.arrayContaining(['default-scheduler', 'deployment-controller', 'kubelet']))
  })

  test('reach what runs on a node through its agent, which has no port', async () => {
    const [pod] = await pods()
    const path = `/api/v1/namespaces/default/pods/${pod!.metadata.name}/log`
    const { code, body } = await connection.request({ method: 'GET', path })
    // So says the agent: a gateway knows of no simulation.
    expect(body.toString()).toContain('is simulated (simulated): it prints nothing')
    expect(code).toBe(400)
  })

  test('tell their metrics under upstream names', async () => {
    const schedulers = ['scheduler-0', 'scheduler-1']
    const scheduled = /scheduler_schedule_attempts_total\{result="scheduled",profile="default-scheduler"\} (\d+)/
    expect(await sum(scheduled, ...schedulers)).toBe(30)
    // Each has had a part.
    for (const scheduler of schedulers) expect(await sum(scheduled, scheduler)).toBeGreaterThan(0)
    const woken = /workqueue_adds_total\{name="replicaset"\} (\d+)/
    expect(await sum(woken, 'controllers-0', 'controllers-1')).toBeGreaterThan(0)
    expect((await health('agents', '/metrics')).text).toContain('kubelet_running_pods 30')
  })

  test('are pods in kube-system, and the gateways are the endpoints of the Service kubernetes', async () => {
    await until('all are ready pods', 15_000, async () => {
      const all = await list('pods', '', 'kube-system')
      const ready = all.filter((pod) => pod['status']?.containerStatuses?.[0]?.ready)
      const names = new Set(ready.map(({ metadata }) => metadata.name))
      return ['kube-apiserver-gateway-0', 'kube-apiserver-gateway-1', 'node-agent-node-0', 'nats-shiplog'].every(
        (name) => names.has(name),
      )
    })
    const [endpoints] = await list('endpoints')
    expect(endpoints!['subsets'].map(({ ports }: { ports: { port: number }[] }) => ports[0]!.port)).toEqual(
      [...gatewayPorts].sort((a, b) => a - b),
    )
  })

  test('go on when one of each kind is killed while the Deployment is scaled, with neither more nor fewer pods', async () => {
    const before = await running(replicas, 1_000)
    // Up, while a controller manager dies at once.
    await scale(replicas + 10)
    kill('controllers-0')
    const grown = await running(replicas + 10, 12_000)
    expect(grown).toEqual(expect.arrayContaining([...before]))
    // Down, while a gateway dies.
    await scale(replicas - 10)
    kill('gateway-0')
    await running(replicas - 10, 12_000)
    await startGateway(0)
    // Up, while a scheduler dies.
    await scale(replicas)
    kill('scheduler-0')
    const again = await running(replicas, 12_000)
    // The agent dies and comes back: its pods are adopted or started again, and stay the same pods.
    kill('agents')
    await startAgents()
    await until('the agent is back', 30_000, async () => (await health('agents', '/readyz')).ok)
    await until('the gateway is back', 30_000, async () => (await health('gateway-0', '/readyz')).ok)
    expect(await running(replicas, 30_000)).toEqual(again)
    await until('the restarts are counted', 15_000, async () => {
      const pods = await list('pods', '', 'kube-system')
      const restarts = (name: string): unknown =>
        pods.find(({ metadata }) => metadata.name === name)?.['status']?.containerStatuses?.[0]?.restartCount
      return restarts('kube-apiserver-gateway-0') === 1 && restarts('node-agent-node-0') === 1
    })
    const nodes = await list('nodes', '', '')
    expect(nodes.map(({ metadata }) => metadata.name).sort()).toEqual(['node-0', 'node-1', 'shiplog-control-plane'])
  })

  test('serve a node of real processes, which run on while its agent is away', async () => {
    const create = async (resource: string, body: JsonObject): Promise<void> => {
      await until(`${resource} is accepted`, 30_000, async () => {
        const result = await admin.request({ verb: 'create', group: '', resource, namespace: 'default', body })
        return result.ok
      })
    }
    const pod = async (): Promise<KubeObject | undefined> =>
      (await pods()).find(({ metadata }) => metadata.name === 'p')
    const container = async (): Promise<JsonObject> => (await pod())?.['status']?.containerStatuses?.[0] ?? {}
    const printed = async (): Promise<string> => {
      const { body } = await connection.request({ method: 'GET', path: '/api/v1/namespaces/default/pods/p/log' })
      return body.toString()
    }
    await startMachine()
    await create('secrets', { metadata: { name: 'key' }, stringData: { word: 'hush' } })
    await create('pods', {
      metadata: { name: 'p' },
      spec: {
        nodeSelector: { 'shiplog.dev/runtime': 'process' },
        tolerations: [{ key: 'shiplog.dev/runtime', operator: 'Exists' }],
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'main',
            image: 'none',
            command: ['sh', '-c', 'echo $$$$ $(WORD); exec sleep 1000'],
            env: [{ name: 'WORD', valueFrom: { secretKeyRef: { name: 'key', key: 'word' } } }],
          },
        ],
      },
    })
    const pid = await until('it prints what the Secret says', 20_000, async () => {
      return Number(/^(\d+) hush\n$/.exec(await printed())?.[1]) || undefined
    })
    const { containerID } = await container()
    const { child } = processes.get('machine')!
    const gone = new Promise((done) => child.once('exit', done))
    child.kill('SIGTERM')
    expect(await gone).toBe(0)
    expect(existsSync(`/proc/${pid}`)).toBe(true)
    await startMachine()
    await until('the agent is back', 30_000, async () => (await health('machine', '/readyz')).ok)
    expect(await printed()).toBe(`${pid} hush\n`)
    expect(await container()).toMatchObject({ containerID, restartCount: 0, ready: true })
    await admin.request({ verb: 'delete', group: '', resource: 'pods', namespace: 'default', name: 'p' })
    await until('it is gone', 20_000, async () => (await pod()) === undefined)
    expect(existsSync(`/proc/${pid}`)).toBe(false)
  })

  test('stop within five seconds of SIGTERM, replicas giving their leases up', async () => {
    const startedMs = clock.nowMs()
    const ended = [...processes].map(
      ([name, { child }]) =>
        new Promise<readonly [string, number | null]>((done) => {
          child.once('exit', (code) => done([name, code]))
          // Gateways last: the others still report through them.
          if (!name.startsWith('gateway')) child.kill('SIGTERM')
        }),
    )
    await clock.sleep(1_000)
    const all = await list('leases', 'coordination.k8s.io', 'kube-system')
    const leases = all.filter((lease) => lease.metadata.labels?.['shiplog.dev/component'])
    const held = leases.filter((lease) => lease['spec'].holderIdentity).map((lease) => lease.metadata.name)
    // Those that were killed could not; the survivors did.
    expect(held).toHaveLength(2)
    expect(leases.length).toBeGreaterThanOrEqual(4)
    for (const [name, { child }] of processes) if (name.startsWith('gateway')) child.kill('SIGTERM')
    const codes = await Promise.all(ended)
    expect(clock.nowMs() - startedMs).toBeLessThan(6_000)
    expect(codes.filter(([, code]) => code !== 0)).toEqual([])
    processes.clear()
  })
})
