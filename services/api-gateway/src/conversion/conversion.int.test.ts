// Custom resources that a webhook converts, asked over HTTPS at a real server: what is stored stays as it was written, every way of
// reading shows the version that was asked for, and a webhook that fails or lies is told of in upstream's words.
import { createServer, type Server } from 'node:https'
import { request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { issueCertificate, keyPem, newKeyPair } from '@shiplog/control-plane/identity/certificate'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type ApiGateway, createApiGateway } from '../api-gateway.ts'

const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }
const definitions = { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' }
const hosts = { group: 'example.com', resource: 'hosts', namespace: 'default' }

let log: ClusterLog
let gateway: ApiGateway
let client: ApiClient
let server: Server
let authority: string
/** The reviews that were asked, and what is answered instead of the right thing. */
const asked: JsonObject[] = []
let lie: ((review: JsonObject, right: JsonObject) => JsonObject | { readonly code: number }) | undefined

/** v1 has `hostPort: "a:1"`, v2 has `host` and `port`. */
function convert(object: KubeObject, apiVersion: string): KubeObject {
  const { hostPort, host, port, ...rest } = object as KubeObject & JsonObject
  if (apiVersion === 'example.com/v1') return { ...rest, apiVersion, hostPort: `${String(host)}:${String(port)}` } as KubeObject
  const [first, second] = String(hostPort).split(':')
  return { ...rest, apiVersion, host: first, port: Number(second) } as KubeObject
}

function answerTo(review: JsonObject): JsonObject {
  const { uid, desiredAPIVersion, objects } = review['request'] as { uid: string; desiredAPIVersion: string; objects: KubeObject[] }
  const convertedObjects = objects.map((object) => convert(object, desiredAPIVersion))
  return { kind: 'ConversionReview', apiVersion: review['apiVersion'], response: { uid, convertedObjects, result: { status: 'Success' } } } as unknown as JsonObject
}

beforeAll(async () => {
  const [authorityKeys, keys] = [newKeyPair(), newKeyPair()]
  const times = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 3_600_000 }
  authority = issueCertificate({ use: 'authority', commonName: 'test', ...times }, authorityKeys)
  const cert = issueCertificate({ use: 'server', commonName: 'test', ipAddresses: ['127.0.0.1'], ...times }, keys, {
    certificate: authority,
    key: authorityKeys.privateKey,
  })
  const key = keyPem(keys.privateKey)
  server = createServer({ cert, key }, (request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const review = JSON.parse(Buffer.concat(pieces).toString()) as JsonObject
      asked.push(review)
      const right = answerTo(review)
      const answer = lie ? lie(review, right) : right
      if (typeof answer['code'] === 'number') return response.writeHead(answer['code']).end('out of order')
      response.setHeader('content-type', 'application/json')
      return response.end(JSON.stringify(answer))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  gateway = createApiGateway({
    ...{ log, clock: systemClock, ids: systemIds, logger: silentLogger },
    https: { host: '127.0.0.1', port: 0, ca: authority, cert, key },
    tokenFile: 'secret,kubernetes-admin,1,"system:masters"',
  })
  await gateway.start()
  client = gateway.clientFor(admin)
  await must({ verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name: 'default' } } })
})

