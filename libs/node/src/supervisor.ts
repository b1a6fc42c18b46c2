// The supervisor's core: keeps the processes of one node's containers. It is the parent of all of them, so it can tell how
// each ended and reads what each prints, whatever becomes of the agent; it does only what it is ordered, and everything it
// knows is on disk before it says so. When an earlier supervisor was killed, its children live on without anybody who
// reads their output: they are found by their records, killed, and reported as ended (supervisor-orphans.ts).
import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Clock } from '@shiplog/runtime/clock'
import { startTimeOf } from '@shiplog/runtime/directory-lock'
import type { Logger } from '@shiplog/runtime/logger'
import { secretDirectory } from '@shiplog/runtime/secret-files'
import type { AttachOrder } from './attach-frames.ts'
import type { ContainerRecord } from './container-records.ts'
import type { ExecResult } from './container-runtime.ts'
import { execIn } from './exec-in-container.ts'
import { containerIdOf, isSafeName, logDirectoriesOf, stateDirectory, workDirectory } from './pod-directories.ts'
import { createProcessSweeper, type ProcessSweeper } from './process-sweeper.ts'
import { signalGroup } from './process-table.ts'
import { createRecordKeeper, type RecordKeeper } from './record-keeper.ts'
import { launch, type LaunchPlace, startFault } from './process-launch.ts'
import { isAlive, newRunningProcess, onProcessExit, type RunningProcess } from './running-process.ts'
import { endOrphans } from './supervisor-orphans.ts'
import { attachTo } from './supervisor-attach.ts'
import type { StartOrder } from './supervisor-protocol.ts'

export interface Supervisor {
  records(): readonly ContainerRecord[]
  start(order: StartOrder): Promise<ContainerRecord>
  stop(containerID: string, graceMs: number): void
  exec(containerID: string, command: readonly string[], timeoutMs: number): Promise<ExecResult>
  /** Makes a connection a way into a container. */
  attach(order: AttachOrder['attach'], socket: Socket): void
  /** Throws when it does not run. */
  placeOf(containerID: string): LaunchPlace
  /** Kills what still runs of a pod and removes what it had on disk; its output and records only with `all`. */
  remove(podUid: string, all: boolean): Promise<void>
  /** TERM to everything, KILL after the grace period; resolves when nothing runs. */
  end(graceMs: number): Promise<void>
  runningCount(): number
}

export interface SupervisorDeps {
  readonly directory: string
  readonly clock: Clock
  readonly log: Logger
  readonly onEnded: (record: ContainerRecord) => void
}

interface Parts extends SupervisorDeps {
  readonly records: RecordKeeper
  readonly running: Map<string, RunningProcess>
  readonly sweeper: ProcessSweeper
}

export function createSupervisor(deps: SupervisorDeps): Supervisor {
  const { clock } = deps
  const running = new Map<string, RunningProcess>()
  const records = createRecordKeeper(deps)
  const parts: Parts = { ...deps, records, running, sweeper: createProcessSweeper(clock) }
  endOrphans(deps, records)
  return {
    records: () => records.all(),
    start: (order) => start(parts, order),
    stop: (containerID, graceMs) => stop(parts, containerID, graceMs),
    exec: (containerID, command, timeoutMs) => exec(parts, containerID, command, timeoutMs),
    attach: (order, socket) => attachTo(running.get(order.containerID), order, socket, clock),
    placeOf: (containerID) => placeOf(parts, containerID),
    remove: (podUid, all) => remove(parts, podUid, all),
    async end(graceMs) {
      for (const containerID of running.keys()) stop(parts, containerID, graceMs)
      while (running.size > 0) await Promise.all([...running.values()].map((process) => process.gone))
    },
    runningCount: () => running.size,
  }
}

