// `npm run conformance:e2e [-- --node containerd] [--sig apps,cli] [--focus REGEX] [--skip REGEX] [--update]`: Kubernetes' own conformance
// suite, built from its published module, against fresh clusters; fails when a spec that passes on record fails.
// `--labels FILTER` runs other specs than those of conformance, by ginkgo's filter of labels; of these there is no record.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { provideKubectl } from '../../tools/kubectl/provide.ts'
import type { LogKind } from '../src/cluster.ts'
import { provideUpstream } from '../upstream/provide.ts'
import { compare, type SuiteRecord, summary, updated } from './record.ts'
import type { Outcome } from './report.ts'
import { type Group, type NodeKind, runGroup } from './run-suite.ts'

/** Nodes whose pods run can do more, so they have a record of their own. */
const records: Readonly<Record<NodeKind, string>> = { simulated: 'record.json', containerd: 'record-containerd.json' }
const allSigs = [
  'api-machinery',
  'apps',
  'architecture',
  'auth',
  'cli',
  'instrumentation',
  'network',
  'node',
  'scheduling',
  'storage',
]

const { values } = parseArgs({
  allowNegative: true,
  options: {
    sig: { type: 'string', default: allSigs.join(',') },
    focus: { type: 'string' },
    labels: { type: 'string' },
    skip: { type: 'string' },
    log: { type: 'string', default: 'embedded' },
    /** `simulated`, or `containerd`: then pods run, which needs root. */
    node: { type: 'string', default: 'simulated' },
    processes: { type: 'string', default: '4' },
    /** For one group. */
    'limit-minutes': { type: 'string', default: '25' },
    /** Also the specs that want a cluster for themselves; `--no-serial` leaves them out. */
    serial: { type: 'boolean', default: true },
    /** The specs that may run beside one another; `--no-parallel` leaves only the serial ones. */
    parallel: { type: 'boolean', default: true },
    /** Writes the outcomes into the record, which keeps what passed: that it fails now is told, and fails the run. */
    update: { type: 'boolean', default: false },
    /** Shows what the suite prints. */
    output: { type: 'boolean', default: false },
  },
})

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const groupsOf = (sig: string): readonly Group[] =>
  [false, true].map((isSerial) => ({
    name: `sig-${sig}${isSerial ? ' (serial)' : ''}`,
    labelFilter: `Conformance && sig-${sig} && ${isSerial ? '' : '!'}Serial`,
    isSerial,
  }))

const programs = {
  suite: await provideUpstream('e2e.test', say),
  ginkgo: await provideUpstream('ginkgo', say),
  kubectl: (await provideKubectl()).kubectl,
}
const recordPath = join(import.meta.dirname, records[values.node as NodeKind])
const readRecord = async (): Promise<SuiteRecord> => JSON.parse(await readFile(recordPath, 'utf8')) as SuiteRecord
const outcomes: Outcome[] = []
const isRecorded = values.labels === undefined
const before: SuiteRecord = isRecorded ? await readRecord() : { kubernetes: '', specs: {} }
let uncleanEnds = 0
const startedMs = performance.now()
const groups: readonly Group[] =
  values.labels === undefined
    ? values.sig.split(',').flatMap(groupsOf)
    : [{ name: values.labels, labelFilter: values.labels, isSerial: false }]
for (const group of groups.filter(({ isSerial }) => (isSerial ? values.serial : values.parallel))) {
  const options = {
    log: values.log as LogKind,
    node: values.node as NodeKind,
    processes: Number(values.processes),
    limitMinutes: Number(values['limit-minutes']),
    ...(values.focus === undefined ? {} : { focus: values.focus }),
    ...(values.skip === undefined ? {} : { skip: values.skip }),
  }
  const found = await runGroup(programs, group, options, {
    said: (text) => {
      if (values.output) process.stderr.write(text)
    },
    unclean: (error) => {
      uncleanEnds++
      say(`${group.name}: the cluster did not end as it should: ${error.message}`)
    },
  })
  for (const { state, spec, why, seconds } of found) say(`${state} ${spec} ${seconds} s${why ? `\n       ${why}` : ''}`)
  outcomes.push(...found)
  // After each group, so that a run that is cut off has not been for nothing; read again, for others may run at the same time.
  if (isRecorded && values.update) await writeFile(recordPath, `${JSON.stringify(updated(await readRecord(), found), undefined, 1)}\n`)
}

const { worse, better, passed, failed, notRun } = compare(before, outcomes)
if (isRecorded && values.update) for (const line of summary(await readRecord())) say(line)
if (isRecorded) for (const spec of better) say(`new: ${spec}`)
for (const spec of worse) say(`WORSE: ${spec}`)
const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1)
say(`${passed} passed, ${failed} failed, ${notRun} skipped in ${minutes} minutes`)
process.exitCode = worse.length + uncleanEnds === 0 && (isRecorded || failed === 0) ? 0 : 1
