// Chance by a seed, as scripts want it.
import { seededRandom } from '@shiplog/testing/seeded-random'

export interface Dice {
  /** 0 … sides - 1. */
  roll(sides: number): number
  /** True once in so many times. */
  once(times: number): boolean
  pick<T>(choices: readonly T[]): T
}

export function createDice(seed: number): Dice {
  const { below, pick } = seededRandom(seed)
  return { roll: below, once: (times) => below(times) === 0, pick }
}
