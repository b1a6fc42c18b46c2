// What containers of a runtime use: memory as it is, processors as the difference between two looks.
import type { ContainerMeasure } from '../container-runtime.ts'
import type { CriClient } from './cri-client.ts'
import { podUidLabel } from './cri-labels.ts'
import type { ContainerStatsMessage } from './cri-messages.ts'

interface Sample {
  readonly atMs: number
  readonly coreNanoseconds: bigint
}

/** Of all running containers since it was called last; a container that is seen for the first time is told the next time. */
export function createUsageMeter(client: Pick<CriClient, 'containerStats'>, runtimeName: string): () => Promise<ContainerMeasure[]> {
  let before = new Map<string, Sample>()
  return async () => {
    const now = new Map<string, Sample>()
    const measures: ContainerMeasure[] = []
    for (const stats of await client.containerStats()) {
      const id = stats.attributes?.id
      const sample = sampleOf(stats)
      if (id === undefined || sample === undefined) continue
      now.set(id, sample)
      const earlier = before.get(id)
      const measure = earlier && difference(earlier, sample)
      if (measure === undefined) continue
      measures.push({
        ...measure,
        podUid: stats.attributes?.labels[podUidLabel] ?? '',
        containerID: `${runtimeName}://${id}`,
        memoryWorkingSetBytes: Number(stats.memory?.workingSetBytes?.value ?? 0),
      })
    }
    before = now
    return measures
  }
}

function sampleOf({ cpu }: ContainerStatsMessage): Sample | undefined {
  const used = cpu?.usageCoreNanoSeconds?.value
  if (cpu === null || used === undefined) return undefined
  return { atMs: Number(BigInt(cpu.timestamp) / 1_000_000n), coreNanoseconds: BigInt(used) }
}

function difference(from: Sample, to: Sample): Pick<ContainerMeasure, 'cpuNanoCores' | 'atMs' | 'windowMs'> | undefined {
  const windowMs = to.atMs - from.atMs
  if (windowMs <= 0 || to.coreNanoseconds < from.coreNanoseconds) return undefined
  return { cpuNanoCores: Math.round((Number(to.coreNanoseconds - from.coreNanoseconds) / windowMs) * 1_000), atMs: to.atMs, windowMs }
}
