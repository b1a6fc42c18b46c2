// A cluster to measure: the program of `npm start` in a process of its own, on an empty data directory.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type CpuProfile, formatSelfTimes, selfTimes } from './cpu-profile.ts'
import { type Credentials, readCredentials } from './credentials.ts'
import { monotonicMicros } from './payloads.ts'

export type LogKind = 'embedded' | 'jetstream'

export interface BenchCluster {
  readonly pid: number
  readonly kubeconfig: string
  readonly credentials: Credentials
  /** From the start of the process to its own word that it is ready, by the clock of this process. */
  readonly readyMs: number
  readonly startedMicros: number
  /** Ends it in order and leaves its data. */
  stop(): Promise<void>
  /** Stops it; when it was started with `profile`, prints where its time went meanwhile. */
  remove(...profileOf: readonly TimeSpan[]): Promise<void>
}

/** Something that was done between two moments of the monotonic clock. */
export interface TimeSpan {
  readonly title: string
  readonly fromMicros: number
  readonly toMicros: number
}

const ownRoot = resolve(import.meta.dirname, '..', '..')
const readyTimeoutMs = 180_000
const stopTimeoutMs = 15_000
/** Fine enough for a start of a few hundred milliseconds. */
const profileIntervalMicros = 250

export async function startCluster(options: {
  readonly log: LogKind
  readonly simulatedNodes?: number
  readonly profile?: boolean
  /** More flags of `shiplog up`. */
  readonly flags?: readonly string[]
  /** A directory of the caller's own, which is kept; by default one that goes with the cluster. */
  readonly directory?: string
  /** Another checkout whose program is started; by default this one. */
  readonly checkout?: string
}): Promise<BenchCluster> {
  const root = options.checkout ?? ownRoot
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'shiplog-bench-'))
  const profiles = join(directory, 'profiles')
  const startedMicros = monotonicMicros()
  const child = spawn(
    process.execPath,
    [
      ...(options.profile
        ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`, `--cpu-prof-interval=${profileIntervalMicros}`]
        : []),
      // As tools/run.mjs starts it.
      '--max-semi-space-size=64',
      ...(process.platform === 'linux' && process.arch === 'x64'
        ? ['--experimental-ffi', '--disable-warning=ExperimentalWarning']
        : []),
      join(root, 'apps', 'cli', 'src', 'main.ts'),
      ...['up', '--data-dir', join(directory, 'data'), '--port', '0', '--log', options.log, '--postgres', 'off'],
      ...['--simulated-nodes', String(options.simulatedNodes ?? 3)],
      ...(options.flags ?? []),
    ],
    {
      cwd: root,
      // A process group of its own, so that nothing of it outlives a failure.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(root, 'node_modules', '.cache', 'node-compile'),
      },
    },
  )
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    const timer = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), stopTimeoutMs)
    await exited
    clearTimeout(timer)
  }
  const discard = (): void => {
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true })
  }
  try {
    await ready(child)
  } catch (error) {
    await stop()
    discard()
    throw error
  }
  const watched = (code: number | null, signal: NodeJS.Signals | null): void =>
    void process.stderr.write(`bench: the server ended by itself with ${signal ?? code}\n`)
  child.on('exit', watched)
  child.stderr.pipe(process.stderr)
  const readyMs = (monotonicMicros() - startedMicros) / 1_000
  const kubeconfig = join(directory, 'data', 'kubeconfig')
  return {
    pid: child.pid!,
    kubeconfig,
    credentials: readCredentials(kubeconfig),
    readyMs,
    startedMicros,
    async stop() {
      child.off('exit', watched)
      await stop()
    },
    async remove(...profileOf) {
      child.off('exit', watched)
      child.stderr.unpipe()
      await stop()
      if (options.profile && profileOf.length > 0) {
        for (const file of readdirSync(profiles)) {
          const profile = JSON.parse(readFileSync(join(profiles, file), 'utf8')) as CpuProfile
          for (const { title, fromMicros, toMicros } of profileOf) {
            const times = selfTimes(profile, fromMicros, toMicros)
            process.stdout.write(`\nSelf time of the server, ${title}:\n${formatSelfTimes(times)}\n`)
          }
        }
      }
      discard()
    },
  }
}

/** Resolves at the line that says so; fails when the process ends or the time is over. */
function ready(child: ChildProcess): Promise<void> {
  return new Promise((settle, reject) => {
    let output = ''
    const timer = setTimeout(() => reject(new Error(`no cluster in ${readyTimeoutMs} ms:\n${output}`)), readyTimeoutMs)
    const read = (chunk: Buffer): void => {
      if (output.length < 100_000) output += chunk.toString('utf8')
      if (output.includes('Shiplog is ready in')) {
        clearTimeout(timer)
        settle()
      }
    }
    child.stdout!.on('data', read)
    child.stderr!.on('data', read)
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      reject(new Error(`shiplog up ended with ${signal ?? code}:\n${output}`))
    })
  })
}
