// The framework: what a scheduling plugin is. Points and names are upstream's. A plugin is a value of pure functions: what
// can be computed ahead of time lives in the pod's shape and in the node; what has to be counted over pods lives in a state of
// the snapshot (plugin-state.ts), which is a fold of the same events.
import type { NodeDifference, NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { PostFilterQuestion, PostFilterResult } from './post-filter.ts'

export const scoreMax = 100

/** Why a node will not do. */
export interface Rejection {
  /** Upstream's sentences: `Insufficient cpu`. */
  readonly reasons: readonly string[]
  /** False when removing pods from the node could not help (upstream: UnschedulableAndUnresolvable). */
  readonly resolvable: boolean
}

/** Pods that are tried out on a node, in addition to what the snapshot counts there, and pods thought away from it. */
export interface PodChanges {
  readonly added: readonly PodInfo[]
  readonly removed: readonly PodInfo[]
}

/** What a plugin says of each node this time: it depends on more than the pod and the node. `changes` are on this node. */
export type CycleFilter = (node: NodeInfo, changes?: PodChanges) => Rejection | undefined

/** What preFilter may say before any node is looked at. */
export type PreFilterResult =
  /** Only these nodes can do. */
  | { readonly names: ReadonlySet<string> }
  /** No node can do. */
  | { readonly rejected: string }
  | { readonly filter: CycleFilter }

/**
 * Judges nodes over many decisions about pods that are alike for the plugin. Nodes that it cannot tell apart form a class, which is
 * a small number; what it says of classes may change with every decision, and costs nothing for each of their nodes.
 */
export interface NodeClassifier {
  /** Takes in what has changed about the node, and says which class it is in by now. */
  classOf(node: NodeInfo): number
  /** Nodes whose class may have changed together with others, since the last call; undefined: all. */
  moved(): Iterable<NodeInfo> | undefined
  /** The filter: which classes pass, as of now. */
  judge(): (nodeClass: number) => boolean
  /** Whether it has a score. */
  readonly scores: boolean
  /** Raw scores as of now; `sizes`: how many nodes pass all filters, of each class that has some. */
  score(sizes: ReadonlyMap<number, number>): (nodeClass: number) => number
  /** Once false, another classifier has to be made. */
  readonly isCurrent: boolean
}

/** The lowest and highest raw score among the nodes that passed the filters. */
export interface ScoreRange {
  readonly lowest: number
  readonly highest: number
}

/** Something that happened in the cluster and may make a waiting pod fit. */
export type ClusterEvent =
  | { readonly type: 'NodeAdded'; readonly node: NodeInfo }
  | { readonly type: 'NodeUpdated'; readonly node: NodeInfo; readonly difference: NodeDifference }
  | { readonly type: 'NodeRemoved'; readonly node: NodeInfo }
  /** A pod was bound (upstream: AssignedPodAdd). */
  | { readonly type: 'PodAdded'; readonly pod: PodInfo }
  /** A bound pod has other labels. */
  | { readonly type: 'PodRelabelled'; readonly before: PodInfo; readonly after: PodInfo }
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
  readonly preFilter?: (pod: PodInfo, snapshot: Snapshot) => PreFilterResult | undefined
  /** Whether `filter` has anything to say about pods of this kind (upstream: Skip); default yes. */
  readonly filters?: (pod: PodInfo) => boolean
  /** Depends on this pod and this node alone. */
  readonly filter?: (pod: PodInfo, node: NodeInfo) => Rejection | undefined
  /** Whether `score` has anything to say about pods of this kind (upstream: Skip); default yes. */
  readonly scores?: (pod: PodInfo) => boolean
  /** A whole number; depends on this pod and this node alone. */
  readonly score?: (pod: PodInfo, node: NodeInfo) => number
  /** As `score`, where that depends on more than the pod and the node: what holds for this one decision. */
  readonly preScore?: (
    pod: PodInfo,
    snapshot: Snapshot,
    feasible: readonly NodeInfo[],
  ) => ((node: NodeInfo) => number) | undefined
  /** Brings a raw score to 0…100. Without it the raw score is in that range already. */
  readonly normalize?: (raw: number, range: ScoreRange) => number
  /** The raw score of nodes that are not judged: it does not count for the range. */
  readonly unjudged?: number
  /**
   * For plugins with preFilter or preScore: pods of equal shape with equal signs get the same from them, and an empty sign
   * means nothing at all. Undefined: such a pod is decided alone (upstream: unsignable).
   */
  readonly sign?: (pod: PodInfo, snapshot: Snapshot) => string | undefined
  /** For pods with a sign that is not empty. Undefined: such pods are decided alone, too. */
  readonly classify?: (pod: PodInfo, snapshot: Snapshot) => NodeClassifier | undefined
  /** Makes room for a pod that fits nowhere. */
  readonly postFilter?: (question: PostFilterQuestion) => PostFilterResult
  /** Whether the event may help a pod that this plugin rejected (upstream: queueing hint). */
  readonly wakes?: (pod: PodInfo, event: ClusterEvent) => boolean
  /** Whether `wakes` looks at the pod's own namespace and labels, and not only at its shape. */
  readonly wakesByLabels?: boolean
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
