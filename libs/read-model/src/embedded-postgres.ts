// A real PostgreSQL as a child process, from the binaries of an npm package, for clusters that were given no other. What
// it holds can be made again from the log, so its directory is thrown away when it is of another version or half made, and
// made anew when it is gone. Whatever befalls the server, it is tried again and takes nobody along (kept-process.ts).
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import { type Backoff, keepProcess, type Lives } from '@shiplog/runtime/kept-process'
import { openSecretFile, withClosedUmask, writeSecretFile } from '@shiplog/runtime/secret-files'
import pg from 'pg'
import { completeLinks, type Home, nativeDirectory, prepareHome } from './postgres-home.ts'

export interface EmbeddedPostgresOptions {
  /** The cluster's data directory. */
  readonly dataDir: string
  readonly clock: Clock
  readonly ids: Ids
  /** What each server that begins must be given before it is used: it may have been made anew. */
  readonly prepare?: (server: PreparedPostgres) => Promise<void>
  /** Told of each end that nobody asked for. */
  readonly onEnd?: (how: string, waitMs: number) => void
  readonly backoff?: Backoff
}

/** What is known of a server before it is ready. */
export type PreparedPostgres = Pick<EmbeddedPostgres, 'adminUrl' | 'passwordOf'>

export interface EmbeddedPostgres {
  readonly port: number
  /** As the server's superuser: for migrations. */
  readonly adminUrl: string
  /** `18.4`. */
  readonly version: string
  /** The URL of a role; `passwordOf` gives the password that it must be given. */
  urlOf(role: string): string
  passwordOf(role: string): string
  /** What the server has been through, for those who show it. */
  lives(): Lives
  stop(): Promise<void>
}

export const databaseName = 'shiplog'
const superuser = 'postgres'
const initTimeoutMs = 60_000
const startTimeoutMs = 30_000
const stopTimeoutMs = 4_000
const pollMs = 50
/** How often it is looked whether the server's directory is still there: without it a server lingers on for a minute. */
const lookMs = 2_000

const run = promisify(execFile)

/** True when this machine has the binaries. */
export const hasEmbeddedPostgres = (): boolean => nativeDirectory() !== undefined

/** One secret for all passwords, kept beside the data. */
function secretOf(dataDir: string, ids: Ids): string {
  const file = join(dataDir, 'postgres-secret')
  if (!existsSync(file)) writeSecretFile(file, `${ids.uuid()}${ids.uuid()}`)
  return readFileSync(file, 'utf8')
}

