// What every service's main.ts does: read the environment, put the parts together, start, tell health and metrics on a
// port, and stop in order within five seconds of SIGTERM. Logs are JSON lines on standard error.
//
//   SHIPLOG_HEALTH_PORT  port of /livez, /readyz and /metrics (default 8080; 0 takes any free one)
//   SHIPLOG_HEALTH_HOST  address that it listens on (default 0.0.0.0)
//   SHIPLOG_LOG_LEVEL    debug, info, warn, error or silent (default info)
//   SHIPLOG_REPLICA      what this replica is called among those of its component (default: the name of the host); the
//                        same after a restart, and another's for each of several replicas on one host
import { hostname } from 'node:os'
import { type Clock, systemClock } from './clock.ts'
import { giveBackMemory } from './give-back-memory.ts'
import { type Environment, readEnvironment } from './environment.ts'
import { startHealthServer } from './health-server.ts'
import { type Ids, systemIds } from './ids.ts'
import type { Logger } from './logger.ts'
import { machineAddress } from './machine-address.ts'
import { createMetricsRegistry, type MetricSample, type MetricsRegistry, processSamples } from './metrics.ts'
import { createPinoLogger, type LogLevel } from './pino-logger.ts'
import { replicaName } from './replica.ts'
import type { HealthCheck, Service } from './service.ts'
import { shiplogVersion } from './version.ts'

/** Stop deadline, below the promised 5 s; what is not done by then is left to the next start. */
const stopTimeoutMs = 4_800
const stopStepMs = 3_500
const defaultHealthPort = 8_080
const levels: readonly string[] = ['debug', 'info', 'warn', 'error', 'silent'] satisfies LogLevel[]

export interface RunContext {
  readonly env: Environment
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** Metrics of this process, which its health port shows. */
  readonly metrics: MetricsRegistry
  /** What this replica is called among those of its component, a DNS label; the same after a restart. */
  readonly replica: string
  /** Current health of this process. */
  vitals(): Vitals
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal
  /** Cleanup steps of the stop, run in reverse order. */
  onStop(undo: () => Promise<void> | void): void
}

/** What a process reports about itself; see `componentLease` of libs/control-plane. */
export interface Vitals {
  readonly startedAtMs: number
  readonly version: string
  /** The address by which other machines reach this one. */
  readonly address: string
  /** Failing checks of /readyz. */
  readonly failing: readonly HealthCheck[]
}

/** A service that is put together but not started. */
export interface Composed {
  readonly service: Service
  /** What is collected at a scrape, beside what the parts record. */
  readonly metrics?: () => readonly MetricSample[]
}

/** Runs a service until SIGTERM or SIGINT, then ends the process: 0 after a signal, 1 when it could not be started. */
export async function run(name: string, compose: (context: RunContext) => Promise<Composed>): Promise<never> {
  const env = readEnvironment(process.env)
  const clock = systemClock
  const level = env.optional('SHIPLOG_LOG_LEVEL') ?? 'info'
  const logger = createPinoLogger({ level: levels.includes(level) ? (level as LogLevel) : 'info', name })
  const metrics = createMetricsRegistry()
  metrics.collect(processSamples)
  const stopping = new AbortController()
  const undo: (() => Promise<void> | void)[] = []
  const asked = Promise.withResolvers<NodeJS.Signals>()
  giveBackMemory(clock)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => asked.resolve(signal))

  const start = async (): Promise<void> => {
    let composed: Composed | undefined
    let started = false
    const startedAtMs = clock.nowMs()
    const address = machineAddress()
    const readiness = (): readonly HealthCheck[] => [
      started ? { name: 'started', ok: true } : { name: 'started', ok: false, reason: 'not started yet' },
      stopping.signal.aborted
        ? { name: 'shutdown', ok: false, reason: 'shutting down' }
        : { name: 'shutdown', ok: true },
      ...(composed?.service.health() ?? []),
    ]
    const health = await startHealthServer({
      host: env.optional('SHIPLOG_HEALTH_HOST') ?? '0.0.0.0',
      port: env.number('SHIPLOG_HEALTH_PORT', defaultHealthPort),
      readiness,
      metrics,
    })
    metrics.collect(() => composed?.metrics?.() ?? [])
    undo.push(() => health.close())
    composed = await compose({
      env,
      clock,
      ids: systemIds,
      logger,
      metrics,
      replica: replicaName(env.optional('SHIPLOG_REPLICA') ?? hostname()),
      vitals: () => ({
        startedAtMs,
        version: shiplogVersion,
        address,
        failing: readiness().filter((check) => !check.ok),
      }),
      signal: stopping.signal,
      onStop: (step) => void undo.push(step),
    })
    const { service } = composed
    undo.push(() => service.stop())
    await service.start()
    started = true
    logger.info({ healthPort: health.port }, 'started')
  }

  const starting = start()
  const outcome = await Promise.race([
    starting.then(
      () => 'started' as const,
      (err: unknown) => (stopping.signal.aborted ? ('stopped' as const) : { err }),
    ),
    asked.promise,
  ])
  let code = 0
  if (typeof outcome === 'object') {
    logger.error(outcome, 'failed to start')
    code = 1
  } else logger.info({ signal: await asked.promise }, 'stopping')
  stopping.abort(new Error('the process is stopping'))
  clock.after(stopTimeoutMs, () => process.exit(code))
  for (const step of undo.reverse()) {
    await Promise.race([step(), clock.sleep(stopStepMs)]).catch((err: unknown) =>
      logger.warn({ err }, 'failed to stop component'),
    )
  }
  logger.info({}, 'stopped')
  // Lines wait for pino to be loaded.
  await clock.sleep(0)
  process.exit(code)
}
