// The gateway's projection of one stream: the present version of every object as ready-to-serve bytes, the recent past
// (a window of events in order, each linked to the version before it), guards, and who waits for what. It is folded from
// the log alone, batch by batch, and can be thrown away at any moment.
import { servedBytes } from '@shiplog/api/codec'
import { patiently } from '@shiplog/events/commit/patience'
import { batchOf, header } from '@shiplog/events/envelope'
import type { EventLog, LogRecord } from '@shiplog/events/event-log'
import { endsObject, isObjectRecord, type ObjectRecord, type OtherRecord, type RecordCodec, recordCodec } from '@shiplog/feed/record-codec'
import type { Clock } from '@shiplog/runtime/clock'
import { carriesClaim, claimsRemembered, type GuardRecord } from '@shiplog/domain/write/rounds'
import { framings, noBytes, Version } from './version.ts'

const noRecords: readonly GuardRecord[] = []

/** How much of the recent past is kept in memory. */
export interface HistoryLimits {
  readonly events: number
  readonly bytes: number
}

/** Past this, older versions are read from the log. */
const historyLimits: HistoryLimits = { events: 50_000, bytes: 64 * 1024 * 1024 }
/** Deleted subjects that are remembered, about 300 bytes each: past this, the log is asked what a subject's last record is. */
export const tombstonesMax = 50_000
/** Lists of one table that are kept until its next change. */
const listsMax = 64
/** How long a read waits for the projection to reach the log's end before it answers 504. */
export const catchUpTimeoutMs = 3_000

/** A guard as the projection knows it: its last record. */
export interface GuardState extends GuardRecord {
  readonly checksum: string
  /** The uid that holds it, '' when it was released; or what rounds.ts says. */
  readonly holder: string
  /** The last records that carry claims, this one last. */
  readonly recent: readonly GuardRecord[]
}

/** What compare-and-set and the checksum chain need to know of a subject's last record. */
export interface SubjectState {
  readonly sequence: number
  readonly checksum: string
}

export type ChangeListener = (changes: readonly Version[], appliedSequence: number) => void

export const keyOf = (namespace: string, name: string): string => (namespace === '' ? name : `${namespace}/${name}`)

/** All objects of one resource. */
export class ResourceTable {
  readonly groupResource: string
  readonly current = new Map<string, Version>()
  /** Keys of `current`, sorted; sorted lazily after bulk loads. */
  #keys: string[] = []
  #sorted = true
  /** Events of the window, oldest first. `#start` is the index of the first one still kept. */
  #history: Version[] = []
  #start = 0
  /** What was listed since the last change, by namespace: admission and clients ask for the same lists over and over. */
  readonly #listed = new Map<string, readonly Version[]>()
  readonly listeners = new Set<ChangeListener>()

  constructor(groupResource: string) {
    this.groupResource = groupResource
  }

  /** Clearing an empty map would allocate on every write. */
  #changed(): void {
    if (this.#listed.size > 0) this.#listed.clear()
  }

  put(version: Version): void {
    const before = this.current.size
    this.current.set(version.key, version)
    if (this.current.size > before) this.#addKey(version.key)
    this.#changed()
  }

  #addKey(key: string): void {
    const keys = this.#keys
    if (!this.#sorted || keys.length === 0 || key > keys[keys.length - 1]!) keys.push(key)
    else keys.splice(lowerBound(keys, key), 0, key)
  }

  remove(key: string): void {
    if (!this.current.delete(key)) return
    this.#changed()
    const at = lowerBound(this.keys(), key)
    this.#keys.splice(at, 1)
  }

  /** While many keys arrive in any order, sorting is put off to the first read. */
  deferSorting(): void {
    this.#sorted = false
  }

  keys(): readonly string[] {
    if (!this.#sorted) {
      this.#keys.sort()
      this.#sorted = true
    }
    return this.#keys
  }

