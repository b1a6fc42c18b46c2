// All keys of a log in one file, to be kept apart from its backups: what lies in the store of keys, and the configuration with
// the keys that wrap them. A newer one takes the place of an older: that one still has keys which were destroyed since.
import type { KeyLog } from '@shiplog/events/event-log'
import { destroyedAppend, kekAppend, type KekState, type KeyState, wrappedAppend } from './key-records.ts'

export interface SavedKeys {
  readonly kind: 'ShiplogKeys'
  /** The EncryptionConfiguration; undefined where it is not in the data directory. */
  readonly configuration?: string | undefined
  readonly keys: readonly SavedKey[]
  readonly keks: readonly SavedKek[]
}

interface SavedKey {
  readonly uid: string
  readonly subject: string
  readonly by?: string | undefined
  readonly wrapped?: string | undefined
  readonly destroyed?: string | undefined
}

interface SavedKek extends Omit<KekState, 'ciphertext' | 'annotations'> {
  readonly ciphertext: string
  readonly annotations: Readonly<Record<string, string>>
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/** Members of one append. */
const groupMax = 500

export function savedKeysOf(keys: Iterable<KeyState>, keks: Iterable<KekState>): SavedKeys {
  return {
    kind: 'ShiplogKeys',
    keys: Array.from(keys, ({ id, subject, by, wrapped, destroyed }) => ({
      ...{ uid: id, subject, by, destroyed },
      wrapped: wrapped && base64(wrapped),
    })),
    keks: Array.from(keks, ({ ciphertext, annotations, ...kek }) => ({
      ...kek,
      ciphertext: base64(ciphertext),
      annotations: Object.fromEntries(Object.entries(annotations).map(([name, value]) => [name, base64(value)])),
    })),
  }
}

/** Throws for a text that is something else. */
export function parseSavedKeys(text: string): SavedKeys {
  let saved: SavedKeys | undefined
  try {
    saved = JSON.parse(text) as SavedKeys
  } catch {
    // The parser's own message quotes the file.
  }
  if (saved?.kind !== 'ShiplogKeys' || !Array.isArray(saved.keys) || !Array.isArray(saved.keks)) {
    throw new Error('this is no file of shiplog keys save')
  }
  return saved
}

/** Puts saved keys into a store that is empty. */
export async function restoreKeys(log: KeyLog, { keys, keks }: SavedKeys): Promise<void> {
  const about = { expected: 0, actor: 'shiplog restore' }
  const appends = [
    ...keks.map((kek) =>
      kekAppend({
        ...kek,
        ciphertext: Buffer.from(kek.ciphertext, 'base64'),
        annotations: Object.fromEntries(
          Object.entries(kek.annotations).map(([name, value]) => [name, Buffer.from(value, 'base64')]),
        ),
      }),
    ),
    ...keys.map(({ uid, subject, by, wrapped, destroyed }) =>
      destroyed === undefined
        ? wrappedAppend(uid, subject, by!, Buffer.from(wrapped!, 'base64'), about)
        : destroyedAppend(uid, subject, destroyed, about),
    ),
  ]
  for (let from = 0; from < appends.length; from += groupMax) {
    const result = await log.append(appends.slice(from, from + groupMax))
    if (!result.ok) throw new Error('the store of keys that is restored to is not empty')
  }
}
