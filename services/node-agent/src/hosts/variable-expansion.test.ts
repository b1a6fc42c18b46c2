import { expect, test } from 'vitest'
import { expandVariables } from './variable-expansion.ts'

const values: Readonly<Record<string, string>> = { A: 'one', B: 'two', EMPTY: '', NESTED: '$(A)' }

// The table is that of the documentation of container.command and of its corner cases.
test.each([
  ['$(A)', 'one'],
  ['x$(A)y$(B)z', 'xoneytwoz'],
  ['$(EMPTY)', ''],
  ['$(UNKNOWN)', '$(UNKNOWN)'],
  ['$$(A)', '$(A)'],
  ['$$$(A)', '$one'],
  ['$$$$(A)', '$$(A)'],
  ['$(A', '$(A'],
  ['$', '$'],
  ['a$', 'a$'],
  ['$A', '$A'],
  ['$()', '$()'],
  ['$(NESTED)', '$(A)'],
  ['$($(A))', '$($(A))'],
  ['', ''],
])('%s becomes %s', (text, expected) => {
  expect(expandVariables(text, (name) => values[name])).toBe(expected)
})
