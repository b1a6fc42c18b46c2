// `shiplog why KIND/NAME`: which controller did what to an object, on which basis, from which cause, and what it had observed
// beside the log. Causes are followed to the first: what somebody asked for. What changed in the object tells `history`, how a
// scheduler chose tells `explain`.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { SchemaRegistry } from '@shiplog/api/schema/schema'
import { decodeEnvelope } from '@shiplog/events/envelope'
import type { DamagedRecord } from '@shiplog/feed/record-codec'
import { kindsOf } from './history-kinds.ts'
import { contentOf, isDamaged } from '@shiplog/feed/history/past-records'
import { admissionLines, damageJson, damageLine, say, tell, type Told, warnOfDamage } from './history-records.ts'
import { type HistorySource, type SourceOptions, withHistory } from './history-source.ts'
import { sequenceOf, targetOf } from './history-target.ts'

export interface WhyOptions extends SourceOptions {
  readonly namespace?: string | undefined
  readonly since?: string | undefined
  readonly output: 'text' | 'json'
}

/** Who decided, as it was recorded with the event. */
export interface Decided {
  readonly reconciler: string
  /** What it was working on: `default/web`. */
  readonly key: string
  /** What it had looked up beside the log. */
  readonly observed?: JsonObject
  /** What it remembered from rounds before. */
  readonly memory?: JsonObject
  /** The decision had so many characters and was not recorded whole. */
  readonly tooLong?: number
}

/** One event, told with its decision. */
export interface Reason extends Told {
  readonly decided?: Decided
}

/** How far causes are followed. */
const causesMax = 20
const valueCharactersMax = 400

/** Gives the exit code: 1 when the log knows no such object. */
export async function why(text: string, options: WhyOptions): Promise<number> {
  return await withHistory(options, async (source) => {
    const kinds = await kindsOf(source)
    const target = targetOf(kinds, text, options.namespace)
    if (target.name === undefined) throw new Error(`which one? KIND/NAME, please: ${text}/…`)
    const since = options.since === undefined ? 0 : await sequenceOf(source, options.since)
    const damages: DamagedRecord[] = []
    let events = 0
    let uid: unknown
    for await (const records of source.read({ subjects: [target.subject] })) {
      for (const record of records) {
        if ((isDamaged(record) ? record.sequence : record.record.sequence) <= since) continue
        if (isDamaged(record)) {
          damages.push(record)
          say(options.output === 'json' ? JSON.stringify(damageJson(record)) : damageLine(kinds, record).trimStart())
          continue
        }
        const reason = reasonOf(kinds, record)
        if (!reason) continue
        const content = contentOf(source.codec, record) as KubeObject | undefined
        const own = content?.metadata?.uid
        if (options.output === 'text' && own !== uid) say(`${events > 0 ? '\n' : ''}${reason.object}, uid ${own}`)
        uid = own
        events++
        const chain = await causesOf(source, kinds, reason)
        if (options.output === 'json') say(JSON.stringify({ ...reason, causes: chain }))
        else for (const line of linesOf(reason, chain)) say(line)
      }
    }
    warnOfDamage(damages)
    if (events > 0 || damages.some(({ whole }) => whole)) return 0
    process.stderr.write(`shiplog: the log knows no ${text}\n`)
    return 1
  })
}

type Decoded = Parameters<typeof tell>[1]

function reasonOf(kinds: SchemaRegistry, decoded: Decoded): Reason | undefined {
  const told = tell(kinds, decoded)
  const decided = decidedBy(decodeEnvelope(decoded.record.headers).decision)
  return told && { ...told, ...(decided ? { decided } : {}) }
}

/** A controller's decision; those of schedulers are of another form. */
export function decidedBy(decision: string | undefined): Decided | undefined {
  if (decision === undefined) return undefined
  const fields = JSON.parse(decision) as Partial<Decided>
  return typeof fields.reconciler === 'string' && typeof fields.key === 'string' ? (fields as Decided) : undefined
}

/** What led to an event, the nearest first. */
async function causesOf(source: HistorySource, kinds: SchemaRegistry, reason: Reason): Promise<readonly Reason[]> {
  const chain: Reason[] = []
  let { cause } = reason
  while (cause !== undefined && chain.length < causesMax) {
    const found: Reason | undefined = await recordAt(source, kinds, cause)
    // Compaction may have removed it.
    if (!found || chain.some(({ sequence }) => sequence === found.sequence)) break
    chain.push(found)
    cause = found.cause
  }
  return chain
}

async function recordAt(source: HistorySource, kinds: SchemaRegistry, sequence: number): Promise<Reason | undefined> {
  for await (const records of source.read({ from: sequence, to: sequence })) {
    for (const record of records) if (!isDamaged(record) && record.record.sequence === sequence) return reasonOf(kinds, record)
  }
  return undefined
}

/** `by deployment for default/web`, `by kubernetes-admin`. */
const whoOf = ({ actor, decided }: Reason): string =>
  decided ? `by ${decided.reconciler} for ${decided.key}` : `by ${actor}`

const namedOf = ({ object, namespace }: Reason): string => (namespace === '' ? object : `${object} in ${namespace}`)

export function linesOf(reason: Reason, chain: readonly Reason[]): string[] {
  const { sequence, time, type, basis, cause, decided } = reason
  const known = chain[0]?.sequence === cause
  return [
    `\n${sequence}  ${time}  ${type}`,
    `    ${whoOf(reason)}${basis === undefined ? '' : `, decided at ${basis}`}`,
    ...admissionLines(reason).map((line) => `    ${line}`),
    ...(decided?.observed ? [`    observed ${shown(decided.observed)}`] : []),
    ...(decided?.memory ? [`    remembered ${shown(decided.memory)}`] : []),
    ...(decided?.tooLong === undefined ? [] : [`    what it observed had ${decided.tooLong} characters and is not recorded`]),
    ...chain.map(
      (one, index) => `    ${'  '.repeat(index)}because of ${one.sequence}: ${one.type} of ${namedOf(one)}, ${whoOf(one)}`,
    ),
    ...(cause === undefined || known ? [] : [`    because of ${cause}, which the log does not hold any more`]),
  ]
}

function shown(value: JsonObject): string {
  const text = JSON.stringify(value)
  return text.length <= valueCharactersMax ? text : `${text.slice(0, valueCharactersMax - 1)}…`
}
