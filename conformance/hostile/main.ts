// `npm run hostile`: hostile requests by number, a million from a number of the day by default. Prints what was answered wrong
// and the number of each such request, by which it can be made again: `npm run hostile -- --from 123 --count 1`.
import { parseArgs } from 'node:util'
import { runHostile } from '@shiplog/api-gateway/testing/hostile-run'

const dayMs = 86_400_000
const countOfNight = 1_000_000
const { values } = parseArgs({ options: { from: { type: 'string' }, count: { type: 'string' } } })
const count = Number(values.count ?? countOfNight)
const from = Number(values.from ?? Math.floor(Date.now() / dayMs) * countOfNight)

process.stdout.write(`requests ${from} to ${from + count - 1}\n`)
const { faults, codes } = await runHostile({
  ...{ from, count },
  onProgress: (done) => {
    if (done % 50_000 === 0) process.stdout.write(`${done}\n`)
  },
})
for (const { seed, what, request } of faults) process.stdout.write(`${seed}: ${what}\n    ${request}\n`)
process.stdout.write(`${JSON.stringify(codes)}\n${faults.length} answered wrong\n`)
process.exit(faults.length === 0 ? 0 : 1)
