// Messages of CRI as this project sends and reads them; runtime.proto has their numbers. Whole numbers of 64 bits come as
// text, because times in nanoseconds do not fit into a number.

export interface SandboxMetadata {
  readonly name: string
  readonly uid: string
  readonly namespace: string
  readonly attempt: number
}

export type NamespaceModeName = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET'

export interface NamespaceOptionMessage {
  readonly network?: NamespaceModeName
  readonly pid?: NamespaceModeName
  readonly ipc?: NamespaceModeName
  readonly targetId?: string
  readonly usernsOptions?: {
    readonly mode: NamespaceModeName
    readonly uids?: readonly IdMapping[]
    readonly gids?: readonly IdMapping[]
  }
}

export interface IdMapping {
  readonly hostId: number
  readonly containerId: number
  readonly length: number
}

export interface SecurityProfileMessage {
  readonly profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost'
  readonly localhostRef?: string
}

export interface LinuxResourcesMessage {
  readonly cpuPeriod?: number
  readonly cpuQuota?: number
  readonly cpuShares?: number
  readonly memoryLimitInBytes?: number
  readonly oomScoreAdj?: number
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[]
  readonly unified?: Readonly<Record<string, string>>
}

export interface SandboxConfigMessage {
  readonly metadata: SandboxMetadata
  readonly hostname: string
  readonly logDirectory: string
  readonly dnsConfig: {
    readonly servers: readonly string[]
    readonly searches: readonly string[]
    readonly options: readonly string[]
  }
  readonly portMappings: readonly {
    readonly protocol: 'TCP' | 'UDP' | 'SCTP'
    readonly containerPort: number
    readonly hostPort: number
    readonly hostIp: string
  }[]
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly linux: {
    readonly cgroupParent: string
    readonly sysctls: Readonly<Record<string, string>>
    readonly resources?: LinuxResourcesMessage
    readonly overhead?: LinuxResourcesMessage
    readonly securityContext: {
      readonly namespaceOptions: NamespaceOptionMessage
      readonly runAsUser?: { readonly value: number }
      readonly runAsGroup?: { readonly value: number }
      readonly supplementalGroups?: readonly number[]
      readonly privileged: boolean
      readonly seccomp?: SecurityProfileMessage
    }
  }
}

export interface SandboxStatusMessage {
  readonly id: string
  readonly metadata: SandboxMetadata
  readonly state: 'SANDBOX_READY' | 'SANDBOX_NOTREADY'
  readonly createdAt: string
  readonly network: { readonly ip: string; readonly additionalIps: readonly { readonly ip: string }[] } | null
}

export type ListedSandbox = Omit<SandboxStatusMessage, 'network'> & {
  readonly labels: Readonly<Record<string, string>>
}

export interface MountMessage {
  readonly containerPath: string
  readonly hostPath: string
  readonly readonly?: boolean
  readonly recursiveReadOnly?: boolean
  readonly propagation?: 'PROPAGATION_PRIVATE' | 'PROPAGATION_HOST_TO_CONTAINER' | 'PROPAGATION_BIDIRECTIONAL'
  readonly image?: { readonly image: string }
  readonly imageSubPath?: string
}

export interface ContainerSecurityMessage {
  readonly capabilities?: { readonly addCapabilities: readonly string[]; readonly dropCapabilities: readonly string[] }
  readonly privileged: boolean
  readonly namespaceOptions: NamespaceOptionMessage
  readonly runAsUser?: { readonly value: number }
  readonly runAsUsername?: string
  readonly runAsGroup?: { readonly value: number }
  readonly readonlyRootfs: boolean
  readonly supplementalGroups: readonly number[]
  readonly supplementalGroupsPolicy?: 'Merge' | 'Strict'
  readonly noNewPrivs: boolean
  readonly maskedPaths: readonly string[]
  readonly readonlyPaths: readonly string[]
  readonly seccomp?: SecurityProfileMessage
}

export interface ContainerConfigMessage {
  readonly metadata: { readonly name: string; readonly attempt: number }
  readonly image: { readonly image: string; readonly userSpecifiedImage: string }
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly workingDir: string
  readonly envs: readonly { readonly key: string; readonly value: Buffer }[]
  readonly mounts: readonly MountMessage[]
  readonly devices: readonly { readonly containerPath: string; readonly hostPath: string; readonly permissions: string }[]
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly logPath: string
  readonly stdin: boolean
  readonly stdinOnce: boolean
  readonly tty: boolean
  readonly stopSignal?: number
  readonly linux: { readonly resources: LinuxResourcesMessage; readonly securityContext: ContainerSecurityMessage }
}

export type ContainerStateName = 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN'

export interface ListedContainer {
  readonly image: { readonly image: string } | null
  /** The id of the image. */
  readonly imageRef: string
  readonly id: string
  readonly podSandboxId: string
  readonly metadata: { readonly name: string; readonly attempt: number }
  readonly state: ContainerStateName
  readonly createdAt: string
  readonly labels: Readonly<Record<string, string>>
}

export interface ContainerStatusMessage {
  readonly id: string
  readonly metadata: { readonly name: string; readonly attempt: number }
  readonly state: ContainerStateName
  readonly createdAt: string
  readonly startedAt: string
  readonly finishedAt: string
  readonly exitCode: number
  readonly imageRef: string
  readonly imageId: string
  readonly reason: string
  readonly message: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly user: { readonly linux: { readonly uid: string; readonly gid: string; readonly supplementalGroups: readonly string[] } | null } | null
}

export interface ContainerEventMessage {
  readonly containerId: string
  readonly containerEventType:
    | 'CONTAINER_CREATED_EVENT'
    | 'CONTAINER_STARTED_EVENT'
    | 'CONTAINER_STOPPED_EVENT'
    | 'CONTAINER_DELETED_EVENT'
}

export interface ImageMessage {
  readonly id: string
  readonly repoTags: readonly string[]
  readonly repoDigests: readonly string[]
  readonly size: string
  readonly uid: { readonly value: string } | null
  readonly username: string
  /** The runtime wants it to stay. */
  readonly pinned?: boolean
}

export interface ContainerStatsMessage {
  readonly attributes: { readonly id: string; readonly labels: Readonly<Record<string, string>> } | null
  readonly cpu: {
    readonly timestamp: string
    readonly usageCoreNanoSeconds: { readonly value: string } | null
    readonly usageNanoCores: { readonly value: string } | null
  } | null
  readonly memory: {
    readonly timestamp: string
    readonly workingSetBytes: { readonly value: string } | null
    readonly usageBytes?: { readonly value: string } | null
    readonly rssBytes?: { readonly value: string } | null
    readonly pageFaults?: { readonly value: string } | null
    readonly majorPageFaults?: { readonly value: string } | null
  } | null
  readonly writableLayer?: FilesystemUsageMessage | null
}

export interface FilesystemUsageMessage {
  readonly timestamp: string
  readonly fsId: { readonly mountpoint: string } | null
  readonly usedBytes: { readonly value: string } | null
  readonly inodesUsed: { readonly value: string } | null
}