/** Starts the server, making its directory when there is none; resolves when it takes connections. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { clock } = options
  const dataDir = resolve(options.dataDir)
  const native = nativeDirectory()
  if (native === undefined) {
    throw new Error(`there is no embedded PostgreSQL for ${process.platform}-${process.arch}`)
  }
  completeLinks(native)
  const secret = secretOf(dataDir, options.ids)
  const passwordOf = (role: string): string =>
    createHash('sha256').update(`${role}:${secret}`).digest('hex').slice(0, 32)
  const version = await versionOf(native)
  const port = await freePort(wishedPort(dataDir))
  const urlOf = (role: string, database = databaseName): string =>
    `postgres://${role}:${passwordOf(role)}@127.0.0.1:${port}/${database}`
  const adminUrl = urlOf(superuser)
  /** The directory of the server that runs, once it does. */
  let present: string | undefined

  /** Everything that is not there is made: the home may have been removed since. */
  const start = async (): Promise<ChildProcess> => {
    const home = prepareHome(dataDir, native, clock.nowMs())
    accessSync(join(home.bin, 'postgres'), constants.X_OK)
    const data = join(home.directory, 'data')
    await endOrphan(data, clock)
    if (!isOfVersion(data, version) || !isMadeFor(home, secret)) {
      await makeData(home, data, passwordOf(superuser))
      writeSecretFile(join(home.directory, 'made-for'), fingerprint(secret))
    }
    const child = spawnServer(home, data, port)
    try {
      await untilReady(urlOf(superuser, 'postgres'), clock, child, join(home.directory, 'postgres.log'))
      await makeDatabase(urlOf(superuser, 'postgres'))
      await options.prepare?.({ adminUrl, passwordOf })
    } catch (error) {
      await endServer(child, clock)
      throw error
    }
    present = data
    return child
  }

  const first = Promise.withResolvers<void>()
  first.promise.catch(() => undefined)
  const kept = keepProcess({
    clock,
    start,
    onEnd(how, waitMs) {
      present = undefined
      first.reject(new Error(how))
      options.onEnd?.(how, waitMs)
    },
    ...(options.backoff ? { backoff: options.backoff } : {}),
  })
  const looking = clock.every(lookMs, () => {
    if (present === undefined || existsSync(join(present, 'PG_VERSION'))) return
    present = undefined
    kept.child?.stdin?.end()
  })
  const stop = async (): Promise<void> => {
    looking[Symbol.dispose]()
    await kept.stop(stopTimeoutMs, (child) => child.stdin?.end())
  }
  const begun = async (): Promise<void> => {
    while (!kept.lives().running) {
      await Promise.race([first.promise, clock.sleep(pollMs)])
    }
  }
  try {
    await begun()
  } catch (error) {
    await stop()
    throw error
  }
  return { port, version, adminUrl, urlOf, passwordOf, lives: kept.lives, stop }
}

async function versionOf(native: string): Promise<string> {
  const { stdout } = await run(join(native, 'bin', 'postgres'), ['--version'], { cwd: '/', timeout: initTimeoutMs })
  return /\d+(\.\d+)?/.exec(stdout)?.[0] ?? 'unknown'
}

/** A server that is not to be used after all; its shell ends it when its input ends. */
async function endServer(child: ChildProcess, clock: Clock): Promise<void> {
  child.stdin?.end()
  for (let waited = 0; waited < stopTimeoutMs && child.pid !== undefined; waited += pollMs) {
    if (child.exitCode !== null || child.signalCode !== null) return
    await clock.sleep(pollMs)
  }
  child.kill('SIGKILL')
}

const isOfVersion = (data: string, version: string): boolean => {
  try {
    return readFileSync(join(data, 'PG_VERSION'), 'utf8').trim() === version.split('.')[0]
  } catch {
    return false
  }
}

const fingerprint = (secret: string): string => createHash('sha256').update(secret).digest('hex')

/** False when the cluster's data directory was made anew since: the passwords are others now. */
const isMadeFor = (home: Home, secret: string): boolean => {
  const file = join(home.directory, 'made-for')
  return existsSync(file) && readFileSync(file, 'utf8') === fingerprint(secret)
}

/** Made beside and renamed, so that a data directory is whole or not there. */
async function makeData(home: Home, data: string, password: string): Promise<void> {
  const making = `${data}.new`
  const passwordFile = join(home.directory, 'password')
  rmSync(data, { recursive: true, force: true })
  rmSync(making, { recursive: true, force: true })
  writeSecretFile(passwordFile, password)
  if (home.account) chownSync(passwordFile, home.account.uid, home.account.gid)
  const as = home.account ? { uid: home.account.uid, gid: home.account.gid } : {}
  try {
    await run(
      join(home.bin, 'initdb'),
      [
        '-D',
        making,
        '-U',
        superuser,
        '-A',
        'scram-sha-256',
        `--pwfile=${passwordFile}`,
        '-E',
        'UTF8',
        '--locale=C',
        '-N',
      ],
      { ...as, cwd: home.directory, timeout: initTimeoutMs },
    )
  } finally {
    rmSync(passwordFile, { force: true })
  }
  renameSync(making, data)
}

