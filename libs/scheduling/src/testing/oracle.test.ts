// Every decision is the one of a scheduler that is obviously right: same nodes, scores, sentences and victims. Many more
// clusters: `node libs/scheduling/src/testing/oracle-main.ts 10000`.
import { expect, test } from 'vitest'
import { newTally, runAgainstOracle } from './oracle-run.ts'

const seeds = 20

test(`${seeds} clusters of up to 40 nodes, all features mixed, are decided as the oracle decides`, () => {
  const tally = newTally()
  for (let seed = 1; seed <= seeds; seed++) runAgainstOracle(seed, tally, seed % 2 === 0 ? 40 : 8)
  expect(tally.placed).toBeGreaterThan(300)
  expect(tally.failed).toBeGreaterThan(50)
  expect(tally.preempted).toBeGreaterThan(10)
  expect(tally.gangs).toBeGreaterThan(20)
  expect(tally.brokenGangs).toBeGreaterThan(10)
  for (const reason of [
    "node(s) didn't match pod affinity rules",
    "node(s) didn't match pod anti-affinity rules",
    "node(s) didn't satisfy existing pods anti-affinity rules",
    "node(s) didn't match pod topology spread constraints",
    "node(s) didn't match pod topology spread constraints (missing required label)",
    'Insufficient cpu',
    'Too many pods',
    'node(s) exceed max volume count',
  ])
    expect(tally.reasons).toContain(reason)
})
