// What a simulated node looks like: the Node object that registers it, its status, and its Lease. Pure.
import type { IpRanges } from '@shiplog/api/ip-address'
import type { NodeStatus, Taint } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Machine } from '@shiplog/node/machine'
import { rfc3339, rfc3339Micro } from '@shiplog/runtime/clock'
import { sentencesOf } from './node-conditions.ts'
import { machinePodRanges, podRangesOf, simulatedAddresses } from '@shiplog/control-plane/pod-ranges'

/** On every node: what runs its containers, `simulated`, `process` or `containerd`. */
export const runtimeLabel = 'shiplog.dev/runtime'

/** The Kubernetes release whose kubelet the nodes behave like. */
export const kubeletVersion = 'v1.36.0'

export interface NodeConfig {
  readonly name: string
  /** One of each family that the node has, the primary one first; so are the ranges of its pods. */
  readonly internalIPs: readonly string[]
  readonly podCIDRs: readonly string[]
  readonly capacity: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly taints?: readonly Taint[]
  readonly osImage: string
  readonly kernelVersion: string
  readonly architecture: string
}

export interface SimulatedNodes {
  readonly count: number
  /** Nodes are called `<prefix>-0`, `<prefix>-1` …; default `node`. */
  readonly prefix?: string
  /** Merged over cpu 8, memory 32Gi, ephemeral-storage 100Gi, pods 110. */
  readonly capacity?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  /** Where addresses of pods come from, a range or one of each family. */
  readonly podRanges?: IpRanges | undefined
}

export const defaultCapacity: Readonly<Record<string, string>> = {
  cpu: '8',
  'ephemeral-storage': '100Gi',
  'hugepages-1Gi': '0',
  'hugepages-2Mi': '0',
  memory: '32Gi',
  pods: '110',
}

const standardLabels = (name: string, architecture: string): Record<string, string> => ({
  'beta.kubernetes.io/arch': architecture,
  'beta.kubernetes.io/os': 'linux',
  'kubernetes.io/arch': architecture,
  'kubernetes.io/hostname': name,
  'kubernetes.io/os': 'linux',
})

/** The nodes of one agent, always the same for the same options. */
export function simulatedNodes(options: SimulatedNodes): NodeConfig[] {
  const capacity = { ...defaultCapacity, ...options.capacity }
  const { pods } = capacity as Readonly<Record<string, string>>
  return Array.from({ length: options.count }, (_, index) => {
    const name = `${options.prefix ?? 'node'}-${index}`
    return {
      name,
      internalIPs: simulatedAddresses(index, options.podRanges),
      podCIDRs: podRangesOf(index, Number(pods), options.podRanges),
      capacity,
      labels: { ...standardLabels(name, 'amd64'), [runtimeLabel]: 'simulated', ...options.labels },
      osImage: 'Shiplog simulated node',
      kernelVersion: '6.12.0-simulated',
      architecture: 'amd64',
    }
  })
}

/** One node of those that an agent with `prefix` would have, by its name `<prefix>-<index>`. */
export function simulatedNode(name: string, podRanges?: IpRanges): NodeConfig {
  const [, prefix, digits] = /^(.+)-(\d{1,5})$/.exec(name) ?? []
  if (prefix === undefined) throw new Error(`a simulated node is called <prefix>-<number>, as node-0: not ${name}`)
  const index = Number(digits)
  const node = simulatedNodes({ prefix, count: index + 1, podRanges })[index]!
  if (node.name !== name)
    throw new Error(`a simulated node is called <prefix>-<number>, without zeros before it: not ${name}`)
  return node
}

const goArchitecture = (architecture: string): string => (architecture === 'x64' ? 'amd64' : architecture)

/** The node that stands for this machine; it carries the control plane and nothing else unless a pod tolerates that. */
export function controlPlaneNode(machine: Machine, podRanges?: IpRanges): NodeConfig {
  const name = controlPlaneNodeName
  const architecture = goArchitecture(machine.architecture)
  return {
    name,
    internalIPs: [machine.internalIP],
    podCIDRs: machinePodRanges('controlPlane', podRanges),
    capacity: {
      ...defaultCapacity,
      cpu: String(machine.cpus),
      memory: `${Math.floor(machine.memoryBytes / 1_024)}Ki`,
    },
    labels: {
      ...standardLabels(name, architecture),
      'node-role.kubernetes.io/control-plane': '',
      'node.kubernetes.io/exclude-from-external-load-balancers': '',
    },
    taints: [{ effect: 'NoSchedule', key: 'node-role.kubernetes.io/control-plane' }],
    osImage: machine.osImage,
    kernelVersion: machine.kernelVersion,
    architecture,
  }
}

export const controlPlaneNodeName = 'shiplog-control-plane'

/**
 * The node whose pods are processes of this machine. Its taint keeps away whatever does not ask for that: most pods bring
 * an image and no command, and nobody's command is to run on a machine by accident.
 */
export function processNode(
  name: string,
  machine: Machine & { readonly diskBytes: number },
  podRanges?: IpRanges,
): NodeConfig {
  const architecture = goArchitecture(machine.architecture)
  return {
    name,
    internalIPs: [machine.internalIP],
    podCIDRs: machinePodRanges('process', podRanges),
    capacity: {
      ...defaultCapacity,
      cpu: String(machine.cpus),
      memory: `${Math.floor(machine.memoryBytes / 1_024)}Ki`,
      'ephemeral-storage': `${Math.floor(machine.diskBytes / 1_024)}Ki`,
    },
    labels: { ...standardLabels(name, architecture), [runtimeLabel]: 'process' },
    taints: [{ effect: 'NoSchedule', key: runtimeLabel, value: 'process' }],
    osImage: machine.osImage,
    kernelVersion: machine.kernelVersion,
    architecture,
  }
}

