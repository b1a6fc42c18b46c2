// Measures a node of containers every ten seconds, as a kubelet does: the machine, pods by their cgroups, containers by their
// runtime, file systems and volumes. Rates are told from one look to the next; everybody who wants to know anything of the
// node's use (its summary, its metrics, evictions, `kubectl top`) reads the last look.
import type { ContainerMeasure } from '@shiplog/node/container-runtime'
import { podUidLabel } from '@shiplog/node/cri/cri-labels'
import type { ContainerStatsMessage, FilesystemUsageMessage } from '@shiplog/node/cri/cri-messages'
import { bareId } from '@shiplog/node/cri/cri-runtime'
import { type CgroupStats, cgroupStats, type MemoryStats, processIn } from '@shiplog/node/stats/cgroup-stats'
import { type FileSystemStats, fileSystemStats, type InterfaceStats, type MachineStats, machineStats, networkStats } from '@shiplog/node/stats/machine-stats'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { HostedPod } from '../pod-host.ts'
import type { CriNode } from './cri-parts.ts'
import { podCgroup } from './sandbox-config.ts'
import { createVolumeMeter, type PodDiskUse } from './volume-meter.ts'

/** As the kubelet's housekeeping. */
export const samplePeriodMs = 10_000

/** Something that was measured at one time, with its rate since the time before. */
export interface Measured {
  readonly atMs: number
  readonly cpuNanoseconds: number
  readonly memory: MemoryStats
  /** Absent for what is seen for the first time. */
  readonly rate?: { readonly cpuNanoCores: number; readonly windowMs: number }
}

export interface ContainerSample extends Measured {
  readonly podUid: string
  /** What it wrote besides volumes. */
  readonly writableLayer?: { readonly usedBytes: number; readonly inodesUsed: number }
}

export interface PodSample extends Measured {
  readonly processes: number
  /** Absent with the node's own network. */
  readonly network?: readonly InterfaceStats[]
  readonly disk: PodDiskUse | undefined
}

export interface NodeSample {
  readonly atMs: number
  readonly machine: MachineStats & Measured
  /** All pods of the node together. */
  readonly allPods: (CgroupStats & Measured) | undefined
  readonly network: readonly InterfaceStats[] | undefined
  readonly nodeFs: FileSystemStats
  readonly imageFs: FileSystemStats & { readonly imagesBytes: number }
  /** By uid. */
  readonly pods: ReadonlyMap<string, PodSample>
  /** By the runtime's id. */
  readonly containers: ReadonlyMap<string, ContainerSample>
}

export interface NodeSampler extends Disposable {
  /** Not older than this; Infinity: whatever is there. Rejects when the runtime cannot be asked. */
  sample(ageMsMax: number): Promise<NodeSample>
  /** Rates of running containers; empty before two looks. */
  measures(): ContainerMeasure[]
}

export interface NodeSamplerDeps {
  readonly node: CriNode
  readonly clock: Clock
  readonly log: Logger
  readonly pods: () => Iterable<HostedPod>
}

export function createNodeSampler(deps: NodeSamplerDeps): NodeSampler {
  const { clock, log, node } = deps
  const volumes = createVolumeMeter({ ...deps, mounts: node.mounts })
  let last: NodeSample | undefined
  let looking: Promise<NodeSample> | undefined
  const look = (): Promise<NodeSample> =>
    (looking ??= measure(deps, volumes.of, last)
      .then((found) => (last = found))
      .finally(() => {
        looking = undefined
      }))
  const tick = (): void => {
    void volumes.look()
    look().catch((err: unknown) => log.debug({ err }, 'use of the node not measured'))
  }
  tick()
  const timer = clock.every(samplePeriodMs, tick)
  return {
    async sample(ageMsMax) {
      return last !== undefined && clock.nowMs() - last.atMs <= ageMsMax ? last : await look()
    },
    measures: () => [...(last?.containers ?? [])].flatMap(([id, sample]) => measureOf(node, id, sample)),
    [Symbol.dispose]() {
      timer[Symbol.dispose]()
      volumes[Symbol.dispose]()
    },
  }
}

