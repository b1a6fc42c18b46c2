// The object feed: what controllers, the scheduler and node agents read. It turns records of the log into changes of
// objects, parses each payload once for all consumers of the process, and hands over batches whole.
import type { KubeObject } from '@shiplog/api/kube-object'
import type { ObjectAddress } from '@shiplog/events/subjects'
import { streamOf } from './stream-of.ts'

/** One event, as a consumer in the control plane sees it. Objects are shared between consumers: never mutate one. */
export interface ObjectChange extends ObjectAddress {
  /** `pods`, `deployments.apps`: upstream's GroupResource string. */
  readonly groupResource: string
  readonly sequence: number
  readonly timeMs: number
  /** Past tense type of the event: `PodBound`. */
  readonly type: string
  readonly deleted: boolean
  /** In the storage version, resourceVersion filled in, managedFields left out. For a deletion, the last object. */
  readonly object: KubeObject
}

/** In a list of resources: all others of the stream EVENTS, whatever they are. Custom resources come and go. */
export const otherResources = '*'

/** Whether a list of resources asks for this one, by name or as one of the others. */
export const isWanted = (wanted: ReadonlySet<string>, groupResource: string): boolean =>
  wanted.has(groupResource) || (wanted.has(otherResources) && streamOf(groupResource) === 'events')

export interface FeedBatch {
  readonly changes: readonly ObjectChange[]
  /** Everything up to here of the EVENTS stream has been handed over (also when `changes` holds nothing of it). */
  readonly sequence: number
  /** True from the batch on that completes the initial snapshot. */
  readonly synced: boolean
}

export interface ObjectFeed {
  /**
   * The present objects of these resources (live ones only), then every change, for ever, until the signal aborts.
   * Resources of several streams (`leases.coordination.k8s.io`) may be mixed; `sequence` speaks of EVENTS alone.
   * `otherResources` stands for all that is not named.
   */
  follow(groupResources: readonly string[], signal: AbortSignal): AsyncIterable<FeedBatch>
}
