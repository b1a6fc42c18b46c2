// A nats-server as a child of ours: JetStream in the data directory, loopback only, a user per component. It is started
// again when it dies, and one that an earlier parent left behind (kill -9) is found and stopped first.
import { execFile, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { type Clock, systemClock } from '@shiplog/runtime/clock'
import { keepProcess, type Lives } from '@shiplog/runtime/kept-process'
import { type Logger, silentLogger } from '@shiplog/runtime/logger'
import { closeTree, withClosedUmask, writeSecretFile } from '@shiplog/runtime/secret-files'
import type { LogDisk } from '@shiplog/events/jetstream/log-disk'
import { storeLimit, watchDisk } from '@shiplog/events/jetstream/nats-disk'
import { loadNatsCredentials, natsAuthorization, type NatsUsers } from './nats-users.ts'

const readyTimeoutMs = 10_000
const readyPollMs = 5
const stopTimeoutMs = 3000
/** Everything waits for the log: it is tried again soon, and often. */
const backoff = { firstMs: 50, maxMs: 1_000, calmMs: 5_000 }
/** A server that has ended so often before it ever answered is not waited for. */
const endsAtStartMax = 3

export interface NatsChildOptions {
  readonly binary: string
  /** Configuration, credentials, log and store lie in `<dataDir>/nats`. */
  readonly dataDir: string
  /** Default: any free one. */
  readonly port?: number
  /** Nodes whose agents may connect. */
  readonly nodes?: readonly string[]
  readonly clock?: Clock
  readonly logger?: Logger
}

export interface NatsChild {
  readonly url: string
  readonly credentials: NatsUsers
  readonly pid: number
  /** The disk that its streams lie on; told of an append that found no room, it starts the server again once there is. */
  readonly disk: LogDisk
  /** What the server has been through, for those who show it. */
  lives(): Lives
  /** Ends the server: SIGTERM, and SIGKILL when that does not help. */
  stop(): Promise<void>
  /** SIGKILL, as a crash: the server comes back by itself on the same port. For tests. */
  kill(): void
}

/** Starts a nats-server and waits until it answers. */
export async function startNatsServer(options: NatsChildOptions): Promise<NatsChild> {
  const clock = options.clock ?? systemClock
  const logger = options.logger ?? silentLogger
  const home = resolve(options.dataDir, 'nats')
  closeTree(home)
  const configFile = join(home, 'nats.conf')
  const pidFile = join(home, 'nats.pid')
  await stopStale(pidFile, configFile, clock)
  const credentials = await loadNatsCredentials(join(home, 'credentials.json'), options.nodes)
  const port = options.port ?? (await freePort())
  writeSecretFile(ownerFile(pidFile), `${process.pid}\n`)
  const storeDirectory = join(home, 'store')
  mkdirSync(storeDirectory, { recursive: true, mode: 0o700 })
  let storeBytesMax = 0
  /** The limit is what is free now: after a start on a fuller or emptier disk it is another. */
  const writeConfiguration = (): void => {
    storeBytesMax = storeLimit(storeDirectory)
    writeSecretFile(configFile, configuration({ home, port, pidFile, credentials, storeBytesMax }))
  }

  const kept = keepProcess({
    clock,
    backoff,
    endsWithUs: true,
    start: () => {
      writeConfiguration()
      return withClosedUmask(() => spawn(options.binary, ['-c', configFile], { stdio: 'ignore' }))
    },
    onEnd: (how, waitMs) => logger.warn({ how, waitMs, log: join(home, 'nats.log') }, 'nats-server ended, starting it again'),
  })
  const hopeless = (): boolean => kept.lives().restarts >= endsAtStartMax
  await waitUntilReady(port, clock, hopeless).catch(async (cause: unknown) => {
    const { lastEnd } = kept.lives()
    await kept.stop(0)
    const why = lastEnd === undefined ? '' : ` (${lastEnd.how})`
    throw new Error(`nats-server did not become ready${why}; its log is ${join(home, 'nats.log')}`, { cause })
  })

  const disk = watchDisk({
    directory: storeDirectory,
    clock,
    limitBytes: () => storeBytesMax,
    restart: () => {
      logger.warn({ disk: storeDirectory }, 'there is room for the log again, nats-server is started again')
      const ending = kept.child
      ending?.kill('SIGTERM')
      clock.after(stopTimeoutMs, () => void (ending === kept.child && ending?.kill('SIGKILL')))
    },
  })
  return {
    url: `nats://127.0.0.1:${port}`,
    credentials,
    disk,
    get pid() {
      return kept.child?.pid ?? 0
    },
    lives: kept.lives,
    kill: () => void kept.child?.kill('SIGKILL'),
    stop: async () => {
      disk[Symbol.dispose]()
      await kept.stop(stopTimeoutMs)
    },
  }
}

interface Configuration {
  readonly home: string
  readonly port: number
  readonly pidFile: string
  readonly credentials: NatsUsers
  readonly storeBytesMax: number
}

/**
 * `sync_interval: always` is the promise that an acknowledged write is on disk. At `max_file_store` the server refuses with
 * a sentence, whereas on a disk that is really full it gives no answer at all and its stream stays broken until a restart
 * (measured with 2.15.1): nats-disk.ts.
 */
function configuration({ home, port, pidFile, credentials, storeBytesMax }: Configuration): string {
  const quote = JSON.stringify
  return `host: "127.0.0.1"
port: ${port}
server_name: "shiplog"
pid_file: ${quote(pidFile)}
log_file: ${quote(join(home, 'nats.log'))}
logfile_size_limit: 10MB
logfile_max_num: 2
max_payload: 8MB
max_pending: 256MB
write_deadline: "30s"
jetstream {
  store_dir: ${quote(join(home, 'store'))}
  sync_interval: always
  max_file_store: ${storeBytesMax}
}
${natsAuthorization(credentials)}`
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      server.close(() => resolve(port))
    })
  })

