// Records as people read them: who did what to which object, when, and because of what.
import type { JsonObject } from '@shiplog/api/kube-object'
import { decodeEnvelope } from '@shiplog/events/envelope'
import type { LogRecord } from '@shiplog/events/event-log'
import { decodeToken, type ObjectAddress, parseObjectSubject } from '@shiplog/events/subjects'
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
}

/** The object that a record is about; attempts to schedule are about their pod. */
export function addressOf(subject: string): ObjectAddress | undefined {
  if (!subject.startsWith('dec.')) return parseObjectSubject(subject)
  const [, , namespace, name] = subject.split('.')
  return { group: '', resource: 'pods', namespace: decodeToken(namespace ?? ''), name: decodeToken(name ?? '') }
}

/** Undefined for seals and guards. */
export function tell(record: LogRecord): Told | undefined {
  const address = addressOf(record.subject)
  if (!address) return undefined
  const { type, actor, requestId, previous, deleted, cause, basis } = decodeEnvelope(record.headers)
  return {
    sequence: record.sequence,
    time: new Date(record.timeMs).toISOString(),
    type,
    namespace: address.namespace,
    object: nameOf(address),
    actor,
    requestId,
    previous,
    deleted,
    ...(cause === undefined ? {} : { cause }),
    ...(basis === undefined ? {} : { basis }),
  }
}

export const objectOf = (record: LogRecord): JsonObject =>
  JSON.parse(Buffer.from(record.payload).toString('utf8')) as JsonObject

/** `by system:kube-scheduler, because of 120`. */
export const whoAndWhy = (told: Told, manager?: string): string =>
  `by ${told.actor}${manager && manager !== told.actor.replace(/^system:/, '') ? ` (${manager})` : ''}` +
  (told.cause === undefined ? '' : `, because of ${told.cause}`) +
  (told.basis === undefined ? '' : `, decided at ${told.basis}`)

/** A line on standard output; a reader that goes away ends the command in peace. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** `head` closes its end of the pipe: that is no failure. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
}
