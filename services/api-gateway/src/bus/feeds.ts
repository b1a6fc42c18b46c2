// Feeds of nodes over the bus: each agent is told of its node, its pods and what those refer to, and of nothing else. A
// gateway keeps, for each feed, which objects the agent has and which of them may have changed; never a copy of one. An
// agent that reads slowly is told the newest state of each object when it reads again.
import { badRequest, type Status, timeout, tooManyRequests, unauthorized } from '@shiplog/api/status'
import {
  entryText,
  type FeedRequest,
  type FeedResource,
  goneText,
  messageText,
  parseFeedKey,
  readFeedRequest,
} from '@shiplog/api-client/wire/feed'
import { nodeOf } from '@shiplog/domain/node-identity'
import type { Bus } from '@shiplog/events/bus/bus'
import { commandFilter, feedPrefix, gatewayQueue } from '@shiplog/events/bus/bus-subjects'
import { acceptChannels, type Channel, type ChannelVerdict } from '@shiplog/events/bus/channel'
import { leanObjectText } from '@shiplog/feed/lean-object-text'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { busUser, mayAnswer } from './identity.ts'
import type { NodeGraph } from '../access/node-graph.ts'
import type { StreamProjection } from '../store/projection.ts'
import type { Version } from '../store/version.ts'

/** Feeds that a gateway serves at once, and those of one node: some while the ones before are not yet given up. */
const feedsMax = 4_096
const feedsOfNodeMax = 8
/** A message is sent when it has come to this size. */
const messageCharactersMin = 64 * 1024
/** An agent for which nothing changes is told so often how far that is true. */
const bookmarkMs = 10_000

export interface BusFeedsDeps {
  readonly bus: Bus
  /** Of the stream that holds all that a node sees. */
  readonly projection: StreamProjection
  /** Which node sees what. */
  readonly graph: NodeGraph
  readonly clock: Clock
  readonly logger: Logger
}

export interface BusFeeds extends Disposable {
  /** Feeds that are being served. */
  readonly open: number
}

/** Serves feeds until disposed; then their agents go to another gateway. */
export function serveBusFeeds(deps: BusFeedsDeps): BusFeeds {
  const { bus, projection, clock, logger, graph: index } = deps
  const ofNode = new Map<string, number>()

  const nodeOfSubject = (subject: string): string | undefined => {
    const user = busUser(subject)
    return user && nodeOf(user)
  }

  async function accept(asked: Readonly<Record<string, unknown>>, subject: string): Promise<ChannelVerdict> {
    const node = nodeOfSubject(subject)
    if (node === undefined) return { refusal: unauthorized() }
    const request = readFeedRequest(asked)
    if (typeof request === 'string') return { refusal: badRequest(request) }
    const refusal = await reach(request.from)
    if (refusal) return { refusal }
    await index.ready()
    if ((ofNode.get(node) ?? 0) >= feedsOfNodeMax) {
      return { refusal: tooManyRequests(`node "${node}" has too many feeds`, 1) }
    }
    return {
      serve: async (channel) => {
        using _counted = count(node)
        await serveFeed({ channel, node, request, index, projection, clock })
      },
    }
  }

  /** From here on only: a feed that was refused or failed before it was served counts for nothing. */
  function count(node: string): Disposable {
    ofNode.set(node, (ofNode.get(node) ?? 0) + 1)
    return {
      [Symbol.dispose]() {
        const left = ofNode.get(node)! - 1
        if (left === 0) ofNode.delete(node)
        else ofNode.set(node, left)
      },
    }
  }

  /** Another gateway has shown the agent this much: no feed goes back behind it. */
  async function reach(sequence: number): Promise<Status | undefined> {
    if (await projection.waitFor(sequence)) return undefined
    return timeout(`this gateway has not reached sequence ${sequence} yet`)
  }

  return acceptChannels({
    ...{ bus, clock, accept, queue: gatewayQueue, channelsMax: feedsMax },
    subject: commandFilter('feed'),
    prefix: (subject) => {
      const node = nodeOfSubject(subject)
      return node === undefined ? undefined : feedPrefix(node)
    },
    mayReply: mayAnswer,
    onFault: (err) => logger.error({ err }, 'a feed failed'),
  })
}

async function serveFeed(options: {
  readonly channel: Channel
  readonly node: string
  readonly request: FeedRequest
  readonly index: NodeGraph
  readonly projection: StreamProjection
  readonly clock: Clock
}): Promise<void> {
  const { channel, node, request, index, projection, clock } = options
  const resources = new Set<FeedResource>(request.resources)
  const wanted = (key: string): boolean => resources.has(key.slice(0, key.indexOf('/')) as FeedResource)
  /** What the agent has when it has read all that was sent: the sequence of each object, by key. */
  const shown = new Map<string, number>(Object.entries(request.known ?? {}).filter(([key]) => wanted(key)))
  let touched = new Set<string>([...shown.keys(), ...index.visible(node).filter(wanted)])
  let told = -1
  let wake = Promise.withResolvers<void>()
  using _watching = index.watch(node, (key) => {
    if (!wanted(key)) return
    touched.add(key)
    wake.resolve()
  })
  using _bookmarks = clock.every(bookmarkMs, () => wake.resolve())
  const onClosed = (): void => wake.resolve()
  channel.closed.addEventListener('abort', onClosed, { once: true })

  while (!channel.closed.aborted) {
    if (projection.failure) {
      channel.close('the gateway has lost the log')
      return
    }
    const sequence = projection.applied
    const keys = touched
    touched = new Set()
    wake = Promise.withResolvers()
    const entries = entriesOf({ node, keys, shown, index })
    if (entries.length > 0 || sequence > told) {
      for (const message of messagesOf(sequence, entries)) await channel.send(Buffer.from(message))
      told = sequence
    }
    if (touched.size > 0) continue
    // All tables have taken a change before anything is sent of it: they do so in one turn, and this goes on in a later one.
    await wake.promise
  }
}

type Entry = { readonly key: string; readonly version: Version | undefined }

/** In the order that an agent needs: what is referred to, pods, what is gone. Notes in `shown` what it will have. */
function entriesOf(options: {
  readonly node: string
  readonly keys: Iterable<string>
  readonly shown: Map<string, number>
  readonly index: NodeGraph
}): Entry[] {
  const { node, keys, shown, index } = options
  const pods: Entry[] = []
  const others: Entry[] = []
  const gone: Entry[] = []
  for (const key of keys) {
    const version = index.isVisible(node, key) ? index.current(key) : undefined
    if (version === undefined) {
      if (shown.delete(key)) gone.push({ key, version })
    } else if (shown.get(key) !== version.sequence) {
      shown.set(key, version.sequence)
      const list = parseFeedKey(key)?.resource === 'pods' ? pods : others
      list.push({ key, version })
    }
  }
  return [...others, ...pods, ...gone]
}

/** Texts of the messages of one batch; each is made when the one before was sent. */
function* messagesOf(sequence: number, entries: readonly Entry[]): Generator<string> {
  let texts: string[] = []
  let characters = 0
  for (const { key, version } of entries) {
    const text =
      version === undefined
        ? goneText(key)
        : entryText(key, version.timeMs, leanObjectText(version.bytes.toString('utf8')))
    if (characters > 0 && characters + text.length > messageCharactersMin) {
      yield messageText(sequence, false, texts)
      texts = []
      characters = 0
    }
    texts.push(text)
    characters += text.length
  }
  yield messageText(sequence, true, texts)
}
