// The ContainerRuntime whose containers are processes of this machine. It lays out a pod's files and orders a supervisor,
// a small process of its own, to run what is to run: so the agent may be killed and finds its pods again. There is no
// isolation: a container is a process like any other of the user who runs Shiplog, in a directory of its own.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import type { ContainerRecord } from './container-records.ts'
import {
  type ContainerConfig,
  type ContainerExit,
  type ContainerRuntime,
  isRuntimeFailure,
  type PodVolume,
  type RealContainers,
  type RecoveredContainer,
  RuntimeFailure,
  type SandboxConfig,
  type StartedContainer,
} from './container-runtime.ts'
import {
  containerIdOf,
  containerLogDirectory,
  isSafeName,
  podsOnDisk,
  rootDirectory,
  socketName,
  stateDirectory,
  workDirectory,
} from './pod-directories.ts'
import { attachToProcess } from './process-attach.ts'
import { createProcessStreams } from './process-streams.ts'
import { createUsageMeter } from './process-usage.ts'
import { makeNodeDirectory } from './supervisor.ts'
import { createSupervisorLink, isLineBroken, type SupervisorLink } from './supervisor-link.ts'
import type { StartOrder } from './supervisor-protocol.ts'
import { makeRoot, writeVolume } from './volume-files.ts'

export interface ProcessRuntimeOptions {
  /** Of this node alone; created if missing, readable by its owner only. */
  readonly directory: string
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** What an orderly stop of the agent does with processes: end them, or leave them to the agent's next life. */
  readonly onStop: 'end' | 'leave'
}

export const processRuntimeVersion = 'process://0.1.0'

/** Grace period of processes when the agent is stopped; the whole stop has 3 s. */
const stopGraceMs = 2_000
const stopTimeoutMs = 2_900
/** How long the supervisor may take to answer beyond the timeout of the command. */
const execMarginMs = 5_000
const removeRetryMs = 500
const removeTriesMax = 20
const startTriesMax = 3

interface Pod {
  readonly config: SandboxConfig
  volumes: readonly PodVolume[]
}

const exitOf = (record: ContainerRecord): ContainerExit | undefined =>
  record.ended && {
    podUid: record.podUid,
    containerID: record.containerID,
    exitCode: record.ended.exitCode,
    reason: record.ended.reason,
    ...(record.ended.message === undefined ? {} : { message: record.ended.message }),
    finishedAtMs: record.ended.finishedAtMs,
  }

/** What the parts of a runtime share. */
interface Parts extends Omit<ProcessRuntimeOptions, 'onStop'> {
  readonly pods: Map<string, Pod>
  readonly removals: Set<Promise<void>>
  readonly link: SupervisorLink
  readonly isStopped: () => boolean
}

export function createProcessRuntime(options: ProcessRuntimeOptions): ContainerRuntime {
  const { directory } = options
  const pods = new Map<string, Pod>()
  let exitListener: (exit: ContainerExit) => void = () => undefined
  let stopped = false
  makeNodeDirectory(directory)
  const link = createSupervisorLink({
    ...options,
    onEnded(record) {
      const exit = exitOf(record)
      if (exit !== undefined && pods.has(record.podUid)) exitListener(exit)
    },
  })
  const parts: Parts = { ...options, pods, removals: new Set(), link, isStopped: () => stopped }
  return {
    version: processRuntimeVersion,
    runSandbox: (config) => runSandbox(parts, config),
    startContainer: (podUid, config) => startContainer(parts, podUid, config),
    stopContainer: (podUid, containerID, graceMs) => void stopContainer(parts, podUid, containerID, graceMs),
    removeSandbox: (podUid) => remove(parts, podUid, false),
    removePod: (podUid) => remove(parts, podUid, true),
    recover: (config) => recover(parts, config),
    // Readiness comes from probes; this is for containers without any.
    readyAtMs: (_config, _container, startedAtMs) => startedAtMs,
    onExit(listener) {
      exitListener = listener
    },
    async stop() {
      if (stopped) return
      stopped = true
      // A supervisor of an earlier life may be there although this one has not spoken to it yet.
      if (options.onStop === 'end' && (link.isConnected || existsSync(join(directory, socketName)))) await endAll(parts)
      link.close()
    },
    real: realContainers(parts),
  }
}

