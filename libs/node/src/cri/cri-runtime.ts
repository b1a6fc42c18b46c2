// Runs pods in a container runtime, over CRI. It knows identities: which sandbox is a pod's, which container is which start
// of which container of the API. Everything is found again in the runtime itself by its labels, so nothing is started twice,
// whoever was killed in between. Ends are told by the runtime's events, with a look at all containers as the safety net.
import { existsSync, mkdirSync } from 'node:fs'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import {
  type ContainerExit,
  type ExecResult,
  type PodIdentity,
  type PodVolume,
  type RecoveredContainer,
  RuntimeFailure,
  type StartedContainer,
} from '../container-runtime.ts'
import { containerLogDirectory, isSafeName } from '../pod-directories.ts'
import { type CriClient, criMessage, isCriFault } from './cri-client.ts'
import { createExitWatch, type ExitWatch } from './cri-exits.ts'
import { containerNameLabel, podUidLabel } from './cri-labels.ts'
import { startLogRotation } from './cri-log-rotation.ts'
import { removeOthers, removePod, stopContainer } from './cri-removal.ts'
import type { ContainerConfigMessage, ContainerStatusMessage, ListedContainer, SandboxConfigMessage } from './cri-messages.ts'
import { terminationMessageOf } from './termination-message.ts'
import { type NodeMounts, podDirectory, podsDirectory, prepareVolumes } from './cri-volumes.ts'

export interface CriRuntimeDeps {
  readonly client: CriClient
  readonly node: NodeMounts
  /** `containerd`: before the ids of containers. */
  readonly runtimeName: string
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** What runs of a pod could not be ended, and is tried again: why, in the runtime's words. */
  readonly onFault: (podUid: string, message: string) => void
}

export interface CriRuntime {
  /** Gives the pod's addresses; none with the node's network. */
  runSandbox(
    podUid: string,
    volumes: readonly PodVolume[],
    config: (attempt: number) => SandboxConfigMessage,
    handler: string,
  ): Promise<readonly string[]>
  /** The pod's sandbox, for who makes the configuration of a container. */
  sandboxOf(podUid: string): Promise<{ readonly id: string; readonly attempt: number }>
  startContainer(
    podUid: string,
    config: ContainerConfigMessage,
    sandbox: (attempt: number) => SandboxConfigMessage,
  ): Promise<StartedContainer>
  /** The start that was ordered before, if it was. */
  findContainer(podUid: string, name: string, attempt: number): Promise<StartedContainer | undefined>
  stopContainer(podUid: string, containerID: string, graceMs: number): void
  removeSandbox(podUid: string): void
  removePod(podUid: string): void
  recover(podUid: string): Promise<{ readonly containers: readonly RecoveredContainer[]; readonly needsSandbox: boolean }>
  updateVolumes(podUid: string, volumes: readonly PodVolume[]): Promise<void>
  exec(containerID: string, command: readonly string[], timeoutMs: number): Promise<ExecResult>
  keepOnly(podUids: ReadonlySet<string>): void
  onExit(listener: (exit: ContainerExit) => void): void
  logDirectory(pod: PodIdentity, container: string): string
  /** Of the containers that run now, as far as this life knows. */
  running(): Iterable<string>
  /** Ends the watching; what runs goes on. */
  stop(): Promise<void>
}

const execOutputBytesMax = 10 * 1_024
/** gRPC's code of a command that took too long. */
const deadlineExceeded = 4

interface Parts extends CriRuntimeDeps {
  readonly exits: ExitWatch
  /** Operations on one pod, one after the other. */
  readonly turns: Map<string, Promise<unknown>>
  readonly isStopped: () => boolean
}

/** The id without the runtime's name before it. */
export const bareId = (containerID: string): string => containerID.slice(containerID.indexOf('://') + 3)

export function createCriRuntime(deps: CriRuntimeDeps): CriRuntime {
  let stopped = false
  let tellExit: (exit: ContainerExit) => void = () => undefined
  mkdirSync(podsDirectory(deps.node.directory), { recursive: true, mode: 0o755 })
  const exits = createExitWatch({
    ...deps,
    onEnded: (status) => tellExit(exitOf(deps, status)),
    onLost: (id, podUid) =>
      tellExit({
        podUid,
        containerID: `${deps.runtimeName}://${id}`,
        exitCode: 137,
        reason: 'ContainerStatusUnknown',
        message: 'The container could not be located when the pod was terminated',
        finishedAtMs: deps.clock.nowMs(),
      }),
  })
  const rotation = startLogRotation({ ...deps, directory: deps.node.directory })
  const parts: Parts = { ...deps, exits, turns: new Map(), isStopped: () => stopped }
  return {
    runSandbox: (podUid, ...rest) => inTurn(parts, podUid, () => runSandbox(parts, podUid, ...rest)),
    sandboxOf: (podUid) => sandboxOf(parts, podUid),
    startContainer: (podUid, config, sandbox) => startContainer(parts, podUid, config, sandbox),
    findContainer: (podUid, name, attempt) => findStarted(parts, podUid, name, attempt),
    stopContainer: (podUid, containerID, graceMs) => void stopContainer(parts, podUid, bareId(containerID), graceMs),
    removeSandbox: (podUid) => void removeLater(parts, podUid, false),
    removePod: (podUid) => void removeLater(parts, podUid, true),
    recover: (podUid) => recover(parts, podUid),
    updateVolumes: async (podUid, volumes) => {
      if (!existsSync(podDirectory(deps.node.directory, podUid))) return
      const files = volumes.filter(({ kind }) => kind === 'files')
      await prepareVolumes(deps.node, podUid, files, stampOf(parts))
    },
    exec: (containerID, command, timeoutMs) => exec(deps.client, bareId(containerID), command, timeoutMs),
    keepOnly: (podUids) => void removeOthers(parts, podUids, (podUid) => void removeLater(parts, podUid, true)),
    onExit(listener) {
      tellExit = listener
    },
    logDirectory: (pod, container) => containerLogDirectory(deps.node.directory, pod, container),
    running: () => exits.running(),
    async stop() {
      stopped = true
      rotation[Symbol.dispose]()
      exits.stop()
    },
  }
}

