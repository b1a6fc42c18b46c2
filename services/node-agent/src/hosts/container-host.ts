// The host of nodes whose containers really run: it resolves what specs refer to, keeps the files of volumes up to date,
// calls probes and runs hooks, and finds containers again that outlived the agent. How a container comes to run is the
// affair of its backend: a process of the machine, or a container in a runtime.
import type { ContainerLogs } from '@shiplog/node/container-logs'
import {
  type ContainerExit,
  type ContainerMeasure,
  type ExecResult,
  isRuntimeFailure,
  type KnownContainer,
  type PodVolume,
  RuntimeFailure,
  type SandboxConfig,
  type StartedContainer,
} from '@shiplog/node/container-runtime'
import type { NodeStreams } from '@shiplog/node/node-streams'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { containersOf, type ContainerWork } from '../pod-work.ts'
import { createProber, type Prober } from './container-probes.ts'
import { createLifecycleHooks, type LifecycleHooks } from './lifecycle-hooks.ts'
import { measuredUsage } from './measured-usage.ts'
import { containerSpecOf, factsOf, graceMsOf, namespaceOf } from './pod-facts.ts'
import { type HostedPod, messageOf, type NodeReserves, type NodeStats, type PodHost, type PodHostListener, type RecoveredPod } from './pod-host.ts'
import { podVolumes, referencesOfVolumes, type VolumeStyle } from './pod-volumes.ts'
import type { ProbeNetwork, ProbeTarget } from './probe-call.ts'
import { lookUp, type References } from './references.ts'
import type { ServiceAccountTokens } from './service-account-tokens.ts'
import { createVolumeRefresher, type VolumeRefresher } from './volume-refresher.ts'

/** An Event object about a container of a pod. */
export type TellEvent = (
  pod: HostedPod,
  container: ContainerWork,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
) => void

/** What differs between kinds of real containers. */
export interface ContainerBackend {
  readonly version: string
  readonly logs: ContainerLogs
  readonly streams?: NodeStreams
  /** How probes reach pods; absent: over the machine's own network. */
  readonly network?: ProbeNetwork
  readonly volumeStyle: VolumeStyle

  /** Prepares volumes and sandbox; gives the pod's addresses. Rejects with RuntimeFailure. */
  runSandbox(pod: HostedPod, config: SandboxConfig, volumes: readonly PodVolume[]): Promise<readonly string[]>
  /** Resolves, pulls, starts. Rejects with RuntimeFailure. */
  startContainer(pod: HostedPod, container: ContainerWork, tell: TellEvent): Promise<StartedContainer>
  stopContainer(podUid: string, containerID: string, graceMs: number): void
  removeSandbox(podUid: string): void
  removePod(podUid: string): void
  recover(
    pod: HostedPod,
    config: SandboxConfig,
    volumes: readonly PodVolume[] | undefined,
    known: readonly KnownContainer[],
  ): Promise<RecoveredPod>
  updateVolumes(podUid: string, volumes: readonly PodVolume[]): Promise<void>
  /** The pod object changed: resources of running containers may be others. */
  podChanged?(pod: HostedPod): void
  exec(podUid: string, containerID: string, command: readonly string[], timeoutMs: number): Promise<ExecResult>
  /** What every running container used since it was asked last; absent where that cannot be told. */
  measure?(): Promise<readonly ContainerMeasure[]>
  readonly stats?: NodeStats
  readonly reserves?: NodeReserves
  keepOnly(podUids: ReadonlySet<string>): void
  /** The agent has begun; these are its pods, whenever they are asked for. */
  begin?(pods: () => Iterable<HostedPod>, tell: Pick<PodHostListener, 'nodeEvent' | 'podEvent'>): void
  onExit(listener: (exit: ContainerExit) => void): void
  /** The message of a Pulled event, where the backend does not tell its own. */
  pulledMessage(container: ContainerWork): string | undefined
  stop(): Promise<void>
}

export interface ContainerHostDeps {
  readonly backend: ContainerBackend
  readonly references: References
  readonly tokens: ServiceAccountTokens
  readonly clock: Clock
  readonly log: Logger
}

/** Of these the message was told by an event before. */
const imageReasons = new Set([
  ...['ErrImagePull', 'ErrImageNeverPull', 'InvalidImageName', 'ImageInspectError'],
  ...['RegistryUnavailable', 'SignatureValidationFailed'],
])

const deaf: PodHostListener = {
  exited: () => undefined,
  changed: () => undefined,
  referenceChanged: () => undefined,
  event: () => undefined,
  nodeEvent: () => undefined,
  podEvent: () => undefined,
}

