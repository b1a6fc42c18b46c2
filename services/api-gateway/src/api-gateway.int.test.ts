// The gateway's pipeline on a real (in-memory) log, through the port that components use. HTTP and real clients are
// conformance/'s business.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import { decidedElsewhereAt } from '@shiplog/api/status'
import { header } from '@shiplog/events/envelope'
import type { ClusterLog, LogRecord } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { verifyLog } from '@shiplog/events/integrity/verify-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ApiGateway, createApiGateway } from './api-gateway.ts'

let log: ClusterLog
let gateway: ApiGateway
let client: ApiClient

const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }

beforeEach(async () => {
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  gateway = createApiGateway({ log, clock: systemClock, ids: systemIds, logger: silentLogger })
  await gateway.start()
  client = gateway.clientFor(admin)
  await must({ verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name: 'default' } } })
  await must({
    verb: 'create',
    group: '',
    resource: 'serviceaccounts',
    namespace: 'default',
    body: { metadata: { name: 'default' } },
  })
})

afterEach(async () => {
  await gateway.stop()
  await log.close()
})

async function must(request: ApiRequest): Promise<Extract<ApiResult, { ok: true }>> {
  const result = await client.request(request)
  if (!result.ok) throw new Error(`${request.verb} ${request.resource}: ${result.status.message}`)
  return result
}

async function refusal(request: ApiRequest): Promise<Extract<ApiResult, { ok: false }>> {
  const result = await client.request(request)
  if (result.ok) throw new Error(`${request.verb} ${request.resource} was accepted`)
  return result
}

const configMap = (name: string, data: Record<string, string> = {}): ApiRequest => ({
  verb: 'create',
  group: '',
  resource: 'configmaps',
  namespace: 'default',
  body: { metadata: { name }, data },
})

const of = (verb: ApiRequest['verb'], name: string, more: Partial<ApiRequest> = {}): ApiRequest => ({
  verb,
  group: '',
  resource: 'configmaps',
  namespace: 'default',
  name,
  ...more,
})

async function records(): Promise<LogRecord[]> {
  const all: LogRecord[] = []
  for await (const some of log.events.read()) all.push(...some)
  return all
}

