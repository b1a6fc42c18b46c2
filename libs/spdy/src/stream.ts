// One stream of a session as a Duplex of Node: ending it is half a close, destroying it a reset, and who does not read
// makes the other side wait.
import { Duplex } from 'node:stream'
import type { Headers } from './header-block.ts'
import { resetStatus, SpdyStreamReset } from './spdy-error.ts'

/** Longest data frame that is sent. */
export const dataFrameBytesMax = 32 * 1024
/** What may be sent on a stream before the first WINDOW_UPDATE. */
export const initialWindowBytes = 64 * 1024
/** Room is given back when so much of it has come together. */
const grantBytes = initialWindowBytes / 2

export interface SpdyStream {
  readonly id: number
  /** With which it was opened. */
  readonly headers: Headers
  readonly io: Duplex
  /** Gives it up in both directions; nothing more is heard of it. */
  reset(status: number): void
}

/** What a stream asks of its session. */
export interface StreamLink {
  /** Calls back when the bytes are on their way, as far as the peer and the connection take them now. */
  send(stream: StreamState, bytes: Buffer, sent: (error?: Error) => void): void
  sendFin(stream: StreamState): void
  sendReset(stream: StreamState, status: number): void
  /** The reader has taken so many bytes. */
  taken(stream: StreamState, bytes: number, grant: number): void
  /** Neither side says more. */
  over(stream: StreamState): void
}

/** A stream as its session sees it. */
export interface StreamState extends SpdyStream {
  /** Sent in all, and allowed in all by a peer that counts. */
  sentBytes: number
  allowedBytes: number
  /** Received and not read yet. */
  queuedBytes: number
  /** False: nobody will read it. */
  receive(bytes: Buffer): boolean
  receiveFin(): void
  receiveReset(status: number): void
  /** The session is over. */
  abandon(error: Error): void
}

/** `closedAtStart`: halves that were closed when the stream was opened. */
export function createStream(
  id: number,
  headers: Headers,
  link: StreamLink,
  closedAtStart: { readonly ours: boolean; readonly theirs: boolean },
): StreamState {
  const queue: Buffer[] = []
  let ungranted = 0
  let wanted = false
  let finReceived = closedAtStart.theirs
  let finSent = closedAtStart.ours
  let endTold = false
  /** Nothing more is to be sent about it. */
  let dropped = false

  const finish = (): void => {
    if (dropped) return
    dropped = true
    queue.length = 0
    if (state.queuedBytes > 0) link.taken(state, state.queuedBytes, 0)
    state.queuedBytes = 0
    link.over(state)
  }
  const finishWhenClosed = (): void => {
    if (finSent && finReceived && queue.length === 0) finish()
  }

  /** Hands over what was received, as far as the reader wants it. */
  function deliver(): void {
    while (wanted && queue.length > 0) {
      const bytes = queue.shift()!
      state.queuedBytes -= bytes.length
      ungranted += bytes.length
      const grant = ungranted >= grantBytes && !finReceived ? ungranted : 0
      ungranted -= grant
      link.taken(state, bytes.length, grant)
      wanted = io.push(bytes)
    }
    if (finReceived && queue.length === 0 && !endTold) {
      endTold = true
      io.push(null)
      finishWhenClosed()
    }
  }

  /** No more can come. What came with an end after it is still read. */
  function cut(error: Error): void {
    if (finReceived && !io.readableEnded && !io.destroyed) {
      finSent = true
      link.over(state)
      io.once('end', () => io.destroy())
    } else {
      finish()
      io.destroy(error)
    }
  }

  const io = new Duplex({
    allowHalfOpen: true,
    readableHighWaterMark: initialWindowBytes,
    writableHighWaterMark: dataFrameBytesMax,
    read() {
      wanted = true
      deliver()
    },
    write(chunk: Buffer, _encoding, done) {
      sendAll(chunk, done)
    },
    final(done) {
      if (!finSent && !dropped) {
        finSent = true
        link.sendFin(state)
        finishWhenClosed()
      }
      done()
    },
    destroy(error, done) {
      if (!dropped && !(finSent && finReceived)) link.sendReset(state, resetStatus.cancel)
      finish()
      // Told by the end of both halves, and by their error; nobody has to listen.
      done(error)
    },
  })
  io.on('error', () => undefined)

  function sendAll(chunk: Buffer, done: (error?: Error | null) => void): void {
    const part = chunk.subarray(0, dataFrameBytesMax)
    link.send(state, part, (error) => {
      if (error) done(error)
      else if (part.length < chunk.length) sendAll(chunk.subarray(part.length), done)
      else done()
    })
  }

  const state: StreamState = {
    ...{ id, headers, io },
    ...{ sentBytes: 0, allowedBytes: initialWindowBytes, queuedBytes: 0 },
    reset(status) {
      if (!dropped) link.sendReset(state, status)
      finish()
      io.destroy()
    },
    receive(bytes) {
      // After its own end, or after ours.
      if (finReceived || dropped) return false
      queue.push(bytes)
      state.queuedBytes += bytes.length
      deliver()
      return true
    },
    receiveFin() {
      if (finReceived) return
      finReceived = true
      deliver()
    },
    receiveReset: (status) => cut(new SpdyStreamReset(status)),
    abandon: cut,
  }
  if (closedAtStart.ours) io.end()
  if (closedAtStart.theirs) deliver()
  return state
}