async function runSandbox(parts: Parts, config: SandboxConfig): Promise<readonly string[]> {
  const { directory, pods } = parts
  if (!isSafeName(config.podUid)) throw new RuntimeFailure('FailedCreatePodSandBox', 'invalid pod uid')
  // The state directory first: it marks the pod as one that has something to remove.
  mkdirSync(stateDirectory(directory, config.podUid), { recursive: true, mode: 0o700 })
  mkdirSync(workDirectory(directory, config.podUid), { recursive: true, mode: 0o711 })
  const volumes = config.volumes ?? []
  writeVolumes(parts, config.podUid, volumes)
  pods.set(config.podUid, { config, volumes })
  return config.nodeIPs
}

function writeVolumes({ directory, clock, ids }: Parts, podUid: string, volumes: readonly PodVolume[]): void {
  for (const volume of volumes) {
    try {
      writeVolume(directory, podUid, volume, `${clock.nowMs()}.${ids.integer(1_000_000)}`)
    } catch (error) {
      throw new RuntimeFailure('FailedMount', `MountVolume.SetUp failed for volume "${volume.name}" : ${messageOf(error)}`)
    }
  }
}

async function startContainer(parts: Parts, podUid: string, config: ContainerConfig): Promise<StartedContainer> {
  try {
    return await start(parts, podUid, config)
  } catch (error) {
    if (isRuntimeFailure(error)) throw error
    throw new RuntimeFailure('CreateContainerError', messageOf(error))
  }
}

async function start(parts: Parts, podUid: string, config: ContainerConfig): Promise<StartedContainer> {
  const { pods, link } = parts
  const pod = pods.get(podUid)
  for (let tries = 1; ; tries++) {
    await link.ready()
    // The pod may be over by now; what is started then would be left behind.
    if (pod === undefined || pods.get(podUid) !== pod) {
      throw new RuntimeFailure('CreateContainerError', `sandbox of pod ${podUid} not found`)
    }
    // Already started: its root must not be recreated underneath it.
    const known = link.records.get(containerIdOf(podUid, config.name, config.attempt))
    if (known !== undefined) return started(known)
    try {
      const record = await link.order('start', startOrder(parts, pod, config))
      // It may have ended by now: an exit that arrived with the answer is part of it.
      return started(link.records.get(record.containerID) ?? record)
    } catch (error) {
      // Starts are idempotent: repeating one does not start a second process.
      if (!isLineBroken(error) || tries === startTriesMax) throw error
    }
  }
}

function started(record: ContainerRecord): StartedContainer {
  const ended = exitOf(record)
  return {
    containerID: record.containerID,
    imageID: '',
    startedAtMs: record.startedAtMs,
    ...(ended === undefined ? {} : { ended }),
  }
}

function startOrder({ directory }: Parts, { config: sandbox, volumes }: Pod, config: ContainerConfig): StartOrder {
  const { podUid } = sandbox
  const { process: wanted } = config
  if (wanted === undefined || !isSafeName(config.name)) {
    throw new RuntimeFailure('CreateContainerError', 'container has no process')
  }
  const root = makeRoot({
    node: directory,
    podUid,
    container: config.name,
    mounts: wanted.mounts,
    swapped: new Set(volumes.filter(({ kind }) => kind === 'files').map(({ name }) => name)),
    workingDir: wanted.workingDir,
    terminationMessagePath: wanted.terminationMessagePath,
    ...(wanted.user === undefined ? {} : { owner: wanted.user }),
  })
  return {
    podUid,
    name: config.name,
    attempt: config.attempt,
    command: wanted.command,
    env: wanted.env,
    directory: root.workingDirectory,
    ...(wanted.user === undefined ? {} : { user: wanted.user }),
    ...(wanted.group === undefined ? {} : { group: wanted.group }),
    logDirectory: containerLogDirectory(directory, { ...sandbox, uid: podUid }, config.name),
    terminationMessageFile: root.terminationMessageFile,
    outputAsMessage: wanted.outputAsMessage,
    ...(wanted.stdin ? { stdin: true } : {}),
    ...(wanted.stdinOnce ? { stdinOnce: true } : {}),
  }
}

async function stopContainer(parts: Parts, podUid: string, containerID: string, graceMs: number): Promise<void> {
  const { pods, link, clock, log } = parts
  while (!parts.isStopped() && pods.has(podUid) && link.records.get(containerID)?.ended === undefined) {
    try {
      await link.order('stop', { containerID, graceMs })
      return
    } catch (err) {
      // A new supervisor has ended everything itself, and reports that.
      log.warn({ err, containerID }, 'failed to stop container, retrying')
      await clock.sleep(removeRetryMs)
    }
  }
}

