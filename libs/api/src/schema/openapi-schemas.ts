// Definitions as OpenAPI v3 schemas with Kubernetes' extensions, in the shapes that kubectl's explain and apply know.
import { groupsOf } from './discovery.ts'
import type { JsonObject } from '../kube-object.ts'
import type { Definition, Field, FieldType, SchemaRegistry } from './schema.ts'

export const metaPrefix = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
const apiextensionsPrefix = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.'

const quantity = 'io.k8s.apimachinery.pkg.api.resource.Quantity'
const intOrString = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString'
const rawExtension = 'io.k8s.apimachinery.pkg.runtime.RawExtension'
const time = `${metaPrefix}Time`
const microTime = `${metaPrefix}MicroTime`
const fieldsV1 = `${metaPrefix}FieldsV1`
const jsonValue = `${apiextensionsPrefix}JSON`
/** The body of every patch. */
export const patchDefinition = `${metaPrefix}Patch`

const schemaUnions: Readonly<Record<string, string>> = {
  'schema-or-boolean': `${apiextensionsPrefix}JSONSchemaPropsOrBool`,
  'schema-or-array': `${apiextensionsPrefix}JSONSchemaPropsOrArray`,
  'schema-or-strings': `${apiextensionsPrefix}JSONSchemaPropsOrStringArray`,
}

/** Schemas of the types that are one value in JSON and have no fields: no definition of the registry stands for them. */
export const sharedSchemas: Readonly<Record<string, JsonObject>> = {
  [quantity]: {
    description: 'An exact amount with an optional suffix: 100m, 1.5Gi, 12e6. It is stored in its shortest exact form.',
    oneOf: [{ type: 'string' }, { type: 'number' }],
  },
  [intOrString]: {
    description: 'Either an integer of 32 bits or a string.',
    format: 'int-or-string',
    oneOf: [{ type: 'integer' }, { type: 'string' }],
  },
  [rawExtension]: { description: 'An object of any kind, kept as it was sent.', type: 'object' },
  [time]: { description: 'A moment in RFC 3339 form, to the second.', type: 'string', format: 'date-time' },
  [microTime]: { description: 'A moment in RFC 3339 form, to the microsecond.', type: 'string', format: 'date-time' },
  [fieldsV1]: { description: 'A set of fields, as a tree of their names.', type: 'object' },
  [jsonValue]: { description: 'Any JSON value.' },
  [patchDefinition]: {
    description: 'A change of an object, in the form that the Content-Type of the request names.',
    type: 'object',
  },
  [schemaUnions['schema-or-boolean']!]: { description: 'A JSON schema, or a boolean.' },
  [schemaUnions['schema-or-array']!]: { description: 'A JSON schema, or a list of them.' },
  [schemaUnions['schema-or-strings']!]: { description: 'A JSON schema, or a list of strings.' },
}

export const refTo = (name: string): JsonObject => ({ $ref: `#/components/schemas/${name}` })

/** One schema, and the names of the definitions that it refers to. `texts` has the description of each field, and of all under `''`. */
export const openApiSchema = (
  registry: SchemaRegistry,
  definition: Definition,
  texts: Readonly<Record<string, string>>,
): { schema: JsonObject; refs: string[] } => {
  const refs: string[] = []
  const properties: Record<string, JsonObject> = {}
  for (const [name, field] of Object.entries(definition.fields)) {
    properties[name] = property(definition, name, field, texts[name], refs)
  }
  const required = Object.entries(definition.fields).flatMap(([name, field]) => (field.required ? [name] : []))
  const kinds = groupVersionKinds(registry, definition)
  return {
    schema: {
      ...(texts[''] ? { description: texts[''] } : {}),
      type: 'object',
      ...(required.length > 0 ? { required } : {}),
      properties,
      ...(kinds.length > 0 ? { 'x-kubernetes-group-version-kind': kinds } : {}),
      ...(definition.structType ? { 'x-kubernetes-map-type': definition.structType } : {}),
    },
    refs,
  }
}

const groupVersionKinds = (registry: SchemaRegistry, definition: Definition): readonly JsonObject[] => {
  // Every group has DeleteOptions among its own kinds.
  if (definition.name === `${metaPrefix}DeleteOptions`) {
    return groupsOf(registry).flatMap(({ group, versions }) =>
      versions.map((version) => ({ group, kind: 'DeleteOptions', version })),
    )
  }
  return (definition.groupVersionKinds ?? []).map(({ group, version, kind }) => ({ group, kind, version }))
}

const property = (
  definition: Definition,
  name: string,
  field: Field,
  description: string | undefined,
  refs: string[],
): JsonObject => {
  const type = typeSchema(definition, name, field, refs)
  const more: JsonObject = {
    ...(description ? { description } : {}),
    ...('default' in field ? { default: field.default } : {}),
    ...(field.listType ? { 'x-kubernetes-list-type': field.listType } : {}),
    ...(field.listMapKeys ? { 'x-kubernetes-list-map-keys': field.listMapKeys } : {}),
    ...(field.mapType || field.structType ? { 'x-kubernetes-map-type': field.mapType ?? field.structType } : {}),
    ...(field.patchStrategy ? { 'x-kubernetes-patch-strategy': field.patchStrategy } : {}),
    ...(field.patchMergeKey ? { 'x-kubernetes-patch-merge-key': field.patchMergeKey } : {}),
  }
  if (field.enum) {
    if (field.type === 'array') return { ...more, type: 'array', items: { ...type['items'], enum: field.enum } }
    return { ...more, ...type, enum: field.enum }
  }
  // Beside $ref nothing else counts, so what is said about the field goes around it.
  return '$ref' in type && Object.keys(more).length > 0 ? { ...more, allOf: [type] } : { ...more, ...type }
}

const typeSchema = (definition: Definition, name: string, type: FieldType, refs: string[]): JsonObject => {
  const ref = (target: string): JsonObject => {
    refs.push(target)
    return refTo(target)
  }
  switch (type.type) {
    case 'array':
      return { type: 'array', items: typeSchema(definition, name, type.items!, refs) }
    case 'map':
      return { type: 'object', additionalProperties: typeSchema(definition, name, type.items!, refs) }
    case 'ref':
      return ref(type.ref!)
    case 'any':
      if (type.format && schemaUnions[type.format]) return ref(schemaUnions[type.format]!)
      if (name === 'fieldsV1') return ref(fieldsV1)
      return ref(definition.name.startsWith(apiextensionsPrefix) ? jsonValue : rawExtension)
    case 'string':
      switch (type.format) {
        case 'quantity':
          return ref(quantity)
        case 'int-or-string':
          return ref(intOrString)
        case 'date-time':
          return ref(time)
        case 'micro-time':
          return ref(microTime)
        case 'duration':
          return { type: 'string' }
        default:
          return type.format ? { type: 'string', format: type.format } : { type: 'string' }
      }
    default:
      return type.format ? { type: type.type, format: type.format } : { type: type.type }
  }
}
