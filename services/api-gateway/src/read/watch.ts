// Watches. A watcher first catches up at its own pace (from the log, then from memory), then joins the class of all
// watchers that want the same frames: each change is encoded once per class and written to every member.
import { oldestWholeSequence } from '@shiplog/events/history/history'
import type { Clock } from '@shiplog/runtime/clock'
import { ApiError, expired, type Status, versionTooLarge, versionTooOld } from '@shiplog/api/status'
import type { ListOptions } from '../request/list-options.ts'
import { eventsBetween } from '../store/history.ts'
import type { Presenter } from '../representation/presenter.ts'
import type { ResourceTable } from '../store/projection.ts'
import type { Selection } from '../request/selection.ts'
import type { Stream } from '../store/streams.ts'
import { type Version, watchFrame, withResourceVersion } from '../store/version.ts'

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
}

/** A live watcher whose unread bytes pass this is cut: its client starts again from its last version. */
export const watchBufferBytesMax = 4 * 1024 * 1024
export const bookmarkIntervalMs = 60_000
/** Without timeoutSeconds a watch ends after 30 to 60 minutes, as upstream's --min-request-timeout. */
export const watchTimeoutMsMin = 1_800_000

/** What is there already goes to a new watcher in writes of at most so many frames, and about so many bytes. */
const initialWriteFramesMax = 256
const initialWriteBytes = 128 * 1024

interface WatchClass {
  readonly selection: Selection
  readonly presenter: Presenter
  readonly members: Set<Watcher>
}

interface Watcher {
  readonly sink: FrameSink
  readonly bookmarks: boolean
}

export interface WatchRequest {
  readonly stream: Stream
  readonly table: ResourceTable
  readonly resource: { readonly group: string; readonly resource: string }
  readonly selection: Selection
  readonly presenter: Presenter
  readonly options: ListOptions
  readonly sink: FrameSink
}

export interface WatchHub {
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

export function createWatchHub(deps: { readonly clock: Clock; readonly integer: (below: number) => number }): WatchHub {
  const { clock, integer } = deps
  const classes = new Map<ResourceTable, Map<string, WatchClass>>()
  const stopped = new AbortController()
  let watchers = 0

  function classOf(request: WatchRequest): WatchClass {
    const { table, selection, presenter, stream } = request
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
      watchClass = { selection, presenter, members: new Set() }
      ofTable.set(id, watchClass)
    }
    return watchClass
  }

  function dispatch(ofTable: Map<string, WatchClass>, changes: readonly Version[]): void {
    for (const [id, { selection, presenter, members }] of ofTable) {
      if (members.size === 0) {
        ofTable.delete(id)
        continue
      }
      const frames: Buffer[] = []
      for (const version of changes) {
        const frame = framesFor(selection, presenter, version)
        if (frame) frames.push(frame)
      }
      if (frames.length === 0) continue
      const bytes = frames.length === 1 ? frames[0]! : Buffer.concat(frames)
      for (const watcher of members) send(watcher, bytes)
    }
  }

  function send(watcher: Watcher, bytes: Buffer): void {
    if (watcher.sink.buffered > watchBufferBytesMax) watcher.sink.destroy()
    else watcher.sink.write(bytes)
  }

  function bookmark(ofTable: Map<string, WatchClass>, stream: Stream): void {
    for (const { presenter, members } of ofTable.values()) {
      let frame: Buffer | undefined
      for (const watcher of members) {
        if (!watcher.bookmarks) continue
        frame ??= presenter.bookmark(stream.projection.applied)
        send(watcher, frame)
      }
    }
  }

  async function serve(request: WatchRequest): Promise<void> {
    const { sink, options, presenter, stream } = request
    watchers++
    const watcher: Watcher = { sink, bookmarks: options.allowWatchBookmarks }
    const timeoutMs = options.timeoutSeconds
      ? options.timeoutSeconds * 1_000
      : watchTimeoutMsMin + integer(watchTimeoutMsMin)
    const ended = Promise.withResolvers<'timeout' | 'closed'>()
    let joined: WatchClass | undefined
    using _timer = clock.after(timeoutMs, () => {
      // A client that has not even read what there was would be waited for without end.
      if (!joined) sink.destroy()
      ended.resolve('timeout')
    })
    const onClose = (): void => ended.resolve('closed')
    sink.closed.addEventListener('abort', onClose, { once: true })
    stopped.signal.addEventListener('abort', onClose, { once: true })
    try {
      await catchUp(request, () => {
        joined = classOf(request)
        joined.members.add(watcher)
      })
      if (!stopped.signal.aborted && !sink.closed.aborted && (await ended.promise) === 'timeout' && watcher.bookmarks) {
        sink.write(presenter.bookmark(stream.projection.applied))
      }
    } catch (error) {
      const status = error instanceof ApiError ? error.status : undefined
      if (!status) throw error
      sink.write(errorFrame(status))
    } finally {
      watchers--
      joined?.members.delete(watcher)
      stopped.signal.removeEventListener('abort', onClose)
      sink.end()
    }
  }

  return {
    serve,
    close: () => stopped.abort(),
    get watchers() {
      return watchers
    },
  }
}

export const errorFrame = (status: Status): Buffer => watchFrame('ERROR', Buffer.from(JSON.stringify(status)))

/** Writes everything up to now, then calls `join` in the same turn, so that no change falls between. */
async function catchUp(request: WatchRequest, join: () => void): Promise<void> {
  const { stream, table, selection, presenter, options, sink } = request
  const { projection } = stream
  const write = async (bytes: Buffer): Promise<void> => {
    if (!sink.write(bytes)) await sink.drained()
  }
  let position: number
  const initial = options.sendInitialEvents ?? !options.resourceVersion
  if (initial) {
    position = projection.applied
    // As far as the client reads: of a large table the frames together would be as much memory again.
    let frames: Buffer[] = []
    let bytes = 0
    for (const version of table.list(selection.namespace)) {
      if (!selection.everything && !selection.matches(version)) continue
      const frame = presenter.frame('ADDED', version)
      frames.push(frame)
      bytes += frame.length
      if (bytes < initialWriteBytes && frames.length < initialWriteFramesMax) continue
      await write(Buffer.concat(frames, bytes))
      if (sink.closed.aborted) return
      frames = []
      bytes = 0
    }
    if (bytes > 0) await write(Buffer.concat(frames, bytes))
    if (options.sendInitialEvents && options.allowWatchBookmarks) {
      await write(presenter.bookmark(position, { 'k8s.io/initial-events-end': 'true' }))
    }
  } else if (options.resourceVersion) {
    position = options.resourceVersion
  } else {
    position = projection.applied
  }
  for (;;) {
    if (sink.closed.aborted) return
    if (position < projection.windowFloor) {
      // What was compacted left holes behind the first record: events between would be missing.
      const oldest = await oldestWholeSequence(stream.log)
      if (position + 1 < oldest) throw new ApiError(versionTooOld(position, oldest))
      const to = projection.windowFloor
      for await (const versions of eventsBetween(stream, table, request.resource, position, to)) {
        if (sink.closed.aborted) return
        for (const version of versions) {
          const frame = framesFor(selection, presenter, version)
          if (frame) await write(frame)
        }
      }
      position = to
      continue
    }
    const frames: Buffer[] = []
    for (const version of table.since(position)) {
      const frame = framesFor(selection, presenter, version)
      if (frame) frames.push(frame)
    }
    position = Math.max(position, projection.applied)
    if (frames.length === 0) return join()
    await write(Buffer.concat(frames))
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
