// The types of kinds as expressions see them, from the description of built-in kinds or the schema of a custom resource.
import type { CustomResourceDefinitionVersion } from '@shiplog/api/generated/types/apiextensions-v1'
import type { Field, FieldType, SchemaRegistry } from '@shiplog/api/schema/schema'
import * as cel from '@shiplog/cel/types'
import type { Type } from '@shiplog/cel/types'
import { declaredType } from '@shiplog/custom-resources/expressions/declared-types'
import { structuralSchema } from '@shiplog/custom-resources/schema/structural-schema'

const metadataDefinition = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

const texts: Readonly<Record<string, Type>> = {
  ...{ byte: cel.bytes, 'date-time': cel.timestamp, 'micro-time': cel.timestamp },
  // A number or a text: nobody knows before there is one.
  ...{ 'int-or-string': cel.dyn, quantity: cel.dyn },
}

/** The type of a definition; its fields are looked up when an expression names them. */
export const definitionType = (registry: SchemaRegistry, name: string): Type => {
  const definition = registry.definitions.get(name)
  if (!definition || definition.open) return cel.dyn
  const known = new Map<string, Type | undefined>()
  return cel.objectOf(name, (field) => {
    if (!known.has(field)) {
      const found: Field | undefined = Object.hasOwn(definition.fields, field) ? definition.fields[field] : undefined
      known.set(field, found && fieldType(registry, found))
    }
    return known.get(field)
  })
}

function fieldType(registry: SchemaRegistry, field: FieldType): Type {
  switch (field.type) {
    case 'string':
      return texts[field.format ?? ''] ?? cel.string
    case 'integer':
      return cel.int
    case 'number':
      return cel.double
    case 'boolean':
      return cel.bool
    case 'array':
      return cel.listOf(field.items ? fieldType(registry, field.items) : cel.dyn)
    case 'map':
      return cel.mapOf(cel.string, field.items ? fieldType(registry, field.items) : cel.dyn)
    case 'ref':
      return definitionType(registry, field.ref!)
    case 'any':
      return cel.dyn
  }
}

/** The type of a custom resource in one of its versions; undefined where the schema says nothing. */
export function customType(registry: SchemaRegistry, { schema }: CustomResourceDefinitionVersion): Type | undefined {
  const props = schema?.openAPIV3Schema
  const declared = props && declaredType(structuralSchema(props as Parameters<typeof structuralSchema>[0]), true)?.type
  if (!declared?.fieldOf) return declared
  const metadata = definitionType(registry, metadataDefinition)
  return cel.objectOf(declared.name, (field) => (field === 'metadata' ? metadata : declared.fieldOf!(field)))
}
