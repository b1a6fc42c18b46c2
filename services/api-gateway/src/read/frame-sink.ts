// An HTTP response as a sink of watch frames.
import type { Http2ServerResponse } from 'node:http2'
import type { ServerResponse } from 'node:http'
import type { FrameSink } from './watch.ts'

export function frameSink(response: ServerResponse | Http2ServerResponse): FrameSink {
  const closed = new AbortController()
  // HTTP/2 responses wrap a stream, whose buffer is the one that counts.
  const stream = 'stream' in response && response.stream ? response.stream : response
  response.on('close', () => closed.abort())
  response.on('error', () => closed.abort())
  return {
    write: (bytes) => closed.signal.aborted || (response as ServerResponse).write(bytes),
    drained: () =>
      closed.signal.aborted
        ? Promise.resolve()
        : new Promise((resolve) => {
            const done = (): void => {
              response.off('drain', done)
              closed.signal.removeEventListener('abort', done)
              resolve()
            }
            response.on('drain', done)
            closed.signal.addEventListener('abort', done)
          }),
    get buffered() {
      return (stream as ServerResponse).writableLength ?? 0
    },
    end: () => {
      if (!closed.signal.aborted) response.end()
    },
    destroy: () => {
      closed.abort()
      stream.destroy()
    },
    closed: closed.signal,
  }
}
