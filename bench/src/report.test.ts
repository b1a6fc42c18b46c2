import { describe, expect, test } from 'vitest'
import { type Figure, table, verdict } from './report.ts'

const rate: Figure = { what: 'creates', value: 4_000, unit: '/s', better: 'higher', floor: 3_500, aim: 6_000 }
const time: Figure = { what: 'cold start', value: 0.9, unit: 's', better: 'lower', aim: 1 }

describe('verdict', () => {
  test('a rate between floor and aim reaches the floor', () => expect(verdict(rate)).toBe('floor'))
  test('a rate at the aim reaches it', () => expect(verdict({ ...rate, value: 6_000 })).toBe('aim'))
  test('a rate under the floor is below', () => expect(verdict({ ...rate, value: 3_499 })).toBe('below'))
  test('a time under its aim reaches it, and over it is below', () => {
    expect(verdict(time)).toBe('aim')
    expect(verdict({ ...time, value: 1.1 })).toBe('below')
  })
  test('NaN reaches nothing', () => expect(verdict({ ...time, value: Number.NaN })).toBe('below'))
})

test('the table shows the share of the raw primitive', () => {
  expect(table([{ ...rate, raw: 16_000 }])).toMatch(/creates\s+4,000 \/s\s+16,000\s+25 %\s+3,500\s+6,000\s+floor/)
})
