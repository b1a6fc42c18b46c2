// A cluster of real processes on this machine: every service by its main.ts, on real nats-servers that use the
// configuration of the compose file, and a real PostgreSQL. Each process can be killed, paused and started again.
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { writeComponentFiles } from '@shiplog/all-in-one/component-files'
import type { ApiClient } from '@shiplog/api/api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import { createApiConnection } from '@shiplog/api-client/api-connection'
import { createHttpApiClient } from '@shiplog/api-client/http-api-client'
import type { ClusterLog } from '@shiplog/events/event-log'
import { connectJetStreamClusterLog } from '@shiplog/events/jetstream/jetstream-log'
import { provideNatsServer } from '@shiplog/nats-server/nats-binary'
import { createPool } from '@shiplog/read-model/database'
import { startEmbeddedPostgres } from '@shiplog/read-model/embedded-postgres'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { createHttpClient, type HttpClient } from '../src/http.ts'

const root = resolve(import.meta.dirname, '../..')
const outputKept = 4_000

export interface ApartOptions {
  readonly natsServers: 1 | 3
  readonly gateways: number
  readonly schedulers: number
  readonly controllers: number
  /** Simulated nodes, divided among so many agents. */
  readonly nodes: number
  readonly agents: number
  readonly projectors: number
}

export interface Apart {
  /** Names of the processes: `gateway-0`, `scheduler-1`, `nats-1` … */
  readonly names: readonly string[]
  /** The pod that shows a process. */
  podOf(name: string): string
  /** An administrator's client that knows all gateways. */
  readonly admin: ApiClient
  /** Where each gateway listens, in their order. */
  readonly gatewayPorts: readonly number[]
  /** Straight to each gateway, for bytes. */
  readonly gateways: readonly HttpClient[]
  /** The nats-server that leads the stream EVENTS; undefined while none does, or it is not known. */
  leader(): Promise<string | undefined>
  /** A way to the log that a gateway has, for looking only. */
  connectLog(): Promise<ClusterLog>
  readonly pool: ReturnType<typeof createPool>
  kill(name: string): void
  /** Asks it to end in order; resolves when it has. */
  terminate(name: string): Promise<void>
  pause(name: string): void
  resume(name: string): void
  /** Starts a killed process again. */
  restart(name: string): Promise<void>
  isReady(name: string): Promise<boolean>
  list(resource: string, group?: string, namespace?: string): Promise<KubeObject[]>
  /** Polls; what `look` throws counts as not yet. Past the limit it throws, with what the processes said last. */
  until<T>(what: string, limitMs: number, look: () => Promise<T | undefined | false>): Promise<T>
  end(): Promise<void>
}

interface Process {
  readonly start: (healthPort: number) => ChildProcess
  readonly pod: string
  readonly isServer: boolean
  child: ChildProcess | undefined
  healthPort: number
  output: string
}

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

const numbered = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

