// Checks of one value by the keywords of a schema, with the sentences of k8s.io/kube-openapi/pkg/validation.
import { isBadExpression, regularExpression } from '@shiplog/cel/regular-expression'
import { spendSteps } from '@shiplog/cel/meter'
import { invalidValue, notSupported, tooLong, tooMany, typeInvalid } from '@shiplog/api/field-errors'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { ValueRules } from '../schema/structural-schema.ts'
import { isPlainObject } from '../schema/structural-schema.ts'
import { deepEqual } from './correlation.ts'
import { formatCheck, supportedFormat } from './formats.ts'
import { goNumber, shownJson } from './go-text.ts'
import { add, fieldOf, patternStepsMax, pathOf, wholeField, type Run } from './run.ts'

const int64Max = 2 ** 63

export type JsonType = 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object'

export const jsonTypeOf = (value: unknown): JsonType => {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return 'array'
  switch (typeof value) {
    case 'boolean':
      return 'boolean'
    case 'string':
      return 'string'
    case 'number':
      return Number.isInteger(value) && Math.abs(value) < int64Max ? 'integer' : 'number'
    case 'bigint':
      return 'integer'
    default:
      return 'object'
  }
}

const invalid = (run: Run, value: unknown, sentence: string): void =>
  add(run, sentence, invalidValue(fieldOf(run), shownJson(value), sentence))

const wrongType = (run: Run, wanted: string, found: string): void => {
  const sentence = `${pathOf(run)} in body must be of type ${wanted}: ${goQuote(found)}`
  add(run, sentence, typeInvalid(fieldOf(run), found, sentence))
}

/** The formats of numbers as Go's types name them. */
const formatOfType: Readonly<Record<string, string>> = { integer: 'int64', number: 'float64' }

/** Whether a value has one of the types; counts a match when it does. */
export const checkType = (
  value: unknown,
  types: readonly string[],
  nullable: boolean,
  format: string,
  run: Run,
): void => {
  const type = jsonTypeOf(value)
  if (type === 'null') {
    if (types.length > 0 && !nullable) wrongType(run, types.join(','), 'null')
    else run.matches++
    return
  }
  const wanted = new Set(types)
  const fits =
    wanted.has(type) ||
    (type === 'number' && wanted.has('integer') && Number.isSafeInteger(value)) ||
    (type === 'integer' && wanted.has('number'))
  const isText = type === 'string' || type === 'array'
  if (!isText && format !== '' && !fits && formatOfType[type] !== format) {
    wrongType(run, format, formatOfType[type] ?? '')
    return
  }
  const anyText = isText && format !== '' && !wanted.has('number') && !wanted.has('integer')
  if (anyText || fits) run.matches++
  else wrongType(run, types.join(','), type)
}

export const checkText = (text: string, { maxLength, minLength, pattern }: ValueRules, run: Run): void => {
  if (maxLength !== undefined && isLonger(text, maxLength)) {
    add(run, `${pathOf(run)} in body should be at most ${maxLength} chars long`, tooLong(fieldOf(run), maxLength))
    return
  }
  if (minLength !== undefined && text.length < minLength * 2 && [...text].length < minLength) {
    invalid(run, text, `${pathOf(run)} in body should be at least ${minLength} chars long`)
    return
  }
  if (pattern !== '') checkPattern(text, pattern, run)
}

/** Characters beyond 16 bits count once. */
const isLonger = (text: string, max: number): boolean => text.length > max && [...text].length > max

const checkPattern = (text: string, pattern: string, run: Run): void => {
  const expression = regularExpression(pattern)
  const sentence = (detail: string): string => `${pathOf(run)} in body should match '${detail}'`
  if (isBadExpression(expression)) {
    invalid(run, text, sentence(`${pattern}, but pattern is invalid: ${expression.problem}`))
    return
  }
  run.work.patternSteps += expression.size * text.length
  if (run.work.patternSteps > patternStepsMax)
    // Not upstream's: it would go on matching, and other requests would wait here.
    add(
      run,
      `${pathOf(run)} pattern`,
      invalidValue(fieldOf(run), '', `${pathOf(run)} in body is too long to be matched against '${pattern}' in one request`),
    )
  else if (!expression.test(text)) invalid(run, text, sentence(pattern))
}

export const checkFormat = (text: string, format: string, run: Run): void => {
  if (formatCheck(format)?.(text) === false) {
    const sentence = `${pathOf(run)} in body must be of type ${format}: ${goQuote(text)}`
    add(run, sentence, typeInvalid(fieldOf(run), text, sentence))
  }
}

interface NumberRange {
  readonly min: number
  readonly max: number
}

const ranges: Readonly<Record<string, NumberRange>> = {
  int32: { min: -(2 ** 31), max: 2 ** 31 - 1 },
  float: { min: -3.4028234663852886e38, max: 3.4028234663852886e38 },
}

/** Whether the number, or a bound of it, is one of the type that the schema names. */
const isInRange = (value: number | bigint, type: string, format: string): boolean => {
  if (type === 'integer') {
    if (typeof value === 'number' && !Number.isInteger(value)) return false
    const { min, max } = ranges['int32']!
    return format === 'int32' ? value >= min && value <= max : value >= -int64Max && value < int64Max
  }
  return format !== 'float' || (value >= ranges['float']!.min && value <= ranges['float']!.max)
}

