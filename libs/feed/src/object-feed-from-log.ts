// The object feed over a ClusterLog: one follow per stream for the whole process, one parse per event for all consumers.
// The present objects are kept by reference, so a consumer that comes later starts from memory.
import type { KubeObject } from '@shiplog/api/kube-object'
import { batchOf, header } from '@shiplog/events/envelope'
import { type EventLog, type LogRecord, LogUnavailable } from '@shiplog/events/event-log'
import { type FeedBatch, isWanted, type ObjectChange, type ObjectFeed } from './object-feed.ts'
import { endsObject, isObjectRecord, type ObjectRecord, type RecordCodec, recordCodec } from './record-codec.ts'
import { storedAs, type StreamName, streamOf } from './stream-of.ts'

/** Most changes that wait for one consumer; a slower one is told so and has to begin again. */
const waitingChangesMax = 200_000

export interface ObjectFeedOptions {
  readonly waitingChangesMax?: number
  /** Reads the records; that of this build by default. */
  readonly codec?: RecordCodec
}

/** The feed's own handle: `stop` ends the shared follows and all consumers. */
export interface LogObjectFeed extends ObjectFeed {
  stop(): void
}

/** One event, parsed when the first consumer asks, for all of them. */
class Entry {
  readonly groupResource: string
  #decoded: ObjectRecord | undefined
  readonly #codec: RecordCodec
  #change: ObjectChange | undefined

  constructor(decoded: ObjectRecord, codec: RecordCodec, change?: ObjectChange) {
    this.#decoded = decoded
    this.#codec = codec
    this.groupResource = decoded.groupResource
    this.#change = change
  }

  get change(): ObjectChange {
    if (this.#change === undefined) {
      const decoded = this.#decoded!
      this.#change = changeOf(decoded, this.#codec.leanObject(decoded)!)
      this.#decoded = undefined
    }
    return this.#change
  }
}

const changeOf = (decoded: ObjectRecord, object: KubeObject): ObjectChange => ({
  ...decoded.address,
  groupResource: decoded.groupResource,
  sequence: decoded.record.sequence,
  timeMs: decoded.record.timeMs,
  type: decoded.record.headers[header.type] ?? '',
  deleted: endsObject(decoded),
  object,
})

/** What a source tells its consumers: complete batches, and how far the stream has been handed over. */
interface Listener {
  readonly wants: ReadonlySet<string>
  deliver(changes: readonly Entry[], sequence: number): void
  fail(error: unknown): void
}

/** One stream, followed once. */
interface Source {
  /** Resolves when the snapshot is complete. */
  readonly ready: Promise<void>
  readonly sequence: number
  /** Resources of which it has seen an object. */
  resources(): Iterable<string>
  /** Live objects of a resource. */
  present(groupResource: string): Iterable<Entry>
  readonly listeners: Set<Listener>
}

function startSource(log: Pick<EventLog, 'follow'>, codec: RecordCodec, signal: AbortSignal, onEnd: () => void): Source {
  const present = new Map<string, Map<string, Entry>>()
  const listeners = new Set<Listener>()
  let sequence = 0
  let synced = false
  let settle: { resolve(): void; reject(error: unknown): void } = { resolve: () => undefined, reject: () => undefined }
  const ready = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  ready.catch(() => undefined)

  const apply = (record: LogRecord): Entry | undefined => {
    const decoded = codec.decode(record)
    if (!isObjectRecord(decoded)) return undefined
    let objects = present.get(decoded.groupResource)
    if (objects === undefined) {
      objects = new Map()
      present.set(decoded.groupResource, objects)
    }
    if (!endsObject(decoded)) {
      const entry = new Entry(decoded, codec)
      objects.set(record.subject, entry)
      return entry
    }
    const known = objects.get(record.subject)
    objects.delete(record.subject)
    // Without its key a deletion says nothing of what was deleted.
    if (decoded.kind === 'deletion' && record.unreadable === undefined) return new Entry(decoded, codec)
    return known && new Entry(decoded, codec, changeOf(decoded, known.change.object))
  }

  const run = async (): Promise<void> => {
    /** Members of a batch whose end has not come yet. */
    let open: LogRecord[] = []
    let openId = ''
    for await (const stored of log.follow({ subjects: ['>'], signal })) {
      const opened = codec.open(stored)
      const records = opened instanceof Promise ? await opened : opened
      if (!synced) {
        if (records.length > 0) {
          for (const record of records) apply(record)
          sequence = records.at(-1)!.sequence
        } else {
          synced = true
          settle.resolve()
        }
        continue
      }
      const changes: Entry[] = []
      const take = (record: LogRecord): void => {
        const entry = apply(record)
        if (entry) changes.push(entry)
        sequence = record.sequence
      }
      for (const record of records) {
        const batch = batchOf(record.headers)
        if (open.length > 0 && batch?.id !== openId) {
          open.forEach(take)
          open = []
        }
        if (batch && batch.index < batch.size) {
          open.push(record)
          openId = batch.id
        } else {
          open.forEach(take)
          open = []
          take(record)
        }
      }
      for (const listener of listeners) listener.deliver(changes, sequence)
    }
  }

  const end = (error: unknown): void => {
    onEnd()
    settle.reject(error)
    for (const listener of listeners) listener.fail(error)
  }
  run().then(() => end(new LogUnavailable('The log is closed', { ambiguous: false })), end)

  return {
    ready,
    get sequence() {
      return sequence
    },
    resources: () => present.keys(),
    present: (groupResource) => present.get(groupResource)?.values() ?? [],
    listeners,
  }
}

