// Watches over a WebSocket, over HTTPS as browsers and fabric8 ask for them; and the ends of JSON bodies.
import { mkdtempSync, rmSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JsonObject } from '@shiplog/api/kube-object'
import { type ApiGateway, createApiGateway } from '@shiplog/api-gateway/api-gateway'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { loadPki, type Pki } from './pki.ts'

const directory = mkdtempSync(join(tmpdir(), 'shiplog-web-socket-'))
const deadlineMs = 15_000
const user = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }
const tokenProtocol = (token: string): string =>
  `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString('base64url')}`

let pki: Pki
let log: ClusterLog
let gateway: ApiGateway

beforeAll(async () => {
  pki = loadPki({ directory: join(directory, 'pki'), nowMs: clock.nowMs() })
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  gateway = createApiGateway({
    ...{ log, clock, ids, logger: silentLogger },
    https: { host: '127.0.0.1', port: 0, ca: pki.ca, cert: pki.server.certificate, key: pki.server.key },
    tokenFile: 'admin-token,admin,1,"system:masters"\nnobody-token,nobody,2\n',
    // Room for one watcher of one user that has much to be told first.
    outgoingLimits: { heldBytesOfUserMax: 400_000 },
  })
  await gateway.start()
  await create('namespaces', { metadata: { name: 'default' } }, '')
}, 2 * deadlineMs)

afterAll(async () => {
  await gateway?.stop()
  await log?.close()
  rmSync(directory, { recursive: true, force: true })
})

async function create(resource: string, body: JsonObject, namespace = 'default'): Promise<void> {
  const result = await gateway.clientFor(user).request({ verb: 'create', group: '', resource, namespace, body })
  if (!result.ok) throw new Error(result.status.message)
}

interface Opened {
  readonly socket: WebSocket
  readonly messages: { readonly text: string; readonly binary: boolean }[]
  readonly headers: IncomingHttpHeaders
  /** The code that it was closed with. */
  readonly closed: Promise<number>
  /** Resolves when so many messages are there. */
  until(count: number): Promise<void>
}

interface Refused {
  readonly code: number
  readonly body: string
}

function open(
  path: string,
  more: { protocols?: string[]; headers?: Record<string, string>; certificate?: boolean } = {},
): Promise<Opened | Refused> {
  const { certificate = true, protocols = [], headers = {} } = more
  return new Promise((resolve, reject) => {
    const messages: Opened['messages'] = []
    const socket = new WebSocket(`wss://127.0.0.1:${gateway.port}${path}`, protocols, {
      ...{ ca: pki.ca, headers, handshakeTimeout: deadlineMs },
      ...(certificate ? { cert: pki.admin.certificate, key: pki.admin.key } : {}),
    })
    const closed = new Promise<number>((done) => socket.on('close', done))
    socket.on('message', (data: Buffer, binary) => messages.push({ text: data.toString(), binary }))
    socket.on('unexpected-response', (_request, answer) => {
      let body = ''
      answer.on('data', (chunk: Buffer) => (body += chunk.toString()))
      answer.on('end', () => resolve({ code: answer.statusCode!, body }))
    })
    socket.on('error', reject)
    socket.on('upgrade', (answer) => {
      const until = async (count: number): Promise<void> => {
        const end = clock.nowMs() + deadlineMs
        while (messages.length < count) {
          if (clock.nowMs() > end) throw new Error(`${messages.length} of ${count} messages`)
          await clock.sleep(5)
        }
      }
      resolve({ socket, messages, headers: answer.headers, closed, until })
    })
  })
}

async function opened(...args: Parameters<typeof open>): Promise<Opened> {
  const answer = await open(...args)
  if ('code' in answer) throw new Error(`no WebSocket: ${answer.code} ${answer.body}`)
  return answer
}

const refusal = async (...args: Parameters<typeof open>): Promise<{ code: number; status: any }> => {
  const answer = await open(...args)
  if (!('code' in answer)) throw new Error('a WebSocket was opened')
  return { code: answer.code, status: JSON.parse(answer.body) }
}

const configMaps = '/api/v1/namespaces/default/configmaps'
const eventOf = ({ text }: { text: string }): { type: string; object: any } => JSON.parse(text)

