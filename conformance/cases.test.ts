import { expect, test } from 'vitest'
import { allCases } from './cases/all.ts'
import record from './sabotage.json' with { type: 'json' }
import { sabotages } from './src/sabotages.ts'

test('there are at least 150 cases, each with an id of its own, rows and a source', () => {
  expect(allCases.length).toBeGreaterThanOrEqual(150)
  expect(new Set(allCases.map((one) => one.id)).size).toBe(allCases.length)
  for (const one of allCases) {
    expect(one.rows.length, one.id).toBeGreaterThan(0)
    for (const row of one.rows) expect(row, one.id).toMatch(/^[A-K]\d+$/)
    expect(one.source.length, one.id).toBeGreaterThan(10)
  }
})

test('every row of the first issue is checked by some case', () => {
  const rows = new Set(allCases.flatMap((one) => one.rows))
  // A13, B12 and the like belong to later issues; E8 of the wire is in bad-input.test.ts.
  const promised = [
    ...['A1', 'A2', 'A3', 'A4', 'A5', 'A7', 'A8', 'A9', 'A10'],
    ...['B1', 'B2', 'B3', 'B4', 'B5', 'B6', 'B7', 'B8', 'B9', 'B10', 'B11', 'B13'],
    ...['C1', 'C4', 'C5', 'C6', 'C7', 'C8', 'C9', 'C10', 'C11', 'C12', 'C13', 'C14', 'C15', 'C16', 'C17', 'C18', 'C19'],
    ...['C21', 'C22', 'C23', 'D5', 'E9', 'E14', 'E15', 'H1'],
  ]
  expect(promised.filter((row) => !rows.has(row))).toEqual([])
})

test('every case has been seen to fail while its feature was broken', () => {
  const seen: Readonly<Record<string, string>> = record
  const names = new Set(sabotages.map((one) => one.name))
  const blind = allCases.filter((one) => !names.has(seen[one.id] ?? ''))
  expect(blind.map((one) => one.id)).toEqual([])
})
