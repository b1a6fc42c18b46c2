import { expect, test } from 'vitest'
import { inNamespace, shellLine } from './shell.ts'

test('ordinary words stand as they are', () => {
  expect(shellLine('kubectl', 'get', 'pods', ...inNamespace('shop'), ...inNamespace(''), undefined)).toBe('kubectl get pods -n shop')
})

// What bash makes of each was tried: one word, as it was.
test.each([
  ['$(reboot)', "'$(reboot)'"],
  ['`id`', "'`id`'"],
  ["it's", "'it'\\''s'"],
  ['a b', "'a b'"],
  ['; exit 1 #', "'; exit 1 #'"],
  ['', "''"],
  ['*', "'*'"],
  ['~', "'~'"],
  ['ä', "'ä'"],
  ['app=web,tier!=db', "'app=web,tier!=db'"],
])('%j is quoted', (word, quoted) => expect(shellLine(word)).toBe(quoted))

test('no control character reaches a terminal', () => {
  expect(shellLine("a\u001b[2J'\\\r\n")).toBe("$'a\\x1b[2J\\'\\\\\\x0d\\x0a'")
})
