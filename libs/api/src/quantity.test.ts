import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addQuantities,
  bytesOf,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  milliOf,
  canonicalAmount,
  parseQuantity,
  quantityMilliValue,
  quantityOf,
  quantityOfMilli,
  QuantityError,
  quantityProblem,
  quantityValue,
  subtractQuantities,
} from './quantity.ts'

test('amounts of resources are counted in thousandths at the finest, rounded away from zero', () => {
  expect(canonicalAmount('0.0001')).toBe('1m')
  expect(canonicalAmount('-0.0001')).toBe('-1m')
  expect(canonicalAmount('1.5')).toBe('1500m')
  expect(canonicalAmount('1.5Gi')).toBe('1536Mi')
  expect(canonicalQuantity('0.0001')).toBe('100u')
})

describe('the canonical text is upstream’s', () => {
  test.each([
    ['0', '0'],
    ['0.0', '0'],
    ['0Ki', '0'],
    ['1', '1'],
    ['100m', '100m'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['1.5', '1500m'],
    ['0.1', '100m'],
    ['.5', '500m'],
    ['5.', '5'],
    ['1.5Gi', '1536Mi'],
    ['1024Ki', '1Mi'],
    ['1023Ki', '1023Ki'],
    ['0.5Ki', '512'],
    ['0.5Mi', '512Ki'],
    ['0.001Ki', '1024m'],
    ['128974848', '128974848'],
    ['129e6', '129e6'],
    ['129E6', '129e6'],
    ['1E', '1E'],
    ['1e3', '1e3'],
    ['1200e3', '1200e3'],
    ['0.1e-3', '100e-6'],
    ['12000k', '12M'],
    ['1Ei', '1Ei'],
    ['-5m', '-5m'],
    ['+5', '5'],
    ['-1.5Gi', '-1536Mi'],
    ['1n', '1n'],
    ['0.1n', '1n'],
    ['1.1u', '1100n'],
    ['100Ei', '9223372036854775807'],
    ['10000E', '10000E'],
    ['007', '7'],
    ['m', '0'],
    ['.', '0'],
  ])('%s → %s', (text, canonical) => {
    expect(canonicalQuantity(text)).toBe(canonical)
  })
})

test.each([
  ['', 'must match'],
  ['1.1.M', 'must match'],
  ['1+1.0M', 'must match'],
  ['0.1mi', 'suffix'],
  ['0.1am', 'must match'],
  ['aoeu', 'must match'],
  ['MeT', 'suffix'],
  ['1i', 'suffix'],
  ['-3.01e-', 'suffix'],
  ['1KiB', 'must match'],
  ['1e99999999', 'suffix'],
  ['１', 'must match'],
])('refuses %j', (text, part) => {
  expect(quantityProblem(text)).toContain(part)
})

test('values round away from zero', () => {
  expect(milliOf('1.0001')).toBe(1001)
  expect(milliOf('250m')).toBe(250)
  expect(bytesOf('1500m')).toBe(2)
  expect(bytesOf('1.5Gi')).toBe(1610612736)
  expect(quantityValue(parseQuantity('-1500m'))).toBe(-2n)
  expect(milliOf(2)).toBe(2000)
})

test('sums keep the format of what they were added to', () => {
  expect(formatQuantity(addQuantities(parseQuantity('1Gi'), parseQuantity('512Mi')))).toBe('1536Mi')
  expect(formatQuantity(addQuantities(parseQuantity('0'), parseQuantity('512Mi')))).toBe('512Mi')
  expect(formatQuantity(subtractQuantities(parseQuantity('1'), parseQuantity('250m')))).toBe('750m')
  expect(compareQuantities(parseQuantity('1'), parseQuantity('1000m'))).toBe(0)
  expect(compareQuantities(parseQuantity('1Ki'), parseQuantity('1k'))).toBe(1)
})

const texts = fc
  .tuple(
    fc.constantFrom('', '-', '+'),
    fc.bigInt({ min: 0n, max: 10n ** 15n }),
    fc.option(fc.stringMatching(/^[0-9]{0,12}$/), { nil: undefined }),
    fc.constantFrom(
      '',
      'n',
      'u',
      'm',
      'k',
      'M',
      'G',
      'T',
      'P',
      'E',
      'Ki',
      'Mi',
      'Gi',
      'Ti',
      'Pi',
      'Ei',
      'e3',
      'E-2',
      'e+1',
    ),
  )
  .map(([sign, whole, fraction, suffix]) => `${sign}${whole}${fraction === undefined ? '' : `.${fraction}`}${suffix}`)

test('property: the canonical text reads back as the same amount, and is its own canonical text', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const quantity = parseQuantity(text)
      const canonical = formatQuantity(quantity)
      expect(parseQuantity(canonical).nano).toBe(quantity.nano)
      expect(canonicalQuantity(canonical)).toBe(canonical)
    }),
  )
})

test('property: what is formatted from numbers is counted as those numbers', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (n) => {
      expect(quantityMilliValue(parseQuantity(formatQuantity(quantityOfMilli(n))))).toBe(BigInt(n))
      expect(quantityValue(parseQuantity(formatQuantity(quantityOf(n, 'BinarySI'))))).toBe(BigInt(n))
    }),
  )
})

describe('remembered texts', () => {
  test('are read the same every time, and cannot be changed by a reader', () => {
    const first = parseQuantity('1.5Gi')
    expect(parseQuantity('1.5Gi')).toEqual(first)
    expect(first.nano).toBe(1_610_612_736_000_000_000n)
    expect(() => Object.assign(first, { nano: 0n })).toThrow(TypeError)
    expect(parseQuantity('1.5Gi').nano).toBe(1_610_612_736_000_000_000n)
  })
  test('do not turn what is wrong into what is right', () => {
    for (let i = 0; i < 2; i++) expect(() => parseQuantity('1.5Giraffes')).toThrow(QuantityError)
  })
  test('stay right when more texts come than are remembered', () => {
    for (let i = 0; i < 10_000; i++) expect(parseQuantity(`${i}m`).nano).toBe(BigInt(i) * 1_000_000n)
    expect(parseQuantity('7m').nano).toBe(7_000_000n)
  })
})
