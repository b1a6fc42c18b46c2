// A channel: two parties on the bus, each sending messages in order to the other, with flow control. A message that was
// lost, a party that is gone or falls silent breaks the channel; it never hangs and never skips. Feeds and tunnels are
// channels.
//
// The opener asks on a subject that the acceptor listens to, with an id that it has made; the acceptor says yes, or
// refuses with a reason of the caller's own. Then each speaks on a subject named after itself, `<prefix>.<id>.opener` and
// `<prefix>.<id>.acceptor`. What goes over them is in channel-frames.ts; everything from the other side is untrusted.
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import { type Bus, type BusMessage, NoBusAnswer } from './bus.ts'
import { ChannelRefused, isChannelBroken } from './channel-errors.ts'
import { createChannelSide } from './channel-side.ts'

export interface Channel {
  /**
   * What the other side sends. Ends when it closes in order; throws ChannelBroken when it is gone, silent, or a message
   * was lost, and when it closed for a reason. Room for more is given back as messages are taken: a reader that does not
   * read stops the sender. There is one reader.
   */
  readonly incoming: AsyncIterable<Uint8Array>
  /** Longest message that can be sent. */
  readonly messageBytesMax: number
  /** Resolves when it was sent and the window has room again. Throws ChannelBroken, and RangeError for too long a one. */
  send(message: Uint8Array): Promise<void>
  /**
   * Tells the other side, after all that was sent, that nothing more comes. With a reason, when it is no ordinary end, it
   * does so at once, and what waits for room is not sent.
   */
  close(reason?: string): void
  /** Aborted when the channel is over, for whatever reason: an ordinary end, or ChannelBroken as its reason. */
  readonly closed: AbortSignal
}

/** What the opener asks for; the acceptor reads it as untrusted input. */
export type ChannelRequest = Readonly<Record<string, unknown>>

/** Channels that one acceptor serves at once, unless it says otherwise. */
const channelsMaxDefault = 1_024

export interface OpenChannelOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly ids: Ids
  /** Where the acceptor listens: `tun.node-0.open`. */
  readonly subject: string
  /** Of the channel's own subjects: `tun.node-0`. Both sides know it; it is not told. */
  readonly prefix: string
  readonly request: ChannelRequest
  readonly timeoutMs: number
  /** Gives up the opening; an open channel is ended by `close`. */
  readonly signal?: AbortSignal
}

/** Opens a channel. Throws ChannelRefused, NoBusAnswer (nobody there), or the signal's reason. */
export async function openChannel(options: OpenChannelOptions): Promise<Channel> {
  const { bus, clock, subject, prefix, request, timeoutMs, signal } = options
  const id = options.ids.uuid()
  const side = createChannelSide({
    bus,
    clock,
    says: `${prefix}.${id}.opener`,
    hears: `${prefix}.${id}.acceptor`,
  })
  try {
    const payload = encodeJson({ id, request })
    const answer = await bus.request(subject, payload, { timeoutMs, ...(signal ? { signal } : {}) })
    const verdict = decodeJson(answer)
    if (verdict?.['accepted'] === true) {
      side.begin()
      return side.channel
    }
    if (verdict === undefined || !('refusal' in verdict)) {
      throw new NoBusAnswer(`${subject} answered with something else than a verdict`, false)
    }
    throw new ChannelRefused(subject, verdict['refusal'])
  } catch (error) {
    // It may have been accepted all the same: the acceptor is not left to find out by silence.
    side.break('it was not opened')
    throw error
  }
}

/** What becomes of a request for a channel. A refusal is JSON: a Status, a sentence. */
export type ChannelVerdict = { readonly serve: (channel: Channel) => Promise<void> } | { readonly refusal: unknown }

