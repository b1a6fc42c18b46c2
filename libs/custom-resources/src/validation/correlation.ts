// Which value of an object before stands for which value now: fields by name, items of lists of type `map` by their keys.
// What did not change is not judged anew (KEP-4008). Comparisons are made once and remembered.
import { spendSteps } from '@shiplog/cel/meter'
import { isPlainObject, schemaOfField, type StructuralSchema } from '../schema/structural-schema.ts'

export interface Correlation {
  readonly value: unknown
  readonly before: unknown
  readonly schema: StructuralSchema
  /** The child, where there is one now and there was one before. */
  readonly field: (name: string) => Correlation | undefined
  readonly item: (index: number) => Correlation | undefined
  readonly isUnchanged: () => boolean
}

export const correlate = (value: unknown, before: unknown, schema: StructuralSchema): Correlation => {
  let children: Map<string | number, Correlation | undefined> | undefined
  let itemsBefore: ReadonlyMap<string, unknown> | undefined
  let unchanged: boolean | undefined
  const child = (key: string | number, make: () => Correlation | undefined): Correlation | undefined => {
    children ??= new Map()
    if (!children.has(key)) children.set(key, make())
    return children.get(key)
  }
  const findItem = (index: number): Correlation | undefined => {
    if (!Array.isArray(value) || !Array.isArray(before) || index >= value.length) return undefined
    if (schema.listType !== 'map' || schema.items === undefined) return undefined
    itemsBefore ??= byKeys(before, schema.listMapKeys)
    const key = keyOf(value[index], schema.listMapKeys)
    const counterpart = key === undefined ? undefined : itemsBefore.get(key)
    return counterpart === undefined ? undefined : correlate(value[index], counterpart, schema.items)
  }
  const self: Correlation = {
    value,
    before,
    schema,
    field: (name) => child(name, () => fieldOf(name, value, before, schema)),
    item: (index) => child(index, () => findItem(index)),
    isUnchanged: () => (unchanged ??= compare(self)),
  }
  return self
}

const fieldOf = (name: string, value: unknown, before: unknown, schema: StructuralSchema): Correlation | undefined => {
  if (!isPlainObject(value) || !isPlainObject(before)) return undefined
  if (!Object.hasOwn(value, name) || !Object.hasOwn(before, name)) return undefined
  const property = schemaOfField(schema, name)
  return property === undefined ? undefined : correlate(value[name], before[name], property)
}

/** Of two items with the same keys the first counts; one without its keys has no counterpart. */
const byKeys = (list: readonly unknown[], keys: readonly string[]): ReadonlyMap<string, unknown> => {
  const found = new Map<string, unknown>()
  for (const item of list) {
    const key = keyOf(item, keys)
    if (key !== undefined && !found.has(key)) found.set(key, item)
  }
  return found
}

/** What tells an item of a list of type `map` from the others. */
export const keyOf = (item: unknown, keys: readonly string[]): string | undefined => {
  if (!isPlainObject(item) || keys.length === 0) return undefined
  const values = keys.map((key) => (Object.hasOwn(item, key) ? item[key] : undefined))
  return values.every((value) => value !== undefined && typeof value !== 'object')
    ? JSON.stringify(values)
    : undefined
}

/** Of the meter, without what is inside. */
const comparisonSteps = 5

/**
 * Fields that no schema tells of make an object that has them count as changed, as upstream has it: they have no
 * counterpart.
 */
const compare = (self: Correlation): boolean => {
  spendSteps(comparisonSteps)
  const { value, before, schema } = self
  if (value === before) return isKnown(value, schema)
  if (Array.isArray(value) && Array.isArray(before)) {
    if (value.length !== before.length) return false
    if (schema.listType !== 'map') return deepEqual(value, before)
    return value.every((_, index) => self.item(index)?.isUnchanged() ?? false)
  }
  if (isPlainObject(value) && isPlainObject(before)) {
    const names = Object.keys(value)
    if (names.length !== Object.keys(before).length) return false
    return names.every((name) => self.field(name)?.isUnchanged() ?? false)
  }
  return false
}

const isKnown = (value: unknown, schema: StructuralSchema): boolean =>
  !isPlainObject(value) ||
  Object.keys(value).every((name) => {
    const property = schemaOfField(schema, name)
    return property !== undefined && isKnown(value[name], property)
  })

export const deepEqual = (a: unknown, b: unknown): boolean => {
  spendSteps(comparisonSteps)
  if (a === b) return true
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => deepEqual(item, b[index]))
  if (!isPlainObject(a) || !isPlainObject(b)) return false
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && deepEqual(a[name], b[name]))
  )
}
