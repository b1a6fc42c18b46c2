// What a node of containers has left, from what it measures of itself.
import { containersOf } from '../../pod-work.ts'
import type { Observation, Observations } from '../../eviction/pressure.ts'
import type { PodUse } from '../../eviction/ranking.ts'
import type { Signal } from '../../eviction/thresholds.ts'
import type { HostedPod, NodeReserves } from '../pod-host.ts'
import type { ImageCollector } from './image-collector.ts'
import { type NodeSample, type NodeSampler, sampleOfContainer } from './node-sampler.ts'
import { ephemeralUse } from './stats-summary.ts'

/** What is older is measured anew. */
const ageMsMax = 1_000

export const nodeReserves = (
  parts: () => { readonly sampler: NodeSampler | undefined; readonly collector: ImageCollector | undefined },
): NodeReserves => ({
  async observe(pods) {
    const { sampler } = parts()
    if (sampler === undefined) throw new Error('the agent has not begun')
    const sample = await sampler.sample(ageMsMax)
    const uses = new Map([...pods].map((pod) => [pod.uid, useOf(sample, pod)]))
    return { observed: observationsOf(sample), of: (podUid) => uses.get(podUid) }
  },
  freeDisk: async () => void (await parts().collector?.removeUnused()),
})

function observationsOf({ atMs, machine, nodeFs, imageFs }: NodeSample): Observations {
  const of = (signal: Signal, available: number, capacity: number): [Signal, Observation] => [signal, { available, capacity, atMs }]
  return new Map([
    of('memory.available', machine.memory.availableBytes, machine.memory.capacityBytes),
    of('nodefs.available', nodeFs.availableBytes, nodeFs.capacityBytes),
    of('nodefs.inodesFree', nodeFs.inodesFree, nodeFs.inodes),
    of('imagefs.available', imageFs.availableBytes, imageFs.capacityBytes),
    of('imagefs.inodesFree', imageFs.inodesFree, imageFs.inodes),
    of('pid.available', machine.processesMax - machine.processes, machine.processesMax),
  ])
}

function useOf(sample: NodeSample, { uid, work }: HostedPod): PodUse | undefined {
  const pod = sample.pods.get(uid)
  if (pod === undefined) return undefined
  const { usedBytes, inodesUsed } = ephemeralUse(sample, uid, pod)
  const all = containersOf(work)
  return {
    memoryBytes: pod.memory.workingSetBytes,
    diskBytes: usedBytes,
    inodes: inodesUsed,
    processes: pod.processes,
    volumes: pod.disk?.volumes ?? [],
    containers: all.flatMap(({ name, containerID }) => {
      const one = sampleOfContainer(sample, containerID)
      if (one === undefined) return []
      // Output is counted for the pod; it is a container's own when there is no other.
      const logs = all.length === 1 ? pod.disk?.logs : undefined
      const diskBytes = (one.writableLayer?.usedBytes ?? 0) + (logs?.usedBytes ?? 0)
      return [{ name, memoryBytes: one.memory.workingSetBytes, diskBytes, inodes: (one.writableLayer?.inodesUsed ?? 0) + (logs?.inodesUsed ?? 0) }]
    }),
  }
}
