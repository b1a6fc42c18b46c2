// Our validation beside upstream's: thousands of wrong values, one at a time, and what upstream said of each.
import { expect, test } from 'vitest'
import { readRecordedDifferences } from './differences.ts'
import { comparedSentence, judge, type Judgement } from './judge.ts'
import { readRecorded } from './recorded.ts'
import { wrongValues } from './wrong-values.ts'

/** Some seconds; a busy machine takes longer. */
const timeoutMs = 300_000

test('what upstream says of wrong values is what we say, but for what differs with a reason', () => {
  const recorded = readRecorded()
  const differences = readRecordedDifferences()
  const cases = wrongValues().filter(({ name }) => recorded.has(name))
  expect(cases.length).toBe(recorded.size)
  expect(cases.length).toBeGreaterThan(3_000)
  const different = cases.flatMap(({ name, resource, object }) => {
    const [ours, theirs] = [judge(resource, object), recorded.get(name)!]
    const form = ({ sentences }: Judgement): string => sentences.map(comparedSentence).sort().join('\n')
    const same = ours.code === theirs.code && form(ours) === form(theirs)
    return same || differences.covers(name, '') ? [] : [{ name, theirs, ours }]
  })
  expect(different).toEqual([])
  // A reason that covers nothing any more must go.
  expect(differences.unused()).toEqual([])
}, timeoutMs)
