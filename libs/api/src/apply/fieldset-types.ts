// The registry's definitions as server-side apply sees them: which places are leaves (scalars and all that is atomic),
// which are structs, maps, lists with keys or sets. Compiled once per registry, because every write walks them.
import type { Definition, Field, FieldType, SchemaRegistry } from '../schema/schema.ts'

export type ApplyType = LeafType | StructType | MapType | KeyedListType | SetType | DeducedType

export interface LeafType {
  readonly kind: 'leaf'
}

export interface StructField {
  readonly name: string
  /** `f:name`. */
  readonly element: string
  readonly type: ApplyType
  /** Upstream always writes it, if only as `{}` or null: it is there before anybody owns it. */
  readonly always: boolean
}

export interface StructType {
  readonly kind: 'struct'
  readonly fields: ReadonlyMap<string, StructField>
  /** Unknown fields are data. */
  readonly open: boolean
}

export interface MapType {
  readonly kind: 'map'
  readonly items: ApplyType
}

export interface KeyedListType {
  readonly kind: 'keyed'
  /** In alphabetical order. */
  readonly keys: readonly string[]
  readonly defaults: readonly unknown[]
  readonly items: ApplyType
}

export interface SetType {
  readonly kind: 'set'
}

/** Untyped data: objects are granular, all else is a leaf. */
export interface DeducedType {
  readonly kind: 'deduced'
}

const leaf: LeafType = { kind: 'leaf' }
const set: SetType = { kind: 'set' }
const deduced: DeducedType = { kind: 'deduced' }

interface Compiled {
  readonly structs: Map<string, ApplyType>
  readonly roots: Map<string, StructType>
}

const compiledRegistries = new WeakMap<SchemaRegistry, Compiled>()

const compiledOf = (registry: SchemaRegistry): Compiled => {
  let compiled = compiledRegistries.get(registry)
  if (!compiled) {
    compiled = { structs: new Map(), roots: new Map() }
    compiledRegistries.set(registry, compiled)
  }
  return compiled
}

const structOf = (registry: SchemaRegistry, name: string): ApplyType => {
  const { structs } = compiledOf(registry)
  const known = structs.get(name)
  if (known) return known
  const definition: Definition | undefined = registry.definitions.get(name)
  if (!definition) {
    structs.set(name, deduced)
    return deduced
  }
  const fields = new Map<string, StructField>()
  const struct: StructType = { kind: 'struct', fields, open: definition.open === true }
  structs.set(name, struct)
  for (const [fieldName, field] of Object.entries(definition.fields)) {
    fields.set(fieldName, {
      name: fieldName,
      element: `f:${fieldName}`,
      type: typeOf(registry, field),
      always: field.always ?? (field.type === 'array' && !field.omitZero),
    })
  }
  return struct
}

const typeOf = (registry: SchemaRegistry, field: Field): ApplyType => {
  switch (field.type) {
    case 'any':
      return field.format === 'deduced' ? deduced : leaf
    case 'map':
      return field.mapType === 'atomic' ? leaf : { kind: 'map', items: itemOf(registry, field.items) }
    case 'array':
      if (field.listType === 'set') return set
      if (field.listType === 'map' && field.listMapKeys) return keyedOf(registry, field.listMapKeys, field.items)
      return leaf
    case 'ref':
      return referenceOf(registry, field.ref!, field.structType)
    default:
      return leaf
  }
}

const referenceOf = (registry: SchemaRegistry, name: string, structType: Field['structType']): ApplyType => {
  const atomic = structType ?? registry.definitions.get(name)?.structType
  return atomic === 'atomic' ? leaf : structOf(registry, name)
}

const itemOf = (registry: SchemaRegistry, item: FieldType | undefined): ApplyType => {
  if (!item) return deduced
  return typeOf(registry, item)
}

const keyedOf = (registry: SchemaRegistry, names: readonly string[], item: FieldType | undefined): ApplyType => {
  const keys = [...names].sort()
  const fields = item?.ref ? registry.definitions.get(item.ref)?.fields : undefined
  return {
    kind: 'keyed',
    keys,
    defaults: keys.map((key) => fields?.[key]?.default),
    items: item?.ref ? referenceOf(registry, item.ref, undefined) : deduced,
  }
}

const noFields: StructType = { kind: 'struct', fields: new Map(), open: true }

/** The type of a definition with all its fields: what merging and pruning walk. */
export const applyTypeOf = (registry: SchemaRegistry, definition: string): StructType => {
  const type = structOf(registry, definition)
  return type.kind === 'struct' ? type : noFields
}

/** Fields of metadata that nobody manages: the system writes them. */
const unmanagedMetadata = new Set([
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'clusterName',
  'generation',
  'managedFields',
  'resourceVersion',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
])

/**
 * The top-level fields that a write does not own, because the kind's strategy takes them from the live object: `status`
 * when the object itself is written and has a status subresource, `spec` when its status is.
 */
export const resetFieldsOf = (registry: SchemaRegistry, definition: string, subresource: string): readonly string[] => {
  if (subresource === 'status') return ['spec']
  if (subresource !== '') return []
  const kinds = registry.definitions.get(definition)?.groupVersionKinds ?? []
  for (const { group, version, kind } of kinds) {
    const resource = registry.byKind(group, version, kind)
    if (resource?.subresources.some(({ name }) => name === 'status')) return ['status']
  }
  return []
}

/** The type of a definition without what is never managed and without what this write resets: what ownership walks. */
export const ownedTypeOf = (
  registry: SchemaRegistry,
  definition: string,
  subresource: string,
  resetFields?: readonly string[],
): StructType => {
  const { roots } = compiledOf(registry)
  const cacheKey = resetFields ? `${definition} ${subresource} ${resetFields.join()}` : `${definition} ${subresource}`
  const known = roots.get(cacheKey)
  if (known) return known
  const whole = applyTypeOf(registry, definition)
  const dropped = new Set(['apiVersion', 'kind', ...(resetFields ?? resetFieldsOf(registry, definition, subresource))])
  const fields = new Map<string, StructField>()
  for (const [name, field] of whole.fields) {
    if (dropped.has(name)) continue
    if (name === 'metadata' && field.type.kind === 'struct') {
      const managed = [...field.type.fields].filter(
        ([key]) => !unmanagedMetadata.has(key) && !dropped.has(`metadata.${key}`),
      )
      fields.set(name, { ...field, always: true, type: { ...field.type, fields: new Map(managed) } })
    } else fields.set(name, field)
  }
  const root: StructType = { kind: 'struct', fields, open: whole.open }
  roots.set(cacheKey, root)
  return root
}

/** The type of a field of a struct; undefined when the schema does not know it. */
export const fieldTypeOf = (struct: StructType, name: string): ApplyType | undefined =>
  struct.fields.get(name)?.type ?? (struct.open ? deduced : undefined)

/** The type behind `deduced`, for the values it holds. */
export const deducedType: DeducedType = deduced
