// Our scheduler decides as upstream's did on a real cluster: see main.ts.
import { describe, expect, test } from 'vitest'
import { Life } from './life.ts'
import { createOurJudge } from './our-judge.ts'
import { type PackedRecord, type RecordedLife, scriptDigest, unpackRecord } from './record.ts'
import packed from './recorded.json' with { type: 'json' }

const lives = unpackRecord(packed as unknown as PackedRecord)

function differences({ seed, outcomes }: RecordedLife): readonly string[] {
  const life = new Life(seed)
  const judge = createOurJudge()
  judge.prepare(life.begin())
  return outcomes.flatMap((outcome) => {
    const situation = life.next()
    const found = judge.compare(situation, outcome)
    judge.prepare(life.settle(situation, outcome))
    return found
  })
}

describe('decisions are those of upstream’s scheduler', () => {
  test.each(lives.map((life) => [life.seed, life] as const))('in the life of cluster %i', (seed, life) => {
    expect(scriptDigest(seed, life.outcomes), 'the script was changed: npm run conformance:scheduler').toBe(life.script)
    expect(differences(life)).toEqual([])
  })

  test('of every kind there are many', () => {
    const all = lives.flatMap(({ outcomes }) => outcomes)
    expect(all.length).toBeGreaterThanOrEqual(2_000)
    expect(all.filter((outcome) => 'node' in outcome).length).toBeGreaterThan(800)
    expect(all.filter((outcome) => 'nominated' in outcome).length).toBeGreaterThan(50)
    const messages = all.flatMap((outcome) => ('message' in outcome ? [outcome.message] : [])).join('\n')
    for (const reason of [
      ...['Insufficient cpu', 'Insufficient memory', 'Insufficient ephemeral-storage', 'Insufficient example.com/gpu'],
      ...['Too many pods', "node(s) didn't have free ports", 'node(s) exceed max volume count'],
      ...["didn't match pod affinity rules", "didn't match pod anti-affinity rules", 'existing pods anti-affinity rules'],
      ...["didn't match pod topology spread constraints", 'no available volume zone', "didn't match PersistentVolume's node affinity"],
      ...['had untolerated taint(s)', 'were unschedulable', "didn't match Pod's node affinity/selector"],
    ])
      expect(messages).toContain(reason)
  })
})
