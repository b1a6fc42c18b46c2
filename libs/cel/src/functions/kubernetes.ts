// Kubernetes' own types: quantities, versions, addresses on the web, named formats.
import {
  addQuantities,
  compareQuantities,
  parseQuantity,
  type Quantity,
  QuantityError,
  quantityOf,
  subtractQuantities,
} from '@shiplog/api/quantity'
import { EvaluationError, listFrom, mapFrom, none, Opaque, Optional, quantityType, type Value } from '../values.ts'
import { flag, held, text, type Functions } from './arguments.ts'
import { formatNamed, formatType, type NamedFormat } from './formats.ts'
import { isUrl, readUrl, type Url, urlType } from './urls.ts'
import { compareVersions, parseVersion, semverType, type Version } from './versions.ts'

const nanoOfOne = 1_000_000_000n
const int64Max = 2n ** 63n - 1n
/** Longer texts would only cost time. */
const quantityCharactersMax = 1_000

const readQuantity = (given: string): Quantity => {
  try {
    if (given.length > quantityCharactersMax) throw new QuantityError('unable to parse numeric part of quantity')
    return parseQuantity(given)
  } catch (error) {
    if (error instanceof QuantityError) throw new EvaluationError(error.message)
    throw error
  }
}

const succeeds = (read: () => unknown): boolean => {
  try {
    read()
    return true
  } catch (error) {
    if (error instanceof EvaluationError) return false
    throw error
  }
}

const quantityIn = (value: Value | undefined): Quantity => held<Quantity>(value, quantityType)

const integerOf = ({ nano }: Quantity): bigint | undefined => {
  if (nano % nanoOfOne !== 0n) return undefined
  const value = nano / nanoOfOne
  return value <= int64Max && value >= -int64Max - 1n ? value : undefined
}

const sign = (value: bigint): bigint => (value > 0n ? 1n : value < 0n ? -1n : 0n)

/** A quantity, or a whole number that stands for one. */
const operand = (value: Value | undefined): Quantity =>
  typeof value === 'bigint' ? quantityOf(value, 'DecimalExponent') : quantityIn(value)

/** Quantities and versions are compared by functions of one name. */
const order = (a: Value | undefined, b: Value | undefined): number =>
  a instanceof Opaque && a.type === semverType
    ? compareVersions(held<Version>(a, semverType), held<Version>(b, semverType))
    : compareQuantities(quantityIn(a), quantityIn(b))

const urlIn = (value: Value | undefined): Url => held<Url>(value, urlType)

export const kubernetesFunctions: Functions = {
  quantity: ([value]) => new Opaque(quantityType, readQuantity(text(value))),
  isQuantity: ([value]) => succeeds(() => readQuantity(text(value))),
  sign: ([value]) => sign(quantityIn(value).nano),
  isGreaterThan: ([a, b]) => order(a, b) > 0,
  isLessThan: ([a, b]) => order(a, b) < 0,
  compareTo: ([a, b]) => BigInt(order(a, b)),
  asApproximateFloat: ([value]) => Number(quantityIn(value).nano) / 1e9,
  isInteger: ([value]) => integerOf(quantityIn(value)) !== undefined,
  asInteger: ([value]) => {
    const found = integerOf(quantityIn(value))
    if (found === undefined) throw new EvaluationError('cannot convert value to integer')
    return found
  },
  add: ([a, b]) => new Opaque(quantityType, addQuantities(quantityIn(a), operand(b))),
  sub: ([a, b]) => new Opaque(quantityType, subtractQuantities(quantityIn(a), operand(b))),

  semver: ([value, normalize]) => new Opaque(semverType, parseVersion(text(value), normalize !== undefined && flag(normalize))),
  isSemver: ([value, normalize]) =>
    succeeds(() => parseVersion(text(value), normalize !== undefined && flag(normalize))),
  major: ([value]) => held<Version>(value, semverType).numbers[0],
  minor: ([value]) => held<Version>(value, semverType).numbers[1],
  patch: ([value]) => held<Version>(value, semverType).numbers[2],

  url: ([value]) => new Opaque(urlType, readUrl(text(value))),
  isURL: ([value]) => isUrl(text(value)),
  getScheme: ([value]) => urlIn(value).scheme,
  getHost: ([value]) => urlIn(value).host,
  getHostname: ([value]) => urlIn(value).hostname,
  getPort: ([value]) => urlIn(value).port,
  getEscapedPath: ([value]) => urlIn(value).escapedPath,
  getQuery: ([value]) =>
    mapFrom([...urlIn(value).query].map(([name, values]): [Value, Value] => [name, listFrom(values)])),

  'format.named': ([name]) => {
    const found = formatNamed(text(name))
    return found ? new Optional(new Opaque(formatType, found)) : none
  },
  validate: ([format, value]) => {
    const problems = held<NamedFormat>(format, formatType).problems(text(value))
    return problems.length === 0 ? none : new Optional(listFrom(problems))
  },
}

