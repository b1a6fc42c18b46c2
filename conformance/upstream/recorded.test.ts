// Our validation beside upstream's: thousands of wrong values, one at a time, and what upstream said of each.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { judge } from './judge.ts'
import { readRecorded } from './recorded.ts'
import { wrongValues } from './wrong-values.ts'

const path = join(import.meta.dirname, 'known-differences.txt')

test('what upstream says of wrong values is what we say, but for those that are listed', () => {
  const recorded = readRecorded()
  const cases = wrongValues().filter(({ name }) => recorded.has(name))
  expect(cases.length).toBe(recorded.size)
  expect(cases.length).toBeGreaterThan(3_000)
  const different = cases
    .filter(({ name, resource, object }) => {
      const { code, sentences } = judge(resource, object)
      const theirs = recorded.get(name)!
      return code !== theirs.code || sentences.join('\n') !== theirs.sentences.join('\n')
    })
    .map(({ name }) => name)
    .sort()
  // The list shrinks: write it anew with SHIPLOG_WRITE_DIFFERENCES=1 once a rule is right.
  if (process.env['SHIPLOG_WRITE_DIFFERENCES']) writeFileSync(path, `${different.join('\n')}\n`)
  expect(different).toEqual(readFileSync(path, 'utf8').trimEnd().split('\n'))
})
