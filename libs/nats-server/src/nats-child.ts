// A nats-server as a child of ours: JetStream in the data directory, loopback only, a user per component. It is started
// again when it dies, and one that an earlier parent left behind (kill -9) is found and stopped first.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { type Clock, systemClock } from '@shiplog/runtime/clock'
import { type Logger, silentLogger } from '@shiplog/runtime/logger'
import { loadNatsCredentials, natsAuthorization, type NatsUsers } from './nats-users.ts'

const readyTimeoutMs = 10_000
const readyPollMs = 5
const stopTimeoutMs = 3000
const respawnDelayMs = 50
/** A server that dies this often in a row, each time within `respawnQuickMs`, stays dead. */
const respawnsMax = 20
const respawnQuickMs = 75

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
  await mkdir(home, { recursive: true, mode: 0o700 })
  const configFile = join(home, 'nats.conf')
  const pidFile = join(home, 'nats.pid')
  await stopStale(pidFile, configFile, clock)
  const credentials = await loadNatsCredentials(join(home, 'credentials.json'), options.nodes)
  const port = options.port ?? (await freePort())
  await writeFile(ownerFile(pidFile), `${process.pid}\n`)
  await writeFile(configFile, configuration({ home, port, pidFile, credentials }), { mode: 0o600 })

  let child: ChildProcess
  let stopping = false
  let quickDeaths = 0

  const launch = (): void => {
    const startedMs = clock.nowMs()
    child = spawn(options.binary, ['-c', configFile], { stdio: 'ignore' })
    child.once('error', (err) => logger.error({ err }, 'nats-server could not be started'))
    child.once('exit', (code, signal) => {
      if (stopping) return
      quickDeaths = clock.nowMs() - startedMs < respawnQuickMs ? quickDeaths + 1 : 0
      logger.warn({ code, signal }, 'nats-server ended, starting it again')
      if (quickDeaths > respawnsMax) {
        logger.error({ log: join(home, 'nats.log') }, 'nats-server keeps ending')
        return
      }
      clock.after(respawnDelayMs, () => {
        if (!stopping) launch()
      })
    })
  }
  launch()
  await waitUntilReady(port, clock, () => quickDeaths > 2).catch((cause: unknown) => {
    stopping = true
    child.kill('SIGKILL')
    throw new Error(`nats-server did not become ready; its log is ${join(home, 'nats.log')}`, { cause })
  })

  return {
    url: `nats://127.0.0.1:${port}`,
    credentials,
    get pid() {
      return child.pid ?? 0
    },
    kill: () => void child.kill('SIGKILL'),
    stop: async () => {
      stopping = true
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      child.kill('SIGTERM')
      using _hammer = clock.after(stopTimeoutMs, () => child.kill('SIGKILL'))
      await exited
    },
  }
}

interface Configuration {
  readonly home: string
  readonly port: number
  readonly pidFile: string
  readonly credentials: NatsUsers
}

/**
 * `sync_interval: always` is the promise that an acknowledged write is on disk. `max_file_store` is left to the server
 * (three quarters of the free space at its start): at that limit it refuses with a sentence, whereas on a disk that is
 * really full it gives no answer at all and its stream stays broken until a restart (measured with 2.15.1).
 */
function configuration({ home, port, pidFile, credentials }: Configuration): string {
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