afterAll(async () => {
  await gateway.stop()
  await log.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

/** A fresh definition, v1 stored: nothing is known of conversions. */
beforeEach(async () => {
  lie = undefined
  const known = await client.request({ verb: 'get', ...definitions, name: 'hosts.example.com' })
  if (known.ok) {
    await must({ verb: 'delete', ...definitions, name: 'hosts.example.com' })
    await vi.waitFor(async () => expect((await client.request({ verb: 'get', ...definitions, name: 'hosts.example.com' })).ok).toBe(false))
  }
  await must({ verb: 'create', ...definitions, body: definition('v1') })
  await vi.waitFor(async () => expect((await client.request({ verb: 'list', ...hosts, version: 'v2' })).ok).toBe(true))
  asked.length = 0
})

function definition(storage: string): JsonObject {
  const { port } = server.address() as AddressInfo
  const clientConfig = { url: `https://127.0.0.1:${port}/convert`, caBundle: Buffer.from(authority).toString('base64') }
  const text = { type: 'string' }
  const versions = [
    { name: 'v1', properties: { hostPort: text, note: text, kept: { type: 'string', default: 'one' } }, required: ['hostPort'], selectable: ['.hostPort'] },
    { name: 'v2', properties: { host: text, port: { type: 'integer', maximum: 99 }, note: text, kept: text }, required: ['host', 'port'], selectable: ['.host', '.port'] },
  ]
  return {
    metadata: { name: 'hosts.example.com' },
    spec: {
      ...{ group: 'example.com', scope: 'Namespaced' },
      names: { plural: 'hosts', singular: 'host', kind: 'Host', listKind: 'HostList' },
      versions: versions.map(({ name, selectable, ...schema }) => ({
        ...{ name, served: true, storage: name === storage },
        schema: { openAPIV3Schema: { type: 'object', ...schema } },
        selectableFields: selectable.map((jsonPath) => ({ jsonPath })),
      })),
      conversion: { strategy: 'Webhook', webhook: { clientConfig, conversionReviewVersions: ['v1'] } },
    },
  } as unknown as JsonObject
}

async function must(request: ApiRequest): Promise<Extract<ApiResult, { ok: true }>> {
  const result = await client.request(request)
  if (!result.ok) throw new Error(`${request.verb} ${request.resource}: ${result.status.message}`)
  return result
}

const get = async (version: string, name: string): Promise<JsonObject> => (await must({ verb: 'get', ...hosts, version, name })).object
const said = (result: ApiResult): string => (result.ok ? 'ok' : `${result.status.code} ${result.status.message}`)

const create = (version: string, name: string, fields: JsonObject): Promise<ApiResult> =>
  client.request({ verb: 'create', ...hosts, version, body: { kind: 'Host', apiVersion: `example.com/${version}`, metadata: { name }, ...fields } })

/** The text of an answer, or what came of it until it says enough. */
function read(path: string, enough?: (text: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: 'Bearer secret' }
    const request = httpsRequest({ host: '127.0.0.1', port: gateway.port, path, ca: authority, headers }, (response) => {
      let text = ''
      response.on('data', (piece: Buffer) => {
        text += piece.toString()
        if (!enough?.(text)) return
        request.destroy()
        resolve(text)
      })
      response.on('end', () => resolve(text))
      response.on('error', () => undefined)
    })
    request.on('error', reject)
    request.end()
  })
}

test('what is written in one version is stored in another, and shown in both', async () => {
  expect(said(await create('v2', 'a', { host: 'h', port: 7 }))).toBe('ok')
  expect(await get('v1', 'a')).toMatchObject({ apiVersion: 'example.com/v1', hostPort: 'h:7', kept: 'one' })
  const shown = await get('v2', 'a')
  expect(shown).toMatchObject({ apiVersion: 'example.com/v2', host: 'h', port: 7 })
  expect(shown).not.toHaveProperty('hostPort')
  const { metadata } = await get('v1', 'a') as unknown as KubeObject
  expect((shown as unknown as KubeObject).metadata).toEqual(metadata)
  // The schema of the version that is written judges, whatever is stored.
  expect(said(await create('v2', 'b', { host: 'h', port: 700 }))).toContain('Invalid value: 700')
  expect((asked[0]!['request'] as JsonObject)['desiredAPIVersion']).toBe('example.com/v1')
})

test('a patch, an apply and an update of one version keep what the other knows', async () => {
  await create('v1', 'a', { hostPort: 'h:7' })
  const one = { ...hosts, name: 'a', version: 'v2' }
  await must({ verb: 'patch', ...one, patchType: 'application/merge-patch+json', body: { port: 8 } as unknown as JsonObject })
  expect(await get('v1', 'a')).toMatchObject({ hostPort: 'h:8' })
  const applied = { kind: 'Host', apiVersion: 'example.com/v2', metadata: { name: 'a' }, note: 'said', host: 'h', port: 8 }
  await must({ verb: 'patch', ...one, patchType: 'application/apply-patch+yaml', query: { fieldManager: 'me', force: 'true' }, body: applied as unknown as JsonObject })
  const now = await get('v2', 'a')
  expect(now).toMatchObject({ host: 'h', port: 8, note: 'said' })
  await must({ verb: 'update', ...one, body: { ...now, port: 9 } })
  expect(await get('v1', 'a')).toMatchObject({ hostPort: 'h:9', note: 'said' })
  await must({ verb: 'delete', ...one })
})

