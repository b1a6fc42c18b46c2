// A cluster that is going to be killed: the program of `npm start` as a process group of its own on a data directory that
// outlives it, to be killed at any moment, also before it is ready.
import { type ChildProcess, spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import type { LogKind } from './real-log.ts'

export interface Victim {
  /** Resolves when it says that it is ready; rejects when it ends before. */
  readonly ready: Promise<void>
  readonly kubeconfig: string
  readonly output: () => string
  /** SIGKILL to the process and its children at once. */
  kill(): Promise<void>
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number>
}

const root = resolve(import.meta.dirname, '..', '..')
export const cli = join(root, 'apps', 'cli', 'src', 'main.ts')

/** Ten times what it takes on a busy machine. */
const readyTimeoutMs = 60_000

export function startVictim(options: { dataDir: string; log: LogKind; simulatedNodes: number }): Victim {
  const { dataDir, log } = options
  const args = [cli, 'up', '--data-dir', dataDir, '--port', '0', '--log', log]
  const child: ChildProcess = spawn(
    process.execPath,
    [...args, '--simulated-nodes', String(options.simulatedNodes), '--log-level', 'warn'],
    { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  const exited = new Promise<number>((settle) => child.once('close', (code) => settle(code ?? -1)))
  const ready = new Promise<void>((settle, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready in ${readyTimeoutMs} ms:\n${output}`)), readyTimeoutMs)
    const read = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-20_000)
      if (!output.includes('Shiplog is ready in')) return
      clearTimeout(timer)
      settle()
    }
    child.stdout!.on('data', read)
    child.stderr!.on('data', read)
    void exited.then((code) => {
      clearTimeout(timer)
      reject(new Error(`shiplog up ended with ${code}:\n${output}`))
    })
  })
  ready.catch(() => undefined)
  return {
    ready,
    kubeconfig: join(dataDir, 'kubeconfig'),
    output: () => output,
    async kill() {
      try {
        process.kill(-child.pid!, 'SIGKILL')
      } catch {
        // Gone already.
      }
      await exited
    },
    stop() {
      child.kill('SIGTERM')
      return exited
    },
  }
}
