import { expect, test } from 'vitest'
import { goDurationMs, goDurationText } from './go-duration.ts'

test.each([
  ['15s', 15_000],
  ['1m0s', 60_000],
  ['1m0.5s', 60_500],
  ['2h3m4s', 7_384_000],
  ['250ms', 250],
  ['0s', 0],
  ['-1m30s', -90_000],
])('%s is %i ms, and is written so', (text, ms) => {
  expect(goDurationMs(text)).toBe(ms)
  expect(goDurationText(ms)).toBe(text)
})

test('reads other forms and refuses what is none', () => {
  expect(goDurationMs('1.5h')).toBe(5_400_000)
  expect(goDurationMs('500us')).toBe(0.5)
  expect(goDurationMs('0')).toBe(0)
  for (const text of ['', '15', 's', '1 s', '1d']) expect(goDurationMs(text)).toBeUndefined()
})
