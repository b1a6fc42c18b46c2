// Answers in protobuf over HTTP: what is asked for, what falls back, and that both forms say the same.
import { type ClientHttp2Session, connect } from 'node:http2'
import { decodeProtobuf } from '@shiplog/api/decode/protobuf'
import type { JsonObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { issueCertificate, keyPem, newKeyPair } from '@shiplog/control-plane/identity/certificate'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiGateway, createApiGateway } from '../api-gateway.ts'

const protobuf = 'application/vnd.kubernetes.protobuf'
const registry = builtInRegistry()
const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }

let log: ClusterLog
let gateway: ApiGateway
let session: ClientHttp2Session

beforeAll(async () => {
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  const keys = newKeyPair()
  const nowMs = systemClock.nowMs()
  const cert = issueCertificate(
    { use: 'server', commonName: 'a', ipAddresses: ['127.0.0.1'], notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + 86_400_000 },
    keys,
  )
  gateway = createApiGateway({
    ...{ log, clock: systemClock, ids: systemIds, logger: silentLogger, anonymousAuth: true, authorizationModes: ['AlwaysAllow'] },
    https: { host: '127.0.0.1', port: 0, ca: cert, cert, key: keyPem(keys.privateKey) },
  })
  await gateway.start()
  const client = gateway.clientFor(admin)
  await client.request({ verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name: 'default' } } })
  for (let index = 0; index < 300; index++)
    await client.request({
      ...{ verb: 'create', group: '', resource: 'configmaps', namespace: 'default' },
      body: { metadata: { name: `c-${index}`, labels: { odd: String(index % 2) } }, data: { text: 'ü'.repeat(100) } },
    })
  session = connect(`https://127.0.0.1:${gateway.port}`, { rejectUnauthorized: false })
})

afterAll(async () => {
  session.destroy()
  await gateway.stop()
  await log.close()
})

interface Got {
  readonly code: number
  readonly type: string
  readonly body: Buffer
}

/** `enough` ends an answer that has no end. */
const get = (path: string, accept: string, enough: (body: Buffer) => boolean = () => false): Promise<Got> =>
  new Promise((settle, reject) => {
    const stream = session.request({ ':path': path, accept })
    let [code, type, body] = [0, '', Buffer.alloc(0)]
    stream.on('response', (headers) => {
      code = Number(headers[':status'])
      type = String(headers['content-type'])
    })
    stream.on('data', (chunk: Buffer) => {
      body = Buffer.concat([body, chunk])
      if (enough(body)) stream.close()
    })
    stream.on('error', reject)
    stream.on('close', () => settle({ code, type, body }))
  })

const path = '/api/v1/namespaces/default/configmaps'
const json = async (from: string): Promise<JsonObject> => JSON.parse((await get(from, 'application/json')).body.toString()) as JsonObject

/** Items of a list name no kind of their own there. */
const withoutTypes = (list: JsonObject): JsonObject => ({
  ...list,
  items: (list['items'] as JsonObject[]).map(({ kind: _, apiVersion: __, ...item }) => item),
})

test('objects and lists say in protobuf what they say in JSON', async () => {
  for (const one of [`${path}/c-1`, '/api/v1/namespaces/default']) {
    const { type, body } = await get(one, protobuf)
    expect(type).toBe(protobuf)
    expect(decodeProtobuf(body, registry)).toEqual(await json(one))
  }
  for (const query of ['', '?limit=2', '?labelSelector=odd%3D1', '?fieldSelector=metadata.name%3Dnope']) {
    const { code, body } = await get(`${path}${query}`, `${protobuf},application/json`)
    expect(code).toBe(200)
    const list = decodeProtobuf(body, registry)
    const expected = withoutTypes(await json(`${path}${query}`))
    // An empty list is none on this wire.
    expect({ items: [], ...list, metadata: { ...(list['metadata'] as object), continue: '' } }).toEqual({
      ...expected,
      metadata: { ...expected['metadata'], continue: '' },
    })
  }
})

test('a watch tells events as frames, and bookmarks', async () => {
  const query = '?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=odd%3D1'
  const { type, body } = await get(`${path}${query}`, protobuf, (bytes) => bytes.includes('initial-events-end'))
  expect(type).toBe(`${protobuf};stream=watch`)
  const events = framesOf(body)
  expect(events.length).toBe(151)
  expect(events[0]).toMatchObject({ type: 'ADDED', object: { kind: 'ConfigMap', metadata: { labels: { odd: '1' } } } })
  expect(events.at(-1)).toMatchObject({ type: 'BOOKMARK', object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } } })
})

/** Four bytes of length, then {1 type, 2 {1 object}}; read here by hand. */
function framesOf(body: Buffer): { type: string; object: JsonObject }[] {
  const found: { type: string; object: JsonObject }[] = []
  for (let at = 0; at + 4 <= body.length; ) {
    const end = at + 4 + body.readUInt32BE(at)
    const type = body.toString('latin1', at + 6, at + 6 + body[at + 5]!)
    const magic = body.indexOf('k8s\u0000', at)
    found.push({ type, object: decodeProtobuf(body.subarray(magic, end), registry) })
    at = end
  }
  return found
}

test('metadata alone, errors, and what has no protobuf', async () => {
  const metadata = await get(`${path}/c-1`, `${protobuf};as=PartialObjectMetadata;g=meta.k8s.io;v=v1`)
  expect(metadata.type).toBe(protobuf)
  expect(metadata.body.includes('PartialObjectMetadata')).toBe(true)
  expect(metadata.body.includes('üü')).toBe(false)
  const missing = await get(`${path}/nope`, protobuf)
  expect(missing).toMatchObject({ code: 404, type: protobuf })
  expect(decodeProtobuf(missing.body, registry)).toMatchObject({ kind: 'Status', code: 404, reason: 'NotFound' })
  const table = await get(path, `${protobuf};as=Table;g=meta.k8s.io;v=v1,application/json;as=Table;g=meta.k8s.io;v=v1`)
  expect(table.type).toBe('application/json')
  expect(JSON.parse(table.body.toString())).toMatchObject({ kind: 'Table' })
})