export function createContainerHost(deps: ContainerHostDeps): PodHost {
  const { backend, clock } = deps
  let listener = deaf
  let volumes: VolumeRefresher | undefined
  const tell: TellEvent = (pod, ...event) => listener.event(pod.uid, ...event)
  const targetOf = (pod: HostedPod, container: ContainerWork): ProbeTarget => probeTargetOf(backend, pod, container)
  const hooks = createLifecycleHooks({
    clock,
    targetOf,
    stopContainer: (podUid, containerID, graceMs) => backend.stopContainer(podUid, containerID, graceMs),
    warn: (pod, container, reason, message) => tell(pod, container, 'Warning', reason, message),
  })
  const prober = createProber({
    ...{ clock, targetOf, event: tell },
    kill: hooks.stop,
    onChange: ({ uid }) => listener.changed(uid),
  })
  const endRun = (pod: HostedPod, container: ContainerWork): void => {
    prober.end(pod, container)
    hooks.ended(pod, container)
  }
  return {
    version: backend.version,
    logs: backend.logs,
    ...(backend.streams ? { streams: backend.streams } : {}),
    ...(backend.network ? { network: backend.network } : {}),
    ...(backend.stats ? { stats: backend.stats } : {}),
    ...(backend.reserves ? { reserves: backend.reserves } : {}),
    outlivesAgent: true,
    runSandbox: async (pod, config) => backend.runSandbox(pod, config, await volumesOf(deps, pod)),
    startContainer: (pod, container) => backend.startContainer(pod, container, tell),
    stopContainer: hooks.stop,
    removeSandbox: (podUid) => backend.removeSandbox(podUid),
    removePod(pod) {
      for (const container of containersOf(pod.work)) endRun(pod, container)
      volumes?.forget(pod.uid)
      deps.tokens.forget(pod.uid)
      backend.removePod(pod.uid)
    },
    containerStarted(pod, container, isFresh) {
      hooks.ended(pod, container)
      startProbes({ prober, hooks, listener }, pod, container, isFresh)
      // The pod may have changed while the agent was away.
      if (!isFresh) backend.podChanged?.(pod)
    },
    containerEnded: endRun,
    podChanged(pod) {
      volumes?.podChanged(pod)
      backend.podChanged?.(pod)
    },
    pulledMessage: (container) => backend.pulledMessage(container),
    failureMessage: (error) =>
      `Error: ${isRuntimeFailure(error) && imageReasons.has(error.reason) ? error.reason : messageOf(error)}`,
    readyAtMs: (pod, _config, container, startedAtMs) =>
      prober.isReady(pod, container) ? startedAtMs : Number.POSITIVE_INFINITY,
    hasStarted: prober.hasStarted,
    async recover(pod, config, known) {
      const prepared = await volumesOf(deps, pod).catch(() => undefined)
      return await backend.recover(pod, config, prepared, known)
    },
    usage: async (pods) => measuredUsage(pods, (await backend.measure?.()) ?? []),
    keepOnly: (podUids) => backend.keepOnly(podUids),
    start(pods, to) {
      listener = to
      backend.onExit(to.exited)
      backend.begin?.(pods, to)
      volumes = createVolumeRefresher({
        ...deps,
        pods,
        volumesOf: (pod) => volumesOf(deps, pod),
        update: (podUid, next) => backend.updateVolumes(podUid, next),
        onReference: ({ uid }) => to.referenceChanged(uid),
      })
    },
    async stop() {
      volumes?.stop()
      prober.stop()
      hooks.end()
      await backend.stop()
    },
  }
}

/** The pod's volumes with their contents. Rejects with RuntimeFailure, reason FailedMount. */
async function volumesOf(
  { backend, references, tokens }: ContainerHostDeps,
  pod: HostedPod,
): Promise<readonly PodVolume[]> {
  try {
    const [lookup, tokenOf] = await Promise.all([
      lookUp(references, namespaceOf(pod), referencesOfVolumes(pod.pod)),
      tokens.forPod(pod.pod),
    ])
    return podVolumes(factsOf(pod), lookup, tokenOf, backend.volumeStyle)
  } catch (error) {
    if (isRuntimeFailure(error)) throw error
    throw new RuntimeFailure('FailedMount', messageOf(error))
  }
}

function startProbes(
  { prober, hooks, listener }: { prober: Prober; hooks: LifecycleHooks; listener: PodHostListener },
  pod: HostedPod,
  container: ContainerWork,
  isFresh: boolean,
): void {
  const stillRuns = prober.begin(pod, container, isFresh)
  if (!isFresh) return
  void hooks.postStart(pod, container).then((succeeded) => {
    if (succeeded || !stillRuns()) return
    listener.event(pod.uid, container, 'Normal', 'Killing', 'FailedPostStartHook')
    hooks.stop(pod, container, graceMsOf(pod))
  })
}

function probeTargetOf({ exec, network }: ContainerBackend, pod: HostedPod, container: ContainerWork): ProbeTarget {
  const ports = (containerSpecOf(pod, container).ports ?? []).flatMap(({ name, containerPort }) =>
    name ? [[name, containerPort] as const] : [],
  )
  return {
    podIP: factsOf(pod).podIPs[0]!,
    ports: new Map(ports),
    ...(network ? { network } : {}),
    exec: (command, timeoutMs) => exec(pod.uid, container.containerID, command, timeoutMs),
  }
}