describe('writes', () => {
  test('a create is one event whose sequence is the resourceVersion', async () => {
    const { object, sequence } = await must(configMap('a', { x: '1' }))
    expect(object.metadata.resourceVersion).toBe(String(sequence))
    const record = (await records()).at(-1)!
    expect(record.sequence).toBe(sequence)
    expect(record.subject).toBe('evt.core.configmaps.default.a')
    expect(record.headers[header.type]).toBe('ConfigMapCreated')
    expect(record.headers[header.actor]).toBe('kubernetes-admin')
    const stored = JSON.parse(Buffer.from(record.payload).toString()) as JsonObject
    expect(stored['metadata'].resourceVersion).toBeUndefined()
    expect(stored['data']).toEqual({ x: '1' })
  })

  test('a second create of a name is AlreadyExists, also when both race', async () => {
    const results = await Promise.all(Array.from({ length: 20 }, () => client.request(configMap('raced'))))
    expect(results.filter((result) => result.ok)).toHaveLength(1)
    expect(new Set(results.filter((result) => !result.ok).map((result) => !result.ok && result.status.reason))).toEqual(
      new Set(['AlreadyExists']),
    )
  })

  test('an update with a stale resourceVersion is a Conflict and leaves no event', async () => {
    const created = await must(configMap('a', { x: '1' }))
    await must(of('update', 'a', { body: { ...created.object, data: { x: '2' } } }))
    const before = (await records()).length
    const result = await refusal(of('update', 'a', { body: { ...created.object, data: { x: '3' } } }))
    expect(result.status).toMatchObject({ code: 409, reason: 'Conflict', details: { name: 'a', kind: 'configmaps' } })
    expect((await records()).length).toBe(before)
  })

  test('an update that changes nothing leaves no event and keeps the resourceVersion', async () => {
    const created = await must(configMap('a', { x: '1' }))
    const before = (await records()).length
    const again = await must(of('update', 'a', { body: created.object }))
    expect(again.object.metadata.resourceVersion).toBe(created.object.metadata.resourceVersion)
    expect((await records()).length).toBe(before)
  })

  test('100 concurrent patches without resourceVersion all take effect', async () => {
    await must(configMap('a'))
    await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        must(of('patch', 'a', { patchType: 'application/merge-patch+json', body: { data: { [`k${i}`]: 'v' } } })),
      ),
    )
    const { object } = await must(of('get', 'a'))
    expect(Object.keys(object['data'])).toHaveLength(100)
  })

  test('a name can be used again after deletion, with a new uid and a larger resourceVersion', async () => {
    const first = await must(configMap('a'))
    await must(of('delete', 'a'))
    const second = await must(configMap('a'))
    expect(second.object.metadata.uid).not.toBe(first.object.metadata.uid)
    expect(second.sequence).toBeGreaterThan(first.sequence + 1)
  })

  test('a name that is used again continues the history of its subject, so that the log verifies', async () => {
    await must(configMap('a'))
    const gone = await must(of('delete', 'a'))
    await must(configMap('a'))
    expect((await records()).at(-1)!.headers[header.previous]).toBe(String(gone.sequence))
    expect(await verifyLog(log.events)).toMatchObject({ ok: true, findings: [] })
  })

  test('a deletion that was decided before another round of its matter was stored is refused', async () => {
    const names = ['a', 'b', 'c', 'd']
    for (const name of names) await must(configMap(name))
    const basis = (await records()).at(-1)!.sequence
    const give = (name: string, round: string, more: Partial<ApiRequest> = {}): ApiRequest =>
      of('delete', name, { once: { matter: 'set', round }, basis, ...more })
    const [one, two] = await Promise.all([client.request(give('a', 'one')), client.request(give('b', 'one'))])
    expect([one.ok, two.ok]).toEqual([true, true])
    expect((await refusal(give('c', 'two'))).status).toMatchObject({ code: 409, reason: 'Conflict' })
    await must(of('get', 'c'))
    await must(give('c', 'two', { basis: (await records()).at(-1)!.sequence }))
    await must(of('delete', 'd', { once: { matter: 'another set', round: 'three' }, basis }))
  })

  test('a binding to a node on which another scheduler placed something since is refused, with the sequence to wait for', async () => {
    const pods = { group: '', resource: 'pods', namespace: 'default' }
    const names = ['a', 'b', 'c', 'd']
    for (const name of names) {
      const body = { metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }] } }
      await must({ verb: 'create', ...pods, body })
    }
    const end = async (): Promise<number> => (await records()).at(-1)!.sequence
    const basis = await end()
    const bind = (name: string, round: string, seen: number): ApiRequest => ({
      verb: 'create',
      ...pods,
      name,
      subresource: 'binding',
      body: { metadata: { name }, target: { kind: 'Node', name: 'n' } },
      once: { matter: 'node/n', round },
      basis: seen,
    })
    await must(bind('a', 'one', basis))
    const { status } = await refusal(bind('b', 'two', basis))
    expect(decidedElsewhereAt(status)).toBe(await end())
    await must(bind('b', 'two', decidedElsewhereAt(status)!))
    // What the first decided before it saw that, too; its own binding in between does not hide it.
    expect((await refusal(bind('c', 'one', basis))).code).toBe(409)
    await must(bind('c', 'one', await end()))
    expect((await refusal(bind('d', 'one', basis))).code).toBe(409)
    expect((await must(of('get', 'd', pods))).object['spec'].nodeName).toBeUndefined()
    expect(await verifyLog(log.events)).toMatchObject({ ok: true, findings: [] })
  })

  test('dry runs leave no event', async () => {
    await must(configMap('a', { x: '1' }))
    const before = (await records()).length
    const query = { dryRun: 'All' }
    await must({ ...configMap('b'), query })
    await must(of('patch', 'a', { query, patchType: 'application/merge-patch+json', body: { data: { x: '2' } } }))
    await must(of('delete', 'a', { query }))
    expect((await records()).length).toBe(before)
    expect((await must(of('get', 'a'))).object['data']).toEqual({ x: '1' })
  })

  test('a finalizer holds the object until it is removed, and none can be added meanwhile', async () => {
    await must({ ...configMap('a'), body: { metadata: { name: 'a', finalizers: ['example.com/hold'] } } })
    const deleted = await must(of('delete', 'a'))
    expect(deleted.object.metadata.deletionTimestamp).toBeDefined()
    const added = await refusal(
      of('patch', 'a', {
        patchType: 'application/merge-patch+json',
        body: { metadata: { finalizers: ['example.com/hold', 'example.com/more'] } },
      }),
    )
    expect(added.status.reason).toMatch(/Forbidden|Invalid/)
    await must(
      of('patch', 'a', { patchType: 'application/merge-patch+json', body: { metadata: { finalizers: null } } }),
    )
    expect((await refusal(of('get', 'a'))).status.reason).toBe('NotFound')
  })

  test('every record carries a checksum that is chained to the record before it', async () => {
    await must(configMap('a', { x: '1' }))
    await must(of('patch', 'a', { patchType: 'application/merge-patch+json', body: { data: { x: '2' } } }))
    const [first, second] = (await records()).filter((record) => record.subject.endsWith('configmaps.default.a'))
    expect(second!.headers[header.chain]).toBe(first!.headers[header.checksum])
    expect(second!.headers[header.previous]).toBe(String(first!.sequence))
  })
})

