// A schema's types as expressions see them, with the sizes that values may have: what an expression can cost at most
// follows from them (k8s.io/apiserver/pkg/cel/common/schemas.go).
import * as cel from '@shiplog/cel/types'
import type { Type } from '@shiplog/cel/types'
import { valuesOf, type StructuralSchema } from '../schema/structural-schema.ts'
import { escapeName, isReserved } from './escape.ts'

/** The largest request. */
export const requestBytesMax = 3 * 1024 * 1024

export interface DeclaredType {
  readonly type: Type
  /** Most characters, items or entries. */
  readonly sizeMax: number
  /** Least bytes in JSON. */
  readonly bytesMin: number
  readonly items?: DeclaredType | undefined
  /** By name as expressions write it. */
  readonly fields?: ReadonlyMap<string, DeclaredType> | undefined
  readonly isMap?: boolean
}

const simple = (type: Type, bytesMin: number, sizeMax = 0): DeclaredType => ({ type, bytesMin, sizeMax })
const text = simple(cel.string, 2)

/** What a rule on the schema has as `self`; undefined where expressions see nothing. */
export const declaredType = (schema: StructuralSchema, isResource: boolean, name = 'selfType'): DeclaredType | undefined => {
  if (schema.intOrString) return simple(cel.dyn, 1, textSize(schema, requestBytesMax - 2))
  switch (schema.type) {
    case 'array':
      return arrayType(schema, name)
    case 'object':
      return valuesOf(schema) && !isResource ? mapType(schema, name) : objectType(schema, isResource, name)
    case 'string':
      return stringType(schema)
    case 'boolean':
      return simple(cel.bool, 4)
    case 'number':
      return simple(cel.double, 1)
    case 'integer':
      return simple(cel.int, 1)
    default:
      return undefined
  }
}

const arrayType = (schema: StructuralSchema, name: string): DeclaredType | undefined => {
  const items = schema.items && declaredType(schema.items, schema.items.embeddedResource, `${name}.@idx`)
  if (!items) return undefined
  const most = Math.trunc((requestBytesMax - 2) / (items.bytesMin + 1))
  return { type: cel.listOf(items.type), sizeMax: bound(schema.rules.maxItems, most), bytesMin: 2, items }
}

const mapType = (schema: StructuralSchema, name: string): DeclaredType | undefined => {
  const values = valuesOf(schema)!
  const items = declaredType(values, values.embeddedResource, `${name}.@elem`)
  if (!items) return undefined
  const most = Math.trunc((requestBytesMax - 2) / (items.bytesMin + 6))
  return {
    type: cel.mapOf(cel.string, items.type),
    sizeMax: bound(schema.rules.maxProperties, most),
    bytesMin: 2,
    items,
    isMap: true,
  }
}

const bound = (given: number | undefined, otherwise: number): number => (given === undefined ? otherwise : Math.max(given, 0))

const metaFields = (name: string): [string, DeclaredType][] => {
  const metadata = new Map([
    ['name', text],
    ['generateName', text],
  ])
  return [
    ['apiVersion', text],
    ['kind', text],
    ['metadata', objectOf(metadata, 2, `${name}.metadata`)],
  ]
}

const objectOf = (fields: ReadonlyMap<string, DeclaredType>, bytesMin: number, name: string): DeclaredType => ({
  type: cel.objectOf(name, (field) => (fields.get(field) ?? (isReserved(field) ? fields.get(`__${field}__`) : undefined))?.type),
  sizeMax: 0,
  bytesMin,
  fields,
})

const objectType = (schema: StructuralSchema, isResource: boolean, name: string): DeclaredType => {
  const required = new Set(schema.rules.required)
  const fields = new Map<string, DeclaredType>()
  let bytesMin = 2
  for (const [key, property] of schema.properties) {
    if (isResource && (key === 'apiVersion' || key === 'kind' || key === 'metadata')) continue
    const escaped = escapeName(key)
    const declared = declaredType(property, property.embeddedResource, `${name}.${escaped ?? key}`)
    if (!declared) continue
    if (escaped !== undefined) fields.set(escaped, declared)
    if (required.has(key) && property.default === undefined) bytesMin += key.length + declared.bytesMin + 4
  }
  if (isResource) for (const [key, declared] of metaFields(name)) fields.set(key, declared)
  return objectOf(fields, bytesMin, name)
}

/** Characters take up to four bytes. */
const textSize = (schema: StructuralSchema, otherwise: number): number =>
  schema.rules.maxLength === undefined ? otherwise : Math.max(schema.rules.maxLength, 0) * 4

const stringType = (schema: StructuralSchema): DeclaredType => {
  const { format, maxLength, enum: allowed } = schema.rules
  switch (format) {
    case 'byte':
      return simple(cel.bytes, 2, bound(maxLength, requestBytesMax - 2))
    case 'duration':
      return simple(cel.duration, 3, 32)
    case 'date':
      return simple(cel.timestamp, 12, 12)
    case 'date-time':
      return simple(cel.timestamp, 21, 32)
    default:
      return simple(
        cel.string,
        2,
        textSize(schema, allowed ? Math.max(0, ...allowed.map(bytesOf)) : requestBytesMax - 2),
      )
  }
}

const bytesOf = (value: unknown): number => (typeof value === 'string' ? Buffer.byteLength(value) : 0)

/** The size of what is at a path from `self`. */
export const sizeAt = (root: DeclaredType, path: readonly string[]): number | undefined => {
  let at: DeclaredType | undefined = root
  for (const step of path.slice(1)) {
    if (step === '@items' || step === '@values') at = at.items
    else if (step === '@keys') at = at.isMap ? text : undefined
    else at = at.fields?.get(step)
    if (!at) return undefined
  }
  return at.sizeMax
}
