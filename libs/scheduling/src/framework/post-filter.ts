// Post-filter: what is tried when a pod fits nowhere. The answer is data; whoever asked carries it out.
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { RejectedNode } from './evaluate.ts'
import type { Rejection, PodChanges } from './framework.ts'

export interface PostFilterQuestion {
  readonly pod: PodInfo
  readonly snapshot: Snapshot
  readonly seed: number
  /** The nodes that were looked at and why each was rejected; all others could not be helped by making room. */
  readonly rejected: readonly RejectedNode[]
  /** What the filters say of a node (which may be a copy with other pods on it), nominated pods included. */
  readonly fits: (node: NodeInfo, changes: PodChanges) => Rejection | undefined
}

/** Pods to be deleted, so that a pod gets its place on their node. */
export interface Preemption {
  readonly node: string
  /** The most important first. */
  readonly victims: readonly PodInfo[]
}

/** As it is recorded: where room is made, and the uids of the pods that go. */
export interface PreemptionRecord {
  readonly node: string
  readonly victims: readonly string[]
}

export const preemptionRecord = ({ node, victims }: Preemption): PreemptionRecord => ({
  node,
  victims: victims.map(({ uid }) => uid),
})

export interface PostFilterResult {
  /** The second half of a FailedScheduling message; undefined when room is being made. */
  readonly message: string | undefined
  readonly preemption?: Preemption
  /** Whether the pod is not to be kept nominated for the node that it was nominated for. */
  readonly clearsNomination: boolean
}
