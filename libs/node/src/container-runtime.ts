// The ContainerRuntime port: what a node agent asks of the thing that runs containers. The agent owns the order of
// things (init containers, restarts, back-off, grace); a runtime only runs what it is told and says when it ended.
// One runtime serves all nodes of a process, so every sandbox names its node.

/** A pod as the runtime needs it. `annotations` steer the simulated runtime and are ignored by others. */
export interface SandboxConfig {
  readonly podUid: string
  readonly namespace: string
  readonly name: string
  readonly nodeName: string
  readonly nodeIP: string
  /** The range that pod addresses of this node come from: `10.244.1.0/24`. */
  readonly podCIDR: string
  readonly hostNetwork: boolean
  readonly annotations: Readonly<Record<string, string>>
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never'
  /** True when a Job owns the pod: its containers are expected to end by themselves. */
  readonly ownedByJob: boolean
}

/** What a container is to its pod: run in order before the others, beside them for ever, or the pod's purpose. */
export type ContainerRole = 'init' | 'sidecar' | 'main'

export interface ContainerConfig {
  readonly name: string
  readonly image: string
  readonly role: ContainerRole
  /** How often this container was restarted; part of its identity. */
  readonly attempt: number
  /** Seconds that the container's startup and readiness probes wait before they are asked first; 0 without probes. */
  readonly probeDelaySeconds: number
}

export interface StartedContainer {
  /** `simulated://<id>` */
  readonly containerID: string
  readonly imageID: string
  readonly startedAtMs: number
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

export interface ContainerRuntime {
  /** As nodeInfo shows it: `simulated://1.36.0`. */
  readonly version: string

  /** Prepares a pod's sandbox and gives its addresses, the first one primary. Rejects with RuntimeFailure. */
  runSandbox(config: SandboxConfig): Promise<readonly string[]>

  /** Pulls the image if need be and starts a container. Rejects with RuntimeFailure. */
  startContainer(podUid: string, container: ContainerConfig): Promise<StartedContainer>

  /** Asks a container to stop and kills it after the grace; the end itself comes as an exit. */
  stopContainer(podUid: string, containerID: string, graceMs: number): void

  /** Forgets a pod: kills what still runs (without exits) and frees its addresses. Safe for unknown pods. */
  removeSandbox(podUid: string): void

  /**
   * Finds a pod again that an earlier life of the agent started. Gives the container ids that still run; those that have
   * ended meanwhile come as exits. A real runtime looks at what it runs; the simulated one, whose containers exist in the
   * API alone, believes `known`.
   */
  recover(config: SandboxConfig, podIPs: readonly string[], known: readonly KnownContainer[]): readonly string[]

  /** When a started container begins to answer its readiness probe; Infinity: never. Annotations may change it later. */
  readyAtMs(config: SandboxConfig, container: ContainerConfig, startedAtMs: number): number

  /** The one listener for exits. Called in a turn of its own, never from within a call of this port. */
  onExit(listener: (exit: ContainerExit) => void): void
}
