// `shiplog log`: the story of the cluster or of one object, newest first, or with --follow as it happens.
import type { DamagedRecord, DecodedRecord } from '@shiplog/feed/record-codec'
import type { Catalogue } from '@shiplog/domain/catalogue/catalogue'
import { changeLine, fieldChanges, withoutSecrets } from '@shiplog/feed/history/field-changes'
import { contentOf, isDamaged } from '@shiplog/feed/history/past-records'
import { damageJson, damageLine, say, tell, type Told, warnOfDamage, whoAndWhy } from './history-records.ts'
import type { PastRecord } from '@shiplog/feed/history/past-records'
import { type HistorySource, type SourceOptions, withHistory } from './history-source.ts'
import { kindsOf } from './history-kinds.ts'
import { sequenceOf, targetOf } from './history-target.ts'

export interface LogOptions extends SourceOptions {
  readonly namespace?: string | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
  readonly type?: string | undefined
  readonly actor?: string | undefined
  readonly maxCount?: number | undefined
  readonly follow?: boolean | undefined
  readonly patch?: boolean | undefined
  readonly output: 'text' | 'json'
}

/** Sequences that are read at a time, going back; more when little of them is wanted. */
const stepMin = 2_000
const stepMax = 262_144

/** Gives the exit code: 1 when the log knows no such object. */
export async function log(target: string | undefined, options: LogOptions): Promise<number> {
  return await withHistory(options, async (source) => {
    const kinds = await kindsOf(source)
    const subjects = subjectsOf(kinds, target, options.namespace)
    const wanted = filterOf(options)
    const damages: DamagedRecord[] = []
    const print = async (record: PastRecord): Promise<boolean> => {
      // Damage is shown whatever was asked for: nobody knows what stood there.
      if (isDamaged(record)) {
        damages.push(record)
        say(options.output === 'json' ? JSON.stringify(damageJson(record)) : damageLine(kinds, record))
        return true
      }
      const told = tell(kinds, record)
      if (!told || !wanted(told)) return false
      if (options.output === 'json') say(JSON.stringify({ ...told, payload: contentOf(source.codec, record) }))
      else {
        say(line(told))
        if (options.patch) for (const change of await changesOf(source, record, told)) say(`        ${change}`)
      }
      return true
    }
    if (options.follow) {
      const from =
        options.since === undefined ? (await source.ends()).newest + 1 : (await sequenceOf(source, options.since)) + 1
      const stop = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
      for await (const records of source.follow(from, subjects, stop.signal))
        for (const record of records) await print(record)
      return 0
    }
    const { oldest, newest } = await source.ends()
    const floor = options.since === undefined ? oldest : Math.max(oldest, (await sequenceOf(source, options.since)) + 1)
    const until = options.until === undefined ? newest : Math.min(newest, await sequenceOf(source, options.until))
    const max = options.maxCount ?? Number.POSITIVE_INFINITY
    let told = 0
    for (let to = until, step = stepMin; to >= floor && told < max; ) {
      const from = Math.max(floor, to - step + 1)
      const page: PastRecord[] = []
      for await (const records of source.read({ from, to, subjects })) page.push(...records)
      for (let i = page.length - 1; i >= 0 && told < max; i--) if (await print(page[i]!)) told++
      to = from - 1
      if (page.length < stepMin / 10) step = Math.min(stepMax, step * 4)
      else step = stepMin
    }
    warnOfDamage(damages)
    const filtered = [options.since, options.until, options.type, options.actor].some((given) => given !== undefined)
    if (told > 0 || max === 0 || filtered || !target?.includes('/')) return 0
    process.stderr.write(`shiplog: the log knows no ${target}\n`)
    return 1
  })
}

/** The filters of what was asked for; a pod's story includes the attempts to schedule it. */
function subjectsOf(kinds: Catalogue, target: string | undefined, namespace: string | undefined): string[] {
  if (target === undefined) return ['evt.>', 'dec.>']
  const { subject, resource } = targetOf(kinds, target, namespace)
  if (resource.resource !== 'pods') return [subject]
  return [subject, subject.replace(/^evt\.core\.pods\./, 'dec.*.')]
}

function filterOf(options: LogOptions): (told: Told) => boolean {
  const types = options.type?.split(',').map(
    (pattern) =>
      new RegExp(
        `^${pattern
          .split('*')
          .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
          .join('.*')}$`,
        'i',
      ),
  )
  return (told) =>
    (types === undefined || types.some((type) => type.test(told.type))) &&
    (options.actor === undefined || told.actor.includes(options.actor)) &&
    (options.namespace === undefined || told.namespace === '' || told.namespace === options.namespace)
}

const line = (told: Told): string =>
  [
    String(told.sequence).padStart(7),
    told.time.replace('T', ' ').replace('Z', ''),
    told.type.padEnd(24),
    `${told.object}${told.namespace === '' ? '' : ` in ${told.namespace}`}`.padEnd(44),
    whoAndWhy(told),
  ].join('  ')

async function changesOf(source: HistorySource, record: DecodedRecord, told: Told): Promise<string[]> {
  const after = contentOf(source.codec, record)
  if (record.kind === 'attempt') return [String(after?.['message'] ?? '')]
  if (told.deleted || after === undefined) return []
  let before: PastRecord | undefined
  if (told.previous > 0) {
    for await (const records of source.read({ from: told.previous, to: told.previous })) before = records[0] ?? before
  }
  if (before && isDamaged(before)) return [`(what changed is not known: the version before, at ${before.sequence}, cannot be read)`]
  const old = before?.kind === 'object' ? contentOf(source.codec, before) : undefined
  return withoutSecrets(String(after['kind']), fieldChanges(old, after)).map(changeLine)
}
