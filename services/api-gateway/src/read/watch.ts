// Watches. A watcher first catches up at its own pace (from the log, then from memory), then joins the class of all
// watchers that want the same frames: each change is encoded once per class and told to every member (watch-class.ts).
import { oldestWholeSequence } from '@shiplog/events/history/history'
import type { Clock } from '@shiplog/runtime/clock'
import { ApiError, expired, versionTooLarge, versionTooOld } from '@shiplog/api/status'
import { followConverted } from '../conversion/converted-watch.ts'
import type { ShownVersions } from './reader.ts'
import type { ListOptions } from '../request/list-options.ts'
import { createOutgoing, type Outgoing } from './outgoing.ts'
import { eventsBetween } from '../store/history.ts'
import type { Presenter } from '../representation/presenter.ts'
import type { ResourceTable } from '../store/projection.ts'
import type { Selection } from '../request/selection.ts'
import type { Stream } from '../store/streams.ts'
import { type Version, withResourceVersion } from '../store/version.ts'
import { createMemberClass, type Member, type MemberClass } from './watch-class.ts'

/** Where frames go: an HTTP response, or a test. */
export interface FrameSink {
  /** False when the sink's buffer is full; the frames are taken all the same. */
  write(bytes: Buffer): boolean
  /** Resolves when the buffer has drained, or the sink closed. */
  drained(): Promise<void>
  /** Bytes that wait in the buffer. */
  readonly buffered: number
  end(): void
  /** Cuts the connection: the client was too slow. */
  destroy(): void
  readonly closed: AbortSignal
  /** A stream of bytes, which does not mind where they are cut; others get whole frames. */
  readonly mayCutFrames?: boolean
}

export const bookmarkIntervalMs = 60_000
/** Without timeoutSeconds a watch ends after 30 to 60 minutes, as upstream's --min-request-timeout. */
export const watchTimeoutMsMin = 1_800_000

/** A watcher whose time is over, or that is ended, gets this long to take what it has not been handed. */
const endGraceMs = 1_000
/** What a new watcher may hold while it catches up: what is handed to its socket and what lies there already. */
const catchUpBytes = 256 * 1024
/** Of fewer objects the bytes are counted. */
const countedObjectsMax = 64
/** Events of the window that are looked at before the event loop turns. */
const framedAtOnceMax = 2_048
/** What a page of the log takes, and about how much an event of it. */
const logPageBytes = 4 * 1024 * 1024
const logEventBytes = 2 * 1024

interface WatchClass {
  readonly selection: Selection
  readonly presenter: Presenter
  readonly members: MemberClass
  readonly sent?: EventCounter | undefined
  /** Those who asked for bookmarks. */
  readonly bookmarked: Set<Member>
}

/** Counts events that are sent to watchers. */
interface EventCounter {
  inc(by?: number): void
}

export interface WatchRequest {
  readonly stream: Stream
  readonly table: ResourceTable
  readonly resource: { readonly group: string; readonly resource: string }
  readonly selection: Selection
  readonly presenter: Presenter
  readonly options: ListOptions
  readonly sink: FrameSink
  readonly sent?: EventCounter
  /** What `admit` gave; given back when the watcher has caught up. */
  readonly room?: Disposable
  /** Ends the watch: its kind is not what it was. */
  readonly until?: AbortSignal
  /** Has versions converted; absent where they are shown as they are. */
  readonly shown?: ShownVersions
}

export interface WatchHub {
  /** Before the answer begins: room for what the watcher must be told first; throws 429 when there is none. */
  admit(user: string, request: Pick<WatchRequest, 'stream' | 'table' | 'selection' | 'options'>): Promise<Disposable>
  /** Serves one watch until it ends. The answer's headers have been sent. */
  serve(request: WatchRequest): Promise<void>
  /** Ends all watches: their clients resume elsewhere. */
  close(): void
  readonly watchers: number
}

/** Frames of a change for one selection: a watcher sees an object enter and leave what it selected. */
export function framesFor(selection: Selection, presenter: Presenter, version: Version): Buffer | undefined {
  if (selection.namespace !== '' && version.namespace !== selection.namespace) return undefined
  if (version.deleted) {
    if (version.bytes.length === 0) return undefined
    return selection.everything || selection.matches(version.previous ?? version)
      ? presenter.frame('DELETED', version)
      : undefined
  }
  const before = version.previous
  if (selection.everything) return presenter.frame(before ? 'MODIFIED' : 'ADDED', version)
  const was = before ? selection.matches(before) : false
  const is = selection.matches(version)
  if (is) return presenter.frame(was ? 'MODIFIED' : 'ADDED', version)
  return was ? presenter.frame('DELETED', version, withResourceVersion(before!, version.sequence)) : undefined
}

