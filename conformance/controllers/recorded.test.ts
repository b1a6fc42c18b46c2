// Our controllers on a cluster in memory do what upstream's did on a real one: see main.ts.
import { describe, expect, test } from 'vitest'
import { differencesOf } from './differences.ts'
import { createMemoryStage } from './memory-stage.ts'
import { play } from './play.ts'
import { type PackedRecords, unpackRecords } from './record-file.ts'
import packed from './recorded.json' with { type: 'json' }
import { scenarios } from './scenarios.ts'

const recorded = unpackRecords(packed as unknown as PackedRecords)

describe('controllers do what upstream’s controllers did', () => {
  test.each(scenarios.map((scenario) => [scenario.id, scenario] as const))('%s', async (id, scenario) => {
    const pictures = await play(scenario, createMemoryStage())
    expect(differencesOf(scenario, recorded[id], pictures)).toEqual([])
  })

  test('and nothing is on record that is not played', () => {
    expect(Object.keys(recorded)).toEqual(scenarios.map(({ id }) => id))
  })
})
