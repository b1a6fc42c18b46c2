// Watches of kinds that a webhook converts. What the webhook says takes its time, so such a watcher goes through the changes at its
// own pace, as others do until they have caught up: it reads what it has not been told, has it converted, and waits for more.
import { ApiError, versionTooOld } from '@shiplog/api/status'
import { oldestWholeSequence } from '@shiplog/events/history/history'
import type { Clock } from '@shiplog/runtime/clock'
import type { Outgoing } from '../read/outgoing.ts'
import type { ShownVersions } from '../read/reader.ts'
import { bookmarkIntervalMs, framesFor, piecesOfFrames, type WatchRequest } from '../read/watch.ts'
import { eventsBetween } from '../store/history.ts'
import type { ResourceTable } from '../store/projection.ts'
import { Version } from '../store/version.ts'

/** Versions that are converted, and held, at a time. */
const versionsAtOnce = 200

/** The versions as they are shown, and what was before each of them. */
export async function shownWithPrevious(shown: ShownVersions, versions: readonly Version[]): Promise<readonly Version[]> {
  // Read now: what was before is forgotten when it leaves the window.
  const before = versions.map(({ previous }) => previous)
  const known = before.filter((one) => one !== undefined)
  const [now, past] = [await shown(versions), await shown(known)]
  const shownBefore = new Map(known.map((one, index) => [one, past[index]!]))
  return now.map((version, index) => {
    const previous = before[index] && shownBefore.get(before[index])
    return new Version({
      ...{ key: version.key, namespace: version.namespace, name: version.name, sequence: version.sequence },
      ...{ timeMs: version.timeMs, deleted: version.deleted, previousSequence: version.previousSequence },
      ...{ checksum: version.checksum, bytes: version.bytes, previous },
    })
  })
}

export interface FollowedWatch {
  readonly request: WatchRequest
  readonly shown: ShownVersions
  readonly outgoing: Outgoing
  readonly clock: Clock
  /** Aborts when the watch is over. */
  readonly over: AbortSignal
}

/** Serves until the watch is over. Throws ApiError where the webhook fails: the client is told, and begins anew. */
export async function followConverted({ request, shown, outgoing, clock, over }: FollowedWatch): Promise<void> {
  const { stream, table, selection, presenter, options, sink, sent } = request
  const { projection } = stream
  const write = async (frames: readonly Buffer[]): Promise<void> => {
    sent?.inc(frames.length)
    await outgoing.pump(sink, piecesOfFrames(frames.values(), outgoing, sink.mayCutFrames === true))
  }
  const tell = async (versions: readonly Version[]): Promise<void> => {
    for (let i = 0; i < versions.length && !over.aborted; i += versionsAtOnce) {
      const converted = await shownWithPrevious(shown, versions.slice(i, i + versionsAtOnce))
      await write(converted.flatMap((version) => framesFor(selection, presenter, version) ?? []))
    }
  }
  let position = options.resourceVersion || projection.applied
  if (options.sendInitialEvents ?? !options.resourceVersion) {
    position = projection.applied
    const all = table.list(selection.namespace)
    for (let i = 0; i < all.length && !over.aborted; i += versionsAtOnce) {
      const some = (await shown(all.slice(i, i + versionsAtOnce))).filter((one) => selection.everything || selection.matches(one))
      await write(some.map((version) => presenter.frame('ADDED', version)))
    }
    if (options.sendInitialEvents && options.allowWatchBookmarks)
      await write([presenter.bookmark(position, { 'k8s.io/initial-events-end': 'true' })])
  }
  const news = listening(table)
  using _news = news
  using _bookmarks = clock.every(bookmarkIntervalMs, () => news.wake())
  let bookmarkedMs = clock.nowMs()
  while (!over.aborted && !sink.closed.aborted) {
    if (position < projection.windowFloor) {
      const oldest = await oldestWholeSequence(stream.log)
      if (position + 1 < oldest) throw new ApiError(versionTooOld(position, oldest))
      const to = projection.windowFloor
      for await (const versions of eventsBetween(stream, request.resource, position, to)) await tell(versions)
      position = to
      continue
    }
    const missed = table.since(position).slice(0, versionsAtOnce)
    if (missed.length > 0) {
      await tell(missed)
      position = missed.at(-1)!.sequence
      continue
    }
    if (options.allowWatchBookmarks && clock.nowMs() - bookmarkedMs >= bookmarkIntervalMs) {
      bookmarkedMs = clock.nowMs()
      await write([presenter.bookmark(projection.applied)])
      continue
    }
    request.room?.[Symbol.dispose]()
    await news.next(over)
  }
  if (options.allowWatchBookmarks && !sink.closed.aborted && table.since(position).length === 0)
    await write([presenter.bookmark(projection.applied)])
}

/** Tells that something came since it was asked last. */
function listening({ listeners }: ResourceTable): Disposable & { wake(): void; next(over: AbortSignal): Promise<void> } {
  let waiting: (() => void) | undefined
  let isNew = true
  const wake = (): void => {
    isNew = true
    waiting?.()
  }
  listeners.add(wake)
  return {
    wake,
    async next(over) {
      if (!isNew && !over.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>()
        waiting = () => resolve()
        over.addEventListener('abort', waiting, { once: true })
        await promise
        over.removeEventListener('abort', waiting)
      }
      isNew = false
    },
    [Symbol.dispose]: () => void listeners.delete(wake),
  }
}
