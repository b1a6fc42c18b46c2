// The framework: what a scheduling plugin is. Points and names are upstream's. A plugin is a value of pure functions; it
// keeps nothing between pods, since all that can be computed ahead of time lives in the pod's shape and in the node.
import type { NodeDifference, NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Volumes } from '../volumes/volumes.ts'

export const scoreMax = 100

/** Why a node will not do. */
export interface Rejection {
  /** Upstream's sentences: `Insufficient cpu`. */
  readonly reasons: readonly string[]
  /** False when removing pods from the node could not help (upstream: UnschedulableAndUnresolvable). */
  readonly resolvable: boolean
}

/** What preFilter may say before any node is looked at. */
export type PreFilterResult =
  /** Only these nodes can do. */
  | { readonly names: ReadonlySet<string> }
  /** No node can do. */
  | { readonly rejected: string }
  /** What the plugin says of each node this time: it depends on more than the pod and the node. */
  | { readonly filter: (node: NodeInfo) => Rejection | undefined }

/** The lowest and highest raw score among the nodes that passed the filters. */
export interface ScoreRange {
  readonly lowest: number
  readonly highest: number
}

/** Something that happened in the cluster and may make a waiting pod fit. */
export type ClusterEvent =
  | { readonly type: 'NodeAdded'; readonly node: NodeInfo }
  | { readonly type: 'NodeUpdated'; readonly node: NodeInfo; readonly difference: NodeDifference }
  /** A bound pod went away, finished or shrank: `pod` is what was counted before. */
  | { readonly type: 'PodFreed'; readonly pod: PodInfo }
  /** A claim, a volume or a storage class came, went or changed. */
  | { readonly type: 'VolumesChanged' }

export interface Plugin {
  /** Upstream's name: `NodeResourcesFit`. */
  readonly name: string
  /** Why the pod may not even enter the queue, if so. */
  readonly preEnqueue?: (pod: PodInfo) => string | undefined
  /** Negative when `a` goes first. */
  readonly queueSort?: (a: QueueOrder, b: QueueOrder) => number
  readonly preFilter?: (pod: PodInfo, volumes: Volumes) => PreFilterResult | undefined
  /** Whether `filter` has anything to say about pods of this kind (upstream: Skip); default yes. */
  readonly filters?: (pod: PodInfo) => boolean
  /** Depends on this pod and this node alone. */
  readonly filter?: (pod: PodInfo, node: NodeInfo) => Rejection | undefined
  /** Whether `score` has anything to say about pods of this kind (upstream: Skip); default yes. */
  readonly scores?: (pod: PodInfo) => boolean
  /** A whole number; depends on this pod and this node alone. */
  readonly score?: (pod: PodInfo, node: NodeInfo) => number
  /** Brings a raw score to 0…100. Without it the raw score is in that range already. */
  readonly normalize?: (raw: number, range: ScoreRange) => number
  /** Whether the event may help a pod that this plugin rejected (upstream: queueing hint). */
  readonly wakes?: (pod: PodInfo, event: ClusterEvent) => boolean
}

/** What the order of the queue may look at. */
export interface QueueOrder {
  readonly priority: number
  /** When the pod entered the queue. */
  readonly enqueuedMs: number
}

/** Upstream's DefaultNormalizeScore: the highest gets 100, the others in proportion; reversed, few are better. */
export const normalizeByHighest =
  (reverse: boolean) =>
  (raw: number, range: ScoreRange): number => {
    if (range.highest === 0) return reverse ? scoreMax : raw
    const share = Math.trunc((scoreMax * raw) / range.highest)
    return reverse ? scoreMax - share : share
  }