function remove(parts: Parts, podUid: string, all: boolean): void {
  const { pods, link, directory, removals } = parts
  pods.delete(podUid)
  if (!isSafeName(podUid) || !podsOnDisk(directory).has(podUid)) return
  if (all) link.forget(podUid)
  const removal = removeFromDisk(parts, podUid, all).finally(() => removals.delete(removal))
  removals.add(removal)
}

/** Retried until it is done: the directory may hold secrets. */
async function removeFromDisk({ link, clock, log, isStopped }: Parts, podUid: string, all: boolean): Promise<void> {
  for (let tries = 1; !isStopped(); tries++) {
    try {
      await link.order('remove', { podUid, all })
      return
    } catch (err) {
      if (isStopped()) return
      log.warn({ err, podUid }, 'failed to remove pod directory, retrying')
      if (tries === removeTriesMax) return
      await clock.sleep(removeRetryMs)
    }
  }
}

async function recover(parts: Parts, config: SandboxConfig): Promise<readonly RecoveredContainer[]> {
  const { directory, pods, link } = parts
  const { podUid } = config
  if (!isSafeName(podUid) || !podsOnDisk(directory).has(podUid)) return []
  await link.ready()
  pods.set(podUid, { config, volumes: config.volumes ?? [] })
  const latest = new Map<string, ContainerRecord>()
  for (const record of link.records.values()) {
    if (record.podUid !== podUid) continue
    const other = latest.get(record.name)
    if (other === undefined || other.attempt < record.attempt) latest.set(record.name, record)
  }
  return [...latest.values()].map((record) =>
    recovered(record, link.records.get(containerIdOf(podUid, record.name, record.attempt - 1))),
  )
}

function recovered(record: ContainerRecord, before: ContainerRecord | undefined): RecoveredContainer {
  const previous = before && exitOf(before)
  const ended = exitOf(record)
  return {
    name: record.name,
    attempt: record.attempt,
    containerID: record.containerID,
    startedAtMs: record.startedAtMs,
    ...(ended ? { ended } : {}),
    ...(before && previous ? { previous: { ...previous, startedAtMs: before.startedAtMs } } : {}),
  }
}

/** Ends all processes, within the time that an agent has for its stop. */
async function endAll({ link, clock, log }: Parts): Promise<void> {
  const limit = new AbortController()
  const late = clock.sleep(stopTimeoutMs, limit.signal).then(() => {
    throw new Error(`not done within ${stopTimeoutMs} ms`)
  })
  await Promise.race([link.order('end', { graceMs: stopGraceMs }, stopTimeoutMs), late]).catch((err: unknown) => {
    log.warn({ err }, 'pod processes may still be running')
  })
  late.catch(() => undefined)
  limit.abort()
}

const realContainers = (parts: Parts): RealContainers => {
  const { directory, pods, link, clock } = parts
  const meter = createUsageMeter({ nowMs: () => clock.nowMs() })
  return {
    uid: process.getuid?.() ?? 0,
    environment: (podUid, container) => {
      const root = rootDirectory(directory, podUid, container)
      const { PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } = process.env
      return { PATH, HOME: root, SHIPLOG_ROOT: root }
    },
    async updateVolumes(podUid, volumes) {
      const pod = pods.get(podUid)
      if (pod === undefined) return
      pod.volumes = volumes
      // Host paths and empty directories stay as they are.
      const files = volumes.filter(({ kind }) => kind === 'files')
      writeVolumes(parts, podUid, files)
    },
    async exec(_podUid, containerID, command, timeoutMs) {
      try {
        return await link.order('exec', { containerID, command, timeoutMs }, timeoutMs + execMarginMs)
      } catch (error) {
        throw new RuntimeFailure('ExecFailed', messageOf(error))
      }
    },
    async measure() {
      const running = [...link.records.values()].filter(({ ended }) => ended === undefined)
      return meter.measure(new Map(running.map(({ containerID, podUid }) => [containerID, podUid])))
    },
    keepOnly(podUids) {
      for (const podUid of podsOnDisk(directory)) if (!podUids.has(podUid)) remove(parts, podUid, true)
    },
    streams: createProcessStreams({
      clock: parts.clock,
      placeOf: (containerID) => link.order('place', { containerID }),
      attach: (target, options) => attachToProcess(directory, target, options),
    }),
    logDirectory: (pod, container) => containerLogDirectory(directory, pod, container),
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
