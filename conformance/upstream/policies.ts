// `node tools/run.mjs conformance/upstream/policies.ts`: what upstream's API server answers to the cases of policies, recorded:
// recorded-policies.test.ts compares ours with it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@shiplog/runtime/clock'
import { startUpstream } from './control-plane.ts'
import { playPolicies } from './play-policies.ts'

/** Its informers follow what was written, a second or so behind. */
const settleMs = 10_000

const upstream = await startUpstream((line) => process.stderr.write(`${line}\n`))
try {
  const answers = await playPolicies(upstream.http, () => systemClock.sleep(settleMs))
  writeFileSync(join(import.meta.dirname, 'recorded-policies.json'), `${JSON.stringify(answers, null, 1)}\n`)
  process.stdout.write(`${Object.keys(answers).length} cases recorded\n`)
} finally {
  await upstream.stop()
}
