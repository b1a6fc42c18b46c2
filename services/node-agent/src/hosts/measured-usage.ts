// What a runtime measured, as reports tell it: by pod, under the names of its containers.
import type { ContainerUsage, PodUsage } from '@shiplog/api-client/wire/node-usage'
import type { ContainerMeasure } from '@shiplog/node/container-runtime'
import { containersOf } from '../pod-work.ts'
import type { HostedPod } from './pod-host.ts'

export function measuredUsage(
  pods: readonly HostedPod[],
  measures: readonly ContainerMeasure[],
): ReadonlyMap<string, PodUsage> {
  const byId = new Map(measures.map((measure) => [measure.containerID, measure]))
  const usages = new Map<string, PodUsage>()
  for (const { uid, work } of pods) {
    const found = containersOf(work).flatMap(({ name, containerID, state }) => {
      const measure = state.at === 'running' ? byId.get(containerID) : undefined
      return measure ? [{ name, measure }] : []
    })
    const oldest = found.map(({ measure }) => measure).sort((a, b) => a.atMs - b.atMs)[0]
    if (!oldest) continue
    const containers = found.map(
      ({ name, measure: { cpuNanoCores, memoryWorkingSetBytes } }): ContainerUsage => ({
        ...{ name, cpuNanoCores, memoryWorkingSetBytes },
      }),
    )
    usages.set(uid, { uid, containers, atMs: oldest.atMs, windowMs: oldest.windowMs })
  }
  return usages
}
