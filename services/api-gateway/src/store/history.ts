// The past of a resource: from memory while the window reaches back far enough, from the log otherwise. States that were
// put together from the log are kept for a while: a person who looks at a moment asks for it more than once.
import { servedBytes } from '@shiplog/api/codec'
import { ApiError, expired } from '@shiplog/api/status'
import { verifyRecord } from '@shiplog/events/integrity/checksum'
import { header } from '@shiplog/events/envelope'
import type { LogRecord } from '@shiplog/events/event-log'
import { isExpiryMarker } from '@shiplog/events/expiry'
import { type ObjectAddress, objectSubject, resourceFilter } from '@shiplog/events/subjects'
import { endsObject, isObjectRecord, type RecordCodec } from '@shiplog/feed/record-codec'
import { damagedStatus, doubtAt, keyGoneStatus, keyGoneWarning } from '../time-travel/damage.ts'
import { keyOf, type ResourceTable } from './projection.ts'
import type { Stream } from './streams.ts'
import { noBytes, Version } from './version.ts'

/** A state of the past, and what is to be said of it. */
export interface PastState {
  readonly versions: readonly Version[]
  readonly warnings: readonly string[]
}

/** The versions of a namespace ('' for all) that were current at a sequence, in key order. The caller has checked that
 * the sequence is not beyond what is applied, and that the log still holds it. */
export async function listAt(
  stream: Stream,
  table: ResourceTable,
  resource: { readonly group: string; readonly resource: string },
  namespace: string,
  sequence: number,
): Promise<PastState> {
  const { projection } = stream
  if (sequence >= projection.windowFloor)
    return { versions: undoSince(table, namespace, sequence), warnings: [] }
  const { versions, warnings } = await stateOf(stream, table, resource, sequence)
  return { versions: namespace === '' ? versions : versions.filter((one) => one.namespace === namespace), warnings }
}

/** The version of one object that was current at a sequence; the caller has checked the sequence as for `listAt`. */
export async function getAt(
  stream: Stream,
  table: ResourceTable,
  address: ObjectAddress,
  sequence: number,
  warn: (warnings: readonly string[]) => void,
): Promise<Version | undefined> {
  const key = keyOf(address.namespace, address.name)
  if (sequence >= stream.projection.windowFloor) {
    let version = table.current.get(key)
    while (version && version.sequence > sequence) version = version.previous
    // No version of this life is old enough: the first event after the sequence knows what was before it.
    return version ?? table.since(sequence).find((later) => later.key === key)?.previous
  }
  const subject = objectSubject(address)
  const { lost, warnings } = await doubtAt(stream, subject, sequence)
  const damage = lost.get(subject)
  if (damage) throw new ApiError(damagedStatus([damage]))
  warn(warnings)
  const { codec } = stream.projection
  const record = await stream.log.lastUpTo(subject, sequence)
  const opened = record && (await openedOf(codec, record))
  if (opened?.unreadable !== undefined && !isEnd(codec, opened)) throw new ApiError(keyGoneStatus(opened))
  const version = opened && (await versionOf(codec, opened))
  return version?.deleted ? undefined : version
}

/** States that were read from the log are kept up to this size, all resources and moments together. */
const statesBytesMax = 64 * 1024 * 1024

interface KeptState {
  readonly state: Promise<PastState>
  bytes: number
}

const states = new WeakMap<Stream, Map<string, KeptState>>()

/** All live versions of a resource at a sequence before the window, in key order. */
async function stateOf(
  stream: Stream,
  table: ResourceTable,
  resource: { readonly group: string; readonly resource: string },
  sequence: number,
): Promise<PastState> {
  let kept = states.get(stream)
  if (!kept) {
    kept = new Map()
    states.set(stream, kept)
  }
  const id = `${table.groupResource}@${sequence}`
  const present = kept.get(id)
  if (present) {
    kept.delete(id)
    kept.set(id, present)
    return await present.state
  }
  const state: KeptState = { state: readState(stream, table, resource, sequence), bytes: 0 }
  kept.set(id, state)
  try {
    const read = await state.state
    for (const version of read.versions) state.bytes += version.bytes.length
    // What is said before the inspection is done is not said for good.
    if (stream.inspection?.state === 'reading') kept.delete(id)
    let total = 0
    for (const { bytes } of kept.values()) total += bytes
    for (const [oldest, { bytes }] of kept) {
      if (total <= statesBytesMax) break
      kept.delete(oldest)
      total -= bytes
    }
    return read
  } catch (error) {
    kept.delete(id)
    throw error
  }
}

/** Most objects that are looked up one by one; beyond, the log is asked for the state as a whole. */
const lookupsMax = 512
const lookupsInFlight = 64

