// Services to measure as processes of their own: a nats-server with the configuration of the compose file, a PostgreSQL, a
// gateway, and as many replicas of the others as are asked for. Nodes are objects only: nothing runs on them, so that what
// is measured is the control plane.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { ApiClient } from '@shiplog/api/api-client'
import { createApiConnection } from '@shiplog/api-client/api-connection'
import { createHttpApiClient } from '@shiplog/api-client/http-api-client'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openLogFromEnvironment } from '@shiplog/events/jetstream/log-from-environment'
import { provideNatsServer } from '@shiplog/nats-server/nats-binary'
import { startEmbeddedPostgres } from '@shiplog/read-model/embedded-postgres'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { readEnvironment } from '@shiplog/runtime/environment'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'

export interface Replicas {
  readonly schedulers: number
  readonly controllers: number
  readonly projectors: number
}

export interface ApartCluster {
  readonly admin: ApiClient
  /** The log itself, as a reader. */
  readonly log: ClusterLog
  /** A metric of each replica of a service. */
  metric(service: ServiceName, pattern: RegExp): Promise<readonly number[]>
  /** CPU time of the processes of a service so far. */
  pidsOf(service: ServiceName): readonly number[]
  stop(): Promise<void>
}

export type ServiceName = 'api-gateway' | 'scheduler' | 'controllers' | 'projector'

const root = resolve(import.meta.dirname, '..', '..')
const readyTimeoutMs = 60_000
const stopTimeoutMs = 8_000

interface Process {
  readonly service: ServiceName
  readonly child: ChildProcess
  readonly healthPort: number
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
  await exited
  clearTimeout(timer)
}

