// A whole cluster of services that run apart, on one machine and without containers: nats-server, several gateways,
// schedulers and controller managers, the agents of simulated nodes, PostgreSQL and a projector, each a process of its own
// that is started again when it ends. What compose does with images, this does with the checkout.
import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { type ApiConnection, createApiConnection } from '@shiplog/api-client/api-connection'
import { createHttpApiClient } from '@shiplog/api-client/http-api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { Clock } from '@shiplog/runtime/clock'
import { lockDirectory } from '@shiplog/runtime/directory-lock'
import type { Ids } from '@shiplog/runtime/ids'
import { provideDashboard } from '@shiplog/dashboard/files'
import { closeTree, writeSecretFile } from '@shiplog/runtime/secret-files'
import { writeComponentFiles } from './component-files.ts'
import type { NatsServerBinary } from './open-log.ts'
import { openPostgres } from './open-postgres.ts'
import { createSupervisor } from './supervisor.ts'

export interface ApartOptions {
  /** Everything lies in here, certificates too. */
  readonly directory: string
  /** Of the first gateway; the others take any free one. 0 for any free one. */
  readonly port: number
  /** Of gateways, schedulers and controller managers, each. */
  readonly replicas: number
  readonly simulatedNodes: number
  /** `auto`, `off` or a URL. */
  readonly postgres: string
  /** As the options of `up` say them: `10.96.0.0/16,fd00:10:96::/112`. */
  readonly serviceCidr?: string | undefined
  readonly podCidr?: string | undefined
  readonly natsServer: NatsServerBinary
  readonly clock: Clock
  readonly ids: Ids
  readonly progress: (line: string) => void
}

export interface RunningApart {
  readonly kubeconfig: string
  /** Where the process ids and the output of all parts are. */
  readonly runDirectory: string
  stop(): Promise<void>
}

const root = resolve(import.meta.dirname, '../../..')
const readyTimeoutMs = 60_000
const readyPollMs = 100
const healthTimeoutMs = 2_000
/** Below the ports that Linux, macOS and Windows give to outgoing connections. */
const [portMin, portMax] = [20_000, 30_000]
const portAttemptsMax = 50
/** Gateways end after those who report through them, and the log after the gateways. */
const stopStepMs = 1_500

