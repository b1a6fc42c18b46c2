// Custom resources over two gateways on one log: what is defined through one is served by the other, and both say the same.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { CustomResourceDefinition, JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { definitionOf } from '@shiplog/domain/testing/custom-resource-definitions'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type ApiGateway, createApiGateway } from '../api-gateway.ts'

const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }
const definitions = { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' }
/** Upstream's own tests give a definition this long to be established. */
const establishMs = 1_000

let log: ClusterLog
const gateways: ApiGateway[] = []
let first: ApiClient
let second: ApiClient

beforeAll(async () => {
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  for (let i = 0; i < 2; i++) {
    const gateway = createApiGateway({ log, clock: systemClock, ids: systemIds, logger: silentLogger })
    await gateway.start()
    gateways.push(gateway)
  }
  ;[first, second] = gateways.map((gateway) => gateway.clientFor(admin)) as [ApiClient, ApiClient]
  await must(first, { verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name: 'default' } } })
})

afterAll(async () => {
  for (const gateway of gateways) await gateway.stop()
  await log.close()
})

async function must(client: ApiClient, request: ApiRequest): Promise<Extract<ApiResult, { ok: true }>> {
  const result = await client.request(request)
  if (!result.ok) throw new Error(`${request.verb} ${request.resource}: ${result.status.message}`)
  return result
}

/** Until the assertions hold. */
const holds = (check: () => Promise<void>, timeout = 5_000): Promise<void> => vi.waitFor(check, { timeout, interval: 10 })

const sent = (crd: CustomResourceDefinition): JsonObject => {
  const { status: _, metadata, ...rest } = crd
  return { ...rest, metadata: { name: metadata.name } }
}

const define = (client: ApiClient, crd: CustomResourceDefinition) =>
  must(client, { verb: 'create', ...definitions, body: sent(crd) })

const conditionsOf = async (client: ApiClient, name: string): Promise<Record<string, string>> => {
  const { object } = await must(client, { verb: 'get', ...definitions, name })
  const { conditions = [] } = (object as unknown as CustomResourceDefinition).status
  return Object.fromEntries((conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]))
}

const established = (client: ApiClient, name: string) =>
  holds(async () => {
    expect(await conditionsOf(client, name)).toMatchObject({ Established: 'True InitialNamesAccepted' })
  }, establishMs)

const ofKind = (kind: string) => ({ group: 'example.com', resource: `${kind.toLowerCase()}s`, namespace: 'default' })
const object = (kind: string, name: string, more: JsonObject = {}, apiVersion = 'example.com/v1'): JsonObject => ({
  apiVersion,
  kind,
  metadata: { name },
  ...more,
})

describe('a definition', () => {
  test('created through one gateway is served by the other at once, and gone with its objects', async () => {
    const widgets = ofKind('Widget')
    await define(first, definitionOf())
    await established(first, 'widgets.example.com')
    // Straight to the other one, which may not have seen it yet.
    await must(second, { verb: 'create', ...widgets, body: object('Widget', 'a', { spec: { x: 1 } }) })
    const { object: read } = await must(first, { verb: 'get', ...widgets, name: 'a' })
    expect(read).toMatchObject({ kind: 'Widget', spec: { x: 1 }, metadata: { generation: 1 } })
    await must(second, { verb: 'delete', ...definitions, name: 'widgets.example.com' })
    await holds(async () => {
      const gone = await first.request({ verb: 'get', ...definitions, name: 'widgets.example.com' })
      expect(gone.ok).toBe(false)
    })
    expect(await second.request({ verb: 'list', ...widgets })).toMatchObject({ ok: false, code: 404 })
    // Defined anew, it has none of the objects of before.
    await define(first, definitionOf())
    await established(second, 'widgets.example.com')
    expect((await must(second, { verb: 'list', ...widgets })).object['items']).toEqual([])
  })

  test('whose objects are held by a finalizer waits for them, and takes no new ones', async () => {
    const gadgets = ofKind('Gadget')
    await define(first, definitionOf({ kind: 'Gadget' }))
    await established(first, 'gadgets.example.com')
    const held = object('Gadget', 'held')
    held['metadata'].finalizers = ['example.com/hold']
    await must(first, { verb: 'create', ...gadgets, body: held })
    await must(first, { verb: 'delete', ...definitions, name: 'gadgets.example.com' })
    await holds(async () => {
      expect(await conditionsOf(first, 'gadgets.example.com')).toMatchObject({ Terminating: 'True InstanceDeletionInProgress' })
    })
    const late = await second.request({ verb: 'create', ...gadgets, body: object('Gadget', 'late') })
    expect(late).toMatchObject({ ok: false, code: 403 })
    await must(first, {
      verb: 'patch',
      ...gadgets,
      name: 'held',
      patchType: 'application/merge-patch+json',
      body: { metadata: { finalizers: null } },
    }).catch((error: Error) => {
      throw new Error(`the finalizer cannot be taken away: ${error.message}`)
    })
    await holds(async () => {
      expect((await first.request({ verb: 'get', ...definitions, name: 'gadgets.example.com' })).ok).toBe(false)
    })
  })

  test('does not get names that another has, until they are free', async () => {
    await define(first, definitionOf({ kind: 'Apple' }))
    await established(first, 'apples.example.com')
    const rival = definitionOf({ kind: 'Pear' })
    rival.spec.names.kind = 'Apple'
    await define(second, rival)
    await holds(async () => {
      expect(await conditionsOf(first, 'pears.example.com')).toMatchObject({
        NamesAccepted: 'False KindConflict',
        Established: 'False NotAccepted',
      })
    })
    expect(await first.request({ verb: 'list', ...ofKind('Pear') })).toMatchObject({ ok: false, code: 404 })
    await must(first, { verb: 'delete', ...definitions, name: 'apples.example.com' })
    await established(second, 'pears.example.com')
  })
})

