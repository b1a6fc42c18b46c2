// Records as people read them: who did what to which object, when, and because of what.
import { readChanges } from '@shiplog/domain/write/async-admission'
import { decodeEnvelope } from '@shiplog/events/envelope'
import { addressOf } from '@shiplog/feed/history/past-records'
import type { LogRecord } from '@shiplog/events/event-log'
import { type DamagedRecord, type DecodedRecord, decodeRecord, endsObject, isObjectRecord } from '@shiplog/feed/record-codec'
import type { SchemaRegistry } from '@shiplog/api/schema/schema'
import { nameOf } from './history-target.ts'

/** One event, told. */
export interface Told {
  readonly sequence: number
  readonly time: string
  readonly type: string
  readonly namespace: string
  /** `pod/web`. */
  readonly object: string
  readonly actor: string
  readonly requestId: string
  readonly previous: number
  readonly deleted: boolean
  readonly cause?: number
  readonly basis?: number
  /** What webhooks and admission policies made of the request. */
  readonly admission?: ReturnType<typeof readChanges>
}

/** Undefined for seals and guards. */
export function tell(kinds: SchemaRegistry, decoded: DecodedRecord): Told | undefined {
  const { record } = decoded
  const address = addressOf(record.subject)
  if (!address) return undefined
  const { type, actor, requestId, previous, cause, basis, admission } = decodeEnvelope(record.headers)
  const deleted = isObjectRecord(decoded) && endsObject(decoded)
  return {
    sequence: record.sequence,
    time: new Date(record.timeMs).toISOString(),
    type,
    namespace: address.namespace,
    object: nameOf(kinds, address),
    actor,
    requestId,
    previous,
    deleted,
    ...(cause === undefined ? {} : { cause }),
    ...(basis === undefined ? {} : { basis }),
    ...(admission === undefined ? {} : { admission: readChanges(admission) }),
  }
}

/** `changed on the way by MutatingWebhookConfiguration/sidecars (inject.example.com): /spec/containers/-`. */
export const admissionLines = ({ admission = [] }: Told): string[] =>
  admission.map(({ by, name, paths, more }) => {
    const where = [...paths, ...(more ? [`and ${more} more`] : [])].join(', ')
    return `changed on the way by ${by} (${name}): ${where}`
  })

/** The object that a damaged record was about, as far as it is known. */
export function ownerOf(kinds: SchemaRegistry, { subject }: DamagedRecord): string | undefined {
  const address = subject === undefined ? undefined : addressOf(subject)
  return address && `${nameOf(kinds, address)}${address.namespace === '' ? '' : ` in ${address.namespace}`}`
}

/** `118  -  damaged record (its checksum does not match)  of configmap/x in default`. */
export function damageLine(kinds: SchemaRegistry, damaged: DamagedRecord): string {
  const told = damaged.whole && tell(kinds, decodeRecord(damaged.whole))
  if (told) {
    const owner = `${told.object}${told.namespace === '' ? '' : ` in ${told.namespace}`}`
    const what = [String(told.sequence).padStart(7), told.time, told.type, owner, whoAndWhy(told)].join('  ')
    return `${what}\n         (what it held cannot be told any more: ${damaged.problem})`
  }
  const owner = ownerOf(kinds, damaged)
  return `${String(damaged.sequence).padStart(7)}  -  damaged record (${damaged.problem})${owner === undefined ? '' : `  of ${owner}`}`
}

/** What stands for a damaged record in JSON. */
export const damageJson = ({ sequence, subject, problem, whole }: DamagedRecord): object => ({
  sequence,
  ...(whole ? { ...whoOf(whole), gone: problem } : { damaged: problem }),
  ...(subject === undefined ? {} : { subject }),
})

function whoOf({ timeMs, headers }: LogRecord): object {
  const { type, actor, deleted } = decodeEnvelope(headers)
  return { time: new Date(timeMs).toISOString(), type, actor, deleted }
}

const sequencesShownMax = 20

/** Says on standard error that an answer is not whole, and where the log is damaged. */
export function warnOfDamage(damages: readonly DamagedRecord[]): void {
  const [gone, damaged] = [damages.filter(({ whole }) => whole), damages.filter(({ whole }) => !whole)]
  if (damaged.length > 0) warn(`the log is damaged at sequence ${shownSequences(damaged)}: what is told here is not whole`)
  if (gone.length > 0) warn(`the keys of what was stored at sequence ${shownSequences(gone)} are gone: what it held is not told here`)
}

const warn = (text: string): void => void process.stderr.write(`shiplog: warning: ${text}\n`)

function shownSequences(damages: readonly DamagedRecord[]): string {
  const sequences = [...new Set(damages.map(({ sequence }) => sequence))].sort((a, b) => a - b)
  const shown = sequences.slice(0, sequencesShownMax).join(', ')
  return sequences.length > sequencesShownMax ? `${shown} and ${sequences.length - sequencesShownMax} more` : shown
}

/** `by system:kube-scheduler, because of 120`. */
export const whoAndWhy = (told: Told, manager?: string): string =>
  `by ${told.actor}${manager && manager !== told.actor.replace(/^system:/, '') ? ` (${manager})` : ''}` +
  (told.cause === undefined ? '' : `, because of ${told.cause}`) +
  (told.basis === undefined ? '' : `, decided at ${told.basis}`)

/** A line on standard output; a reader that goes away ends the command in peace (ending.ts). */
export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
