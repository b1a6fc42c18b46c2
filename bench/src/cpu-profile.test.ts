import { expect, test } from 'vitest'
import { type CpuProfile, formatSelfTimes, selfTimes } from './cpu-profile.ts'

const frame = (functionName: string, url = '', lineNumber = 0) => ({ functionName, url, lineNumber })
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(idle)') },
    { id: 2, callFrame: frame('commit', 'file:///somewhere/libs/events/src/a.ts', 9) },
    { id: 3, callFrame: frame('', 'file:///x/node_modules/fastify/lib/route.js', 0) },
  ],
  startTime: 1_000,
  samples: [1, 2, 2, 3, 1],
  timeDeltas: [0, 5_000, 1_000, 2_000, 3_000],
}

test('time goes to the function that was running since the sample before', () => {
  expect(selfTimes(profile)).toEqual([
    { where: '(idle)', ms: 5 },
    { where: 'commit libs/events/src/a.ts:10', ms: 3 },
    { where: '(anonymous) fastify/lib/route.js:1', ms: 3 },
  ])
})
test('only samples of the asked time count', () => {
  expect(selfTimes(profile, 6_500, 9_500)).toEqual([{ where: 'commit libs/events/src/a.ts:10', ms: 3 }])
})
test('idle time has no share', () => {
  const text = formatSelfTimes(selfTimes(profile))
  expect(text).toContain('busy in JavaScript 6 ms; (idle) 5 ms')
  expect(text).toMatch(/50\.0 % {7}3 ms {2}commit/)
})