  /** Versions of a namespace ('' for all), in key order. Shared with whoever asks for the same before the next change. */
  list(namespace: string): readonly Version[] {
    const known = this.#listed.get(namespace)
    if (known) return known
    const keys = this.keys()
    const [from, to] =
      namespace === '' ? [0, keys.length] : [lowerBound(keys, `${namespace}/`), lowerBound(keys, `${namespace}0`)]
    const versions: Version[] = Array.from({ length: to - from })
    for (let i = from; i < to; i++) versions[i - from] = this.current.get(keys[i]!)!
    if (this.#listed.size >= listsMax) this.#listed.clear()
    this.#listed.set(namespace, versions)
    return versions
  }

  remember(version: Version): void {
    this.#history.push(version)
  }

  /** Events after a sequence that are still in memory, oldest first. */
  since(sequence: number): readonly Version[] {
    let low = this.#start
    let high = this.#history.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#history[middle]!.sequence <= sequence) low = middle + 1
      else high = middle
    }
    return low === this.#start && this.#start === 0 ? this.#history : this.#history.slice(low)
  }

  /** Drops events up to and including a sequence from the window. */
  forget(sequence: number): void {
    while (this.#start < this.#history.length && this.#history[this.#start]!.sequence <= sequence) {
      this.#history[this.#start]!.previous = undefined
      this.#start++
    }
    if (this.#start > 1_024 && this.#start * 2 > this.#history.length) {
      this.#history = this.#history.slice(this.#start)
      this.#start = 0
    }
  }
}

export interface ProjectionOptions {
  readonly clock: Clock
  readonly codec?: RecordCodec
  readonly tombstonesMax?: number
  readonly history?: HistoryLimits
}

export class StreamProjection {
  readonly log: EventLog
  readonly codec: RecordCodec
  /** Everything up to here has been applied. */
  applied = 0
  /** Events after this sequence are all in memory. */
  windowFloor = 0
  /** True once the initial snapshot is complete. */
  synced = false
  /** Why the projection stopped following, when it did. */
  failure: Error | undefined
  readonly #clock: Clock
  readonly #tombstonesMax: number
  readonly #history: HistoryLimits
  readonly #tables = new Map<string, ResourceTable>()
  /** In the order of their sequences. */
  readonly #tombstones = new Map<string, SubjectState>()
  /** Deletions after this sequence are all remembered. */
  #tombstonesFloor = 0
  readonly #guards = new Map<string, GuardState>()
  readonly #waiters: { sequence: number; resolve: () => void }[] = []
  readonly #window: { version: Version; table: ResourceTable }[] = []
  #windowStart = 0
  #windowBytes = 0
  #batch: LogRecord[] = []
  #settled = Promise.withResolvers<void>()

  constructor(log: EventLog, options: ProjectionOptions) {
    this.log = log
    this.codec = options.codec ?? recordCodec
    this.#clock = options.clock
    this.#tombstonesMax = options.tombstonesMax ?? tombstonesMax
    this.#history = options.history ?? historyLimits
  }

  /** Follows the log until the signal aborts. Resolves when the snapshot is complete. */
  async start(signal: AbortSignal): Promise<void> {
    void this.#run(signal)
    await this.#settled.promise
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      // Its newest record may be gone (expired, forgotten, or left out by a restore): the snapshot holds all up to here.
      const end = await patiently(this.#clock, () => this.log.lastSequence(), signal)
      for await (const stored of this.log.follow({ subjects: ['>'], signal })) {
        const opened = this.codec.open(stored)
        const records = opened instanceof Promise ? await opened : opened
        if (this.synced) {
          this.#apply(records)
        } else if (records.length === 0) {
          this.applied = Math.max(this.applied, end)
          this.#completeSnapshot()
        } else {
          for (const record of records) this.#applyToSnapshot(record)
        }
      }
      if (!signal.aborted) throw new Error('the log ended its stream')
    } catch (error) {
      if (signal.aborted) return
      this.failure = error as Error
      this.#settled.reject(error)
    }
  }

  table(groupResource: string): ResourceTable {
    let table = this.#tables.get(groupResource)
    if (!table) {
      table = new ResourceTable(groupResource)
      if (!this.synced) table.deferSorting()
      this.#tables.set(groupResource, table)
    }
    return table
  }

  tables(): IterableIterator<ResourceTable> {
    return this.#tables.values()
  }

  guard(subject: string): GuardState | undefined {
    return this.#guards.get(subject)
  }

  /** The last record of a subject whose object is gone; undefined when it was never used, or deleted too long ago. */
  tombstone(subject: string): SubjectState | undefined {
    return this.#tombstones.get(subject)
  }

  /** The log has forgotten a subject whole: what was known of its last record says nothing any more. */
  forgetSubject(subject: string): void {
    this.#tombstones.delete(subject)
    this.#guards.delete(subject)
  }

