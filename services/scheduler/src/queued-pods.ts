// What the scheduling queue offers, and what it says of the pods in it.
import type { ClusterEvent, QueueOrder } from '@shiplog/scheduling/framework/framework'
import type { Profiles } from '@shiplog/scheduling/framework/profiles'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'

/** Where a pod of the queue is; `scheduling` while it is decided or being bound. */
export type Place = 'active' | 'backoff' | 'unschedulable' | 'gated' | 'scheduling'

/** A pod that waits for its node. */
export interface QueuedPod extends QueueOrder {
  readonly pod: PodInfo
  readonly place: Place
  /** Attempts so far. */
  readonly attempts: number
}

export interface QueueDepths {
  readonly active: number
  readonly backoff: number
  readonly unschedulable: number
  readonly gated: number
}

export interface SchedulingQueue {
  /** Takes in a pod that waits for its node, or what became of one that is here already. */
  set(pod: PodInfo): void
  delete(uid: string): void
  get(uid: string): QueuedPod | undefined
  /** The next pod to decide, which then is `scheduling` until `fail`, `retry` or `delete`. */
  pop(): QueuedPod | undefined
  /** Marks a pod as `scheduling` that is being bound already (its decision is older than this queue). */
  take(uid: string): void
  /** The pod fits nowhere; these plugins rejected nodes. */
  fail(uid: string, plugins: readonly string[]): void
  /** Something else went wrong (a refused binding): the pod is tried again after its back-off. */
  retry(uid: string): void
  /** The decision came to nothing through no fault of the pod's: it is tried again at once, as if it had not been. */
  again(uid: string): void
  /** Brings back a pod that fits nowhere: what was to help it did not come about. */
  activate(uid: string): void
  /** Takes out those of the pods that may be decided, in the order in which they would have come, to decide them together. */
  popTogether(uids: Iterable<string>): readonly QueuedPod[]
  /** The pods' group is another one by now: those that were held back may enter, those that fitted nowhere may fit. */
  reconsider(uids: Iterable<string>): void
  /** Puts a pod that is being decided back to those that may not be decided. */
  hold(uid: string): void
  /** Brings back the pods that the event may help. */
  wake(event: ClusterEvent): void
  /** Brings back pods that have fitted nowhere for long, in case a hint was wrong. */
  flush(): void
  /** When the next pod becomes ready by itself: undefined when none is waiting for a time. */
  nextReadyMs(): number | undefined
  depths(): QueueDepths
}

export interface SchedulingQueueOptions {
  readonly profiles: Profiles
  readonly nowMs: () => number
  /** Why a pod may not be decided yet, besides what the plugins say of it: its group. */
  readonly heldBack?: (pod: PodInfo) => string | undefined
  /** Told of every entry into active, backoff, unschedulable or gated, and why: upstream's event labels. */
  readonly onIncoming?: (place: Place, event: string) => void
}
