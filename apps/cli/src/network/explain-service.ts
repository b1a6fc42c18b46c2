// `shiplog explain service/NAME`: who receives its traffic, and why others do not, now or at any moment of the past.
import type { JsonObject } from '@shiplog/api/kube-object'
import { splitGroupResource } from '@shiplog/api/schema/schema'
import { resourceFilter } from '@shiplog/events/subjects'
import { contentOf, isDamaged } from '@shiplog/feed/history/past-records'
import type { DamagedRecord } from '@shiplog/feed/record-codec'
import { say, warnOfDamage } from '../history/history-records.ts'
import { type HistorySource, type SourceOptions, withHistory } from '../history/history-source.ts'
import { sequenceOf } from '../history/history-target.ts'
import { type ExplainedEndpoint, type ExplainedPort, type ExplainedService, explainService, networkResources } from './service-explanation.ts'

export interface ExplainServiceOptions extends SourceOptions {
  readonly namespace?: string | undefined
  readonly at?: string | undefined
  /** `pod/NAME` of the same namespace: what it reaches. */
  readonly from?: string | undefined
  readonly output: 'text' | 'json'
}

/** Gives the exit code: 1 when nobody receives anything. */
export async function explainServiceTraffic(name: string, options: ExplainServiceOptions): Promise<number> {
  const from = options.from?.replace(/^pods?\//, '')
  const { objects, damages, at } = await withHistory(options, async (source) => {
    const moment = options.at === undefined ? (await source.ends()).newest : await sequenceOf(source, options.at)
    return { ...(await objectsAt(source, moment)), at: moment }
  })
  warnOfDamage(damages)
  const explained = explainService({ objects }, { namespace: options.namespace || 'default', name, from })
  if (options.output === 'json') say(JSON.stringify({ at, ...explained }))
  else print(explained, at, from)
  return explained.ports.some(({ endpoints }) => endpoints.some(({ receives }) => receives)) ? 0 : 1
}

/** All objects that matter, as they were at a sequence. */
async function objectsAt(
  source: HistorySource,
  to: number,
): Promise<{ readonly objects: ReadonlyMap<string, readonly JsonObject[]>; readonly damages: readonly DamagedRecord[] }> {
  const damages: DamagedRecord[] = []
  const objects = new Map<string, readonly JsonObject[]>()
  for (const groupResource of networkResources) {
    const { group, resource } = splitGroupResource(groupResource)
    const last = new Map<string, JsonObject>()
    for await (const records of source.read({ to, subjects: [resourceFilter(group, resource)] })) {
      for (const one of records) {
        if (isDamaged(one)) damages.push(one)
        else if (one.kind === 'object') last.set(one.record.subject, contentOf(source.codec, one)!)
        else last.delete(one.record.subject)
      }
    }
    objects.set(groupResource, [...last.values()])
  }
  return { objects, damages }
}

function print(explained: ExplainedService, at: number, from: string | undefined): void {
  const { namespace, name, type, addresses, notes, ports, without } = explained
  say(`service/${name} in ${namespace}, ${type}${addresses.length > 0 ? `, ${addresses.join(', ')}` : ''}, at ${at}${from ? `, for pod/${from}` : ''}`)
  for (const note of notes) say(`    ${note}`)
  for (const port of ports) printPort(port)
  for (const { pod, reason } of without) say(`\n- pod/${pod} is meant by the selector and receives nothing: ${reason}`)
}

function printPort({ name, port, protocol, endpoints, byNode }: ExplainedPort): void {
  say(`\nport ${name === '' ? '' : `${name} `}${port}/${protocol}${endpoints.length === 0 ? ': nobody; connections are refused' : ''}`)
  for (const one of endpoints) say(`  ${lineOf(one)}`)
  for (const { node, inside, outside } of byNode) {
    const text = (some: readonly string[]): string => (some.length === 0 ? 'nobody' : some.join(', '))
    say(`    from ${node}: ${text(inside)}${outside === undefined || text(outside) === text(inside) ? '' : `; from outside by way of it: ${text(outside)}`}`)
  }
}

const lineOf = ({ receives, pod, address, port, node, reasons }: ExplainedEndpoint): string =>
  `${receives ? '*' : '-'} ${pod === undefined ? '' : `pod/${pod} `}${address}:${port}${node === undefined ? '' : ` on ${node}`}` +
  (reasons.length === 0 ? '' : `: ${reasons.join('; ')}`)
