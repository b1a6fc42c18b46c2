import { expect, test } from 'vitest'
import { percentOf, scaledValue } from './int-or-string.ts'

test('percentages scale and round as asked', () => {
  expect(scaledValue('25%', 10, true)).toBe(3)
  expect(scaledValue('25%', 10, false)).toBe(2)
  expect(scaledValue(4, 10, false)).toBe(4)
  expect(scaledValue('4', 10, false)).toBeUndefined()
  expect(percentOf('100%')).toBe(100)
  expect(percentOf('-1%')).toBeUndefined()
})
