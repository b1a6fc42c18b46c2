// Does for one pod what is due (the kubelet's pod worker): asks pod-steps.ts what that is, has the host do it, folds in what
// came of it, and queues a report. Level-triggered: `advance` may be called at any time.
import {
  type ContainerExit,
  isRuntimeFailure,
  type RecoveredContainer,
  type StartedContainer,
} from '@shiplog/node/container-runtime'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { EventRecorder } from './event-recorder.ts'
import { messageOf, type PodHost, type RecoveredPod } from './hosts/pod-host.ts'
import { type PodEntry, podNameOf, sandboxConfigOf, wakeAt } from './pod-entry.ts'
import { containerSpecOf } from './hosts/pod-facts.ts'
import {
  onExited,
  onPullBackoff,
  onRecovered,
  onSandboxFailed,
  onSandboxReady,
  onStarted,
  onStartFailed,
  pullBackoffText,
} from './pod-outcomes.ts'
import { nextSteps, type PodStep } from './pod-steps.ts'
import { configOf, containersOf, type ContainerWork } from './pod-work.ts'

export interface PodWorkerDeps {
  readonly host: PodHost
  readonly clock: Clock
  readonly log: Logger
  readonly events: EventRecorder
  /** False while the pod's node plays dead, and when the agent has stopped. */
  readonly isActive: (entry: PodEntry) => boolean
  readonly isStopped: () => boolean
  readonly podCIDRsOf: (node: PodEntry['node']) => readonly string[]
  /** Queues a report of the pod. */
  readonly report: (entry: PodEntry) => void
}

const recoverRetryMs = 1_000

export function advance(deps: PodWorkerDeps, entry: PodEntry): void {
  if (entry.gone || entry.recovering || !deps.isActive(entry)) return
  const plan = nextSteps(entry.work, entry.pod, deps.clock.nowMs())
  for (const step of plan.steps) perform(deps, entry, step)
  wakeAt(deps.clock, entry, plan.wakeAtMs, () => advance(deps, entry))
  deps.report(entry)
}

function perform(deps: PodWorkerDeps, entry: PodEntry, step: PodStep): void {
  switch (step.do) {
    case 'run-sandbox':
      void runSandbox(deps, entry)
      return
    case 'start':
      void start(deps, entry, step.container)
      return
    case 'pause':
      pause(deps, entry, step.container)
      return
    case 'stop':
      deps.host.stopContainer(entry, step.container, step.graceMs)
      recordEvent(deps, entry, step.container, 'Normal', 'Killing', `Stopping container ${step.container.name}`)
      return
    case 'remove-sandbox':
      deps.host.removeSandbox(entry.uid)
  }
}

/** The image cannot be had for now: said once a pause, when it has begun. */
function pause(deps: PodWorkerDeps, entry: PodEntry, container: ContainerWork): void {
  const image = containerSpecOf(entry, container).image ?? container.image
  onPullBackoff(container, image)
  recordEvent(deps, entry, container, 'Normal', 'BackOff', pullBackoffText(image))
  recordEvent(deps, entry, container, 'Warning', 'Failed', 'Error: ImagePullBackOff')
}

const isOver = ({ gone, work }: PodEntry): boolean => gone || work.finished

async function runSandbox(deps: PodWorkerDeps, entry: PodEntry): Promise<void> {
  const { host, clock, events } = deps
  let podIPs: readonly string[]
  try {
    podIPs = await host.runSandbox(entry, sandboxConfigOf(entry, deps.podCIDRsOf(entry.node)))
  } catch (error) {
    onSandboxFailed(entry.work, clock.nowMs())
    const [reason, message] = sandboxFailure(entry, error)
    events.pod(entry.pod, entry.node.name, 'Warning', reason, message)
    advance(deps, entry)
    return
  }
  if (isOver(entry)) {
    host.removeSandbox(entry.uid)
    return
  }
  onSandboxReady(entry.work, podIPs)
  advance(deps, entry)
}

function sandboxFailure(entry: PodEntry, error: unknown): readonly [reason: string, message: string] {
  if (isRuntimeFailure(error) && error.reason === 'FailedMount') return ['FailedMount', error.message]
  const { name, namespace } = podNameOf(entry)
  const pod = `"${name}_${namespace}(${entry.uid})"`
  return ['FailedCreatePodSandBox', `Failed to create pod sandbox for pod ${pod}: ${messageOf(error)}`]
}

