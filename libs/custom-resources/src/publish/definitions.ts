// A custom resource's schema as definitions of the catalogue of kinds: what server-side apply, managed fields and strict
// decoding go by. Objects with named fields become definitions of their own, named by where they stand.
import type { Definition, Field } from '@shiplog/api/schema/schema'
import { valuesOf, type StructuralSchema } from '../schema/structural-schema.ts'

const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

export interface DefinedKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** The definition of a kind, named `name`, and those of its parts. A kind without a schema keeps everything. */
export const definitionsOf = (
  schema: StructuralSchema | undefined,
  name: string,
  kind: DefinedKind,
): readonly Definition[] => {
  const found: Definition[] = []
  const isOpen = schema === undefined || schema.preserveUnknownFields
  const fields = schema ? fieldsOf(schema, name, { found, isOpen }) : {}
  const root: Definition = {
    name,
    fields: { ...fields, ...metaFields },
    ...(isOpen ? { open: true } : {}),
    groupVersionKinds: [kind],
  }
  return [root, ...found]
}

const metaFields: Readonly<Record<string, Field>> = {
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: { type: 'ref', ref: objectMeta },
}

interface Run {
  readonly found: Definition[]
  /** Unknown fields are kept here, and so in all parts below. */
  readonly isOpen: boolean
}

const fieldsOf = (schema: StructuralSchema, name: string, run: Run): Record<string, Field> => {
  const required = new Set(schema.rules.required)
  const fields: Record<string, Field> = {}
  for (const [key, property] of schema.properties)
    Object.defineProperty(fields, key, {
      value: {
        ...typeOf(property, `${name}.${key}`, run),
        ...(required.has(key) ? { required: true } : {}),
        ...(property.default === undefined ? {} : { default: property.default }),
      },
      enumerable: true,
    })
  return schema.embeddedResource ? { ...fields, ...metaFields } : fields
}

const typeOf = (schema: StructuralSchema, name: string, run: Run): Field => {
  if (schema.intOrString) return { type: 'string', format: 'int-or-string' }
  const { format } = schema.rules
  switch (schema.type) {
    case 'string':
    case 'boolean':
    case 'number':
    case 'integer':
      return { type: schema.type, ...(format === '' ? {} : { format }) }
    case 'array':
      return {
        type: 'array',
        always: false,
        ...(schema.items ? { items: typeOf(schema.items, `${name}[]`, run) } : {}),
        ...(listTypes.has(schema.listType) ? { listType: schema.listType as 'map' } : {}),
        ...(schema.listMapKeys.length > 0 ? { listMapKeys: schema.listMapKeys } : {}),
      }
    case 'object':
      return objectOf(schema, name, run)
    default:
      return { type: 'any', format: 'deduced' }
  }
}

const listTypes: ReadonlySet<string | undefined> = new Set(['map', 'set', 'atomic'])

const objectOf = (schema: StructuralSchema, name: string, run: Run): Field => {
  const atomic = schema.mapType === 'atomic'
  const values = valuesOf(schema)
  const isOpen = run.isOpen || schema.preserveUnknownFields
  if (schema.properties.size === 0 && !schema.embeddedResource) {
    const items: Field = values ? typeOf(values, `${name}{}`, { ...run, isOpen }) : { type: 'any', format: 'deduced' }
    return { type: 'map', items, ...(atomic ? { mapType: 'atomic' } : {}) }
  }
  run.found.push({
    name,
    fields: fieldsOf(schema, name, { ...run, isOpen }),
    ...(isOpen ? { open: true } : {}),
    ...(atomic ? { structType: 'atomic' } : {}),
  })
  return { type: 'ref', ref: name, ...(atomic ? { structType: 'atomic' } : {}) }
}
