// Functions of lists, sets, maps and optional values.
import {
  compare,
  CostExceeded,
  Duration,
  equals,
  EvaluationError,
  isList,
  isMap,
  itemsOf,
  keyOf,
  listFrom,
  mapFrom,
  none,
  noSuchOverload,
  Optional,
  typeNameOf,
  Uint,
  type ListValue,
  type MapValue,
  type Value,
} from '../values.ts'
import { add } from './arithmetic.ts'
import { integer, list, type Functions } from './arguments.ts'
import { toText } from './conversions.ts'
import { textIndexOf, textLastIndexOf } from './texts.ts'

/** More would be more than one expression may do. */
const rangeMax = 1_000_000

const extreme = (name: 'max' | 'min', given: ListValue): Value => {
  if (given.size === 0) throw new EvaluationError(`${name} called on empty list`)
  const sign = name === 'max' ? 1 : -1
  return itemsOf(given).reduce((best, item) => (compare(item, best) * sign > 0 ? item : best))
}

const sum = (given: ListValue, zero: Value): Value => itemsOf(given).reduce(add, zero)

const zeroLike = (given: ListValue): Value => {
  const first = given.size > 0 ? given.at(0) : 0n
  if (first instanceof Uint) return new Uint(0n)
  if (first instanceof Duration) return new Duration(0n)
  return typeof first === 'number' ? 0 : 0n
}

const sortedBy = (items: ListValue, keys: ListValue): Value => {
  if (items.size !== keys.size)
    throw new EvaluationError(
      `@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${items.size} and ${keys.size} elements respectively`,
    )
  const given = itemsOf(keys)
  if (given.some((key) => typeNameOf(key) !== typeNameOf(given[0]!)))
    throw new EvaluationError('list elements must have the same type')
  const order = given.map((_, index) => index).sort((a, b) => compare(given[a]!, given[b]!))
  return listFrom(order.map((index) => items.at(index)))
}

const slice = (given: ListValue, start: number, end: number): Value => {
  const problem = (why: string): EvaluationError => new EvaluationError(`cannot slice(${start}, ${end}), ${why}`)
  if (start < 0 || end < 0) throw problem('negative indexes not supported')
  if (start > end) throw problem('start index must be less than or equal to end index')
  if (given.size < end) throw problem(`list is length ${given.size}`)
  return listFrom(itemsOf(given).slice(start, end))
}

const flatten = (given: ListValue, depth: number): Value[] => {
  if (depth < 0) throw new EvaluationError('level must be non-negative')
  return itemsOf(given).flatMap((item) => (isList(item) && depth > 0 ? flatten(item, depth - 1) : [item]))
}

const range = (end: number): Value => {
  if (end > rangeMax) throw new CostExceeded()
  return listFrom(Array.from({ length: Math.max(end, 0) }, (_, index) => BigInt(index)))
}

const indexOf = ([given, item, from]: readonly (Value | undefined)[]): Value => {
  if (typeof given === 'string') return textIndexOf(given, item, from)
  return BigInt(itemsOf(list(given)).findIndex((one) => equals(one, item!)))
}

const lastIndexOf = ([given, item, from]: readonly (Value | undefined)[]): Value => {
  if (typeof given === 'string') return textLastIndexOf(given, item, from)
  return BigInt(itemsOf(list(given)).findLastIndex((one) => equals(one, item!)))
}

const keysOf = (given: Value | undefined): Set<string> => new Set(itemsOf(list(given)).map(keyOf))

const optional = (value: Value | undefined): Optional => {
  if (!(value instanceof Optional)) throw noSuchOverload()
  return value
}

const isZero = (value: Value): boolean => {
  if (value === null || value === false || value === '' || value === 0 || value === 0n) return true
  if (value instanceof Uint) return value.value === 0n
  if (value instanceof Uint8Array) return value.length === 0
  if (value instanceof Duration) return value.nanos === 0n
  if (value instanceof Optional) return value.value === undefined
  return (isList(value) || isMap(value)) && value.size === 0
}

/** Where a list is looked into: a whole number that may come as a double. */
const indexIn = (given: ListValue, at: Value): number => {
  const index = typeof at === 'bigint' ? Number(at) : at instanceof Uint ? Number(at.value) : typeof at === 'number' && Number.isInteger(at) ? at : undefined
  if (index === undefined) throw new EvaluationError(`unsupported index type '${typeNameOf(at)}' in list`)
  return index >= 0 && index < given.size ? index : -1
}

