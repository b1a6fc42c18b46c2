// The failure that every way to a gateway has, and what follows from it: what was surely not carried out is asked again.
import type { Clock } from '@shiplog/runtime/clock'

/** No answer. `ambiguous` says whether the request may have been carried out. */
export class ApiUnreachable extends Error {
  override readonly name = 'ApiUnreachable'
  readonly ambiguous: boolean
  constructor(message: string, options: { ambiguous: boolean; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.ambiguous = options.ambiguous
  }
}

/** How long a request that was not carried out is tried again. */
const retryForMs = 8_000
const pauseMsMin = 20
const pauseMsMax = 500
/** A server that asks for more patience than this gets this much. */
const retryAfterMsMax = 2_000

/**
 * Asks until there is an answer. A connection that could not be made, a request that was refused unseen, 429 and 503 are
 * tried again for a while; a write without an answer is not: it may have been stored, and only the caller can tell (it
 * throws ApiUnreachable with `ambiguous`). Reads are asked again in either case.
 */
export async function persist<T extends { readonly code: number }>(
  how: {
    readonly clock: Clock
    readonly isRead: boolean
    /** How long a server that refuses asks to be left alone. */
    readonly retryAfterSeconds: (answer: T) => number
  },
  ask: () => Promise<T>,
): Promise<T> {
  const { clock, isRead } = how
  const deadlineMs = clock.nowMs() + retryForMs
  for (let tries = 0; ; tries++) {
    let pauseMs = Math.min(pauseMsMin * 2 ** Math.min(tries, 10), pauseMsMax)
    try {
      const answer = await ask()
      if (answer.code !== 429 && answer.code !== 503) return answer
      const seconds = how.retryAfterSeconds(answer)
      if (seconds > 0) pauseMs = Math.min(seconds * 1_000, retryAfterMsMax)
      if (clock.nowMs() + pauseMs > deadlineMs) return answer
    } catch (error) {
      if (!(error instanceof ApiUnreachable) || (error.ambiguous && !isRead)) throw error
      if (clock.nowMs() + pauseMs > deadlineMs) throw error
    }
    await clock.sleep(pauseMs)
  }
}
