// The process of one container while it runs, and what is made of its end: exit code, reason and message.
import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import type { Clock } from '@shiplog/runtime/clock'
import { type ContainerLogWriter, createContainerLogWriter } from './container-log-writer.ts'
import type { ContainerEnd, ContainerRecord } from './container-records.ts'
import type { ProcessSweeper } from './process-sweeper.ts'
import { signalGroup } from './process-table.ts'
import type { StartOrder } from './supervisor-protocol.ts'

/** After the main process has ended, what it left has this long to be killed and its output to be read. */
export const drainMs = 1_000
/** The kubelet's limit for a termination message. */
const terminationMessageBytesMax = 4_096
/** The kubelet's limits for output that takes its place. */
const outputMessageBytesMax = 2_048
const outputMessageLinesMax = 80

export interface RunningProcess {
  readonly record: ContainerRecord
  readonly order: StartOrder
  readonly child: ChildProcess
  readonly output: ContainerOutput
  readonly gone: Promise<void>
  resolveGone(): void
  kill: Disposable | undefined
  killAtMs: number
  /** Its pod was removed: nobody asks how it ended. */
  removed: boolean
}

export interface ContainerOutput {
  readonly writer: ContainerLogWriter
  /** All output has been read. */
  readonly closed: Promise<void>
  /** The end of the output, where it may become the message. */
  tail(): Buffer
}

export function newRunningProcess(of: {
  readonly record: ContainerRecord
  readonly order: StartOrder
  readonly child: ChildProcess
  readonly clock: Clock
}): RunningProcess {
  const { record, order, child, clock } = of
  const gone = Promise.withResolvers<void>()
  return {
    ...{ record, order, child },
    output: readOutput(order, child, clock),
    gone: gone.promise,
    resolveGone: gone.resolve,
    kill: undefined,
    killAtMs: Number.POSITIVE_INFINITY,
    removed: false,
  }
}

export const isAlive = ({ child }: Pick<RunningProcess, 'child'>): boolean =>
  child.exitCode === null && child.signalCode === null

function readOutput(order: StartOrder, child: ChildProcess, clock: Clock): ContainerOutput {
  const writer = createContainerLogWriter({ directory: order.logDirectory, restartCount: order.attempt, clock })
  let tail = Buffer.alloc(0)
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]!.on('error', () => undefined).on('data', (chunk: Buffer) => {
      writer.write(stream, chunk)
      if (!order.outputAsMessage) return
      tail = Buffer.concat([tail, chunk.subarray(-outputMessageBytesMax)]).subarray(-outputMessageBytesMax)
    })
  }
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return { writer, closed, tail: () => tail }
}

export interface ProcessExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export const exitCodeOf = ({ code, signal }: ProcessExit): number => code ?? 128 + (constants.signals[signal!] ?? 0)

/** Ends what the process left, reads the rest of its output, and says how it ended. */
export async function onProcessExit(
  process: RunningProcess,
  exit: ProcessExit,
  { clock, sweeper }: { readonly clock: Clock; readonly sweeper: ProcessSweeper },
): Promise<ContainerEnd> {
  const { child, order, output, record } = process
  process.kill?.[Symbol.dispose]()
  // As with the first process of a container: when it ends, everything ends.
  signalGroup(child.pid!, 'SIGKILL')
  await sweeper.sweep(record.containerID)
  const limit = new AbortController()
  await Promise.race([output.closed, clock.sleep(drainMs, limit.signal).catch(() => undefined)])
  limit.abort()
  child.stdout!.destroy()
  child.stderr!.destroy()
  output.writer.close()
  const exitCode = exitCodeOf(exit)
  const message = messageOf(exitCode, terminationMessage(order.terminationMessageFile), output.tail())
  return {
    exitCode,
    reason: exitCode === 0 ? 'Completed' : 'Error',
    ...(message === '' ? {} : { message }),
    finishedAtMs: clock.nowMs(),
  }
}

/** The termination message, else, for a failed container, the last lines of its output. */
export const messageOf = (exitCode: number, written: string, tail: Buffer): string =>
  written || (exitCode === 0 ? '' : tail.toString('utf8').split('\n').slice(-outputMessageLinesMax).join('\n'))

function terminationMessage(file: string): string {
  try {
    return readFileSync(file).subarray(0, terminationMessageBytesMax).toString('utf8')
  } catch {
    return ''
  }
}