/** `a[b]`, or undefined where there is nothing. */
export const find = (given: Value, at: Value): Value | undefined => {
  if (isMap(given)) return given.get(at)
  if (!isList(given)) throw noSuchOverload()
  const index = indexIn(given, at)
  return index < 0 ? undefined : given.at(index)
}

export const index = (given: Value, at: Value): Value => {
  if (given instanceof Optional) return optionalIndex(given, at)
  const found = find(given, at)
  if (found !== undefined) return found
  if (isMap(given)) throw new EvaluationError(`no such key: ${toText(at) ?? ''}`)
  throw new EvaluationError(`index out of bounds: ${toText(at) ?? ''}`)
}

export const optionalIndex = (given: Value, at: Value): Value => {
  const held = given instanceof Optional ? given.value : given
  const found = held === undefined ? undefined : find(held, at)
  return found === undefined ? none : new Optional(found)
}

const isIn = (item: Value, given: Value): boolean => {
  if (isMap(given)) return given.get(item) !== undefined
  const items = list(given)
  for (let at = 0; at < items.size; at++) if (equals(items.at(at), item)) return true
  return false
}

const insert = ([into, key, value]: readonly (Value | undefined)[]): Value => {
  const target = into as MapValue
  const entries = [...target.keys()].map((one): [Value, Value] => [one, target.get(one)!])
  const more: [Value, Value][] =
    value === undefined ? [...(key as MapValue).keys()].map((one) => [one, (key as MapValue).get(one)!]) : [[key!, value]]
  for (const [one] of more)
    if (target.get(one) !== undefined) throw new EvaluationError(`insert failed: key ${toText(one) ?? ''} already exists`)
  return mapFrom([...entries, ...more])
}

export const collectionFunctions: Functions = {
  '_[_]': ([given, at]) => index(given!, at!),
  '_[?_]': ([given, at]) => optionalIndex(given!, at!),
  '@in': ([item, given]) => isIn(item!, given!),
  isSorted: ([given]) => itemsOf(list(given)).every((item, at, items) => at === 0 || compare(items[at - 1]!, item) <= 0),
  sum: ([given]) => sum(list(given), zeroLike(list(given))),
  max: ([given]) => extreme('max', list(given)),
  min: ([given]) => extreme('min', list(given)),
  indexOf,
  lastIndexOf,
  sort: ([given]) => sortedBy(list(given), list(given)),
  '@sortByAssociatedKeys': ([given, keys]) => sortedBy(list(given), list(keys)),
  slice: ([given, start, end]) => slice(list(given), integer(start), integer(end)),
  flatten: ([given, depth]) => listFrom(flatten(list(given), depth === undefined ? 1 : integer(depth))),
  reverse: ([given]) => listFrom(itemsOf(list(given)).reverse()),
  distinct: ([given]) => {
    const seen = new Set<string>()
    return listFrom(itemsOf(list(given)).filter((item) => !seen.has(keyOf(item)) && seen.add(keyOf(item))))
  },
  first: ([given]) => (list(given).size === 0 ? none : new Optional(list(given).at(0))),
  last: ([given]) => (list(given).size === 0 ? none : new Optional(list(given).at(list(given).size - 1))),
  'lists.range': ([end]) => range(integer(end)),
  'sets.contains': ([a, b]) => {
    const there = keysOf(a)
    return [...keysOf(b)].every((key) => there.has(key))
  },
  'sets.equivalent': ([a, b]) => {
    const [left, right] = [keysOf(a), keysOf(b)]
    return left.size === right.size && [...left].every((key) => right.has(key))
  },
  'sets.intersects': ([a, b]) => {
    const there = keysOf(a)
    return [...keysOf(b)].some((key) => there.has(key))
  },
  'cel.@mapInsert': insert,
  'optional.of': ([value]) => new Optional(value),
  'optional.ofNonZeroValue': ([value]) => (isZero(value!) ? none : new Optional(value)),
  'optional.none': () => none,
  'optional.unwrap': ([given]) => unwrap(list(given)),
  unwrapOpt: ([given]) => unwrap(list(given)),
  hasValue: ([value]) => optional(value).value !== undefined,
  value: ([value]) => {
    const found = optional(value).value
    if (found === undefined) throw new EvaluationError('optional.none() dereference')
    return found
  },
}

const unwrap = (given: ListValue): Value =>
  listFrom(itemsOf(given).flatMap((item) => (item instanceof Optional && item.value !== undefined ? [item.value] : [])))
