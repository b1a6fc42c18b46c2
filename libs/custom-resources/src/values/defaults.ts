// Defaults of a schema, as a request and a read from the log fill them in, and nulls that mean "not set"
// (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting).
import { cloneJson } from '@shiplog/api/clone-json'
import type { JsonObject } from '@shiplog/api/kube-object'
import { isPlainObject, schemaOfField, valuesOf, type StructuralSchema } from '../schema/structural-schema.ts'

/** Fills the object (which the caller owns): nulls that may not be and have no default go, defaults come. */
export const applyDefaults = (object: JsonObject, schema: StructuralSchema): void => {
  dropNulls(object, schema)
  fillDefaults(object, schema)
}

const isWrongNull = (value: unknown, schema: StructuralSchema | undefined): boolean =>
  value === null && schema !== undefined && !schema.nullable

/** A null where none may be, and nothing to put in its place, is as if it were not there. */
export const dropNulls = (value: unknown, schema: StructuralSchema | undefined): void => {
  if (Array.isArray(value)) {
    const items = schema?.items
    for (const item of value) if (typeof item === 'object' && item !== null) dropNulls(item, items)
    return
  }
  if (!isPlainObject(value)) return
  for (const name in value) {
    const child = value[name]
    if (typeof child !== 'object') continue
    const field = schemaOfField(schema, name)
    if (isWrongNull(child, field) && field!.default === undefined) delete value[name]
    else dropNulls(child, field)
  }
}

export const fillDefaults = (value: unknown, schema: StructuralSchema | undefined): void => {
  if (schema === undefined || !hasDefaults(schema)) return
  if (Array.isArray(value)) {
    const { items } = schema
    for (let index = 0; index < value.length; index++) {
      if (isWrongNull(value[index], items)) value[index] = copyOf(items!.default)
      fillDefaults(value[index], items)
    }
  } else if (isPlainObject(value)) fillFields(value, schema)
}

const fillFields = (object: JsonObject, schema: StructuralSchema): void => {
  for (const [name, property] of schema.properties) {
    if (property.default === undefined) continue
    const there = Object.hasOwn(object, name)
    if (!there || isWrongNull(object[name], property)) setOwn(object, name, copyOf(property.default))
  }
  const values = valuesOf(schema)
  for (const name of Object.keys(object)) {
    const property = schema.properties.get(name)
    if (property !== undefined) fillDefaults(object[name], property)
    else if (values !== undefined) {
      if (isWrongNull(object[name], values)) object[name] = copyOf(values.default)
      fillDefaults(object[name], values)
    }
  }
}

/** What has no default stays null. */
const copyOf = (value: unknown): unknown => (value === undefined ? null : cloneJson(value))

const setOwn = (object: JsonObject, name: string, value: unknown): void => {
  if (name === '__proto__')
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  else object[name] = value
}

const known = new WeakMap<StructuralSchema, boolean>()

/** Most parts of most schemas have no default anywhere below: their values need no walk. Items and values may become null. */
const hasDefaults = (schema: StructuralSchema): boolean => {
  let has = known.get(schema)
  if (has === undefined) known.set(schema, (has = findDefaults(schema)))
  return has
}

const findDefaults = (schema: StructuralSchema): boolean => {
  for (const property of schema.properties.values())
    if (property.default !== undefined || hasDefaults(property)) return true
  for (const part of [schema.items, valuesOf(schema)])
    if (part !== undefined && (part.default !== undefined || hasDefaults(part))) return true
  return false
}
