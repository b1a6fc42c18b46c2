// The description of the built-in kinds: one generated value (see tools/generate) that drives discovery, OpenAPI,
// decoding, validation, strategic merge and server-side apply. These are its types; `generated/kinds.json` holds it.

import type { JsonObject } from '../kube-object.ts'

/** The type of a value: a scalar, a list, a map with string keys, or a reference to a definition. */
export interface FieldType {
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'map' | 'ref' | 'any'
  /**
   * `int32`, `int64`, `double`, `byte`, `date-time`, `micro-time`, `int-or-string`, `quantity`; on `any` the unions of a
   * CustomResourceDefinition's schema: `schema-or-boolean`, `schema-or-array`, `schema-or-strings`; or `deduced`: data
   * of which nothing is known, whose objects are told apart field by field all the same (custom resources).
   */
  readonly format?: string
  /** Element of an array or a map. */
  readonly items?: FieldType
  /** Definition name for `ref`: `io.k8s.api.core.v1.PodSpec`. */
  readonly ref?: string
}

export interface Field extends FieldType {
  readonly required?: boolean
  readonly enum?: readonly string[]
  /** Merge strategy of server-side apply; absent means atomic for lists and granular for maps and structs. */
  readonly listType?: 'map' | 'set' | 'atomic'
  readonly listMapKeys?: readonly string[]
  readonly mapType?: 'atomic' | 'granular'
  readonly structType?: 'atomic' | 'granular'
  /** Strategic merge patch: `merge`, `retainKeys`, `merge,retainKeys`, `replace`. */
  readonly patchStrategy?: string
  readonly patchMergeKey?: string
  /** Protobuf field number. */
  readonly number?: number
  /** Protobuf numbers of the messages around the field where JSON inlines them (Volume inlines VolumeSource). */
  readonly inlined?: readonly number[]
  /** The zero value (`""`, 0, false, empty list or map) means "not set" and is left out, as in upstream's Go types. */
  readonly omitZero?: true
  /** An empty list is told from none, by defaults or rules. */
  readonly keepsEmpty?: true
  /** A struct that upstream always writes, if only as `{}`: `resources` of a container, `status`. False: never. */
  readonly always?: boolean
  /** The type as Go's decoder names it in errors (`v1.Protocol`), where it does not follow from the type. */
  readonly goType?: string
  /** OpenAPI default (also used for keys of associative lists, e.g. protocol: TCP). */
  readonly default?: unknown
}

export interface Definition {
  readonly name: string
  readonly fields: Readonly<Record<string, Field>>
  /** True when unknown fields are data: RawExtension, JSON, FieldsV1. */
  readonly open?: boolean
  readonly structType?: 'atomic' | 'granular'
  /** Present on kinds. */
  readonly groupVersionKinds?: readonly { readonly group: string; readonly version: string; readonly kind: string }[]
}

export interface Subresource {
  /** `status`, `scale`, `binding`, `eviction`, `log`, … */
  readonly name: string
  readonly verbs: readonly string[]
  /** Kind in discovery, with its group and version when they differ from the parent's (Scale is autoscaling/v1). */
  readonly kind: string
  readonly group?: string
  readonly version?: string
  /** Definition of the request's body: `io.k8s.api.autoscaling.v1.Scale`. */
  readonly definition: string
}

/** One resource in one version. */
export interface ResourceInfo {
  /** '' for core. */
  readonly group: string
  readonly version: string
  /** Plural: `pods`. */
  readonly resource: string
  readonly singular: string
  readonly kind: string
  readonly listKind: string
  readonly namespaced: boolean
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  /** Empty for resources that only answer (tokenreviews: create) keep `create`. */
  readonly verbs: readonly string[]
  /** Those that discovery shows, when they are fewer. */
  readonly shownVerbs?: readonly string[]
  readonly subresources: readonly Subresource[]
  /** `io.k8s.api.core.v1.Pod`. */
  readonly definition: string
  /** The version in which the log stores it; equals `version` for all but a few. */
  readonly storageVersion: string
  /** The group in which the log stores it, when another (events.k8s.io is stored as core). */
  readonly storageGroup: string
  /** False for TokenReview and the other kinds that are answered and never stored. */
  readonly stored: boolean
}

/** All kinds. Look-ups are by map; `definitions` is shared by all versions. */
export interface SchemaRegistry {
  readonly definitions: ReadonlyMap<string, Definition>
  readonly resources: readonly ResourceInfo[]
  definition(name: string): Definition
  resource(group: string, version: string, resource: string): ResourceInfo | undefined
  byKind(group: string, version: string, kind: string): ResourceInfo | undefined
  /** The resource in its storage version. */
  storage(groupResource: string): ResourceInfo | undefined
  /** Kinds whose schema is no definition of ours: custom resources. Absent where there are none. */
  readonly published?: PublishedKinds
}

/** What OpenAPI shows of kinds that users bring. */
export interface PublishedKinds {
  /** Changes with what the schema of the resource says; undefined for built-in resources. */
  revision(resource: ResourceInfo): string | undefined
  /** The schema of a definition name, of a kind or of its list; undefined for all others. */
  schema(definition: string, openApi: 2 | 3): JsonObject | undefined
}

/** `pods`, `deployments.apps`. */
export const groupResourceOf = (group: string, resource: string): string => (group ? `${resource}.${group}` : resource)

/** The other way round: `deployments.apps` → group `apps`, resource `deployments`. */
export function splitGroupResource(groupResource: string): { readonly group: string; readonly resource: string } {
  const dot = groupResource.indexOf('.')
  return dot < 0
    ? { group: '', resource: groupResource }
    : { group: groupResource.slice(dot + 1), resource: groupResource.slice(0, dot) }
}

/** `v1`, `apps/v1`. */
export const apiVersionOf = (group: string, version: string): string => (group ? `${group}/${version}` : version)
