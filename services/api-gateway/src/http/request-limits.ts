// How large the head of a request may be, over both versions of HTTP, and what is told to who sends more. Upstream takes
// 1 MB (Go's DefaultMaxHeaderBytes); Node's own limit of 16 KB would refuse a long label selector.
import type { IncomingMessage } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import type { Socket } from 'node:net'
import { badRequest, requestHeadersTooLarge, requestTooSlow, type Status } from '@shiplog/api/status'

/** Request line and headers together, as upstream. */
export const headBytesMax = 1024 * 1024
/** As Go adds for what its reader takes in advance. */
const headSlopBytes = 4_096
/** HTTP/2 takes twice as much off the wire, so that who sends too much is answered and not cut off. */
const headerListBytesMax = 2 * headBytesMax
/** HTTP/2 counts each field 32 bytes longer than it is. */
const fieldOverheadBytes = 32
/** Fields of one request. */
const headerFieldsMax = 16_384
/** As Go's server: what fits into the head fits into one frame, since a client may not continue a head without end. */
const frameBytesMax = 1024 * 1024
/** A refused client that is still sending may send this much, and pause this long, before the connection is reset. */
const lingerBytes = 16 * 1024 * 1024
const lingerMs = 1_000

/** Options of Node's servers. */
export const headLimits = {
  maxHeaderSize: headBytesMax + headSlopBytes,
  maxHeaderListPairs: headerFieldsMax,
  settings: { maxHeaderListSize: headerListBytesMax, maxFrameSize: frameBytesMax },
} as const

/** Whether the head of a request of HTTP/2 is larger than what HTTP/1.1 would take. */
export function isHeadTooLarge(raw: IncomingMessage | Http2ServerRequest): boolean {
  if (!('stream' in raw)) return false
  const fields: readonly string[] = raw.rawHeaders
  let bytes = 0
  for (const text of fields) bytes += text.length
  return bytes + (fields.length / 2) * fieldOverheadBytes > headBytesMax + headSlopBytes
}

const refused = new WeakSet<Socket>()

/** Answers what Node's parser of HTTP/1.1 could not take, and closes the connection so that the answer is read. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  // What was sent after the refused part is an error, too.
  if (refused.has(socket)) return
  refused.add(socket)
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const status = statusOfClientError(error)
  const body = JSON.stringify(status)
  socket.end(
    `HTTP/1.1 ${status.code} ${STATUS_CODES[status.code]}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
  // A reset while the client still sends would take the answer from it unread: the rest is read and dropped for a while.
  let left = lingerBytes
  socket.removeAllListeners('data')
  socket.on('data', (bytes: Buffer) => {
    left -= bytes.length
    if (left < 0) socket.destroy()
  })
  socket.resume()
  socket.setTimeout(lingerMs, () => socket.destroy())
}

function statusOfClientError(error: Error & { code?: string }): Status {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return requestHeadersTooLarge()
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return requestTooSlow()
    default:
      return badRequest(`the request is not HTTP: ${error.message}`)
  }
}
