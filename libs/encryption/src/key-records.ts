// What the store of keys holds: `key.<uid>`, the wrapped data key of an object or the word that it was destroyed, and
// `kek.<id>`, a wrapping key as a KMS plug-in encrypted it. JSON, with the envelope and checksum of every record.
import { encodeEnvelope } from '@shiplog/events/envelope'
import type { Append, LogRecord } from '@shiplog/events/event-log'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import { decodeToken, encodeToken } from '@shiplog/events/subjects'

/** The key of one object. */
export interface KeyState {
  /** The uid of the object. */
  readonly id: string
  /** Where the object's records stand. */
  readonly subject: string
  /** Which wrapper wrapped it; undefined when it was destroyed. */
  readonly by: string | undefined
  readonly wrapped: Uint8Array | undefined
  /** Why it was destroyed. */
  readonly destroyed: string | undefined
  /** Position and time of this word in the store of keys. */
  readonly sequence: number
  readonly timeMs: number
}

/** A wrapping key that a KMS plug-in has encrypted. */
export interface KekState {
  readonly id: string
  readonly provider: string
  /** The plug-in's own name for what it encrypted with. */
  readonly kmsKeyId: string
  readonly ciphertext: Uint8Array
  readonly annotations: Readonly<Record<string, Uint8Array>>
}

const keyPrefix = 'key.'
const kekPrefix = 'kek.'

export const keySubject = (id: string): string => `${keyPrefix}${encodeToken(id)}`
export const kekSubject = (id: string): string => `${kekPrefix}${encodeToken(id)}`

/** Undefined for a record of something else. */
export function parseKeyRecord({ subject, sequence, timeMs, payload }: LogRecord): KeyState | undefined {
  if (!subject.startsWith(keyPrefix)) return undefined
  const said = JSON.parse(Buffer.from(payload).toString('utf8'))
  return {
    id: decodeToken(subject.slice(keyPrefix.length)),
    subject: said.subject,
    by: said.by,
    wrapped: said.wrapped === undefined ? undefined : Buffer.from(said.wrapped, 'base64'),
    destroyed: said.destroyed,
    sequence,
    timeMs,
  }
}

export function parseKekRecord({ subject, payload }: LogRecord): KekState | undefined {
  if (!subject.startsWith(kekPrefix)) return undefined
  const { provider, kmsKeyId, ciphertext, annotations } = JSON.parse(Buffer.from(payload).toString('utf8'))
  return {
    id: decodeToken(subject.slice(kekPrefix.length)),
    ...{ provider, kmsKeyId },
    ciphertext: Buffer.from(ciphertext, 'base64'),
    annotations: Object.fromEntries(
      Object.entries(annotations as Record<string, string>).map(([name, value]) => [name, Buffer.from(value, 'base64')]),
    ),
  }
}

interface About {
  readonly expected: number
  readonly actor: string
}

export const wrappedAppend = (id: string, subject: string, by: string, wrapped: Uint8Array, about: About): Append =>
  append(keySubject(id), about.expected === 0 ? 'KeyMade' : 'KeyWrapped', about, {
    ...{ subject, by },
    wrapped: Buffer.from(wrapped).toString('base64'),
  })

export const destroyedAppend = (id: string, subject: string, why: string, about: About): Append =>
  append(keySubject(id), 'KeyDestroyed', about, { subject, destroyed: why })

export const kekAppend = ({ id, provider, kmsKeyId, ciphertext, annotations }: KekState): Append =>
  append(kekSubject(id), 'WrappingKeyMade', { expected: 0, actor: 'system:apiserver' }, {
    ...{ provider, kmsKeyId },
    ciphertext: Buffer.from(ciphertext).toString('base64'),
    annotations: Object.fromEntries(
      Object.entries(annotations).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
    ),
  })

const append = (subject: string, type: string, { expected, actor }: About, said: object): Append =>
  sealRecord({
    ...{ subject, expected },
    headers: encodeEnvelope({ type, schema: 1, actor, requestId: '', previous: expected, deleted: false }),
    payload: Buffer.from(JSON.stringify(said)),
  })
