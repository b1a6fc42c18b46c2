// Lists that are sets have no item twice, lists that are maps no key twice
// (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype).
import { spendSteps } from '@shiplog/cel/meter'
import { duplicate, invalidValue } from '@shiplog/api/field-errors'
import type { StatusCause } from '@shiplog/api/status'
import { isPlainObject, valuesOf, type StructuralSchema } from '../schema/structural-schema.ts'
import { shownJson } from './go-text.ts'

/** One cause for each value that is there more than once, at its second place. */
export const validateListTypes = (value: unknown, schema: StructuralSchema, field = ''): StatusCause[] => {
  if (!hasListTypes(schema)) return []
  if (Array.isArray(value)) return validateList(value, schema, field)
  if (!isPlainObject(value)) return []
  const values = valuesOf(schema)
  return Object.keys(value).flatMap((name) => {
    const property = schema.properties.get(name)
    if (property) return validateListTypes(value[name], property, field === '' ? name : `${field}.${name}`)
    return values ? validateListTypes(value[name], values, `${field}[${name}]`) : []
  })
}

const validateList = (list: readonly unknown[], schema: StructuralSchema, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  if (schema.listType === 'set')
    for (const index of repeated(list)) causes.push(duplicate(`${field}[${index}]`, shownJson(list[index])))
  if (schema.listType === 'map') causes.push(...validateKeys(list, schema, field))
  const { items } = schema
  if (items)
    for (const [index, item] of list.entries()) causes.push(...validateListTypes(item, items, `${field}[${index}]`))
  return causes
}

const validateKeys = (list: readonly unknown[], { listMapKeys }: StructuralSchema, field: string): StatusCause[] => {
  const wrong = list.findIndex((item) => item !== null && !isPlainObject(item))
  if (wrong >= 0)
    return [
      invalidValue(`${field}[${wrong}]`, shownJson(list[wrong]), 'must be an object for an array of list-type map'),
    ]
  const keys = list.map((item) =>
    Object.fromEntries(
      listMapKeys.flatMap((name) => (isPlainObject(item) && Object.hasOwn(item, name) ? [[name, item[name]]] : [])),
    ),
  )
  return repeated(keys).map((index) => duplicate(`${field}[${index}]`, shownJson(keys[index])))
}

/** Where each value that is there more than once is for the second time. */
const repeated = (values: readonly unknown[]): number[] => {
  const times = new Map<string, number>()
  const found: number[] = []
  values.forEach((value, index) => {
    const text = JSON.stringify(shownJson(value))
    spendSteps(text.length)
    const seen = times.get(text) ?? 0
    if (seen === 1) found.push(index)
    times.set(text, seen + 1)
  })
  return found
}

const known = new WeakMap<StructuralSchema, boolean>()

/** Most schemas have none: nothing to walk. */
const hasListTypes = (schema: StructuralSchema): boolean => {
  let has = known.get(schema)
  if (has === undefined) {
    const parts = [...schema.properties.values(), schema.items, valuesOf(schema)]
    has = schema.listType === 'set' || schema.listType === 'map' || parts.some((part) => part && hasListTypes(part))
    known.set(schema, has)
  }
  return has
}
