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
import { goAwayStatus, resetStatus, SpdyProtocolError } from './spdy-error.ts'
import { createStream, initialWindowBytes, type SpdyStream, type StreamLink, type StreamState } from './stream.ts'

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

interface WaitingData {
  readonly stream: StreamState
  bytes: Buffer
  readonly sent: (error?: Error) => void
}

/** A peer that has got the end of a session closes the connection within this time, or it is closed under it. */
const closeTimeoutMs = 5_000

export function createSpdySession(options: SpdySessionOptions): SpdySession {
  const { socket, role, clock, onStream } = options
  const grantsRoom = options.toKubernetes !== true
  const limits: SpdyLimits = { ...defaultLimits, ...options.limits }
  const pack = createHeaderPacker()
  const unpack = createHeaderUnpacker(limits)
  const streams = new Map<number, StreamState>()
  const opening = new Map<number, PromiseWithResolvers<SpdyStream>>()
  const pings = new Map<number, PromiseWithResolvers<void>>()
  const closed = new AbortController()
  let nextId = role === 'client' ? 1 : 2
  let nextPing = role === 'client' ? 1 : 2
  let lastPeerId = 0
  let goneAway = false
  let closing = false
  let activeAtMs = clock.nowMs()

  // Flow control of what we send.
  let peerCounts = false
  let initialAllowed = initialWindowBytes
  let sentBytes = 0
  let allowedBytes = initialWindowBytes
  const waiting: WaitingData[] = []

  // Flow control of what we receive.
  let queuedBytes = 0
  const full = new Set<StreamState>()
  let ungranted = 0
  let paused = false

  const isOver = (): boolean => closed.signal.aborted
  const isPeers = (id: number): boolean => id % 2 === (role === 'server' ? 1 : 0)

  function write(bytes: Buffer): void {
    if (!isOver() && !socket.writableEnded) socket.write(bytes)
  }

  /** What the peer has made us say. */
  function answer(frame: Parameters<typeof encodeControl>[0]): void {
    if (socket.writableLength > limits.answersBytesMax) {
      end(new SpdyProtocolError('the peer does not read what it asked for'))
    } else write(encodeControl(frame))
  }

  /** How much of so many bytes may be sent on a stream. */
  const roomFor = (stream: StreamState, length: number): number =>
    peerCounts ? Math.min(length, allowedBytes - sentBytes, stream.allowedBytes - stream.sentBytes) : length

  function transmit(stream: StreamState, bytes: Buffer): void {
    stream.sentBytes += bytes.length
    sentBytes += bytes.length
    activeAtMs = clock.nowMs()
    socket.cork()
    write(dataHead(stream.id, bytes.length, false))
    write(bytes)
    socket.uncork()
  }

  /** Sends what waits and may be sent, in order; a stream without window lets others pass. */
  function flush(): void {
    for (let index = 0; index < waiting.length && !socket.writableNeedDrain; ) {
      const next = waiting[index]!
      const isClosed = streams.get(next.stream.id) !== next.stream
      const room = isClosed ? 0 : roomFor(next.stream, next.bytes.length)
      if (room > 0) transmit(next.stream, next.bytes.subarray(0, room))
      if (room > 0 && room < next.bytes.length) next.bytes = next.bytes.subarray(room)
      else if (room > 0 || isClosed) {
        waiting.splice(index, 1)
        next.sent(isClosed ? new Error('the stream is closed') : undefined)
      } else index += 1
    }
    if (closing) endWhenSent()
  }

  const link: StreamLink = {
    send(stream, bytes, sent) {
      if (isOver()) sent(closed.signal.reason as Error)
      else {
        waiting.push({ stream, bytes, sent })
        flush()
      }
    },
    sendFin: ({ id }) => write(dataHead(id, 0, true)),
    sendReset({ id }, status) {
      answer({ type: 'rstStream', streamId: id, status })
    },
    taken(stream, bytes, grant) {
      queuedBytes -= bytes
      if (grant > 0 && grantsRoom) answer({ type: 'windowUpdate', streamId: stream.id, delta: grant })
      pace(stream)
    },
    over(stream) {
      if (streams.get(stream.id) === stream) streams.delete(stream.id)
      full.delete(stream)
      flush()
    },
  }

  /** Reads the connection only while what it brings has room. */
  function pace(changed: StreamState): void {
    if (changed.queuedBytes > limits.streamQueueBytesMax) full.add(changed)
    else full.delete(changed)
    const isFull = !isOver() && (full.size > 0 || queuedBytes > limits.queueBytesMax)
    if (isFull === paused) return
    paused = isFull
    if (isFull) socket.pause()
    else socket.resume()
  }

  function onControl(frame: ControlFrame): void {
    activeAtMs = clock.nowMs()
    switch (frame.type) {
      case 'synStream':
        onSynStream(frame)
        return
      case 'synReply': {
        readHeaders(frame.block)
        const stream = streams.get(frame.streamId)
        const asked = opening.get(frame.streamId)
        opening.delete(frame.streamId)
        if (stream && asked) asked.resolve(stream)
        if (frame.fin) stream?.receiveFin()
        return
      }
      case 'headers':
        // Nothing of Kubernetes says more with them; they must be unpacked all the same.
        readHeaders(frame.block)
        if (frame.fin) streams.get(frame.streamId)?.receiveFin()
        return
      case 'rstStream': {
        const asked = opening.get(frame.streamId)
        opening.delete(frame.streamId)
        asked?.reject(new Error(`the peer refused the stream with status ${frame.status}`))
        const reset = streams.get(frame.streamId)
        if (!grantsRoom && frame.status === resetStatus.cancel) reset?.receiveFin()
        else reset?.receiveReset(frame.status)
        return
      }
      case 'settings':
        onSettings(frame.settings)
        return
      case 'ping':
        if (isPeers(frame.id)) answer(frame)
        else {
          pings.get(frame.id)?.resolve()
          pings.delete(frame.id)
        }
        return
      case 'goAway':
        goneAway = true
        for (const [id, asked] of opening) {
          if (id <= frame.lastStreamId) continue
          opening.delete(id)
          asked.reject(new Error('the peer takes no more streams'))
          streams.get(id)?.abandon(new Error('the peer takes no more streams'))
        }
        return
      case 'windowUpdate':
        onWindowUpdate(frame.streamId, frame.delta)
        return
      case 'unknown':
        return
    }
  }

  const readHeaders = (block: Buffer): Headers => decodeHeaders(unpack(block), limits)

  function onSynStream({ streamId, fin, unidirectional, block }: Extract<ControlFrame, { type: 'synStream' }>): void {
    // Always unpacked: the next block refers to it.
    const headers = readHeaders(block)
    if (!isPeers(streamId) || streamId <= lastPeerId) throw new SpdyProtocolError(`stream ${streamId} is out of order`)
    lastPeerId = streamId
    if (!onStream || closing || streams.size >= limits.streamsMax) {
      answer({ type: 'rstStream', streamId, status: resetStatus.refusedStream })
      return
    }
    const stream = createStream(streamId, headers, link, { ours: unidirectional, theirs: fin })
    stream.allowedBytes = initialAllowed
    streams.set(streamId, stream)
    try {
      onStream(stream)
      if (streams.get(streamId) === stream) answer({ type: 'synReply', streamId, fin: false, block: pack(encodeHeaders(new Map())) })
    } catch {
      stream.reset(resetStatus.refusedStream)
    }
  }

  function onSettings(settings: ReadonlyMap<number, number>): void {
    const initial = settings.get(initialWindowSetting)
    if (initial === undefined) return
    peerCounts = true
    for (const stream of streams.values()) stream.allowedBytes += initial - initialAllowed
    initialAllowed = initial
    flush()
  }

  function onWindowUpdate(streamId: number, delta: number): void {
    peerCounts = true
    if (streamId === 0) allowedBytes += delta
    else {
      const stream = streams.get(streamId)
      if (stream) stream.allowedBytes += delta
    }
    flush()
  }

  /**
   * The window of the session is given back with what arrives: a stream that nobody reads is not to stop the others. What
   * all of them may keep is bounded by not reading the connection.
   */
  function grantToSession(bytes: number): void {
    ungranted += bytes
    if (ungranted < initialWindowBytes / 2 || !grantsRoom) return
    answer({ type: 'windowUpdate', streamId: 0, delta: ungranted })
    ungranted = 0
  }

  function onData(streamId: number, bytes: Buffer, fin: boolean): void {
    activeAtMs = clock.nowMs()
    grantToSession(bytes.length)
    const stream = streams.get(streamId)
    if (!stream) {
      const wasNever = isPeers(streamId) ? streamId > lastPeerId : streamId >= nextId
      if (wasNever) throw new SpdyProtocolError(`data on stream ${streamId}, which was never opened`)
      // It was on its way when the stream was closed.
      return
    }
    if (bytes.length > 0) {
      queuedBytes += bytes.length
      if (!stream.receive(bytes)) queuedBytes -= bytes.length
    }
    if (fin) stream.receiveFin()
    if (streams.get(streamId) === stream) pace(stream)
  }

  function endWhenSent(): void {
    if (waiting.length > 0 || isOver() || socket.writableEnded) return
    write(encodeControl({ type: 'goAway', lastStreamId: lastPeerId, status: goAwayStatus.ok }))
    socket.end()
  }

  function end(reason: Error): void {
    if (isOver()) return
    if (reason instanceof SpdyProtocolError && !socket.writableEnded) {
      socket.write(encodeControl({ type: 'goAway', lastStreamId: lastPeerId, status: goAwayStatus.protocolError }))
    }
    closed.abort(reason)
    for (const asked of [...opening.values(), ...pings.values()]) asked.reject(reason)
    opening.clear()
    pings.clear()
    for (const { sent } of waiting.splice(0)) sent(reason)
    for (const stream of [...streams.values()]) stream.abandon(reason)
    if (reason instanceof SpdyProtocolError && !socket.destroyed) {
      socket.end()
      clock.after(closeTimeoutMs, () => socket.destroy())
    } else socket.destroy()
  }

  const read = createFrameReader({ onControl, onData }, limits.controlBytesMax)
  function onBytes(chunk: Buffer): void {
    if (isOver()) return
    try {
      read(chunk)
    } catch (error) {
      end(error as Error)
    }
  }
  if (options.head && options.head.length > 0) socket.unshift(options.head)
  const theEnd = (): void => end(new Error('the connection was closed'))
  socket.on('data', onBytes)
  socket.on('drain', flush)
  socket.on('error', (error: Error) => end(error))
  socket.on('end', theEnd)
  socket.on('close', theEnd)

  return {
    open(headers) {
      if (isOver() || closing || goneAway) return Promise.reject(new Error('the session takes no more streams'))
      const id = nextId
      nextId += 2
      const map: Headers = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [value]]))
      const stream = createStream(id, map, link, { ours: false, theirs: false })
      stream.allowedBytes = initialAllowed
      streams.set(id, stream)
      const asked = Promise.withResolvers<SpdyStream>()
      opening.set(id, asked)
      write(encodeControl({ type: 'synStream', streamId: id, fin: false, unidirectional: false, block: pack(encodeHeaders(map)) }))
      return asked.promise
    },
    ping() {
      if (isOver()) return Promise.reject(closed.signal.reason as Error)
      const asked = Promise.withResolvers<void>()
      pings.set(nextPing, asked)
      write(encodeControl({ type: 'ping', id: nextPing }))
      nextPing += 2
      return asked.promise
    },
    close() {
      if (isOver() || closing) return
      closing = true
      endWhenSent()
      clock.after(closeTimeoutMs, theEnd)
    },
    destroy: (reason = new Error('the session was given up')) => end(reason),
    closed: closed.signal,
    get activeAtMs() {
      return activeAtMs
    },
    get streams() {
      return streams.size
    },
  }
}
