// The pods of an agent: one entry each, found by name and by uid.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { SandboxConfig } from '@shiplog/node/container-runtime'
import type { Clock } from '@shiplog/runtime/clock'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import type { HostedPod } from './hosts/pod-host.ts'
import type { NodeConfig } from './node-object.ts'
import { type PodWork, restartPolicyOf, statusOf } from './pod-work.ts'
import { newWriteSlot, type WriteSlot } from './write-queue.ts'

export interface StaticPart {
  mirror: Pod | undefined
}

export interface PodEntry extends HostedPod {
  readonly slot: WriteSlot
  readonly uid: string
  readonly node: NodeConfig
  pod: Pod
  /** Of a pod that a file of the node says: what the API shows of it. */
  readonly static?: StaticPart
  /** Newest sequence that was taken into account, of the feed's or our own writes. */
  sequence: number
  readonly work: PodWork
  /** What it takes from its node, once somebody wanted to know. */
  needs?: PodInfo
  /** The host is being asked what it knows of the pod. */
  recovering: boolean
  wake: Disposable | undefined
  wakeAtMs: number
  /** The final DELETE was accepted; what the feed still shows is finalizers. */
  deleted: boolean
  /** The object is gone from the API. */
  gone: boolean
}

export const newPodEntry = (pod: Pod, node: NodeConfig, sequence: number, work: PodWork, part?: StaticPart): PodEntry => ({
  ...(part ? { static: part } : {}),
  slot: newWriteSlot(),
  uid: pod.metadata.uid,
  node,
  pod,
  sequence,
  work,
  recovering: false,
  wake: undefined,
  wakeAtMs: Number.POSITIVE_INFINITY,
  deleted: false,
  gone: false,
})

/** By `<namespace>/<name>`: a name belongs to one pod at a time. */
export interface PodTable {
  readonly size: number
  get(key: string): PodEntry | undefined
  byUid(uid: string): PodEntry | undefined
  /** By the uid that the API has for it: a mirror's is another than that of its pod. */
  byApiUid(uid: string): PodEntry | undefined
  add(entry: PodEntry): void
  remove(entry: PodEntry): void
  ofNode(name: string): Iterable<PodEntry>
  entries(): Iterable<readonly [string, PodEntry]>
  values(): Iterable<PodEntry>
  uids(): ReadonlySet<string>
}

export function createPodTable(): PodTable {
  const byKey = new Map<string, PodEntry>()
  const byUid = new Map<string, PodEntry>()
  const statics = new Set<PodEntry>()
  const byNode = new Map<string, Set<PodEntry>>()
  return {
    get size() {
      return byKey.size
    },
    get: (key) => byKey.get(key),
    byUid: (uid) => byUid.get(uid),
    byApiUid: (uid) => byUid.get(uid) ?? [...statics].find((entry) => entry.static?.mirror?.metadata.uid === uid),
    add(entry) {
      byKey.set(keyOf(entry), entry)
      byUid.set(entry.uid, entry)
      if (entry.static) statics.add(entry)
      const onNode = byNode.get(entry.node.name)
      if (onNode) onNode.add(entry)
      else byNode.set(entry.node.name, new Set([entry]))
    },
    remove(entry) {
      byUid.delete(entry.uid)
      statics.delete(entry)
      const key = keyOf(entry)
      if (byKey.get(key) === entry) byKey.delete(key)
      byNode.get(entry.node.name)?.delete(entry)
    },
    ofNode: (name) => byNode.get(name) ?? [],
    entries: () => byKey,
    values: () => byKey.values(),
    uids: () => new Set(byUid.keys()),
  }
}

export const podNameOf = ({ pod: { metadata } }: PodEntry): { readonly namespace: string; readonly name: string } => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name,
})

const keyOf = (entry: PodEntry): string => {
  const { namespace, name } = podNameOf(entry)
  return `${namespace}/${name}`
}

/** The pod has its final phase: there is nothing left to run or to report. */
export const isTerminal = (pod: Pod): boolean => /^(Succeeded|Failed)$/.test(statusOf(pod).phase ?? '')

export function sandboxConfigOf({ uid, pod, node }: PodEntry, podCIDRs: readonly string[]): SandboxConfig {
  const { namespace = '', name, annotations = {}, ownerReferences = [] } = pod.metadata
  return {
    podUid: uid,
    namespace,
    name,
    nodeName: node.name,
    nodeIPs: node.internalIPs,
    podCIDRs,
    hostNetwork: pod.spec.hostNetwork === true,
    annotations,
    restartPolicy: restartPolicyOf(pod),
    ownedByJob: ownerReferences.some(({ kind }) => kind === 'Job'),
  }
}

/** At most one timer per pod: the earliest moment at which something is due without a cause from outside. */
export function wakeAt(clock: Clock, entry: PodEntry, atMs: number, wake: () => void): void {
  if (atMs >= entry.wakeAtMs) return
  entry.wake?.[Symbol.dispose]()
  entry.wakeAtMs = atMs
  entry.wake = clock.after(Math.max(0, atMs - clock.nowMs()), () => {
    entry.wakeAtMs = Number.POSITIVE_INFINITY
    entry.wake = undefined
    wake()
  })
}
