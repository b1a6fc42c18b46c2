// What was received and waits to be read: the connection is read only while what it brings has room.
import type { Duplex } from 'node:stream'
import { initialWindowBytes, type StreamState } from './stream.ts'

export interface ReceivingLimits {
  /** Received on one stream and not read. */
  readonly streamQueueBytesMax: number
  /** The same, of all streams together. */
  readonly queueBytesMax: number
}

export class Receiving {
  readonly #socket: Duplex
  readonly #limits: ReceivingLimits
  readonly #full = new Set<StreamState>()
  #queuedBytes = 0
  #ungranted = 0
  #isPaused = false

  constructor(socket: Duplex, limits: ReceivingLimits) {
    this.#socket = socket
    this.#limits = limits
  }

  receive(stream: StreamState, bytes: Buffer): void {
    this.#queuedBytes += bytes.length
    if (!stream.receive(bytes)) this.#queuedBytes -= bytes.length
  }

  /** Somebody has read of a stream. */
  taken(stream: StreamState, bytes: number): void {
    this.#queuedBytes -= bytes
    this.pace(stream)
  }

  over(stream: StreamState): void {
    this.#full.delete(stream)
  }

  /** Stops reading the connection, or goes on. */
  pace(changed: StreamState): void {
    if (changed.queuedBytes > this.#limits.streamQueueBytesMax) this.#full.add(changed)
    else this.#full.delete(changed)
    const isFull = this.#full.size > 0 || this.#queuedBytes > this.#limits.queueBytesMax
    if (isFull === this.#isPaused) return
    this.#isPaused = isFull
    if (isFull) this.#socket.pause()
    else this.#socket.resume()
  }

  /**
   * The window of the session is given back with what arrives: a stream that nobody reads is not to stop the others. What
   * all of them may keep is bounded by not reading the connection.
   */
  roomToGrant(arrived: number): number {
    this.#ungranted += arrived
    if (this.#ungranted < initialWindowBytes / 2) return 0
    const room = this.#ungranted
    this.#ungranted = 0
    return room
  }
}