describe('reads', () => {
  test('a list at an earlier version is exact, through creates, updates, deletions and re-creations', async () => {
    const snapshots: { version: string; items: unknown[] }[] = []
    const snap = async (): Promise<void> => {
      const { object } = await must({ verb: 'list', group: '', resource: 'configmaps', namespace: 'default' })
      snapshots.push({ version: object.metadata.resourceVersion!, items: object['items'] })
    }
    for (let i = 0; i < 30; i++) {
      const name = `c${i % 7}`
      const present = await client.request(of('get', name))
      if (!present.ok) await must(configMap(name, { i: String(i) }))
      else if (i % 3 === 0) await must(of('delete', name))
      else
        await must(of('patch', name, { patchType: 'application/merge-patch+json', body: { data: { i: String(i) } } }))
      await snap()
    }
    for (const { version, items } of snapshots) {
      const { object } = await must({
        verb: 'list',
        group: '',
        resource: 'configmaps',
        namespace: 'default',
        query: { resourceVersion: version, resourceVersionMatch: 'Exact' },
      })
      expect(object['items']).toEqual(items)
    }
  })

  test('pages are of one snapshot, whatever happens in between', async () => {
    for (let i = 0; i < 10; i++) await must(configMap(`p${i}`))
    const first = await must({
      verb: 'list',
      group: '',
      resource: 'configmaps',
      namespace: 'default',
      query: { limit: '4' },
    })
    const meta = first.object.metadata as unknown as {
      continue: string
      remainingItemCount: number
      resourceVersion: string
    }
    expect(meta.remainingItemCount).toBe(6)
    await must(of('delete', 'p7'))
    await must(configMap('p75'))
    const second = await must({
      verb: 'list',
      group: '',
      resource: 'configmaps',
      namespace: 'default',
      query: { limit: '100', continue: meta.continue },
    })
    expect(second.object.metadata.resourceVersion).toBe(meta.resourceVersion)
    expect(second.object['items'].map((item: JsonObject) => item['metadata'].name)).toEqual([
      'p4',
      'p5',
      'p6',
      'p7',
      'p8',
      'p9',
    ])
  })

  test('a version from the future is 504 with the cause that client-go knows', async () => {
    const result = await refusal({
      verb: 'list',
      group: '',
      resource: 'configmaps',
      query: { resourceVersion: '999999999' },
    })
    expect(result.status).toMatchObject({
      code: 504,
      reason: 'Timeout',
      details: { causes: [{ reason: 'ResourceVersionTooLarge' }] },
    })
  })

  test('a second gateway on the same log sees what the first acknowledged', async () => {
    const other = createApiGateway({ log, clock: systemClock, ids: systemIds, logger: silentLogger })
    await other.start()
    const reader = other.clientFor(admin)
    for (let i = 0; i < 200; i++) {
      await must(configMap(`w${i}`))
      expect((await reader.request(of('get', `w${i}`))).ok).toBe(true)
    }
    await other.stop()
  })

  test('a gateway that starts later serves the same bytes', async () => {
    for (let i = 0; i < 20; i++) await must(configMap(`w${i}`, { i: String(i) }))
    await must(of('delete', 'w3'))
    const later = createApiGateway({ log, clock: systemClock, ids: systemIds, logger: silentLogger })
    await later.start()
    const list: ApiRequest = { verb: 'list', group: '', resource: 'configmaps' }
    const [a, b] = [await client.request(list), await later.clientFor(admin).request(list)]
    expect(JSON.stringify(a)).toBe(JSON.stringify(b))
    await later.stop()
  })
})

describe('subjects that the log has forgotten', () => {
  test('a name whose tombstone was purged can be used again', async () => {
    await must(configMap('gone'))
    await must(of('delete', 'gone'))
    await log.events.purge('evt.core.configmaps.default.gone')
    expect((await must(configMap('gone'))).object.metadata.name).toBe('gone')
  })

  test('a name used before is refused to those who ask for a new one, also in a dry run', async () => {
    await must(configMap('once'))
    await must(of('delete', 'once'))
    for (const query of [{}, { dryRun: 'All' }]) {
      const result = await refusal({ ...configMap('once'), onlyNew: true, query })
      expect(result.status.details?.causes?.[0]?.reason).toBe('NameUsedBefore')
    }
    expect((await client.request(configMap('once'))).ok).toBe(true)
  })
})

test('an invalid object is refused as invalid, also under a name that is taken', async () => {
  await must(configMap('a'))
  const result = await refusal({ ...configMap('a'), body: { metadata: { name: 'a' }, data: { 'no spaces': 'x' } } })
  expect(result.status.reason).toBe('Invalid')
  const service = (spec: object): ApiRequest => ({
    verb: 'create',
    group: '',
    resource: 'services',
    namespace: 'default',
    body: { metadata: { name: 'web' }, spec },
  })
  await must(service({ ports: [{ port: 80 }] }))
  expect((await refusal(service({ ports: [{ port: 80 }] }))).status.reason).toBe('AlreadyExists')
})
