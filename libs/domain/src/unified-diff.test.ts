import { expect, test } from 'vitest'
import { unifiedDiff } from './unified-diff.ts'

test('equal values differ nowhere', () => {
  expect(unifiedDiff({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] })).toBe('')
})

test('a change is shown with three lines around it', () => {
  const spec = { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8 }
  expect(unifiedDiff(spec, { ...spec, e: 'other' })).toBe(
    '@@ -3,7 +3,7 @@\n  "b": 2,\n  "c": 3,\n  "d": 4,\n- "e": 5,\n+ "e": "other",\n  "f": 6,\n  "g": 7,\n  "h": 8\n',
  )
})

test('changes far apart are told apart, and lines that are only there now are added', () => {
  const list = Array.from({ length: 30 }, (_, index) => index)
  const diff = unifiedDiff(list, [-1, ...list.slice(0, 29)])
  expect(diff.match(/^@@ .* @@$/gm)).toEqual(['@@ -1,4 +1,5 @@', '@@ -27,6 +28,5 @@'])
  expect(diff).toContain('+ -1,\n')
})
