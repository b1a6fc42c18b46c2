// What `up` and `apart` have in common: a cluster is started, said to be ready, and stays until a signal ends it.
import { systemClock } from '@shiplog/runtime/clock'

export interface StayingCluster {
  readonly kubeconfig: string
  stop(): Promise<void>
}

/** The promise is 5 s; what is not done by then is left to the next start, which repairs it. */
const stopTimeoutMs = 4_800

/** Progress goes to standard error. */
export const progress = (line: string): void => void process.stderr.write(`${line}\n`)

/** Ends the process: 0 after a signal, 1 when the cluster could not be started, and `explain` says why. */
export async function stayUp(
  start: () => Promise<StayingCluster>,
  explain: (error: unknown) => string,
): Promise<never> {
  const asked = Promise.withResolvers<NodeJS.Signals>()
  // A terminal signals the whole process group and the bootstrap passes signals on: the second one says nothing new.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => asked.resolve(signal))

  const starting = start()
  const cluster = await Promise.race([starting, asked.promise.then(() => undefined)]).catch((error: unknown) => {
    progress(`shiplog: ${explain(error)}`)
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
