// The keys as this process knows them, kept up to date from the store of keys: wrapped ones in memory, unwrapped for the
// moment of one record. What was acknowledged by any process is known after `caughtUp`.
import { createGroupCommitter, type GroupCommitter } from '@shiplog/events/commit/group-committer'
import { patiently } from '@shiplog/events/commit/patience'
import { type KeyLog, type LogRecord, LogUnavailable } from '@shiplog/events/event-log'
import type { Clock } from '@shiplog/runtime/clock'
import { type KekState, type KeyState, parseKekRecord, parseKeyRecord } from './key-records.ts'

/** How long it may take until what is stored is heard of here. */
const catchUpTimeoutMs = 10_000

export interface KeyStore {
  readonly keys: ReadonlyMap<string, KeyState>
  readonly keks: ReadonlyMap<string, KekState>
  readonly log: KeyLog
  readonly committer: GroupCommitter
  /** Resolves when every key that there is is known. Throws LogUnavailable, LogDamaged. */
  start(): Promise<void>
  /** Resolves when all that was acknowledged before the call is known. */
  caughtUp(): Promise<void>
  /** What this process has just stored itself. */
  learn(record: LogRecord): void
  /** Resolves at the next change, or after so long. */
  changed(timeoutMs: number): Promise<void>
  /** Called when something else changed on which a waiting reader may rest. */
  wake(): void
  /** Told of every key that is destroyed from now on, by whomever. */
  onDestroyed(tell: (key: KeyState) => void): void
  stop(): void
}

export function createKeyStore(log: KeyLog, clock: Clock): KeyStore {
  const keys = new Map<string, KeyState>()
  const keks = new Map<string, KekState>()
  const stopping = new AbortController()
  const listeners: ((key: KeyState) => void)[] = []
  let change = Promise.withResolvers<void>()
  let applied = 0
  let failure: unknown

  const wake = (): void => {
    change.resolve()
    change = Promise.withResolvers()
  }

  const learn = (record: LogRecord): void => {
    const kek = parseKekRecord(record)
    if (kek) keks.set(kek.id, kek)
    const key = parseKeyRecord(record)
    const known = key && keys.get(key.id)
    if (!key || (known && known.sequence > key.sequence)) return
    keys.set(key.id, key)
    if (key.destroyed !== undefined && known?.destroyed === undefined) for (const tell of listeners) tell(key)
  }

  const follow = async (onSynced: () => void): Promise<void> => {
    const end = await patiently(clock, () => log.lastSequence(), stopping.signal)
    let synced = false
    for await (const records of log.follow({ subjects: ['>'], signal: stopping.signal })) {
      for (const record of records) {
        learn(record)
        applied = Math.max(applied, record.sequence)
      }
      if (records.length === 0 && !synced) {
        synced = true
        applied = Math.max(applied, end)
        onSynced()
      }
      wake()
    }
  }

  const changed = async (timeoutMs: number): Promise<void> => {
    const timeout = Promise.withResolvers<void>()
    using _timer = clock.after(timeoutMs, timeout.resolve)
    await Promise.race([change.promise, timeout.promise])
  }

  return {
    ...{ keys, keks, log, learn, wake, changed },
    committer: createGroupCommitter(log),
    start: () =>
      new Promise((resolve, reject) => {
        follow(resolve)
          .then(() => new LogUnavailable('The store of keys is closed', { ambiguous: false }))
          .catch((error: unknown) => error)
          .then((error) => {
            failure = error
            reject(error)
            wake()
          })
      }),
    async caughtUp() {
      const last = await log.lastSequence()
      const deadlineMs = clock.nowMs() + catchUpTimeoutMs
      while (applied < last) {
        if (failure) throw failure
        const leftMs = deadlineMs - clock.nowMs()
        if (leftMs <= 0) throw new LogUnavailable('The store of keys is behind', { ambiguous: false })
        await changed(leftMs)
      }
    },
    onDestroyed: (tell) => void listeners.push(tell),
    stop() {
      stopping.abort()
      wake()
    },
  }
}