/** Resolves when all nodes are Ready, and every gateway, scheduler, controller manager and agent is. */
export async function startApart(options: ApartOptions): Promise<RunningApart> {
  const { clock, ids, progress, natsServer } = options
  const directory = resolve(options.directory)
  closeTree(directory, ['postgres'])
  const lock = lockDirectory(directory)
  const runDirectory = join(directory, 'run')
  const supervisor = createSupervisor({
    directory: runDirectory,
    clock,
    onEnd: (name, how) =>
      progress(`${name} ended (${how}); it is started again; what it said is in ${join(runDirectory, name)}.log`),
  })
  const started: { readonly name: string; readonly step: number }[] = []
  let postgres: Awaited<ReturnType<typeof openPostgres>>
  const stop = async (): Promise<void> => {
    for (const step of [0, 1, 2]) {
      const names = started.filter((part) => part.step === step).map(({ name }) => name)
      await supervisor.stop(names, stopStepMs)
    }
    await postgres?.stop()
    lock.release()
  }
  try {
    return await compose()
  } catch (error) {
    await stop()
    throw error
  }

  async function compose(): Promise<RunningApart> {
    // Built while the rest is prepared; a cluster without a dashboard is one all the same.
    const dashboard = provideDashboard().catch((error: unknown) => {
      progress(`no dashboard: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    })
    const nodes = Array.from({ length: options.simulatedNodes }, (_, index) => `node-${index}`)
    const port = options.port === 0 ? await freePort(ids) : options.port
    const ports = [port]
    while (ports.length < options.replicas) ports.push(await freePort(ids))
    const server = `https://127.0.0.1:${port}`
    const { notes } = await writeComponentFiles({ directory, nowMs: clock.nowMs(), hosts: [], nodes, server })
    for (const note of notes) progress(note)
    const file = (...parts: string[]): string => join(directory, ...parts)

    const natsPort = await freePort(ids)
    const nats = { SHIPLOG_NATS_URL: `nats://127.0.0.1:${natsPort}` }
    start('nats-server', 2, natsServer.path, [
      '-c',
      natsConfiguration(directory),
      '-a',
      '127.0.0.1',
      '-p',
      `${natsPort}`,
    ])
    progress(`log: jetstream (nats-server ${natsServer.version})`)

    /** Of every service: it is ready when its view of the cluster is complete. */
    const healthPorts: number[] = []
    const service = async (name: string, of: string, env: Readonly<Record<string, string>>): Promise<void> => {
      const main = join(root, 'services', of, 'src', 'main.ts')
      const healthPort = await freePort(ids)
      healthPorts.push(healthPort)
      start(name, of === 'api-gateway' ? 1 : 0, process.execPath, [main], {
        ...nats,
        ...env,
        SHIPLOG_REPLICA: name,
        SHIPLOG_HEALTH_HOST: '127.0.0.1',
        SHIPLOG_HEALTH_PORT: String(healthPort),
        SHIPLOG_LOG_LEVEL: 'info',
      })
    }
    const clientOf = (component: string): Record<string, string> => ({
      SHIPLOG_API_SERVERS: ports.map((one) => `https://127.0.0.1:${one}`).join(','),
      SHIPLOG_API_CA: file(component, 'ca.crt'),
      SHIPLOG_API_CERT: file(component, 'client.crt'),
      SHIPLOG_API_KEY: file(component, 'client.key'),
      SHIPLOG_NATS_CREDENTIALS: file(component, 'nats.json'),
    })
    const dashboardDirectory = await dashboard
    for (const [index, own] of ports.entries()) {
      const number = index + 1
      await service(`api-gateway-${number}`, 'api-gateway', {
        SHIPLOG_NATS_CREDENTIALS: file('api-gateway', 'nats.json'),
        SHIPLOG_DATA_DIR: file(`mark-${number}`),
        SHIPLOG_HOST: '127.0.0.1',
        SHIPLOG_PORT: String(own),
        ...(dashboardDirectory === undefined ? {} : { SHIPLOG_DASHBOARD_DIR: dashboardDirectory }),
        SHIPLOG_CA: file('api-gateway', 'ca.crt'),
        SHIPLOG_SERVER_CERT: file('api-gateway', 'server.crt'),
        SHIPLOG_SERVER_KEY: file('api-gateway', 'server.key'),
        SHIPLOG_FRONT_PROXY_CA: file('api-gateway', 'front-proxy-ca.crt'),
        SHIPLOG_FRONT_PROXY_CERT: file('api-gateway', 'front-proxy.crt'),
        SHIPLOG_FRONT_PROXY_KEY: file('api-gateway', 'front-proxy.key'),
        SHIPLOG_SERVICE_ACCOUNT_KEY: file('api-gateway', 'sa.key'),
        SHIPLOG_SERVICE_ACCOUNT_PUBLIC_KEYS: file('api-gateway', 'sa.pub'),
        SHIPLOG_ENCRYPTION_PROVIDER_CONFIG: file('api-gateway', 'encryption.yaml'),
        ...(options.serviceCidr ? { SHIPLOG_SERVICE_CIDR: options.serviceCidr } : {}),
      })
      await service(`scheduler-${number}`, 'scheduler', clientOf('kube-scheduler'))
      await service(`controllers-${number}`, 'controllers', {
        ...clientOf('kube-controller-manager'),
        SHIPLOG_SERVICE_ACCOUNT_KEY: file('kube-controller-manager', 'sa.key'),
        SHIPLOG_CA_KEY: file('kube-controller-manager', 'ca.key'),
        SHIPLOG_ENCRYPTION_PROVIDER_CONFIG: file('kube-controller-manager', 'encryption.yaml'),
      })
    }
    if (nodes.length > 0) {
      await service('node-agent', 'node-agent', {
        SHIPLOG_NODE_NAMES: nodes.join(','),
        SHIPLOG_NATS_CREDENTIALS: file('{node}', 'nats.json'),
        ...(options.podCidr ? { SHIPLOG_POD_CIDR: options.podCidr } : {}),
      })
    }
    await untilReady(server, nodes, file, healthPorts)
    progress(`API: ${ports.map((one) => `https://127.0.0.1:${one}`).join(', ')}`)
    progress(`parts: ${started.map(({ name }) => name).join(', ')}`)
    if (options.postgres !== 'off') {
      postgres = await openPostgres({ ...options, choice: options.postgres, dataDir: directory })
      if (postgres) {
        await service('projector', 'projector', {
          ...clientOf('projector'),
          SHIPLOG_ENCRYPTION_PROVIDER_CONFIG: file('projector', 'encryption.yaml'),
          SHIPLOG_POSTGRES_URL: postgres.ownerUrl,
        })
        const { host, pathname } = new URL(postgres.readerUrl)
        progress(`SQL: postgres://${host}${pathname} (${postgres.description})`)
      }
    }
    return { kubeconfig: file('admin', 'kubeconfig'), runDirectory, stop }
  }

  function start(
    name: string,
    step: number,
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): void {
    started.push({ name, step })
    supervisor.start({ name, command, args, env })
  }

  async function untilReady(
    server: string,
    nodes: readonly string[],
    file: (...parts: string[]) => string,
    healthPorts: readonly number[],
  ): Promise<void> {
    const pem = (name: string): string => readFileSync(file('authority', name), 'utf8')
    const connection: ApiConnection = createApiConnection({
      servers: [server],
      ca: pem('ca.crt'),
      credentials: { certificate: pem('admin.crt'), key: pem('admin.key') },
      userAgent: 'shiplog',
      clock,
    })
    const client = createHttpApiClient({ connection, clock })
    const isReady = (node: KubeObject): boolean =>
      (node['status']?.conditions ?? []).some((one: KubeObject) => one['type'] === 'Ready' && one['status'] === 'True')
    const deadlineMs = clock.nowMs() + readyTimeoutMs
    try {
      for (;;) {
        const result = await client
          .request({ verb: 'list', group: '', resource: 'nodes', namespace: '' })
          .catch(() => undefined)
        const ready = result?.ok ? (result.object['items'] as KubeObject[]).filter(isReady) : []
        const names = new Set(ready.map(({ metadata }) => metadata.name))
        const nodesAreReady = result?.ok === true && nodes.every((node) => names.has(node))
        if (nodesAreReady && (await Promise.all(healthPorts.map(isServiceReady))).every(Boolean)) return
        if (clock.nowMs() > deadlineMs) {
          throw new Error(`not ready within ${readyTimeoutMs / 1_000} s: what the parts say is in ${runDirectory}`)
        }
        await clock.sleep(readyPollMs)
      }
    } finally {
      connection.close()
    }
  }
}

/** What a service says of itself: started, and its checks are well. */
function isServiceReady(healthPort: number): Promise<boolean> {
  return new Promise((settle) => {
    const call = get({ host: '127.0.0.1', port: healthPort, path: '/readyz', timeout: healthTimeoutMs }, (answer) => {
      answer.resume()
      settle(answer.statusCode === 200)
    })
    call.on('timeout', () => call.destroy())
    call.on('error', () => settle(false))
  })
}

/** The configuration of the compose file, for a store and users in this directory. */
function natsConfiguration(directory: string): string {
  const text = readFileSync(join(root, 'infra/nats/nats.conf'), 'utf8')
  const file = join(directory, 'nats', 'nats.conf')
  const here = text
    .replace('"/data"', JSON.stringify(join(directory, 'nats', 'store')))
    .replace('include ../nats-auth/authorization.conf', 'include authorization.conf')
  writeSecretFile(file, here)
  return file
}

/**
 * A port that nobody listens on. Not one of those that systems give to outgoing connections: it must still be free when a
 * process that was killed comes back for it.
 */
async function freePort(ids: Ids): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = portMin + ids.integer(portMax - portMin)
    try {
      return await new Promise<number>((settle, reject) => {
        const server = createServer()
        server.once('error', reject)
        server.listen(port, '127.0.0.1', () => server.close(() => settle(port)))
      })
    } catch (error) {
      if (attempt === portAttemptsMax) throw error
    }
  }
}