  /** Takes up again what the log says of a subject whose object was deleted too long ago to be remembered. */
  recallTombstone(record: LogRecord): void {
    const decoded = this.codec.decode(record)
    if (!isObjectRecord(decoded) || !endsObject(decoded)) return
    const { namespace, name } = decoded.address
    // Made anew since the log was asked: what the projection has is newer.
    if (!this.table(decoded.groupResource).current.has(keyOf(namespace, name))) this.#bury(record)
  }

  #bury({ subject, sequence, headers }: LogRecord): void {
    this.#tombstones.delete(subject)
    this.#tombstones.set(subject, { sequence, checksum: headers[header.checksum] ?? '' })
    if (this.#tombstones.size <= this.#tombstonesMax) return
    const [oldest, state] = this.#tombstones.entries().next().value!
    this.#tombstones.delete(oldest)
    this.#tombstonesFloor = Math.max(this.#tombstonesFloor, state.sequence)
  }

  /** True when `deletedAfter` names all that were deleted after this sequence. */
  remembersDeletionsAfter(sequence: number): boolean {
    return sequence >= this.#tombstonesFloor
  }

  /** Subjects with this prefix whose object was deleted after a sequence and is still gone. */
  *deletedAfter(sequence: number, prefix: string): Generator<string> {
    for (const [subject, state] of this.#tombstones) {
      if (state.sequence > sequence && subject.startsWith(prefix)) yield subject
    }
  }