describe('versions and schemas', () => {
  const schemaOf = (properties: Record<string, JSONSchemaProps>): JSONSchemaProps => ({
    type: 'object',
    properties: { spec: { type: 'object', properties } },
  })
  const version = (name: string, storage: boolean, properties: Record<string, JSONSchemaProps>) => ({
    name,
    served: true,
    storage,
    schema: { openAPIV3Schema: schemaOf(properties) },
  })

  test('an object that was stored before its schema and storage version changed is shown as they are now', async () => {
    const things = ofKind('Thing')
    const a: JSONSchemaProps = { type: 'string' }
    await define(first, definitionOf({ kind: 'Thing', versions: [version('v1', true, { a, old: a })] }))
    await established(first, 'things.example.com')
    const spec = { a: '1', old: 'x', never: 'known' }
    await must(first, { verb: 'create', ...things, body: object('Thing', 't', { spec }) })
    const read = async (client: ApiClient, apiVersion: string): Promise<KubeObject> =>
      (await must(client, { verb: 'get', ...things, version: apiVersion, name: 't' })).object
    expect((await read(second, 'v1'))['spec']).toEqual({ a: '1', old: 'x' })
    const { object: stored } = await must(first, { verb: 'get', ...definitions, name: 'things.example.com' })
    const crd = stored as unknown as CustomResourceDefinition
    const b: JSONSchemaProps = { type: 'integer', default: 7 }
    crd.spec.versions = [version('v1', false, { a }), version('v2', true, { a, b })]
    await must(first, { verb: 'update', ...definitions, name: 'things.example.com', body: crd as unknown as JsonObject })
    for (const client of [first, second]) {
      await holds(async () => {
        expect(await read(client, 'v2')).toMatchObject({ apiVersion: 'example.com/v2', spec: { a: '1', b: 7 } })
      })
      expect((await read(client, 'v1'))['spec']).toEqual({ a: '1' })
    }
    // A write that changes nothing brings it into the new storage version.
    const { sequence } = await must(second, {
      verb: 'update',
      ...things,
      version: 'v2',
      name: 't',
      body: (await read(second, 'v2')) as JsonObject,
    })
    const [record] = [await log.events.get(sequence)]
    expect(JSON.parse(Buffer.from(record!.payload).toString())).toMatchObject({ apiVersion: 'example.com/v2' })
    const { object: after } = await must(first, { verb: 'get', ...definitions, name: 'things.example.com' })
    expect(after['status'].storedVersions).toEqual(['v1', 'v2'])
  })

  test('whose integers need 64 bits has them exactly, whatever else of an object is changed', async () => {
    const meters = ofKind('Meter')
    const [largest, odd] = [2n ** 63n - 1n, 2n ** 53n + 1n]
    const integer: JSONSchemaProps = { type: 'integer', format: 'int64', default: odd as unknown as number }
    const texts: JSONSchemaProps = { type: 'string' }
    const schema = { count: integer, filled: integer, note: texts }
    await define(first, definitionOf({ kind: 'Meter', versions: [version('v1', true, schema)] }))
    await established(first, 'meters.example.com')
    await must(first, { verb: 'create', ...meters, body: object('Meter', 'm', { spec: { count: largest } }) })
    const patch = { verb: 'patch', ...meters, name: 'm' } as const
    await must(second, { ...patch, patchType: 'application/merge-patch+json', body: { spec: { note: 'x' } } })
    await must(first, {
      ...patch,
      patchType: 'application/json-patch+json',
      body: [{ op: 'test', path: '/spec/count', value: largest }, { op: 'replace', path: '/spec/note', value: 'y' }] as never,
    })
    const applied = object('Meter', 'm', { spec: { count: largest } })
    const { sequence } = await must(second, {
      ...patch,
      patchType: 'application/apply-patch+yaml',
      query: { fieldManager: 'tester' },
      body: applied,
    })
    await holds(async () => {
      const { object: read } = await must(first, { verb: 'get', ...meters, name: 'm' })
      expect(read['spec']).toEqual({ count: largest, filled: odd, note: 'y' })
    })
    const record = await log.events.get(sequence)
    expect(Buffer.from(record!.payload).toString()).toContain('"spec":{"count":9223372036854775807,"filled":9007199254740993,')
  })
})
