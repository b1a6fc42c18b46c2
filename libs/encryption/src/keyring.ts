// The cipher of the log: it encrypts payloads on their way in with the key of their object, and says what encrypted ones
// hold. A key is stored, wrapped, before the first record that needs it is: so no record that was acknowledged can be without
// its key, wherever a process is killed.
import { randomBytes } from 'node:crypto'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { header } from '@shiplog/events/envelope'
import { type Append, type LogRecord, LogUnavailable } from '@shiplog/events/event-log'
import { parseObjectSubject } from '@shiplog/events/subjects'
import type { Opened, PayloadCipher } from '@shiplog/feed/record-codec'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { destroyedAppend, type KeyState, keySubject, wrappedAppend } from './key-records.ts'
import type { KeyStore } from './key-store.ts'
import type { KeyWrapper } from './key-wrapper.ts'
import { dataKeyBytes, decryptRecord, encryptAppend } from './payload.ts'
import type { Providers } from './providers.ts'

/** Where a key has no wrapper here, its readers look again this often. */
const retryMs = 1_000
/** And say so this often. */
const complainEvery = 10
const attemptsMax = 5
/** Keys that are wrapped anew at the same time. */
const rewrapsInFlight = 64

export interface Keyring extends PayloadCipher {
  readonly store: KeyStore
  /** Takes other providers from now on; who waits for a key looks again. */
  use(providers: Providers): void
  readonly providers: Providers
  /** Makes a key unusable for ever, here and everywhere. False when it is not there, or was destroyed before. */
  destroy(id: string, why: string, actor: string): Promise<boolean>
  /** Wraps with the present provider what another one has wrapped; gives how many keys there were. */
  rewrap(): Promise<number>
}

export interface KeyringDeps {
  readonly store: KeyStore
  readonly providers: Providers
  readonly clock: Clock
  readonly logger: Logger
  readonly stopped: AbortSignal
}

