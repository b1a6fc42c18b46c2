// What pods hold on the disk of their node: volumes and output. Looked at one pod after the other, and no longer than a small
// part of the time: a pod of a million files is looked at less often.
import { volumeSource, fromHere, type NodeMounts } from '@shiplog/node/cri/cri-volumes'
import { podLogDirectory } from '@shiplog/node/pod-directories'
import { directoryUse, type DirectoryUse, type FileSystemStats, fileSystemStats } from '@shiplog/node/stats/machine-stats'
import type { Volume } from '@shiplog/api/generated/types/core-v1'
import type { Clock } from '@shiplog/runtime/clock'
import { volumesIn } from '../pod-facts.ts'
import type { HostedPod } from '../pod-host.ts'

export interface VolumeUse extends DirectoryUse {
  readonly name: string
  /** Counts as storage of the node, and not as memory or somebody else's. */
  readonly isLocal: boolean
  readonly fileSystem: FileSystemStats
}

export interface PodDiskUse {
  readonly atMs: number
  readonly volumes: readonly VolumeUse[]
  readonly logs: DirectoryUse
}

export interface VolumeMeter extends Disposable {
  /** As it was seen last; undefined: not seen yet. */
  of(podUid: string): PodDiskUse | undefined
  /** Looks at all pods whose time has come, if nobody is at it. */
  look(): Promise<void>
}

export interface VolumeMeterDeps {
  readonly mounts: NodeMounts
  readonly clock: Pick<Clock, 'nowMs'>
  readonly pods: () => Iterable<HostedPod>
}

/** A pod that took so long to look at rests so many times as long. */
const restFactor = 20

export function createVolumeMeter({ mounts, clock, pods }: VolumeMeterDeps): VolumeMeter {
  const known = new Map<string, PodDiskUse & { readonly nextMs: number }>()
  let isLooking = false
  let ended = false
  return {
    of: (podUid) => known.get(podUid),
    async look() {
      if (isLooking || ended) return
      isLooking = true
      try {
        const present = [...pods()].filter(({ work }) => !work.finished)
        const uids = new Set(present.map(({ uid }) => uid))
        for (const uid of known.keys()) if (!uids.has(uid)) known.delete(uid)
        for (const pod of present) {
          if (ended) return
          const begunMs = clock.nowMs()
          if ((known.get(pod.uid)?.nextMs ?? 0) > begunMs) continue
          const use = await diskUse(mounts, pod)
          const atMs = clock.nowMs()
          known.set(pod.uid, { ...use, atMs, nextMs: atMs + (atMs - begunMs) * restFactor })
        }
      } finally {
        isLooking = false
      }
    },
    [Symbol.dispose]() {
      ended = true
    },
  }
}

async function diskUse(mounts: NodeMounts, { pod, uid }: HostedPod): Promise<Omit<PodDiskUse, 'atMs'>> {
  const volumes: VolumeUse[] = []
  for (const volume of volumesIn(pod)) {
    const use = await volumeUse(mounts, uid, volume)
    if (use !== undefined) volumes.push(use)
  }
  const { namespace = '', name } = pod.metadata
  return { volumes, logs: await directoryUse(podLogDirectory(mounts.directory, { namespace, name, uid })) }
}

/** Of volumes that are the node's: others tell nothing. */
async function volumeUse(mounts: NodeMounts, podUid: string, { name, ...source }: Volume): Promise<VolumeUse | undefined> {
  const { emptyDir, configMap, secret, projected, downwardAPI } = source
  if (!(emptyDir ?? configMap ?? secret ?? projected ?? downwardAPI)) return undefined
  const path = volumeSource(mounts.directory, podUid, { kind: 'empty', name })
  if (path === undefined) return undefined
  const inMemory = emptyDir?.medium === 'Memory'
  const place = inMemory ? fromHere(mounts, path) : path
  try {
    const fileSystem = fileSystemStats(place)
    // A file system of its own says itself what it holds.
    const use = inMemory ? { usedBytes: fileSystem.usedBytes, inodesUsed: fileSystem.inodesUsed } : await directoryUse(place)
    return { name, isLocal: !inMemory, fileSystem, ...use }
  } catch {
    return undefined
  }
}
