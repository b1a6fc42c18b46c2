// What goes out to very many clients from one event loop. Answers that do not fit into one write are sent a slice at a time,
// everyone in turn, and between slices the loop turns: the kernel takes a write to a client that reads at once, so whoever
// writes on and on would keep everybody else waiting. And there are only so many of them at a time, since each holds bytes.
import { ApiError, tooManyRequests } from '@shiplog/api/status'
import type { Clock } from '@shiplog/runtime/clock'
import { sliceMs } from './slices.ts'
import type { FrameSink } from './watch.ts'

/** Bytes that all senders together may hand to sockets that have not taken them. */
const handedBytesMax = 64 * 1024 * 1024
/** A sender hands over at most, and at least, so much at a time: less when there are many. */
const chunkBytesMax = 128 * 1024
const chunkBytesMin = 16 * 1024
/** What large answers that are on their way may hold: of all users, and of one. */
const heldBytesMax = 64 * 1024 * 1024
const heldBytesOfUserMax = 32 * 1024 * 1024
/** How long, and how many, wait for room before they are told to come back later. */
const waitMs = 5_000
const waitingMax = 1_000
const retryAfterSeconds = 2
/** Who takes nothing of a large answer for this long is cut off. */
export const stalledMs = 30_000

export interface Outgoing {
  /** Calls `send` when its turn has come. It should write no more than a chunk. */
  enqueue(send: () => void): void
  /** Begins a slice of time; tells whether it is over. */
  beginTurn(): () => boolean
  /** How much one sender should hand over at a time, now. */
  readonly chunkBytes: number
  /** Writes what `next` makes, piece by piece, as the client takes it, until it makes nothing more or the sink is closed. */
  pump(sink: FrameSink, next: () => Buffer | undefined): Promise<void>
  /** Calls `cut` unless it is disposed of in time: the client takes nothing. */
  cutOffLater(cut: () => void): Disposable
  /** Room for a large answer of a user that may hold this much; throws 429 when there is none in time. */
  admit(user: string, bytes: number, signal?: AbortSignal): Promise<Disposable>
  /** Counts a sender that stays, for the size of chunks. */
  join(): Disposable
  readonly heldBytes: number
}

interface Waiting {
  readonly user: string
  readonly bytes: number
  admit(): void
}

export interface OutgoingLimits {
  readonly heldBytesMax?: number
  readonly heldBytesOfUserMax?: number
}

export function createOutgoing(clock: Clock, limits: OutgoingLimits = {}): Outgoing {
  const allMax = limits.heldBytesMax ?? heldBytesMax
  const userMax = limits.heldBytesOfUserMax ?? heldBytesOfUserMax
  const turns = createTurns(clock)
  const heldBy = new Map<string, number>()
  let held = 0
  let senders = 0
  let waiting: Waiting[] = []

  const fits = (user: string, bytes: number): boolean =>
    held + bytes <= allMax && (heldBy.get(user) ?? 0) + bytes <= userMax

  const hold = (user: string, bytes: number): Disposable => {
    held += bytes
    heldBy.set(user, (heldBy.get(user) ?? 0) + bytes)
    let over = false
    return {
      [Symbol.dispose]() {
        if (over) return
        over = true
        held -= bytes
        const left = heldBy.get(user)! - bytes
        if (left > 0) heldBy.set(user, left)
        else heldBy.delete(user)
        letIn()
      },
    }
  }

  /** Whoever waits and fits now, the longest first; one user's full share does not hold up the others. */
  const letIn = (): void => {
    if (waiting.length === 0) return
    const left: Waiting[] = []
    for (const each of waiting) {
      if (fits(each.user, each.bytes)) each.admit()
      else left.push(each)
    }
    waiting = left
  }

  async function admit(user: string, asked: number, signal?: AbortSignal): Promise<Disposable> {
    const bytes = Math.min(asked, userMax)
    if (fits(user, bytes)) return hold(user, bytes)
    if (waiting.length >= waitingMax) throw tooMany(user, heldBy.get(user) ?? 0, held)
    const turn = Promise.withResolvers<Disposable | undefined>()
    const place: Waiting = { user, bytes, admit: () => turn.resolve(hold(user, bytes)) }
    const leave = (): void => {
      waiting = waiting.filter((each) => each !== place)
      turn.resolve(undefined)
    }
    waiting.push(place)
    using _timer = clock.after(waitMs, leave)
    signal?.addEventListener('abort', leave, { once: true })
    const room = await turn.promise
    signal?.removeEventListener('abort', leave)
    if (!room) throw tooMany(user, heldBy.get(user) ?? 0, held)
    return room
  }

  const join = (): Disposable => {
    senders++
    return { [Symbol.dispose]: () => void senders-- }
  }

  return {
    enqueue: turns,
    beginTurn() {
      const endMs = clock.nowMs() + sliceMs
      return () => clock.nowMs() >= endMs
    },
    get chunkBytes() {
      return Math.max(chunkBytesMin, Math.min(chunkBytesMax, Math.floor(handedBytesMax / Math.max(1, senders))))
    },
    async pump(sink, next) {
      using _sender = join()
      await pumpInTurns(clock, turns, sink, next)
    },
    cutOffLater: (cut) => clock.after(stalledMs, cut),
    admit,
    join,
    get heldBytes() {
      return held
    },
  }
}

const tooMany = (user: string, ofUser: number, all: number): ApiError =>
  new ApiError(
    tooManyRequests(
      `too many large answers are on their way to clients (${ofUser} bytes to user ${JSON.stringify(user)}, ${all} bytes in all), please try again later`,
      retryAfterSeconds,
    ),
  )

/** One after the other, for a slice of time, then the event loop turns. */
function createTurns(clock: Clock): (send: () => void) => void {
  let queue: (() => void)[] = []
  let at = 0
  let scheduled = false
  const run = (): void => {
    scheduled = false
    const endMs = clock.nowMs() + sliceMs
    while (at < queue.length) {
      queue[at++]!()
      if (clock.nowMs() >= endMs) break
    }
    if (at >= queue.length) {
      queue = []
      at = 0
    } else {
      if (at > 1_024 && at * 2 > queue.length) {
        queue = queue.slice(at)
        at = 0
      }
      schedule()
    }
  }
  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    setImmediate(run)
  }
  return (send) => {
    queue.push(send)
    schedule()
  }
}

function pumpInTurns(
  clock: Clock,
  enqueue: (send: () => void) => void,
  sink: FrameSink,
  next: () => Buffer | undefined,
): Promise<void> {
  const done = Promise.withResolvers<void>()
  const step = (): void => {
    try {
      const bytes = sink.closed.aborted ? undefined : next()
      if (bytes === undefined) {
        done.resolve()
        return
      }
      if (sink.write(bytes)) {
        enqueue(step)
        return
      }
    } catch (error) {
      done.reject(error)
      return
    }
    const stalled = clock.after(stalledMs, () => sink.destroy())
    void sink.drained().then(() => {
      stalled[Symbol.dispose]()
      enqueue(step)
    })
  }
  enqueue(step)
  return done.promise
}