describe('a watch over a WebSocket', () => {
  test('sends one text message per event: what is there, then what happens', async () => {
    for (let i = 0; i < 300; i++) await create('configmaps', { metadata: { name: `there-${i}` }, data: { text: 'a\nb' } })
    const watch = await opened(`${configMaps}?watch=true`)
    await watch.until(300)
    await create('configmaps', { metadata: { name: 'later' } })
    await gateway.clientFor(user).request({
      ...{ verb: 'delete', group: '', resource: 'configmaps', namespace: 'default', name: 'later' },
    } as never)
    await watch.until(302)
    expect(watch.messages.every(({ text, binary }) => !binary && text.endsWith('}\n'))).toBe(true)
    const events = watch.messages.map(eventOf)
    expect(new Set(events.slice(0, 300).map(({ object }) => object.metadata.name)).size).toBe(300)
    expect(events.slice(300).map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual([
      'ADDED later',
      'DELETED later',
    ])
    watch.socket.close()
    await watch.closed
  })

  test('ends with an ordinary close at its timeout, after a bookmark for who asked for one', async () => {
    const watch = await opened(`${configMaps}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion=1`)
    expect(await watch.closed).toBe(1000)
    expect(eventOf(watch.messages.at(-1)!).type).toBe('BOOKMARK')
  })

  test('answers pings, takes no notice of messages, and ends when the client ends it', async () => {
    const watch = await opened(`${configMaps}?watch=true`)
    const watchers = gateway.watchers
    const pong = new Promise<string>((resolve) => watch.socket.on('pong', (data) => resolve(data.toString())))
    watch.socket.send('hello')
    watch.socket.ping('are you there')
    expect(await pong).toBe('are you there')
    watch.socket.close(1000)
    expect(await watch.closed).toBe(1000)
    for (let i = 0; i < 200 && gateway.watchers >= watchers; i++) await clock.sleep(10)
    expect(gateway.watchers).toBe(watchers - 1)
  })

  test('one that is not read takes no more memory than another watch: it is cut', async () => {
    const watch = await opened(`${configMaps}?watch=true&resourceVersion=1`)
    // Caught up: who stops reading before that is cut, too, but half a minute later.
    await watch.until(302)
    watch.socket.pause()
    const watchers = gateway.watchers
    const text = 'x'.repeat(900_000)
    for (let i = 0; i < 40 && gateway.watchers === watchers; i++)
      await create('configmaps', { metadata: { name: `big-${i}` }, data: { text } })
    for (let i = 0; i < 200 && gateway.watchers === watchers; i++) await clock.sleep(10)
    expect(gateway.watchers).toBe(watchers - 1)
    watch.socket.terminate()
  })

  test('waits for room as every watch does, and is told to come back when there is none in time', async () => {
    const text = 'x'.repeat(900_000)
    for (let i = 0; i < 30; i++) await create('configmaps', { metadata: { name: `much-${i}`, labels: { which: 'much' } }, data: { text } })
    const first = await opened(`${configMaps}?watch=true`)
    await first.until(1)
    first.socket.pause()
    expect(await refusal(`${configMaps}?watch=true`)).toMatchObject({
      code: 429,
      status: { reason: 'TooManyRequests', details: { retryAfterSeconds: 2 } },
    })
    first.socket.resume()
    await first.until(30)
    const second = await opened(`${configMaps}?watch=true`)
    await second.until(30)
    for (const { socket } of [first, second]) socket.terminate()
    expect((await send('DELETE', `${configMaps}?labelSelector=which%3Dmuch`)).code).toBe(200)
  })

  test('is refused before the upgrade, with a Status over ordinary HTTP', async () => {
    expect(await refusal(`${configMaps}?watch=true&resourceVersion=abc`)).toMatchObject({
      code: 400,
      status: { kind: 'Status', reason: 'BadRequest' },
    })
    expect((await refusal('/api/v1/namespaces/default/nonsense?watch=true')).code).toBe(404)
    const forbidden = { certificate: false, headers: { authorization: 'Bearer nobody-token' } }
    expect(await refusal(`${configMaps}?watch=true`, forbidden)).toMatchObject({
      code: 403,
      status: { reason: 'Forbidden' },
    })
    expect(await refusal(`${configMaps}?watch=true`, { certificate: false })).toMatchObject({
      code: 403,
      status: { message: expect.stringContaining('User "system:anonymous" cannot watch') },
    })
  })

  test('what is served over no WebSocket answers as ever', async () => {
    const answer = await refusal('/api/v1/namespaces/default')
    expect(answer).toMatchObject({ code: 200, status: { kind: 'Namespace' } })
    expect((await refusal('/api/v1/namespaces/default/pods/x/exec?command=a')).status).toMatchObject({ kind: 'Status' })
    expect((await refusal('/shiplog/v1/events')).status).toMatchObject({ kind: 'Status' })
  })
})

describe('a bearer token as a subprotocol', () => {
  const watch = `${configMaps}?watch=true&timeoutSeconds=30`

  test('says who asks; another one is echoed', async () => {
    const protocols = [tokenProtocol('admin-token'), 'base64.binary.k8s.io']
    const { socket, headers, closed } = await opened(watch, { certificate: false, protocols })
    expect(headers['sec-websocket-protocol']).toBe('base64.binary.k8s.io')
    socket.close()
    await closed
  })

  test.each([
    ['that nobody knows', [tokenProtocol('wrong'), 'x']],
    ['alone', [tokenProtocol('admin-token')]],
    ['twice', [tokenProtocol('admin-token'), tokenProtocol('nobody-token'), 'x']],
  ])('%s is 401', async (_what, protocols) => {
    expect((await refusal(watch, { certificate: false, protocols })).code).toBe(401)
  })

  test('of a user without the right is 403', async () => {
    const protocols = [tokenProtocol('nobody-token'), 'x']
    expect((await refusal(watch, { certificate: false, protocols })).code).toBe(403)
  })
})

function send(method: string, path: string, body?: object): Promise<{ code: number; text: string; type: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...{ host: '127.0.0.1', port: gateway.port, path, method, ca: pki.ca },
        ...{ cert: pki.admin.certificate, key: pki.admin.key, headers: { 'content-type': 'application/json' } },
      },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          const length = answer.headers['content-length']
          if (length !== undefined && Number(length) !== Buffer.byteLength(text)) reject(new Error(`length ${length}`))
          resolve({ code: answer.statusCode!, text, type: answer.headers['content-type'] ?? '' })
        })
      },
    )
    sent.setTimeout(deadlineMs, () => sent.destroy(new Error('no answer in time')))
    sent.on('error', reject)
    sent.end(body && JSON.stringify(body))
  })
}

