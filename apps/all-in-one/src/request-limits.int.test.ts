// Heads of requests as large as upstream takes them, over both versions of HTTP, and what is said beyond.
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, constants } from 'node:http2'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApiGateway, createApiGateway } from '@shiplog/api-gateway/api-gateway'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadPki } from './pki.ts'

const directory = mkdtempSync(join(tmpdir(), 'shiplog-heads-'))
const token = 'a-token-for-tests'
let log: ClusterLog
let gateway: ApiGateway

beforeAll(async () => {
  const pki = loadPki({ directory, nowMs: clock.nowMs() })
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  gateway = createApiGateway({
    log,
    clock,
    ids: systemIds,
    logger: silentLogger,
    tokenFile: `${token},kubernetes-admin,1,"system:masters"`,
    https: { host: '127.0.0.1', port: 0, ca: pki.ca, cert: pki.server.certificate, key: pki.server.key },
  })
  await gateway.start()
  const client = gateway.clientFor({ name: 'admin', groups: ['system:masters', 'system:authenticated'] })
  for (const tier of ['one', 'two']) {
    const body = { metadata: { name: tier, labels: { tier } } }
    expect(await client.request({ verb: 'create', group: '', resource: 'namespaces', body })).toMatchObject({ ok: true })
  }
})

afterAll(async () => {
  await gateway.stop()
  await log.close()
  rmSync(directory, { recursive: true, force: true })
})

interface Answer {
  readonly code: number
  readonly body: { readonly reason?: string; readonly items?: readonly { metadata: { name: string } }[] }
}
type Headers = Record<string, string | string[]>
type Get = (path: string, headers?: Headers) => Promise<Answer>

const http1: Get = (path, headers = {}) =>
  new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: gateway.port, path, rejectUnauthorized: false, agent: false as const }
    const sent = request({ ...options, headers: { authorization: `Bearer ${token}`, ...headers } }, (answer) => {
      let text = ''
      answer.on('data', (part) => (text += part))
      answer.on('end', () => resolve({ code: answer.statusCode!, body: JSON.parse(text) as Answer['body'] }))
    })
    sent.on('error', reject).end()
  })

const http2: Get = async (path, headers = {}) => {
  const maxSendHeaderBlockLength = 16 * 1024 * 1024
  const session = connect(`https://127.0.0.1:${gateway.port}`, { rejectUnauthorized: false, maxSendHeaderBlockLength })
  try {
    return await new Promise<Answer>((resolve, reject) => {
      session.on('error', reject)
      const stream = session.request({ ':path': path, authorization: `Bearer ${token}`, ...headers })
      let text = ''
      let code = 0
      stream.on('response', (answer) => {
        code = Number(answer[constants.HTTP2_HEADER_STATUS])
      })
      stream.on('data', (part) => (text += part))
      stream.on('end', () => resolve({ code, body: JSON.parse(text) as Answer['body'] }))
      stream.on('error', reject)
    })
  } finally {
    session.close()
  }
}

/** A selector of at least so many characters that selects the namespace `two`. */
function selectorOf(characters: number): string {
  let text = 'tier,tier!=one'
  for (let i = 0; text.length < characters; i++) text += `,absent.example.com/label-${i}!=value-${i}`
  return text
}
const listPath = (selector: string): string => `/api/v1/namespaces?labelSelector=${encodeURIComponent(selector)}`
const namesOf = ({ body }: Answer): (string | undefined)[] | undefined => body.items?.map(({ metadata }) => metadata.name)

describe.each([
  // nghttp2, which Node's client is, sends a head in frames of 16 KB and may send nine of them; Go's client has no such bound.
  { version: 'HTTP/1.1', get: http1, selectorCharacters: 600_000 },
  { version: 'HTTP/2', get: http2, selectorCharacters: 70_000 },
])('over $version', ({ version, get, selectorCharacters }) => {
  test('a label selector of 20,000 characters, and a much longer one, select', async () => {
    for (const characters of [20_000, selectorCharacters]) {
      const answer = await get(listPath(selectorOf(characters)))
      expect(answer).toMatchObject({ code: 200 })
      expect(namesOf(answer)).toEqual(['two'])
    }
  })

  test('a header of 100 KB, and 2,500 headers, are taken', async () => {
    const many = Object.fromEntries(Array.from({ length: 2_500 }, (_, i) => [`x-many-${i}`, 'v']))
    const path = '/api/v1/namespaces/two'
    expect(await get(path, { 'x-large': 'a'.repeat(100_000) })).toMatchObject({ code: 200 })
    expect(await get(path, many)).toMatchObject({ code: 200 })
  })

  test('what is larger than 1 MB is told so, and the next request is served', async () => {
    // One field again and again makes a small block of HTTP/2, however much it is altogether.
    const headers: Headers =
      version === 'HTTP/2'
        ? { 'x-large': Array.from({ length: 400 }, () => 'a'.repeat(3_000)) }
        : { 'x-large': 'a'.repeat(5 * 1024 * 1024) }
    expect(await get('/version', headers)).toMatchObject({
      code: 431,
      body: { kind: 'Status', status: 'Failure', reason: 'RequestHeaderFieldsTooLarge', code: 431 },
    })
    expect(await get('/version')).toMatchObject({ code: 200 })
  })
})
