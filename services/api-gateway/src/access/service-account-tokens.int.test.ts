// Tokens of service accounts from the request to the review, on a gateway over an in-memory log.
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { TokenReviewStatus } from '@shiplog/api/generated/types/authentication-v1'
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import { createTokenSigner, parseToken } from '@shiplog/control-plane/identity/signed-token'
import { legacyTokenClaims } from '@shiplog/control-plane/identity/token-claims'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { eventually } from '@shiplog/testing/eventually'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ApiGateway, createApiGateway } from '../api-gateway.ts'
import type { ServiceAccountOptions } from './service-account-tokens.ts'

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
const privatePem = (key: KeyObject): string => key.export({ type: 'sec1', format: 'pem' }) as string
const publicPem = (key: KeyObject): string => createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string

const issuer = 'https://issuer.test'
const key = newKey()
let laterMs = 0
const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + laterMs }

let log: ClusterLog
let gateway: ApiGateway
let client: ApiClient

async function gatewayWith(serviceAccounts: Partial<ServiceAccountOptions> = {}): Promise<ApiGateway> {
  const made = createApiGateway({
    ...{ log, clock, ids: systemIds, logger: silentLogger },
    serviceAccounts: { issuers: [issuer], signingKey: privatePem(key), ...serviceAccounts },
  })
  await made.start()
  return made
}

const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }

beforeAll(async () => {
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  gateway = await gatewayWith()
  client = gateway.clientFor(admin)
  await told('create', 'namespaces', { namespace: '', body: { metadata: { name: 'default' } } })
  await told('create', 'serviceaccounts', { body: { metadata: { name: 'default' } } })
})

afterAll(async () => {
  await gateway.stop()
  await log.close()
})

beforeEach(() => {
  laterMs = 0
})

const ask = (verb: ApiRequest['verb'], resource: string, more: Partial<ApiRequest>): Promise<ApiResult> =>
  client.request({ verb, group: '', resource, namespace: 'default', ...more })

async function told(verb: ApiRequest['verb'], resource: string, more: Partial<ApiRequest>): Promise<JsonObject> {
  const result = await ask(verb, resource, more)
  if (!result.ok) throw new Error(`${verb} ${resource}: ${result.status.message}`)
  return result.object
}

const remove = (resource: string, name: string): Promise<JsonObject> =>
  told('delete', resource, { name, body: { gracePeriodSeconds: 0 }, ...(resource === 'nodes' ? { namespace: '' } : {}) })
const requestToken = (name: string, spec: JsonObject = {}, metadata: JsonObject = {}): Promise<ApiResult> =>
  ask('create', 'serviceaccounts', { name, subresource: 'token', body: { metadata, spec } })
const refusalOf = async (name: string, spec: JsonObject, metadata?: JsonObject): Promise<string> => {
  const result = await requestToken(name, spec, metadata)
  return result.ok ? 'accepted' : `${result.code} ${result.status.message}`
}
async function tokenFor(name: string, spec: JsonObject = {}): Promise<string> {
  const result = await requestToken(name, spec)
  if (!result.ok) throw new Error(result.status.message)
  return result.object['status'].token
}
async function review(token: string, audiences?: string[], at = client): Promise<TokenReviewStatus> {
  const spec = { token, ...(audiences ? { audiences } : {}) }
  const result = await at.request({ verb: 'create', group: 'authentication.k8s.io', resource: 'tokenreviews', body: { spec } })
  if (!result.ok) throw new Error(result.status.message)
  return result.object['status']
}
const errorOf = async (token: string): Promise<string> => {
  const { authenticated, error } = await review(token)
  return authenticated ? 'authenticated' : error!
}
const claimsOf = (token: string): JsonObject => parseToken(token)!.claims

let made = 0
async function accountNamed(name = `account-${++made}`): Promise<string> {
  await told('create', 'serviceaccounts', { body: { metadata: { name } } })
  return name
}
async function podOf(account: string, nodeName?: string): Promise<JsonObject> {
  const spec = { containers: [{ name: 'c', image: 'x' }], serviceAccountName: account, ...(nodeName ? { nodeName } : {}) }
  return await told('create', 'pods', { body: { metadata: { name: `pod-${++made}` }, spec } })
}
const refTo = ({ kind, metadata }: JsonObject): JsonObject => ({ apiVersion: 'v1', kind, name: metadata.name, uid: metadata.uid })

