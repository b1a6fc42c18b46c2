// A CustomResourceDefinition's schema, compiled once: what is structure (which fields there may be, and of which type)
// apart from what only judges values. Everything else in this library walks this form; it never changes.
import type { JSONSchemaProps, ValidationRule } from '@shiplog/api/generated/types/apiextensions-v1'

/** What judges a value and says nothing of its structure: allowed under `allOf`, `anyOf`, `oneOf` and `not`, too. */
export interface ValueRules {
  readonly format: string
  readonly maximum: number | undefined
  readonly exclusiveMaximum: boolean
  readonly minimum: number | undefined
  readonly exclusiveMinimum: boolean
  readonly maxLength: number | undefined
  readonly minLength: number | undefined
  readonly pattern: string
  readonly maxItems: number | undefined
  readonly minItems: number | undefined
  readonly uniqueItems: boolean
  readonly multipleOf: number | undefined
  readonly maxProperties: number | undefined
  readonly minProperties: number | undefined
  readonly required: readonly string[]
  readonly enum: readonly unknown[] | undefined
  readonly allOf: readonly NestedRules[]
  readonly anyOf: readonly NestedRules[]
  readonly oneOf: readonly NestedRules[]
  readonly not: NestedRules | undefined
}

/** A schema under `allOf` and its kin. Only int-or-string has a `type` there: `anyOf: [{type: integer}, {type: string}]`. */
export interface NestedRules {
  readonly type: string
  readonly rules: ValueRules
  readonly properties: ReadonlyMap<string, NestedRules>
  readonly items: NestedRules | undefined
  readonly additionalProperties: NestedRules | undefined
}

export interface StructuralSchema {
  /** Empty where anything may be: int-or-string, and unknown fields that are kept. */
  readonly type: string
  readonly description: string
  readonly title: string
  readonly default: unknown
  readonly example: unknown
  readonly externalDocs: JSONSchemaProps['externalDocs']
  readonly nullable: boolean
  readonly properties: ReadonlyMap<string, StructuralSchema>
  readonly items: StructuralSchema | undefined
  /** A schema of all further values, or whether there may be some; undefined when nothing is said. */
  readonly additionalProperties: StructuralSchema | boolean | undefined
  readonly preserveUnknownFields: boolean
  readonly embeddedResource: boolean
  readonly intOrString: boolean
  readonly listMapKeys: readonly string[]
  readonly listType: string | undefined
  readonly mapType: string | undefined
  readonly rules: ValueRules
  readonly validations: readonly ValidationRule[]
}

type Props = JSONSchemaProps

/** Compiles a schema. Whether it is structural is for `validateSchema` to say; this takes what it is given. */
export const structuralSchema = (props: Props): StructuralSchema => ({
  type: props.type ?? '',
  description: props.description ?? '',
  title: props.title ?? '',
  default: props.default ?? undefined,
  example: props.example ?? undefined,
  externalDocs: props.externalDocs,
  nullable: props.nullable === true,
  properties: mapOf(props.properties, structuralSchema),
  items: isSchema(props.items) ? structuralSchema(props.items) : undefined,
  additionalProperties: isSchema(props.additionalProperties)
    ? structuralSchema(props.additionalProperties)
    : typeof props.additionalProperties === 'boolean'
      ? props.additionalProperties
      : undefined,
  preserveUnknownFields: props['x-kubernetes-preserve-unknown-fields'] === true,
  embeddedResource: props['x-kubernetes-embedded-resource'] === true,
  intOrString: props['x-kubernetes-int-or-string'] === true,
  listMapKeys: props['x-kubernetes-list-map-keys'] ?? [],
  listType: props['x-kubernetes-list-type'] ?? undefined,
  mapType: props['x-kubernetes-map-type'] ?? undefined,
  rules: valueRules(props),
  validations: props['x-kubernetes-validations'] ?? [],
})

const valueRules = (props: Props): ValueRules => ({
  format: props.format ?? '',
  maximum: props.maximum ?? undefined,
  exclusiveMaximum: props.exclusiveMaximum === true,
  minimum: props.minimum ?? undefined,
  exclusiveMinimum: props.exclusiveMinimum === true,
  maxLength: props.maxLength ?? undefined,
  minLength: props.minLength ?? undefined,
  pattern: props.pattern ?? '',
  maxItems: props.maxItems ?? undefined,
  minItems: props.minItems ?? undefined,
  uniqueItems: props.uniqueItems === true,
  multipleOf: props.multipleOf ?? undefined,
  maxProperties: props.maxProperties ?? undefined,
  minProperties: props.minProperties ?? undefined,
  required: props.required ?? [],
  enum: props.enum && props.enum.length > 0 ? props.enum : undefined,
  allOf: (props.allOf ?? []).map(nestedRules),
  anyOf: (props.anyOf ?? []).map(nestedRules),
  oneOf: (props.oneOf ?? []).map(nestedRules),
  not: isSchema(props.not) ? nestedRules(props.not) : undefined,
})

const nestedRules = (props: Props): NestedRules => ({
  type: props.type ?? '',
  rules: valueRules(props),
  properties: mapOf(props.properties, nestedRules),
  items: isSchema(props.items) ? nestedRules(props.items) : undefined,
  additionalProperties: isSchema(props.additionalProperties) ? nestedRules(props.additionalProperties) : undefined,
})

const isSchema = (value: unknown): value is Props => typeof value === 'object' && value !== null && !Array.isArray(value)

const mapOf = <To>(properties: Props['properties'], to: (props: Props) => To): ReadonlyMap<string, To> =>
  new Map(Object.entries(properties ?? {}).map(([name, props]) => [name, to(props)]))

/** The schema of a field of an object, whether it has a name of its own or not. */
export const schemaOfField = (schema: StructuralSchema | undefined, name: string): StructuralSchema | undefined =>
  schema === undefined ? undefined : (schema.properties.get(name) ?? valuesOf(schema))

/** The schema of values of a map. */
export const valuesOf = (schema: StructuralSchema): StructuralSchema | undefined =>
  typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined

/** Whether it, or any part of it, has rules in the language of expressions. */
export const hasRules = (schema: StructuralSchema): boolean =>
  schema.validations.length > 0 ||
  (schema.items !== undefined && hasRules(schema.items)) ||
  (valuesOf(schema) !== undefined && hasRules(valuesOf(schema)!)) ||
  [...schema.properties.values()].some(hasRules)

export const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A schema under a resource: apiVersion, kind and metadata are there without being told of. */
export const asResourceRoot = (schema: StructuralSchema): StructuralSchema => {
  let root = roots.get(schema)
  if (root === undefined)
    roots.set(schema, (root = schema.embeddedResource ? schema : { ...schema, embeddedResource: true }))
  return root
}

const roots = new WeakMap<StructuralSchema, StructuralSchema>()