async function start(deps: PodWorkerDeps, entry: PodEntry, container: ContainerWork): Promise<void> {
  const { host, clock } = deps
  let started: StartedContainer
  try {
    started = await host.startContainer(entry, container)
  } catch (error) {
    if (isOver(entry)) return
    const reason = isRuntimeFailure(error) ? error.reason : 'CreateContainerError'
    onStartFailed(container, reason, messageOf(error), clock.nowMs())
    recordEvent(deps, entry, container, 'Warning', 'Failed', host.failureMessage(error))
    advance(deps, entry)
    return
  }
  if (isOver(entry)) return
  onStarted(container, started)
  recordStart(deps, entry, container, started)
  if (started.ended) containerEnded(deps, entry, container, started.ended)
  else host.containerStarted(entry, container, true)
  advance(deps, entry)
}

function recordStart(deps: PodWorkerDeps, entry: PodEntry, container: ContainerWork, { ended }: StartedContainer): void {
  const pulled = deps.host.pulledMessage(container)
  if (pulled !== undefined) recordEvent(deps, entry, container, 'Normal', 'Pulled', pulled)
  recordEvent(deps, entry, container, 'Normal', 'Created', 'Container created')
  if (ended?.reason === 'StartError') recordEvent(deps, entry, container, 'Warning', 'Failed', `Error: ${ended.message}`)
  else recordEvent(deps, entry, container, 'Normal', 'Started', 'Container started')
}

const fieldOf = { main: 'containers', init: 'initContainers', sidecar: 'initContainers', ephemeral: 'ephemeralContainers' } as const

/** Records an Event object about a container. */
export function recordEvent(
  { events }: PodWorkerDeps,
  { pod, node }: PodEntry,
  { role, name }: ContainerWork,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
): void {
  events.pod(pod, node.name, type, reason, message, `spec.${fieldOf[role]}{${name}}`)
}

/** A container ended by itself, or because it was told to. */
export function onContainerExit(deps: PodWorkerDeps, entry: PodEntry, exit: ContainerExit): void {
  const container = containersOf(entry.work).find(({ containerID }) => containerID === exit.containerID)
  if (container === undefined) return
  containerEnded(deps, entry, container, exit)
  advance(deps, entry)
}

function containerEnded(deps: PodWorkerDeps, entry: PodEntry, container: ContainerWork, exit: ContainerExit): void {
  deps.host.containerEnded(entry, container)
  onExited(entry.work, entry.pod, container, exit)
  if (container.state.at !== 'waiting' || container.state.reason !== 'CrashLoopBackOff') return
  const { name, namespace } = entry.pod.metadata
  const message = `Back-off restarting failed container ${container.name} in pod ${name}_${namespace}(${entry.uid})`
  recordEvent(deps, entry, container, 'Warning', 'BackOff', message)
}

/** Learns what happened to a pod since its last report; `adopted`: its status says that it was started. */
export async function recover(deps: PodWorkerDeps, entry: PodEntry, adopted: boolean): Promise<void> {
  const { host, clock, log } = deps
  const { work } = entry
  entry.recovering = true
  const known = containersOf(work).flatMap((container) =>
    container.state.at === 'running'
      ? [{ config: configOf(container), containerID: container.containerID, startedAtMs: container.state.startedAtMs }]
      : [],
  )
  while (!entry.gone && !deps.isStopped()) {
    try {
      const found = await host.recover(entry, sandboxConfigOf(entry, deps.podCIDRsOf(entry.node)), known)
      if (entry.gone) return
      if (found !== undefined) {
        mergeRecovered(deps, entry, found)
        if (!adopted || found.needsSandbox) work.sandbox = 'none'
      }
      break
    } catch (err) {
      log.warn({ err, pod: podNameOf(entry) }, 'pod state unknown, retrying')
      await clock.sleep(recoverRetryMs)
    }
  }
  entry.recovering = false
  advance(deps, entry)
}

function mergeRecovered(deps: PodWorkerDeps, entry: PodEntry, { containers }: RecoveredPod): void {
  for (const container of containersOf(entry.work)) {
    const wasRunning = container.state.at === 'running'
    const found = containers.find(({ name }: RecoveredContainer) => name === container.name)
    if (found !== undefined) onRecovered(entry.work, entry.pod, container, found)
    else if (wasRunning) containerEnded(deps, entry, container, lostExit(deps, entry, container))
    if (container.state.at !== 'running') continue
    deps.host.containerStarted(entry, container, false)
    if (!wasRunning) recordEvent(deps, entry, container, 'Normal', 'Started', 'Container started')
  }
}

/** The container ran when it was last reported, and nothing on the machine says what became of it. */
const lostExit = ({ clock }: PodWorkerDeps, { uid }: PodEntry, { containerID }: ContainerWork): ContainerExit => ({
  podUid: uid,
  containerID,
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container could not be located when the agent of its node was started again',
  finishedAtMs: clock.nowMs(),
})
