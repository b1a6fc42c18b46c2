// `npm run conformance:upstream [-- FILTER…]`: sends the same requests to upstream's own API server and to ours, and
// prints where the answers differ. What differs on purpose is listed in differences.json with its reason; anything else
// makes the command fail.
import { compareBadRequests } from './bad-suite.ts'
import { startUpstream } from './control-plane.ts'
import { readDifferences } from './differences.ts'
import { compareGoodRequests } from './good-suite.ts'
import { startOurGateway } from './our-gateway.ts'
import { createReport } from './report.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const report = createReport({ filters: process.argv.slice(2), differences: readDifferences(), say })
const upstream = await startUpstream(say)
const ours = await startOurGateway()
try {
  await compareBadRequests(upstream.http, ours.http, report)
  await compareGoodRequests(upstream.http, ours.http, report)
  process.exitCode = report.finish() ? 0 : 1
} finally {
  await ours.stop()
  await upstream.stop()
}
