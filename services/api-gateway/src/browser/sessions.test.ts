import { describe, expect, test } from 'vitest'
import type { HttpReply, HttpRequest, RawRequest } from '../http/fastify-types.ts'
import { checkSessionUse, isOfOwnOrigin, refuseForeignPage, sessionOfPage, withoutSession } from './page-requests.ts'
import { answerLink } from './session-routes.ts'
import { type Credential, createSessions, type Sessions } from './sessions.ts'

const alice: Credential = { kind: 'user', user: { name: 'alice', groups: ['system:authenticated'] }, endMs: Number.POSITIVE_INFINITY }
const hourMs = 3_600_000

function world(): { sessions: Sessions; pass(ms: number): void } {
  let nowMs = 1_000
  return { sessions: createSessions({ nowMs: () => nowMs }), pass: (ms) => void (nowMs += ms) }
}

const raw = (headers: Record<string, string>, method = 'GET'): RawRequest =>
  ({ headers: { ':authority': 'cluster:6443', ...headers }, method, socket: { localPort: 6443 } }) as unknown as RawRequest
const requestOf = (method: string, path: string, headers: Record<string, string> = {}): HttpRequest =>
  ({ method, path, raw: raw(headers, method) }) as unknown as HttpRequest

describe('links', () => {
  test('open one session, once', () => {
    const { sessions } = world()
    const code = sessions.createLink(alice, false)
    expect(sessions.redeem(code)).toMatchObject({ credential: alice, readOnly: false })
    expect(sessions.redeem(code)).toBeUndefined()
    expect(sessions.redeem('another')).toBeUndefined()
  })

  test('are good for two minutes', () => {
    const { sessions, pass } = world()
    const code = sessions.createLink(alice, false)
    pass(2 * 60_000)
    expect(sessions.redeem(code)).toBeUndefined()
  })

  test('are at most a hundred: the oldest is forgotten', () => {
    const { sessions } = world()
    const codes = Array.from({ length: 101 }, () => sessions.createLink(alice, false))
    expect(sessions.redeem(codes[0]!)).toBeUndefined()
    expect(sessions.redeem(codes[1]!)).toBeDefined()
  })
})

describe('sessions', () => {
  test('end after twelve hours, and with the certificate that opened them', () => {
    const { sessions, pass } = world()
    const long = sessions.open(alice, false)
    const short = sessions.open({ ...alice, endMs: 1_000 + hourMs }, false)
    pass(hourMs)
    expect(sessions.find(short.id)).toBeUndefined()
    expect(sessions.find(long.id)).toBeDefined()
    pass(11 * hourMs)
    expect(sessions.find(long.id)).toBeUndefined()
  })

  test('end when they are closed', () => {
    const { sessions } = world()
    const { id } = sessions.open(alice, false)
    sessions.close(id)
    expect(sessions.find(id)).toBeUndefined()
  })
})

