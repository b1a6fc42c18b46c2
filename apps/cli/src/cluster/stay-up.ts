// What `up` and `apart` have in common: a cluster is started, said to be ready, and stays until a signal ends it.
import { systemClock } from '@shiplog/runtime/clock'
import { endBy, endCommand, onEnd } from '../ending.ts'

export interface StayingCluster {
  readonly kubeconfig: string
  stop(): Promise<void>
}

/** Progress goes to standard error. */
export const progress = (line: string): void => void process.stderr.write(`${line}\n`)

/** Ends the process: 0 after a signal, 1 when the cluster could not be started, and `explain` says why. */
export async function stayUp(
  start: () => Promise<StayingCluster>,
  explain: (error: unknown) => string,
): Promise<never> {
  const asked = Promise.withResolvers<string>()
  // A terminal signals the whole process group and the bootstrap passes signals on: the second one says nothing new.
  endBy((why) => asked.resolve(why))

  const starting = start()
  onEnd(async () => {
    const begun = await starting.catch(() => undefined)
    if (begun === undefined) return
    await begun.stop()
    progress('stopped')
  })
  const cluster = await Promise.race([starting, asked.promise.then(() => undefined)]).catch((error: unknown) => {
    progress(`shiplog: ${explain(error)}`)
    return 'failed' as const
  })
  if (cluster === 'failed') return await endCommand(1)
  if (cluster !== undefined) {
    const seconds = (systemClock.nowMs() - performance.timeOrigin) / 1_000
    process.stdout.write(
      `Shiplog is ready in ${seconds.toFixed(2)} s\nexport KUBECONFIG=${quoted(cluster.kubeconfig)}\n`,
    )
  }
  progress(`${await asked.promise}: stopping`)
  // Open sockets of clients must not keep a stopped cluster alive: the process is ended.
  return await endCommand(0)
}

/** As a shell takes it back. */
const quoted = (path: string): string => (/^[\w./:@%+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`)