/** What has not changed since is taken from memory; only what has, or is gone, is asked of the log. */
async function readState(
  stream: Stream,
  table: ResourceTable,
  resource: { readonly group: string; readonly resource: string },
  sequence: number,
): Promise<PastState> {
  const filter = resourceFilter(resource.group, resource.resource)
  const { lost, warnings } = await doubtAt(stream, filter, sequence)
  const { codec } = stream.projection
  const versions: Version[] = []
  /** What they held cannot be told any more. */
  const gone: LogRecord[] = []
  const changed: string[] = []
  for (const version of table.list('')) {
    if (version.sequence <= sequence) versions.push(version)
    else changed.push(objectSubject({ ...resource, namespace: version.namespace, name: version.name }))
  }
  for (const subject of stream.projection.deletedAfter(sequence, filter.slice(0, -1))) changed.push(subject)
  const add = async (records: readonly (LogRecord | undefined)[]): Promise<void> => {
    for (const record of records) {
      if (record === undefined || lost.has(record.subject) || isEnd(codec, record)) continue
      const opened = await openedOf(codec, record)
      if (opened.unreadable !== undefined) gone.push(opened)
      else {
        const version = await versionOf(codec, opened)
        if (version) versions.push(version)
      }
    }
  }
  if (changed.length <= lookupsMax && stream.projection.remembersDeletionsAfter(sequence)) {
    for (let i = 0; i < changed.length; i += lookupsInFlight) {
      const some = changed.slice(i, i + lookupsInFlight)
      await add(await Promise.all(some.map((subject) => stream.log.lastUpTo(subject, sequence))))
    }
  } else {
    versions.length = 0
    for await (const records of stream.log.stateAt(sequence, [filter])) await add(records)
  }
  return { versions: versions.sort(byKey), warnings: gone.length > 0 ? [...warnings, keyGoneWarning(gone)] : warnings }
}

/** Forgets the states of the past that were read: a key was destroyed, and they may hold what it kept. */
export const forgetStates = (stream: Stream): boolean => states.delete(stream)

/** True for the end of an object: what it was is not asked for. */
function isEnd(codec: RecordCodec, record: LogRecord): boolean {
  const decoded = codec.decode(record)
  return isObjectRecord(decoded) && endsObject(decoded)
}

/** The record with what it says; a reader of the past does not wait for a key. */
async function openedOf(codec: RecordCodec, record: LogRecord): Promise<LogRecord> {
  const opened = codec.open([record], false)
  return (opened instanceof Promise ? await opened : opened)[0]!
}

/** The present, with every event after `sequence` taken back, newest first. */
function undoSince(table: ResourceTable, namespace: string, sequence: number): readonly Version[] {
  const present = table.list(namespace)
  const later = table.since(sequence)
  if (later.length === 0) return present
  const changed = new Map<string, Version | undefined>()
  for (let i = later.length - 1; i >= 0; i--) {
    const version = later[i]!
    if (namespace === '' || version.namespace === namespace) changed.set(version.key, version.previous)
  }
  const past = present.filter((version) => !changed.has(version.key))
  for (const version of changed.values()) if (version) past.push(version)
  return past.sort(byKey)
}

const byKey = (a: Version, b: Version): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)

/**
 * Events of a resource after `from` up to and including `to`, read from the log, each with the version before it. Where
 * an event is damaged or missing the answer is 410, as for events that were forgotten: whoever watches lists again.
 */
export async function* eventsBetween(
  stream: Stream,
  resource: { readonly group: string; readonly resource: string },
  from: number,
  to: number,
): AsyncGenerator<Version[]> {
  const { codec } = stream.projection
  const last = new Map<string, Version>()
  const subjects = [resourceFilter(resource.group, resource.resource)]
  for await (const records of stream.log.read({ from: from + 1, to, subjects })) {
    const versions: Version[] = []
    for (const record of records) {
      const previousSequence = Number(record.headers[header.previous] ?? 0)
      if (!isWhole(record)) throw lostEvent(record.sequence)
      const opened = await openedOf(codec, record)
      if (opened.unreadable !== undefined) throw new ApiError(keyGoneStatus(opened))
      let previous = last.get(record.subject)
      // What it follows lies in the range and did not come.
      if (previousSequence > from && previous?.sequence !== previousSequence) throw lostEvent(previousSequence)
      if (!previous && previousSequence > 0) {
        const before = await stream.log.get(previousSequence)
        if (before && !isWhole(before)) throw lostEvent(previousSequence)
        if (before) previous = await versionOf(codec, before)
      }
      const version = await versionOf(codec, opened, previous?.deleted ? undefined : previous)
      if (!version) continue
      last.set(record.subject, version)
      versions.push(version)
    }
    yield versions
  }
}

function isWhole(record: LogRecord): boolean {
  try {
    if (!isExpiryMarker(record)) verifyRecord(record)
    return true
  } catch {
    return false
  }
}

const lostEvent = (sequence: number): ApiError =>
  new ApiError(expired(`the log is damaged: its record at sequence ${sequence} cannot be read`))

/** The version that a record tells of; undefined for records of no object. */
export async function versionOf(
  codec: RecordCodec,
  record: LogRecord,
  previous?: Version,
): Promise<Version | undefined> {
  const opened = await openedOf(codec, record)
  const decoded = codec.decode(opened)
  if (!isObjectRecord(decoded)) return undefined
  if (opened.unreadable !== undefined) throw new ApiError(keyGoneStatus(opened))
  const { namespace, name } = decoded.address
  const stored = codec.stored(decoded)
  return new Version({
    key: keyOf(namespace, name),
    namespace,
    name,
    sequence: record.sequence,
    timeMs: record.timeMs,
    deleted: endsObject(decoded),
    previousSequence: Number(record.headers[header.previous] ?? 0),
    checksum: record.headers[header.checksum] ?? '',
    bytes: stored ? servedBytes(stored, record.sequence) : noBytes,
    previous,
  })
}
