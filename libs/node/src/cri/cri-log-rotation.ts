// Keeps the output of containers within bounds: a file that has grown too large is renamed and the runtime begins another, as
// a kubelet does it. Files are named as those of process nodes, so one reader reads both.
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { currentLogPath, logFileBytesMax, logFilesMax, rotatedLogPath, rotationsOf } from '../container-log-files.ts'
import { containerLogDirectory } from '../pod-directories.ts'
import type { CriClient } from './cri-client.ts'
import { containerNameLabel, podNameLabel, podNamespaceLabel, podUidLabel } from './cri-labels.ts'
import type { ListedContainer } from './cri-messages.ts'

const lookMs = 10_000

export interface LogRotationDeps {
  readonly client: Pick<CriClient, 'listContainers' | 'reopenContainerLog'>
  /** Of the node. */
  readonly directory: string
  readonly clock: Clock
  readonly log: Logger
  readonly fileBytesMax?: number
}

/** Looks now and then until disposed. */
export function startLogRotation(deps: LogRotationDeps): Disposable {
  let isRunning = false
  return deps.clock.every(lookMs, () => {
    if (isRunning) return
    isRunning = true
    void rotateLogs(deps)
      .catch((err: unknown) => deps.log.debug({ err }, 'logs of containers not rotated'))
      .finally(() => {
        isRunning = false
      })
  })
}

/** Rotates what is too large now. */
export async function rotateLogs(deps: LogRotationDeps): Promise<void> {
  const { client, directory, fileBytesMax = logFileBytesMax } = deps
  for (const container of await client.listContainers()) {
    if (container.state !== 'CONTAINER_RUNNING') continue
    const path = logPathOf(directory, container)
    if (!existsSync(path) || statSync(path).size <= fileBytesMax) continue
    rename(path, container.metadata.attempt)
    await client.reopenContainerLog(container.id)
  }
}

function logPathOf(directory: string, { labels, metadata }: ListedContainer): string {
  const pod = { namespace: labels[podNamespaceLabel] ?? '', name: labels[podNameLabel] ?? '', uid: labels[podUidLabel] ?? '' }
  return currentLogPath(containerLogDirectory(directory, pod, labels[containerNameLabel] ?? metadata.name), metadata.attempt)
}

/** The oldest are deleted; the new name is the sign that nothing more comes into this file soon. */
function rename(path: string, attempt: number): void {
  const folder = dirname(path)
  const rotations = rotationsOf(readdirSync(folder), attempt)
  const excess = Math.max(0, rotations.length - (logFilesMax - 2))
  for (const old of rotations.slice(0, excess)) rmSync(rotatedLogPath(folder, attempt, old), { force: true })
  renameSync(path, rotatedLogPath(folder, attempt, (rotations.at(-1) ?? 0) + 1))
}