/** Resolves when all are ready and replicas know each other. */
export async function startApart(replicas: Replicas): Promise<ApartCluster> {
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-bench-apart-'))
  const processes: Process[] = []
  const undo: (() => Promise<void> | void)[] = [() => rmSync(directory, { recursive: true, force: true })]
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  undo.push(async () => {
    // The gateway last: the others take their leave through it.
    const isGateway = ({ service }: Process): boolean => service === 'api-gateway'
    await Promise.all(processes.filter((one) => !isGateway(one)).map(({ child }) => end(child)))
    await Promise.all(processes.filter(isGateway).map(({ child }) => end(child)))
  })

  const metricsOf = async (healthPort: number): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${healthPort}/metrics`, { signal: AbortSignal.timeout(5_000) })
    return await answer.text()
  }
  const metric = async (service: ServiceName, pattern: RegExp): Promise<number[]> =>
    await Promise.all(
      processes
        .filter((one) => one.service === service)
        .map(async ({ healthPort }) => Number(pattern.exec(await metricsOf(healthPort))?.[1] ?? Number.NaN)),
    )

  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadlineMs = clock.nowMs() + readyTimeoutMs
    while (!(await holds().catch(() => false))) {
      if (clock.nowMs() > deadlineMs) throw new Error(`not within ${readyTimeoutMs} ms: ${what}`)
      await clock.sleep(50)
    }
  }

  async function start(service: ServiceName, replica: string, own: Readonly<Record<string, string>>): Promise<void> {
    const healthPort = await freePort()
    const child = spawn(process.execPath, [join(root, 'services', service, 'src', 'main.ts')], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        PATH: process.env['PATH'],
        SHIPLOG_HEALTH_HOST: '127.0.0.1',
        SHIPLOG_HEALTH_PORT: String(healthPort),
        SHIPLOG_LOG_LEVEL: 'error',
        SHIPLOG_REPLICA: replica,
        ...own,
      },
    })
    processes.push({ service, child, healthPort })
  }

  async function compose(): Promise<ApartCluster> {
    const files = join(directory, 'apart')
    const port = await freePort()
    const server = `https://127.0.0.1:${port}`
    const cli = join(root, 'apps', 'cli', 'src', 'main.ts')
    const pki = spawn(process.execPath, [cli, 'pki', '--out', files, '--server', server], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const [code] = (await once(pki, 'exit')) as [number]
    if (code !== 0) throw new Error(`shiplog pki ended with ${code}`)

    const binary = await provideNatsServer({})
    if (binary === undefined) throw new Error('there is no nats-server')
    const home = join(directory, 'etc', 'nats')
    mkdirSync(home, { recursive: true })
    const configuration = readFileSync(join(root, 'infra', 'nats', 'nats.conf'), 'utf8')
    writeFileSync(join(home, 'nats.conf'), configuration.replace('/data', join(directory, 'store')))
    cpSync(join(files, 'nats'), join(directory, 'etc', 'nats-auth'), { recursive: true })
    const natsPort = await freePort()
    const nats = spawn(binary.path, ['-c', join(home, 'nats.conf'), '-a', '127.0.0.1', '-p', String(natsPort)], {
      stdio: 'ignore',
    })
    undo.splice(1, 0, () => end(nats))
    const natsUrl = `nats://127.0.0.1:${natsPort}`
    const sql = join(directory, 'sql')
    mkdirSync(sql)
    const postgres = await startEmbeddedPostgres({ dataDir: sql, clock, ids })
    undo.splice(1, 0, () => postgres.stop())

    const reader = (component: string): Record<string, string> => ({
      SHIPLOG_NATS_URL: natsUrl,
      SHIPLOG_NATS_CREDENTIALS: join(files, component, 'nats.json'),
    })
    const caller = (component: string): Record<string, string> => ({
      ...reader(component),
      SHIPLOG_API_SERVERS: server,
      SHIPLOG_API_CA: join(files, component, 'ca.crt'),
      SHIPLOG_API_CERT: join(files, component, 'client.crt'),
      SHIPLOG_API_KEY: join(files, component, 'client.key'),
    })
    await start('api-gateway', 'gateway-0', {
      ...reader('api-gateway'),
      SHIPLOG_DATA_DIR: join(directory, 'mark'),
      SHIPLOG_HOST: '127.0.0.1',
      SHIPLOG_PORT: String(port),
      SHIPLOG_CA: join(files, 'api-gateway', 'ca.crt'),
      SHIPLOG_SERVER_CERT: join(files, 'api-gateway', 'server.crt'),
      SHIPLOG_SERVER_KEY: join(files, 'api-gateway', 'server.key'),
    })
    const several = async (count: number, service: ServiceName, own: Record<string, string>): Promise<void> => {
      for (let index = 0; index < count; index++) await start(service, `${service}-${index}`, own)
    }
    await several(replicas.schedulers, 'scheduler', caller('kube-scheduler'))
    await several(replicas.controllers, 'controllers', caller('kube-controller-manager'))
    await several(replicas.projectors, 'projector', {
      ...reader('projector'),
      SHIPLOG_POSTGRES_URL: postgres.adminUrl,
    })
    for (const { service, healthPort } of processes) {
      await until(`${service} is ready`, async () => (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).ok)
    }
    for (const [service, count] of [
      ['scheduler', replicas.schedulers],
      ['controllers', replicas.controllers],
    ] as const) {
      await until(`${service} know each other`, async () =>
        (await metric(service, /shiplog_replica_members\{[^}]*\} (\d+)/)).every((members) => members === count),
      )
    }

    const pem = (file: string): string => readFileSync(join(files, 'authority', file), 'utf8')
    const connection = createApiConnection({
      servers: [server],
      ca: pem('ca.crt'),
      credentials: { certificate: pem('admin.crt'), key: pem('admin.key') },
      userAgent: 'bench',
      clock,
    })
    const log = await openLogFromEnvironment({
      env: readEnvironment(reader('kube-scheduler')),
      clock,
      logger: silentLogger,
      signal: new AbortController().signal,
      name: 'bench',
      readOnly: true,
    })
    undo.push(
      () => connection.close(),
      () => log.close(),
    )
    return {
      admin: createHttpApiClient({ connection, clock }),
      log,
      metric,
      pidsOf: (service) => processes.filter((one) => one.service === service).map(({ child }) => child.pid!),
      stop,
    }
  }

  try {
    return await compose()
  } catch (error) {
    await stop()
    throw error
  }
}
