// A WebSocket as a sink of frames: what an HTTP response gets as one stream of bytes is cut into messages here.
import type { FrameSink } from '../read/watch.ts'
import type { OpenWebSocket } from './web-socket.ts'

const normalClosure = 1_000
const newline = 0x0a

export interface Message {
  readonly data: Buffer | string
  readonly binary: boolean
}

/** Cuts bytes that were written at once into messages. */
export type Messages = (bytes: Buffer) => Iterable<Message>

/** One text message per watch event. Events are lines: JSON has no newline but the one at an event's end. */
export function* eventMessages(bytes: Buffer): Generator<Message> {
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(newline, from)
    const to = end < 0 ? bytes.length : end + 1
    yield { data: bytes.subarray(from, to), binary: false }
    from = to
  }
}

/** Subprotocols of a stream of bytes. */
export const streamProtocols = ['binary.k8s.io', 'base64.binary.k8s.io'] as const

/** A stream of bytes as messages of a subprotocol; binary ones when none was agreed on. */
export const streamMessages = (protocol: string): Messages =>
  protocol === 'base64.binary.k8s.io'
    ? (bytes) => [{ data: bytes.toString('base64'), binary: false }]
    : (bytes) => [{ data: bytes, binary: true }]

export function webSocketSink({ connection, socket }: OpenWebSocket, messages: Messages): FrameSink {
  const closed = new AbortController()
  connection.on('close', () => closed.abort())
  // What a client does wrong on its side ends its connection and nothing else.
  connection.on('error', () => closed.abort())
  return {
    write(bytes) {
      if (closed.signal.aborted) return true
      socket.cork()
      for (const { data, binary } of messages(bytes)) connection.send(data, { binary, fin: true }, () => undefined)
      socket.uncork()
      return !socket.writableNeedDrain
    },
    drained: () =>
      closed.signal.aborted || !socket.writableNeedDrain
        ? Promise.resolve()
        : new Promise((resolve) => {
            const done = (): void => {
              socket.off('drain', done)
              closed.signal.removeEventListener('abort', done)
              resolve()
            }
            socket.on('drain', done)
            closed.signal.addEventListener('abort', done)
          }),
    get buffered() {
      return connection.bufferedAmount
    },
    end() {
      if (!closed.signal.aborted) connection.close(normalClosure)
    },
    destroy() {
      closed.abort()
      connection.terminate()
    },
    closed: closed.signal,
  }
}