test('a list asks once for all, and knows the answers then', async () => {
  for (let index = 0; index < 20; index++) await create('v1', `h${index}`, { hostPort: `h:${index}` })
  asked.length = 0
  const { object } = await must({ verb: 'list', ...hosts, version: 'v2' })
  const items = object['items'] as unknown as JsonObject[]
  expect(items.map(({ port }) => port).sort()).toEqual(Array.from({ length: 20 }, (_, index) => index).sort())
  expect(asked.map(({ request }) => (request as { objects: unknown[] }).objects.length)).toEqual([20])
  await must({ verb: 'list', ...hosts, version: 'v2' })
  expect(asked).toHaveLength(1)
})

test('objects of both stored versions are one list, once the stored version has changed, and the past is shown as it was', async () => {
  await create('v1', 'old', { hostPort: 'h:1' })
  const before = await log.events.lastSequence()
  const { object: crd } = await must({ verb: 'get', ...definitions, name: 'hosts.example.com' })
  await must({ verb: 'update', ...definitions, name: 'hosts.example.com', body: { ...crd, spec: definition('v2')['spec'] } as JsonObject })
  const { object: changed } = await must({ verb: 'get', ...definitions, name: 'hosts.example.com' })
  expect(changed['status']).toMatchObject({ storedVersions: ['v1', 'v2'] })
  await create('v2', 'young', { host: 'h', port: 2 })
  const list = async (version: string): Promise<unknown[]> => {
    const { object } = await must({ verb: 'list', ...hosts, version })
    return (object['items'] as unknown as JsonObject[]).map(({ apiVersion, hostPort, host, port }) => [apiVersion, hostPort ?? [host, port]])
  }
  expect(await list('v1')).toEqual([['example.com/v1', 'h:1'], ['example.com/v1', 'h:2']])
  expect(await list('v2')).toEqual([['example.com/v2', ['h', 1]], ['example.com/v2', ['h', 2]]])
  const past = JSON.parse(await read(`/at/${before}/apis/example.com/v2/namespaces/default/hosts/old`)) as JsonObject
  expect(past).toMatchObject({ apiVersion: 'example.com/v2', host: 'h', port: 1 })
})

test('a watch tells of changes in its version, what goes and what comes by a selector, too', async () => {
  await create('v1', 'a', { hostPort: 'h:1' })
  const watching = read('/apis/example.com/v2/namespaces/default/hosts?watch=1&labelSelector=level%3Dhigh', (text) => text.includes('DELETED'))
  const label = (level: string): Promise<unknown> =>
    must({ verb: 'patch', ...hosts, version: 'v1', name: 'a', patchType: 'application/merge-patch+json', body: { metadata: { labels: { level } } } })
  await vi.waitFor(() => expect(gateway.watchers).toBe(1))
  await label('high')
  await must({ verb: 'patch', ...hosts, version: 'v1', name: 'a', patchType: 'application/merge-patch+json', body: { hostPort: 'h:2' } as unknown as JsonObject })
  await label('low')
  const events = (await watching).trim().split('\n').map((line) => JSON.parse(line) as { type: string; object: JsonObject })
  expect(events.map(({ type, object }) => [type, object['apiVersion'], object['port']])).toEqual([
    ['ADDED', 'example.com/v2', 1],
    ['MODIFIED', 'example.com/v2', 2],
    ['DELETED', 'example.com/v2', 2],
  ])
})

