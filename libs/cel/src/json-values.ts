// Data without a schema as expressions see it, read where they look; and what they come to, as data.
import { itemsOf, isList, isMap, Message, Optional, Timestamp, Duration, Uint, Unknown, Opaque, TypeValue, EvaluationError, type Value } from './values.ts'
import { toText } from './functions/conversions.ts'

type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json | undefined }

const int64Max = 2 ** 63

/** A piece of JSON as a value. */
export const jsonValue = (json: unknown): Value => {
  if (json === null || json === undefined) return null
  if (typeof json === 'number') return Number.isInteger(json) && Math.abs(json) < int64Max ? BigInt(json) : json
  if (typeof json !== 'object') return json as string | boolean | bigint
  if (Array.isArray(json)) {
    const read = new Map<number, Value>()
    const at = (index: number): Value => {
      let value = read.get(index)
      if (value === undefined) read.set(index, (value = jsonValue(json[index])))
      return value
    }
    return { kind: 'list', size: json.length, at }
  }
  return mapOf(json as Readonly<Record<string, unknown>>)
}

/** What lies below is read once: an expression may look at it in a loop. */
const mapOf = (object: Readonly<Record<string, unknown>>): Value => {
  const names = Object.keys(object).filter((name) => object[name] !== undefined)
  const read = new Map<string, Value>()
  return {
    kind: 'map',
    isObject: false,
    size: names.length,
    get(key) {
      if (typeof key !== 'string' || !Object.hasOwn(object, key) || object[key] === undefined) return undefined
      let value = read.get(key)
      if (value === undefined) read.set(key, (value = jsonValue(object[key])))
      return value
    },
    keys: () => names,
  }
}

/** Whole numbers that JSON's cannot hold stay what they are. */
const plainInteger = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value

/** What an expression came to, as JSON. */
export const valueJson = (value: Value): Json => {
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') return value
  if (typeof value === 'bigint') return plainInteger(value)
  if (value instanceof Uint) return plainInteger(value.value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (value instanceof Timestamp || value instanceof Duration) return toText(value) ?? ''
  if (value instanceof Optional) return value.value === undefined ? null : valueJson(value.value)
  if (value instanceof Unknown) return value.held as Json
  if (value instanceof Opaque || value instanceof TypeValue) throw new EvaluationError('unsupported conversion to JSON')
  if (isList(value)) return itemsOf(value).map(valueJson)
  if (value instanceof Message) return Object.fromEntries([...value.fields].map(([name, held]) => [name, valueJson(held)]))
  if (!isMap(value)) throw new EvaluationError('unsupported conversion to JSON')
  return Object.fromEntries(
    [...value.keys()].map((key) => {
      if (typeof key !== 'string') throw new EvaluationError('map keys must be strings')
      return [key, valueJson(value.get(key)!)]
    }),
  )
}
