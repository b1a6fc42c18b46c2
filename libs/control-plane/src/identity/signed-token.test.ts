import { createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createTokenSigner, isSignedBy, parseToken } from './signed-token.ts'
import { hashOf, keySetOf, publicTokenKey, publicTokenKeys, signingKeyOf } from './token-keys.ts'

const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey
const rsa = (): KeyObject => generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey
const key = ec('prime256v1')
const token = createTokenSigner(key).sign({ iss: 'me', sub: 'you' })
const [head = '', body = '', signature = ''] = token.split('.')
const keys = [publicTokenKey(key)]
const isGood = (text: string, known = keys): boolean => {
  const parsed = parseToken(text)
  return parsed !== undefined && isSignedBy(parsed, known)
}
const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('a signed token', () => {
  test.each([
    ['ES256', ec('prime256v1')],
    ['ES384', ec('secp384r1')],
    ['ES512', ec('secp521r1')],
    ['RS256', rsa()],
  ])('%s is verified by its key and by no other', (algorithm, own) => {
    const signed = createTokenSigner(own).sign({ iss: 'me' })
    expect(parseToken(signed)).toMatchObject({ algorithm, claims: { iss: 'me' } })
    expect(isGood(signed, [publicTokenKey(own)])).toBe(true)
    expect(isGood(signed)).toBe(false)
  })

  test('is what others verify by the published set of keys', () => {
    const { keys: published } = keySetOf(keys) as { keys: { kid: string; alg: 'ES256' }[] }
    const parsed = parseToken(token)!
    const jwk = published.find(({ kid }) => kid === parsed.keyId)!
    expect(jwk).toMatchObject({ use: 'sig', kty: 'EC', crv: 'P-256', alg: 'ES256' })
    expect(jwk).not.toHaveProperty('d')
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' })
    const signed = Buffer.from(parsed.signed)
    expect(verify(hashOf[jwk.alg], signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, parsed.signature)).toBe(true)
  })

  test.each([
    ['with other claims', [head, encoded({ iss: 'me', sub: 'system:admin' }), signature].join('.')],
    ['without a signature', `${head}.${body}.`],
    ['of no algorithm', `${encoded({ alg: 'none' })}.${body}.AA`],
    ['that would be checked with the public key as a secret', `${encoded({ alg: 'HS256' })}.${body}.${signature}`],
    ['that names another algorithm', `${encoded({ alg: 'ES384' })}.${body}.${signature}`],
    ['that demands what nobody understands', `${encoded({ alg: 'ES256', crit: ['exp'] })}.${body}.${signature}`],
    ['of two parts', `${head}.${body}`],
    ['of four parts', `${token}.${signature}`],
    ['of nothing', '..'],
    ['whose claims are a list', `${head}.${encoded([])}.${signature}`],
    ['with base64 of the other alphabet', `${head}.${body}.${signature.slice(0, -2)}+/`],
    ['that is too long', `${head}.${'A'.repeat(70_000)}.${signature}`],
  ])('%s is not taken', (_what, text) => {
    expect(isGood(text)).toBe(false)
  })

  test('that names no key is tried with all', () => {
    const [, claims] = token.split('.')
    const unnamed = parseToken(`${encoded({ alg: 'ES256' })}.${claims}.${signature}`)!
    expect(unnamed.keyId).toBe('')
    // The head is signed, too.
    expect(isSignedBy(unnamed, keys)).toBe(false)
  })
})

describe('keys in PEM', () => {
  const pem = (of: KeyObject, type: 'sec1' | 'pkcs8' | 'pkcs1'): string => of.export({ type, format: 'pem' }) as string
  const publicPem = (of: KeyObject): string => createPublicKey(of).export({ type: 'spki', format: 'pem' }) as string

  test('are read in every form, each once, in their order', () => {
    const [one, two, three] = [ec('prime256v1'), ec('secp384r1'), rsa()]
    const text = `${publicPem(one)}${pem(two, 'sec1')}${pem(three, 'pkcs1')}${pem(one, 'pkcs8')}`
    expect(publicTokenKeys(text, publicPem(two)).map(({ id }) => id)).toEqual(
      [one, two, three].map((each) => publicTokenKey(each).id),
    )
    expect(publicTokenKeys('')).toEqual([])
  })

  test('that nothing is signed with are refused', () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    expect(() => publicTokenKeys(pem(privateKey, 'pkcs8'))).toThrow('not ed25519')
    expect(() => signingKeyOf(publicPem(ec('prime256v1')))).toThrow('no private key')
  })
})