/** A server is ready when it greets; JetStream has recovered its streams by then. */
async function waitUntilReady(port: number, clock: Clock, hopeless: () => boolean): Promise<void> {
  const greets = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1')
      const done = (answer: boolean): void => {
        socket.destroy()
        resolve(answer)
      }
      socket.once('data', (data) => done(data.toString('latin1').startsWith('INFO ')))
      socket.once('error', () => done(false))
      socket.setTimeout(1000, () => done(false))
    })
  const deadlineMs = clock.nowMs() + readyTimeoutMs
  while (!(await greets())) {
    if (hopeless()) throw new Error('it ends as soon as it is started')
    if (clock.nowMs() > deadlineMs) throw new Error(`no answer within ${readyTimeoutMs} ms`)
    await clock.sleep(readyPollMs)
  }
}

/** Ends the server that an earlier process on this data directory left behind; refuses while that process lives. */
async function stopStale(pidFile: string, configFile: string, clock: Clock): Promise<void> {
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).trim())
  if (!Number.isSafeInteger(pid) || pid <= 1) return
  // The pid may belong to somebody else by now: only a process that runs with our configuration is ours.
  const [parent, commandLine] = await describeProcess(pid)
  if (!commandLine.includes(configFile)) return
  const owner = Number((await readFile(ownerFile(pidFile), 'utf8').catch(() => '')).trim())
  if (parent === owner) throw new Error(`The data directory is in use by process ${owner}`)
  const deadlineMs = clock.nowMs() + stopTimeoutMs
  process.kill(pid, 'SIGTERM')
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    if (clock.nowMs() > deadlineMs) process.kill(pid, 'SIGKILL')
    await clock.sleep(20)
  }
}

/** Holds the pid of the process that started the server: an orphan has another parent. */
const ownerFile = (pidFile: string): string => `${pidFile}.owner`

const execute = promisify(execFile)

/** Parent and command line of a process; 0 and '' when there is none. */
async function describeProcess(pid: number): Promise<readonly [parent: number, commandLine: string]> {
  const { stdout } = await execute('ps', ['-ww', '-p', String(pid), '-o', 'ppid=,command='], { timeout: 5000 }).catch(
    () => readProc(pid),
  )
  const match = /^\s*(\d+)\s+(.*)/s.exec(stdout)
  return match ? [Number(match[1]), match[2]!] : [0, '']
}

/** The same from Linux' own files, where no `ps` is installed. */
async function readProc(pid: number): Promise<{ readonly stdout: string }> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ')
    return { stdout: `${/^PPid:\s*(\d+)/m.exec(status)?.[1] ?? 0} ${commandLine}` }
  } catch {
    return { stdout: '' }
  }
}
