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

/** Why a clause cannot show a value of a type. */
export const clauseProblem = (clause: string, type: string): string => {
  const wanted: Readonly<Record<string, string>> = {
    s: 'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps',
    d: 'decimal clause can only be used on integers',
    f: 'fixed-point clause can only be used on doubles',
    e: 'scientific clause can only be used on doubles',
    b: 'only integers and bools can be formatted as binary',
    x: 'only integers, byte buffers, and strings can be formatted as hex',
    o: 'octal clause can only be used on integers',
  }
  return `error during formatting: ${wanted[clause]}, was given ${type}`
}

const problem = (clause: string, value: Value): EvaluationError =>
  new EvaluationError(clauseProblem(clause, typeNameOf(value)))

interface Piece {
  readonly text: string
  readonly clause?: string
  readonly precision: number
}

const clauseForm = /^(?:\.(\d+))?([a-zA-Z])/
const clauseLetters: ReadonlySet<string> = new Set(['s', 'd', 'f', 'e', 'b', 'x', 'X', 'o'])

/** A format in pieces, each with what stands before its clause; and why it ends where it does, if not at its end. */
const piecesOf = (pattern: string): { readonly pieces: readonly Piece[]; readonly problem?: string } => {
  const pieces: Piece[] = []
  let text = ''
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] !== '%') text += pattern[at]
    else if (pattern[at + 1] === '%') {
      text += '%'
      at++
    } else if (at + 1 >= pattern.length) return { pieces, problem: 'unexpected end of string' }
    else {
      const clause = clauseForm.exec(pattern.slice(at + 1, at + 12))
      if (!clause || !clauseLetters.has(clause[2]!))
        return {
          pieces,
          problem: `could not parse formatting clause: unrecognized formatting clause "${clause?.[2] ?? pattern[at + 1]}"`,
        }
      pieces.push({ text, clause: clause[2]!, precision: Math.min(Number(clause[1] ?? defaultPrecision), precisionMax) })
      text = ''
      at += clause[0].length
    }
  }
  return { pieces: [...pieces, { text, precision: 0 }] }
}

/** The clauses of a format in their order; and what is wrong after them. */
export const formatClauses = (pattern: string): { readonly clauses: readonly string[]; readonly problem?: string } => {
  const { pieces, problem } = piecesOf(pattern)
  const clauses = pieces.flatMap(({ clause }) => (clause === undefined ? [] : [clause === 'X' ? 'x' : clause]))
  return problem === undefined ? { clauses } : { clauses, problem }
}

export const formatText = (pattern: string, args: readonly Value[]): string => {
  const { pieces, problem: ending } = piecesOf(pattern)
  let used = 0
  let result = ''
  for (const { text, clause, precision } of pieces) {
    result += text
    if (clause === undefined) continue
    if (used >= args.length) throw new EvaluationError(`index ${used} out of range`)
    result += formatOne(clause, precision, args[used++]!)
  }
  if (ending !== undefined) throw new EvaluationError(ending)
  return result
}

const formatOne = (clause: string, precision: number, value: Value): string => {
  switch (clause) {
    case 's':
      return formatString(value)
    case 'd':
      return String(wholeOf(value, 'd'))
    case 'f':
      return withSpecials(value, 'f', (number) => grouped(fixed(number, precision)))
    case 'e':
      return withSpecials(value, 'e', (number) => scientific(number, precision))
    case 'b':
      return typeof value === 'boolean' ? String(Number(value)) : wholeOf(value, 'b').toString(2)
    case 'x':
      return hex(value)
    case 'X':
      return hex(value).toUpperCase()
    default:
      return wholeOf(value, 'o').toString(8)
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

/** As toFixed, but what is exactly half way goes to the even digit. */
const fixed = (number: number, precision: number): string => {
  const scaled = Math.abs(number) * 10 ** precision
  const down = Math.floor(scaled)
  const isTie = scaled - down === 0.5 && down % 2 === 0 && Number.isSafeInteger(down)
  return isTie ? ((Math.sign(number) * down) / 10 ** precision).toFixed(precision) : number.toFixed(precision)
}

/** Whole digits in threes, as English has them. */
const grouped = (text: string): string => {
  const [whole = '', fraction] = text.split('.')
  const threes = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return fraction === undefined ? threes : `${threes}.${fraction}`
}

const raised = '⁰¹²³⁴⁵⁶⁷⁸⁹'

/** `1.5×10⁰³`. */
const scientific = (number: number, precision: number): string => {
  const [digits = '', exponent = '0'] = number.toExponential(precision).split('e')
  const power = Math.abs(Number(exponent)).toString().padStart(2, '0').replace(/\d/g, (digit) => raised[Number(digit)]!)
  return `${digits}×10${exponent.startsWith('-') ? '⁻' : ''}${power}`
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
  if (isMap(value)) return formatMap(value)
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
