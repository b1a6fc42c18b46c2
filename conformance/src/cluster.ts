// A fresh cluster, started as a user starts one: the program of `npm start` in a process of its own on an empty data
// directory, ready when it says so, known by the kubeconfig that it wrote.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export type LogKind = 'embedded' | 'jetstream'

export interface ClusterOptions {
  readonly log: LogKind
  /** Default 3. */
  readonly simulatedNodes?: number
  /** More arguments of `shiplog up`. */
  readonly args?: readonly string[]
  /** Default: a new temporary directory, removed by `remove`. */
  readonly dataDir?: string
}

export interface Cluster {
  readonly log: LogKind
  readonly dataDir: string
  /** Path of the kubeconfig. */
  readonly kubeconfig: string
  readonly process: ChildProcess
  /** All that it wrote so far, for messages. */
  output(): string
  /** SIGTERM; resolves with the exit code, and fails when it takes longer than it may. */
  stop(): Promise<number>
  /** SIGKILL to the whole process group. */
  kill(): Promise<void>
  /** Stops it if need be and removes what it left. */
  remove(): Promise<void>
}

const root = resolve(import.meta.dirname, '..', '..')

/** How long a start may take on a busy machine; a quiet one needs a second. */
const readyTimeoutMs = 60_000
/** Five seconds are promised; the rest is the busy machine. */
const stopTimeoutMs = 15_000
const outputCharactersMax = 1_000_000

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), `shiplog-${options.log}-`))
  const args = [
    join(root, 'apps', 'cli', 'src', 'main.ts'),
    'up',
    '--postgres',
    'off',
    ...['--data-dir', dataDir],
    ...['--port', '0'],
    ...['--log', options.log],
    ...['--simulated-nodes', String(options.simulatedNodes ?? 3)],
    ...(options.args ?? []),
  ]
  // Detached: a process group of its own, so that `kill` reaches the children (nats-server) too.
  const child = spawn(process.execPath, args, { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const exited = once(child, 'exit').then(([code]) => (code as number | null) ?? -1)
  const ready = new Promise<void>((settle, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`no cluster after ${readyTimeoutMs} ms:\n${output}`)),
      readyTimeoutMs,
    )
    const read = (chunk: string): void => {
      if (output.length < outputCharactersMax) output += chunk
      if (/Shiplog is ready in/.test(output)) {
        clearTimeout(timer)
        settle()
      }
    }
    child.stdout.setEncoding('utf8').on('data', read)
    child.stderr.setEncoding('utf8').on('data', read)
    child.on('error', reject)
    void exited.then((code) => {
      clearTimeout(timer)
      reject(new Error(`shiplog up ended with code ${code}:\n${output}`))
    })
  })

  const signalGroup = (signal: NodeJS.Signals): void => {
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, signal)
    } catch {
      // Already gone.
    }
  }
  const kill = async (): Promise<void> => {
    signalGroup('SIGKILL')
    await exited
  }
  const stop = async (): Promise<number> => {
    if (child.exitCode !== null || child.signalCode !== null) return exited
    child.kill('SIGTERM')
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((settle) => {
      timer = setTimeout(() => settle('late'), stopTimeoutMs)
    })
    const code = await Promise.race([exited, late])
    clearTimeout(timer)
    if (code !== 'late') return code
    await kill()
    throw new Error(`shiplog did not stop within ${stopTimeoutMs} ms:\n${output.slice(-4000)}`)
  }

  try {
    await ready
  } catch (error) {
    await kill()
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true })
    throw error
  }
  return {
    log: options.log,
    dataDir,
    kubeconfig: join(dataDir, 'kubeconfig'),
    process: child,
    output: () => output,
    stop,
    kill,
    async remove() {
      try {
        await stop()
      } finally {
        rmSync(dataDir, { recursive: true, force: true })
      }
    },
  }
}