  /** Resolves true when everything up to `sequence` is applied, false when that took too long. */
  async waitFor(sequence: number, timeoutMs = catchUpTimeoutMs): Promise<boolean> {
    if (this.applied >= sequence) return true
    if (this.failure) return false
    const reached = Promise.withResolvers<boolean>()
    const waiter = { sequence, resolve: () => reached.resolve(true) }
    this.#waiters.push(waiter)
    using _timer = this.#clock.after(timeoutMs, () => {
      const at = this.#waiters.indexOf(waiter)
      if (at >= 0) this.#waiters.splice(at, 1)
      reached.resolve(false)
    })
    return await reached.promise
  }

  /** A linearizable read's barrier: every write acknowledged before the call is applied when it resolves true. */
  async barrier(): Promise<boolean> {
    const last = await this.log.lastSequence()
    return this.applied >= last || (await this.waitFor(last))
  }

  #applyToSnapshot(record: LogRecord): void {
    this.applied = Math.max(this.applied, record.sequence)
    const decoded = this.codec.decode(record)
    if (!isObjectRecord(decoded)) {
      this.#applyOther(decoded)
      return
    }
    const table = this.table(decoded.groupResource)
    // A log that is written to while it is read may name a subject again: what it was before counts no more.
    if (endsObject(decoded)) {
      table.remove(keyOf(decoded.address.namespace, decoded.address.name))
      this.#bury(record)
      return
    }
    this.#tombstones.delete(record.subject)
    table.put(this.#snapshotVersion(decoded))
  }

  /** The version of an object that is there at the start: nobody has asked for its bytes yet, and there is none before it. */
  #snapshotVersion(decoded: ObjectRecord): Version {
    const { namespace, name } = decoded.address
    const { sequence, timeMs, headers } = decoded.record
    const stored = this.codec.stored(decoded)!
    return new Version({
      key: keyOf(namespace, name),
      namespace,
      name,
      sequence,
      timeMs,
      deleted: false,
      previousSequence: Number(headers[header.previous] ?? 0),
      checksum: headers[header.checksum] ?? '',
      bytes: () => servedBytes(stored, sequence, framings.ADDED),
      previous: undefined,
      framed: 'ADDED',
    })
  }

  #completeSnapshot(): void {
    for (const table of this.#tables.values()) table.keys()
    this.windowFloor = this.applied
    this.synced = true
    this.#settled.resolve()
  }

  #apply(records: readonly LogRecord[]): void {
    const changes = new Map<ResourceTable, Version[]>()
    for (const record of records) {
      const place = batchOf(record.headers)
      if (!place || place.size === 1) {
        this.#applyRecord(record, changes)
        this.applied = record.sequence
        continue
      }
      // A batch is one change: nothing of it is visible before its last member is here.
      this.#batch.push(record)
      if (place.index < place.size) continue
      for (const member of this.#batch) this.#applyRecord(member, changes)
      this.applied = record.sequence
      this.#batch = []
    }
    this.#trimWindow()
    for (const [table, versions] of changes) {
      for (const listener of table.listeners) listener(versions, this.applied)
    }
    this.#wake()
  }

  #applyRecord(record: LogRecord, changes: Map<ResourceTable, Version[]>): void {
    const decoded = this.codec.decode(record)
    if (!isObjectRecord(decoded)) {
      this.#applyOther(decoded)
      return
    }
    const table = this.table(decoded.groupResource)
    const version = this.#version(decoded, table)
    if (version.deleted) {
      const known = table.current.has(version.key)
      table.remove(version.key)
      this.#bury(record)
      // An expiry marker of something unknown says nothing new.
      if (!known) return
    } else {
      table.put(version)
      this.#tombstones.delete(record.subject)
    }
    table.remember(version)
    this.#window.push({ version, table })
    this.#windowBytes += version.bytes.length
    const list = changes.get(table)
    if (list) list.push(version)
    else changes.set(table, [version])
  }

  #applyOther({ kind, record }: OtherRecord): void {
    if (kind !== 'guard') return
    const held: GuardRecord = {
      sequence: record.sequence,
      previous: Number(record.headers[header.previous] ?? 0),
      holder: Buffer.from(record.payload).toString('utf8'),
    }
    const recent = carriesClaim(held.holder)
      ? [...(this.#guards.get(record.subject)?.recent ?? noRecords).slice(1 - claimsRemembered), held]
      : noRecords
    this.#guards.set(record.subject, { ...held, checksum: record.headers[header.checksum] ?? '', recent })
  }

  #version(decoded: ObjectRecord, table: ResourceTable): Version {
    const { namespace, name } = decoded.address
    const { record } = decoded
    const key = keyOf(namespace, name)
    const deleted = endsObject(decoded)
    const previous = table.current.get(key)
    // Its key may have been destroyed while this gateway was behind: the version before says what was deleted.
    const stored = deleted && record.unreadable !== undefined ? undefined : this.codec.stored(decoded)
    const framed = deleted ? 'DELETED' : previous ? 'MODIFIED' : 'ADDED'
    const bytes =
      stored !== undefined
        ? servedBytes(stored, record.sequence, framings[framed])
        : previous
          ? servedBytes(stripVersion(previous), record.sequence, framings[framed])
          : noBytes
    return new Version({
      key,
      namespace,
      name,
      sequence: record.sequence,
      timeMs: record.timeMs,
      deleted,
      previousSequence: Number(record.headers[header.previous] ?? 0),
      checksum: record.headers[header.checksum] ?? '',
      bytes,
      previous,
      ...(bytes === noBytes ? {} : { framed }),
    })
  }

  /** Drops the recent past from memory: older versions are read from the log from now on. */
  forgetPast(): void {
    for (let at = this.#windowStart; at < this.#window.length; at++) {
      const { version, table } = this.#window[at]!
      table.forget(version.sequence)
    }
    this.#window.length = 0
    this.#windowStart = 0
    this.#windowBytes = 0
    this.windowFloor = Math.max(this.windowFloor, this.applied)
  }

  #trimWindow(): void {
    let floor = 0
    while (this.#window.length - this.#windowStart > this.#history.events || this.#windowBytes > this.#history.bytes) {
      const oldest = this.#window[this.#windowStart]!
      this.#window[this.#windowStart++] = undefined as never
      this.#windowBytes -= oldest.version.bytes.length
      oldest.table.forget(oldest.version.sequence)
      floor = oldest.version.sequence
    }
    if (floor > 0) this.windowFloor = floor
    if (this.#windowStart > 8_192 && this.#windowStart * 2 > this.#window.length) {
      this.#window.splice(0, this.#windowStart)
      this.#windowStart = 0
    }
  }

  #wake(): void {
    if (this.#waiters.length === 0) return
    let kept = 0
    for (const waiter of this.#waiters) {
      if (waiter.sequence <= this.applied) waiter.resolve()
      else this.#waiters[kept++] = waiter
    }
    this.#waiters.length = kept
  }
}

/** The stored form of a version: used when an expiry marker brings no payload of its own. */
const stripVersion = (version: Version): Buffer => {
  const marker = `"resourceVersion":"${version.sequence}",`
  const at = version.bytes.indexOf(marker)
  return Buffer.concat([version.bytes.subarray(0, at), version.bytes.subarray(at + marker.length)])
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}
