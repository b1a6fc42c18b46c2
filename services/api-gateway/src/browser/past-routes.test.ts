import { expect, test } from 'vitest'
import { roundMarks } from './past-routes.ts'

test.each([
  [1, 1, 10, [1]],
  [1, 5, 10, [1, 2, 3, 4, 5]],
  [1, 100, 10, [1, 16, 32, 48, 64, 80, 96, 100]],
  [33, 70, 4, [33, 48, 64, 70]],
])('marks from %i to %i, about %i of them, lie on round numbers and on both ends', (from, to, wanted, marks) => {
  expect(roundMarks(from, to, wanted)).toEqual(marks)
})

test('while the log grows most marks stay', () => {
  const before = roundMarks(1, 100_000, 160)
  const after = new Set(roundMarks(1, 100_900, 160))
  expect(before.filter((mark) => !after.has(mark))).toEqual([100_000])
})
