// The object feed of a node agent: over the bus, from whichever gateway answers. The agent says what it has, so that
// after any break it is told what has changed since, and nothing twice.
import {
  type FeedEntry,
  type FeedMessage,
  type FeedRequest,
  feedResources,
  type FeedResource,
  knownMax,
  parseFeedKey,
  readFeedMessage,
} from './wire/feed.ts'
import { type Bus, isNoBusAnswer } from '@shiplog/events/bus/bus'
import { commandSubject, feedPrefix } from '@shiplog/events/bus/bus-subjects'
import { type Channel, openChannel } from '@shiplog/events/bus/channel'
import { isChannelBroken, isChannelRefused } from '@shiplog/events/bus/channel-errors'
import type { FeedBatch, FeedObject, ObjectChange, ObjectFeed } from '@shiplog/events/object-feed'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'

const openTimeoutMs = 5_000
const pauseMsMin = 50
const pauseMsMax = 2_000

export interface BusFeedOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** The node whose feed it is; the agent is `system:node:<node>`. */
  readonly node: string
}

/** Creates the feed. Its changes carry no event type, and what is gone may be deleted or no longer the node's to see. */
export function createBusFeed(options: BusFeedOptions): ObjectFeed {
  const { bus, clock, ids, log, node } = options
  const subject = commandSubject(`system:node:${node}`, 'feed')

  const open = (request: FeedRequest, signal: AbortSignal): Promise<Channel> =>
    openChannel({
      ...{ bus, clock, ids, subject, signal },
      prefix: feedPrefix(node),
      request: request as unknown as Record<string, unknown>,
      timeoutMs: openTimeoutMs,
    })

  async function* follow(groupResources: readonly string[], signal: AbortSignal): AsyncGenerator<FeedBatch> {
    const resources = groupResources.map((name) => {
      const resource = feedResources.find((known) => known === name)
      if (resource === undefined) throw new Error(`a node's feed holds no ${name}`)
      return resource
    })
    const state = createFeedState(resources)
    let failures = 0
    while (!signal.aborted) {
      let channel: Channel | undefined
      try {
        const request = state.request()
        /** The feed begins with all there is: what it does not tell is gone. */
        let fresh = request.known === undefined
        channel = await open(request, signal)
        const close = (): void => channel?.close()
        signal.addEventListener('abort', close, { once: true })
        try {
          let entries: FeedEntry[] = []
          for await (const bytes of channel.incoming) {
            const message = readFeedMessage(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'))
            if (message === undefined) throw new Error('a gateway sent what is no message of a feed')
            entries.push(...message.entries)
            if (!message.last) continue
            const batch = state.apply(message, entries, { fresh, nowMs: clock.nowMs() })
            entries = []
            fresh = false
            failures = 0
            yield batch
            if (signal.aborted) return
          }
        } finally {
          signal.removeEventListener('abort', close)
        }
      } catch (error) {
        if (signal.aborted) return
        const expected = isNoBusAnswer(error) || isChannelBroken(error) || isChannelRefused(error)
        if (!expected) log.error({ err: error, node }, 'the feed failed, and is opened again')
        else if (failures === 1) log.warn({ reason: error.message, node }, 'the feed cannot be had; it is tried again')
      } finally {
        channel?.close('the feed is not read any more')
      }
      const pauseMs = Math.min(pauseMsMin * 2 ** Math.min(failures, 10), pauseMsMax)
      failures += 1
      // Some chance, so that the agents of a gateway that died do not all come at once.
      await clock.sleep(pauseMs / 2 + ids.integer(pauseMs), signal).catch(() => undefined)
    }
  }

  return { follow }
}

/** What was handed over: the fold of the feed. */
interface FeedState {
  /** Asks for all that differs from it. */
  request(): FeedRequest
  /** Takes a batch whole. A fresh one tells all there is. */
  apply(message: FeedMessage, entries: readonly FeedEntry[], how: { fresh: boolean; nowMs: number }): FeedBatch
}

function createFeedState(resources: readonly FeedResource[]): FeedState {
  const objects = new Map<string, FeedObject>()
  let complete = 0

  return {
    request() {
      const asked = { resources, from: complete }
      if (objects.size === 0 || objects.size > knownMax) return asked
      const known: Record<string, number> = {}
      for (const [key, object] of objects) known[key] = Number(object.metadata.resourceVersion)
      return { ...asked, known }
    },

    apply({ sequence }, entries, { fresh, nowMs }) {
      const changes: ObjectChange[] = []
      const change = (key: string, object: FeedObject, how: Pick<ObjectChange, 'deleted' | 'sequence' | 'timeMs'>) => {
        const address = parseFeedKey(key)!
        changes.push({ group: '', groupResource: address.resource, ...address, type: '', object, ...how })
      }
      const end = (key: string): void => {
        const before = objects.get(key)
        objects.delete(key)
        if (before) change(key, before, { deleted: true, sequence, timeMs: nowMs })
      }
      if (fresh) {
        const told = new Set(entries.map(({ key }) => key))
        for (const key of [...objects.keys()]) if (!told.has(key)) end(key)
      }
      for (const entry of entries) {
        if ('gone' in entry) {
          end(entry.key)
          continue
        }
        const object = entry.object as unknown as FeedObject
        const { uid, resourceVersion } = object.metadata
        const before = objects.get(entry.key)
        // Another object of the same name: the end of the one before went unseen.
        if (before && before.metadata.uid !== uid) end(entry.key)
        objects.set(entry.key, object)
        change(entry.key, object, { deleted: false, sequence: Number(resourceVersion), timeMs: entry.timeMs })
      }
      complete = Math.max(complete, sequence)
      return { changes, sequence: complete, synced: true }
    },
  }
}