async function start(parts: Parts, order: StartOrder): Promise<ContainerRecord> {
  const { clock, records, running, log } = parts
  const { podUid, name, attempt } = order
  if (!isSafeName(podUid) || !isSafeName(name)) throw new Error('invalid pod uid or container name')
  const containerID = containerIdOf(podUid, name, attempt)
  const known = records.get(containerID)
  if (known !== undefined) return known
  const intent: ContainerRecord = { podUid, name, attempt, containerID, startedAtMs: clock.nowMs() }
  // On disk before anything runs: a process without a record must not exist.
  records.begin(intent)
  records.forgetOldAttempts(order, (id) => running.has(id))
  const child = await launch(order.command, order, containerID, [order.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'])
  if (child instanceof Error) return records.end(intent, startFault(order.command[0]!, child, clock.nowMs()))
  child.on('error', (err) => log.warn({ err, container: containerID }, 'container process error'))
  const record = { ...intent, pid: child.pid!, processStart: startTimeOf(child.pid!) ?? '' }
  records.keep(record)
  watch(parts, record, order, child)
  return record
}

function watch(parts: Parts, record: ContainerRecord, order: StartOrder, child: ChildProcess): void {
  const { records, running, clock, sweeper } = parts
  const { containerID } = record
  const process = newRunningProcess({ record, order, child, clock })
  running.set(containerID, process)
  child.once('exit', (code, signal) => {
    void onProcessExit(process, { code, signal }, { clock, sweeper }).then((ended) => {
      running.delete(containerID)
      if (!process.removed) parts.onEnded(records.end(process.record, ended))
      process.resolveGone()
    })
  })
}

/** The earliest deadline counts: nobody may get more time than was said first. */
function stop({ running, clock }: Parts, containerID: string, graceMs: number): void {
  const process = running.get(containerID)
  // One that has ended and is being swept up has no process any more that a signal could be meant for.
  if (process === undefined || !isAlive(process)) return
  const pid = process.child.pid!
  const killAtMs = clock.nowMs() + graceMs
  if (process.killAtMs === Number.POSITIVE_INFINITY && graceMs > 0) signalGroup(pid, 'SIGTERM')
  if (killAtMs >= process.killAtMs) return
  process.killAtMs = killAtMs
  process.kill?.[Symbol.dispose]()
  if (graceMs <= 0) signalGroup(pid, 'SIGKILL')
  else process.kill = clock.after(graceMs, () => signalGroup(pid, 'SIGKILL'))
}

function placeOf({ running }: Parts, containerID: string): LaunchPlace {
  const process = running.get(containerID)
  if (process === undefined || !isAlive(process)) throw new Error('container not running')
  const { directory, env, user, group } = process.order
  return { directory, env, ...(user === undefined ? {} : { user }), ...(group === undefined ? {} : { group }) }
}

async function exec(
  { running, clock }: Parts,
  containerID: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<ExecResult> {
  const process = running.get(containerID)
  if (process === undefined || !isAlive(process)) throw new Error('container not running')
  return await execIn({ containerID, order: process.order, clock }, command, timeoutMs)
}

async function remove(parts: Parts, podUid: string, all: boolean): Promise<void> {
  const { directory, clock, records, running } = parts
  if (!isSafeName(podUid)) throw new Error('invalid pod uid')
  const ending = [...running.values()].filter(({ record }) => record.podUid === podUid)
  for (const process of ending) {
    process.removed = true
    stop(parts, process.record.containerID, 0)
  }
  await Promise.all(ending.map(({ gone }) => gone))
  for (const { record } of ending) {
    // It was killed by order: nobody asks how it ended, and it must not be taken for lost later.
    records.end(record, { exitCode: 137, reason: 'Error', finishedAtMs: clock.nowMs() })
  }
  rmSync(workDirectory(directory, podUid), { recursive: true, force: true })
  if (!all) return
  records.forgetPod(podUid)
  for (const logs of logDirectoriesOf(directory, podUid)) rmSync(logs, { recursive: true, force: true })
  // Last: as long as it exists, the pod is known to need this.
  rmSync(stateDirectory(directory, podUid), { recursive: true, force: true })
}

/** Created before the first record, so that nobody but its owner looks into a node. */
export function makeNodeDirectory(directory: string): void {
  secretDirectory(directory)
}