export interface AcceptChannelsOptions {
  readonly bus: Bus
  readonly clock: Clock
  /** What to listen to; may hold wildcards. */
  readonly subject: string
  /** Of acceptors with the same queue one gets each request. */
  readonly queue?: string
  /** The prefix of the channel's own subjects; undefined for a subject that is not served (no answer is given). */
  readonly prefix: (subject: string) => string | undefined
  /**
   * Whether an answer may be sent to where the request wants it. Whoever may publish more than the one who asks has to
   * check, or could be made to publish in its stead.
   */
  readonly mayReply: (message: BusMessage) => boolean
  /**
   * Decides. What `serve` throws breaks the channel, and is told to `onFault`; when it resolves, the channel is closed
   * if it is not yet.
   */
  readonly accept: (request: ChannelRequest, subject: string) => Promise<ChannelVerdict> | ChannelVerdict
  readonly onFault: (error: unknown) => void
  /** Channels at once; past it the refusal is the sentence `too many channels are open`. */
  readonly channelsMax?: number
}

export interface ChannelAcceptor extends Disposable {
  /** Channels that are being served. */
  readonly open: number
  /** Stops listening and closes every channel for a reason. */
  [Symbol.dispose](): void
}

/** Serves channels until disposed. */
export function acceptChannels(options: AcceptChannelsOptions): ChannelAcceptor {
  const { bus, clock, onFault, channelsMax = channelsMaxDefault } = options
  const served = new Set<Channel>()
  /** Of channels that are served or being decided on. */
  const channelIds = new Set<string>()
  let disposed = false

  async function onRequest(message: BusMessage): Promise<void> {
    const { reply, subject } = message
    const prefix = options.prefix(subject)
    if (reply === undefined || prefix === undefined || !options.mayReply(message)) return
    const answer = (verdict: unknown): void => bus.publish(reply, encodeJson(verdict))
    const asked = decodeJson(message.payload)
    const [id, request] = [asked?.['id'], asked?.['request']]
    if (typeof id !== 'string' || !idPattern.test(id) || !isRecord(request)) {
      answer({ refusal: 'the request for a channel cannot be read' })
      return
    }
    const channelId = `${prefix}.${id}`
    // Asked twice: the first one is answered.
    if (channelIds.has(channelId)) return
    if (channelIds.size >= channelsMax) {
      answer({ refusal: 'too many channels are open' })
      return
    }
    channelIds.add(channelId)
    const verdict = await decide(request, subject)
    if ('serve' in verdict && !disposed) {
      serve(channelId, verdict.serve, () => answer({ accepted: true }))
      return
    }
    channelIds.delete(channelId)
    answer({ refusal: 'serve' in verdict ? 'the other side is stopping' : verdict.refusal })
  }

  async function decide(request: ChannelRequest, subject: string): Promise<ChannelVerdict> {
    try {
      return await options.accept(request, subject)
    } catch (error) {
      onFault(error)
      return { refusal: 'the other side failed' }
    }
  }

  function serve(channelId: string, how: (channel: Channel) => Promise<void>, say: () => void): void {
    const side = createChannelSide({ bus, clock, says: `${channelId}.acceptor`, hears: `${channelId}.opener` })
    const { channel } = side
    served.add(channel)
    side.begin()
    const forget = (): void => {
      served.delete(channel)
      channelIds.delete(channelId)
    }
    channel.closed.addEventListener('abort', forget, { once: true })
    say()
    void (async () => {
      try {
        await how(channel)
        channel.close()
      } catch (error) {
        if (!isChannelBroken(error)) onFault(error)
        side.break('the other side failed')
      }
    })()
  }

  const subscription = bus.subscribe(
    options.subject,
    (message) => void onRequest(message).catch(onFault),
    options.queue === undefined ? {} : { queue: options.queue },
  )
  return {
    get open() {
      return served.size
    },
    [Symbol.dispose]: () => {
      disposed = true
      subscription[Symbol.dispose]()
      for (const channel of served) channel.close('the other side is stopping')
    },
  }
}

/** An id becomes a token of a subject. */
const idPattern = /^[A-Za-z0-9_-]{8,64}$/

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const encodeJson = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

function decodeJson(payload: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('utf8'))
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}
