// Our controllers on a cluster in memory do what upstream's did on a real one: see main.ts.
import { describe, expect, test } from 'vitest'
import { differencesOf, type Record as Recorded } from './differences.ts'
import { createMemoryStage } from './memory-stage.ts'
import { play } from './play.ts'
import recorded from './recorded.json' with { type: 'json' }
import { scenarios } from './scenarios.ts'

describe('controllers do what upstream’s controllers did', () => {
  test.each(scenarios.map((scenario) => [scenario.id, scenario] as const))('%s', async (id, scenario) => {
    const pictures = await play(scenario, createMemoryStage())
    const known = (recorded as unknown as Readonly<Record<string, Recorded>>)[id]
    expect(differencesOf(scenario, known, pictures)).toEqual([])
  })

  test('and nothing is on record that is not played', () => {
    expect(Object.keys(recorded)).toEqual(scenarios.map(({ id }) => id))
  })
})
