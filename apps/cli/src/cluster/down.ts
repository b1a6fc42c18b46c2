// `shiplog down`: stops the cluster of a data directory, wherever it was started from, and with --purge removes all that it
// left on this machine: the directory, and PostgreSQL's home, which lies elsewhere when root started it.
import { existsSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { postgresHome, removePostgresHome } from '@shiplog/read-model/postgres-home'
import { systemClock } from '@shiplog/runtime/clock'
import { agreed } from './agreed.ts'
import { isAlive, type LockHolder, lockDirectory, lockHolder } from '@shiplog/runtime/directory-lock'

export interface DownOptions {
  readonly dataDir: string
  readonly purge?: boolean
  /** Does not ask whether all is to be removed. */
  readonly yes?: boolean
}

/** A cluster promises to end within 5 s. */
const endTimeoutMs = 8_000
const killTimeoutMs = 3_000
const pollMs = 50

/** Gives the exit code: 0 when nothing runs (any more). */
export async function down({ dataDir: given, purge, yes }: DownOptions): Promise<number> {
  const dataDir = resolve(given)
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const holder = lockHolder(dataDir)
  if (holder !== undefined && isAlive(holder)) {
    say(`${await end(holder)}: process ${holder.pid} on ${dataDir}`)
  } else say(`not running: no shiplog holds ${dataDir}`)
  if (!purge) return 0
  if (!existsSync(dataDir)) {
    removePostgresHome(dataDir)
    return 0
  }
  if (!isOfCluster(dataDir)) throw new Error(`${dataDir} holds no cluster: nothing is removed`)
  say(`everything in ${dataDir} will be removed, the log with all its past`)
  if (!yes && !(await agreed())) return 1
  // Held until it is gone: no cluster begins on it meanwhile.
  lockDirectory(dataDir)
  const home = postgresHome(dataDir)
  const homeIsElsewhere = existsSync(home) && !home.startsWith(`${dataDir}/`)
  removePostgresHome(dataDir)
  rmSync(dataDir, { recursive: true, force: true })
  say(`removed: ${[dataDir, ...(homeIsElsewhere ? [home] : [])].join(' and ')}`)
  return 0
}

const isOfCluster = (dataDir: string): boolean =>
  ['log.json', 'pki/ca.crt', 'authority/ca.crt', 'high-water-mark.json'].some((file) => existsSync(join(dataDir, file)))

/** SIGTERM, and SIGKILL to one that does not end; its children notice (kept-process.ts). */
async function end(holder: LockHolder): Promise<'stopped' | 'killed'> {
  for (const [signal, limitMs] of [
    ['SIGTERM', endTimeoutMs],
    ['SIGKILL', killTimeoutMs],
  ] as const) {
    try {
      process.kill(holder.pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'stopped'
      throw new Error(`process ${holder.pid} cannot be stopped: ${(error as Error).message}`, { cause: error })
    }
    for (let waited = 0; waited < limitMs; waited += pollMs) {
      if (!isAlive(holder)) return signal === 'SIGTERM' ? 'stopped' : 'killed'
      await systemClock.sleep(pollMs)
    }
  }
  throw new Error(`process ${holder.pid} does not end`)
}
