import { describe, expect, test } from 'vitest'
import { median, percentile } from './statistics.ts'

describe('percentile', () => {
  test('takes the nearest rank, whatever the order of the samples', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect(percentile(hundred, 0.99)).toBe(99)
    expect(percentile(hundred, 0.5)).toBe(50)
    expect(percentile(hundred, 1)).toBe(100)
    expect(percentile(hundred, 0)).toBe(1)
  })
  test('sorts numbers as numbers', () => expect(median([10, 9, 100])).toBe(10))
  test('knows nothing of no samples', () => expect(median([])).toBeNaN())
})
