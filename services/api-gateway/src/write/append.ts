// From a decision to the log: the event with its envelope, and the guards that it takes and gives back, in one atomic group.
import { type SchemaVersions, servedBytes, storedBytes } from '@shiplog/api/codec'
import type { KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { ApiError, badRequest, requestEntityTooLarge } from '@shiplog/api/status'
import type { Charge } from '@shiplog/domain/admission'
import type { Kind, ObjectEvent } from '@shiplog/domain/decider'
import type { AllocationChange } from '@shiplog/domain/strategy'
import { encodeEnvelope } from '@shiplog/events/envelope'
import type { Append, Conflict } from '@shiplog/events/event-log'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import type { RecordCodec } from '@shiplog/feed/record-codec'
import { subjectBytesMax } from '@shiplog/events/subjects'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { keyOf, type SubjectState } from '../store/projection.ts'
import type { Stream, Streams } from '../store/streams.ts'
import type { DecisionBasis } from './decision-basis.ts'
import { guardAppend, guardSubject } from './guards.ts'
import { catchUp } from './optimistic.ts'

/** Largest object, as stored: etcd's default request limit. */
export const objectBytesMax = 1_572_864

/** An object that another's write changes, and the version that it was changed from. */
export interface Charged extends Charge {
  readonly subject: string
  readonly expected: SubjectState
}

/** A decision that is to be stored. */
export interface DecidedEvent {
  readonly request: GatewayRequest
  readonly kind: Kind
  readonly subject: string
  readonly event: ObjectEvent
  /** The last record of the subject, as the decision saw it. */
  readonly expected: SubjectState
  readonly allocation: AllocationChange
  /** Other objects that change with it. */
  readonly charged: readonly Charged[]
  /** The guard by which a late replica loses. */
  readonly fence: readonly Append[]
  readonly basis: DecisionBasis
  /** What webhooks and policies changed, as the event's header has it. */
  readonly admission?: string | undefined
}

/** An event that the log holds now, as clients see it. */
export interface Appended {
  readonly sequence: number
  readonly bytes: Buffer
}

/**
 * Undefined when another writer was faster: the projection has caught up with it then, and the decision must be made
 * again. Else the projection shows the event.
 */
export async function append(
  { codec, events }: Streams,
  stream: Stream,
  decided: DecidedEvent,
): Promise<Appended | undefined> {
  const charges = decided.charged.length === 0 ? none : await chargesOf(codec, decided)
  const own = objectAppend(stream, codec.versions, decided)
  const group = await groupOf(codec, own, decided)
  if (stream === events) group.push(...charges)
  // What is kept in a stream of its own (Leases) is counted before: too much for a moment, never too little.
  else if (charges.length > 0 && !(await commit(events, charges))) return undefined
  const sequences = await commit(stream, group)
  if (!sequences) return undefined
  const sequence = sequences[0]!
  const bytes = servedBytesOf(stream, decided, sequence) ?? servedBytes(own.payload, sequence)
  return { sequence, bytes }
}

/** Several objects of one stream in one atomic group: all or none. The sequence of the last record; undefined when somebody was faster. */
export async function appendTogether(
  { codec }: Streams,
  stream: Stream,
  events: readonly DecidedEvent[],
): Promise<number | undefined> {
  const groups = await Promise.all(
    events.map(async (decided) => [
      ...(await groupOf(codec, objectAppend(stream, codec.versions, decided), decided)),
      ...(await chargesOf(codec, decided)),
    ]),
  )
  const sequences = await commit(stream, groups.flat())
  return sequences?.at(-1)
}

/** The sequences of a group, which the projection shows then; undefined when another writer was faster. */
async function commit(stream: Stream, group: readonly Append[]): Promise<readonly number[] | undefined> {
  const result = await stream.committer.commit(group)
  if (result.ok) {
    // The next write of these objects decides against these.
    await stream.projection.waitFor(result.sequences.at(-1)!)
    return result.sequences
  }
  await catchUp(stream)
  await lookUpGone(stream, result.conflict, group)
  return undefined
}

/** A conflict that the projection cannot explain: the log is asked what it knows of the subject. */
async function lookUpGone({ log, projection }: Stream, conflict: Conflict, group: readonly Append[]): Promise<void> {
  const { subject, actual } = conflict
  const isNew = group.some((one) => one.subject === subject && one.expected === 0)
  // Purged since (a long-past tombstone, an expired marker): the subject begins anew.
  if (!actual && (await log.last(subject)) === undefined) projection.forgetSubject(subject)
  // Deleted too long ago for the projection to remember: the decision expected a subject that was never used.
  else if (isNew && projection.tombstone(subject) === undefined) {
    const last = await log.last(subject)
    if (last) projection.recallTombstone(last)
  }
}

/** The projection has the bytes already, unless it is late, or somebody was faster to write again. */
function servedBytesOf(stream: Stream, { kind, request, event }: DecidedEvent, sequence: number): Buffer | undefined {
  const table = stream.projection.table(groupResourceOf(kind.info.group, kind.info.resource))
  const served = table.current.get(keyOf(request.namespace, event.object.metadata.name))
  return served?.sequence === sequence ? served.bytes : undefined
}

/** The event as it is stored: encrypted where its resource is, then with its checksum. Waits only for a key that is made. */
async function storedForm(
  codec: RecordCodec,
  append: Append,
  of: { readonly groupResource: string; readonly object: KubeObject; readonly expected: SubjectState },
): Promise<Append> {
  const encrypted = codec.encrypt(append, { groupResource: of.groupResource, uid: of.object.metadata.uid })
  return sealRecord(encrypted instanceof Promise ? await encrypted : encrypted, of.expected.checksum)
}

async function groupOf(codec: RecordCodec, own: Append, decided: DecidedEvent): Promise<Append[]> {
  const { request, allocation, basis, event, fence, kind, expected } = decided
  const groupResource = groupResourceOf(kind.info.group, kind.info.resource)
  const by = { actor: request.user.name, requestId: request.requestId }
  const guard = (key: string, holder: string): Append => guardAppend(key, holder, basis.guard(guardSubject(key)), by)
  return [
    await storedForm(codec, own, { groupResource, object: event.object, expected }),
    ...allocation.release.map((key) => guard(key, '')),
    ...allocation.take.map((key) => guard(key, event.object.metadata.uid)),
    ...fence,
  ]
}

function objectAppend(stream: Stream, versions: SchemaVersions, decided: DecidedEvent): Append {
  const { request, kind, subject, event, expected, admission } = decided
  if (Buffer.byteLength(subject) > subjectBytesMax) throw new ApiError(badRequest('the name of the object is too long'))
  const groupResource = groupResourceOf(kind.info.group, kind.info.resource)
  const ttl = stream.ttlSeconds === undefined ? {} : { ttlSeconds: stream.ttlSeconds }
  return { ...eventAppend(versions, request, { groupResource, subject, event, expected, admission }), ...ttl }
}

function chargeAppend(codec: RecordCodec, { request }: DecidedEvent, charged: Charged): Promise<Append> {
  const event = { type: `${charged.object.kind}Charged`, object: charged.object, deleted: false }
  return storedForm(codec, eventAppend(codec.versions, request, { ...charged, event }), charged)
}

const none: readonly Append[] = []

const chargesOf = (codec: RecordCodec, decided: DecidedEvent): Promise<readonly Append[]> =>
  Promise.all(decided.charged.map((charged) => chargeAppend(codec, decided, charged)))

interface StoredEvent extends Pick<Charged, 'groupResource' | 'subject' | 'expected'> {
  readonly event: ObjectEvent
  readonly admission?: string | undefined
}

function eventAppend(versions: SchemaVersions, request: GatewayRequest, stored: StoredEvent): Append {
  const { groupResource, subject, event, expected, admission } = stored
  const payload = storedBytes(event.object)
  if (payload.length > objectBytesMax) throw new ApiError(requestEntityTooLarge(`limit is ${objectBytesMax} bytes`))
  const headers = encodeEnvelope({
    type: event.type,
    schema: versions.current(groupResource),
    actor: request.user.name,
    requestId: request.requestId,
    previous: expected.sequence,
    deleted: event.deleted,
    ...request.provenance,
    ...(admission === undefined ? {} : { admission }),
  })
  return { subject, expected: expected.sequence, payload, headers }
}
