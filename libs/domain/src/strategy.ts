// What a kind may say for itself. The generic decider (decider.ts) does what all kinds share: names, metadata,
// generation, finalizers, resourceVersion, managed fields. A strategy adds defaults, validation, immutable fields and
// what a status write may touch. All functions are pure; those that "fill" or "prepare" change the draft they are given.
import type { LongCheck } from './write/long-check.ts'
import type { IpRanges } from '@shiplog/api/ip-address'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import type { StatusCause } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
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

/**
 * The rules of one kind: `Strategy<Deployment>`. Objects come as drafts: what decoding has made sure of is that every field
 * that is there has its JSON type.
 */
export interface Strategy<Kind extends object = KubeObject> {
  /** Whether metadata.generation is kept. Default: the kind has a `spec`. */
  readonly hasGeneration?: boolean
  /** Whether an update without resourceVersion is accepted. Default true. */
  readonly allowUnconditionalUpdate?: boolean
  /** Whether PUT to a missing name creates it. Default false. */
  readonly allowCreateOnUpdate?: boolean
  /** What is wrong with the name, as sentences; default rule: DNS-1123 subdomain. */
  validateName?(name: string): readonly string[]
  /** Whether finalizers without a domain are accepted, as upstream does outside its oldest packages. */
  readonly anyFinalizers?: boolean
  /** Whether generateName is not validated, as upstream does for these kinds. */
  readonly anyGenerateName?: boolean
  /** Fills upstream's defaults. Runs on every write after decoding, and is idempotent. */
  setDefaults?(draft: Draft<Kind>): void
  /** Clears what a create may not set (status, …). Default: status is dropped when the kind has a status subresource. */
  prepareForCreate?(draft: Draft<Kind>, context: DecisionContext): void
  /** Defaults that upstream applies when it reads the created object back from storage; not validated. */
  completeCreated?(object: Draft<Kind>): void
  /** Keeps what a main write may not touch. Default: status is copied from `before` when there is a status subresource. */
  prepareForUpdate?(draft: Draft<Kind>, before: Draft<Kind>): void
  /** Keeps all that a status write may not touch. Default: all but status, and but the metadata that the kind lets it write
   * (status-metadata.ts), is copied from `before`. */
  prepareForStatusUpdate?(draft: Draft<Kind>, before: Draft<Kind>, nowMs: number): void
  /** Whether this change moves the generation. Default: anything outside metadata and status differs. */
  changesGeneration?(next: Draft<Kind>, before: Draft<Kind>): boolean
  /** `before` is set on updates: values that are already stored may be kept even if today's rules would refuse them. */
  validate?(next: Draft<Kind>, before?: Draft<Kind>): readonly StatusCause[]
  /** What `validate` looks at are expressions, patterns or schemas that users wrote: it may take long (write/long-check.ts). */
  readonly hasExpressions?: true
  /** The same for kinds that are not built in, and for `validateStatusUpdate`. */
  longCheck?(next: Draft<Kind>, before: Draft<Kind> | undefined, isStatus: boolean): LongCheck
  /** Rules that depend on other objects, such as labels of the namespace. Their causes come first. */
  validateAgainst?(
    next: Draft<Kind>,
    before: Draft<Kind> | undefined,
    view: AdmissionView,
    subresource: string,
  ): readonly StatusCause[]
  /** Rules for creates only; `requested` is the group and version that the client named. */
  validateCreate?(next: Draft<Kind>, requested: ResourceInfo): readonly StatusCause[]
  /** Whether `validate` checks every field, so that the schema has nothing to add. */
  readonly validatesAll?: boolean
  /** Keeps what a write through another subresource (`finalize`, `resize`, `ephemeralcontainers`) may not touch. */
  prepareForSubresource?(draft: Draft<Kind>, before: Draft<Kind>, subresource: string, nowMs: number): void
  /**
   * Runs after `validate` on all updates but those of status: immutable fields and the like. `subresource` is '' for
   * the main resource; `requested` is the group and version that the client named.
   */
  validateUpdate?(
    next: Draft<Kind>,
    before: Draft<Kind>,
    subresource?: string,
    requested?: ResourceInfo,
  ): readonly StatusCause[]
  validateStatusUpdate?(next: Draft<Kind>, before: Draft<Kind>): readonly StatusCause[]
  /** What field selectors may compare beyond name and namespace; which of it, field-labels.ts says: `{'spec.nodeName': 'n1', 'status.phase': 'Running'}`. */
  selectableFields?(object: Draft<Kind>): Readonly<Record<string, string>>
  /**
   * Graceful deletion: the seconds to grant, or undefined when the object goes at once.
   * `requested` is DeleteOptions.gracePeriodSeconds.
   */
  gracePeriodSeconds?(object: Draft<Kind>, requested: number | undefined): number | undefined
  /** Which cluster IPs and node ports the change takes and gives back; fills those that were not named into `next`. */
  allocate?(
    next: Draft<Kind> | undefined,
    before: Draft<Kind> | undefined,
    held: Allocations,
    context: DecisionContext,
  ): AllocationChange
  /** Past-tense type of a change that the generic names (PodCreated, PodUpdated, PodDeleted, …) do not tell well. */
  eventType?(next: Draft<Kind>, before: Draft<Kind>, subresource: string): string | undefined
  /** What a kind that never goes at once is given with its first deletion: a finalizer of its own. */
  markDeleted?(draft: Draft<Kind>, nowMs: number): void
  /** A deletion answers with the object, not with a Status. */
  readonly returnsDeleted?: boolean
  /** Default propagation policy: upstream orphans the dependents of its oldest kinds. */
  readonly propagationWhenUnsaid?: 'Orphan'
  /** Warning for a deletion without a propagation policy. */
  readonly warnsOfUnsaidPropagation?: string
  /** Sentences for `Warning: 299` headers of a write of the object itself; `before` is undefined on create. */
  warnings?(next: Draft<Kind>, before: Draft<Kind> | undefined): readonly string[]
  /** As `warnings`, of a write of the status. */
  statusWarnings?(next: Draft<Kind>, before: Draft<Kind>): readonly string[]
}

/** The rules of one kind for its twin, which has the same fields: a RoleBinding's for a ClusterRoleBinding. */
export const forTwin = <Twin extends object>(strategy: Strategy<any>): Strategy<Twin> => strategy