test('fields are selected as the version that is asked for has them', async () => {
  for (const [name, hostPort] of [['a', 'x:1'], ['b', 'x:2'], ['c', 'y:1']] as const) await create('v1', name, { hostPort })
  const selected = async (version: string, fieldSelector: string): Promise<unknown[]> => {
    const { object } = await must({ verb: 'list', ...hosts, version, query: { fieldSelector } })
    return (object['items'] as unknown as KubeObject[]).map(({ metadata }) => metadata.name)
  }
  expect(await selected('v2', 'host=x')).toEqual(['a', 'b'])
  expect(await selected('v2', 'host=x,port=1')).toEqual(['a'])
  expect(await selected('v1', 'hostPort=y:1')).toEqual(['c'])
  const watching = read('/apis/example.com/v2/namespaces/default/hosts?watch=1&fieldSelector=port%3D1', (text) => text.includes('DELETED'))
  await vi.waitFor(() => expect(gateway.watchers).toBe(1))
  await must({ verb: 'patch', ...hosts, version: 'v1', name: 'c', patchType: 'application/merge-patch+json', body: { hostPort: 'y:2' } as unknown as JsonObject })
  const events = (await watching).trim().split('\n').map((line) => JSON.parse(line) as { type: string; object: KubeObject })
  expect(events.map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual(['ADDED a', 'ADDED c', 'DELETED c'])
  await must({ verb: 'deletecollection', ...hosts, version: 'v2', query: { fieldSelector: 'host=x,port=2' } })
  expect(await selected('v2', 'host=x')).toEqual(['a'])
})

test('a webhook that fails or lies is told of as upstream does, and what is stored can be read and deleted all the same', async () => {
  await create('v1', 'a', { hostPort: 'h:1' })
  const seen = async (): Promise<string> => said(await client.request({ verb: 'get', ...hosts, version: 'v2', name: 'a' }))
  const prefix = '500 conversion webhook for example.com/v1, Kind=Host'
  const responding = (change: (response: JsonObject & { convertedObjects: KubeObject[] }) => JsonObject): void => {
    lie = (_, right) => ({ ...right, response: change(right['response'] as never) }) as unknown as JsonObject
  }
  lie = () => ({ code: 500 })
  expect(await seen()).toBe(`${prefix} failed: an error on the server ("out of order") has prevented the request from succeeding`)
  responding((response) => ({ ...response, uid: 'another' }))
  expect(await seen()).toMatch(/failed: expected response.uid="[-0-9a-f]+", got "another"$/)
  responding((response) => ({ ...response, result: { status: 'Failure', message: 'no idea' } }) as unknown as JsonObject)
  expect(await seen()).toBe(`${prefix} failed: no idea`)
  responding((response) => ({ ...response, convertedObjects: [] }) as unknown as JsonObject)
  expect(await seen()).toBe(`${prefix} returned 0 objects, expected 1`)
  const changing = (change: (object: KubeObject) => unknown): void =>
    responding((response) => ({ ...response, convertedObjects: response.convertedObjects.map(change) }) as unknown as JsonObject)
  changing((object) => ({ ...object, apiVersion: 'example.com/v3' }))
  expect(await seen()).toBe(`${prefix} returned invalid object at index 0: invalid groupVersion (expected example.com/v2, received example.com/v3)`)
  changing((object) => ({ ...object, metadata: { ...object.metadata, name: 'b' } }))
  expect(await seen()).toBe(`${prefix} returned invalid object: must have the same name: a != b`)
  changing((object) => ({ ...object, metadata: { ...object.metadata, labels: { '': 'x y' } } }))
  expect(await seen()).toContain(`${prefix} returned invalid metadata: `)
  changing(() => 7)
  expect(await seen()).toContain(`${prefix} returned invalid object at index 0`)
  expect(said(await client.request({ verb: 'list', ...hosts, version: 'v2' }))).toContain('500 conversion webhook for example.com/v1, Kind=Host')
  expect(await get('v1', 'a')).toMatchObject({ hostPort: 'h:1' })
  // Of metadata nothing but labels and annotations is the webhook's.
  changing((object) => ({ ...object, metadata: { ...object.metadata, finalizers: ['x/y'], annotations: { seen: 'yes' } } }))
  const { metadata } = (await get('v2', 'a')) as unknown as KubeObject
  expect([metadata.finalizers, metadata.annotations]).toEqual([undefined, { seen: 'yes' }])
  lie = () => ({ code: 500 })
  expect(said(await client.request({ verb: 'delete', ...hosts, version: 'v1', name: 'a' }))).toBe('ok')
})

test('names that are made up, and writes that webhooks are asked about, wait for conversions as well', async () => {
  const body = { kind: 'Host', apiVersion: 'example.com/v2', metadata: { generateName: 'made-' }, host: 'h', port: 3 }
  const { object } = await must({ verb: 'create', ...hosts, version: 'v2', body: body as unknown as JsonObject })
  expect(object).toMatchObject({ host: 'h', port: 3 })
  expect(await get('v1', object.metadata.name)).toMatchObject({ hostPort: 'h:3' })
})
