// The past of a resource: from memory while the window reaches back far enough, from the log otherwise. States that were
// put together from the log are kept for a while: a person who looks at a moment asks for it more than once.
import { servedBytes, upgradeStored } from '@shiplog/api/codec'
import { header } from '@shiplog/events/envelope'
import type { LogRecord } from '@shiplog/events/event-log'
import { type ObjectAddress, objectSubject, parseObjectSubject, resourceFilter } from '@shiplog/events/subjects'
import { keyOf, type ResourceTable } from './projection.ts'
import type { Stream } from './streams.ts'
import { noBytes, Version } from './version.ts'

/** The versions of a namespace ('' for all) that were current at a sequence, in key order. The caller has checked that
 * the sequence is not beyond what is applied, and that the log still holds it. */
export async function listAt(
  stream: Stream,
  table: ResourceTable,
  resource: { readonly group: string; readonly resource: string },
  namespace: string,
  sequence: number,
): Promise<readonly Version[]> {
  const { projection } = stream
  if (sequence >= projection.windowFloor) return undoSince(table, namespace, sequence)
  const all = await stateOf(stream, table, resource, sequence)
  return namespace === '' ? all : all.filter((version) => version.namespace === namespace)
}

/** The version of one object that was current at a sequence; the caller has checked the sequence as for `listAt`. */
export async function getAt(
  stream: Stream,
  table: ResourceTable,
  address: ObjectAddress,
  sequence: number,
): Promise<Version | undefined> {
  const key = keyOf(address.namespace, address.name)
  if (sequence >= stream.projection.windowFloor) {
    let version = table.current.get(key)
    while (version && version.sequence > sequence) version = version.previous
    // No version of this life is old enough: the first event after the sequence knows what was before it.
    return version ?? table.since(sequence).find((later) => later.key === key)?.previous
  }
  const record = await stream.log.lastUpTo(objectSubject(address), sequence)
  const version = record && versionOf(record, table.groupResource, undefined)
  return version?.deleted ? undefined : version
}

/** States that were read from the log are kept up to this size, all resources and moments together. */
const statesBytesMax = 64 * 1024 * 1024

interface KeptState {
  readonly versions: Promise<Version[]>
  bytes: number
}

const states = new WeakMap<Stream, Map<string, KeptState>>()

/** All live versions of a resource at a sequence before the window, in key order. */
async function stateOf(
  stream: Stream,
  table: ResourceTable,
  resource: { readonly group: string; readonly resource: string },
  sequence: number,
): Promise<Version[]> {
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
    return await present.versions
  }
  const state: KeptState = { versions: readState(stream, table, resource, sequence), bytes: 0 }
  kept.set(id, state)
  try {
    const versions = await state.versions
    for (const version of versions) state.bytes += version.bytes.length
    let total = 0
    for (const { bytes } of kept.values()) total += bytes
    for (const [oldest, { bytes }] of kept) {
      if (total <= statesBytesMax) break
      kept.delete(oldest)
      total -= bytes
    }
    return versions
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
): Promise<Version[]> {
  const filter = resourceFilter(resource.group, resource.resource)
  const versions: Version[] = []
  const changed: string[] = []
  for (const version of table.list('')) {
    if (version.sequence <= sequence) versions.push(version)
    else changed.push(objectSubject({ ...resource, namespace: version.namespace, name: version.name }))
  }
  for (const subject of stream.projection.deletedAfter(sequence, filter.slice(0, -1))) changed.push(subject)
  const add = (record: LogRecord | undefined): void => {
    const version = record && versionOf(record, table.groupResource, undefined)
    if (version && !version.deleted) versions.push(version)
  }
  if (changed.length <= lookupsMax) {
    for (let i = 0; i < changed.length; i += lookupsInFlight) {
      const some = changed.slice(i, i + lookupsInFlight)
      for (const record of await Promise.all(some.map((subject) => stream.log.lastUpTo(subject, sequence)))) add(record)
    }
  } else {
    versions.length = 0
    for await (const records of stream.log.stateAt(sequence, [filter])) records.forEach(add)
  }
  return versions.sort(byKey)
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

/** Events of a resource after `from` up to and including `to`, read from the log, each with the version before it. */
export async function* eventsBetween(
  stream: Stream,
  table: ResourceTable,
  resource: { readonly group: string; readonly resource: string },
  from: number,
  to: number,
): AsyncGenerator<Version[]> {
  const last = new Map<string, Version>()
  const subjects = [resourceFilter(resource.group, resource.resource)]
  for await (const records of stream.log.read({ from: from + 1, to, subjects })) {
    const versions: Version[] = []
    for (const record of records) {
      const previousSequence = Number(record.headers[header.previous] ?? 0)
      const address = parseObjectSubject(record.subject)
      if (!address) continue
      const key = keyOf(address.namespace, address.name)
      let previous = last.get(key)
      if (!previous && previousSequence > 0) {
        const before = await stream.log.get(previousSequence)
        if (before) previous = versionOf(before, table.groupResource, undefined)
      }
      const version = versionOf(record, table.groupResource, previous?.deleted ? undefined : previous)
      if (!version) continue
      last.set(key, version)
      versions.push(version)
    }
    yield versions
  }
}

export function versionOf(
  record: LogRecord,
  groupResource: string,
  previous: Version | undefined,
): Version | undefined {
  const address = parseObjectSubject(record.subject)
  if (!address) return undefined
  const deleted = record.headers[header.deleted] === '1' || record.payload.length === 0
  const schema = Number(record.headers[header.schema] ?? 1)
  return new Version({
    key: keyOf(address.namespace, address.name),
    namespace: address.namespace,
    name: address.name,
    sequence: record.sequence,
    timeMs: record.timeMs,
    deleted,
    previousSequence: Number(record.headers[header.previous] ?? 0),
    checksum: record.headers[header.checksum] ?? '',
    bytes:
      record.payload.length > 0
        ? servedBytes(upgradeStored(groupResource, schema, record.payload), record.sequence)
        : noBytes,
    previous,
  })
}
