import { describe, expect, test } from 'vitest'
import { ageOf, humanDuration } from './human-duration.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

describe('humanDuration', () => {
  test.each([
    [-2 * second, '<invalid>'],
    [-1999, '0s'],
    [0, '0s'],
    [119 * second, '119s'],
    [2 * minute, '2m'],
    [2 * minute + second, '2m1s'],
    [10 * minute - second, '9m59s'],
    [10 * minute, '10m'],
    [3 * hour - second, '179m'],
    [3 * hour, '3h'],
    [7 * hour + 59 * minute, '7h59m'],
    [8 * hour, '8h'],
    [48 * hour - second, '47h'],
    [2 * day, '2d'],
    [2 * day + hour, '2d1h'],
    [8 * day, '8d'],
    [2 * 365 * day - hour, '729d'],
    [2 * 365 * day, '2y'],
    [2 * 365 * day + day, '2y1d'],
    [8 * 365 * day, '8y'],
    [9 * 365 * day + 5 * day, '9y'],
  ])('%i ms is told as %s', (duration, text) => {
    expect(humanDuration(duration)).toBe(text)
  })

  test('an absent time has an unknown age, and microseconds are understood', () => {
    const now = Date.parse('2026-11-23T17:00:00Z')
    expect(ageOf(undefined, now)).toBe('<unknown>')
    expect(ageOf('2026-11-23T16:59:00.250000Z', now)).toBe('59s')
  })
})
