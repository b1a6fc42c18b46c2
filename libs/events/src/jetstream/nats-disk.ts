// The disk of a nats-server of our own. A stream that has met a full disk stays broken until the server is started again, and
// a store limit is reckoned at the start: so whoever owns the server starts it again once there is room, and nobody else has to.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@shiplog/runtime/clock'
import { describeDisk, makeRoom, spaceOf } from '@shiplog/runtime/disk-space'
import type { LogDisk, NoRoom } from './log-disk.ts'

/**
 * Of what is free at a start the store may take all but this, or but a share of it: the rest is for its index, and because
 * the server refuses only what comes after the message that passed the limit.
 */
const keptFreeBytes = 64 * 1024 * 1024
const keptFreeShare = 0.25
/** How often it is looked whether there is room, after an append found none. */
const lookEveryMs = 1_000
/** How much more the store must be able to take. */
const roomBytesMin = 1024 * 1024
/** How much must be free before a stream that met a full disk is tried again. */
const brokenBytesMin = 2 * roomBytesMin
/** A server that was just started again is given this long before it is started again. */
const restartEveryMs = 5_000
/** How long after the last append without room nobody waits for it any more. */
const forgetAfterMs = 600_000

function bytesBelow(directory: string): number {
  let bytes = 0
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    try {
      bytes += statSync(join(entry.parentPath, entry.name)).size
    } catch {
      // Gone meanwhile: the server tidies its store.
    }
  }
  return bytes
}

/** What the streams may take on the disk as it is now: what they have, and most of what is free. */
export const storeLimit = (directory: string): number =>
  Math.max(roomBytesMin, Math.floor(bytesBelow(directory) + usable(spaceOf(directory).free)))

const usable = (free: number): number => free - Math.min(keptFreeBytes, free * keptFreeShare)

export function watchDisk(options: {
  readonly directory: string
  readonly clock: Clock
  /** What the server was started with. */
  readonly limitBytes: () => number
  readonly restart: () => void
}): LogDisk & Disposable {
  const { directory, clock, limitBytes, restart } = options
  let looking: Disposable | undefined
  /** Whether the server refused, or said nothing. */
  let how: NoRoom = 'refused'
  let restartedMs = Number.NEGATIVE_INFINITY
  let noRoomMs = 0

  const rest = (): void => {
    looking?.[Symbol.dispose]()
    looking = undefined
  }

  /** At its limit, a server takes more when its limit would be another now; a stream that says nothing is broken. */
  const isRoom = (): boolean =>
    how === 'refused'
      ? storeLimit(directory) >= limitBytes() + roomBytesMin
      : spaceOf(directory).free >= brokenBytesMin

  const look = (): void => {
    const nowMs = clock.nowMs()
    if (nowMs - noRoomMs > forgetAfterMs) {
      rest()
      return
    }
    try {
      if (nowMs - restartedMs < restartEveryMs || !isRoom()) return
    } catch {
      // A disk that cannot be looked at has no room.
      return
    }
    restartedMs = nowMs
    // Whether it helped says the next append: it comes back here when it finds no room.
    rest()
    restart()
  }

  return {
    describe: () => describeDisk(directory, makeRoom),
    onNoRoom(saw) {
      noRoomMs = clock.nowMs()
      how = saw
      looking ??= clock.every(lookEveryMs, look)
    },
    isFull() {
      if (looking === undefined || how === 'refused') return false
      noRoomMs = clock.nowMs()
      try {
        return !isRoom()
      } catch {
        return true
      }
    },
    [Symbol.dispose]: rest,
  }
}
