// A session of SPDY/3.1 on a connection that was upgraded to it: either side, since the gateway answers kubectl and a node
// asks its runtime. Everything from the peer is untrusted: sizes, counts and what waits to be read or written are bounded,
// and what makes no sense ends the session.
//
// Kubernetes' own library for SPDY neither counts windows nor gives room back: it lets the connection's own flow control do.
// So a peer is held to windows from its first WINDOW_UPDATE on; until then, and if none ever comes, the connection paces
// what is sent. What it sends unasked is kept up to a bound, then the connection is not read until somebody reads the stream.
import type { Duplex } from 'node:stream'
import type { Clock } from '@shiplog/runtime/clock'
import { type ControlFrame, createFrameReader, dataHead, encodeControl, initialWindowSetting } from './frames.ts'
import {
  createHeaderPacker,
  createHeaderUnpacker,
  decodeHeaders,
  encodeHeaders,
  type HeaderLimits,
  type Headers,
} from './header-block.ts'
import { Receiving } from './receiving.ts'
import { Sending } from './sending.ts'
import { goAwayStatus, resetStatus, SpdyProtocolError } from './spdy-error.ts'
import { createStream, type SpdyStream, type StreamLink, type StreamState } from './stream.ts'

export interface SpdyLimits extends HeaderLimits {
  /** Streams that the peer may have open at once; one more is refused. */
  readonly streamsMax: number
  readonly controlBytesMax: number
  /** Received on one stream and not read. Beyond it nothing more is read off the connection. */
  readonly streamQueueBytesMax: number
  /** The same, of all streams together. */
  readonly queueBytesMax: number
  /** A peer that makes us answer and does not read what we answer is dropped. */
  readonly answersBytesMax: number
}

export const defaultLimits: SpdyLimits = {
  streamsMax: 512,
  controlBytesMax: 64 * 1024,
  blockBytesMax: 64 * 1024,
  headersMax: 128,
  streamQueueBytesMax: 256 * 1024,
  queueBytesMax: 4 * 1024 * 1024,
  answersBytesMax: 1024 * 1024,
}

export interface SpdySessionOptions {
  readonly role: 'client' | 'server'
  /** The connection after the upgrade. */
  readonly socket: Duplex
  /** What came of it with the upgrade. */
  readonly head?: Buffer
  readonly clock: Clock
  /** A stream that the peer opened; it is accepted unless this throws. Without it none is. */
  readonly onStream?: (stream: SpdyStream) => void
  readonly limits?: Partial<SpdyLimits>
  /**
   * The peer is a streaming server of Kubernetes' own library. It closes the connection as soon as it has said all, without
   * reading, and resets its streams before: what we would send then (room, for which it never asks) would make the kernel
   * throw away what is still on its way. So nothing is granted, and a cancelled stream is one that has ended.
   */
  readonly toKubernetes?: boolean
}

export interface SpdySession {
  /** Resolves when the peer has accepted the stream. Rejects when it has not, or the session is over. */
  open(headers: Readonly<Record<string, string>>): Promise<SpdyStream>
  /** Asks whether the peer is there. Rejects when the session is over. */
  ping(): Promise<void>
  /** Ends in order: what was written is sent, then the connection is closed. */
  close(): void
  /** Ends at once. */
  destroy(reason?: Error): void
  /** Aborted when the session is over. */
  readonly closed: AbortSignal
  /** When something was last heard, or said on a stream. */
  readonly activeAtMs: number
  /** Streams that are open. */
  readonly streams: number
}

/** A peer that has got the end of a session closes the connection within this time, or it is closed under it. */
const closeTimeoutMs = 5_000

export const createSpdySession = (options: SpdySessionOptions): SpdySession => new Session(options)

type SynStream = Extract<ControlFrame, { type: 'synStream' }>

