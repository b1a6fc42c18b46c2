// The envelope of an event: what its headers say. Names of headers are written only here.

/** What an appender states about an event. The checksum is added by `seal` in checksum.ts, the batch by the committer. */
export interface Envelope {
  /** Past tense, told by comparing before and after: `PodBound`. */
  readonly type: string
  /** Version of the stored form of the payload's kind, counted from 1; upcasters raise it on read. */
  readonly schema: number
  /** The user on whose behalf: `kubernetes-admin`, `system:kube-scheduler`. */
  readonly actor: string
  /** Unique per request; the same when an ambiguous append is sent again. */
  readonly requestId: string
  /** Sequence of the subject's event before this one (also when that ended an earlier object's life), 0 for the first. */
  readonly previous: number
  /** True for the event that ends the object's life; its payload is the last object. */
  readonly deleted: boolean
  /** The sequence that made a controller act. */
  readonly cause?: number
  /** The sequence that a decision saw, and the decision itself as JSON. */
  readonly basis?: number
  readonly decision?: string
  readonly traceparent?: string
  /** What webhooks and admission policies changed of it, as JSON. */
  readonly admission?: string
}

export const header = {
  type: 'Shiplog-Type',
  schema: 'Shiplog-Schema',
  actor: 'Shiplog-Actor',
  requestId: 'Shiplog-Request',
  previous: 'Shiplog-Previous',
  deleted: 'Shiplog-Deleted',
  cause: 'Shiplog-Cause',
  basis: 'Shiplog-Basis',
  decision: 'Shiplog-Decision',
  traceparent: 'traceparent',
  admission: 'Shiplog-Admission',
  /** The uid of the object whose key the payload is encrypted with; absent where it is not. */
  key: 'Shiplog-Key',
  /** `<batch id> <i> <n>`: member i (from 1) of n. Readers treat a batch as one. */
  batch: 'Shiplog-Batch',
  /** Checksum of this event, chained to the object's previous event; see checksum.ts. */
  checksum: 'Shiplog-Checksum',
  /** The previous event's checksum, so that one record can be verified alone. */
  chain: 'Shiplog-Chain',
} as const

type Headers = Readonly<Record<string, string>>

/** Header values must be printable ASCII: anything else, and `%`, is percent-encoded. */
const encodeValue = (text: string): string =>
  /^[\x20-\x24\x26-\x7e]*$/.test(text) && text === text.trim()
    ? text
    : text.replace(/[^\x21-\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character))

const decodeValue = (text: string): string => (text.includes('%') ? decodeURIComponent(text) : text)

export function encodeEnvelope(envelope: Envelope): Record<string, string> {
  const headers: Record<string, string> = {
    [header.type]: envelope.type,
    [header.schema]: String(envelope.schema),
    [header.actor]: encodeValue(envelope.actor),
    [header.requestId]: encodeValue(envelope.requestId),
    [header.previous]: String(envelope.previous),
  }
  if (envelope.deleted) headers[header.deleted] = '1'
  if (envelope.cause !== undefined) headers[header.cause] = String(envelope.cause)
  if (envelope.basis !== undefined) headers[header.basis] = String(envelope.basis)
  if (envelope.decision !== undefined) headers[header.decision] = encodeValue(envelope.decision)
  if (envelope.traceparent !== undefined) headers[header.traceparent] = encodeValue(envelope.traceparent)
  if (envelope.admission !== undefined) headers[header.admission] = encodeValue(envelope.admission)
  return headers
}

export function decodeEnvelope(headers: Headers): Envelope {
  const number = (name: string): number | undefined => (headers[name] === undefined ? undefined : Number(headers[name]))
  const cause = number(header.cause)
  const basis = number(header.basis)
  const decision = headers[header.decision]
  const traceparent = headers[header.traceparent]
  const admission = headers[header.admission]
  return {
    type: headers[header.type] ?? '',
    schema: number(header.schema) ?? 1,
    actor: decodeValue(headers[header.actor] ?? ''),
    requestId: decodeValue(headers[header.requestId] ?? ''),
    previous: number(header.previous) ?? 0,
    deleted: headers[header.deleted] === '1',
    ...(cause === undefined ? {} : { cause }),
    ...(basis === undefined ? {} : { basis }),
    ...(decision === undefined ? {} : { decision: decodeValue(decision) }),
    ...(traceparent === undefined ? {} : { traceparent: decodeValue(traceparent) }),
    ...(admission === undefined ? {} : { admission: decodeValue(admission) }),
  }
}

/** The batch that a record belongs to; a record without the header is a batch of its own. */
export function batchOf(
  headers: Headers,
): { readonly id: string; readonly index: number; readonly size: number } | undefined {
  const [id, index, size] = (headers[header.batch] ?? '').split(' ')
  return id && index && size ? { id, index: Number(index), size: Number(size) } : undefined
}
