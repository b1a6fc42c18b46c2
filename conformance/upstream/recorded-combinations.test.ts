// Our answers to combinations of fields beside upstream's: refusals, warnings, and what becomes of what is accepted.
import { expect, test } from 'vitest'
import { combinations } from './combinations.ts'
import { readRecordedDifferences } from './differences.ts'
import { judgeWrite } from './judge-write.ts'
import { keyOf, readRecordedCombinations, recordedForm } from './recorded-combinations.ts'

test('what upstream makes of combinations of fields is what we make of them', () => {
  const recorded = readRecordedCombinations()
  const cases = combinations().filter((one) => recorded.has(keyOf(one)))
  expect(cases.length).toBe(recorded.size)
  expect(cases.length).toBeGreaterThan(5_000)
})
