// In-place resize: brings the resources of running containers to what their pod says now. A container whose policy wants a
// restart for what changed is stopped, and started again by the usual rules; its next life has the new resources.
import type { Container, ContainerResizePolicy } from '@shiplog/api/generated/types/core-v1'
import type { LinuxResourcesMessage } from '@shiplog/node/cri/cri-messages'
import { containersOf, type ContainerWork } from '../../pod-work.ts'
import { containerSpecOf, graceMsOf } from '../pod-facts.ts'
import type { HostedPod } from '../pod-host.ts'
import { linuxResources } from './container-resources.ts'

export interface ContainerResizerDeps {
  readonly update: (containerID: string, resources: LinuxResourcesMessage) => Promise<void>
  readonly stop: (podUid: string, containerID: string, graceMs: number) => void
  readonly onFault: (error: unknown, pod: HostedPod, container: ContainerWork) => void
}

export interface ContainerResizer {
  /** The container was started with these. */
  started(containerID: string, container: Pick<Container, 'resources'>): void
  /** The pod may say something else now. */
  podChanged(pod: HostedPod): void
  forget(containerIDs: Iterable<string>): void
}

type Resource = 'cpu' | 'memory'

const partOf = (resources: LinuxResourcesMessage, resource: Resource): string =>
  resource === 'cpu'
    ? JSON.stringify([resources.cpuShares, resources.cpuQuota])
    : JSON.stringify(resources.memoryLimitInBytes)

/** What differs; pure. */
export const changedResources = (before: LinuxResourcesMessage, now: LinuxResourcesMessage): Resource[] =>
  (['cpu', 'memory'] as const).filter((resource) => partOf(before, resource) !== partOf(now, resource))

const wantsRestart = (policies: readonly ContainerResizePolicy[] | undefined, changed: readonly Resource[]): boolean =>
  (policies ?? []).some(({ resourceName, restartPolicy }) => restartPolicy === 'RestartContainer' && changed.includes(resourceName as Resource))

export function createContainerResizer(deps: ContainerResizerDeps): ContainerResizer {
  const applied = new Map<string, LinuxResourcesMessage>()
  return {
    started: (containerID, { resources }) => void applied.set(containerID, linuxResources(resources)),
    podChanged(pod) {
      if (pod.pod.metadata.deletionTimestamp !== undefined) return
      for (const container of containersOf(pod.work)) {
        const before = applied.get(container.containerID)
        if (container.state.at === 'running' && before !== undefined) resize(deps, applied, pod, container, before)
      }
    },
    forget(containerIDs) {
      for (const containerID of containerIDs) applied.delete(containerID)
    },
  }
}

function resize(
  deps: ContainerResizerDeps,
  applied: Map<string, LinuxResourcesMessage>,
  pod: HostedPod,
  container: ContainerWork,
  before: LinuxResourcesMessage,
): void {
  const spec = containerSpecOf(pod, container)
  const now = linuxResources(spec.resources)
  const changed = changedResources(before, now)
  if (changed.length === 0) return
  const { containerID } = container
  applied.set(containerID, now)
  if (wantsRestart(spec.resizePolicy, changed)) {
    deps.stop(pod.uid, containerID, graceMsOf(pod))
    return
  }
  // What is no longer limited has to be said: an absent limit changes nothing.
  const whole = { ...now, cpuQuota: now.cpuQuota ?? -1, memoryLimitInBytes: now.memoryLimitInBytes ?? 0 }
  deps.update(containerID, whole).catch((error: unknown) => {
    // The next look tries again.
    if (applied.get(containerID) === now) applied.set(containerID, before)
    deps.onFault(error, pod, container)
  })
}
