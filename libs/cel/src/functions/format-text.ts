// `"%s is %d".format([a, b])`: texts made of values.
import { goQuote } from '@shiplog/api/decode/go-quote'
import {
  Duration,
  EvaluationError,
  isList,
  isMap,
  itemsOf,
  Timestamp,
  typeNameOf,
  TypeValue,
  Uint,
  type Value,
} from '../values.ts'
import { toText } from './conversions.ts'

const defaultPrecision = 6
const precisionMax = 100

const problem = (clause: string, value: Value): EvaluationError => {
  const wanted: Readonly<Record<string, string>> = {
    s: 'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps',
    d: 'integer clause can only be used on integers',
    f: 'fixed-point clause can only be used on doubles',
    e: 'scientific clause can only be used on doubles',
    b: 'only integers and bools can be formatted as binary',
    x: 'only integers, byte buffers, and strings can be formatted as hex',
    o: 'octal clause can only be used on integers',
  }
  return new EvaluationError(`${wanted[clause]}, was given ${typeNameOf(value)}`)
}

export const formatText = (pattern: string, args: readonly Value[]): string => {
  let used = 0
  let result = ''
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] !== '%') {
      result += pattern[at]
      continue
    }
    if (pattern[at + 1] === '%') {
      result += '%'
      at++
      continue
    }
    if (at + 1 >= pattern.length) throw new EvaluationError('unexpected end of string')
    if (used >= args.length) throw new EvaluationError(`index ${used} out of range`)
    const clause = /^(?:\.(\d+))?([a-zA-Z])/.exec(pattern.slice(at + 1, at + 12))
    if (!clause) throw new EvaluationError(`could not parse formatting clause: unrecognized formatting clause "${pattern[at + 1]}"`)
    const precision = Math.min(Number(clause[1] ?? defaultPrecision), precisionMax)
    result += formatOne(clause[2]!, precision, args[used++]!)
    at += clause[0].length
  }
  return result
}

const formatOne = (clause: string, precision: number, value: Value): string => {
  switch (clause) {
    case 's':
      return formatString(value)
    case 'd':
      return String(wholeOf(value, 'd'))
    case 'f':
      return withSpecials(value, 'f', (number) => number.toFixed(precision))
    case 'e':
      return withSpecials(value, 'e', (number) => number.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2'))
    case 'b':
      return typeof value === 'boolean' ? String(Number(value)) : wholeOf(value, 'b').toString(2)
    case 'x':
      return hex(value)
    case 'X':
      return hex(value).toUpperCase()
    case 'o':
      return wholeOf(value, 'o').toString(8)
    default:
      throw new EvaluationError(`could not parse formatting clause: unrecognized formatting clause "${clause}"`)
  }
}

const wholeOf = (value: Value, clause: string): bigint => {
  if (typeof value === 'bigint') return value
  if (value instanceof Uint) return value.value
  throw problem(clause, value)
}

const withSpecials = (value: Value, clause: string, print: (number: number) => string): string => {
  const number = typeof value === 'number' ? value : specials.get(typeof value === 'string' ? value : '')
  if (number === undefined) throw problem(clause, value)
  if (Number.isNaN(number)) return 'NaN'
  if (!Number.isFinite(number)) return number > 0 ? '∞' : '-∞'
  return print(number)
}

const specials = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
])

const hex = (value: Value): string => {
  if (typeof value === 'string') return Buffer.from(value).toString('hex')
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return wholeOf(value, 'x').toString(16)
}

const formatString = (value: Value): string => {
  if (value === null) return 'null'
  if (isList(value)) return `[${itemsOf(value).map(literal).join(', ')}]`
  if (isMap(value) && !value.isObject) return formatMap(value)
  if (isMap(value)) throw problem('s', value)
  return toText(value) ?? ((): never => {
    throw problem('s', value)
  })()
}

const formatMap = (value: Extract<Value, { kind: 'map' }>): string =>
  `{${[...value.keys()]
    .map((key) => [literal(key), literal(value.get(key)!)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, one]) => `${key}:${one}`)
    .join(', ')}}`

/** As it would be written in an expression. */
const literal = (value: Value): string => {
  if (typeof value === 'string') return goQuote(value)
  if (value instanceof Uint8Array) return `b${goQuote(Buffer.from(value).toString())}`
  if (typeof value === 'number') return Number.isFinite(value) ? value.toFixed(defaultPrecision) : goQuote(formatOne('f', 6, value))
  if (value instanceof Timestamp) return `timestamp(${goQuote(toText(value)!)})`
  if (value instanceof Duration) return `duration(${goQuote(toText(value)!)})`
  if (value instanceof TypeValue) return value.name
  return formatString(value)
}