class Session implements SpdySession {
  readonly #options: SpdySessionOptions
  readonly #limits: SpdyLimits
  readonly #grantsRoom: boolean
  readonly #pack = createHeaderPacker()
  readonly #unpack: (block: Buffer) => Buffer
  readonly #streams = new Map<number, StreamState>()
  readonly #opening = new Map<number, PromiseWithResolvers<SpdyStream>>()
  readonly #pings = new Map<number, PromiseWithResolvers<void>>()
  readonly #closed = new AbortController()
  readonly #sending: Sending
  readonly #receiving: Receiving
  #nextId: number
  #nextPing: number
  #lastPeerId = 0
  #isGoneAway = false
  #isClosing = false
  #activeAtMs: number

  constructor(options: SpdySessionOptions) {
    const { socket, role, clock } = options
    this.#options = options
    this.#grantsRoom = options.toKubernetes !== true
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#unpack = createHeaderUnpacker(this.#limits)
    this.#nextId = this.#nextPing = role === 'client' ? 1 : 2
    this.#activeAtMs = clock.nowMs()
    this.#sending = new Sending({
      isOpen: (stream) => this.#streams.get(stream.id) === stream,
      mayWrite: () => !socket.writableNeedDrain,
      transmit: (stream, bytes) => this.#transmit(stream, bytes),
    })
    this.#receiving = new Receiving(socket, this.#limits)
    this.#listen()
  }

  get closed(): AbortSignal {
    return this.#closed.signal
  }

  get activeAtMs(): number {
    return this.#activeAtMs
  }

  get streams(): number {
    return this.#streams.size
  }

  open(headers: Readonly<Record<string, string>>): Promise<SpdyStream> {
    if (this.#isOver || this.#isClosing || this.#isGoneAway)
      return Promise.reject(new Error('the session takes no more streams'))
    const id = this.#nextId
    this.#nextId += 2
    const map: Headers = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [value]]))
    this.#add(createStream(id, map, this.#link, { ours: false, theirs: false }))
    const asked = Promise.withResolvers<SpdyStream>()
    this.#opening.set(id, asked)
    const block = this.#pack(encodeHeaders(map))
    this.#write(encodeControl({ type: 'synStream', streamId: id, fin: false, unidirectional: false, block }))
    return asked.promise
  }

  ping(): Promise<void> {
    if (this.#isOver) return Promise.reject(this.#closed.signal.reason as Error)
    const asked = Promise.withResolvers<void>()
    this.#pings.set(this.#nextPing, asked)
    this.#write(encodeControl({ type: 'ping', id: this.#nextPing }))
    this.#nextPing += 2
    return asked.promise
  }

  close(): void {
    if (this.#isOver || this.#isClosing) return
    this.#isClosing = true
    this.#endWhenSent()
    this.#options.clock.after(closeTimeoutMs, this.#connectionEnded)
  }

  destroy(reason = new Error('the session was given up')): void {
    this.#end(reason)
  }

  #listen(): void {
    const { socket, head } = this.#options
    const handler = {
      onControl: (frame: ControlFrame) => this.#onControl(frame),
      onData: (streamId: number, bytes: Buffer, fin: boolean) => this.#onData(streamId, bytes, fin),
    }
    const read = createFrameReader(handler, this.#limits.controlBytesMax)
    if (head && head.length > 0) socket.unshift(head)
    socket.on('data', (chunk: Buffer) => {
      if (this.#isOver) return
      try {
        read(chunk)
      } catch (error) {
        this.#end(error as Error)
      }
    })
    socket.on('drain', () => this.#flush())
    socket.on('error', (error: Error) => this.#end(error))
    socket.on('end', this.#connectionEnded)
    socket.on('close', this.#connectionEnded)
  }

  readonly #connectionEnded = (): void => this.#end(new Error('the connection was closed'))

  get #isOver(): boolean {
    return this.#closed.signal.aborted
  }

  #isPeers(id: number): boolean {
    return id % 2 === (this.#options.role === 'server' ? 1 : 0)
  }

  #add(stream: StreamState): void {
    stream.allowedBytes = this.#sending.initialAllowed
    this.#streams.set(stream.id, stream)
  }

  #write(bytes: Buffer): void {
    const { socket } = this.#options
    if (!this.#isOver && !socket.writableEnded) socket.write(bytes)
  }

  /** What the peer has made us say. */
  #answer(frame: Parameters<typeof encodeControl>[0]): void {
    if (this.#options.socket.writableLength > this.#limits.answersBytesMax) {
      this.#end(new SpdyProtocolError('the peer does not read what it asked for'))
    } else this.#write(encodeControl(frame))
  }

  #transmit(stream: StreamState, bytes: Buffer): void {
    const { socket, clock } = this.#options
    this.#activeAtMs = clock.nowMs()
    socket.cork()
    this.#write(dataHead(stream.id, bytes.length, false))
    this.#write(bytes)
    socket.uncork()
  }

  #flush(): void {
    this.#sending.flush()
    if (this.#isClosing) this.#endWhenSent()
  }

  /** What its streams ask of the session. */
  readonly #link: StreamLink = {
    send: (stream, bytes, sent) => {
      if (this.#isOver) return sent(this.#closed.signal.reason as Error)
      this.#sending.add(stream, bytes, sent)
      this.#flush()
    },
    sendFin: ({ id }) => this.#write(dataHead(id, 0, true)),
    sendReset: ({ id }, status) => this.#answer({ type: 'rstStream', streamId: id, status }),
    taken: (stream, bytes, grant) => {
      if (grant > 0 && this.#grantsRoom) this.#answer({ type: 'windowUpdate', streamId: stream.id, delta: grant })
      this.#receiving.taken(stream, bytes)
    },
    over: (stream) => {
      if (this.#streams.get(stream.id) === stream) this.#streams.delete(stream.id)
      this.#receiving.over(stream)
      this.#flush()
    },
  }

  #onControl(frame: ControlFrame): void {
    this.#activeAtMs = this.#options.clock.nowMs()
    switch (frame.type) {
      case 'synStream':
        this.#onSynStream(frame)
        break
      case 'synReply':
        this.#onSynReply(frame)
        break
      case 'headers':
        // Nothing of Kubernetes says more with them; they must be unpacked all the same.
        this.#readHeaders(frame.block)
        if (frame.fin) this.#streams.get(frame.streamId)?.receiveFin()
        break
      case 'rstStream':
        this.#onReset(frame.streamId, frame.status)
        break
      case 'settings':
        this.#onSettings(frame.settings)
        break
      case 'ping':
        this.#onPing(frame)
        break
      case 'goAway':
        this.#onGoAway(frame.lastStreamId)
        break
      case 'windowUpdate':
        this.#sending.allowMore(frame.streamId === 0 ? 'session' : this.#streams.get(frame.streamId), frame.delta)
        this.#flush()
        break
      case 'unknown':
        break
    }
  }

  #onSettings(settings: ReadonlyMap<number, number>): void {
    const initial = settings.get(initialWindowSetting)
    if (initial === undefined) return
    this.#sending.allowInitially(initial, this.#streams.values())
    this.#flush()
  }

  #onPing(frame: Extract<ControlFrame, { type: 'ping' }>): void {
    if (this.#isPeers(frame.id)) this.#answer(frame)
    else {
      this.#pings.get(frame.id)?.resolve()
      this.#pings.delete(frame.id)
    }
  }

  #readHeaders(block: Buffer): Headers {
    return decodeHeaders(this.#unpack(block), this.#limits)
  }

  #onSynStream({ streamId, fin, unidirectional, block }: SynStream): void {
    // Always unpacked: the next block refers to it.
    const headers = this.#readHeaders(block)
    if (!this.#isPeers(streamId) || streamId <= this.#lastPeerId)
      throw new SpdyProtocolError(`stream ${streamId} is out of order`)
    this.#lastPeerId = streamId
    const { onStream } = this.#options
    if (!onStream || this.#isClosing || this.#streams.size >= this.#limits.streamsMax) {
      this.#answer({ type: 'rstStream', streamId, status: resetStatus.refusedStream })
      return
    }
    const stream = createStream(streamId, headers, this.#link, { ours: unidirectional, theirs: fin })
    this.#add(stream)
    try {
      onStream(stream)
      if (this.#streams.get(streamId) !== stream) return
      this.#answer({ type: 'synReply', streamId, fin: false, block: this.#pack(encodeHeaders(new Map())) })
    } catch {
      stream.reset(resetStatus.refusedStream)
    }
  }

  #onSynReply({ streamId, fin, block }: Extract<ControlFrame, { type: 'synReply' }>): void {
    this.#readHeaders(block)
    const stream = this.#streams.get(streamId)
    const asked = this.#opening.get(streamId)
    this.#opening.delete(streamId)
    if (stream && asked) asked.resolve(stream)
    if (fin) stream?.receiveFin()
  }

  #onReset(streamId: number, status: number): void {
    const asked = this.#opening.get(streamId)
    this.#opening.delete(streamId)
    asked?.reject(new Error(`the peer refused the stream with status ${status}`))
    const reset = this.#streams.get(streamId)
    if (!this.#grantsRoom && status === resetStatus.cancel) reset?.receiveFin()
    else reset?.receiveReset(status)
  }

  #onGoAway(lastStreamId: number): void {
    this.#isGoneAway = true
    for (const [id, asked] of this.#opening) {
      if (id <= lastStreamId) continue
      this.#opening.delete(id)
      asked.reject(new Error('the peer takes no more streams'))
      this.#streams.get(id)?.abandon(new Error('the peer takes no more streams'))
    }
  }

  #onData(streamId: number, bytes: Buffer, fin: boolean): void {
    this.#activeAtMs = this.#options.clock.nowMs()
    const room = this.#receiving.roomToGrant(bytes.length)
    if (room > 0 && this.#grantsRoom) this.#answer({ type: 'windowUpdate', streamId: 0, delta: room })
    const stream = this.#streams.get(streamId)
    if (!stream) {
      const wasNever = this.#isPeers(streamId) ? streamId > this.#lastPeerId : streamId >= this.#nextId
      if (wasNever) throw new SpdyProtocolError(`data on stream ${streamId}, which was never opened`)
      // It was on its way when the stream was closed.
      return
    }
    if (bytes.length > 0) this.#receiving.receive(stream, bytes)
    if (fin) stream.receiveFin()
    if (this.#streams.get(streamId) === stream) this.#receiving.pace(stream)
  }

  #endWhenSent(): void {
    const { socket } = this.#options
    if (this.#sending.isWaiting || this.#isOver || socket.writableEnded) return
    this.#write(encodeControl({ type: 'goAway', lastStreamId: this.#lastPeerId, status: goAwayStatus.ok }))
    socket.end()
  }

  #end(reason: Error): void {
    if (this.#isOver) return
    const { socket, clock } = this.#options
    const isProtocolError = reason instanceof SpdyProtocolError
    if (isProtocolError && !socket.writableEnded) {
      socket.write(encodeControl({ type: 'goAway', lastStreamId: this.#lastPeerId, status: goAwayStatus.protocolError }))
    }
    this.#closed.abort(reason)
    for (const asked of [...this.#opening.values(), ...this.#pings.values()]) asked.reject(reason)
    this.#opening.clear()
    this.#pings.clear()
    this.#sending.end(reason)
    for (const stream of [...this.#streams.values()]) stream.abandon(reason)
    if (isProtocolError && !socket.destroyed) {
      socket.end()
      clock.after(closeTimeoutMs, () => socket.destroy())
    } else socket.destroy()
  }
}
