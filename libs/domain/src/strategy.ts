// What a kind may say for itself. The generic decider (decider.ts) does what all kinds share: names, metadata,
// generation, finalizers, resourceVersion, managed fields. A strategy adds defaults, validation, immutable fields and
// what a status write may touch. All functions are pure; those that "fill" or "prepare" change the draft they are given.
import type { IpRanges } from '@shiplog/api/ip-address'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import type { StatusCause } from '@shiplog/api/status'
import type { AdmissionView } from './admission.ts'

/** Who asks. */
export interface User {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** Everything from outside that a decision may use, as arguments, so that it can be recomputed. */
export interface DecisionContext {
  readonly nowMs: number
  readonly user: User
  /** A fresh unique id. */
  uuid(): string
  /** An integer in [0, below). */
  integer(below: number): number
  /** Where addresses of Services come from; default 10.96.0.0/12. */
  readonly serviceRanges?: IpRanges
}

/** Resources that only one object may hold at a time: cluster IPs, node ports. Held by guards of the log. */
export interface Allocations {
  /** The uid of the object that holds `key` (`clusterip/10.96.0.10`, `nodeport/TCP/30080`), if any. */
  holder(key: string): string | undefined
}

/** What an object's change takes and gives back; each becomes a guard in the same atomic batch. */
export interface AllocationChange {
  readonly take: readonly string[]
  readonly release: readonly string[]
}

export interface Strategy {
  /** Whether metadata.generation is kept. Default: the kind has a `spec`. */
  readonly hasGeneration?: boolean
  /** Whether an update without resourceVersion is accepted. Default true. */
  readonly allowUnconditionalUpdate?: boolean
  /** Whether PUT to a missing name creates it. Default false. */
  readonly allowCreateOnUpdate?: boolean
  /** Why the name is not one, as sentences; default: DNS-1123 subdomain. */
  validateName?(name: string): readonly string[]
  /** Whether a finalizer of nobody's domain is fine: so upstream has it outside its oldest packages. */
  readonly anyFinalizers?: boolean
  /** Whether nobody looks at generateName: upstream validates the metadata of these kinds only in part. */
  readonly anyGenerateName?: boolean
  /** Fills upstream's defaults. Runs on every write after decoding, and is idempotent. */
  setDefaults?(draft: KubeObject): void
  /** Clears what a create may not set (status, …). Default: status is dropped when the kind has a status subresource. */
  prepareForCreate?(draft: KubeObject, context: DecisionContext): void
  /** Adds what upstream adds when it reads a created object back from its storage: nothing judges it. */
  completeCreated?(object: KubeObject): void
  /** Keeps what a main write may not touch. Default: status is copied from `before` when there is a status subresource. */
  prepareForUpdate?(draft: KubeObject, before: KubeObject): void
  /** Keeps all that a status write may not touch. Default: all but status, and but the metadata that the kind lets it write
   * (status-metadata.ts), is copied from `before`. */
  prepareForStatusUpdate?(draft: KubeObject, before: KubeObject, nowMs: number): void
  /** Whether this change moves the generation. Default: anything outside metadata and status differs. */
  changesGeneration?(next: KubeObject, before: KubeObject): boolean
  /** `before` is there on updates: some of what was stored may stay though it would not be taken today. */
  validate?(next: KubeObject, before?: KubeObject): readonly StatusCause[]
  /** What others in the cluster decide: whether its namespace may ask for this, say. Told before all else. */
  validateAgainst?(next: KubeObject, before: KubeObject | undefined, view: AdmissionView, subresource: string): readonly StatusCause[]
  /** What only a create is refused for; `requested` is the group and version that the client named. */
  validateCreate?(next: KubeObject, requested: ResourceInfo): readonly StatusCause[]
  /** Whether `validate` checks every field, so that the schema has nothing to add. */
  readonly validatesAll?: boolean
  /** Keeps what a write through another subresource (`finalize`, `resize`, `ephemeralcontainers`) may not touch. */
  prepareForSubresource?(draft: KubeObject, before: KubeObject, subresource: string, nowMs: number): void
  /**
   * Runs after `validate` on all updates but those of status: immutable fields and the like. `subresource` is '' for
   * the main resource; `requested` is the group and version that the client named.
   */
  validateUpdate?(
    next: KubeObject,
    before: KubeObject,
    subresource?: string,
    requested?: ResourceInfo,
  ): readonly StatusCause[]
  validateStatusUpdate?(next: KubeObject, before: KubeObject): readonly StatusCause[]
  /** What field selectors may compare beyond name and namespace; which of it, field-labels.ts says: `{'spec.nodeName': 'n1', 'status.phase': 'Running'}`. */
  selectableFields?(object: KubeObject): Readonly<Record<string, string>>
  /**
   * Graceful deletion: the seconds to grant, or undefined when the object goes at once.
   * `requested` is DeleteOptions.gracePeriodSeconds.
   */
  gracePeriodSeconds?(object: KubeObject, requested: number | undefined): number | undefined
  allocate?(
    next: KubeObject | undefined,
    before: KubeObject | undefined,
    held: Allocations,
    context: DecisionContext,
  ): AllocationChange
  /** Past-tense type of a change that the generic names (PodCreated, PodUpdated, PodDeleted, …) do not tell well. */
  eventType?(next: KubeObject, before: KubeObject, subresource: string): string | undefined
  /** What a kind that never goes at once is given with its first deletion: a finalizer of its own. */
  markDeleted?(draft: KubeObject, nowMs: number): void
  /** A deletion answers with the object, not with a Status. */
  readonly returnsDeleted?: boolean
  /** What becomes of dependents when a deletion does not say: upstream keeps them for its oldest kinds. */
  readonly propagationWhenUnsaid?: 'Orphan'
  /** Told whoever deletes without saying what becomes of dependents. */
  readonly warnsOfUnsaidPropagation?: string
  /** Sentences for `Warning: 299` headers of a write of the object itself; `before` is undefined on create. */
  warnings?(next: KubeObject, before: KubeObject | undefined): readonly string[]
  /** As `warnings`, of a write of the status. */
  statusWarnings?(next: KubeObject, before: KubeObject): readonly string[]
}

/** A draft decoded from a request may lack what the decider fills in later. */
export type Draft = JsonObject
