// A pod that an earlier life of the agent had started: what its status says becomes the agent's knowledge again. Pure.
import type { ContainerStateTerminated, ContainerStatus, Pod } from '@shiplog/api/generated/types/core-v1'
import { backoffAfter, type ContainerWork, newPodWork, type PodWork, statusOf, type TerminatedState } from './pod-work.ts'

/** A pod that an earlier life of this agent had started: what its status says becomes the state again. */
export function adoptPodWork(pod: Pod, nowMs: number): PodWork {
  const work = newPodWork(pod, nowMs)
  const status = statusOf(pod)
  const { podIPs = [] } = status
  if (podIPs.length === 0) return work
  work.sandbox = 'ready'
  work.podIPs = podIPs.map(({ ip }) => ip)
  const restore = (containers: readonly ContainerWork[], statuses: readonly ContainerStatus[] = []): void => {
    for (const container of containers) {
      const known = statuses.find(({ name }) => name === container.name)
      if (known) restoreContainer(container, known)
    }
  }
  restore(work.init, status.initContainerStatuses)
  restore(work.main, status.containerStatuses)
  restore(work.ephemeral, status.ephemeralContainerStatuses)
  work.initialized =
    status.conditions?.some((condition) => condition.type === 'Initialized' && condition.status === 'True') ??
    work.initialized
  return work
}

const timeOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Date.parse(text))

function terminatedFrom(terminated: ContainerStateTerminated | undefined): TerminatedState | undefined {
  if (!terminated) return undefined
  const { exitCode, reason = '', message, containerID } = terminated
  const startedAtMs = timeOf(terminated.startedAt)
  const finishedAtMs = timeOf(terminated.finishedAt)
  return {
    at: 'terminated',
    exitCode: exitCode ?? 0,
    reason,
    ...(message ? { message } : {}),
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    ...(finishedAtMs === undefined ? {} : { finishedAtMs }),
    ...(containerID ? { containerID } : {}),
  }
}

function restoreContainer(container: ContainerWork, known: ContainerStatus): void {
  const { running, waiting, terminated } = known.state ?? {}
  container.restartCount = known.restartCount ?? 0
  container.containerID = known.containerID ?? ''
  container.imageID = known.imageID ?? ''
  container.lastState = terminatedFrom(known.lastState?.terminated)
  container.backoffMs = backoffAfter(container.restartCount)
  if (running) container.state = { at: 'running', startedAtMs: timeOf(running.startedAt) ?? 0 }
  else if (terminated) container.state = terminatedFrom(terminated)!
  else if (waiting) {
    const { reason = '', message } = waiting
    container.state = { at: 'waiting', reason, ...(message ? { message } : {}) }
    if (reason === 'CrashLoopBackOff')
      container.notBeforeMs = (container.lastState?.finishedAtMs ?? 0) + container.backoffMs
  }
}