test('every body of JSON ends with one newline, however it is made', async () => {
  const big = { metadata: { name: 'ends-big' }, data: { text: 'x'.repeat(400_000) } }
  const asked: readonly (readonly [string, string, object?])[] = [
    ['GET', '/api'],
    ['GET', '/apis'],
    ['GET', '/apis/apps/v1'],
    ['GET', '/version'],
    ['GET', '/'],
    ['GET', '/openapi/v2'],
    ['GET', '/openapi/v3'],
    ['GET', '/api/v1/namespaces/default'],
    ['GET', '/api/v1/namespaces'],
    ['GET', '/api/v1/namespaces/nope'],
    ['GET', '/api/v1/nopes'],
    ['POST', configMaps, { metadata: { name: 'ends' } }],
    ['POST', configMaps, { metadata: { name: 'ends' } }],
    ['POST', configMaps, big],
    ['PUT', `${configMaps}/ends-big`, { ...big, data: { text: 'y'.repeat(400_000) } }],
    ['GET', `${configMaps}/ends-big`],
    ['GET', configMaps],
    ['GET', `/at/20/api/v1/namespaces`],
    ['DELETE', `${configMaps}/ends`],
    ['DELETE', `${configMaps}?labelSelector=a%3Db`],
    ['POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { spec: { nonResourceAttributes: { path: '/' } } }],
  ]
  for (const [method, path, body] of asked) {
    const { text, type } = await send(method, path, body)
    expect(type, `${method} ${path}`).toMatch('application/json')
    expect(text.endsWith('}\n') && !text.endsWith('\n\n'), `${method} ${path} ends with ${JSON.stringify(text.slice(-9))}`).toBe(true)
    JSON.parse(text)
  }
})

test('a collection that is deleted is the answer: the list of what was deleted, as it was', async () => {
  const labels = { which: 'collection' }
  for (const name of ['c', 'a', 'b']) await create('configmaps', { metadata: { name, labels }, data: { of: name } })
  const { code, text } = await send('DELETE', `${configMaps}?labelSelector=which%3Dcollection`)
  const list = JSON.parse(text)
  expect({ code, kind: list.kind, apiVersion: list.apiVersion }).toEqual({
    code: 200,
    kind: 'ConfigMapList',
    apiVersion: 'v1',
  })
  expect(list.items.map((item: any) => `${item.metadata.name} ${item.data.of}`)).toEqual(['a a', 'b b', 'c c'])
  expect(list.items[0].metadata.deletionTimestamp).toBeUndefined()
  const again = JSON.parse((await send('DELETE', `${configMaps}?labelSelector=which%3Dcollection`)).text)
  expect(again).toMatchObject({ kind: 'ConfigMapList', items: [] })
})
