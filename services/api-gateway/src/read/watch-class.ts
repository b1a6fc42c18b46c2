// The watchers that want the same frames. What they are told is one stream of bytes: each frame is encoded once and kept once,
// until the last watcher has been handed it; a watcher is a position in that stream and holds nothing of its own. So two
// thousand watchers of an object of 1 MB hold that megabyte once, and what their sockets have not taken yet.
import type { Outgoing } from './outgoing.ts'
import type { FrameSink } from './watch.ts'

/** A watcher that is further behind than this is cut: its client starts again from its last version. */
export const watchBufferBytesMax = 4 * 1024 * 1024
/** Few watchers are told of a small change at once: a turn of the event loop would only make them wait. */
const atOnceMembersMax = 32
const atOnceBytesMax = 16 * 1024

export interface Member {
  /** Whether it has been handed everything. */
  readonly caughtUp: boolean
  /** Resolves when it has been handed everything, or its sink is closed. */
  untilCaughtUp(): Promise<void>
  /** Writes something out of turn; false, and nothing is written, when frames wait before it. */
  writeBetween(bytes: Buffer): boolean
  leave(): void
}

export interface MemberClass {
  readonly size: number
  /** Bytes of frames that some member has not been handed. */
  readonly keptBytes: number
  join(sink: FrameSink): Member
  tell(frames: readonly Buffer[]): void
}

interface Position extends Member {
  readonly sink: FrameSink
  at: number
  /** Whether it waits for its turn, or for its socket. */
  busy: boolean
  left: boolean
  onCaughtUp: (() => void)[]
}

export function createMemberClass(outgoing: Outgoing): MemberClass {
  const members = new Set<Position>()
  /** Frames that are kept, and where each begins in the stream. */
  let frames: Buffer[] = []
  let starts: number[] = []
  let end = 0
  /** Members that have not been handed everything. */
  let behind = 0
  /** Members that are at the same place get the same bytes. */
  let joined: { readonly at: number; readonly max: number; readonly bytes: Buffer } | undefined

  const forget = (): void => {
    frames = []
    starts = []
    joined = undefined
  }

  /** Index of the frame that a position lies in. */
  const indexOf = (at: number): number => {
    let low = 0
    let high = starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (starts[middle]! <= at) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** A part of the stream: of a large frame a piece (or the frame, where none may be cut), of small ones as many as fit. */
  const part = (at: number, max: number, mayCut: boolean): Buffer => {
    if (joined?.at === at && joined.max === max) return joined.bytes
    let index = indexOf(at)
    const first = frames[index]!.subarray(at - starts[index]!)
    if (first.length >= max) return mayCut ? first.subarray(0, max) : first
    const some = [first]
    let bytes = first.length
    for (index++; index < frames.length && bytes + frames[index]!.length <= max; index++) {
      some.push(frames[index]!)
      bytes += frames[index]!.length
    }
    if (some.length === 1) return first
    joined = { at, max, bytes: Buffer.concat(some, bytes) }
    return joined.bytes
  }

  const arrive = (member: Position): void => {
    behind--
    if (behind === 0) forget()
    const waiting = member.onCaughtUp
    member.onCaughtUp = []
    for (const resolve of waiting) resolve()
  }

  const leave = (member: Position): void => {
    if (member.left) return
    member.left = true
    members.delete(member)
    if (member.at < end) arrive(member)
  }

  /** Hands a member the next part; called in its turn. */
  const send = (member: Position): void => {
    member.busy = false
    if (member.left || member.at >= end) return
    if (member.sink.closed.aborted) {
      leave(member)
      return
    }
    const bytes = part(member.at, outgoing.chunkBytes, member.sink.mayCutFrames === true)
    member.at += bytes.length
    const room = member.sink.write(bytes)
    if (member.at >= end) arrive(member)
    if (room) {
      goOn(member)
      return
    }
    member.busy = true
    void member.sink.drained().then(() => {
      member.busy = false
      goOn(member)
    })
  }

  const goOn = (member: Position): void => {
    if (member.busy || member.left || member.at >= end) return
    member.busy = true
    outgoing.enqueue(() => send(member))
  }

  function tell(added: readonly Buffer[]): void {
    let bytes = 0
    for (const frame of added) bytes += frame.length
    if (bytes === 0 || members.size === 0) return
    const before = end
    for (const member of members) {
      if (before - member.at > watchBufferBytesMax) {
        leave(member)
        member.sink.destroy()
      }
    }
    // Nobody who is still here needs what lies further back.
    let drop = 0
    while (drop < frames.length && starts[drop]! + frames[drop]!.length <= before - watchBufferBytesMax) drop++
    if (drop > 0) {
      frames = frames.slice(drop)
      starts = starts.slice(drop)
    }
    for (const frame of added) {
      frames.push(frame)
      starts.push(end)
      end += frame.length
    }
    for (const member of members) if (member.at === before) behind++
    const atOnce = members.size <= atOnceMembersMax && bytes <= atOnceBytesMax
    for (const member of members) {
      if (atOnce && !member.busy) send(member)
      else goOn(member)
    }
  }

  function join(sink: FrameSink): Member {
    const sender = outgoing.join()
    const member: Position = {
      sink,
      at: end,
      busy: false,
      left: false,
      onCaughtUp: [],
      get caughtUp() {
        return member.left || member.at >= end
      },
      untilCaughtUp: () =>
        member.caughtUp ? Promise.resolve() : new Promise((resolve) => member.onCaughtUp.push(resolve)),
      writeBetween(bytes) {
        if (member.left || member.busy || member.at < end) return false
        if (sink.write(bytes)) return true
        member.busy = true
        void sink.drained().then(() => {
          member.busy = false
          goOn(member)
        })
        return true
      },
      leave() {
        sender[Symbol.dispose]()
        leave(member)
      },
    }
    members.add(member)
    return member
  }

  return {
    get size() {
      return members.size
    },
    get keptBytes() {
      let bytes = 0
      for (const frame of frames) bytes += frame.length
      return bytes
    },
    join,
    tell,
  }
}
