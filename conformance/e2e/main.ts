// `npm run conformance:e2e [-- --sig apps,cli] [--focus REGEX] [--skip REGEX] [--update]`: Kubernetes' own conformance
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
    /** Writes the outcomes into the record. */
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
const groups: readonly Group[] =
  values.labels === undefined
    ? values.sig.split(',').flatMap(groupsOf)
    : [{ name: values.labels, labelFilter: values.labels, isSerial: false }]
for (const group of groups.filter(({ isSerial }) => values.serial || !isSerial)) {
  const options = {
    log: values.log as LogKind,
    node: values.node as NodeKind,
    processes: Number(values.processes),
    limitMinutes: Number(values['limit-minutes']),
    ...(values.focus === undefined ? {} : { focus: values.focus }),
    ...(values.skip === undefined ? {} : { skip: values.skip }),
  }
  const found = await runGroup(programs, group, options, (text) => {
    if (values.output) process.stderr.write(text)
  })
  for (const { state, spec, why, seconds } of found) say(`${state} ${spec} ${seconds} s${why ? `\n       ${why}` : ''}`)
  outcomes.push(...found)
}

const record = values.labels === undefined ? await readRecord() : { kubernetes: '', specs: {} }
const { worse, better, passed, failed, notRun } = compare(record, outcomes)
if (values.update && values.labels === undefined) {
  // Read again: other groups may have run at the same time.
  const next = updated(await readRecord(), outcomes)
  await writeFile(recordPath, `${JSON.stringify(next, undefined, 1)}\n`)
  for (const line of summary(next)) say(line)
}
if (values.labels === undefined) for (const spec of better) say(`new: ${spec}`)
for (const spec of worse) say(`WORSE: ${spec}`)
say(`${passed} passed, ${failed} failed, ${notRun} skipped`)
process.exitCode = worse.length === 0 && (values.labels === undefined || failed === 0) ? 0 : 1
