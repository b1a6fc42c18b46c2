// `shiplog diff <from> <to>`: what is different between two moments, object by object. It reads only what happened in
// between, and of each object touched the version before.
import type { JsonObject } from '@shiplog/api/kube-object'
import { parseLabelSelector } from '@shiplog/api/selectors'
import { decodeEnvelope } from '@shiplog/events/envelope'
import { type DamagedRecord, type DecodedRecord, isObjectRecord } from '@shiplog/feed/record-codec'
import { changeLine, type FieldChange, fieldChanges, withoutSecrets } from '@shiplog/feed/history/field-changes'
import { addressOf, contentOf, isDamaged } from '@shiplog/feed/history/past-records'
import { say, warnOfDamage } from './history-records.ts'
import type { PastRecord } from '@shiplog/feed/history/past-records'
import { type HistorySource, type SourceOptions, withHistory } from './history-source.ts'
import { kindsOf } from './history-kinds.ts'
import { nameOf, sequenceOf, targetOf } from './history-target.ts'

export interface DiffOptions extends SourceOptions {
  readonly namespace?: string | undefined
  readonly selector?: string | undefined
  readonly output: 'text' | 'json'
}

interface Difference {
  readonly object: string
  readonly namespace: string
  readonly what: 'created' | 'deleted' | 'recreated' | 'changed'
  readonly changes: readonly FieldChange[]
}

/** As diff(1): 0 nothing is different, 1 something is. */
export async function diff(
  fromText: string,
  toText: string,
  what: string | undefined,
  options: DiffOptions,
): Promise<number> {
  const labels = options.selector === undefined ? undefined : parseLabelSelector(options.selector)
  return await withHistory(options, async (source) => {
    const kinds = await kindsOf(source)
    const target = what === undefined ? undefined : targetOf(kinds, what, options.namespace)
    const [from, to] = [await sequenceOf(source, fromText), await sequenceOf(source, toText)]
    const { oldest, newest } = await source.ends()
    for (const sequence of [from, to]) {
      if (sequence < oldest)
        throw new Error(`the log does not reach back to ${sequence}: the oldest sequence left is ${oldest}`)
      if (sequence > newest) throw new Error(`${sequence} is in the future: the newest sequence is ${newest}`)
    }
    const backwards = from > to
    const subject = target?.subject ?? 'evt.>'
    const { touched, damages } = await touchedBetween(source, Math.min(from, to), Math.max(from, to), subject)
    warnOfDamage(damages)
    let count = 0
    for (const { subject, before, after } of touched) {
      const address = addressOf(subject)!
      if (options.namespace !== undefined && address.namespace !== '' && address.namespace !== options.namespace)
        continue
      const [old, now] = backwards ? [after, before] : [before, after]
      const matches = (object: JsonObject | undefined): boolean =>
        object !== undefined && labels!.matches(object['metadata'].labels ?? {})
      if (labels && !matches(old) && !matches(now)) continue
      const found = differenceOf(old, now)
      if (!found) continue
      count++
      const difference: Difference = { object: nameOf(kinds, address), namespace: address.namespace, ...found }
      if (options.output === 'json') say(JSON.stringify(difference))
      else print(difference)
    }
    if (damages.length > 0) return exitCodeUnknown
    if (options.output === 'text' && count === 0) say(`no difference between ${from} and ${to}`)
    return count === 0 ? 0 : 1
  })
}

/** As diff(1) has it for trouble: damage hides whether there are more differences. */
const exitCodeUnknown = 2

interface Touched {
  readonly subject: string
  readonly before: JsonObject | undefined
  readonly after: JsonObject | undefined
}

/** Objects with events after `from` up to `to`, in the order of their subjects, as they were at both ends. */
async function touchedBetween(
  source: HistorySource,
  from: number,
  to: number,
  subject: string,
): Promise<{ readonly touched: readonly Touched[]; readonly damages: readonly DamagedRecord[] }> {
  const ends = new Map<string, { readonly previous: number; last: DecodedRecord }>()
  const damages: DamagedRecord[] = []
  for await (const records of source.read({ from: from + 1, to, subjects: [subject] })) {
    for (const one of records) {
      if (isDamaged(one)) {
        damages.push(one)
        continue
      }
      const { record } = one
      const known = ends.get(record.subject)
      if (known) known.last = one
      else ends.set(record.subject, { previous: decodeEnvelope(record.headers).previous, last: one })
    }
  }
  const touched: Touched[] = []
  for (const [name, { previous, last }] of [...ends].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const before = await recordAt(source, previous)
    if (before && isDamaged(before)) damages.push(before)
    touched.push({
      subject: name,
      before: before && !isDamaged(before) ? alive(source, before) : undefined,
      after: alive(source, last),
    })
  }
  return { touched, damages }
}

async function recordAt(source: HistorySource, sequence: number): Promise<PastRecord | undefined> {
  if (sequence === 0) return undefined
  for await (const records of source.read({ from: sequence, to: sequence })) if (records[0]) return records[0]
  return undefined
}

const alive = (source: HistorySource, decoded: DecodedRecord): JsonObject | undefined =>
  isObjectRecord(decoded) && decoded.kind === 'object' ? contentOf(source.codec, decoded) : undefined

function differenceOf(
  old: JsonObject | undefined,
  now: JsonObject | undefined,
): Pick<Difference, 'what' | 'changes'> | undefined {
  if (!old && !now) return undefined
  if (!old) return { what: 'created', changes: [] }
  if (!now) return { what: 'deleted', changes: [] }
  const changes = withoutSecrets(String(now['kind']), fieldChanges(old, now))
  if (old['metadata'].uid !== now['metadata'].uid) return { what: 'recreated', changes }
  return changes.length === 0 ? undefined : { what: 'changed', changes }
}

const signs = { created: '+', deleted: '-', recreated: '±', changed: '~' } as const

function print({ object, namespace, what, changes }: Difference): void {
  say(
    `${signs[what]} ${object}${namespace === '' ? '' : ` in ${namespace}`}${what === 'recreated' ? ' (another object of that name)' : ''}`,
  )
  for (const change of changes) say(`    ${changeLine(change)}`)
}
