// Functions of strings (the strings extension, version 2) and regular expressions.
import { isBadExpression, regularExpression } from '../regular-expression.ts'
import { CostExceeded, EvaluationError, isList, itemsOf, listFrom, noSuchOverload, type Value } from '../values.ts'
import { type Functions, integer, text, type Work } from './arguments.ts'
import { formatText } from './format-text.ts'

/** A text that a function makes is no longer than this: beyond, it did more than an expression may. */
const charactersMax = 16_000_000

const bounded = (length: number): void => {
  if (length > charactersMax) throw new CostExceeded()
}

const outOfRange = (index: number): EvaluationError => new EvaluationError(`index out of range: ${index}`)

const indexOf = (whole: string, part: string, from: number): bigint => {
  if (part === '') return BigInt(from)
  if (from < 0) throw outOfRange(from)
  const characters = [...whole]
  if (from >= characters.length) return -1n
  const at = whole.indexOf(part, characters.slice(0, from).join('').length)
  return at < 0 ? -1n : BigInt([...whole.slice(0, at)].length)
}

const lastIndexOf = (whole: string, part: string, from?: number): bigint => {
  const size = [...whole].length
  if (part === '') return BigInt(from ?? size)
  if (from !== undefined && from < 0) throw outOfRange(from)
  if (from !== undefined && from >= size) return -1n
  const at = whole.lastIndexOf(part, from === undefined ? undefined : [...whole].slice(0, from).join('').length)
  return at < 0 ? -1n : BigInt([...whole.slice(0, at)].length)
}

const replace = (whole: string, old: string, by: string, count: number): string => {
  const parts = old === '' ? ['', ...whole, ''] : whole.split(old)
  const times = count < 0 ? parts.length - 1 : Math.min(count, parts.length - 1)
  bounded(whole.length + times * by.length)
  if (old === '') return emptyReplaced([...whole], by, count)
  return [parts.slice(0, times + 1).join(by), ...parts.slice(times + 1)].join(old)
}

/** Between all characters, before and after. */
const emptyReplaced = (characters: readonly string[], by: string, count: number): string => {
  let result = ''
  for (let at = 0; at <= characters.length; at++) {
    if (count < 0 || at < count) result += by
    result += characters[at] ?? ''
  }
  return result
}

const split = (whole: string, separator: string, count: number): string[] => {
  if (count === 0) return []
  const parts = separator === '' ? [...whole] : whole.split(separator)
  if (count < 0 || parts.length <= count) return parts
  return [...parts.slice(0, count - 1), parts.slice(count - 1).join(separator)]
}

const substring = (whole: string, start: number, end?: number): string => {
  const characters = [...whole]
  if (end !== undefined && start > end)
    throw new EvaluationError(`invalid substring range. start: ${start}, end: ${end}`)
  if (start < 0 || start > characters.length) throw outOfRange(start)
  if (end !== undefined && (end < 0 || end > characters.length)) throw outOfRange(end)
  return characters.slice(start, end).join('')
}

const charAt = (whole: string, index: number): string => {
  const characters = [...whole]
  if (index < 0 || index > characters.length) throw outOfRange(index)
  return characters[index] ?? ''
}

/** What Go's TrimSpace takes for space. */
const spaces = /^[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/g

const escapes: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are escaped
const quote = (whole: string): string => `"${whole.toWellFormed().replace(/[\u0007\b\f\n\r\t\v\\"]/g, (one) => escapes[one]!)}"`

const join = (list: Value, separator: string): string => {
  if (!isList(list)) throw noSuchOverload()
  const parts = itemsOf(list).map((item) => {
    if (typeof item !== 'string') throw new EvaluationError(`join: invalid input: ${String(item)}`)
    return item
  })
  bounded(parts.reduce((sum, part) => sum + part.length + separator.length, 0))
  return parts.join(separator)
}

/** Steps of matching in one evaluation: some tens of milliseconds at worst. */
const patternStepsMax = 30_000_000

const expressionOf = (pattern: string, whole: string, work: Work, problem: (detail: string) => string) => {
  const expression = regularExpression(pattern)
  if (isBadExpression(expression)) throw new EvaluationError(problem(expression.problem))
  work.patternSteps += expression.size * whole.length
  if (work.patternSteps > patternStepsMax) throw new CostExceeded()
  return expression
}

const illegal = (detail: string): string => `Illegal regex: ${detail}`

export const textFunctions: Functions = {
  'jsonpatch.escapeKey': ([key]) => text(key).replaceAll('~', '~0').replaceAll('/', '~1'),
  charAt: ([whole, at]) => charAt(text(whole), integer(at)),
  lowerAscii: ([whole]) => text(whole).replace(/[A-Z]/g, (one) => one.toLowerCase()),
  upperAscii: ([whole]) => text(whole).replace(/[a-z]/g, (one) => one.toUpperCase()),
  replace: ([whole, old, by, count]) => replace(text(whole), text(old), text(by), count === undefined ? -1 : integer(count)),
  split: ([whole, separator, count]) =>
    listFrom(split(text(whole), text(separator), count === undefined ? -1 : integer(count))),
  substring: ([whole, start, end]) => substring(text(whole), integer(start), end === undefined ? undefined : integer(end)),
  trim: ([whole]) => text(whole).replace(spaces, ''),
  'strings.quote': ([whole]) => quote(text(whole)),
  join: ([list, separator]) => join(list!, separator === undefined ? '' : text(separator)),
  format: ([pattern, args]) => {
    if (!isList(args!)) throw noSuchOverload()
    const made = formatText(text(pattern), itemsOf(args))
    bounded(made.length)
    return made
  },
  contains: ([whole, part]) => text(whole).includes(text(part)),
  startsWith: ([whole, part]) => text(whole).startsWith(text(part)),
  endsWith: ([whole, part]) => text(whole).endsWith(text(part)),
  matches: ([whole, pattern], work) =>
    expressionOf(text(pattern), text(whole), work, (detail) => detail).test(text(whole)),
  find: ([whole, pattern], work) => expressionOf(text(pattern), text(whole), work, illegal).findAll(text(whole), 1)[0] ?? '',
  findAll: ([whole, pattern, count], work) =>
    listFrom(
      expressionOf(text(pattern), text(whole), work, illegal).findAll(text(whole), count === undefined ? -1 : integer(count)),
    ),
}

/** `indexOf` and `lastIndexOf` of texts; of lists they are in lists.ts. */
export const textIndexOf = (whole: string, part: Value | undefined, from: Value | undefined): bigint =>
  indexOf(whole, text(part), from === undefined ? 0 : integer(from))
export const textLastIndexOf = (whole: string, part: Value | undefined, from: Value | undefined): bigint =>
  lastIndexOf(whole, text(part), from === undefined ? undefined : integer(from))
