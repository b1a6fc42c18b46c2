// Destroys keys whose objects are gone, a while after their end: with a key every version of its object that the log, its copies
// and its backups hold becomes unreadable. What it knows it reads from the log and the store of keys, so it may be ended at
// any line, and any number of gateways may do it at the same time.
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { header } from '@shiplog/events/envelope'
import type { EventLog, LogRecord } from '@shiplog/events/event-log'
import { parseObjectSubject, resourceFilter } from '@shiplog/events/subjects'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { KeyState } from './key-records.ts'
import type { Keyring } from './keyring.ts'

/** A day: time to notice a deletion that was a mistake, and to bring the object back from `/at`. */
export const graceMsDefault = 24 * 3_600_000
/** A key that no record needs was made for a write that did not come; but writes take a while. */
const unusedMsMin = 3_600_000
const sweepMsMin = 1_000
const sweepMsMax = 600_000
/** A sweep comes at least this many times within a grace. */
const sweepsPerGrace = 20

export interface KeyKeeperOptions {
  readonly events: EventLog
  readonly keyring: Keyring
  readonly graceMs: number
  readonly clock: Clock
  readonly logger: Logger
}

export interface KeyKeeper extends Disposable {
  /** Looks at all keys; gives how many were destroyed. */
  sweep(): Promise<number>
}

/** Sweeps from now on. */
export function keepKeys(options: KeyKeeperOptions): KeyKeeper {
  const { events, keyring, graceMs, clock, logger } = options
  /** When the objects of keys ended, by uid: the log does not change that. */
  const ended = new Map<string, number>()
  let sweeping: Promise<number> | undefined
  let disposed = false

  const sweep = async (): Promise<number> => {
    const { store } = keyring
    for (const [subject, count] of await store.log.countBySubject()) {
      // A process was killed between a new word and the erasing of the one before.
      if (count > 1 && !disposed) await store.log.erase(subject)
    }
    // Those that were made while the configuration changed.
    await keyring.rewrap()
    let destroyed = 0
    const live = await liveKeys(events, store.keys.values())
    for (const key of store.keys.values()) {
      if (key.destroyed !== undefined) ended.delete(key.id)
      if (key.destroyed !== undefined || live.has(key.id) || disposed) continue
      const why = await reasonToDestroy(key)
      if (why && (await keyring.destroy(key.id, why, 'system:apiserver'))) destroyed += 1
    }
    if (destroyed > 0) logger.info({ destroyed }, 'keys of deleted objects have been destroyed')
    return destroyed
  }

  const reasonToDestroy = async (key: KeyState): Promise<string | undefined> => {
    const nowMs = clock.nowMs()
    const known = ended.get(key.id) ?? (await endOf(events, key))
    if (known === 'alive') return undefined
    if (known === 'unused') {
      const isOver = nowMs - key.timeMs > Math.max(graceMs, unusedMsMin)
      return isOver ? `at ${timeOf(nowMs)}, because no record needs it` : undefined
    }
    ended.set(key.id, known)
    return nowMs - known >= graceMs ? `at ${timeOf(nowMs)}, because its object was deleted at ${timeOf(known)}` : undefined
  }

  const sweepOnce = (): Promise<number> => {
    sweeping ??= sweep().finally(() => {
      sweeping = undefined
    })
    return sweeping
  }
  const everyMs = Math.min(sweepMsMax, Math.max(sweepMsMin, graceMs / sweepsPerGrace))
  const timer = clock.every(everyMs, () => {
    sweepOnce().catch((err: unknown) => logger.warn({ err }, 'keys of deleted objects could not be destroyed'))
  })
  return {
    sweep: sweepOnce,
    [Symbol.dispose]() {
      disposed = true
      timer[Symbol.dispose]()
    },
  }
}

const timeOf = (ms: number): string => new Date(ms).toISOString()

const isDeletion = ({ headers }: LogRecord): boolean => headers[header.deleted] === '1'

/** The keys of objects that are there. */
async function liveKeys(events: EventLog, keys: Iterable<KeyState>): Promise<ReadonlySet<string>> {
  const resources = new Map<string, string>()
  for (const { subject } of keys) {
    const address = parseObjectSubject(subject)
    if (address) resources.set(groupResourceOf(address.group, address.resource), resourceFilter(address.group, address.resource))
  }
  const live = new Set<string>()
  if (resources.size === 0) return live
  const filters = [...resources.values()]
  for await (const records of events.stateAt(await events.lastSequence(), filters)) {
    for (const record of records) {
      const key = record.headers[header.key]
      if (key !== undefined && !isDeletion(record)) live.add(key)
    }
  }
  return live
}

/** What the log says of the object of a key: when it was deleted, that it is there, or that no record needs the key. */
async function endOf(events: EventLog, { id, subject }: KeyState): Promise<number | 'alive' | 'unused'> {
  let isUsed = false
  for await (const records of events.read({ subjects: [subject] })) {
    for (const record of records) {
      isUsed ||= record.headers[header.key] === id
      // Also one that was stored as it is, after its resource was encrypted no more.
      if (isUsed && isDeletion(record)) return record.timeMs
    }
  }
  return isUsed ? 'alive' : 'unused'
}

/** Whether an object of this key is there now. */
export async function isLive(events: EventLog, key: KeyState): Promise<boolean> {
  const last = await events.last(key.subject)
  return last !== undefined && last.headers[header.key] === key.id && !isDeletion(last)
}

