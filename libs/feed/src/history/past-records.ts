// Records of the past as their readers take them: checked, decoded, damage in the place of what is damaged.
import { parseObject } from '@shiplog/api/codec'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { EventLog, LogRecord, ReadOptions } from '@shiplog/events/event-log'
import { type Damage, isDamage, type LogInspection, withDamage } from '@shiplog/events/integrity/log-inspection'
import { decodeToken, encodeToken, type ObjectAddress, parseObjectSubject } from '@shiplog/events/subjects'
import { attemptOf, type DamagedRecord, type DecodedRecord, isObjectRecord, type RecordCodec } from '../record-codec.ts'

/** A record of the past, or the damage that stands in its place. */
export type PastRecord = DecodedRecord | DamagedRecord

/** What readers of the past need of a log, wherever it is. */
export interface PastLog {
  /** Every record is checked; where one is damaged or missing, the damage stands in its place. */
  read(options?: ReadOptions): AsyncIterable<readonly PastRecord[]>
  /** What the records are read with. */
  readonly codec: RecordCodec
}

/** The past of an open log, with what is known of damage to it now. */
export const pastOf = (log: Pick<EventLog, 'read'>, codec: RecordCodec, inspection?: LogInspection): PastLog => ({
  codec,
  read(options = {}) {
    const { from = 1, to = Number.MAX_SAFE_INTEGER, subjects } = options
    return inspected(codec, withDamage(log.read(options), inspection?.within(from, to, subjects) ?? []))
  },
})

export async function* inspected(
  codec: RecordCodec,
  pages: AsyncIterable<readonly (LogRecord | Damage)[]>,
): AsyncIterable<readonly PastRecord[]> {
  for await (const page of pages) {
    const read: PastRecord[] = []
    for (const one of page) read.push(isDamage(one) ? { kind: 'damaged', ...one } : await codec.inspect(one))
    yield read
  }
}

/** The damage that stands where a record should. */
export const isDamaged = (one: PastRecord): one is DamagedRecord => one.kind === 'damaged'

/** In the place of a namespace: the record says what a scheduler's configuration is, and no pod is meant. */
export const configurationToken = encodeToken('_')

/** The object that a record is about; attempts to schedule are about their pod. */
export function addressOf(subject: string): ObjectAddress | undefined {
  if (!subject.startsWith('dec.')) return parseObjectSubject(subject)
  const [, , namespace, name] = subject.split('.')
  if (namespace === configurationToken) return { group: '', resource: 'schedulerconfigurations', namespace: '', name: name ?? '' }
  return { group: '', resource: 'pods', namespace: decodeToken(namespace ?? ''), name: decodeToken(name ?? '') }
}

/** What a record carries, as it is read today: an object without its resourceVersion, or what an attempt says. */
export function contentOf(codec: RecordCodec, decoded: DecodedRecord): JsonObject | undefined {
  if (!isObjectRecord(decoded)) return decoded.kind === 'attempt' ? attemptOf(decoded) : undefined
  const stored = codec.stored(decoded)
  return stored && parseObject(stored)
}

/** `pods/web in default`, as far as it is known whose record it was. */
export function ownerOfDamage({ subject }: DamagedRecord): string | undefined {
  const address = subject === undefined ? undefined : addressOf(subject)
  if (!address) return undefined
  const { group, resource, namespace, name } = address
  return `${resource}${group === '' ? '' : `.${group}`}/${name}${namespace === '' ? '' : ` in ${namespace}`}`
}
