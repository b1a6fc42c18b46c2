// Removes images that nobody uses: when the disk that they are on is nearly full, the ones that were used longest ago first, and
// all of them when the node is short of disk. An image that has just come may be about to be used, so it stays a while.
import type { CriClient } from '@shiplog/node/cri/cri-client'
import type { FileSystemStats } from '@shiplog/node/stats/machine-stats'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { PullRecords } from './pull-records.ts'

export interface ImageCollectionPolicy {
  /** Used percent of the disk from which on images go; 100: never for that. */
  readonly highPercent: number
  /** And down to which. */
  readonly lowPercent: number
  readonly ageMsMin: number
  /** Unused for so long an image goes in any case; 0: it does not. */
  readonly unusedMsMax: number
}

/** A kubelet's. */
export const defaultImageCollection: ImageCollectionPolicy = { highPercent: 85, lowPercent: 80, ageMsMin: 120_000, unusedMsMax: 0 }

const periodMs = 300_000

export interface ImageCollector extends Disposable {
  /** Removes what nobody uses, whatever the disk is like. */
  removeUnused(): Promise<void>
  /** One round by the policy. */
  collect(): Promise<void>
}

export interface ImageCollectorDeps {
  readonly client: Pick<CriClient, 'listImages' | 'listContainers' | 'removeImage' | 'imageStatus'>
  readonly policy: ImageCollectionPolicy
  readonly fileSystem: () => FileSystemStats
  /** Names of images that pods mount as volumes. */
  readonly mounted: () => Iterable<string>
  readonly records: Pick<PullRecords, 'prune'>
  /** An Event object about the node. */
  readonly tell: (type: 'Normal' | 'Warning', reason: string, message: string) => void
  readonly clock: Clock
  readonly log: Logger
}

interface Known {
  readonly firstSeenMs: number
  lastUsedMs: number
}

interface Unused extends Known {
  readonly id: string
  readonly sizeBytes: number
}

interface State extends ImageCollectorDeps {
  readonly known: Map<string, Known>
  readonly beganMs: number
}

export function createImageCollector(deps: ImageCollectorDeps): ImageCollector {
  const { clock, log } = deps
  const state: State = { ...deps, known: new Map(), beganMs: clock.nowMs() }
  const collector: ImageCollector = {
    removeUnused: async () => void (await free(state, Number.POSITIVE_INFINITY, await unusedImages(state))),
    collect: () => collect(state),
    [Symbol.dispose]: () => timer[Symbol.dispose](),
  }
  const timer = clock.every(periodMs, () => {
    collect(state).catch((err: unknown) => log.warn({ err }, 'images not collected'))
  })
  return collector
}

async function collect(state: State): Promise<void> {
  const { policy, fileSystem, clock, tell } = state
  let unused = await unusedImages(state)
  if (policy.unusedMsMax > 0 && clock.nowMs() - state.beganMs > policy.unusedMsMax) {
    const old = unused.filter(({ lastUsedMs, firstSeenMs }) => clock.nowMs() - Math.max(lastUsedMs, firstSeenMs) > policy.unusedMsMax)
    await free(state, Number.POSITIVE_INFINITY, old)
    unused = unused.filter((image) => !old.includes(image))
  }
  const { capacityBytes, availableBytes } = fileSystem()
  const usedPercent = 100 - Math.floor((availableBytes * 100) / capacityBytes)
  if (policy.highPercent >= 100 || usedPercent < policy.highPercent) return
  const wanted = Math.floor((capacityBytes * (100 - policy.lowPercent)) / 100) - availableBytes
  const freed = await free(state, wanted, unused)
  if (freed >= wanted) return
  tell(
    'Warning',
    'FreeDiskSpaceFailed',
    `Insufficient free disk space on the node's image filesystem (${usedPercent}% of ${sizeText(capacityBytes)} used). ` +
      `Failed to free sufficient space by deleting unused images (freed ${freed} bytes). ` +
      'Investigate disk usage, as it could be used by active images, logs, volumes, or other data.',
  )
}

/** `251.9 GiB` */
function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  return `${(bytes / 1_024 ** power).toFixed(1)} ${units[power]}`
}

/** Those that no container and no volume has, the one that was used longest ago first. */
async function unusedImages({ client, known, mounted, clock }: State): Promise<Unused[]> {
  const seenMs = clock.nowMs()
  const [images, containers] = await Promise.all([client.listImages(), client.listContainers()])
  const used = new Set(containers.flatMap(({ imageRef, image }) => [imageRef, image?.image ?? '']))
  for (const name of mounted()) {
    const image = await client.imageStatus(name)
    if (image !== undefined) used.add(image.id)
  }
  const present = new Set(images.map(({ id }) => id))
  for (const id of known.keys()) if (!present.has(id)) known.delete(id)
  const unused: Unused[] = []
  for (const { id, repoTags, repoDigests, size, pinned } of images) {
    const one = known.get(id) ?? { firstSeenMs: seenMs, lastUsedMs: 0 }
    known.set(id, one)
    if ([id, ...repoTags, ...repoDigests].some((name) => used.has(name))) one.lastUsedMs = seenMs
    else if (pinned !== true) unused.push({ ...one, id, sizeBytes: Number(size) })
  }
  return unused.sort((a, b) => a.lastUsedMs - b.lastUsedMs || a.firstSeenMs - b.firstSeenMs)
}

/** Gives the bytes that were freed. */
async function free({ client, policy, known, records, clock, log }: State, wantedBytes: number, unused: readonly Unused[]): Promise<number> {
  const nowMs = clock.nowMs()
  let freed = 0
  for (const { id, sizeBytes, firstSeenMs } of unused) {
    if (freed >= wantedBytes) break
    if (nowMs - firstSeenMs < policy.ageMsMin) continue
    try {
      await client.removeImage(id)
    } catch (err) {
      log.warn({ err, imageID: id }, 'image not removed')
      continue
    }
    log.info({ imageID: id, sizeBytes }, 'unused image removed')
    known.delete(id)
    freed += sizeBytes
  }
  if (freed > 0) records.prune(new Set(known.keys()), nowMs)
  return freed
}