export function createKeyring(deps: KeyringDeps): Keyring {
  const { store, clock, logger, stopped } = deps
  let { providers } = deps
  /** Keys that are being made, by uid. */
  const making = new Map<string, Promise<Uint8Array>>()

  /** Undefined when somebody has to be asked first. */
  const openNow = (record: LogRecord, id: string): Opened | undefined => {
    const key = store.keys.get(id)
    if (key?.destroyed !== undefined) return { unreadable: destroyedText(key) }
    const wrapper = key && providers.reader(key.by!)
    if (!wrapper) return undefined
    try {
      return { clear: decryptRecord(record, wrapper.unwrap(key.wrapped!, id)) }
    } catch {
      return { unreadable: 'it is not what was encrypted' }
    }
  }

  const openLater = async (record: LogRecord, id: string, waits: boolean): Promise<Opened> => {
    for (let attempt = 0; ; attempt++) {
      // A store that is away is no reason to say that there is no key, nor to give up: the log may be back before it.
      const away = store.keys.has(id) ? undefined : await problemOf(() => store.caughtUp())
      const by = store.keys.get(id)?.by
      if (!store.keys.has(id) && away === undefined) return { unreadable: 'its key is not in the store of keys' }
      const problem = away ?? (by === undefined || providers.reader(by) ? undefined : await loadProblem(by))
      const opened = openNow(record, id)
      if (opened) return opened
      const text = `${record.subject} at sequence ${record.sequence} cannot be decrypted: ${problem}`
      if (!waits || stopped.aborted) throw new LogUnavailable(text, { ambiguous: false })
      if (attempt % complainEvery === 0) logger.error({ problem, by }, 'the log waits for a key that is not at hand')
      await store.changed(retryMs)
    }
  }

  const loadProblem = async (by: string): Promise<string | undefined> => {
    try {
      return (await providers.load(by)) ? undefined : `its key is wrapped by ${by}, which the encryption configuration does not have`
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  const keyOf = (id: string, subject: string, wrapper: KeyWrapper): Uint8Array | Promise<Uint8Array> => {
    const key = store.keys.get(id)
    const reader = key?.by === undefined ? undefined : providers.reader(key.by)
    if (key?.wrapped && reader) return reader.unwrap(key.wrapped, id)
    let made = making.get(id)
    if (made === undefined) {
      made = makeKey(id, subject, wrapper).finally(() => making.delete(id))
      making.set(id, made)
    }
    return made
  }

  const makeKey = async (id: string, subject: string, wrapper: KeyWrapper): Promise<Uint8Array> => {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const known = store.keys.get(id)
      if (known?.destroyed !== undefined) throw new LogUnavailable(`${subject}: ${destroyedText(known)}`, { ambiguous: false })
      if (known) {
        const problem = providers.reader(known.by!) ? undefined : await loadProblem(known.by!)
        const reader = providers.reader(known.by!)
        if (!reader) throw new LogUnavailable(`${subject} cannot be encrypted: ${problem}`, { ambiguous: false })
        return reader.unwrap(known.wrapped!, id)
      }
      const key = randomBytes(dataKeyBytes)
      const stored = await storeKey(wrappedAppend(id, subject, wrapper.id, wrapper.wrap(key, id), { expected: 0, actor: by }))
      if (stored) return key
      // Another process was faster with the same object.
      await store.caughtUp()
    }
    throw new LogUnavailable(`${subject}: its key could not be stored`, { ambiguous: false })
  }

  /** True when it is on disk, and known here. */
  const storeKey = async (append: Append): Promise<boolean> => {
    const result = await store.committer.commit([append])
    if (result.ok) store.learn({ ...append, sequence: result.sequences[0]!, timeMs: clock.nowMs() })
    return result.ok
  }

  const rewrapOne = async (key: KeyState): Promise<boolean> => {
    const address = parseObjectSubject(key.subject)
    if (!address || key.by === undefined) return false
    const wrapper = await providers.writer(groupResourceOf(address.group, address.resource))
    if (!wrapper || wrapper.id === key.by) return false
    if (!providers.reader(key.by)) await loadProblem(key.by)
    const reader = providers.reader(key.by)
    if (!reader) return false
    const wrapped = wrapper.wrap(reader.unwrap(key.wrapped!, key.id), key.id)
    if (!(await storeKey(wrappedAppend(key.id, key.subject, wrapper.id, wrapped, { expected: key.sequence, actor: by })))) return false
    await store.log.erase(keySubject(key.id))
    return true
  }

  return {
    store,
    get providers() {
      return providers
    },
    use(fresh) {
      const before = providers
      providers = fresh
      before.stop()
      store.wake()
    },
    decrypt(record, waits) {
      const id = record.headers[header.key]!
      return openNow(record, id) ?? openLater(record, id, waits)
    },
    encrypt(append, { groupResource, uid }) {
      const wrapper = providers.writer(groupResource)
      if (wrapper === undefined) return append
      if (wrapper instanceof Promise) {
        return wrapper.then(async (loaded) => encryptAppend(append, uid, await keyOf(uid, append.subject, loaded)))
      }
      const key = keyOf(uid, append.subject, wrapper)
      return key instanceof Promise ? key.then((made) => encryptAppend(append, uid, made)) : encryptAppend(append, uid, key)
    },
    async destroy(id, why, actor) {
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        const key = store.keys.get(id)
        if (!key || key.destroyed !== undefined) return false
        const stored = await storeKey(destroyedAppend(id, key.subject, why, { expected: key.sequence, actor }))
        if (stored) {
          await store.log.erase(keySubject(id))
          return true
        }
        // It was wrapped anew meanwhile.
        await store.caughtUp()
      }
      throw new LogUnavailable(`the key of ${id} could not be destroyed: it changes all the time`, { ambiguous: false })
    },
    async rewrap() {
      let count = 0
      const all = [...store.keys.values()]
      for (let from = 0; from < all.length && !stopped.aborted; from += rewrapsInFlight) {
        const done = await Promise.all(all.slice(from, from + rewrapsInFlight).map(rewrapOne))
        count += done.filter(Boolean).length
      }
      return count
    },
  }
}

const by = 'system:apiserver'

/** What went wrong, in words; undefined when nothing did. */
async function problemOf(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const destroyedText = ({ destroyed }: KeyState): string => `its key was destroyed ${destroyed}`
