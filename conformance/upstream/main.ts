// `npm run conformance:upstream [-- FILTER…]`: sends the same requests to upstream's own API server and to ours, and
// prints where the answers differ. What differs on purpose is listed in differences.json with its reason; anything else
// makes the command fail. `-- --record` writes down what upstream says of wrong values instead, and
// `-- --record custom-resources` what it says of expressions and of custom resources.
import { compareApi } from './api-suite.ts'
import { compareBadRequests } from './bad-suite.ts'
import { startUpstream } from './control-plane.ts'
import { readDifferences } from './differences.ts'
import { compareFamilies } from './families-suite.ts'
import { compareGoodRequests } from './good-suite.ts'
import { startOurGateway } from './our-gateway.ts'
import { askUpstream, readRecorded, writeRecorded } from './recorded.ts'
import { makeObjects } from './unusual/fixtures.ts'
import { askAll, readRecord, writeRecord } from './unusual/record.ts'
import { askAboutCombinations, writeRecordedCombinations } from './recorded-combinations.ts'
import { askAboutCustomResources, writeRecordedCustomResources } from './recorded-custom-resources.ts'
import { createReport } from './report.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const args = process.argv.slice(2)

const upstream = await startUpstream(say)
try {
  if (args[0] === '--record' && args[1] === 'custom-resources') {
    const recorded = await askAboutCustomResources(upstream.http)
    writeRecordedCustomResources(recorded)
    const counts = Object.entries(recorded).map(([name, answers]) => `${Object.keys(answers).length} ${name}`)
    say(`answers of upstream about custom resources are on record now: ${counts.join(', ')}`)
  } else if (args[0] === '--record') {
    const answers = await askUpstream(upstream.http)
    writeRecorded(answers)
    const combined = await askAboutCombinations(upstream.http)
    writeRecordedCombinations(combined)
    await makeObjects(upstream.http)
    const unusual = await askAll(upstream.http)
    writeRecord(unusual)
    say(`${answers.size + combined.size + unusual.size} answers of upstream are on record now`)
  } else {
    const report = createReport({ filters: args, differences: readDifferences(), say })
    const ours = await startOurGateway()
    try {
      await compareBadRequests(upstream.http, ours.http, report)
      await compareApi(upstream.http, ours.http, report)
      await compareGoodRequests(upstream.http, ours.http, report)
      await compareFamilies('one range', upstream.http, ours.http, report)
    } finally {
      await ours.stop()
    }
    const twoRanges = '10.96.0.0/16,fd00:10:96::/112'
    const [dualUpstream, dualOurs] = [await startUpstream(say, twoRanges), await startOurGateway(twoRanges)]
    try {
      await compareFamilies('two ranges', dualUpstream.http, dualOurs.http, report)
    } finally {
      await dualOurs.stop()
      await dualUpstream.stop()
    }
    if (args.length === 0) {
      const recorded = readRecorded()
      for (const [name, judgement] of await askUpstream(upstream.http))
        report.compare(`the record of ${name}`, judgement, recorded.get(name))
      await makeObjects(upstream.http)
      const unusual = readRecord()
      for (const [name, seen] of await askAll(upstream.http))
        report.compare(`the record of the unusual ${name}`, seen, unusual.get(name))
    }
    process.exitCode = report.finish() ? 0 : 1
  }
} finally {
  await upstream.stop()
}