function measureOf({ runtimeName }: CriNode, id: string, { podUid, atMs, memory, rate }: ContainerSample): ContainerMeasure[] {
  if (rate === undefined) return []
  return [{ podUid, containerID: `${runtimeName}://${id}`, memoryWorkingSetBytes: memory.workingSetBytes, atMs, ...rate }]
}

async function measure(
  { node, clock, pods }: NodeSamplerDeps,
  diskOf: (podUid: string) => PodDiskUse | undefined,
  before: NodeSample | undefined,
): Promise<NodeSample> {
  const [stats, images] = await Promise.all([node.client.containerStats(), node.client.imageFsInfo()])
  const atMs = clock.nowMs()
  const machine = machineStats()
  const all = cgroupStats(`${node.cgroupParent}/kubepods`)
  const podSamples = new Map<string, PodSample>()
  for (const pod of pods()) {
    const path = podCgroup({ pod: pod.pod, cgroupParent: node.cgroupParent })
    const found = pod.work.finished ? undefined : cgroupStats(path)
    if (found === undefined) continue
    const pid = pod.pod.spec.hostNetwork ? undefined : processIn(path)
    const network = pid === undefined ? undefined : networkStats(pid)
    podSamples.set(pod.uid, {
      ...rated({ atMs, ...found }, before?.pods.get(pod.uid)),
      disk: diskOf(pod.uid),
      ...(network ? { network } : {}),
    })
  }
  const containers = stats.flatMap((message): [string, ContainerSample][] => {
    const sample = containerSample(message)
    const id = message.attributes?.id
    return id === undefined || sample === undefined ? [] : [[id, rated(sample, before?.containers.get(id))]]
  })
  return {
    atMs,
    machine: rated({ atMs, ...machine }, before?.machine),
    allPods: all && rated({ atMs, ...all }, before?.allPods),
    network: networkStats(node.mounts.holderPid),
    nodeFs: fileSystemStats(node.mounts.directory),
    imageFs: { ...fileSystemStats(node.mounts.directory), imagesBytes: images.reduce((sum, one) => sum + numberOf(one.usedBytes), 0) },
    pods: podSamples,
    containers: new Map(containers),
  }
}

const numberOf = (value: { readonly value: string } | null | undefined): number => Number(value?.value ?? 0)

function containerSample({ attributes, cpu, memory, writableLayer }: ContainerStatsMessage): ContainerSample | undefined {
  if (!cpu?.usageCoreNanoSeconds) return undefined
  return {
    podUid: attributes?.labels[podUidLabel] ?? '',
    atMs: Number(BigInt(cpu.timestamp) / 1_000_000n),
    cpuNanoseconds: numberOf(cpu.usageCoreNanoSeconds),
    memory: {
      usageBytes: numberOf(memory?.usageBytes),
      workingSetBytes: numberOf(memory?.workingSetBytes),
      rssBytes: numberOf(memory?.rssBytes),
      pageFaults: numberOf(memory?.pageFaults),
      majorPageFaults: numberOf(memory?.majorPageFaults),
    },
    ...(writableLayer ? { writableLayer: layerOf(writableLayer) } : {}),
  }
}

const layerOf = ({ usedBytes, inodesUsed }: FilesystemUsageMessage) => ({
  usedBytes: numberOf(usedBytes),
  inodesUsed: numberOf(inodesUsed),
})

/** With the rate since `before`; two looks in one moment tell none, and the rate stays what it was. */
function rated<Sample extends Measured>(now: Sample, before: Measured | undefined): Sample {
  if (before === undefined || now.cpuNanoseconds < before.cpuNanoseconds) return now
  const windowMs = now.atMs - before.atMs
  if (windowMs < rateWindowMsMin) return before.rate === undefined ? now : { ...now, rate: before.rate }
  return { ...now, rate: { cpuNanoCores: Math.round(((now.cpuNanoseconds - before.cpuNanoseconds) / windowMs) * 1_000), windowMs } }
}

const rateWindowMsMin = 500

/** The sample of a container of the API. */
export const sampleOfContainer = ({ containers }: NodeSample, containerID: string): ContainerSample | undefined => containers.get(bareId(containerID))
