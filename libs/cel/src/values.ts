// Values of expressions. Integers are bigints (64 bits, checked), doubles are numbers; lists and maps are read lazily, so
// that an object that nobody looks into costs nothing.
import { spendSteps } from './meter.ts'
import type { Type } from './types.ts'

export class Uint {
  readonly value: bigint
  constructor(value: bigint) {
    this.value = value
  }
}

/** Nanoseconds since 1970. */
export class Timestamp {
  readonly nanos: bigint
  constructor(nanos: bigint) {
    this.nanos = nanos
  }
}

export class Duration {
  readonly nanos: bigint
  constructor(nanos: bigint) {
    this.nanos = nanos
  }
}

export class TypeValue {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

export class Optional {
  readonly value: Value | undefined
  constructor(value: Value | undefined) {
    this.value = value
  }
}

export const none = new Optional(undefined)

/** A value of one of Kubernetes' own types: a quantity, an address. */
export class Opaque {
  readonly type: string
  readonly held: unknown
  /** Fields that it shows, if any. */
  readonly fieldOf: ((name: string) => Value | undefined) | undefined
  constructor(type: string, held: unknown, fieldOf?: (name: string) => Value | undefined) {
    this.type = type
    this.held = held
    this.fieldOf = fieldOf
  }
}

export interface ListValue {
  readonly kind: 'list'
  readonly size: number
  readonly at: (index: number) => Value
  /** Of a list that is a set, or a map by these keys: its order means nothing, and adding merges. */
  readonly identity?: (item: Value) => string
}

export interface MapValue {
  readonly kind: 'map'
  /** Made by a schema: a field that is null is as if it were not there. */
  readonly isObject: boolean
  readonly size: number
  readonly get: (key: Value) => Value | undefined
  readonly keys: () => Iterable<Value>
}

/** Data that an expression may compare, and no more. */
export class Unknown {
  readonly held: unknown
  constructor(held: unknown) {
    this.held = held
  }
}

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint
  | Uint8Array
  | Timestamp
  | Duration
  | TypeValue
  | Optional
  | Opaque
  | Unknown
  | ListValue
  | MapValue

/** What an expression came to that is no value; `&&`, `||` and `? :` may do without the part. */
export class EvaluationError extends Error {}

/** The expression did more than it may: nothing catches this. */
export class CostExceeded extends Error {
  constructor() {
    super('operation cancelled: actual cost limit exceeded')
  }
}

export const noSuchOverload = (): EvaluationError => new EvaluationError('no such overload')

export const isList = (value: Value): value is ListValue =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'list'
export const isMap = (value: Value): value is MapValue =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'map'

export const listFrom = (items: readonly Value[]): ListValue => ({
  kind: 'list',
  size: items.length,
  at: (index) => items[index]!,
})

export const itemsOf = (list: ListValue): Value[] => Array.from({ length: list.size }, (_, index) => list.at(index))

/** Numbers that are equal have one key, whatever their types. */
export const keyOf = (value: Value): string => {
  switch (typeof value) {
    case 'string':
      return `s${value}`
    case 'bigint':
      return `n${value}`
    case 'number':
      return Number.isInteger(value) ? `n${BigInt(value)}` : `n${value}`
    case 'boolean':
      return `b${value}`
    default:
      return value instanceof Uint ? `n${value.value}` : deepKey(value)
  }
}

/** Steps of comparing two values, or of making a key of one, without what is inside of them. */
const comparisonSteps = 10

const deepKey = (value: Exclude<Value, string | bigint | number | boolean>): string => {
  spendSteps(comparisonSteps)
  if (value === null) return 'null'
  if (isList(value)) return `[${itemsOf(value).map(quotedKey).join()}]`
  if (isMap(value))
    return `{${[...value.keys()]
      .map((key) => `${quotedKey(key)}:${quotedKey(value.get(key)!)}`)
      .sort()
      .join()}}`
  if (value instanceof Uint8Array) return `y${Buffer.from(value).toString('hex')}`
  if (value instanceof Timestamp) return `t${value.nanos}`
  if (value instanceof Duration) return `d${value.nanos}`
  if (value instanceof TypeValue) return `T${value.name}`
  if (value instanceof Optional) return value.value === undefined ? 'none' : `o${quotedKey(value.value)}`
  if (value instanceof Opaque) return `${value.type} ${JSON.stringify(value.held, (_, held) => (typeof held === 'bigint' ? `${held}` : held))}`
  return `u${JSON.stringify((value as Unknown).held)}`
}

const quotedKey = (value: Value): string => JSON.stringify(keyOf(value))

export const mapFrom = (entries: Iterable<readonly [Value, Value]>): MapValue => {
  const byKey = new Map<string, readonly [Value, Value]>()
  for (const entry of entries) byKey.set(keyOf(entry[0]), entry)
  return {
    kind: 'map',
    isObject: false,
    size: byKey.size,
    get: (key) => byKey.get(keyOf(key))?.[1],
    keys: () => [...byKey.values()].map(([key]) => key),
  }
}

/** A message as an expression has written it: `Object.spec{replicas: 1}`. */
export class Message implements MapValue {
  readonly kind = 'map'
  readonly isObject = true
  readonly name: string
  readonly fields: ReadonlyMap<string, Value>
  constructor(name: string, fields: ReadonlyMap<string, Value>) {
    this.name = name
    this.fields = fields
  }
  get size(): number {
    return this.fields.size
  }
  get = (key: Value): Value | undefined => (typeof key === 'string' ? this.fields.get(key) : undefined)
  keys = (): Iterable<Value> => this.fields.keys()
}

/** Whether two values are the same; of different types they are not, but for numbers. */
export const equals = (a: Value, b: Value): boolean => {
  spendSteps(comparisonSteps)
  if (a === b) return true
  if (typeof a === 'bigint' || typeof a === 'number' || a instanceof Uint) return isNumber(b) && compareNumbers(a, b) === 0
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return false
  if (isList(a)) return isList(b) && equalLists(a, b)
  if (a instanceof Message || b instanceof Message)
    return a instanceof Message && b instanceof Message && a.name === b.name && equalMaps(a, b)
  if (isMap(a)) return isMap(b) && equalMaps(a, b)
  if (a instanceof Optional && b instanceof Optional)
    return a.value === undefined || b.value === undefined ? a.value === b.value : equals(a.value, b.value)
  if (a instanceof Opaque && b instanceof Opaque && a.type === quantityType && b.type === quantityType)
    return (a.held as { nano: bigint }).nano === (b.held as { nano: bigint }).nano
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  return a.constructor === b.constructor && deepKey(a) === deepKey(b)
}

export const quantityType = 'kubernetes.Quantity'

const equalLists = (a: ListValue, b: ListValue): boolean => {
  if (a.size !== b.size) return false
  if (a.identity) {
    const others = new Map(itemsOf(b).map((item) => [a.identity!(item), item]))
    return itemsOf(a).every((item) => {
      const other = others.get(a.identity!(item))
      return other !== undefined && equals(item, other)
    })
  }
  for (let index = 0; index < a.size; index++) if (!equals(a.at(index), b.at(index))) return false
  return true
}

const equalMaps = (a: MapValue, b: MapValue): boolean => {
  if (a.size !== b.size) return false
  for (const key of a.keys()) {
    const other = b.get(key)
    if (other === undefined || !equals(a.get(key)!, other)) return false
  }
  return true
}

export const isNumber = (value: Value): value is bigint | number | Uint =>
  typeof value === 'bigint' || typeof value === 'number' || value instanceof Uint

const plain = (value: bigint | number | Uint): bigint | number => (value instanceof Uint ? value.value : value)

/** -1, 0 or 1; NaN where there is no order. An integer beside a double is compared as one, as the language has it. */
export const compareNumbers = (a: bigint | number | Uint, b: bigint | number | Uint): number => {
  let [x, y] = [plain(a), plain(b)]
  if (typeof x !== typeof y) [x, y] = [Number(x), Number(y)]
  return x < y ? -1 : x > y ? 1 : x <= y ? 0 : Number.NaN
}

/** The order of two values of one kind. */
export const compare = (a: Value, b: Value): number => {
  spendSteps(comparisonSteps)
  if (isNumber(a) && isNumber(b)) {
    const order = compareNumbers(a, b)
    if (Number.isNaN(order)) throw new EvaluationError('NaN values cannot be ordered')
    return order
  }
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b)
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b)
  if (a instanceof Timestamp && b instanceof Timestamp) return orderOf(a.nanos, b.nanos)
  if (a instanceof Duration && b instanceof Duration) return orderOf(a.nanos, b.nanos)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b)
  throw noSuchOverload()
}

