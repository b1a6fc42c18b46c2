// What differs between kinds of nodes: how a pod is prepared, started, stopped, judged ready and found again. The agent has
// one PodHost and asks no further: of simulated nodes, of processes of the machine, or of containers in a runtime.
import type { ApiClient } from '@shiplog/api/api-client'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { ObjectFeed } from '@shiplog/feed/object-feed'
import type { ContainerLogs } from '@shiplog/node/container-logs'
import type { NodeStreams } from '@shiplog/node/node-streams'
import type {
  ContainerExit,
  KnownContainer,
  RecoveredContainer,
  SandboxConfig,
  StartedContainer,
} from '@shiplog/node/container-runtime'
import type { ContainerUsage, PodUsage } from '@shiplog/api-client/wire/node-usage'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { MetricSample } from '@shiplog/runtime/metrics'
import type { Observations } from '../eviction/pressure.ts'
import type { PodUse } from '../eviction/ranking.ts'
import type { NodeConfig } from '../node-object.ts'
import type { ContainerWork, PodWork } from '../pod-work.ts'
import type { ProbeNetwork } from './probe-call.ts'

/** A pod of the agent, as far as a host needs it. */
export interface HostedPod {
  readonly uid: string
  readonly node: NodeConfig
  readonly pod: Pod
  readonly work: PodWork
}

/** What a host found of a pod after a restart of the agent. */
export interface RecoveredPod {
  readonly containers: readonly RecoveredContainer[]
  /** The sandbox is missing, or incomplete, and has to be run again; it leaves alone what is there. */
  readonly needsSandbox: boolean
}

/** What a host tells the agent. */
export interface PodHostListener {
  /** A container ended. Called in a turn of its own. */
  exited(exit: ContainerExit): void
  /** The readiness of a container changed. */
  changed(podUid: string): void
  /** A ConfigMap or Secret that the pod refers to changed: what waits for it may be tried again. */
  referenceChanged(podUid: string): void
  /** An Event object about the pod as a whole is due. */
  podEvent(podUid: string, type: 'Normal' | 'Warning', reason: string, message: string): void
  /** An Event object about the node is due. */
  nodeEvent(type: 'Normal' | 'Warning', reason: string, message: string): void
  /** An Event object is due. */
  event(podUid: string, container: ContainerWork, type: 'Normal' | 'Warning', reason: string, message: string): void
}

/** What a node of real containers says of its use, in the kubelet's forms. Rejects when that cannot be told now. */
export interface NodeStats {
  /** `/stats/summary` */
  summary(nodeName: string, pods: readonly HostedPod[]): Promise<object>
  metrics(which: 'resource' | 'cadvisor', pods: readonly HostedPod[]): Promise<readonly MetricSample[]>
  /** All that the machine uses; undefined before two looks. */
  machine(): Promise<Omit<ContainerUsage, 'name'> | undefined>
}

/** What a node has left and what its pods use, measured or made up. */
export interface NodeUse {
  readonly observed: Observations
  /** By uid; undefined: not measured yet. */
  readonly of: (podUid: string) => PodUse | undefined
}

/** A node that can run short of something. */
export interface NodeReserves {
  /** Rejects when nothing can be measured now. */
  observe(pods: Iterable<HostedPod>): Promise<NodeUse>
  /** Frees what nobody uses on the disk. */
  freeDisk(): Promise<void>
}

export interface PodHost {
  /** As nodeInfo shows it: `containerd://2.1.9`. */
  readonly version: string
  /** Where output is kept; absent where containers print nothing. */
  readonly logs?: ContainerLogs
  /** The way into running containers; absent where there is none. */
  readonly streams?: NodeStreams
  /** The way to addresses of pods and of the node; absent: over the machine's own network. */
  readonly network?: ProbeNetwork

  /** Containers outlive the agent, so the host is asked about every pod, also one that was never reported as started. */
  readonly outlivesAgent: boolean

  /** Prepares volumes and the sandbox; returns the pod's addresses, the primary one first. Rejects with RuntimeFailure. */
  runSandbox(pod: HostedPod, config: SandboxConfig): Promise<readonly string[]>
  /** Resolves what the container refers to and starts it. Rejects with RuntimeFailure. */
  startContainer(pod: HostedPod, container: ContainerWork): Promise<StartedContainer>
  /** Runs the preStop hook, if there is one, and stops the container, both within the grace period. */
  stopContainer(pod: HostedPod, container: ContainerWork, graceMs: number): void
  /** The pod is over: ends what still runs (without exits). Safe for unknown pods. */
  removeSandbox(podUid: string): void
  /** The object is gone from the API. */
  removePod(pod: HostedPod): void

  /** A container runs: its probes begin and, if it was started just now, its postStart hook. */
  containerStarted(pod: HostedPod, container: ContainerWork, isFresh: boolean): void
  containerEnded(pod: HostedPod, container: ContainerWork): void
  /** The pod object changed: files that show its fields may have to. */
  podChanged(pod: HostedPod): void

  /** Message of the Pulled event; undefined where there are no images. */
  pulledMessage(container: ContainerWork): string | undefined
  /** Message of the Failed event of a start that failed. */
  failureMessage(error: unknown): string

  /** When a running container is ready; Infinity: not before something happens. */
  readyAtMs(pod: HostedPod, config: SandboxConfig, container: ContainerWork, startedAtMs: number): number
  /** Whether a running container's startup probe has succeeded, or there is none. */
  hasStarted(pod: HostedPod, container: ContainerWork): boolean

  /** Finds a pod of an earlier life again; undefined: it is as the API shows it. Rejects when that cannot be told yet. */
  recover(
    pod: HostedPod,
    config: SandboxConfig,
    known: readonly KnownContainer[],
  ): Promise<RecoveredPod | undefined>
  /** What these pods use, by uid; those that use nothing yet are left out. */
  usage(pods: readonly HostedPod[]): Promise<ReadonlyMap<string, PodUsage>>
  /** What the node measures of itself; absent where nothing can be measured. */
  readonly stats?: NodeStats
  /** Absent where nothing can run short. */
  readonly reserves?: NodeReserves
  /** Removes all pods but these: they went while the agent was away. */
  keepOnly(podUids: ReadonlySet<string>): void

  start(pods: () => Iterable<HostedPod>, listener: PodHostListener): void
  /** The agent stops, within 3 s. What becomes of containers is the runtime's affair. */
  stop(): Promise<void>
}

/** What the agent has for its host. */
export interface PodHostPorts {
  readonly client: ApiClient
  readonly feed: ObjectFeed
  readonly clock: Clock
  readonly log: Logger
  /** The annotations of one of the agent's Nodes, as they are now. */
  annotationsOf(node: string): Readonly<Record<string, string>>
}

/** A kind of node, said once where an agent is composed. */
export type PodHostFactory = (ports: PodHostPorts) => PodHost

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
