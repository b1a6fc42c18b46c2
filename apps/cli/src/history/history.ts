// `shiplog history KIND/NAME`: all that ever happened to one object, oldest first, across its deletions and the objects
// of the same name that came after.
import type { JsonObject } from '@shiplog/api/kube-object'
import { changeLine, fieldChanges, managerOf, withoutSecrets } from '@shiplog/feed/history/field-changes'
import type { DamagedRecord } from '@shiplog/feed/record-codec'
import { contentOf, isDamaged } from '@shiplog/feed/history/past-records'
import { admissionLines, damageJson, damageLine, say, tell, warnOfDamage, whoAndWhy } from './history-records.ts'
import { type SourceOptions, withHistory } from './history-source.ts'
import { kindsOf } from './history-kinds.ts'
import { sequenceOf, targetOf } from './history-target.ts'

export interface HistoryOptions extends SourceOptions {
  readonly namespace?: string | undefined
  readonly since?: string | undefined
  readonly allFields?: boolean | undefined
  readonly output: 'text' | 'json'
}

/** Fields that are shown of one change unless all are asked for. */
const fieldsShownMax = 20

/** Gives the exit code: 1 when the log knows no such object. */
export async function history(text: string, options: HistoryOptions): Promise<number> {
  return await withHistory(options, async (source) => {
    const kinds = await kindsOf(source)
    const target = targetOf(kinds, text, options.namespace)
    if (target.name === undefined) throw new Error(`which one? KIND/NAME, please: ${text}/…`)
    const since = options.since === undefined ? 0 : await sequenceOf(source, options.since)
    let before: JsonObject | undefined
    /** The version before cannot be read: nobody knows what this one changed. */
    let isBlind = false
    let lives = 0
    let events = 0
    const damages: DamagedRecord[] = []
    for await (const records of source.read({ subjects: [target.subject] })) {
      for (const record of records) {
        if (isDamaged(record)) {
          damages.push(record)
          isBlind = true
          // What the next version changed is told against the last that can be read.
          if (record.sequence > since)
            say(options.output === 'json' ? JSON.stringify(damageJson(record)) : `${events > 0 ? '\n' : ''}${damageLine(kinds, record).trimStart()}`)
          continue
        }
        const told = tell(kinds, record)!
        const after = contentOf(source.codec, record)
        if (after === undefined) continue
        const { uid } = after['metadata'] as { uid: string }
        const isNew = before === undefined || before['metadata'].uid !== uid
        const previous = isNew ? undefined : before
        before = told.deleted ? undefined : after
        if (isNew) lives++
        events++
        if (told.sequence <= since) continue
        const manager = isBlind && previous === undefined ? undefined : managerOf(previous, after)
        isBlind = false
        const kind = String(after['kind'])
        const changes = told.deleted && isNew ? [] : withoutSecrets(kind, fieldChanges(previous, after))
        if (options.output === 'json') {
          say(JSON.stringify({ ...told, uid, ...(manager ? { manager } : {}), changes }))
          continue
        }
        if (isNew) say(`${lives === 1 ? '' : '\n'}${told.object}${inNamespace(told.namespace)}, uid ${uid}`)
        say(`\n${told.sequence}  ${told.time}  ${told.type}\n    ${whoAndWhy(told, manager)}`)
        for (const line of admissionLines(told)) say(`    ${line}`)
        const max = options.allFields ? changes.length : fieldsShownMax
        for (const change of changes.slice(0, max)) say(`    ${changeLine(change)}`)
        if (changes.length > max) say(`    … and ${changes.length - max} more fields (--all-fields shows them)`)
      }
    }
    warnOfDamage(damages)
    if (events > 0 || damages.some(({ whole }) => whole)) return 0
    process.stderr.write(`shiplog: the log knows no ${text}${inNamespace(target.namespace)}\n`)
    return 1
  })
}

const inNamespace = (namespace: string): string => (namespace === '' ? '' : ` in ${namespace}`)
