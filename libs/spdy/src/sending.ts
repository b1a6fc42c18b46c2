// What waits to be sent on the streams of a session, and how much of it the peer allows: in order, but a stream without window lets
// others pass.
import { initialWindowBytes, type StreamState } from './stream.ts'

interface WaitingData {
  readonly stream: StreamState
  bytes: Buffer
  readonly sent: (error?: Error) => void
}

export interface SendingPort {
  readonly isOpen: (stream: StreamState) => boolean
  /** Whether the connection takes more. */
  readonly mayWrite: () => boolean
  readonly transmit: (stream: StreamState, bytes: Buffer) => void
}

export class Sending {
  readonly #port: SendingPort
  readonly #waiting: WaitingData[] = []
  /** The peer has spoken of windows: from then on it is held to them. */
  #peerCounts = false
  #initialAllowed = initialWindowBytes
  #sentBytes = 0
  #allowedBytes = initialWindowBytes

  constructor(port: SendingPort) {
    this.#port = port
  }

  /** What a new stream may send before the peer says more. */
  get initialAllowed(): number {
    return this.#initialAllowed
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  add(stream: StreamState, bytes: Buffer, sent: (error?: Error) => void): void {
    this.#waiting.push({ stream, bytes, sent })
  }

  allowInitially(initial: number, streams: Iterable<StreamState>): void {
    this.#peerCounts = true
    for (const stream of streams) stream.allowedBytes += initial - this.#initialAllowed
    this.#initialAllowed = initial
  }

  /** A stream that is closed by now is undefined. */
  allowMore(to: StreamState | 'session' | undefined, delta: number): void {
    this.#peerCounts = true
    if (to === 'session') this.#allowedBytes += delta
    else if (to) to.allowedBytes += delta
  }

  /** Sends what waits and may be sent. */
  flush(): void {
    const waiting = this.#waiting
    for (let index = 0; index < waiting.length && this.#port.mayWrite(); ) {
      const next = waiting[index]!
      const isClosed = !this.#port.isOpen(next.stream)
      const room = isClosed ? 0 : this.#roomFor(next.stream, next.bytes.length)
      if (room > 0) this.#transmit(next.stream, next.bytes.subarray(0, room))
      if (room > 0 && room < next.bytes.length) next.bytes = next.bytes.subarray(room)
      else if (room > 0 || isClosed) {
        waiting.splice(index, 1)
        next.sent(isClosed ? new Error('the stream is closed') : undefined)
      } else index += 1
    }
  }

  /** Nothing more is sent. */
  end(reason: Error): void {
    for (const { sent } of this.#waiting.splice(0)) sent(reason)
  }

  /** How much of so many bytes may be sent on a stream. */
  #roomFor(stream: StreamState, length: number): number {
    if (!this.#peerCounts) return length
    return Math.min(length, this.#allowedBytes - this.#sentBytes, stream.allowedBytes - stream.sentBytes)
  }

  #transmit(stream: StreamState, bytes: Buffer): void {
    stream.sentBytes += bytes.length
    this.#sentBytes += bytes.length
    this.#port.transmit(stream, bytes)
  }
}
