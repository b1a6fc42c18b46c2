// From one type to another: `int("5")`, `string(1.5)`, `timestamp("2026-…")`.
import { goFloat } from '@shiplog/api/decode/go-number'
import {
  Duration,
  EvaluationError,
  noSuchOverload,
  Opaque,
  Timestamp,
  TypeValue,
  Uint,
  typeNameOf,
  type Value,
} from '../values.ts'
import { addressText } from './addresses.ts'
import type { Functions } from './arguments.ts'
import { formatDuration, formatTimestamp, parseDuration, parseTimestamp } from './times.ts'

const int64Min = -(2n ** 63n)
const int64Max = 2n ** 63n - 1n
const uint64Max = 2n ** 64n - 1n

const overflow = (kind: 'integer' | 'unsigned integer'): EvaluationError => new EvaluationError(`${kind} overflow`)

export const asInt = (value: bigint): bigint => {
  if (value < int64Min || value > int64Max) throw overflow('integer')
  return value
}

export const asUint = (value: bigint): Uint => {
  if (value < 0n || value > uint64Max) throw overflow('unsigned integer')
  return new Uint(value)
}

/** A text that is none of the type. */
const notA = (type: string): EvaluationError => new EvaluationError(`type conversion error from 'string' to '${type}'`)

/** Longer ones fit into no 64 bits. */
const digitsMax = 400

const parseInteger = (text: string, type: 'int' | 'uint'): bigint => {
  const form = type === 'int' ? /^[+-]?\d+$/ : /^\d+$/
  if (text.length > digitsMax || !form.test(text)) throw notA(type)
  const value = BigInt(text.replace(/^\+/, ''))
  const [min, max] = type === 'int' ? [int64Min, int64Max] : [0n, uint64Max]
  if (value < min || value > max) throw notA(type)
  return value
}

const toInt = (value: Value | undefined): Value => {
  if (typeof value === 'bigint') return value
  if (value instanceof Uint) return asInt(value.value)
  if (typeof value === 'number') {
    if (!(value > -(2 ** 63) && value < 2 ** 63)) throw overflow('integer')
    return BigInt(Math.trunc(value))
  }
  if (typeof value === 'string') return parseInteger(value, 'int')
  if (value instanceof Timestamp) return floorSeconds(value.nanos)
  if (value instanceof Duration) return value.nanos
  throw noSuchOverload()
}

const floorSeconds = (nanos: bigint): bigint => (nanos - (((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n

const toUint = (value: Value | undefined): Value => {
  if (value instanceof Uint) return value
  if (typeof value === 'bigint') return asUint(value)
  if (typeof value === 'number') {
    if (!(value >= 0 && value < 2 ** 64)) throw overflow('unsigned integer')
    return new Uint(BigInt(Math.trunc(value)))
  }
  if (typeof value === 'string') return new Uint(parseInteger(value, 'uint'))
  throw noSuchOverload()
}

const floatForm = /^[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|inf(?:inity)?|nan)$/i

const toDouble = (value: Value | undefined): Value => {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Uint) return Number(value.value)
  if (typeof value !== 'string') throw noSuchOverload()
  if (!floatForm.test(value)) throw notA('double')
  if (/nan/i.test(value)) return Number.NaN
  if (/inf/i.test(value)) return value.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  const number = Number(value)
  if (!Number.isFinite(number)) throw notA('double')
  return number
}

/** A value as text; undefined where it has none. */
export const toText = (value: Value): string | undefined => {
  if (typeof value === 'string') return value
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return goFloat(value)
  if (value instanceof Uint) return String(value.value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString()
  if (value instanceof Timestamp) return formatTimestamp(value)
  if (value instanceof Duration) return formatDuration(value)
  if (value instanceof TypeValue) return value.name
  return value instanceof Opaque ? addressText(value) : undefined
}

const asText = (value: Value | undefined): Value => {
  if (value instanceof Uint8Array) {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value)
    } catch {
      throw new EvaluationError('invalid UTF-8 in bytes, cannot convert to string')
    }
  }
  const text = value === undefined || value instanceof TypeValue ? undefined : toText(value)
  if (text === undefined) throw noSuchOverload()
  return text
}

const booleans = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text): [string, boolean] => [text, true]),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text): [string, boolean] => [text, false]),
])

const toBool = (value: Value | undefined): Value => {
  if (typeof value === 'boolean') return value
  if (typeof value !== 'string') throw noSuchOverload()
  const parsed = booleans.get(value)
  if (parsed === undefined) throw notA('bool')
  return parsed
}

export const conversionFunctions: Functions = {
  int: ([value]) => toInt(value),
  uint: ([value]) => toUint(value),
  double: ([value]) => toDouble(value),
  string: ([value]) => asText(value),
  bool: ([value]) => toBool(value),
  bytes: ([value]) => {
    if (value instanceof Uint8Array) return value
    if (typeof value === 'string') return Buffer.from(value)
    throw noSuchOverload()
  },
  timestamp: ([value]) => {
    if (value instanceof Timestamp) return value
    if (typeof value === 'bigint') return new Timestamp(value * 1_000_000_000n)
    if (typeof value === 'string') return parseTimestamp(value)
    throw noSuchOverload()
  },
  duration: ([value]) => {
    if (value instanceof Duration) return value
    if (typeof value === 'bigint') return new Duration(value)
    if (typeof value === 'string') return parseDuration(value)
    throw noSuchOverload()
  },
  dyn: ([value]) => value!,
  type: ([value]) => new TypeValue(typeNameOf(value!)),
}

