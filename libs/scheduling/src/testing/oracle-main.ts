// Many generated clusters against the oracle, for the night: `node oracle-main.ts COUNT [FIRST_SEED]`.
import { newTally, runAgainstOracle } from './oracle-run.ts'

const [count = '1000', first = '1'] = process.argv.slice(2)
const tally = newTally()
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  runAgainstOracle(seed, tally, seed % 2 === 0 ? 40 : 8)
}
process.stdout.write(`${JSON.stringify({ ...tally, reasons: [...tally.reasons].sort() }, undefined, 2)}\n`)
