// What a reconciler is: a pure function from a key and a view to commands, with the wiring that says which changes wake
// which keys. It is level-triggered: it never sees an event, may be run twice at any time, and the second run, with the
// first one's effects in the view, returns nothing new.
import { type ObjectChange, otherResources } from '@shiplog/feed/object-feed'
import type { ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { ObjectOf } from '@shiplog/api/object-of'
import type { Status } from '@shiplog/api/status'
import { keyOf, type ObjectView, type ViewIndex } from './view.ts'

/** An Event object to be recorded about an object; see events-recorder.ts. */
export interface EventRecord {
  readonly object: KubeObject
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

/** One command, and what to tell people when it was done or refused. */
export interface Command {
  readonly request: ApiRequest
  readonly event?: EventRecord
  readonly failureEvent?: (status: Status) => EventRecord
  /**
   * Deletions only: the matter (a uid, say) that this round decides, and that no other round may have decided since what
   * the view shows; see ApiRequest.once.
   */
  readonly onceFor?: string
}

export interface CommandFailure {
  readonly request: ApiRequest
  readonly status: Status
}

/** All that a reconciler may know besides the view. */
export interface ReconcileContext {
  readonly nowMs: number
  /** When this runner's view was first complete: what was not seen before then is not thereby old. */
  readonly startedMs: number
  /** The refused commands of the key's last round; empty after a round in which all went well. */
  readonly failures: readonly CommandFailure[]
  /** How many rounds of the key on end met names that were used before (see ApiRequest.onlyNew). */
  readonly usedNameRounds: number
  /** What `observe` has made of what it looked up for this round. */
  readonly observed?: JsonObject | undefined
  /** What the key's last round wanted remembered; lost when the runner ends or the key moves to another replica. */
  readonly memory?: JsonObject | undefined
}

/**
 * Looks up what no view holds: metrics, somebody's rights. It yields requests, is given their answers, and returns the value
 * that `reconcile` gets as an argument, small enough to be recorded with what it causes. An error that it throws is retried
 * with back-off.
 */
export type Observation = Generator<readonly ApiRequest[], JsonObject | undefined, readonly ApiResult[]>

export interface ReconcileResult {
  /** Sent concurrently: none may depend on another of the same round, and no object is written twice in one. */
  readonly commands?: readonly Command[]
  /** Run the key again after so long, though nothing changed. */
  readonly requeueAfterMs?: number
  readonly events?: readonly EventRecord[]
  /** For the key's next round; see ReconcileContext.memory. Nothing is remembered when absent. */
  readonly memory?: JsonObject | undefined
}

/** A change of an object of this resource. */
export type ChangeOf<R extends string> = Omit<ObjectChange, 'object'> & { readonly object: ObjectOf<R> }

/**
 * Which keys a change of a resource enqueues. A watch of `otherResources` is told of all that the reconciler has no watch of by
 * name. `before` is the object as it was; undefined for a new one.
 */
export interface ResourceWatch {
  readonly groupResource: string
  keys(change: ObjectChange, before: KubeObject | undefined, view: ObjectView): Iterable<string>
}

export interface Reconciler {
  /** The queue's name in metrics and logs: `deployment`. */
  readonly name: string
  /** Source component of its Event objects: `deployment-controller`. */
  readonly component: string
  readonly resources: readonly ResourceWatch[]
  readonly indexes?: readonly ViewIndex[]
  /** How many keys may be worked on at a time; the runner's default when absent. */
  readonly workers?: number
  /** Pure but for what its requests are answered; undefined when there is nothing to look up for the key. */
  observe?(key: string, view: ObjectView, context: Pick<ReconcileContext, 'nowMs' | 'memory'>): Observation | undefined
  reconcile(key: string, view: ObjectView, context: ReconcileContext): ReconcileResult
}

/** The watches of a reconciler that a change of a resource concerns. */
export function watchesOf({ resources }: Reconciler, groupResource: string): readonly ResourceWatch[] {
  const named = resources.filter((watch) => watch.groupResource === groupResource)
  return named.length > 0 ? named : resources.filter((watch) => watch.groupResource === otherResources)
}

/** The reconciler's own kind: the object's key. */
export const forResource = (groupResource: string): ResourceWatch => ({
  groupResource,
  keys: (change) => [keyOf(change.namespace, change.name)],
})

const controllersOf = (object: KubeObject | undefined, kind: string): readonly string[] =>
  object?.metadata.ownerReferences
    ?.filter((reference) => reference.controller && reference.kind === kind)
    .map((reference) => keyOf(object.metadata.namespace, reference.name)) ?? []

/** Objects that the reconciler's kind controls: the key of the controller, also of the one it had before. */
export const ownsResource = (groupResource: string, ownerKind: string): ResourceWatch => ({
  groupResource,
  keys: (change, before) => {
    const keys = controllersOf(change.object, ownerKind)
    if (!before || before.metadata.ownerReferences === change.object.metadata['ownerReferences']) return keys
    return new Set([...keys, ...controllersOf(before, ownerKind)])
  },
})

/** Objects that are only read: their changes enqueue nothing. */
export const readsResource = (groupResource: string): ResourceWatch => ({ groupResource, keys: () => [] })

/** Any other wiring. */
export const watchesResource = <R extends string>(
  groupResource: R,
  keys: (change: ChangeOf<R>, before: ObjectOf<R> | undefined, view: ObjectView) => Iterable<string>,
): ResourceWatch => ({ groupResource, keys: keys as ResourceWatch['keys'] })

/** Nothing to do. */
export const settled: ReconcileResult = {}
