// What a node measured in the kubelet's words: `/stats/summary`. Pure.
import type { MemoryStats } from '@shiplog/node/stats/cgroup-stats'
import type { FileSystemStats, InterfaceStats } from '@shiplog/node/stats/machine-stats'
import { rfc3339 } from '@shiplog/runtime/clock'
import { containersOf } from '../../pod-work.ts'
import type { HostedPod } from '../pod-host.ts'
import { type ContainerSample, type Measured, type NodeSample, type PodSample, sampleOfContainer } from './node-sampler.ts'

type Fields = Readonly<Record<string, unknown>>

export interface Summary {
  readonly node: Fields
  readonly pods: readonly Fields[]
}

export function statsSummary(nodeName: string, sample: NodeSample, pods: readonly HostedPod[]): Summary {
  const { machine, allPods, network, nodeFs, imageFs, atMs } = sample
  const { imagesBytes } = imageFs
  const time = rfc3339(atMs)
  const containerBytes = [...sample.containers.values()].reduce((sum, { writableLayer }) => sum + (writableLayer?.usedBytes ?? 0), 0)
  return {
    node: {
      nodeName,
      ...(allPods
        ? { systemContainers: [{ name: 'pods', startTime: rfc3339(machine.startedAtMs), cpu: cpu(allPods), memory: memory(allPods, allPods.memory) }] }
        : {}),
      startTime: rfc3339(machine.startedAtMs),
      cpu: cpu(machine),
      memory: memory(machine, machine.memory, machine.memory.availableBytes),
      ...(network ? { network: networkOf(time, network) } : {}),
      fs: fileSystem(time, nodeFs),
      runtime: {
        imageFs: { ...fileSystem(time, imageFs), usedBytes: imagesBytes },
        containerFs: { ...fileSystem(time, imageFs), usedBytes: containerBytes },
      },
      rlimit: { time, maxpid: machine.processesMax, curproc: machine.processes },
      swap: { time, swapAvailableBytes: 0, swapUsageBytes: 0 },
    },
    pods: pods.flatMap((pod) => podStats(sample, pod)),
  }
}

function podStats(sample: NodeSample, { uid, pod, work }: HostedPod): Fields[] {
  const found = sample.pods.get(uid)
  if (found === undefined) return []
  const containers = containersOf(work).flatMap((container): Fields[] => {
    const measured = container.state.at === 'running' ? sampleOfContainer(sample, container.containerID) : undefined
    if (measured === undefined || container.state.at !== 'running') return []
    return [{ name: container.name, startTime: rfc3339(container.state.startedAtMs), ...containerStats(sample, measured, containersOf(work).length === 1 ? found : undefined) }]
  })
  const time = rfc3339(found.atMs)
  return [
    {
      podRef: { name: pod.metadata.name, namespace: pod.metadata.namespace, uid },
      startTime: rfc3339(work.startTimeMs),
      containers,
      cpu: cpu(found),
      memory: memory(found, found.memory),
      ...(found.network ? { network: networkOf(time, found.network) } : {}),
      ...(found.disk ? { volume: found.disk.volumes.map(({ name, fileSystem: on, usedBytes, inodesUsed }) => ({ ...fileSystem(time, on), usedBytes, inodesUsed, name })) } : {}),
      'ephemeral-storage': { ...fileSystem(time, sample.nodeFs), ...ephemeralUse(sample, uid, found) },
      process_stats: { process_count: found.processes },
      swap: { time, swapUsageBytes: 0 },
    },
  ]
}

/** Output is kept for the pod: of one container alone it can be told whose it is. */
function containerStats({ imageFs, nodeFs }: NodeSample, sample: ContainerSample, only: PodSample | undefined): Fields {
  const time = rfc3339(sample.atMs)
  return {
    cpu: cpu(sample),
    memory: memory(sample, sample.memory),
    ...(sample.writableLayer ? { rootfs: { ...fileSystem(time, imageFs), ...sample.writableLayer } } : {}),
    ...(only?.disk ? { logs: { ...fileSystem(time, nodeFs), ...only.disk.logs } } : {}),
    swap: { time, swapUsageBytes: 0 },
  }
}

/** What a pod takes of the node's storage: what its containers wrote, its output, and its volumes on the node's disk. */
export function ephemeralUse(sample: NodeSample, podUid: string, { disk }: Pick<PodSample, 'disk'>): { usedBytes: number; inodesUsed: number } {
  const layers = [...sample.containers.values()].flatMap((one) => (one.podUid === podUid && one.writableLayer ? [one.writableLayer] : []))
  const parts = [...layers, ...(disk ? [disk.logs, ...disk.volumes.filter(({ isLocal }) => isLocal)] : [])]
  return {
    usedBytes: parts.reduce((sum, { usedBytes }) => sum + usedBytes, 0),
    inodesUsed: parts.reduce((sum, { inodesUsed }) => sum + inodesUsed, 0),
  }
}

const cpu = ({ atMs, cpuNanoseconds, rate }: Measured): Fields => ({
  time: rfc3339(atMs),
  usageNanoCores: rate?.cpuNanoCores ?? 0,
  usageCoreNanoSeconds: cpuNanoseconds,
})

const memory = ({ atMs }: Measured, stats: MemoryStats, availableBytes?: number): Fields => ({
  time: rfc3339(atMs),
  ...(availableBytes === undefined ? {} : { availableBytes }),
  usageBytes: stats.usageBytes,
  workingSetBytes: stats.workingSetBytes,
  rssBytes: stats.rssBytes,
  pageFaults: stats.pageFaults,
  majorPageFaults: stats.majorPageFaults,
})

const fileSystem = (time: string, stats: FileSystemStats): Fields => ({
  time,
  availableBytes: stats.availableBytes,
  capacityBytes: stats.capacityBytes,
  usedBytes: stats.usedBytes,
  inodesFree: stats.inodesFree,
  inodes: stats.inodes,
  inodesUsed: stats.inodesUsed,
})

function networkOf(time: string, interfaces: readonly InterfaceStats[]): Fields {
  const main = interfaces.find(({ name }) => name === 'eth0')
  return { time, ...main, interfaces }
}
