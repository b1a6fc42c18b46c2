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

const untilFull = (): (() => boolean) => () => false

/** Copies pieces into buffers, as many as fit; a piece may be cut. */
export interface PieceReader {
  /** Bytes that were written to the buffer: none only at the end, and fewer than it has there or when time is over. */
  fill(buffer: Buffer): number
}

/** Some pieces take time to make: no more are asked for once `isOver` says so. */
export function createPieceReader(pieces: Iterable<Buffer>, begin: () => () => boolean = untilFull): PieceReader {
  const iterator = pieces[Symbol.iterator]()
  let piece: Buffer | undefined
  let from = 0
  return {
    fill(buffer) {
      let at = 0
      const isOver = begin()
      for (;;) {
        if (piece === undefined) {
          if (at > 0 && isOver()) return at
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

/** Who sends in turn with others, and how long a client may take nothing before it is cut off. */
export interface InTurn {
  /** Begins a turn; tells whether it has lasted long enough. */
  beginTurn(): () => boolean
  enqueue(send: () => void): void
  cutOffLater(cut: () => void): Disposable
}

/** What the buffers of one answer take. */
export const heldBytesOfAnswer = buffersOfAnswer * partBytes

/**
 * Sends all pieces as the body and ends the response, a part at a time in turn with all others that send. Resolves when
 * the kernel has it all, or the client is gone.
 */
export function sendPieces(
  response: ServerResponse | Http2ServerResponse,
  pieces: Iterable<Buffer>,
  inTurn: InTurn,
): Promise<void> {
  const reader = createPieceReader(pieces, () => inTurn.beginTurn())
  const idle: Buffer[] = []
  for (let i = 0; i < buffersOfAnswer; i++) idle.push(kept.pop() ?? Buffer.allocUnsafeSlow(partBytes))
  const done = Promise.withResolvers<void>()
  let over = false
  let queued = false
  let stalled: Disposable | undefined

  const finish = (): void => {
    if (over) return
    over = true
    response.off('close', finish)
    stalled?.[Symbol.dispose]()
    // A buffer that is still on its way is never used again.
    for (const buffer of idle) if (kept.length < keptBuffersMax) kept.push(buffer)
    done.resolve()
  }

  const goOn = (): void => {
    if (queued || over || idle.length === 0) return
    queued = true
    inTurn.enqueue(pump)
  }

  const pump = (): void => {
    queued = false
    if (over) return
    try {
      const buffer = idle.pop()!
      const length = reader.fill(buffer)
      if (length === 0) {
        idle.push(buffer)
        if (idle.length < buffersOfAnswer) return
        response.end()
        finish()
        return
      }
      stalled?.[Symbol.dispose]()
      stalled = inTurn.cutOffLater(() => response.destroy())
      ;(response as ServerResponse).write(buffer.subarray(0, length), (error) => {
        if (error) return finish()
        idle.push(buffer)
        goOn()
      })
      goOn()
    } catch (error) {
      over = true
      response.off('close', finish)
      stalled?.[Symbol.dispose]()
      done.reject(error)
    }
  }

  response.on('close', finish)
  goOn()
  return done.promise
}
