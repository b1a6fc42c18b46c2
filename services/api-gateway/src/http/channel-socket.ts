// The WebSocket protocols of remote commands and of port-forwarding: each message begins with the number of its channel.
// `v5.channel.k8s.io` has the end of a channel as a message of its own; with the older ones input ends with the connection.
import { Readable, Writable } from 'node:stream'
import type { OpenWebSocket } from './web-socket.ts'

/** Channels that the client writes and reads; what comes on others is dropped. */
export interface ChannelSocket {
  readonly protocol: string
  /** What the client writes on a channel. */
  readable(channel: number): Readable
  writable(channel: number): Writable
  send(channel: number, bytes: Buffer): Promise<void>
  /** Ends the connection in order. */
  close(): void
  readonly closed: AbortSignal
  /** When something was last said by either side. */
  readonly activeAtMs: number
}

const endChannel = 255
const normalClosure = 1_000
/** What a client has written and nobody has read. */
const unreadBytesMax = 64 * 1024

export function createChannelSocket({ connection }: OpenWebSocket, nowMs: () => number): ChannelSocket {
  const protocol = connection.protocol
  const isBase64 = protocol.includes('base64.')
  const canEnd = protocol.startsWith('v5.')
  const channels = new Map<number, Readable>()
  const ended = new Set<number>()
  const closed = new AbortController()
  let activeAtMs = nowMs()

  /** Nothing comes on a channel any more, whatever the client says. */
  function endOf(number: number): void {
    if (ended.has(number)) return
    ended.add(number)
    channels.get(number)?.push(null)
  }

  function onMessage(data: Buffer, isBinary: boolean): void {
    activeAtMs = nowMs()
    const message = decode(data, isBase64 && !isBinary)
    if (!message) return
    const [number, bytes] = message
    if (canEnd && number === endChannel) endOf(bytes[0] ?? endChannel)
    else if (bytes.length > 0 && !ended.has(number)) {
      const channel = channels.get(number)
      if (channel && !channel.destroyed && !channel.push(bytes)) connection.pause()
    }
  }

  function send(number: number, bytes: Buffer): Promise<void> {
    activeAtMs = nowMs()
    const data = isBase64 ? `${number}${bytes.toString('base64')}` : Buffer.concat([Buffer.of(number), bytes])
    return new Promise((resolve, reject) => {
      connection.send(data, { binary: !isBase64 }, (error) => (error ? reject(error) : resolve()))
    })
  }

  connection.on('message', onMessage)
  const end = (): void => {
    closed.abort()
    for (const number of channels.keys()) endOf(number)
  }
  connection.on('close', end)
  // What a client does wrong on its side ends its connection and nothing else.
  connection.on('error', () => closed.abort())
  return {
    protocol,
    readable(number) {
      const readable = new Readable({
        highWaterMark: unreadBytesMax,
        read: () => connection.resume(),
        destroy(error, done) {
          connection.resume()
          done(error)
        },
      })
      readable.on('error', () => undefined)
      channels.set(number, readable)
      return readable
    },
    writable: (number) => {
      const writable = new Writable({
        write: (bytes: Buffer, _encoding, done) => void send(number, bytes).then(() => done(), done),
      })
      writable.on('error', () => undefined)
      return writable
    },
    send,
    close: () => connection.close(normalClosure),
    closed: closed.signal,
    get activeAtMs() {
      return activeAtMs
    },
  }
}

/** The channel of a message, and what it carries; in the textual protocols the number is a digit. */
function decode(data: Buffer, isBase64: boolean): readonly [number, Buffer] | undefined {
  if (data.length === 0) return undefined
  if (!isBase64) return [data[0]!, data.subarray(1)]
  const number = data[0]! - 0x30
  return number < 0 || number > 9 ? undefined : [number, Buffer.from(data.toString('latin1', 1), 'base64')]
}
