// `npm run check:schedulers [-- BINDS [SEED]]`: three schedulers on little room, killed and delayed, until so many pods were bound;
// every state between is checked.
import { runSeveralSchedulers } from './several-schedulers.ts'

const [binds = 200_000, seed = 1] = process.argv.slice(2).map(Number)
const perRun = 5_000
const total = { binds: 0, kills: 0, gangs: 0, overtaken: 0, violations: 0 }
for (let run = 0; total.binds < binds; run++) {
  const { violations, ...outcome } = await runSeveralSchedulers(seed + run, Math.min(perRun, binds - total.binds))
  for (const violation of violations.slice(0, 20)) console.log(`seed ${seed + run}: ${violation}`)
  total.binds += outcome.binds
  total.kills += outcome.kills
  total.gangs += outcome.gangs
  total.overtaken += outcome.overtaken
  total.violations += violations.length
  console.log(JSON.stringify(total))
}
process.exitCode = total.violations === 0 ? 0 : 1
