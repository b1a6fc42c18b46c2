// A custom resource's schema as the published documents show it (k8s.io/apiextensions-apiserver/pkg/controller/openapi).
// OpenAPI v2 cannot say everything: what it cannot is left out there, in the way that kubectl can live with.
import type { JsonObject } from '@shiplog/api/kube-object'
import { valuesOf, type NestedRules, type StructuralSchema, type ValueRules } from '../schema/structural-schema.ts'

export type OpenApiVersion = 2 | 3

export interface PublishedKind {
  readonly group: string
  readonly version: string
  readonly kind: string
  /** JSON paths of the fields that lists can be filtered by. */
  readonly selectableFields?: readonly string[] | undefined
  /** Descriptions of what every object has. */
  readonly texts: { readonly apiVersion: string; readonly kind: string; readonly metadata: string }
}

const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

/** The published schema of a kind; without a schema an object of which nothing is known. */
export const openApiOf = (
  schema: StructuralSchema | undefined,
  openApi: OpenApiVersion,
  kind: PublishedKind,
): JsonObject => {
  const published = publishedBody(schema, openApi, kind)
  published['x-kubernetes-group-version-kind'] = [{ group: kind.group, version: kind.version, kind: kind.kind }]
  if (kind.selectableFields && kind.selectableFields.length > 0)
    published['x-kubernetes-selectable-fields'] = kind.selectableFields.map((fieldPath) => ({
      fieldPath: fieldPath.replace(/^\./, ''),
    }))
  return published
}

const publishedBody = (
  schema: StructuralSchema | undefined,
  openApi: OpenApiVersion,
  kind: PublishedKind,
): JsonObject => {
  // kubectl takes every further property that it is told of for a promise that there are no others.
  if (schema === undefined || (openApi === 2 && schema.preserveUnknownFields)) return { type: 'object' }
  const published = publish(schema, openApi, kind)
  Object.assign((published['properties'] ??= {}), metaProperties(openApi, kind))
  return published
}

const metaProperties = (openApi: OpenApiVersion, { texts }: PublishedKind): JsonObject => ({
  apiVersion: { description: texts.apiVersion, type: 'string' },
  kind: { description: texts.kind, type: 'string' },
  metadata:
    openApi === 2
      ? { description: texts.metadata, $ref: `#/definitions/${objectMeta}` }
      : { description: texts.metadata, allOf: [{ $ref: `#/components/schemas/${objectMeta}` }] },
})

const publish = (schema: StructuralSchema, openApi: OpenApiVersion, kind: PublishedKind): JsonObject => {
  const shown = openApi === 2 ? forVersion2(schema) : schema
  const { properties, items } = shown
  const result: JsonObject = {
    ...genericOf(shown),
    ...extensionsOf(shown),
    ...rulesOf(openApi === 2 ? withoutJunctors(shown.rules) : unfolded(shown)),
    ...(shown.validations.length > 0 ? { 'x-kubernetes-validations': shown.validations } : {}),
  }
  if (items) result['items'] = publish(items, openApi, kind)
  if (properties.size > 0)
    result['properties'] = Object.fromEntries([...properties].map(([name, one]) => [name, publish(one, openApi, kind)]))
  const values = valuesOf(shown)
  if (values) result['additionalProperties'] = publish(values, openApi, kind)
  else if (shown.additionalProperties !== undefined) result['additionalProperties'] = shown.additionalProperties
  if (shown.embeddedResource && !(openApi === 2 && shown.preserveUnknownFields)) embed(result, openApi, kind)
  return result
}

const embed = (result: JsonObject, openApi: OpenApiVersion, kind: PublishedKind): void => {
  Object.assign((result['properties'] ??= {}), metaProperties(openApi, kind))
  const required = new Set<string>(result['required'] ?? [])
  result['required'] = [...required.add('kind').add('apiVersion')]
}

/** What breaks kubectl, or has no form in version 2, is left out. */
const forVersion2 = (schema: StructuralSchema): StructuralSchema => {
  const bare = schema.nullable || schema.preserveUnknownFields
  const items = bare ? undefined : schema.items
  const type =
    schema.nullable || (schema.type === 'array' && !items) || (schema.preserveUnknownFields && schema.type === 'object')
      ? ''
      : schema.type
  const properties = bare ? new Map() : schema.properties
  const required = valuesOf(schema)?.nullable
    ? []
    : schema.rules.required.filter((name) => !properties.get(name)?.nullable)
  return { ...schema, type, nullable: false, items, properties, rules: { ...schema.rules, required } }
}

