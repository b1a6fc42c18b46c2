// Several streams of bytes over one channel, in both directions, each with an end of its own: what a container reads and
// prints, or one connection to a port. The channel's flow control is theirs together: who does not read one stream stops
// its sender, and with it the others in that direction.
//
//   data     number, bytes     of the stream of that number
//   end      number            nothing more comes on it
//   cut      number            it was given up
//   message  JSON              what is no stream: a window's size, how a command ended
import { Duplex, Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Channel } from '@shiplog/events/bus/channel'
import { tunnelChunkBytesMax } from './tunnel-request.ts'

const kinds = { data: 0, end: 1, cut: 2, message: 3 } as const
const headBytes = 2
/** Streams have numbers below. */
const streamsMax = 8
/** Longest message that is no stream. */
const messageBytesMax = 64 * 1024

export interface ChannelStreams {
  /** What the other side writes on the stream of that number. It fails when the channel breaks. */
  readable(number: number): Readable
  /** What the other side reads as the stream of that number. */
  writable(number: number): Writable
  /** Sends what is no stream, in order with the streams. */
  tell(message: object): Promise<void>
  /** Resolves when nothing more comes: the channel is over, or the other side does not keep to this. */
  readonly over: Promise<void>
}

export interface ChannelStreamsOptions {
  /** Untrusted, as all that comes. */
  readonly onMessage: (message: Readonly<Record<string, unknown>>) => void
}

interface Incoming {
  readonly readable: Readable
  /** Resolves when there is room again, or nobody reads any more. */
  room: PromiseWithResolvers<void> | undefined
  /** Its end has come; what was sent before may still be to be read. */
  ended: boolean
}

/** Takes the channel over: begins to read it in the next turn, so that streams can be asked for before anything comes. */
export function createChannelStreams(channel: Channel, { onMessage }: ChannelStreamsOptions): ChannelStreams {
  const incoming = new Map<number, Incoming>()

  function readable(number: number): Readable {
    const known = incoming.get(number)
    if (known) return known.readable
    const makeRoom = (): void => {
      entry.room?.resolve()
      entry.room = undefined
    }
    const entry: Incoming = {
      ...{ room: undefined, ended: false },
      readable: new Readable({
        highWaterMark: tunnelChunkBytesMax,
        read: makeRoom,
        destroy(error, done) {
          makeRoom()
          done(error)
        },
      }),
    }
    // Who reads is told by the end of it.
    entry.readable.on('error', () => undefined)
    incoming.set(number, entry)
    return entry.readable
  }

  async function take(bytes: Buffer): Promise<void> {
    const [kind, number] = [bytes[0]!, bytes[1]!]
    if (kind === kinds.message) {
      if (bytes.length <= messageBytesMax) onMessage(parse(bytes.subarray(headBytes)))
      return
    }
    const entry = incoming.get(number)
    if (!entry || entry.readable.destroyed) return
    if (kind === kinds.end) {
      entry.ended = true
      entry.readable.push(null)
    } else if (kind === kinds.cut) entry.readable.destroy(new Error('the other side gave the stream up'))
    // Once the channel is over, what is left of it is less than its window.
    else if (!entry.readable.push(bytes.subarray(headBytes)) && !channel.closed.aborted) {
      entry.room = Promise.withResolvers()
      await entry.room.promise
    }
  }

  async function run(): Promise<void> {
    await Promise.resolve()
    channel.closed.addEventListener('abort', () => {
      for (const { room } of incoming.values()) room?.resolve()
    })
    let failure: Error | undefined
    try {
      for await (const bytes of channel.incoming) {
        if (bytes.length < headBytes || bytes[1]! >= streamsMax) throw new Error('what came over a tunnel is no stream')
        await take(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
      }
    } catch (error) {
      failure = error as Error
      channel.close('the streams of a tunnel broke')
    }
    for (const { readable: stream, ended } of incoming.values()) {
      if (!ended) stream.destroy(failure ?? new Error('the tunnel was closed'))
    }
  }

  return {
    readable,
    writable: (number) => outgoing(channel, number),
    tell: (message) => channel.send(Buffer.concat([Buffer.of(kinds.message, 0), Buffer.from(JSON.stringify(message))])),
    over: run(),
  }
}

function outgoing(channel: Channel, number: number): Writable {
  const step = Math.min(tunnelChunkBytesMax, channel.messageBytesMax - headBytes)
  const send = async (bytes: Buffer): Promise<void> => {
    for (let at = 0; at < bytes.length; at += step) {
      await channel.send(Buffer.concat([Buffer.of(kinds.data, number), bytes.subarray(at, at + step)]))
    }
  }
  let ended = false
  const stream = new Writable({
    highWaterMark: tunnelChunkBytesMax,
    write: (bytes: Buffer, _encoding, done) => void send(bytes).then(() => done(), done),
    final(done) {
      ended = true
      channel.send(Buffer.of(kinds.end, number)).then(() => done(), done)
    },
    destroy(error, done) {
      if (!ended && !channel.closed.aborted) void channel.send(Buffer.of(kinds.cut, number)).catch(() => undefined)
      done(error)
    },
  })
  // Who writes sees that it is closed.
  stream.on('error', () => undefined)
  return stream
}

function parse(bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** The stream of that number in both directions, as one connection. */
export const duplexOf = (streams: ChannelStreams, number: number): Duplex =>
  // Typed for streams of the web; it takes Node's.
  Duplex.from({ readable: streams.readable(number), writable: streams.writable(number) } as never)

/** Passes on what one gives until it ends; gives both up when one fails. Never rejects: `false` when it failed. */
export const passOn = (from: Readable, to: Writable): Promise<boolean> =>
  pipeline(from, to).then(
    () => true,
    () => false,
  )

/** Joins two connections, each half with an end of its own. Resolves when both directions are over. */
export async function joinConnections(one: Duplex, other: Duplex): Promise<void> {
  await Promise.all([passOn(one, other), passOn(other, one)])
  one.destroy()
  other.destroy()
}