const orderOf = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)

/** Go compares bytes, JavaScript units of 16 bits: they differ only beyond the first plane. */
const compareTexts = (a: string, b: string): number => {
  if (a === b) return 0
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is not ASCII
  return /[^\x00-\x7f]/.test(a + b) ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : a < b ? -1 : 1
}

export const typeNameOf = (value: Value): string => {
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'bigint':
      return 'int'
    case 'number':
      return 'double'
    case 'string':
      return 'string'
    default:
  }
  if (value === null) return 'null_type'
  if (isList(value)) return 'list'
  if (value instanceof Message) return value.name
  if (isMap(value)) return 'map'
  if (value instanceof Uint) return 'uint'
  if (value instanceof Uint8Array) return 'bytes'
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp'
  if (value instanceof Duration) return 'google.protobuf.Duration'
  if (value instanceof TypeValue) return 'type'
  if (value instanceof Optional) return 'optional_type'
  return value instanceof Opaque ? value.type : 'unknown'
}

/** What `size()` is of, as costs count: 1 of what has no size. Strings count their characters. */
export const costSize = (value: Value): number => {
  if (typeof value === 'string') return charactersOf(value)
  if (value instanceof Uint8Array) return value.length
  if (typeof value === 'object' && value !== null && 'kind' in value) return value.size
  if (value instanceof Optional && value.value !== undefined) return costSize(value.value)
  if (value instanceof Opaque && (value.type === 'net.IP' || value.type === 'net.CIDR')) return addressSize(value)
  return 1
}

const addressSize = ({ held }: Opaque): number => ((held as { family: string }).family === 'IPv4' ? 4 : 16)

/** Characters, not units of 16 bits. */
export const charactersOf = (text: string): number => {
  let count = text.length
  if (!/[\ud800-\udbff]/.test(text)) return count
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit >= 0xd800 && unit <= 0xdbff) count--
  }
  return count
}

export const typeValueOf = (type: Type): TypeValue =>
  new TypeValue(type.kind === 'timestamp' || type.kind === 'duration' ? `google.protobuf.${type.kind === 'timestamp' ? 'Timestamp' : 'Duration'}` : type.name)