/** What a feed asks of a log. */
export type FollowedLog = { readonly [Name in StreamName]: Pick<EventLog, 'follow'> }

/** Creates the feed of a process. Follows start when the first consumer needs them. */
export function createObjectFeed(log: FollowedLog, options: ObjectFeedOptions = {}): LogObjectFeed {
  const bound = options.waitingChangesMax ?? waitingChangesMax
  const codec = options.codec ?? recordCodec
  const stopping = new AbortController()
  const sources = new Map<StreamName, Source>()

  const sourceOf = (name: StreamName): Source => {
    let source = sources.get(name)
    if (source === undefined) {
      source = startSource(log[name], codec, stopping.signal, () => sources.delete(name))
      sources.set(name, source)
    }
    return source
  }

  async function* follow(groupResources: readonly string[], signal: AbortSignal): AsyncIterable<FeedBatch> {
    const wants = new Set(groupResources.map(storedAs))
    const names = [...new Set(groupResources.map(streamOf))]
    const followed = names.map((name) => ({ name, source: sourceOf(name) }))
    let waiting: Entry[] = []
    let sequence = 0
    let failure: { readonly error: unknown } | undefined
    let dirty = false
    let wake = (): void => undefined
    const onAbort = (): void => wake()
    signal.addEventListener('abort', onAbort)
    const attached: (() => void)[] = []
    const attach = (name: StreamName, source: Source): void => {
      const listener: Listener = {
        wants,
        deliver: (changes, through) => {
          for (const entry of changes) if (isWanted(wants, entry.groupResource)) waiting.push(entry)
          if (name === 'events') sequence = through
          if (waiting.length > bound) {
            failure ??= { error: new LogUnavailable('A consumer of the object feed is too slow', { ambiguous: false }) }
          }
          dirty = true
          wake()
        },
        fail: (error) => {
          failure ??= { error }
          wake()
        },
      }
      source.listeners.add(listener)
      attached.push(() => source.listeners.delete(listener))
    }
    try {
      const aborted = new Promise<void>((resolve) => {
        wake = resolve
      })
      await Promise.race([Promise.all(followed.map(({ source }) => source.ready)), aborted])
      if (signal.aborted) return
      // No await from here to the first yield's value: presence and changes to come meet without a seam.
      for (const { name, source } of followed) {
        for (const groupResource of source.resources())
          if (isWanted(wants, groupResource)) for (const entry of source.present(groupResource)) waiting.push(entry)
        if (name === 'events') sequence = source.sequence
        attach(name, source)
      }
      dirty = true
      while (!signal.aborted) {
        if (failure) throw failure.error
        if (dirty) {
          const entries = waiting
          waiting = []
          dirty = false
          yield { changes: entries.map((entry) => entry.change), sequence, synced: true }
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      for (const detach of attached) detach()
    }
  }

  return { follow, stop: () => stopping.abort() }
}
