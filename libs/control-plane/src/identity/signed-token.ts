// Signed tokens (RFC 7515, compact form) with the algorithms that Kubernetes signs service account tokens with. A token is
// verified by the algorithm of the key, never by the one that the token claims.
import { type KeyObject, sign, verify } from 'node:crypto'
import type { JsonObject } from '@shiplog/api/kube-object'
import { algorithmOf, hashOf, type PublicTokenKey, publicTokenKey } from './token-keys.ts'

/** Signs claims; who has one of these can speak for every service account. */
export interface TokenSigner {
  sign(claims: JsonObject): string
}

/** The tokens of an issuer. The key stays inside. */
export function createTokenSigner(key: KeyObject): TokenSigner {
  const algorithm = algorithmOf(key)
  const head = encode({ alg: algorithm, kid: publicTokenKey(key).id })
  return {
    sign(claims) {
      const signed = `${head}.${encode(claims)}`
      const signature = sign(hashOf[algorithm], Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
      return `${signed}.${signature.toString('base64url')}`
    },
  }
}

/** A token as it came, before anybody believes it. */
export interface UnverifiedToken {
  readonly keyId: string
  readonly algorithm: string
  readonly claims: JsonObject
  readonly signed: string
  readonly signature: Buffer
}

/** Longer ones are nobody's: request heads are not larger. */
const tokenCharactersMax = 64 * 1024
const part = /^[A-Za-z0-9_-]+$/

/** Undefined for what has not the form of a token. */
export function parseToken(text: string): UnverifiedToken | undefined {
  if (text.length > tokenCharactersMax) return undefined
  const parts = text.split('.')
  if (parts.length !== 3 || !parts.every((each) => part.test(each))) return undefined
  const [head, claims] = [decode(parts[0]!), decode(parts[1]!)]
  // What a token says must be understood must be understood (RFC 7515, 4.1.11), and nothing of that kind is.
  if (head === undefined || claims === undefined || 'crit' in head) return undefined
  const { alg, kid = '' } = head
  if (typeof alg !== 'string' || typeof kid !== 'string') return undefined
  const signature = Buffer.from(parts[2]!, 'base64url')
  return { keyId: kid, algorithm: alg, claims, signed: `${parts[0]}.${parts[1]}`, signature }
}

/** Whether one of the keys has signed it: the one that it names, or any when it names none. */
export function isSignedBy(token: UnverifiedToken, keys: readonly PublicTokenKey[]): boolean {
  const asked = token.keyId === '' ? keys : keys.filter(({ id }) => id === token.keyId)
  return asked.some(
    ({ algorithm, key }) =>
      token.algorithm === algorithm &&
      verify(hashOf[algorithm], Buffer.from(token.signed), { key, dsaEncoding: 'ieee-p1363' }, token.signature),
  )
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function decode(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}
