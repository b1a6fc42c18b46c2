import { expect, test } from 'vitest'
import { filterInSlices, sliceMs } from './slices.ts'

/** A clock that goes on with the work; counts what is done between two turns of the loop. */
function counted(costMs: number) {
  let nowMs = 0
  const perSlice: number[] = [0]
  return {
    perSlice,
    matches: (item: number): boolean => {
      nowMs += costMs
      perSlice[perSlice.length - 1]!++
      return item % 2 === 0
    },
    turns: {
      nowMs: () => nowMs,
      turn: async () => {
        nowMs += 1_000
        perSlice.push(0)
      },
    },
  }
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

test('the event loop turns whenever a slice of time is over, and nothing is lost', async () => {
  const { perSlice, matches, turns } = counted(0.1)
  const found = await filterInSlices(numbers(10_000), matches, turns)
  expect(found).toEqual(numbers(10_000).filter((item) => item % 2 === 0))
  expect(Math.max(...perSlice)).toBeLessThanOrEqual(sliceMs / 0.1 + 1)
  expect(perSlice.length).toBeGreaterThan(190)
})

test('an item that takes longer than a slice is followed by a turn', async () => {
  const { perSlice, matches, turns } = counted(40)
  await filterInSlices(numbers(100), matches, turns)
  expect(Math.max(...perSlice)).toBe(1)
})

test('a few are done without a turn', async () => {
  const { perSlice, matches, turns } = counted(1)
  await filterInSlices(numbers(64), matches, turns)
  expect(perSlice).toEqual([64])
})