const stampOf =
  ({ clock, ids }: Pick<Parts, 'clock' | 'ids'>) =>
  (): string =>
    `${clock.nowMs()}.${ids.integer(1_000_000)}`

function inTurn<Value>({ turns }: Parts, podUid: string, act: () => Promise<Value>): Promise<Value> {
  const result = (turns.get(podUid) ?? Promise.resolve()).then(act)
  const settled = result.catch(() => undefined)
  turns.set(podUid, settled)
  void settled.then(() => {
    if (turns.get(podUid) === settled) turns.delete(podUid)
  })
  return result
}

async function runSandbox(
  parts: Parts,
  podUid: string,
  volumes: readonly PodVolume[],
  config: (attempt: number) => SandboxConfigMessage,
  handler: string,
): Promise<readonly string[]> {
  const { client, node } = parts
  if (!isSafeName(podUid)) throw new RuntimeFailure('FailedCreatePodSandBox', 'invalid pod uid')
  mkdirSync(podDirectory(node.directory, podUid), { recursive: true, mode: 0o755 })
  await prepareVolumes(node, podUid, volumes, stampOf(parts))
  const found = [...(await client.listPodSandboxes({ [podUidLabel]: podUid }))].sort(newestFirst)
  const ready = found.find(({ state }) => state === 'SANDBOX_READY')
  for (const old of found) if (old !== ready) await client.removePodSandbox(old.id)
  const attempt = found[0] === undefined ? 0 : found[0].metadata.attempt + 1
  const wanted = config(attempt)
  mkdirSync(wanted.logDirectory, { recursive: true, mode: 0o700 })
  try {
    return addressesOf(parts, ready?.id ?? (await client.runPodSandbox(wanted, handler)))
  } catch (error) {
    throw new RuntimeFailure('FailedCreatePodSandBox', criMessage(error))
  }
}

const newestFirst = (a: { readonly metadata: { readonly attempt: number } }, b: typeof a): number =>
  b.metadata.attempt - a.metadata.attempt

async function addressesOf({ client }: Parts, sandboxId: string): Promise<readonly string[]> {
  const { network } = await client.podSandboxStatus(sandboxId)
  return network?.ip ? [network.ip, ...network.additionalIps.map(({ ip }) => ip)] : []
}

async function sandboxOf({ client }: Parts, podUid: string): Promise<{ readonly id: string; readonly attempt: number }> {
  const all = [...(await client.listPodSandboxes({ [podUidLabel]: podUid }))].sort(newestFirst)
  const ready = all.find(({ state }) => state === 'SANDBOX_READY')
  if (ready === undefined) throw new RuntimeFailure('CreateContainerError', `sandbox of pod ${podUid} not found`)
  return { id: ready.id, attempt: ready.metadata.attempt }
}

const containersOf = ({ client }: Parts, podUid: string): Promise<readonly ListedContainer[]> =>
  client.listContainers({ [podUidLabel]: podUid })

async function find(parts: Parts, podUid: string, name: string, attempt: number): Promise<ListedContainer | undefined> {
  const all = await parts.client.listContainers({ [podUidLabel]: podUid, [containerNameLabel]: name })
  return all.find(({ metadata }) => metadata.attempt === attempt)
}

/** A start that got as far as the program; undefined when it has to be done, or finished. */
async function findStarted(
  parts: Parts,
  podUid: string,
  name: string,
  attempt: number,
): Promise<StartedContainer | undefined> {
  const known = await find(parts, podUid, name, attempt)
  return known === undefined || known.state === 'CONTAINER_CREATED' ? undefined : await started(parts, known.id)
}

