// `shiplog explain pod/NAME`: why the pod went where it went, or why it waits, computed again from the log at the basis
// of its last decision: every node, every plugin, every score; and for what waits, what is missing and how much.
import { builtInCatalogue } from '@shiplog/domain/catalogue/catalogue'
import { defaultConfiguration } from '@shiplog/scheduling/framework/configuration'
import { createProfiles } from '@shiplog/scheduling/framework/profiles'
import { type ExplainedDecision, explainPod } from '@shiplog/scheduling/replay/explain-decision'
import { say, warnOfDamage } from '../history/history-records.ts'
import { type SourceOptions, withHistory } from '../history/history-source.ts'
import { sequenceOf, targetOf } from '../history/history-target.ts'
import { profilesFromFile } from './replay-configuration.ts'

export interface ExplainOptions extends SourceOptions {
  readonly namespace?: string | undefined
  /** The last decision up to this moment. */
  readonly at?: string | undefined
  readonly config?: string | undefined
  readonly output: 'text' | 'json'
}

/** Gives the exit code. */
export async function explainDecision(text: string, options: ExplainOptions): Promise<number> {
  const target = targetOf(builtInCatalogue(), text, options.namespace)
  if (target.resource.resource !== 'pods' || target.name === undefined)
    throw new Error('decisions about pods and the traffic of Services can be explained: pod/NAME or service/NAME, please')
  const profiles = options.config === undefined ? createProfiles([defaultConfiguration]) : profilesFromFile(options.config)
  const explained = await withHistory(options, async (source) => {
    const at = options.at === undefined ? (await source.ends()).newest : await sequenceOf(source, options.at)
    return await explainPod(source, { namespace: target.namespace, name: target.name! }, at, profiles)
  })
  warnOfDamage(explained.damages)
  if (options.output === 'json') say(JSON.stringify(explained))
  else print(explained)
  return 0
}

const units = ['', 'Ki', 'Mi', 'Gi', 'Ti'] as const

/** `1500m`, `512Mi`: as people write them. */
export function amountText(resource: string, amount: number): string {
  if (resource === 'cpu') return amount % 1_000 === 0 ? String(amount / 1_000) : `${amount}m`
  if (resource !== 'memory' && resource !== 'ephemeral-storage') return String(amount)
  let value = amount
  let unit = 0
  while (value !== 0 && value % 1_024 === 0 && unit < units.length - 1) {
    value /= 1_024
    unit++
  }
  return `${value}${units[unit]}`
}

function print(explained: ExplainedDecision): void {
  const { pod, basis, recordedAt, asRecorded, node, message, preemption, nodes, weights, required } = explained
  say(`pod/${pod.name} in ${pod.namespace}, uid ${pod.uid}`)
  say(
    recordedAt === undefined
      ? `no decision is recorded; this is what would be decided at ${basis}`
      : `decided at ${basis}, recorded at ${recordedAt}; ${asRecorded ? 'computed again, it is the same' : 'COMPUTED AGAIN, IT IS ANOTHER ONE'}`,
  )
  const passed = nodes.filter(({ total }) => total !== undefined)
  say(
    node === undefined
      ? `fits nowhere: ${message}`
      : `goes to ${node}: ${passed.length} of ${nodes.length} nodes passed the filters`,
  )
  if (preemption) say(`preempts ${preemption.victims.join(', ')} on ${preemption.node}`)
  if (required) say(`requires ${JSON.stringify(required)}`)
  passed.sort((a, b) => (a.node === node ? -1 : b.node === node ? 1 : b.total! - a.total!))
  for (const one of passed) {
    say(`\n${one.node === node ? '*' : ' '} ${one.node}  total ${one.total}`)
    say(`    passed: ${one.filters.map(({ plugin }) => plugin).join(', ') || '(no filter has anything to say)'}`)
    for (const { plugin, raw, normalized, weighted } of one.scores)
      say(`    ${plugin.padEnd(32)} raw ${raw}, normalized ${normalized}, × ${weights[plugin] ?? 1} = ${weighted}`)
  }
  for (const one of nodes.filter(({ total }) => total === undefined)) {
    say(`\n- ${one.node}`)
    for (const { plugin, reasons } of one.filters) {
      say(`    ${plugin}: ${reasons.length === 0 ? 'passed' : reasons.join(', ')}`)
      if (plugin === 'TaintToleration' && reasons.length > 0) say(`        taints: ${one.taints.join(', ')}`)
      if (plugin !== 'NodeResourcesFit') continue
      for (const { resource, wanted, free, allocatable } of one.shortages) {
        const text = (amount: number): string => amountText(resource, amount)
        say(
          `        ${resource}: wants ${text(wanted)}, ${text(Math.max(0, free))} of ${text(allocatable)} free, ${text(wanted - free)} missing`,
        )
      }
    }
  }
}
