// Comparing quantities (`500m`, `1Gi`, `1e3`) exactly, in billionths: what validation and quality-of-service classes need.

const binary: Readonly<Record<string, bigint>> = {
  Ki: 1n << 10n,
  Mi: 1n << 20n,
  Gi: 1n << 30n,
  Ti: 1n << 40n,
  Pi: 1n << 50n,
  Ei: 1n << 60n,
}
const decimalPower: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
}
const nanoDigits = 9
const exponentDigitsMax = 30
const pattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)|[eE]([+-]?\d{1,3}))?$/

/** The quantity in billionths, rounded up in size as upstream does; undefined when the text is no quantity. */
export const nanosOf = (quantity: unknown): bigint | undefined => {
  if (typeof quantity !== 'string' && typeof quantity !== 'number') return undefined
  const match = pattern.exec(String(quantity))
  if (!match) return undefined
  const [, sign, whole = '', fraction = '', suffix = '', exponent] = match
  if (whole === '' && fraction === '') return undefined
  const digits = BigInt(`${whole}${fraction}` || '0')
  const multiplier = binary[suffix]
  const power =
    nanoDigits - fraction.length + (multiplier ? 0 : exponent ? Number(exponent) : (decimalPower[suffix] ?? 0))
  if (Math.abs(power) > exponentDigitsMax + nanoDigits) return undefined
  const scaled = digits * (multiplier ?? 1n)
  const divisor = power < 0 ? 10n ** BigInt(-power) : 1n
  const size = power < 0 ? (scaled + divisor - 1n) / divisor : scaled * 10n ** BigInt(power)
  return sign === '-' ? -size : size
}

/** Negative, zero or positive as `left` is smaller, equal or larger; undefined when one is no quantity. */
export const compareQuantities = (left: unknown, right: unknown): number | undefined => {
  if (left === right && left !== undefined) return 0
  const a = nanosOf(left)
  const b = nanosOf(right)
  if (a === undefined || b === undefined) return undefined
  return a < b ? -1 : a > b ? 1 : 0
}
