// The ApiClient port: how controllers, the scheduler and node agents send commands. In one process it calls the
// gateway's pipeline directly, between processes it is HTTP; the semantics are those of the Kubernetes API either way.
import type { JsonObject, KubeObject } from './kube-object.ts'
import type { Status } from './status.ts'

export type Verb = 'get' | 'list' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

export type PatchType =
  | 'application/json-patch+json'
  | 'application/merge-patch+json'
  | 'application/strategic-merge-patch+json'
  | 'application/apply-patch+yaml'

export interface Once {
  readonly matter: string
  readonly round: string
  readonly claim?: Claim
  /** Other matters that the same request decides, sorted: without claims. */
  readonly also?: readonly string[]
}

/**
 * What a request takes of a matter of which there is a quantity (a node's room): with it, other rounds do no harm as long
 * as what they took after `basis` fits beside it.
 */
export interface Claim {
  /** Counts the claims of the round: a claim has reckoned with those of its own round before it. */
  readonly order: number
  readonly take: Readonly<Record<string, number>>
  /** How much of each that is taken was left over at `basis`, this claim and those before it in its round deducted. */
  readonly room: Readonly<Record<string, number>>
}

/** One request to the API. `version` defaults to the storage version of the resource. */
export interface ApiRequest {
  readonly verb: Verb
  readonly group: string
  readonly version?: string
  readonly resource: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
  /** The object, the patch, or DeleteOptions. */
  readonly body?: JsonObject | readonly JsonObject[]
  readonly patchType?: PatchType
  /** Query parameters as on the wire: `{fieldManager: 'x', labelSelector: 'a=b', dryRun: 'All'}`. */
  readonly query?: Readonly<Record<string, string>>
  /**
   * Create only: refuse (409, `nameUsedBefore` of status.ts) when an object of this name has existed and gone. With it, a
   * name derived from a counter is used at most once, however stale the view of the one who derived it.
   */
  readonly onlyNew?: boolean
  /**
   * Deletions and bindings: for what must not be decided twice from different pasts, as which pods a set gives up, or what
   * a node still has room for. Refused (409, `decidedElsewhere` of status.ts) when another round of the same matter was
   * stored after `basis`; the requests of one round do not hinder one another.
   */
  readonly once?: Once
  /** Asked at the last moment before the request goes out, each time that it does; once it says no, it is not sent. */
  readonly isWanted?: () => boolean
  /** The sequence of the event that made the caller act; recorded with the event. */
  readonly cause?: number
  /** The sequence that a decision saw, and the decision as JSON; recorded with the event. */
  readonly basis?: number
  readonly decision?: string
}

export type ApiResult =
  | {
      readonly ok: true
      readonly code: number
      /** The object (or list, or Status) as the API answers. */
      readonly object: KubeObject
      /** The sequence that the write got, or that the read is as of. 0 when nothing was written (no change, dry run). */
      readonly sequence: number
    }
  | { readonly ok: false; readonly code: number; readonly status: Status }

export interface ApiClient {
  /** Refusals are values. Throws only when the API cannot be reached. */
  request(request: ApiRequest): Promise<ApiResult>

  /**
   * Records an attempt to schedule that failed (`dec.<scheduler>.<namespace>.<pod>`). `record` is what explain and
   * replay need: basis, assumed pods, configuration, seed, and the verdicts.
   */
  recordAttempt(attempt: { scheduler: string; namespace: string; pod: string; record: JsonObject }): Promise<void>
}
