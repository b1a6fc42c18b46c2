// Users of other issuers: tokens are verified with the issuer's keys, and claims become names, groups and refusals by the
// configuration; a service that knows tokens is asked last.
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createPlainServer } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readServerFlags } from '@shiplog/api-gateway/configuration/server-flags'
import { systemClock } from '@shiplog/runtime/clock'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadPki } from './pki.ts'
import { type HttpsGateway, startHttpsGateway } from './testing/https-gateway.ts'

const directory = mkdtempSync(join(tmpdir(), 'shiplog-jwt-'))
interface Key {
  readonly id: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}
const newKey = (id: string): Key => ({ id, ...generateKeyPairSync('rsa', { modulusLength: 2_048 }) })
let keys = [newKey('one')]
let issuer: Server
let url: string
let server: HttpsGateway
let discovered = 0
let reviewed = 0

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const inSeconds = (seconds: number): number => Math.floor(systemClock.nowMs() / 1_000) + seconds

/** As an issuer signs it. */
function token(claims: object, key = keys[0]!): string {
  const text = `${base64({ alg: 'RS256', kid: key.id })}.${base64({ iss: url, aud: 'kubernetes', exp: inSeconds(600), ...claims })}`
  return `${text}.${sign('sha256', Buffer.from(text), key.privateKey).toString('base64url')}`
}

const webhook = createPlainServer((request, response) => {
  let text = ''
  request.on('data', (piece) => void (text += piece))
  request.on('end', () => {
    reviewed++
    const { spec } = JSON.parse(text) as { spec: { token: string } }
    const status = spec.token === 'opaque' ? { authenticated: true, user: { username: 'from-webhook', groups: ['w'] } } : { authenticated: false }
    response.end(JSON.stringify({ status }))
  })
})

const configuration = () => `
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer:
    url: ${url}
    audiences: [kubernetes]
    certificateAuthority: ${JSON.stringify(loadPki({ directory, nowMs: systemClock.nowMs() }).ca)}
  claimValidationRules:
  - {expression: "claims.tenant == 'a'", message: only tenant a}
  claimMappings:
    username: {expression: "'acme:' + claims.sub"}
    groups: {expression: "claims.?roles.orValue([]).filter(r, r != 'hidden')"}
    uid: {claim: sub}
    extra:
    - {key: acme.dev/tenant, valueExpression: claims.tenant}
  userValidationRules:
  - {expression: "!user.username.startsWith('acme:system:')", message: nobody is of the system}
`

beforeAll(async () => {
  const pki = loadPki({ directory, nowMs: systemClock.nowMs() })
  issuer = createServer({ cert: pki.server.certificate, key: pki.server.key }, (request, response) => {
    discovered++
    const jwks = { keys: keys.map(({ id, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid: id, alg: 'RS256', use: 'sig' })) }
    response.end(JSON.stringify(request.url?.includes('openid-configuration') ? { issuer: url, jwks_uri: `${url}/keys` } : jwks))
  })
  await new Promise<void>((done) => issuer.listen(0, '127.0.0.1', done))
  await new Promise<void>((done) => webhook.listen(0, '127.0.0.1', done))
  url = `https://127.0.0.1:${(issuer.address() as AddressInfo).port}`
  writeFileSync(join(directory, 'config.yaml'), configuration())
  const server_ = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}`
  writeFileSync(join(directory, 'webhook'), `clusters: [{name: a, cluster: {server: '${server_}'}}]`)
  server = await startHttpsGateway({
    authorizationModes: ['AlwaysAllow'],
    ...readServerFlags({ authenticationConfig: join(directory, 'config.yaml'), authenticationTokenWebhookConfigFile: join(directory, 'webhook') }),
  })
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  issuer.close()
  webhook.close()
  rmSync(directory, { recursive: true, force: true })
})

async function whoAmI(shown: string): Promise<any> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
  const { code, body: answer } = await server.ask('/apis/authentication.k8s.io/v1/selfsubjectreviews', { method: 'POST', token: shown, body })
  return code === 201 || code === 403 ? (answer.status?.userInfo ?? answer) : code
}

test('claims become a user', async () => {
  expect(await whoAmI(token({ sub: 'jane', tenant: 'a', roles: ['devs', 'hidden'] }))).toEqual({
    username: 'acme:jane',
    uid: 'jane',
    groups: ['devs', 'system:authenticated'],
    extra: { 'acme.dev/tenant': ['a'] },
  })
})

test.each([
  ['another tenant', () => token({ sub: 'jane', tenant: 'b' })],
  ['a claim that is missing', () => token({ sub: 'jane' })],
  ['a user of the system', () => token({ sub: 'system:x', tenant: 'a' })],
  ['another audience', () => token({ sub: 'jane', tenant: 'a', aud: 'other' })],
  ['a time that is over', () => token({ sub: 'jane', tenant: 'a', exp: inSeconds(-600) })],
  ['a key of somebody else', () => token({ sub: 'jane', tenant: 'a' }, { ...newKey('one') })],
  ['no signature', () => `${token({ sub: 'jane', tenant: 'a' }).split('.').slice(0, 2).join('.')}.`],
  ['an issuer that nobody knows', () => token({ sub: 'jane', tenant: 'a', iss: 'https://other.test' })],
])('%s is refused', async (_, shown) => {
  expect(await whoAmI(shown())).toBe(401)
})

test('keys are kept; new ones are looked for, but not with every token', async () => {
  await whoAmI(token({ sub: 'jane', tenant: 'a' }))
  const before = discovered
  await whoAmI(token({ sub: 'joe', tenant: 'a' }))
  keys = [newKey('two'), ...keys]
  for (let count = 0; count < 5; count++) expect(await whoAmI(token({ sub: 'joe', tenant: 'a' }))).toBe(401)
  expect(discovered).toBe(before)
})

test('a service that knows tokens is asked once for each', async () => {
  const before = reviewed
  for (let count = 0; count < 3; count++)
    expect(await whoAmI('opaque')).toMatchObject({ username: 'from-webhook', groups: ['w', 'system:authenticated'] })
  expect(reviewed).toBe(before + 1)
  expect(await whoAmI('unknown')).toBe(401)
})