async function startContainer(
  parts: Parts,
  podUid: string,
  config: ContainerConfigMessage,
  sandboxConfig: (attempt: number) => SandboxConfigMessage,
): Promise<StartedContainer> {
  const { client } = parts
  const { name, attempt } = config.metadata
  const sandbox = await sandboxOf(parts, podUid)
  // One that was made and never begun was made for another look of the pod: it is made anew.
  const halfDone = await find(parts, podUid, name, attempt)
  if (halfDone !== undefined) await client.removeContainer(halfDone.id)
  await removeOld(parts, podUid, name, attempt)
  let id: string
  try {
    id = await client.createContainer(sandbox.id, config, sandboxConfig(sandbox.attempt))
  } catch (error) {
    throw new RuntimeFailure('CreateContainerError', criMessage(error))
  }
  try {
    await client.startContainer(id)
  } catch (error) {
    const status = await client.containerStatus(id).catch(() => undefined)
    if (status?.state !== 'CONTAINER_EXITED') throw new RuntimeFailure('RunContainerError', criMessage(error))
  }
  return await started(parts, id)
}

/** What ran before the last attempt is forgotten, as its output is. */
async function removeOld(parts: Parts, podUid: string, name: string, attempt: number): Promise<void> {
  const all = await parts.client.listContainers({ [podUidLabel]: podUid, [containerNameLabel]: name })
  for (const { id, metadata, state } of all) {
    if (metadata.attempt < attempt - 1 && state === 'CONTAINER_EXITED') await parts.client.removeContainer(id)
  }
}

/** Its end, if it still runs, is told when whoever asked has had the answer. */
async function started(parts: Parts, id: string): Promise<StartedContainer> {
  const { client, runtimeName, exits, clock } = parts
  const status = await client.containerStatus(id)
  const ended = status.state === 'CONTAINER_EXITED' ? exitOf(parts, status) : undefined
  if (ended === undefined) clock.after(0, () => exits.watch(id, status.labels[podUidLabel] ?? ''))
  return {
    containerID: `${runtimeName}://${id}`,
    imageID: status.imageRef,
    startedAtMs: milliseconds(status.startedAt) ?? clock.nowMs(),
    ...(ended === undefined ? {} : { ended }),
  }
}

/** From nanoseconds; undefined for what has not been yet. */
const milliseconds = (nanoseconds: string): number | undefined => {
  const value = Number(BigInt(nanoseconds || '0') / 1_000_000n)
  return value > 0 ? value : undefined
}

function exitOf({ runtimeName, node, clock }: Pick<Parts, 'runtimeName' | 'node' | 'clock'>, status: ContainerStatusMessage): ContainerExit {
  const { exitCode, labels, id } = status
  const message = terminationMessageOf(node, status)
  return {
    podUid: labels[podUidLabel] ?? '',
    containerID: `${runtimeName}://${id}`,
    exitCode,
    reason: status.reason || (exitCode === 0 ? 'Completed' : 'Error'),
    ...(message === '' ? {} : { message }),
    finishedAtMs: milliseconds(status.finishedAt) ?? clock.nowMs(),
  }
}

function removeLater(parts: Parts, podUid: string, all: boolean): Promise<void> {
  if (!isSafeName(podUid)) return Promise.resolve()
  return inTurn(parts, podUid, () => removePod(parts, podUid, all))
}

async function recover(
  parts: Parts,
  podUid: string,
): Promise<{ readonly containers: readonly RecoveredContainer[]; readonly needsSandbox: boolean }> {
  const { client } = parts
  const sandboxes = await client.listPodSandboxes({ [podUidLabel]: podUid })
  const needsSandbox = !sandboxes.some(({ state }) => state === 'SANDBOX_READY')
  const latest = new Map<string, ListedContainer>()
  const all = (await containersOf(parts, podUid)).filter(({ state }) => state !== 'CONTAINER_CREATED')
  for (const container of all) {
    const other = latest.get(container.metadata.name)
    if (other === undefined || other.metadata.attempt < container.metadata.attempt) latest.set(container.metadata.name, container)
  }
  const containers = await Promise.all(
    [...latest.values()].map(async (container) => {
      const { name, attempt } = container.metadata
      const before = all.find(({ metadata }) => metadata.name === name && metadata.attempt === attempt - 1)
      return await recovered(parts, container, before)
    }),
  )
  return { containers, needsSandbox }
}

async function recovered(parts: Parts, container: ListedContainer, before: ListedContainer | undefined): Promise<RecoveredContainer> {
  const { containerID, startedAtMs, ended } = await started(parts, container.id)
  const earlier = before && (await started(parts, before.id))
  return {
    ...{ name: container.metadata.name, attempt: container.metadata.attempt, containerID, startedAtMs },
    ...(ended ? { ended } : {}),
    ...(earlier?.ended ? { previous: { ...earlier.ended, startedAtMs: earlier.startedAtMs } } : {}),
  }
}

async function exec(client: CriClient, id: string, command: readonly string[], timeoutMs: number): Promise<ExecResult> {
  try {
    const { stdout, stderr, exitCode } = await client.execSync(id, command, timeoutMs)
    const output = Buffer.concat([stdout, stderr]).subarray(0, execOutputBytesMax).toString('utf8')
    return { exitCode, output, timedOut: false }
  } catch (error) {
    if (isCriFault(error) && (error.code === deadlineExceeded || error.details.includes('timeout'))) {
      return { exitCode: -1, output: '', timedOut: true }
    }
    throw new RuntimeFailure('ExecFailed', criMessage(error))
  }
}
