import { expect, test } from 'vitest'
import { parseGoTime } from './go-time.ts'

test.each([
  ['2026-11-23T10:00:00Z', Date.UTC(2026, 10, 23, 10)],
  ['2026-11-23T10:00:00.123456789Z', Date.UTC(2026, 10, 23, 10, 0, 0, 123)],
  ['2026-11-23T10:00:00+01:30', Date.UTC(2026, 10, 23, 8, 30)],
  ['2026-11-23T10:00:00-01:30', Date.UTC(2026, 10, 23, 11, 30)],
  ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
])('%s is a time', (text, ms) => {
  expect(parseGoTime(text)).toBe(ms)
})

test.each([
  ['yesterday', 'cannot parse "yesterday" as "2006"'],
  ['2026-11-23', 'cannot parse "" as "T"'],
  ['2026-11-23T10:00:00', 'cannot parse "" as "Z07:00"'],
  ['2026-11-23 10:00:00Z', 'cannot parse " 10:00:00Z" as "T"'],
])('%s is none', (text, why) => {
  expect(parseGoTime(text)).toBe(`parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": ${why}`)
})

test.each([
  ['2026-13-01T00:00:00Z', 'month out of range'],
  ['2026-02-29T00:00:00Z', 'day out of range'],
  ['2026-02-01T24:00:00Z', 'hour out of range'],
  ['2026-02-01T00:60:00Z', 'minute out of range'],
  ['2026-02-01T00:00:60Z', 'second out of range'],
  ['2026-02-01T00:00:00Zulu', 'extra text: "ulu"'],
])('%s is none', (text, why) => {
  expect(parseGoTime(text)).toBe(`parsing time ${JSON.stringify(text)}: ${why}`)
})
