// One keep-alive HTTPS connection of a load generator, without the cost of a full HTTP client: on a machine whose cores
// are shared, a heavy generator would measure itself. HTTP/1.1, one request at a time, lengths and chunks understood.
import { connect, type ConnectionOptions } from 'node:tls'
import type { Credentials } from './credentials.ts'

const readBufferBytes = 64 * 1024

/** Called with the answer as it comes in; the bytes are overwritten by what comes next. */
export interface AnswerReader {
  onHead?(code: number): void
  onBody?(bytes: Buffer): void
}

export interface ApiConnection {
  /** Sends a whole request; resolves with the status code when the answer is complete. */
  exchange(request: string, reader?: AnswerReader): Promise<number>
  /** Reads nothing any more. */
  pause(): void
  close(): void
}

export const requestHead = (credentials: Credentials, method: string, path: string, more = ''): string =>
  `${method} ${path} HTTP/1.1\r\nHost: ${credentials.host}:${credentials.port}\r\nAccept: application/json\r\n${more}\r\n`

export const post = (credentials: Credentials, path: string, body: string): string =>
  requestHead(
    credentials,
    'POST',
    path,
    `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`,
  ) + body

type State = 'head' | 'length' | 'size' | 'chunk' | 'chunk-end' | 'trailer'

/** Takes bytes as they come and tells heads, bodies and ends apart. */
export function createAnswerParser(on: {
  head(code: number): void
  body(bytes: Buffer): void
  end(): void
}): (bytes: Buffer) => void {
  let state: State = 'head'
  let missing = 0
  let kept: Buffer | undefined

  /** Bytes up to the mark, or undefined (and kept) when it has not come yet. */
  const until = (bytes: Buffer, at: number, mark: string): { text: string; next: number } | undefined => {
    const end = bytes.indexOf(mark, at, 'latin1')
    if (end < 0) {
      kept = Buffer.from(bytes.subarray(at))
      return undefined
    }
    return { text: bytes.toString('latin1', at, end), next: end + mark.length }
  }

  return (incoming) => {
    const bytes = kept ? Buffer.concat([kept, incoming]) : incoming
    kept = undefined
    let at = 0
    while (at < bytes.length) {
      if (state === 'head') {
        const head = until(bytes, at, '\r\n\r\n')
        if (!head) return
        at = head.next
        on.head(Number(head.text.slice(9, 12)))
        if (/\r\ntransfer-encoding: *chunked/i.test(head.text)) state = 'size'
        else {
          missing = Number(/\r\ncontent-length: *(\d+)/i.exec(head.text)?.[1] ?? 0)
          state = 'length'
          if (missing === 0) {
            state = 'head'
            on.end()
          }
        }
      } else if (state === 'length' || state === 'chunk') {
        const take = Math.min(missing, bytes.length - at)
        on.body(bytes.subarray(at, at + take))
        at += take
        missing -= take
        if (missing === 0) {
          if (state === 'chunk') state = 'chunk-end'
          else {
            state = 'head'
            on.end()
          }
        }
      } else if (state === 'size') {
        const line = until(bytes, at, '\r\n')
        if (!line) return
        at = line.next
        missing = Number.parseInt(line.text, 16)
        state = missing === 0 ? 'trailer' : 'chunk'
      } else {
        const line = until(bytes, at, '\r\n')
        if (!line) return
        at = line.next
        if (state === 'chunk-end') state = 'size'
        else if (line.text === '') {
          state = 'head'
          on.end()
        }
      }
    }
  }
}

export function openConnection(credentials: Credentials): Promise<ApiConnection> {
  const { host, port, ca, cert, key } = credentials
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ host, port, ca, cert, key, servername: 'localhost', ALPNProtocols: ['http/1.1'] },
      // One buffer for all that comes: whoever wants to keep some of it copies it.
      onread: {
        buffer: Buffer.allocUnsafeSlow(readBufferBytes),
        callback: (length: number, buffer: Uint8Array) => {
          parse((buffer as Buffer).subarray(0, length))
          return !socket.isPaused()
        },
      },
    } as ConnectionOptions)
    let waiting: { reader: AnswerReader; resolve(code: number): void; reject(error: Error): void } | undefined
    let code = 0
    const parse = createAnswerParser({
      head(status) {
        code = status
        waiting?.reader.onHead?.(status)
      },
      body: (bytes) => waiting?.reader.onBody?.(bytes),
      end() {
        const done = waiting
        waiting = undefined
        done?.resolve(code)
      },
    })
    socket.setNoDelay(true)
    socket.on('error', (error) => {
      reject(error)
      waiting?.reject(error)
    })
    socket.on('close', () => {
      const error = new Error('the server closed the connection')
      reject(error)
      waiting?.reject(error)
    })
    socket.once('secureConnect', () =>
      resolve({
        exchange: (request, reader = {}) =>
          new Promise((resolveAnswer, rejectAnswer) => {
            waiting = { reader, resolve: resolveAnswer, reject: rejectAnswer }
            socket.write(request, 'latin1')
          }),
        pause: () => void socket.pause(),
        close: () => socket.destroy(),
      }),
    )
  })
}
