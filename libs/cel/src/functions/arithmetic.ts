// Operators of numbers, texts, lists and times. Integers have 64 bits: what does not fit is an error.
import {
  Duration,
  EvaluationError,
  isList,
  itemsOf,
  listFrom,
  noSuchOverload,
  Timestamp,
  Uint,
  type ListValue,
  type Value,
} from '../values.ts'
import type { Functions } from './arguments.ts'
import { asInt, asUint } from './conversions.ts'

const overflow = (kind: 'duration' | 'timestamp'): EvaluationError => new EvaluationError(`${kind} overflow`)
const int64Max = 2n ** 63n - 1n
/** The years 1 and 9999. */
const [firstNanos, lastNanos] = [-62_135_596_800_000_000_000n, 253_402_300_799_999_999_999n]

const duration = (nanos: bigint): Duration => {
  if (nanos > int64Max || nanos < -int64Max - 1n) throw overflow('duration')
  return new Duration(nanos)
}

const timestamp = (nanos: bigint): Timestamp => {
  if (nanos < firstNanos || nanos > lastNanos) throw overflow('timestamp')
  return new Timestamp(nanos)
}

/** Lists that are sets or maps are merged, others one after the other. */
const addLists = (a: ListValue, b: ListValue): Value => {
  if (!a.identity) return joined(a, b)
  const merged = new Map(itemsOf(a).map((item) => [a.identity!(item), item]))
  for (const item of itemsOf(b)) merged.set(a.identity(item), item)
  const items = [...merged.values()]
  return { ...(listFrom(items) as ListValue), identity: a.identity }
}

/** Not copied: building a list item by item would cost its square. */
const joined = (a: ListValue, b: ListValue): ListValue => {
  if (a.size === 0) return b
  if (b.size === 0) return a
  return listFrom([...itemsOf(a), ...itemsOf(b)])
}

export const add = (a: Value, b: Value): Value => {
  if (typeof a === 'bigint' && typeof b === 'bigint') return asInt(a + b)
  if (typeof a === 'string' && typeof b === 'string') return a + b
  if (typeof a === 'number' && typeof b === 'number') return a + b
  if (a instanceof Uint && b instanceof Uint) return asUint(a.value + b.value)
  if (a instanceof Duration && b instanceof Duration) return duration(a.nanos + b.nanos)
  if ((a instanceof Timestamp && b instanceof Duration) || (a instanceof Duration && b instanceof Timestamp))
    return timestamp(a.nanos + b.nanos)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.concat([a, b])
  if (typeof a === 'object' && a !== null && typeof b === 'object' && b !== null && isList(a) && isList(b)) return addLists(a, b)
  throw noSuchOverload()
}

const subtract = (a: Value, b: Value): Value => {
  if (typeof a === 'bigint' && typeof b === 'bigint') return asInt(a - b)
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (a instanceof Uint && b instanceof Uint) return asUint(a.value - b.value)
  if (a instanceof Duration && b instanceof Duration) return duration(a.nanos - b.nanos)
  if (a instanceof Timestamp && b instanceof Timestamp) return duration(a.nanos - b.nanos)
  if (a instanceof Timestamp && b instanceof Duration) return timestamp(a.nanos - b.nanos)
  throw noSuchOverload()
}

const multiply = (a: Value, b: Value): Value => {
  if (typeof a === 'bigint' && typeof b === 'bigint') return asInt(a * b)
  if (typeof a === 'number' && typeof b === 'number') return a * b
  if (a instanceof Uint && b instanceof Uint) return asUint(a.value * b.value)
  throw noSuchOverload()
}

const divide = (a: Value, b: Value): Value => {
  if (typeof a === 'number' && typeof b === 'number') return a / b
  if (typeof a === 'bigint' && typeof b === 'bigint') return asInt(a / divisor(b, 'division by zero'))
  if (a instanceof Uint && b instanceof Uint) return new Uint(a.value / divisor(b.value, 'division by zero'))
  throw noSuchOverload()
}

const modulo = (a: Value, b: Value): Value => {
  if (typeof a === 'bigint' && typeof b === 'bigint') return a % divisor(b, 'modulus by zero')
  if (a instanceof Uint && b instanceof Uint) return new Uint(a.value % divisor(b.value, 'modulus by zero'))
  throw noSuchOverload()
}

const divisor = (value: bigint, problem: string): bigint => {
  if (value === 0n) throw new EvaluationError(problem)
  return value
}

export const arithmeticFunctions: Functions = {
  '_+_': ([a, b]) => add(a!, b!),
  '_-_': ([a, b]) => subtract(a!, b!),
  '_*_': ([a, b]) => multiply(a!, b!),
  '_/_': ([a, b]) => divide(a!, b!),
  '_%_': ([a, b]) => modulo(a!, b!),
  '-_': ([a]) => {
    if (typeof a === 'bigint') return asInt(-a)
    if (typeof a === 'number') return -a
    throw noSuchOverload()
  },
}