describe('a token that was asked for', () => {
  test('says who it is for, and is taken for that until it ends', async () => {
    const name = await accountNamed()
    const token = await tokenFor(name, { expirationSeconds: 600 })
    const claims = claimsOf(token)
    expect(claims).toMatchObject({ iss: issuer, aud: [issuer], sub: `system:serviceaccount:default:${name}` })
    expect(claims['exp'] - claims['iat']).toBe(600)
    const { metadata } = await told('get', 'serviceaccounts', { name })
    expect(claims['kubernetes.io']).toEqual({ namespace: 'default', serviceaccount: { name, uid: metadata.uid } })
    expect(await review(token)).toEqual({
      authenticated: true,
      audiences: [issuer],
      user: {
        username: `system:serviceaccount:default:${name}`,
        uid: metadata.uid,
        groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
        extra: { 'authentication.kubernetes.io/credential-id': [`JTI=${claims['jti']}`] },
      },
    })
    laterMs = 659_000
    expect(await errorOf(token)).toBe('authenticated')
    laterMs = 661_000
    expect(await errorOf(token)).toBe('service account token has expired')
    laterMs = -120_000
    expect(await errorOf(token)).toBe('service account token is not valid yet')
  })

  test('is for its audiences only', async () => {
    const token = await tokenFor('default', { audiences: ['vault', 'other'] })
    expect(await errorOf(token)).toBe(
      `token audiences ["vault" "other"] is invalid for the target audiences ["${issuer}"]`,
    )
    expect(await review(token, ['vault', 'x'])).toMatchObject({ authenticated: true, audiences: ['vault'] })
    expect(await review(token, ['x'])).toMatchObject({ error: expect.stringContaining('is invalid for') })
  })

  test('ends with its account, and another one of the same name is another', async () => {
    const name = await accountNamed()
    const token = await tokenFor(name)
    await remove('serviceaccounts', name)
    expect(await errorOf(token)).toBe(`serviceaccounts "${name}" not found`)
    await accountNamed(name)
    expect(await errorOf(token)).toMatch(/^service account UID \(.*\) does not match claim \(.*\)$/)
  })

  test('that is bound to a pod says where it runs, and ends with it', async () => {
    const node = await told('create', 'nodes', { namespace: '', body: { metadata: { name: 'n1' } } })
    const pod = await podOf('default', 'n1')
    const token = await tokenFor('default', { boundObjectRef: refTo(pod) })
    expect((await review(token)).user.extra).toMatchObject({
      'authentication.kubernetes.io/pod-name': [pod['metadata'].name],
      'authentication.kubernetes.io/pod-uid': [pod['metadata'].uid],
      'authentication.kubernetes.io/node-name': ['n1'],
      'authentication.kubernetes.io/node-uid': [node['metadata'].uid],
    })
    // The node is told, and nothing hangs by it.
    await remove('nodes', 'n1')
    expect(await errorOf(token)).toBe('authenticated')
    await remove('pods', pod['metadata'].name)
    expect(await errorOf(token)).toBe('service account token has been invalidated')
  })

  test('that is bound to a secret or a node ends with that', async () => {
    const secret = await told('create', 'secrets', { body: { metadata: { name: 'bound' } } })
    const node = await told('create', 'nodes', { namespace: '', body: { metadata: { name: 'n2' } } })
    const [bySecret, byNode] = [
      await tokenFor('default', { boundObjectRef: refTo(secret) }),
      await tokenFor('default', { boundObjectRef: refTo(node) }),
    ]
    expect(await errorOf(bySecret)).toBe('authenticated')
    expect((await review(byNode)).user.extra).toMatchObject({ 'authentication.kubernetes.io/node-name': ['n2'] })
    await remove('secrets', 'bound')
    await remove('nodes', 'n2')
    expect(await errorOf(bySecret)).toBe('service account token has been invalidated')
    expect(await errorOf(byNode)).toBe('service account token has been invalidated')
  })

  test('of the length that pods get by default lives for a year, and says when to warn', async () => {
    const spec = { expirationSeconds: 3_607, boundObjectRef: refTo(await podOf('default')) }
    const claims = claimsOf(await tokenFor('default', spec))
    expect(claims['exp'] - claims['iat']).toBe(31_536_000)
    expect(claims['kubernetes.io'].warnafter - claims['iat']).toBe(3_607)
    const elsewhere = claimsOf(await tokenFor('default', { ...spec, audiences: ['vault'] }))
    expect(elsewhere['exp'] - elsewhere['iat']).toBe(3_607)
    const unbound = claimsOf(await tokenFor('default', { expirationSeconds: 3_607 }))
    expect(unbound['exp'] - unbound['iat']).toBe(3_607)
  })

  test.each<[string, JsonObject, JsonObject, RegExp]>([
    ['too short a life', { expirationSeconds: 599 }, {}, /^422 .*spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes$/],
    ['too long a life', { expirationSeconds: 2 ** 32 + 1 }, {}, /may not specify a duration larger than 2\^32 seconds$/],
    ['another name', {}, { name: 'other' }, /^422 .*metadata.name: Invalid value: "other": must match the service account name if specified$/],
    ['another namespace', {}, { namespace: 'other' }, /^422 .*must match the service account namespace if specified$/],
    ['another uid', {}, { uid: 'u' }, /^409 .*the UID in the token request \(u\) does not match the UID of the service account/],
    ['what cannot be bound to', { boundObjectRef: { apiVersion: 'v1', kind: 'ConfigMap', name: 'x' } }, {}, /^400 cannot bind token to object of type \/v1, Kind=ConfigMap$/],
    ['a pod that is not there', { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'x' } }, {}, /^404 pods "x" not found$/],
  ])('is refused: %s', async (_what, spec, metadata, expected) => {
    expect(await refusalOf('default', spec, metadata)).toMatch(expected)
  })

  test('is refused for a pod of another account, for an object of another life, and for nobody', async () => {
    const other = await accountNamed()
    const pod = refTo(await podOf('default'))
    expect(await refusalOf(other, { boundObjectRef: pod })).toBe(
      `400 cannot bind token for serviceaccount "${other}" to pod running with different serviceaccount name.`,
    )
    expect(await refusalOf('default', { boundObjectRef: { ...pod, uid: 'u' } })).toMatch(
      /^409 .*the UID in the bound object reference \(u\) does not match the UID in record/,
    )
    expect(await refusalOf('nobody', {})).toBe('404 serviceaccounts "nobody" not found')
  })
})