describe('a request of a page', () => {
  const { sessions } = world()
  const { id, proof } = sessions.open(alice, false)
  const cookie = `a=b; __Host-shiplog-6443=${id}`
  const own = { cookie, 'shiplog-session-proof': proof, 'sec-fetch-site': 'same-origin', origin: 'https://cluster:6443' }

  test('is its session with the cookie and the proof', () => {
    expect(sessionOfPage(sessions, raw(own))?.credential).toEqual(alice)
  })

  test.each([
    ['the cookie alone', { cookie, 'sec-fetch-site': 'same-origin' }],
    ['a page of another origin', { ...own, 'sec-fetch-site': 'cross-site', origin: 'https://evil' }],
    ['a page of another port of this host', { ...own, 'sec-fetch-site': 'same-site', origin: 'https://cluster:8443' }],
    ['a bearer token beside it', { ...own, authorization: 'Bearer x' }],
  ])('is none with %s', (_what, headers) => {
    expect(sessionOfPage(sessions, raw(headers))).toBeUndefined()
  })

  test.each([
    ['another proof', { ...own, 'shiplog-session-proof': 'x' }],
    ['no cookie', { 'shiplog-session-proof': proof }],
    ['the cookie of another port', { ...own, cookie: `__Host-shiplog-7443=${id}` }],
  ])('is refused with %s', (_what, headers) => {
    expect(() => sessionOfPage(sessions, raw(headers))).toThrow('Unauthorized')
  })

  test('of another origin changes nothing by what the browser adds', () => {
    const foreign = { origin: 'https://evil', 'sec-fetch-site': 'cross-site' }
    expect(() => refuseForeignPage(requestOf('POST', '/api/v1/namespaces', foreign))).toThrow('another origin')
    expect(() => refuseForeignPage(requestOf('DELETE', '/api/v1/namespaces/x', { 'sec-fetch-site': 'same-site' }))).toThrow('another origin')
    refuseForeignPage(requestOf('GET', '/api/v1/namespaces', foreign))
    refuseForeignPage(requestOf('POST', '/api/v1/namespaces', { ...foreign, authorization: 'Bearer x' }))
    refuseForeignPage(requestOf('POST', '/api/v1/namespaces'))
  })

  test('makes no links: what they open would outlive what the session was opened with', () => {
    const request = { ...requestOf('POST', '/shiplog/v1/dashboard/links', own), user: { name: 'alice', groups: ['system:authenticated'] } }
    const deps = { sessions, authenticator: {} as never }
    expect(() => answerLink(deps, request as HttpRequest, {} as HttpReply)).toThrow('makes no links')
  })

  test('comes from its own origin when a browser does not say otherwise', () => {
    expect(isOfOwnOrigin(raw({}))).toBe(true)
    expect(isOfOwnOrigin(raw({ origin: 'null' }))).toBe(false)
    expect(isOfOwnOrigin(raw({ origin: 'http://cluster:6443' }))).toBe(false)
    // Through `kubectl proxy` the page is of its origin.
    expect(isOfOwnOrigin(raw({ origin: 'http://127.0.0.1:8001', 'sec-fetch-site': 'same-origin' }))).toBe(true)
  })
})

describe('what a session is for', () => {
  const { sessions } = world()
  const user = { name: 'alice', groups: ['system:authenticated'] }
  const reading = sessions.open(alice, true)
  const writing = sessions.open(alice, false)

  test.each([
    ['PATCH', '/apis/apps/v1/namespaces/a/deployments/web'],
    ['DELETE', '/api/v1/namespaces/a/pods/x'],
    ['POST', '/api/v1/namespaces/a/pods/x/eviction'],
    ['GET', '/api/v1/namespaces/a/pods/x/exec'],
    ['GET', '/api/v1/namespaces/a/pods/x/portforward'],
    ['POST', '/shiplog/v1/dashboard/links'],
  ])('read-only: not %s %s', (method, path) => {
    expect(() => checkSessionUse(reading, user, requestOf(method, path))).toThrow('read-only')
    checkSessionUse(writing, user, requestOf(method, path))
  })

  test.each([
    ['GET', '/api/v1/pods'],
    ['GET', '/api/v1/namespaces/a/pods/x/log'],
    ['POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'],
    ['POST', '/shiplog/v1/sql'],
  ])('read-only: %s %s', (method, path) => checkSessionUse(reading, user, requestOf(method, path)))

  test('nothing behind a proxy: its pages would be of the same origin', () => {
    for (const path of ['/api/v1/namespaces/a/pods/x/proxy/', '/api/v1/namespaces/a/services/x/proxy/index.html', '/api/v1/nodes/n/proxy/'])
      expect(() => checkSessionUse(writing, user, requestOf('GET', path))).toThrow('behind a proxy')
  })
})

test('what stands behind a proxy is told of no session', () => {
  expect(withoutSession('a=b; __Host-shiplog-6443=secret; c=d')).toBe('a=b; c=d')
  expect(withoutSession('__Host-shiplog-6443=secret')).toBe('')
})
