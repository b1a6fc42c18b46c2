// The keys of service account tokens: one private key signs, one or more public keys verify, so that a key can be changed
// while tokens of the old one are still about. A key is known by the hash of its public half, as upstream's.
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'

export type TokenAlgorithm = 'ES256' | 'ES384' | 'ES512' | 'RS256'

/** A key that tokens may be signed with. */
export interface PublicTokenKey {
  readonly id: string
  readonly algorithm: TokenAlgorithm
  readonly key: KeyObject
}

const ofCurve: Readonly<Record<string, TokenAlgorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
}

export const hashOf: Readonly<Record<TokenAlgorithm, string>> = {
  ES256: 'sha256',
  ES384: 'sha384',
  ES512: 'sha512',
  RS256: 'sha256',
}

/** Throws for keys that no token is signed with. */
export function algorithmOf(key: KeyObject): TokenAlgorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  const algorithm = type === 'rsa' ? 'RS256' : type === 'ec' ? ofCurve[details?.namedCurve ?? ''] : undefined
  if (algorithm === undefined)
    throw new Error(`a key of service account tokens is RSA or EC (P-256, P-384, P-521), not ${type}`)
  return algorithm
}

export function publicTokenKey(key: KeyObject): PublicTokenKey {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const id = createHash('sha256').update(spki).digest('base64url')
  return { id, algorithm: algorithmOf(publicKey), key: publicKey }
}

const pemBlock = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g

/**
 * All keys of PEM texts, each once, in their order: public keys, certificates, and the public halves of private keys, as
 * `--service-account-key-file` takes them.
 */
export function publicTokenKeys(...pems: readonly string[]): readonly PublicTokenKey[] {
  const keys = new Map<string, PublicTokenKey>()
  for (const pem of pems) {
    for (const [block, type = ''] of pem.matchAll(pemBlock)) {
      if (type === 'EC PARAMETERS') continue
      const key = publicTokenKey(type.endsWith('PRIVATE KEY') ? createPrivateKey(block) : createPublicKey(block))
      if (!keys.has(key.id)) keys.set(key.id, key)
    }
  }
  return [...keys.values()]
}

/** The first private key of a PEM text. */
export function signingKeyOf(pem: string): KeyObject {
  for (const [block, type = ''] of pem.matchAll(pemBlock)) {
    if (!type.endsWith('PRIVATE KEY')) continue
    const key = createPrivateKey(block)
    algorithmOf(key)
    return key
  }
  throw new Error('there is no private key for service account tokens in what was given for one')
}

/** What whoever verifies tokens elsewhere is given (RFC 7517). */
export const keySetOf = (keys: readonly PublicTokenKey[]): object => ({
  keys: keys.map(({ id, algorithm, key }) => ({ use: 'sig', kid: id, alg: algorithm, ...key.export({ format: 'jwk' }) })),
})