const settings: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '40',
  shared_buffers: '64MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '512MB',
  checkpoint_timeout: '15min',
  jit: 'off',
  autovacuum_naptime: '60s',
  autovacuum_max_workers: '1',
  logging_collector: 'off',
  // What readers cannot lift: files and helpers of their queries, and who has hung up is noticed while a query runs.
  temp_file_limit: '1GB',
  max_worker_processes: '2',
  max_parallel_workers: '2',
  max_logical_replication_workers: '0',
  ...(process.platform === 'linux' ? { client_connection_check_interval: '1s' } : {}),
}

/** Each connection is a process: a query that wants more memory than this fails alone. Some systems know no such limit. */
const processMemoryKiB = 1_048_576
/** Questions wait for the control plane, not the other way round. */
const niceness = 10
const logBytesMax = 10 * 1024 * 1024

/** The shell ends the server when its input ends, and that is when this process does, however it does. */
const keeper = `ulimit -v ${processMemoryKiB} 2>/dev/null
nice -n ${niceness} "$@" & child=$!; (while kill -0 $child; do sleep 2; done; kill -9 $$) >/dev/null 2>&1 & watch=$!
cat >/dev/null; kill $watch; kill -INT $child 2>/dev/null; wait $child`

function spawnServer(home: Home, data: string, port: number): ChildProcess {
  const logFile = join(home.directory, 'postgres.log')
  const log = openSecretFile(logFile, existsSync(logFile) && statSync(logFile).size < logBytesMax ? 'a' : 'w')
  const flags = Object.entries({ ...settings, port: String(port) }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ])
  const argv = ['-c', keeper, 'postgres', join(home.bin, 'postgres'), '-D', data, ...flags]
  try {
    const child = withClosedUmask(() =>
      spawn('/bin/sh', argv, {
        ...(home.account ? { uid: home.account.uid, gid: home.account.gid } : {}),
        cwd: home.directory,
        stdio: ['pipe', log, log],
        detached: true,
      }),
    )
    // Told by its end: who keeps it listens to that.
    child.on('error', () => undefined)
    child.stdin?.on('error', () => undefined)
    return child
  } finally {
    closeSync(log)
  }
}

/** A server that outlived its cluster: it is ended, since its directory is ours. */
async function endOrphan(data: string, clock: Clock): Promise<void> {
  const file = join(data, 'postmaster.pid')
  if (!existsSync(file)) return
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0])
  const isServer = (): boolean => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(data)
    } catch {
      return false
    }
  }
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (!isServer()) return
    process.kill(pid, signal)
    for (let waited = 0; waited < stopTimeoutMs && isServer(); waited += pollMs) await clock.sleep(pollMs)
  }
}

/** The port of the last time, so that bookmarks hold. */
function wishedPort(dataDir: string): number {
  try {
    return Number(new URL(readFileSync(join(dataDir, 'postgres-url'), 'utf8').trim()).port)
  } catch {
    return 0
  }
}

function freePort(wished: number): Promise<number> {
  return new Promise((settle, reject) => {
    const server = createServer()
    server.once('error', (error) => (wished === 0 ? reject(error) : settle(freePort(0))))
    server.listen(wished, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => settle(port))
    })
  })
}

async function untilReady(url: string, clock: Clock, child: ChildProcess, logFile: string): Promise<void> {
  const end = clock.nowMs() + startTimeoutMs
  for (;;) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      const isGone = child.pid === undefined || child.exitCode !== null || child.signalCode !== null
      if (isGone || clock.nowMs() > end) {
        const last = logText(logFile).trim().split('\n').slice(-3).join(' | ')
        throw new Error(`PostgreSQL did not start: ${last || (error as Error).message}`, { cause: error })
      }
    }
    await clock.sleep(pollMs)
  }
}

async function makeDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const known = await client.query('select from pg_database where datname = $1', [databaseName])
    if (known.rowCount === 0) await client.query(`create database ${databaseName}`)
  } finally {
    await client.end()
  }
}

function logText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
