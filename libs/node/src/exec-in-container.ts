// Runs one command beside a running container, in its environment: probes and hooks.
import type { ChildProcess } from 'node:child_process'
import type { Clock } from '@shiplog/runtime/clock'
import type { ExecResult } from './container-runtime.ts'
import { execFault, launch } from './process-launch.ts'
import { signalGroup } from './process-table.ts'
import { drainMs, exitCodeOf } from './running-process.ts'
import type { StartOrder } from './supervisor-protocol.ts'

/** The kubelet's limit for the output of a probe. */
const execOutputBytesMax = 10 * 1024

export interface ExecPlace {
  readonly containerID: string
  readonly order: StartOrder
  readonly clock: Clock
}

export async function execIn(place: ExecPlace, command: readonly string[], timeoutMs: number): Promise<ExecResult> {
  const { containerID, order, clock } = place
  const child = await launch(command, order, containerID)
  if (child instanceof Error) return faultOf(command, child)
  const output = collect(child)
  const limit = new AbortController()
  let timedOut = false
  const killLate = (): void => {
    timedOut = true
    signalGroup(child.pid!, 'SIGKILL')
  }
  void clock.sleep(timeoutMs, limit.signal).then(killLate, () => undefined)
  try {
    const exitCode = await exitOf(child, clock)
    return { exitCode, output: output(), timedOut }
  } finally {
    limit.abort()
    child.stdout?.destroy()
    child.stderr?.destroy()
  }
}

const faultOf = (command: readonly string[], error: NodeJS.ErrnoException): ExecResult => ({
  exitCode: error.code === 'ENOENT' ? 127 : 126,
  output: execFault(command[0] ?? '', error),
  timedOut: false,
})

/** Reads standard output and error together, cut at the limit. */
function collect(child: ChildProcess): () => string {
  const parts: Buffer[] = []
  let bytes = 0
  const take = (chunk: Buffer): void => {
    if (bytes < execOutputBytesMax) parts.push(chunk.subarray(0, execOutputBytesMax - bytes))
    bytes += chunk.length
  }
  child.stdout?.on('data', take).on('error', () => undefined)
  child.stderr?.on('data', take).on('error', () => undefined)
  return () => Buffer.concat(parts).toString('utf8')
}

/** The exit code, once the output is read to its end, or soon after the exit if something keeps it open. */
const exitOf = (child: ChildProcess, clock: Clock): Promise<number> =>
  new Promise((resolve) => {
    child.on('error', () => undefined)
    child.once('exit', (code, signal) => {
      signalGroup(child.pid!, 'SIGKILL')
      const settle = (): void => resolve(exitCodeOf({ code, signal }))
      child.once('close', settle)
      clock.after(drainMs, settle)
    })
  })
