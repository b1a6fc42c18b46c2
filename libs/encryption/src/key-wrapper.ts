// What wraps data keys: a key of a file, or one that a KMS plug-in vouches for. Both wrap with AES-GCM in this process.
import { createHash } from 'node:crypto'
import { decryptBytes, encryptBytes } from './payload.ts'

export interface KeyWrapper {
  /** `aesgcm/key1/9f86d081`: which key it is, by its provider, its name and what it is. Says nothing of the key itself. */
  readonly id: string
  wrap(key: Uint8Array, keyId: string): Uint8Array
  /** Throws when it was not wrapped with this key, under this name. */
  unwrap(wrapped: Uint8Array, keyId: string): Uint8Array
}

const fingerprintCharacters = 16

/** Tells keys of one name apart; eight bytes of a hash say nothing of a key. */
export const fingerprintOf = (secret: Uint8Array): string =>
  createHash('sha256').update('shiplog key').update(secret).digest('hex').slice(0, fingerprintCharacters)

export const createKeyWrapper = (id: string, secret: Uint8Array): KeyWrapper => ({
  id,
  wrap: (key, keyId) => encryptBytes(secret, key, `key of ${keyId}`),
  unwrap: (wrapped, keyId) => decryptBytes(secret, wrapped, `key of ${keyId}`),
})
