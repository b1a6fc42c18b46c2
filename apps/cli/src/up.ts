// `shiplog up`: starts the cluster, says so, and stays until it is asked to stop.
import { startCluster } from '@shiplog/all-in-one/cluster'
import type { LogChoice } from '@shiplog/all-in-one/open-log'
import { systemClock } from '@shiplog/runtime/clock'
import { createPinoLogger, type LogLevel } from '@shiplog/runtime/pino-logger'
import { findNatsServer } from './find-nats-server.ts'
import { explain } from './explain.ts'

export interface UpOptions {
  readonly dataDir: string
  readonly host: string
  readonly port: number
  readonly log: string
  readonly simulatedNodes: number
  readonly node: readonly string[]
  readonly tokenAuthFile?: string | undefined
  readonly disableAdmissionPlugins: readonly string[]
  readonly postgres: string
  readonly logLevel: LogLevel
}

/** The promise is 5 s; what is not done by then is left to the next start, which repairs it. */
const stopTimeoutMs = 4_800

const progress = (line: string): void => void process.stderr.write(`${line}\n`)

/** Ends the process: 0 after a signal, 1 when the cluster could not be started. */
export async function up(options: UpOptions): Promise<never> {
  const logger = createPinoLogger({ level: options.logLevel, name: 'shiplog' })
  const asked = Promise.withResolvers<NodeJS.Signals>()
  // A terminal signals the whole process group and the bootstrap passes signals on: the second one says nothing new.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => asked.resolve(signal))

  const starting = startCluster({
    dataDir: options.dataDir,
    host: options.host,
    port: options.port,
    log: options.log as LogChoice,
    simulatedNodes: options.simulatedNodes,
    processNode: options.node.includes('process'),
    postgres: options.postgres,
    ...(options.tokenAuthFile === undefined ? {} : { tokenAuthFile: options.tokenAuthFile }),
    disabledAdmissionPlugins: options.disableAdmissionPlugins,
    logger,
    progress,
    findNatsServer: findNatsServer(progress),
  })
  const cluster = await Promise.race([starting, asked.promise.then(() => undefined)]).catch((error: unknown) => {
    progress(`shiplog: ${explain(error, options)}`)
    return 'failed' as const
  })
  if (cluster === 'failed') process.exit(1)
  if (cluster !== undefined) {
    const seconds = (systemClock.nowMs() - performance.timeOrigin) / 1_000
    process.stdout.write(
      `Shiplog is ready in ${seconds.toFixed(2)} s\nexport KUBECONFIG=${quoted(cluster.kubeconfig)}\n`,
    )
  }
  const signal = await asked.promise
  progress(`${signal}: stopping`)
  systemClock.after(stopTimeoutMs, () => process.exit(0))
  const begun = cluster ?? (await starting.catch(() => undefined))
  await begun?.stop()
  progress('stopped')
  // Open sockets of clients must not keep a stopped cluster alive.
  process.exit(0)
}

/** As a shell takes it back. */
const quoted = (path: string): string => (/^[\w./:@%+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`)