/** Takes frames as they are made and gives them out in pieces of about the size that is right at the moment. */
export function piecesOfFrames(
  frames: Iterator<Buffer>,
  outgoing: Outgoing,
  mayCut: boolean,
): () => Buffer | undefined {
  let rest: Buffer | undefined
  let ended = false
  const one = (): Buffer | undefined => {
    const next = frames.next()
    if (next.done) ended = true
    return next.done ? undefined : next.value
  }
  return () => {
    const max = outgoing.chunkBytes
    const some: Buffer[] = []
    let bytes = 0
    while (bytes < max && !ended) {
      const frame = rest ?? one()
      rest = undefined
      if (!frame) break
      const piece = mayCut && frame.length > max - bytes ? frame.subarray(0, max - bytes) : frame
      if (piece.length < frame.length) rest = frame.subarray(piece.length)
      some.push(piece)
      bytes += piece.length
    }
    if (some.length === 0) return undefined
    return some.length === 1 ? some[0] : Buffer.concat(some, bytes)
  }
}

export function createWatchHub(deps: {
  readonly clock: Clock
  readonly integer: (below: number) => number
  readonly outgoing?: Outgoing
}): WatchHub {
  const { clock, integer } = deps
  const outgoing = deps.outgoing ?? createOutgoing(clock)
  const classes = new Map<ResourceTable, Map<string, WatchClass>>()
  const stopped = new AbortController()
  let watchers = 0

  function classOf(request: WatchRequest): WatchClass {
    const { table, selection, presenter, stream, sent } = request
    let ofTable = classes.get(table)
    if (!ofTable) {
      const created = new Map<string, WatchClass>()
      ofTable = created
      classes.set(table, created)
      table.listeners.add((changes) => dispatch(created, changes))
      clock.every(bookmarkIntervalMs, () => bookmark(created, stream))
    }
    const id = `${presenter.id} ${selection.id}`
    let watchClass = ofTable.get(id)
    if (!watchClass) {
      watchClass = { selection, presenter, sent, members: createMemberClass(outgoing), bookmarked: new Set() }
      ofTable.set(id, watchClass)
    }
    return watchClass
  }

  function dispatch(ofTable: Map<string, WatchClass>, changes: readonly Version[]): void {
    for (const [id, { selection, presenter, members, sent }] of ofTable) {
      if (members.size === 0) {
        ofTable.delete(id)
        continue
      }
      const frames: Buffer[] = []
      for (const version of changes) {
        const frame = framesFor(selection, presenter, version)
        if (frame) frames.push(frame)
      }
      sent?.inc(frames.length * members.size)
      members.tell(frames)
    }
  }

  function bookmark(ofTable: Map<string, WatchClass>, stream: Stream): void {
    for (const { presenter, bookmarked } of ofTable.values()) {
      let frame: Buffer | undefined
      for (const member of bookmarked) {
        frame ??= presenter.bookmark(stream.projection.applied)
        // To one that is behind it would say that it knows what it has not been told yet.
        member.writeBetween(frame)
      }
    }
  }

  async function serve(request: WatchRequest): Promise<void> {
    const { sink, options, presenter, stream, until } = request
    watchers++
    const timeoutMs = options.timeoutSeconds
      ? options.timeoutSeconds * 1_000
      : watchTimeoutMsMin + integer(watchTimeoutMsMin)
    const ended = Promise.withResolvers<'timeout' | 'closed'>()
    const over = new AbortController()
    void ended.promise.then(() => over.abort())
    let member: Member | undefined
    let leave = (): void => undefined
    using _timer = clock.after(timeoutMs, () => {
      // A client that has not even read what there was would be waited for without end.
      if (!member && !request.shown) sink.destroy()
      ended.resolve('timeout')
    })
    const onClose = (): void => ended.resolve('closed')
    sink.closed.addEventListener('abort', onClose, { once: true })
    stopped.signal.addEventListener('abort', onClose, { once: true })
    until?.addEventListener('abort', onClose, { once: true })
    if (until?.aborted) onClose()
    try {
      const { shown } = request
      if (shown) return await followConverted({ request, shown, outgoing, clock, over: over.signal })
      await catchUp(request, outgoing, () => {
        const { members, bookmarked } = classOf(request)
        const joined = members.join(sink)
        member = joined
        if (options.allowWatchBookmarks) bookmarked.add(joined)
        leave = () => {
          joined.leave()
          bookmarked.delete(joined)
        }
        request.room?.[Symbol.dispose]()
      })
      if (!stopped.signal.aborted && !sink.closed.aborted) {
        const how = await ended.promise
        if (member && !sink.closed.aborted && !(await tookAll(member))) return sink.destroy()
        if (how === 'timeout' && options.allowWatchBookmarks)
          member?.writeBetween(presenter.bookmark(stream.projection.applied))
      }
    } catch (error) {
      const status = error instanceof ApiError ? error.status : undefined
      if (!status) throw error
      sink.write(presenter.error(status))
    } finally {
      watchers--
      leave()
      request.room?.[Symbol.dispose]()
      stopped.signal.removeEventListener('abort', onClose)
      sink.end()
    }
  }

  /** A frame that was begun is ended, or its client would read half an object. */
  async function tookAll(member: Member): Promise<boolean> {
    if (member.caughtUp) return true
    const tooLate = Promise.withResolvers<void>()
    using _timer = clock.after(endGraceMs, () => tooLate.resolve())
    await Promise.race([member.untilCaughtUp(), tooLate.promise])
    return member.caughtUp
  }

  return {
    admit: (user, request) => outgoing.admit(user, bytesToCatchUp(request)),
    serve,
    close: () => stopped.abort(),
    get watchers() {
      return watchers
    },
  }
}

