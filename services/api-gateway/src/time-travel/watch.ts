// A watch of the past. What had happened by then is told; after that nothing ever happens, and the watch stays open for
// as long as a watch does, because clients that are cut off at once would come back at once.
import type { Clock } from '@shiplog/runtime/clock'
import { ApiError, versionTooLarge, versionTooOld } from '@shiplog/api/status'
import { oldestWholeSequence } from '@shiplog/events/history/history'
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import type { ListOptions } from '../request/list-options.ts'
import type { Outgoing } from '../read/outgoing.ts'
import { shownWithPrevious } from '../conversion/converted-watch.ts'
import { eventsBetween } from '../store/history.ts'
import type { ShownVersions } from '../read/reader.ts'
import type { PastReader } from './reader.ts'
import type { Presenter } from '../representation/presenter.ts'
import type { Selection } from '../request/selection.ts'
import {
  bookmarkIntervalMs,
  type FrameSink,
  framesFor,
  piecesOfFrames,
  watchTimeoutMsMin,
} from '../read/watch.ts'

export interface PastWatchRequest {
  readonly reader: PastReader
  readonly resource: ResourceInfo
  readonly selection: Selection
  readonly presenter: Presenter
  readonly options: ListOptions
  readonly sink: FrameSink
  /** Has versions converted, where a webhook does that. */
  readonly shown?: ShownVersions
}

/** Refuses, before the answer begins, a watch that starts after its moment, and one whose events are damaged. */
export async function checkPastStart(reader: PastReader, resource: ResourceInfo, options: ListOptions): Promise<void> {
  const at = await reader.sequenceIn(reader.streamOf(resource))
  if (options.resourceVersion !== undefined && options.resourceVersion > at)
    throw new ApiError(versionTooLarge(options.resourceVersion, at))
  if (beginsWithState(options)) return await reader.checkState(resource)
  await reader.checkEvents(resource, options.resourceVersion! + 1, at)
}

/** True for a watch that first tells what there is; the others begin with what happened next. */
const beginsWithState = (options: ListOptions): boolean => options.sendInitialEvents ?? !options.resourceVersion

/** Serves one watch until its time is over or somebody ends it. */
export async function servePastWatch(
  request: PastWatchRequest,
  clock: Clock,
  outgoing: Outgoing,
  stopped: AbortSignal,
): Promise<void> {
  const { reader, resource, options, presenter, selection, sink, shown } = request
  const stream = reader.streamOf(resource)
  const at = await reader.sequenceIn(stream)
  const write = (frames: Iterable<Buffer>): Promise<void> =>
    outgoing.pump(sink, piecesOfFrames(frames[Symbol.iterator](), outgoing, sink.mayCutFrames === true))
  const ended = Promise.withResolvers<'timeout' | 'closed'>()
  const onClose = (): void => ended.resolve('closed')
  sink.closed.addEventListener('abort', onClose, { once: true })
  stopped.addEventListener('abort', onClose, { once: true })
  using _timer = clock.after(options.timeoutSeconds ? options.timeoutSeconds * 1_000 : watchTimeoutMsMin, () =>
    ended.resolve('timeout'),
  )
  try {
    if (beginsWithState(options)) {
      const { versions } = await reader.list(resource, selection, {
        ...options,
        limit: 0,
        resourceVersion: undefined,
        continueToken: '',
      })
      const told = shown ? await shown(versions) : versions
      await write(told.values().map((version) => presenter.frame('ADDED', version)))
      if (options.sendInitialEvents && options.allowWatchBookmarks)
        await write([presenter.bookmark(at, { 'k8s.io/initial-events-end': 'true' })])
    } else {
      await writeEvents(options.resourceVersion!)
    }
    if (stopped.aborted || sink.closed.aborted) return
    using _bookmarks = clock.every(bookmarkIntervalMs, () => {
      if (options.allowWatchBookmarks) sink.write(presenter.bookmark(at))
    })
    if ((await ended.promise) === 'timeout' && options.allowWatchBookmarks) sink.write(presenter.bookmark(at))
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    sink.write(presenter.error(error.status))
  } finally {
    stopped.removeEventListener('abort', onClose)
    sink.end()
  }

  /** What happened between a version that the client has and the moment. */
  async function writeEvents(from: number): Promise<void> {
    if (from >= at) return
    const oldest = await oldestWholeSequence(stream.log)
    if (from + 1 < oldest) throw new ApiError(versionTooOld(from, oldest))
    const address = { group: resource.storageGroup, resource: resource.resource }
    for await (const versions of eventsBetween(stream, address, from, at)) {
      const told = shown ? await shownWithPrevious(shown, versions) : versions
      const frames = told.flatMap((version) => framesFor(selection, presenter, version) ?? [])
      await write(frames)
    }
  }
}