const genericOf = (schema: StructuralSchema): JsonObject => ({
  ...(schema.description === '' ? {} : { description: schema.description }),
  ...(schema.title === '' ? {} : { title: schema.title }),
  ...(schema.type === '' ? {} : { type: schema.type }),
  ...(schema.nullable ? { nullable: true } : {}),
  ...(schema.default === undefined ? {} : { default: schema.default }),
  ...(schema.example === undefined ? {} : { example: schema.example }),
  ...(schema.externalDocs ? { externalDocs: schema.externalDocs } : {}),
})

const extensionsOf = (schema: StructuralSchema): JsonObject => ({
  ...(schema.preserveUnknownFields ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
  ...(schema.embeddedResource ? { 'x-kubernetes-embedded-resource': true } : {}),
  ...(schema.intOrString ? { 'x-kubernetes-int-or-string': true } : {}),
  ...(schema.listMapKeys.length > 0 ? { 'x-kubernetes-list-map-keys': schema.listMapKeys } : {}),
  ...(schema.listType === undefined ? {} : { 'x-kubernetes-list-type': schema.listType }),
  ...(schema.mapType === undefined ? {} : { 'x-kubernetes-map-type': schema.mapType }),
})

const scalarKeys = [
  ...(['maximum', 'minimum', 'maxLength', 'minLength', 'maxItems', 'minItems'] as const),
  ...(['multipleOf', 'maxProperties', 'minProperties', 'enum'] as const),
]
const junctorKeys = ['allOf', 'anyOf', 'oneOf'] as const

const rulesOf = (rules: ValueRules): JsonObject => {
  const result: JsonObject = {}
  for (const key of ['format', 'pattern'] as const) if (rules[key] !== '') result[key] = rules[key]
  for (const key of scalarKeys) if (rules[key] !== undefined) result[key] = rules[key]
  for (const key of ['exclusiveMaximum', 'exclusiveMinimum', 'uniqueItems'] as const) if (rules[key]) result[key] = true
  if (rules.required.length > 0) result['required'] = rules.required
  for (const key of junctorKeys) if (rules[key].length > 0) result[key] = rules[key].map(nestedOf)
  if (rules.not) result['not'] = nestedOf(rules.not)
  return result
}

const nestedOf = (nested: NestedRules): JsonObject => ({
  ...(nested.type === '' ? {} : { type: nested.type }),
  ...rulesOf(nested.rules),
  ...(nested.items ? { items: nestedOf(nested.items) } : {}),
  ...(nested.properties.size > 0
    ? { properties: Object.fromEntries([...nested.properties].map(([name, one]) => [name, nestedOf(one)])) }
    : {}),
})

const withoutJunctors = (rules: ValueRules): ValueRules => ({ ...rules, allOf: [], anyOf: [], oneOf: [], not: undefined })

/** That a value is an integer or a string, said in the words of JSON schema for those who do not know the extension. */
const unfolded = (schema: StructuralSchema): ValueRules => {
  const { rules } = schema
  if (!schema.intOrString || isIntOrString(rules.anyOf) || (rules.allOf[0] && isIntOrString(rules.allOf[0].rules.anyOf)))
    return rules
  const either = ['integer', 'string'].map((type): NestedRules => ({ ...noRules(rules), type }))
  if (rules.anyOf.length === 0) return { ...rules, anyOf: either }
  const first = noRules(rules)
  return { ...rules, allOf: [{ ...first, rules: { ...first.rules, anyOf: either } }, ...rules.allOf] }
}

export const isIntOrString = (schemas: readonly NestedRules[]): boolean =>
  schemas.length === 2 && schemas[0]!.type === 'integer' && schemas[1]!.type === 'string' && schemas.every(saysTypeOnly)

const saysTypeOnly = (nested: NestedRules): boolean => Object.keys(nestedOf(nested)).length === 1

const noRules = (like: ValueRules): NestedRules => ({
  type: '',
  properties: new Map(),
  items: undefined,
  additionalProperties: undefined,
  rules: {
    ...withoutJunctors(like),
    format: '',
    pattern: '',
    required: [],
    exclusiveMaximum: false,
    exclusiveMinimum: false,
    uniqueItems: false,
    ...(Object.fromEntries(scalarKeys.map((key) => [key, undefined])) as Pick<ValueRules, (typeof scalarKeys)[number]>),
  },
})
