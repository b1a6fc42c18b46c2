// The ContainerRuntime port: what a node agent asks of the thing that runs containers. The agent owns the order of
// things (init containers, restarts, back-off, grace, probes) and resolves what the pod refers to (environment, volumes);
// a runtime only runs what it is told and says when it ended. One runtime serves all nodes of an agent, so every sandbox
// names its node. What only a runtime of real containers can do is in `real`; the simulated one has no such part.

import type { NodeStreams } from './node-streams.ts'

/** A pod as the runtime needs it. `annotations` steer the simulated runtime and are ignored by others. */
export interface SandboxConfig {
  readonly podUid: string
  readonly namespace: string
  readonly name: string
  readonly nodeName: string
  /** One of each family that the node has, the primary one first. */
  readonly nodeIPs: readonly string[]
  /** The ranges that pod addresses of this node come from, one of each family: `10.244.1.0/24`. */
  readonly podCIDRs: readonly string[]
  readonly hostNetwork: boolean
  readonly annotations: Readonly<Record<string, string>>
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never'
  /** True when a Job owns the pod: its containers are expected to end by themselves. */
  readonly ownedByJob: boolean
  /** What its containers mount, for a runtime with `real`. */
  readonly volumes?: readonly PodVolume[]
}

/** A volume with all that was referred to resolved. */
export type PodVolume =
  | {
      readonly kind: 'empty'
      readonly name: string
      readonly owner?: number
      /** All its files belong to this group. */
      readonly group?: number
      readonly inMemory?: boolean
      readonly sizeLimitBytes?: number
    }
  | {
      readonly kind: 'image'
      readonly name: string
      readonly reference: string
      /** As the API has it; empty: by the tag. */
      readonly pullPolicy: string
    }
  | {
      readonly kind: 'host'
      readonly name: string
      readonly path: string
      /** What is to be there, by upstream's words: `DirectoryOrCreate`; empty: anything or nothing. */
      readonly type: string
    }
  | {
      readonly kind: 'files'
      readonly name: string
      readonly files: readonly VolumeFile[]
      /** Holds a Secret's content: for nobody's eyes but the owner's, and gone with the pod. */
      readonly secret: boolean
      readonly owner?: number
      readonly group?: number
    }

export interface VolumeFile {
  /** Relative, without `..`: `config/app.json`. */
  readonly path: string
  readonly content: Uint8Array
  /** Permission bits. */
  readonly mode: number
  /** The user to whom this one belongs. */
  readonly owner?: number
}

/**
 * What a container is to its pod: run in order before the others, beside them for ever, the pod's purpose, or added later
 * by somebody who wants to look into the pod (`kubectl debug`).
 */
export type ContainerRole = 'init' | 'sidecar' | 'main' | 'ephemeral'

export interface ContainerConfig {
  readonly name: string
  readonly image: string
  readonly role: ContainerRole
  /** How often this container was started before; with pod and name its identity. */
  readonly attempt: number
  /** Seconds that the container's startup and readiness probes wait before they are asked first; 0 without probes. */
  readonly probeDelaySeconds: number
  /** Command and arguments as the pod's spec has them, nothing expanded: what a simulated container goes by. */
  readonly commandLine?: readonly string[]
  /** What is run, for a runtime with `real`. */
  readonly process?: ProcessConfig
}

/** A container's process, with every reference and variable resolved. */
export interface ProcessConfig {
  /** The program and its arguments. */
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** As the container sees it: `/work`; `/` is its root. */
  readonly workingDir: string
  readonly mounts: readonly VolumeMount[]
  /** Numeric user and group to run as; absent: those of the runtime itself. */
  readonly user?: number
  readonly group?: number
  /** A file, as the container sees it, whose content becomes the message of the end. */
  readonly terminationMessagePath: string
  /** When that file is empty and the container failed, the end of its output is the message. */
  readonly outputAsMessage: boolean
  /** It reads what attached clients type; absent: its input is empty. */
  readonly stdin?: boolean
  /** Its input ends when the first client that was attached to it leaves. */
  readonly stdinOnce?: boolean
}

export interface VolumeMount {
  readonly volume: string
  /** As the container sees it. */
  readonly path: string
  /** A part of the volume, relative; empty: all of it. */
  readonly subPath: string
}

export interface StartedContainer {
  /** `simulated://<id>` */
  readonly containerID: string
  readonly imageID: string
  readonly startedAtMs: number
  /** It could not run at all (its program does not exist): how that counts as an end. No exit is told besides. */
  readonly ended?: ContainerExit
}

/** How a container ended. */
export interface ContainerExit {
  readonly podUid: string
  readonly containerID: string
  readonly exitCode: number
  /** `Completed`, `Error` or `OOMKilled`, as upstream. */
  readonly reason: string
  readonly message?: string
  readonly finishedAtMs: number
}