const outOfRange = (run: Run, what: string, type: string, format: string): void => {
  const kind = format === '' ? `${type} (default format)` : `${type} with format ${format}`
  const sentence = `${what} value must be of type ${kind} in ${pathOf(run)}`
  add(run, sentence, invalidValue(wholeField(run), '', sentence))
}

export const checkNumber = (value: number | bigint, rules: ValueRules, types: readonly string[], run: Run): void => {
  const type = types.length === 1 && (types[0] === 'integer' || types[0] === 'number') ? types[0] : ''
  const format = type === '' ? '' : supportedFormat(type, rules.format)
  const bound = (limit: number, what: string): boolean => {
    if (isInRange(limit, type, format)) return jsonTypeOf(value) === 'integer'
    outOfRange(run, what, type, format)
    return false
  }
  if (!isInRange(value, type, format)) outOfRange(run, 'Checked', type, format)
  if (rules.multipleOf !== undefined)
    checkMultiple(value, rules.multipleOf, bound(rules.multipleOf, 'MultipleOf'), run)
  if (rules.minimum !== undefined) checkBound(value, rules.minimum, rules.exclusiveMinimum, 'greater', bound(rules.minimum, 'Minimum boundary'), run)
  if (rules.maximum !== undefined) checkBound(value, rules.maximum, rules.exclusiveMaximum, 'less', bound(rules.maximum, 'Maximum boundary'), run)
  run.matches++
}

/** Whole numbers are compared as such: the bound is cut to a whole one then. */
const checkBound = (
  value: number | bigint,
  limit: number,
  exclusive: boolean,
  wanted: 'greater' | 'less',
  whole: boolean,
  run: Run,
): void => {
  const bound = whole ? Math.trunc(limit) : limit
  const [less, more] = wanted === 'greater' ? [bound, value] : [value, bound]
  if (exclusive ? less < more : less <= more) return
  invalid(
    run,
    value,
    `${pathOf(run)} in body should be ${wanted} than ${exclusive ? '' : 'or equal to '}${goNumber(bound, whole)}`,
  )
}

/** A factor is cut to a whole one for a whole number, too. */
const checkMultiple = (value: number | bigint, factor: number, whole: boolean, run: Run): void => {
  const by = whole ? Math.trunc(factor) : factor
  if (by <= 0) {
    invalid(run, by, `factor MultipleOf declared for ${pathOf(run)} must be positive: ${goNumber(by, whole)}`)
    return
  }
  const times = by < 1 ? (1 / by) * Number(value) : Number(value) / by
  const divides = whole ? BigInt(value) % BigInt(by) === 0n : isNearlyInteger(times)
  if (!divides)
    invalid(run, value, `${pathOf(run)} in body should be a multiple of ${goNumber(by, whole)}`)
}

/** As go-openapi takes a floating-point number for a whole one. */
const isNearlyInteger = (value: number): boolean => {
  if (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER) return false
  const [size, rounded] = [Math.abs(value), Math.abs(Math.trunc(value))]
  const difference = Math.abs(value - Math.trunc(value))
  if (value === Math.trunc(value)) return true
  if (difference === 0 || size === 0 || rounded === 0) return difference < 1e-9 * Number.MIN_VALUE
  return difference / (size + rounded) < 1e-9
}

/** Writing a value into a sentence, for the meter. */
const shownSteps = 50

export const checkEnum = (value: unknown, allowed: readonly unknown[], run: Run): void => {
  spendSteps(allowed.length)
  if (value !== null && allowed.some((one) => one !== null && deepEqual(value, one))) return
  spendSteps(allowed.length * shownSteps)
  const names = allowed.map((one) => (typeof one === 'string' ? one : JSON.stringify(shownJson(one))))
  add(
    run,
    `${pathOf(run)} in body should be one of ${names.join(' ')}`,
    notSupported(fieldOf(run), shownJson(value), names),
  )
}

export const checkListSize = (list: readonly unknown[], rules: ValueRules, run: Run): void => {
  const { minItems, maxItems } = rules
  if (minItems !== undefined && list.length < minItems)
    invalid(run, list.length, `${pathOf(run)} in body should have at least ${minItems} items`)
  if (maxItems !== undefined && list.length > maxItems)
    add(run, `${pathOf(run)} in body should have at most ${maxItems} items`, tooMany(fieldOf(run), list.length, maxItems))
  if (rules.uniqueItems && hasDuplicates(list)) {
    const sentence = `${pathOf(run)} in body shouldn't contain duplicates`
    add(run, sentence, invalidValue(fieldOf(run), '', sentence))
  }
}

const hasDuplicates = (list: readonly unknown[]): boolean => {
  const texts = new Set<string>()
  for (const item of list) {
    const text = JSON.stringify(shownJson(item))
    spendSteps(text.length)
    texts.add(text)
  }
  return texts.size < list.length
}

export const checkFieldCount = (object: unknown, { minProperties, maxProperties }: ValueRules, run: Run): void => {
  if (!isPlainObject(object) || (minProperties === undefined && maxProperties === undefined)) return
  const count = Object.keys(object).length
  if (minProperties !== undefined && count < minProperties)
    invalid(run, count, `${pathOf(run)} in body should have at least ${minProperties} properties`)
  if (maxProperties !== undefined && count > maxProperties)
    add(
      run,
      `${pathOf(run)} in body should have at most ${maxProperties} properties`,
      tooMany(fieldOf(run), count, maxProperties),
    )
}
