// All that is known of one resource in one version: how bodies become objects, the rules of its kind, what selectors may
// name, how it is shown. Built-in kinds and custom resources differ here, and nowhere after it.
import type { VersionConverter } from '@shiplog/api/apply/managed-fields'
import { normalize, type NormalizeResult, structuralErrors } from '@shiplog/api/decode/decode'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf, type ResourceInfo, type SchemaRegistry } from '@shiplog/api/schema/schema'
import type { Status } from '@shiplog/api/status'
import type { Printer } from '@shiplog/api/tables/printer'
import { printerFor } from '@shiplog/api/tables/tables'
import { convert } from '../conversions.ts'
import type { ConversionTable } from '../custom-resource/webhook-conversion.ts'
import type { Kind } from '../decider.ts'
import { type FoundField, selectableField } from '../field-labels.ts'
import { resetByStatusWrite } from '../status-metadata.ts'
import { strategyFor } from '../strategies.ts'
import { readScale, writeScale } from '../subresources/scale.ts'

export interface ServedKind extends Kind {
  /** The resource in the version that is asked for; `info` is the one that is stored. */
  readonly resource: ResourceInfo
  /** Equal for kinds of a resource that show the same. */
  readonly revision: string
  /** The definitions of all versions of the kind: what apply, patches and managed fields walk. */
  readonly registry: SchemaRegistry
  /** An object of this version in another one; absent where there is one shape alone, so that all managers speak the same. */
  readonly versionConverter?: VersionConverter
  /** An object as a client sent it, in the form of this version. */
  decode(object: JsonObject): NormalizeResult
  /** An object of this version in the version that the log stores. */
  toStorage(object: KubeObject): KubeObject
  /** A stored object in this version. */
  fromStorage(object: KubeObject): KubeObject
  /**
   * A stored object, whose last event has that sequence, as it is meant today: what its kind has come to know since is filled
   * in, and what it has forgotten is dropped.
   */
  upgraded(object: KubeObject, sequence: number): KubeObject
  /** Whether objects whose last event has this sequence are shown as they are stored. */
  servedAsStored(sequence: number): boolean
  /** What a field selector's label means. */
  selectableField(label: string): FoundField
  readonly printer: Printer
  /** What a write of a subresource ('' for the object itself) does not come to own; undefined for the rule of all kinds. */
  resetFields(subresource: string): readonly string[] | undefined
  readScale(object: KubeObject): KubeObject
  writeScale(draft: KubeObject, scale: JsonObject): void
  /** Absent for built-in kinds. */
  readonly custom?: CustomTraits
  /** What a webhook has converted: absent where none does. With it toStorage, fromStorage and versionConverter may throw AwaitsConversion. */
  readonly conversions?: ConversionTable
}

export interface CustomTraits {
  /** Told of every request for this version. */
  readonly warnings: readonly string[]
  /** Why nothing new is taken, if so. */
  readonly closed: Status | undefined
  /** The schema as OpenAPI shows it. */
  openApi(version: 2 | 3): JsonObject
}

const builtInConverter =
  (registry: SchemaRegistry, { kind }: ResourceInfo): VersionConverter =>
  (object, apiVersion) => {
    const [first = '', second] = apiVersion.split('/')
    const [group, version] = second === undefined ? ['', first] : [first, second]
    const known = registry.byKind(group, version, kind)
    return known && { object: convert(object as KubeObject, group, version), definition: known.definition }
  }

/** The kind of a built-in resource. */
export function builtInKind(registry: SchemaRegistry, resource: ResourceInfo): ServedKind {
  const key = groupResourceOf(resource.storageGroup, resource.resource)
  const info = registry.storage(key) ?? resource
  const inStorageVersion = resource.version === resource.storageVersion && resource.group === resource.storageGroup
  const strategy = strategyFor(key)
  const versions = registry.resources.filter(
    (other) => groupResourceOf(other.storageGroup, other.resource) === key,
  ).length
  const resetByStatus = resetByStatusWrite(key)
  return {
    info,
    resource,
    revision: '',
    registry,
    strategy,
    ...(versions > 1 ? { versionConverter: builtInConverter(registry, resource) } : {}),
    structuralErrors: (object) => structuralErrors(registry, info.definition, object),
    decode: (object) => normalize(registry, resource.definition, object),
    toStorage: (object) =>
      inStorageVersion ? object : convert(object, resource.storageGroup, resource.storageVersion),
    fromStorage: (object) => (inStorageVersion ? object : convert(object, resource.group, resource.version)),
    upgraded: (object) => object,
    servedAsStored: () => inStorageVersion,
    selectableField: (label) => selectableField(resource, label),
    printer: printerFor(groupResourceOf(resource.group, resource.resource)),
    resetFields: (subresource) => (subresource === 'status' ? resetByStatus : undefined),
    readScale: (object) => readScale(object, key),
    writeScale: (draft, scale) => writeScale(draft, scale, key),
  }
}
