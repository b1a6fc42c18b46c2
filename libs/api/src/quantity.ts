// Quantities (`100m`, `1.5Gi`, `12e6`): exact arithmetic and the canonical text, as k8s.io/apimachinery/pkg/api/resource
// has them. A quantity never holds more than nine decimal places, so one bigint of billionths is exact; what is finer is
// rounded away from zero. The scheduler adds up the same few texts for ever: milliOf and bytesOf remember them.

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent'

export interface Quantity {
  /** The amount in billionths. */
  readonly nano: bigint
  /** How it was written, and so how it is written back. */
  readonly format: QuantityFormat
}

/** Why a text is no quantity, in upstream's words. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError'
}

const formatWrong = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
const suffixWrong = "unable to parse quantity's suffix"

/** Larger exponents would only make numbers that cost memory. */
const exponentDigitsMax = 3

const decimalExponents: ReadonlyMap<string, number> = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
])
const decimalSuffixes: ReadonlyMap<number, string> = new Map(
  [...decimalExponents].map(([suffix, exponent]) => [exponent, suffix]),
)
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']

const nanoDigits = 9
const nanoOfOne = 1_000_000_000n
const nanoOfMilli = 1_000_000n
const int64Max = (1n << 63n) - 1n
const shape = /^([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)$/

const absolute = (amount: bigint): bigint => (amount < 0n ? -amount : amount)

/** Divides and rounds away from zero. */
const divideUp = (amount: bigint, divisor: bigint): bigint => {
  const magnitude = (absolute(amount) + divisor - 1n) / divisor
  return amount < 0n ? -magnitude : magnitude
}

const readQuantity = (value: string | number): Quantity => {
  const text = typeof value === 'number' ? String(value) : value.trim()
  const parts = shape.exec(text)
  if (!parts || text === '') throw new QuantityError(formatWrong)
  // Upstream reads no digits at all (`m`) as zero.
  const whole = parts[2]!
  const fraction = parts[3] ?? ''
  const suffix = parts[4]!
  let format: QuantityFormat = 'DecimalSI'
  let exponent = decimalExponents.get(suffix)
  let binaryPower = 0
  if (exponent === undefined) {
    exponent = 0
    binaryPower = binarySuffixes.indexOf(suffix)
    if (binaryPower > 0) format = 'BinarySI'
    else {
      const written = /^[eE]([+-]?)([0-9]+)$/.exec(suffix)
      if (!written || written[2]!.replace(/^0+/, '').length > exponentDigitsMax) throw new QuantityError(suffixWrong)
      exponent = Number(written[1]! + written[2]!)
      format = 'DecimalExponent'
      binaryPower = 0
    }
  }
  let amount = BigInt(whole + fraction) << BigInt(10 * binaryPower)
  const shift = exponent - fraction.length + nanoDigits
  amount = shift >= 0 ? amount * 10n ** BigInt(shift) : divideUp(amount, 10n ** BigInt(-shift))
  if (format === 'BinarySI') {
    if (amount > int64Max * nanoOfOne) amount = int64Max * nanoOfOne
    if (amount > 0n && amount < nanoOfOne) format = 'DecimalSI'
  }
  return { nano: parts[1] === '-' ? -amount : amount, format }
}

/** Texts remembered by each memo; a full memo starts over. */
const memoTextsMax = 4096
/** Longer texts are rare and might be anything: they are read each time. */
const memoTextLengthMax = 32

const quantities = new Map<string, Quantity>()

/** Reads a quantity; numbers are what JSON allows in its place. Throws QuantityError. */
export const parseQuantity = (value: string | number): Quantity => {
  if (typeof value !== 'string' || value.length > memoTextLengthMax) return readQuantity(value)
  // Validation, defaults and canonical form read the same few texts several times for every pod.
  const known = quantities.get(value)
  if (known !== undefined) return known
  const quantity = Object.freeze(readQuantity(value))
  if (quantities.size >= memoTextsMax) quantities.clear()
  quantities.set(value, quantity)
  return quantity
}

/** The reason why this is no quantity, or undefined. */
export const quantityProblem = (value: unknown): string | undefined => {
  if (typeof value !== 'string' && typeof value !== 'number') return formatWrong
  try {
    parseQuantity(value)
    return undefined
  } catch (error) {
    if (error instanceof QuantityError) return error.message
    throw error
  }
}

/** The canonical text: no fraction, the largest suffix that keeps it exact, in the format it came in. */
export const formatQuantity = (quantity: Quantity): string => {
  const { nano } = quantity
  if (nano === 0n) return '0'
  let { format } = quantity
  if (format === 'BinarySI') {
    if (nano % nanoOfOne !== 0n || absolute(nano) < 1024n * nanoOfOne) format = 'DecimalSI'
    else {
      let mantissa = nano / nanoOfOne
      let power = 0
      while (power < binarySuffixes.length - 1 && mantissa % 1024n === 0n) {
        mantissa /= 1024n
        power++
      }
      return `${mantissa}${binarySuffixes[power]}`
    }
  }
  let mantissa = nano
  let exponent = -nanoDigits
  const exponentMax = format === 'DecimalSI' ? 18 : Number.POSITIVE_INFINITY
  while (exponent < exponentMax && mantissa % 1000n === 0n) {
    mantissa /= 1000n
    exponent += 3
  }
  if (format === 'DecimalSI') return `${mantissa}${decimalSuffixes.get(exponent)}`
  return exponent === 0 ? String(mantissa) : `${mantissa}e${exponent}`
}

/** What the API server would store for this text: `1.5Gi` becomes `1536Mi`. */
export const canonicalQuantity = (value: string | number): string => formatQuantity(parseQuantity(value))

/** The same of an amount of a resource, which is counted in thousandths at the finest: `0.0001` becomes `1m`. */
export const canonicalAmount = (value: string | number): string => {
  const { nano, format } = parseQuantity(value)
  return formatQuantity({ nano: divideUp(nano, nanoOfMilli) * nanoOfMilli, format })
}

/** Below zero when a is less than b. */
export const compareQuantities = (a: Quantity, b: Quantity): number => (a.nano < b.nano ? -1 : a.nano > b.nano ? 1 : 0)

/** The sum, written as `a` is (as `b` when `a` is zero). */
export const addQuantities = (a: Quantity, b: Quantity): Quantity => ({
  nano: a.nano + b.nano,
  format: a.nano === 0n ? b.format : a.format,
})

/** The difference, written as `a` is (as `b` when `a` is zero). */
export const subtractQuantities = (a: Quantity, b: Quantity): Quantity => ({
  nano: a.nano - b.nano,
  format: a.nano === 0n ? b.format : a.format,
})

/** Whole units, rounded away from zero. */
export const quantityValue = (quantity: Quantity): bigint => divideUp(quantity.nano, nanoOfOne)

/** Thousandths, rounded away from zero. */
export const quantityMilliValue = (quantity: Quantity): bigint => divideUp(quantity.nano, nanoOfMilli)

/** `quantityOfMilli(1500n)` writes `1500m`. */
export const quantityOfMilli = (milli: bigint | number, format: QuantityFormat = 'DecimalSI'): Quantity => ({
  nano: BigInt(milli) * nanoOfMilli,
  format,
})

/** `quantityOf(1024n, 'BinarySI')` writes `1Ki`. */
export const quantityOf = (value: bigint | number, format: QuantityFormat = 'DecimalSI'): Quantity => ({
  nano: BigInt(value) * nanoOfOne,
  format,
})

const remembered = (compute: (quantity: Quantity) => bigint): ((value: string | number) => number) => {
  const memo = new Map<string | number, number>()
  return (value) => {
    const known = memo.get(value)
    if (known !== undefined) return known
    const result = Number(compute(parseQuantity(value)))
    if (memo.size >= memoTextsMax) memo.clear()
    memo.set(value, result)
    return result
  }
}

/** Thousandths of a unit, as cpu is counted: `milliOf('1.5')` is 1500. Throws QuantityError. */
export const milliOf: (value: string | number) => number = remembered(quantityMilliValue)

/** Whole units, as memory and extended resources are counted: `bytesOf('1Ki')` is 1024. Throws QuantityError. */
export const bytesOf: (value: string | number) => number = remembered(quantityValue)