/** A container that the API says was running when the agent last reported. */
export interface KnownContainer {
  readonly config: ContainerConfig
  readonly containerID: string
  readonly startedAtMs: number
}

/** The last start of a container that an earlier life of the agent ordered, as the runtime knows it. */
export interface RecoveredContainer {
  readonly name: string
  readonly attempt: number
  readonly containerID: string
  readonly startedAtMs: number
  /** How it ended, if it did. No exit is told besides. */
  readonly ended?: ContainerExit
  /** The start before it, if that is still known. */
  readonly previous?: ContainerExit & { readonly startedAtMs: number }
}

/** What a command in a container answered. */
export interface ExecResult {
  readonly exitCode: number
  /** What it printed, standard output and error together, cut at a bound. */
  readonly output: string
  readonly timedOut: boolean
}

export interface PodIdentity {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

/** The runtime could not do it; `reason` is what the container's waiting state shows: `ErrImagePull`. */
export class RuntimeFailure extends Error {
  override readonly name = 'RuntimeFailure'
  readonly reason: string
  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}

export const isRuntimeFailure = (error: unknown): error is RuntimeFailure =>
  error instanceof Error && error.name === 'RuntimeFailure'

/** What one running container used over a window. */
export interface ContainerMeasure {
  readonly podUid: string
  readonly containerID: string
  /** Billionths of a core, on average. */
  readonly cpuNanoCores: number
  readonly memoryWorkingSetBytes: number
  /** The end of the window. */
  readonly atMs: number
  readonly windowMs: number
}

export interface ContainerRuntime {
  /** As nodeInfo shows it: `simulated://1.36.0`. */
  readonly version: string

  /** Present when containers really run. Then `recover` is asked about every pod that the agent meets. */
  readonly real?: RealContainers

  /** Prepares a pod's sandbox and gives its addresses, the first one primary. Rejects with RuntimeFailure. */
  runSandbox(config: SandboxConfig): Promise<readonly string[]>

  /**
   * Pulls the image if need be and starts a container. A start that was ordered before (same pod, name and attempt) is not
   * done twice. Rejects with RuntimeFailure.
   */
  startContainer(podUid: string, container: ContainerConfig): Promise<StartedContainer>

  /** Asks a container to stop and kills it after the grace; the end itself comes as an exit. */
  stopContainer(podUid: string, containerID: string, graceMs: number): void

  /** The pod is over: kills what still runs (without exits), frees its addresses and volumes. Safe for unknown pods. */
  removeSandbox(podUid: string): void

  /** The pod is gone from the API: as removeSandbox, and what its containers printed goes too. */
  removePod(podUid: string): void

  /**
   * Finds a pod again that an earlier life of the agent started; from then on its exits are told. A real runtime says
   * what it knows of the pod's containers; the simulated one, whose containers exist in the API alone, believes `known`
   * and has nothing to add.
   */
  recover(
    config: SandboxConfig,
    podIPs: readonly string[],
    known: readonly KnownContainer[],
  ): Promise<readonly RecoveredContainer[]>

  /** When a started container begins to answer its readiness probe; Infinity: never. Annotations may change it later. */
  readyAtMs(config: SandboxConfig, container: ContainerConfig, startedAtMs: number): number

  /** The one listener for exits. Called in a turn of its own, never from within a call of this port. */
  onExit(listener: (exit: ContainerExit) => void): void

  /** The agent ends in order, within 3 s. What becomes of containers is the runtime's affair. */
  stop(): Promise<void>
}

/** What only a runtime of real containers can do. */
export interface RealContainers {
  /** The user as whom containers run that name none. */
  readonly uid: number

  /** What every container of the pod finds in its environment before its own: PATH, HOME and the like. */
  environment(podUid: string, container: string): Readonly<Record<string, string>>

  /** Brings the content of volumes up to date, each at once as a whole. */
  updateVolumes(podUid: string, volumes: readonly PodVolume[]): Promise<void>

  /** Runs a command beside a running container, in its environment. Rejects with RuntimeFailure. */
  exec(podUid: string, containerID: string, command: readonly string[], timeoutMs: number): Promise<ExecResult>

  /**
   * What running containers use; those of which nothing is known yet are left out. Asked every fifteen seconds. Absent where
   * nothing can be measured.
   */
  measure?(): Promise<readonly ContainerMeasure[]>

  /** Removes all pods but these: they went while the agent was away. */
  keepOnly(podUids: ReadonlySet<string>): void

  /** What goes in and out of running containers while somebody is connected. */
  readonly streams: NodeStreams

  /** Where a container's output is kept: `<n>.log` for its n-th restart, with those that were rotated beside it. */
  logDirectory(pod: PodIdentity, container: string): string
}