test('a token of another key, of another issuer, and one that somebody wrote, are nobody\'s', async () => {
  const claims = claimsOf(await tokenFor('default'))
  expect(await errorOf(createTokenSigner(newKey()).sign(claims))).toBe('invalid signature, no keys found')
  expect(await errorOf(createTokenSigner(key).sign({ ...claims, iss: 'https://other.test' }))).toBe('invalid bearer token')
  expect(await errorOf('nonsense')).toBe('invalid bearer token')
})

test('after a change of keys the tokens of both are taken, until the old public key is taken away', async () => {
  const [fresh, old] = [newKey(), await tokenFor('default')]
  const during = await gatewayWith({ signingKey: privatePem(fresh), publicKeys: publicPem(key) })
  const duringClient = during.clientFor(admin)
  const made = await duringClient.request({
    ...{ verb: 'create', group: '', resource: 'serviceaccounts', namespace: 'default', name: 'default' },
    ...{ subresource: 'token', body: { spec: {} } },
  })
  const young = made.ok ? made.object['status'].token : made.status.message
  expect((await review(old, undefined, duringClient)).authenticated).toBe(true)
  expect((await review(young, undefined, duringClient)).authenticated).toBe(true)
  await during.stop()
  const after = await gatewayWith({ signingKey: privatePem(fresh) })
  expect((await review(old, undefined, after.clientFor(admin))).error).toBe('invalid signature, no keys found')
  expect((await review(young, undefined, after.clientFor(admin))).authenticated).toBe(true)
  await after.stop()
})

test('no token lives longer than the gateway allows, and its answer says so', async () => {
  const strict = await gatewayWith({ maxExpirationSeconds: 1_000 })
  const made = await strict.clientFor(admin).request({
    ...{ verb: 'create', group: '', resource: 'serviceaccounts', namespace: 'default', name: 'default' },
    ...{ subresource: 'token', body: { spec: { expirationSeconds: 2_000 } } },
  })
  const claims = made.ok ? claimsOf(made.object['status'].token) : {}
  expect(claims['exp'] - claims['iat']).toBe(1_000)
  await strict.stop()
})

describe('a token that lies in a Secret', () => {
  const inSecret = async (name: string): Promise<{ token: string; account: string }> => {
    const account = await accountNamed()
    const annotations = { 'kubernetes.io/service-account.name': account }
    const metadata = { name, annotations }
    const secret = await told('create', 'secrets', { body: { metadata, type: 'kubernetes.io/service-account-token' } })
    const owner = await told('get', 'serviceaccounts', { name: account })
    const token = createTokenSigner(key).sign(legacyTokenClaims(owner as never, secret as never))
    const data = { token: Buffer.from(token).toString('base64') }
    await told('patch', 'secrets', { name, patchType: 'application/merge-patch+json', body: { data } })
    return { token, account }
  }
  const label = (name: string, labels: JsonObject): Promise<JsonObject> =>
    told('patch', 'secrets', { name, patchType: 'application/merge-patch+json', body: { metadata: { labels } } })

  test('is taken as long as it lies there, and its last use is noted', async () => {
    const { token, account } = await inSecret('legacy')
    expect((await review(token)).user).toMatchObject({ username: `system:serviceaccount:default:${account}` })
    const today = new Date(clock.nowMs()).toISOString().slice(0, 10)
    await eventually('the last use is noted', async () => {
      const { metadata } = await told('get', 'secrets', { name: 'legacy' })
      return metadata.labels?.['kubernetes.io/legacy-token-last-used'] === today
    })
    await label('legacy', { 'kubernetes.io/legacy-token-invalid-since': today })
    expect(await errorOf(token)).toMatch(/has been marked invalid. Use tokens from the TokenRequest API/)
    await label('legacy', { 'kubernetes.io/legacy-token-invalid-since': null })
    expect(await errorOf(token)).toBe('authenticated')
    await told('patch', 'secrets', {
      ...{ name: 'legacy', patchType: 'application/merge-patch+json' },
      body: { data: { token: 'AAAA' } },
    })
    expect(await errorOf(token)).toBe("Token does not match server's copy")
    await remove('secrets', 'legacy')
    expect(await errorOf(token)).toBe('Token has been invalidated')
  })

  test('ends with its account', async () => {
    const { token, account } = await inSecret('legacy-2')
    await remove('serviceaccounts', account)
    expect(await errorOf(token)).toBe(`serviceaccounts "${account}" not found`)
  })
})
