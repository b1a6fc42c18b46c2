// Our gateway beside what upstream answered to requests that no well-behaved client sends.
import { expect, test } from 'vitest'
import { readUnusualDifferences } from '../differences.ts'
import { startOurGateway } from '../our-gateway.ts'
import { makeObjects } from './fixtures.ts'
import { askAll, isSame, readRecord } from './record.ts'
import { unusualRequests } from './requests.ts'

/** Ten seconds or so; a busy machine takes longer. */
const timeoutMs = 300_000

test('unusual requests are answered as upstream answers them, but for what differs with a reason', async () => {
  const recorded = readRecord()
  const names = unusualRequests.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  expect([...recorded.keys()].filter((name) => !names.includes(name))).toEqual([])
  expect(recorded.size).toBeGreaterThan(1_500)
  const ours = await startOurGateway()
  try {
    await makeObjects(ours.http)
    const answers = await askAll(ours.http, unusualRequests.filter(({ name }) => recorded.has(name)))
    const differences = readUnusualDifferences()
    const different = [...recorded].flatMap(([name, upstream]) => {
      const answer = answers.get(name)
      return isSame(upstream, answer) || differences.covers(name, '') ? [] : [{ name, upstream, ours: answer }]
    })
    expect(different).toEqual([])
    // A reason that covers nothing any more must go.
    expect(differences.unused()).toEqual([])
  } finally {
    await ours.stop()
  }
}, timeoutMs)