/** What a new watcher may hold until it has caught up. */
function bytesToCatchUp(request: Pick<WatchRequest, 'stream' | 'table' | 'selection' | 'options'>): number {
  const { stream, table, selection, options } = request
  const { resourceVersion } = options
  if (options.sendInitialEvents ?? !resourceVersion) {
    const versions = table.list(selection.namespace)
    if (versions.length > countedObjectsMax) return catchUpBytes
    return Math.min(
      catchUpBytes,
      versions.reduce((bytes, version) => bytes + version.bytes.length, 0),
    )
  }
  const missed = stream.projection.windowFloor - (resourceVersion ?? stream.projection.applied)
  return missed > 0 ? Math.min(logPageBytes, missed * logEventBytes) : 0
}

/** Writes everything up to now, then calls `join` in the same turn, so that no change falls between. */
async function catchUp(request: WatchRequest, outgoing: Outgoing, join: () => void): Promise<void> {
  const { stream, table, selection, presenter, options, sink, sent } = request
  const { projection } = stream
  const write = (frames: Iterable<Buffer>): Promise<void> =>
    outgoing.pump(sink, piecesOfFrames(counted(frames, sent), outgoing, sink.mayCutFrames === true))
  let position = options.resourceVersion || projection.applied
  if (options.sendInitialEvents ?? !options.resourceVersion) {
    position = projection.applied
    // As far as the client reads: of a large table the frames together would be as much memory again.
    await write(initialFrames(table.list(selection.namespace), selection, presenter))
    if (options.sendInitialEvents && options.allowWatchBookmarks) {
      await write([presenter.bookmark(position, { 'k8s.io/initial-events-end': 'true' })])
    }
  }
  for (;;) {
    if (sink.closed.aborted) return
    if (position < projection.windowFloor) {
      // What was compacted left holes behind the first record: events between would be missing.
      const oldest = await oldestWholeSequence(stream.log)
      if (position + 1 < oldest) throw new ApiError(versionTooOld(position, oldest))
      const to = projection.windowFloor
      for await (const versions of eventsBetween(stream, request.resource, position, to)) {
        if (sink.closed.aborted) return
        await write(framesOf(versions, selection, presenter))
      }
      position = to
      continue
    }
    const missed = table.since(position)
    if (missed.length === 0) return join()
    // Framed now: what a version was before is known only while it is in the window. And not more than is written at once.
    const frames: Buffer[] = []
    let bytes = 0
    for (let i = 0; i < missed.length && i < framedAtOnceMax && bytes < outgoing.chunkBytes; i++) {
      const frame = framesFor(selection, presenter, missed[i]!)
      position = missed[i]!.sequence
      if (frame) frames.push(frame)
      bytes += frame?.length ?? 0
    }
    await write(frames)
  }
}

function* counted(frames: Iterable<Buffer>, sent: EventCounter | undefined): Generator<Buffer> {
  for (const frame of frames) {
    sent?.inc()
    yield frame
  }
}

function* initialFrames(versions: readonly Version[], selection: Selection, presenter: Presenter): Generator<Buffer> {
  for (const version of versions) {
    if (selection.everything || selection.matches(version)) yield presenter.frame('ADDED', version)
  }
}

function* framesOf(versions: readonly Version[], selection: Selection, presenter: Presenter): Generator<Buffer> {
  for (const version of versions) {
    const frame = framesFor(selection, presenter, version)
    if (frame) yield frame
  }
}

/** Refuses a watch from a version that the log, when asked, does not know. */
export async function checkStart(stream: Stream, resourceVersion: number | undefined): Promise<void> {
  if (!resourceVersion || resourceVersion <= stream.projection.applied) return
  const last = await stream.log.lastSequence()
  if (resourceVersion > last) {
    throw new ApiError(
      expired(`The resourceVersion for the provided watch is from the future: ${resourceVersion} (${last})`),
    )
  }
  if (!(await stream.projection.waitFor(resourceVersion))) {
    throw new ApiError(versionTooLarge(resourceVersion, stream.projection.applied))
  }
}