/** Starts everything; resolves when all processes are started, which is before they are ready. */
export async function startApart(options: ApartOptions): Promise<Apart> {
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-apart-'))
  const processes = new Map<string, Process>()
  const undo: (() => Promise<void> | void)[] = [() => rmSync(directory, { recursive: true, force: true })]
  const end = async (): Promise<void> => {
    for (const { child } of processes.values()) child?.kill('SIGKILL')
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    return await begin()
  } catch (error) {
    await end()
    throw error
  }

  async function begin(): Promise<Apart> {
    const binary = await provideNatsServer()
    if (binary === undefined) throw new Error('this test needs a nats-server')
    const gatewayPorts = await Promise.all(numbered(options.gateways).map(freePort))
    const natsPorts = await Promise.all(numbered(options.natsServers).map(freePort))
    const monitorPorts = await Promise.all(numbered(options.natsServers).map(freePort))
    const routePorts = await Promise.all(numbered(options.natsServers).map(freePort))
    const nodes = numbered(options.nodes).map((index) => `node-${index}`)
    await writeComponentFiles({
      directory,
      nowMs: clock.nowMs(),
      hosts: [],
      nodes,
      server: `https://127.0.0.1:${gatewayPorts[0]}`,
    })
    const file = (place: string, name: string): string => join(directory, place, name)
    const natsUrl = natsPorts.map((port) => `nats://127.0.0.1:${port}`).join(',')

    const addProcess = (
      name: string,
      pod: string,
      command: string,
      args: string[],
      env: Record<string, string>,
    ): void =>
      void processes.set(name, {
        pod,
        isServer: command !== process.execPath,
        child: undefined,
        healthPort: 0,
        output: '',
        start: (healthPort) =>
          spawn(command, args, {
            stdio: ['ignore', 'ignore', 'pipe'],
            env: {
              PATH: process.env['PATH'],
              SHIPLOG_HEALTH_HOST: '127.0.0.1',
              SHIPLOG_HEALTH_PORT: String(healthPort),
              SHIPLOG_LOG_LEVEL: 'warn',
              ...env,
            },
          }),
      })
    const addService = (name: string, service: string, pod: string, env: Record<string, string>): void =>
      addProcess(name, pod, process.execPath, [join(root, 'services', service, 'src/main.ts')], {
        SHIPLOG_REPLICA: name,
        ...env,
      })

    // Laid out as the compose file mounts it.
    for (const index of numbered(options.natsServers)) {
      const home = join(directory, `nats-${index + 1}`, 'etc/nats')
      mkdirSync(home, { recursive: true })
      cpSync(join(directory, 'nats'), join(home, '../nats-auth'), { recursive: true })
      const source = options.natsServers === 1 ? 'nats.conf' : 'nats-cluster.conf'
      const routes = routePorts.map((port) => `"nats://127.0.0.1:${port}"`).join(', ')
      const configuration = readFileSync(join(root, 'infra/nats', source), 'utf8')
        .replace('/data', join(directory, `nats-${index + 1}`, 'store'))
        .replace('port: 6222', `listen: "127.0.0.1:${routePorts[index]}"`)
        .replace(/routes: \[.*\]/, `routes: [${routes}]`)
      writeFileSync(join(home, 'nats.conf'), configuration)
      const args = [
        '-c',
        join(home, 'nats.conf'),
        '-a',
        '127.0.0.1',
        '-p',
        String(natsPorts[index]),
        '-m',
        String(monitorPorts[index]),
      ]
      const name = `nats-${index + 1}`
      addProcess(name, options.natsServers === 1 ? 'nats-shiplog' : `nats-${name}`, binary.path, args, {
        NATS_SERVER_NAME: name,
      })
    }
    const nats = (place: string): Record<string, string> => ({
      SHIPLOG_NATS_URL: natsUrl,
      SHIPLOG_NATS_CREDENTIALS: file(place, 'nats.json'),
    })
    const client = (place: string): Record<string, string> => ({
      SHIPLOG_API_SERVERS: gatewayPorts.map((port) => `https://127.0.0.1:${port}`).join(','),
      SHIPLOG_API_CA: file(place, 'ca.crt'),
      SHIPLOG_API_CERT: file(place, 'client.crt'),
      SHIPLOG_API_KEY: file(place, 'client.key'),
    })
    for (const index of numbered(options.gateways)) {
      addService(`gateway-${index}`, 'api-gateway', `kube-apiserver-gateway-${index}`, {
        ...nats('api-gateway'),
        SHIPLOG_NATS_REPLICAS: String(options.natsServers),
        SHIPLOG_DATA_DIR: join(directory, `mark-${index}`),
        SHIPLOG_HOST: '127.0.0.1',
        SHIPLOG_PORT: String(gatewayPorts[index]),
        SHIPLOG_CA: file('api-gateway', 'ca.crt'),
        SHIPLOG_SERVER_CERT: file('api-gateway', 'server.crt'),
        SHIPLOG_SERVER_KEY: file('api-gateway', 'server.key'),
        SHIPLOG_SERVICE_ACCOUNT_KEY: file('api-gateway', 'sa.key'),
        SHIPLOG_ENCRYPTION_PROVIDER_CONFIG: file('api-gateway', 'encryption.yaml'),
      })
    }
    for (const index of numbered(options.schedulers)) {
      const place = 'kube-scheduler'
      const env = { ...nats(place), ...client(place) }
      addService(`scheduler-${index}`, 'scheduler', `kube-scheduler-scheduler-${index}`, env)
    }
    for (const index of numbered(options.controllers)) {
      const place = 'kube-controller-manager'
      const env = { ...nats(place), ...client(place), SHIPLOG_ENCRYPTION_PROVIDER_CONFIG: file(place, 'encryption.yaml') }
      addService(`controllers-${index}`, 'controllers', `kube-controller-manager-controllers-${index}`, env)
    }
    for (const index of numbered(options.agents)) {
      const own = nodes.filter((_, node) => node % options.agents === index)
      addService(`agent-${index}`, 'node-agent', `node-agent-${own[0]}`, {
        ...nats('{node}'),
        SHIPLOG_NODE_NAMES: own.join(','),
      })
    }
    const postgres = await startEmbeddedPostgres({ dataDir: directory, clock, ids })
    undo.push(() => postgres.stop())
    for (const index of numbered(options.projectors)) {
      addService(`projector-${index}`, 'projector', `shiplog-projector-projector-${index}`, {
        ...nats('projector'),
        ...client('projector'),
        SHIPLOG_POSTGRES_URL: postgres.adminUrl,
        SHIPLOG_ENCRYPTION_PROVIDER_CONFIG: file('projector', 'encryption.yaml'),
      })
    }

    const of = (name: string): Process => {
      const found = processes.get(name)
      if (found === undefined) throw new Error(`there is no process ${name}`)
      return found
    }
    const restart = async (name: string): Promise<void> => {
      const one = of(name)
      if (one.child && one.child.exitCode === null && one.child.signalCode === null) {
        await new Promise((resolve) => one.child!.once('exit', resolve))
      }
      one.healthPort = await freePort()
      one.child = one.start(one.healthPort)
      one.child.stderr!.on('data', (chunk: Buffer) => {
        one.output = `${one.output}${chunk.toString()}`.slice(-outputKept)
      })
    }
    await Promise.all([...processes.keys()].map(restart))

    const pem = (name: string): string => readFileSync(join(directory, 'authority', name), 'utf8')
    const credentials = { certificate: pem('admin.crt'), key: pem('admin.key') }
    const connection = createApiConnection({
      servers: gatewayPorts.map((port) => `https://127.0.0.1:${port}`),
      ca: pem('ca.crt'),
      credentials,
      userAgent: 'faults',
      clock,
    })
    const pool = createPool({ url: postgres.adminUrl, applicationName: 'faults', statementTimeoutMs: 30_000 })
    const gateways = gatewayPorts.map((port) =>
      createHttpClient({
        server: `https://127.0.0.1:${port}`,
        ca: Buffer.from(pem('ca.crt')),
        cert: Buffer.from(credentials.certificate),
        key: Buffer.from(credentials.key),
      }),
    )
    undo.push(
      () => connection.close(),
      () => pool.end(),
      () => {
        for (const gateway of gateways) gateway.close()
      },
    )
    const admin = createHttpApiClient({ connection, clock })

    return {
      names: [...processes.keys()],
      podOf: (name) => of(name).pod,
      admin,
      gatewayPorts,
      gateways,
      pool,
      async leader() {
        for (const port of monitorPorts) {
          const answer = await fetch(`http://127.0.0.1:${port}/jsz?streams=true`).catch(() => undefined)
          const told = (await answer?.json().catch(() => undefined)) as { account_details?: any[] } | undefined
          const streams = told?.account_details?.flatMap((account) => account.stream_detail ?? []) ?? []
          const leader = streams.find(({ name }) => name === 'EVENTS')?.cluster?.leader
          if (leader) return leader as string
        }
        return undefined
      },
      async connectLog() {
        const { user, password, inboxPrefix } = JSON.parse(readFileSync(file('api-gateway', 'nats.json'), 'utf8'))
        const log = await connectJetStreamClusterLog({
          servers: natsUrl.split(','),
          credentials: { user, password, inboxPrefix },
          readOnly: true,
        })
        undo.push(() => log.close())
        return log
      },
      kill: (name) => void of(name).child!.kill('SIGKILL'),
      async terminate(name) {
        const child = of(name).child!
        const ended = new Promise((resolve) => child.once('exit', resolve))
        child.kill('SIGTERM')
        await ended
      },
      pause: (name) => void of(name).child!.kill('SIGSTOP'),
      resume: (name) => void of(name).child!.kill('SIGCONT'),
      restart,
      async isReady(name) {
        const { healthPort, isServer } = of(name)
        if (isServer) return true
        return await fetch(`http://127.0.0.1:${healthPort}/readyz`).then(
          (answer) => answer.ok,
          () => false,
        )
      },
      async list(resource, group = '', namespace = 'default') {
        const result = await admin.request({ verb: 'list', group, resource, namespace })
        if (!result.ok) throw new Error(result.status.message)
        return result.object['items'] as KubeObject[]
      },
      async until(what, limitMs, look) {
        const endMs = clock.nowMs() + limitMs
        let last: unknown
        for (;;) {
          const found = await look().catch((error: unknown) => void (last = error))
          if (found) return found
          if (clock.nowMs() > endMs) {
            const told = [...processes].map(([name, { output }]) => `── ${name}\n${output.slice(-1_500)}`).join('\n')
            throw new Error(`not within ${limitMs} ms: ${what}\n${told}`, { cause: last })
          }
          await clock.sleep(100)
        }
      },
      end,
    }
  }
}