/** A node whose pods run in a container runtime: of this machine, or in namespaces of its own on it. */
export function containerNode(
  name: string,
  machine: Machine & { readonly diskBytes: number },
  place: { readonly internalIP: string; readonly podCIDRs: readonly string[]; readonly isTainted: boolean },
): NodeConfig {
  const architecture = goArchitecture(machine.architecture)
  return {
    name,
    internalIPs: [place.internalIP],
    podCIDRs: place.podCIDRs,
    capacity: {
      ...defaultCapacity,
      cpu: String(machine.cpus),
      memory: `${Math.floor(machine.memoryBytes / 1_024)}Ki`,
      'ephemeral-storage': `${Math.floor(machine.diskBytes / 1_024)}Ki`,
    },
    labels: { ...standardLabels(name, architecture), [runtimeLabel]: 'containerd' },
    ...(place.isTainted ? { taints: [{ effect: 'NoSchedule', key: runtimeLabel, value: 'containerd' }] } : {}),
    osImage: machine.osImage,
    kernelVersion: machine.kernelVersion,
    architecture,
  }
}

/** The machine's host name, unless no node can be called so or another one is. */
export function processNodeName(hostName: string, isTaken: (name: string) => boolean): string {
  const name = hostName.toLowerCase()
  const isValid = name.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name)
  return isValid && !isTaken(name) ? name : 'process-0'
}

/** Ids of a node's machine; only `bootID` differs from one life of the agent to the next. */
export interface NodeIdentity {
  readonly bootID: string
  readonly runtimeVersion: string
  /** What the node is short of now, by the types of its conditions. */
  readonly pressures?: () => ReadonlySet<string>
}

const stableUuid = (name: string, salt: number): string => {
  let digits = ''
  for (let part = 0; part < 4; part++) {
    let hash = 0x811c9dc5 ^ (salt + part)
    for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
    digits += (hash >>> 0).toString(16).padStart(8, '0')
  }
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-8${digits.slice(17, 20)}-${digits.slice(20, 32)}`
}

/** What the agent reports: all but the port of a kubelet, which there is none of. */
export type ReportedNodeStatus = Omit<NodeStatus, 'daemonEndpoints'>

/** The status as of now; transitions keep the time that `before` gives them. */
export function nodeStatus(
  config: NodeConfig,
  identity: NodeIdentity,
  before: ReportedNodeStatus | undefined,
  nowMs: number,
): ReportedNodeStatus {
  const now = rfc3339(nowMs)
  const old = before?.conditions ?? []
  return {
    addresses: [
      ...config.internalIPs.map((address) => ({ address, type: 'InternalIP' })),
      { address: config.name, type: 'Hostname' },
    ],
    allocatable: config.capacity,
    capacity: config.capacity,
    conditions: sentencesOf(identity).map(([type, status, reason, message]) => {
      const previous = old.find((condition) => condition.type === type)
      const since = previous?.status === status ? previous.lastTransitionTime : undefined
      return {
        lastHeartbeatTime: now,
        lastTransitionTime: since ?? now,
        message,
        reason,
        status,
        type,
      }
    }),
    nodeInfo: {
      architecture: config.architecture,
      bootID: identity.bootID,
      containerRuntimeVersion: identity.runtimeVersion,
      kernelVersion: config.kernelVersion,
      kubeProxyVersion: '',
      kubeletVersion,
      machineID: stableUuid(config.name, 0).replaceAll('-', ''),
      operatingSystem: 'linux',
      osImage: config.osImage,
      systemUUID: stableUuid(config.name, 8),
    },
  }
}

/** Whether the API's status of a node differs from what its agent reports, heartbeat times aside. */
export function nodeStatusDiffers(shown: ReportedNodeStatus | undefined, identity: NodeIdentity): boolean {
  const conditions = shown?.conditions ?? []
  return (
    shown?.nodeInfo?.bootID !== identity.bootID ||
    sentencesOf(identity).some(([type, status, reason]) => {
      const condition = conditions.find((candidate) => candidate.type === type)
      return condition?.status !== status || condition.reason !== reason
    })
  )
}

export function nodeObject(config: NodeConfig, identity: NodeIdentity, nowMs: number): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: config.name,
      labels: config.labels,
      annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true', ...config.annotations },
    },
    spec: {
      // A node that brings none is given some.
      ...(config.podCIDRs[0] === undefined ? {} : { podCIDR: config.podCIDRs[0], podCIDRs: config.podCIDRs }),
      ...(config.taints ? { taints: config.taints } : {}),
    },
    status: nodeStatus(config, identity, undefined, nowMs),
  }
}

export const leaseNamespace = 'kube-node-lease'
export const leaseDurationSeconds = 40

export const leaseObject = (name: string, uid: string, nowMs: number): JsonObject => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: {
    name,
    namespace: leaseNamespace,
    ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid }],
  },
  spec: { holderIdentity: name, leaseDurationSeconds, renewTime: rfc3339Micro(nowMs) },
})
