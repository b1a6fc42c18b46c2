// The supervisor's core: keeps the processes of one node's containers. It is the parent of all of them, so it can tell how
// each ended and reads what each prints, whatever becomes of the agent; it does only what it is ordered, and everything it
// knows is on disk before it says so. When an earlier supervisor was killed, its children live on without anybody who
// reads their output: they are found by their records, ended, and told as ended.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import type { Clock } from '@shiplog/runtime/clock'
import { isAlive, startTimeOf } from '@shiplog/runtime/directory-lock'
import type { Logger } from '@shiplog/runtime/logger'
import { secretDirectory } from '@shiplog/runtime/secret-files'
import { createContainerLogWriter } from './container-log-writer.ts'
import {
  attemptsKept,
  type ContainerEnd,
  type ContainerRecord,
  readRecords,
  removeRecord,
  writeRecord,
} from './container-records.ts'
import type { ExecResult } from './container-runtime.ts'
import { containerIdOf, isSafeName, logDirectoriesOf, stateDirectory, workDirectory } from './pod-directories.ts'
import { killMarked, markVariable, signalGroup } from './process-table.ts'
import type { StartOrder } from './supervisor-protocol.ts'

export interface Supervisor {
  records(): readonly ContainerRecord[]
  start(order: StartOrder): Promise<ContainerRecord>
  stop(containerID: string, graceMs: number): void
  exec(containerID: string, command: readonly string[], timeoutMs: number): Promise<ExecResult>
  /** Kills what still runs of a pod and removes what it had on disk; its output and records only with `all`. */
  remove(podUid: string, all: boolean): Promise<void>
  /** TERM to everything, KILL after the grace; resolves when nothing runs. */
  end(graceMs: number): Promise<void>
  runningCount(): number
}

/** After the main process has ended, what it left has this long to be killed and its output to be read. */
const drainMs = 1_000
/** Ends that come together are swept up together. */
const sweepDelayMs = 10
/** The kubelet's bound for what a probe prints. */
const execOutputBytesMax = 10 * 1024
/** The kubelet's bound for a termination message. */
const terminationMessageBytesMax = 4_096
/** And for output that takes its place. */
const outputMessageBytesMax = 2_048
const outputMessageLinesMax = 80
/** What forks while it is being killed is looked for again. */
const sweepsMax = 5

interface Running {
  record: ContainerRecord
  readonly order: StartOrder
  readonly child: ChildProcess
  readonly gone: Promise<void>
  kill: Disposable | undefined
  killAtMs: number
  removed: boolean
}

