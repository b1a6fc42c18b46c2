// Ends containers and pods in a runtime. What stays behind holds addresses, mounts and secrets, so it is tried until it is
// done, each time after a longer wait: a runtime in trouble is not helped by being asked every second for every pod.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { isSafeName, logDirectoriesOf } from '../pod-directories.ts'
import { type CriClient, criMessage, isNotFound } from './cri-client.ts'
import type { ExitWatch } from './cri-exits.ts'
import { podUidLabel } from './cri-labels.ts'
import { type NodeMounts, podsDirectory, removeVolumes } from './cri-volumes.ts'

const firstRetryMs = 1_000
/** As long as the kubelet waits before it looks at a pod again that it failed to end. */
const retryMsMax = 10_000

export interface RemovalParts {
  readonly client: Pick<CriClient, 'listPodSandboxes' | 'stopPodSandbox' | 'removePodSandbox' | 'stopContainer'>
  readonly node: NodeMounts
  readonly clock: Pick<Clock, 'sleep'>
  readonly log: Pick<Logger, 'warn'>
  readonly exits: Pick<ExitWatch, 'forget'>
  readonly isStopped: () => boolean
  /** What runs of a pod could not be ended: why, in the runtime's words. */
  readonly onFault: (podUid: string, message: string) => void
}

/** Until `act` succeeds or the agent stops. */
async function untilDone(
  { clock, isStopped }: Pick<RemovalParts, 'clock' | 'isStopped'>,
  act: () => Promise<void>,
  tell: (error: unknown, retryMs: number) => void,
): Promise<void> {
  for (let retryMs = firstRetryMs; !isStopped(); retryMs = Math.min(retryMs * 2, retryMsMax)) {
    try {
      await act()
      return
    } catch (error) {
      if (isStopped()) return
      tell(error, retryMs)
      await clock.sleep(retryMs)
    }
  }
}

/** The container gets its grace from the runtime. One that is not there has ended. */
export function stopContainer(parts: RemovalParts, podUid: string, id: string, graceMs: number): Promise<void> {
  const { client, log, onFault } = parts
  return untilDone(
    parts,
    async () => {
      try {
        await client.stopContainer(id, Math.ceil(graceMs / 1_000))
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    },
    (err, retryMs) => {
      log.warn({ err, podUid, containerID: id, retryMs }, 'failed to stop container, retrying')
      onFault(podUid, criMessage(err))
    },
  )
}

/** Ends what runs of the pod and removes its volumes; with `all` also what the runtime and the node remember of it. */
export function removePod(parts: RemovalParts, podUid: string, all: boolean): Promise<void> {
  const { client, node, exits, log, onFault } = parts
  exits.forget(podUid)
  return untilDone(
    parts,
    async () => {
      for (const { id, state } of await client.listPodSandboxes({ [podUidLabel]: podUid })) {
        if (state === 'SANDBOX_READY') await client.stopPodSandbox(id)
        if (all) await client.removePodSandbox(id)
      }
      await removeVolumes(node, podUid)
      if (all) for (const dir of logDirectoriesOf(node.directory, podUid)) rmSync(dir, { recursive: true, force: true })
    },
    (err, retryMs) => {
      log.warn({ err, podUid, retryMs }, 'failed to remove pod, retrying')
      onFault(podUid, criMessage(err))
    },
  )
}

/** Hands on all pods that the runtime or the disk knows besides these. */
export function removeOthers(parts: RemovalParts, kept: ReadonlySet<string>, remove: (podUid: string) => void): Promise<void> {
  const { client, node, log } = parts
  return untilDone(
    parts,
    async () => {
      const inRuntime = (await client.listPodSandboxes()).map(({ labels }) => labels[podUidLabel] ?? '')
      for (const podUid of new Set([...inRuntime, ...onDisk(node.directory)])) {
        if (isSafeName(podUid) && !kept.has(podUid)) remove(podUid)
      }
    },
    (err, retryMs) => log.warn({ err, retryMs }, 'failed to list pods of the runtime, retrying'),
  )
}

function onDisk(directory: string): string[] {
  const logs = join(directory, 'pods')
  const logged = existsSync(logs) ? readdirSync(logs) : []
  return [...readdirSync(podsDirectory(directory)), ...logged.map((name) => name.slice(name.lastIndexOf('_') + 1))]
}
