// Sends an answer that is made of very many small pieces (a list: the stored bytes of each object) without joining them.
// The pieces are copied into two buffers that take turns, one being filled while the other is on its way: a list of any
// length takes this much memory, makes no garbage, and is encrypted in large parts.
import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'

/** Bytes that go out in one write: nine records of TLS, which Node hands to the kernel at once. */
export const partBytes = 9 * 16 * 1024
const buffersOfAnswer = 2
/** Buffers that are kept for the answers to come. */
const keptBuffersMax = 32

const kept: Buffer[] = []

/** Copies pieces into buffers, as many as fit; a piece may be cut. */
export interface PieceReader {
  /** Bytes that were written to the buffer; fewer than it has only at the end. */
  fill(buffer: Buffer): number
}

export function createPieceReader(pieces: Iterable<Buffer>): PieceReader {
  const iterator = pieces[Symbol.iterator]()
  let piece: Buffer | undefined
  let from = 0
  return {
    fill(buffer) {
      let at = 0
      for (;;) {
        if (piece === undefined) {
          const next = iterator.next()
          if (next.done) return at
          piece = next.value
          from = 0
        }
        const copied = piece.copy(buffer, at, from)
        at += copied
        from += copied
        if (from < piece.length) return at
        piece = undefined
      }
    },
  }
}

/** Sends all pieces as the body and ends the response. Resolves when the kernel has it all, or the client is gone. */
export function sendPieces(response: ServerResponse | Http2ServerResponse, pieces: Iterable<Buffer>): Promise<void> {
  const reader = createPieceReader(pieces)
  const idle: Buffer[] = []
  for (let i = 0; i < buffersOfAnswer; i++) idle.push(kept.pop() ?? Buffer.allocUnsafeSlow(partBytes))
  const done = Promise.withResolvers<void>()
  let over = false
  let filling = false

  const finish = (): void => {
    if (over) return
    over = true
    response.off('close', finish)
    // A buffer that is still on its way is never used again.
    for (const buffer of idle) if (kept.length < keptBuffersMax) kept.push(buffer)
    done.resolve()
  }

  const pump = (): void => {
    // A write may report back before it returns.
    if (filling) return
    filling = true
    try {
      while (!over && idle.length > 0) {
        const buffer = idle.pop()!
        const length = reader.fill(buffer)
        if (length === 0) {
          idle.push(buffer)
          if (idle.length < buffersOfAnswer) return
          response.end()
          finish()
          return
        }
        ;(response as ServerResponse).write(buffer.subarray(0, length), (error) => {
          if (error) return finish()
          idle.push(buffer)
          if (!over) pump()
        })
      }
    } catch (error) {
      over = true
      response.off('close', finish)
      done.reject(error)
    } finally {
      filling = false
    }
  }

  response.on('close', finish)
  pump()
  return done.promise
}