export function createSupervisor(deps: {
  readonly directory: string
  readonly clock: Clock
  readonly log: Logger
  readonly onEnded: (record: ContainerRecord) => void
}): Supervisor {
  const { directory, clock, log } = deps
  const records = new Map<string, ContainerRecord>()
  const running = new Map<string, Running>()
  let swept = Promise.resolve()
  let toSweep = new Set<string>()

  for (const record of readRecords(directory)) records.set(record.containerID, record)
  endOrphans()

  /** What an earlier supervisor left running, or did not see the end of. */
  function endOrphans(): void {
    const orphans = [...records.values()].filter((record) => record.ended === undefined)
    if (orphans.length === 0) return
    const alive = new Set<string>()
    for (const { pid, processStart, containerID } of orphans) {
      if (pid === undefined || !isAlive({ pid, startTime: processStart ?? '' })) continue
      alive.add(containerID)
      signalGroup(pid, 'SIGKILL')
    }
    killMarked(new Set(orphans.map((record) => record.containerID)))
    for (const record of orphans) {
      const lived = alive.has(record.containerID)
      finish(record, {
        exitCode: 137,
        reason: lived ? 'Error' : 'ContainerStatusUnknown',
        message: lived
          ? 'The process that supervised this one and read its output was killed, so it was ended'
          : 'The process ended while nothing supervised it (the supervisor was killed, or the machine was restarted)',
        finishedAtMs: clock.nowMs(),
      })
    }
    log.warn({ ended: alive.size, lost: orphans.length - alive.size }, 'an earlier supervisor was killed')
  }

  function finish(record: ContainerRecord, ended: ContainerEnd): ContainerRecord {
    const whole = { ...record, ended }
    keep(whole)
    return whole
  }

  /** Memory first: a full disk must not make a start happen twice in this life. */
  function keep(record: ContainerRecord): void {
    records.set(record.containerID, record)
    try {
      writeRecord(directory, record)
    } catch (err) {
      log.error({ err, container: record.containerID }, 'a record could not be written')
    }
  }

  /** Kills, once for all ends of a moment, what has left its process group but bears the mark. */
  function sweep(containerID: string): Promise<void> {
    toSweep.add(containerID)
    if (toSweep.size === 1) {
      swept = clock.sleep(sweepDelayMs).then(() => {
        const ids = toSweep
        toSweep = new Set()
        for (let tries = 0; tries < sweepsMax && killMarked(ids) > 0; tries++);
      })
    }
    return swept
  }

  function forgetOldAttempts(order: StartOrder): void {
    for (const record of records.values()) {
      if (record.podUid !== order.podUid || record.name !== order.name) continue
      if (record.attempt > order.attempt - attemptsKept || running.has(record.containerID)) continue
      records.delete(record.containerID)
      removeRecord(directory, record)
    }
  }

  async function start(order: StartOrder): Promise<ContainerRecord> {
    if (!isSafeName(order.podUid) || !isSafeName(order.name)) throw new Error('no such pod can exist')
    const containerID = containerIdOf(order.podUid, order.name, order.attempt)
    const known = records.get(containerID)
    if (known !== undefined) return known
    const intent: ContainerRecord = {
      podUid: order.podUid,
      name: order.name,
      attempt: order.attempt,
      containerID,
      startedAtMs: clock.nowMs(),
    }
    // On disk before anything runs: a process that nobody knows of must not exist.
    writeRecord(directory, intent)
    records.set(containerID, intent)
    forgetOldAttempts(order)
    let child: ChildProcess
    try {
      child = launch(order.command, order, containerID)
    } catch (error) {
      return startFailed(intent, order, error as NodeJS.ErrnoException)
    }
    if (child.pid === undefined) {
      const [error] = await new Promise<[NodeJS.ErrnoException]>((resolve) =>
        child.once('error', (fault) => resolve([fault])),
      )
      return startFailed(intent, order, error)
    }
    child.on('error', (err) => log.warn({ err, container: containerID }, 'a process reported a fault'))
    const record: ContainerRecord = { ...intent, pid: child.pid, processStart: startTimeOf(child.pid) ?? '' }
    keep(record)
    watch(record, order, child)
    return record
  }

  function launch(command: readonly string[], order: StartOrder, containerID: string): ChildProcess {
    return spawn(command[0]!, command.slice(1), {
      cwd: order.directory,
      env: { ...order.env, [markVariable]: containerID },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(order.user === undefined ? {} : { uid: order.user }),
      ...(order.group === undefined ? {} : { gid: order.group }),
    })
  }

  /** As containerd tells it: the container was made and could not be started. */
  function startFailed(intent: ContainerRecord, order: StartOrder, error: NodeJS.ErrnoException): ContainerRecord {
    const message = `failed to start container process: ${execFault(order.command[0]!, error)}`
    return finish(intent, { exitCode: 128, reason: 'StartError', message, finishedAtMs: clock.nowMs() })
  }

  function watch(record: ContainerRecord, order: StartOrder, child: ChildProcess): void {
    const { containerID } = record
    const writer = createContainerLogWriter({ directory: order.logDirectory, restartCount: order.attempt, clock })
    let tail = Buffer.alloc(0)
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream]!.on('error', () => undefined).on('data', (chunk: Buffer) => {
        writer.write(stream, chunk)
        if (order.outputAsMessage) {
          tail = Buffer.concat([tail, chunk.subarray(-outputMessageBytesMax)]).subarray(-outputMessageBytesMax)
        }
      })
    }
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
    const gone = Promise.withResolvers<void>()
    const entry: Running = {
      record,
      order,
      child,
      gone: gone.promise,
      kill: undefined,
      killAtMs: Number.POSITIVE_INFINITY,
      removed: false,
    }
    running.set(containerID, entry)
    child.once('exit', (code, signal) => {
      void (async () => {
        entry.kill?.[Symbol.dispose]()
        // As with the first process of a container: when it ends, everything ends.
        signalGroup(child.pid!, 'SIGKILL')
        await sweep(containerID)
        const limit = new AbortController()
        await Promise.race([closed, clock.sleep(drainMs, limit.signal).catch(() => undefined)])
        limit.abort()
        child.stdout!.destroy()
        child.stderr!.destroy()
        writer.close()
        const exitCode = code ?? 128 + (constants.signals[signal!] ?? 0)
        const message =
          terminationMessage(order.terminationMessageFile) ||
          (exitCode === 0 ? '' : tail.toString('utf8').split('\n').slice(-outputMessageLinesMax).join('\n'))
        running.delete(containerID)
        if (!entry.removed) {
          const ended = finish(entry.record, {
            exitCode,
            reason: exitCode === 0 ? 'Completed' : 'Error',
            ...(message === '' ? {} : { message }),
            finishedAtMs: clock.nowMs(),
          })
          deps.onEnded(ended)
        }
        gone.resolve()
      })()
    })
  }

  /** An earlier deadline counts, a later one does not: nobody may get more time than was said. */
  function stop(containerID: string, graceMs: number): void {
    const entry = running.get(containerID)
    // One that has ended and is being swept up has no process any more that a signal could be meant for.
    if (entry === undefined || entry.child.exitCode !== null || entry.child.signalCode !== null) return
    const pid = entry.child.pid!
    const killAtMs = clock.nowMs() + graceMs
    if (entry.killAtMs === Number.POSITIVE_INFINITY && graceMs > 0) signalGroup(pid, 'SIGTERM')
    if (killAtMs >= entry.killAtMs) return
    entry.killAtMs = killAtMs
    entry.kill?.[Symbol.dispose]()
    if (graceMs <= 0) signalGroup(pid, 'SIGKILL')
    else entry.kill = clock.after(graceMs, () => signalGroup(pid, 'SIGKILL'))
  }

  async function exec(containerID: string, command: readonly string[], timeoutMs: number): Promise<ExecResult> {
    const entry = running.get(containerID)
    if (entry === undefined || entry.child.exitCode !== null || entry.child.signalCode !== null) {
      throw new Error('container not running')
    }
    const fault = (error: NodeJS.ErrnoException): ExecResult => ({
      exitCode: error.code === 'ENOENT' ? 127 : 126,
      output: execFault(command[0] ?? '', error),
      timedOut: false,
    })
    let child: ChildProcess
    try {
      child = launch(command, entry.order, containerID)
    } catch (error) {
      return fault(error as NodeJS.ErrnoException)
    }
    const parts: Buffer[] = []
    let bytes = 0
    const take = (chunk: Buffer): void => {
      if (bytes < execOutputBytesMax) parts.push(chunk.subarray(0, execOutputBytesMax - bytes))
      bytes += chunk.length
    }
    child.stdout?.on('data', take).on('error', () => undefined)
    child.stderr?.on('data', take).on('error', () => undefined)
    const limit = new AbortController()
    let timedOut = false
    void clock.sleep(timeoutMs, limit.signal).then(
      () => {
        timedOut = true
        if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
      },
      () => undefined,
    )
    try {
      return await new Promise<ExecResult>((resolve) => {
        child.once('error', (error: NodeJS.ErrnoException) => resolve(fault(error)))
        child.once('exit', (code, signal) => {
          if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
          const exitCode = code ?? 128 + (constants.signals[signal!] ?? 0)
          const tell = (): void => resolve({ exitCode, output: Buffer.concat(parts).toString('utf8'), timedOut })
          child.once('close', tell)
          clock.after(drainMs, tell)
        })
      })
    } finally {
      limit.abort()
      child.stdout?.destroy()
      child.stderr?.destroy()
    }
  }

  async function remove(podUid: string, all: boolean): Promise<void> {
    if (!isSafeName(podUid)) throw new Error('no such pod can exist')
    const ending = [...running.values()].filter((entry) => entry.record.podUid === podUid)
    for (const entry of ending) {
      entry.removed = true
      stop(entry.record.containerID, 0)
    }
    await Promise.all(ending.map((entry) => entry.gone))
    for (const entry of ending) {
      // It was killed by order: nobody asks how it ended, and it is not to be taken for lost later.
      finish(entry.record, { exitCode: 137, reason: 'Error', finishedAtMs: clock.nowMs() })
    }
    rmSync(workDirectory(directory, podUid), { recursive: true, force: true })
    if (!all) return
    for (const record of [...records.values()]) if (record.podUid === podUid) records.delete(record.containerID)
    for (const logs of logDirectoriesOf(directory, podUid)) rmSync(logs, { recursive: true, force: true })
    // Last: as long as it is there, the pod is known to need this.
    rmSync(stateDirectory(directory, podUid), { recursive: true, force: true })
  }

  return {
    records: () => [...records.values()],
    start,
    stop,
    exec,
    remove,
    async end(graceMs) {
      for (const containerID of running.keys()) stop(containerID, graceMs)
      while (running.size > 0) await Promise.all([...running.values()].map((entry) => entry.gone))
    },
    runningCount: () => running.size,
  }
}

function terminationMessage(file: string): string {
  try {
    return readFileSync(file).subarray(0, terminationMessageBytesMax).toString('utf8')
  } catch {
    return ''
  }
}

/** The sentence that runc has for a program that cannot be run. */
function execFault(program: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') {
    return program.includes('/')
      ? `exec: "${program}": stat ${program}: no such file or directory`
      : `exec: "${program}": executable file not found in $PATH`
  }
  if (error.code === 'EACCES') return `exec: "${program}": permission denied`
  if (error.code === 'EPERM') return `exec: "${program}": operation not permitted (does it run as another user?)`
  return `exec: "${program}": ${error.code ?? ''} ${error.message}`
}

/** Made before the first record, so that nobody but its owner looks into a node. */
export function makeNodeDirectory(directory: string): void {
  secretDirectory(directory)
}
