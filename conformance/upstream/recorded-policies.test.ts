// Admission policies judge, change and are refused as upstream's are: the same codes, reasons, sentences, warnings, objects.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OurGateway, startOurGateway } from './our-gateway.ts'
import { type Played, playPolicies } from './play-policies.ts'

const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'recorded-policies.json'), 'utf8')) as Record<string, readonly Played[]>
const timeoutMs = 120_000

let ours: OurGateway
let answers: Record<string, readonly Played[]>

beforeAll(async () => {
  ours = await startOurGateway()
  answers = await playPolicies(ours.http, () => Promise.resolve())
}, timeoutMs)
afterAll(() => ours.stop())

test('all cases are recorded', () => {
  expect(Object.keys(answers)).toEqual(Object.keys(recorded))
})

for (const [name, theirs] of Object.entries(recorded))
  test(name, () => {
    expect(answers[name]).toEqual(theirs)
  })
