// Pods that are bound together: all or none, by components only.
import type { ApiClient, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import { placementsMax } from '@shiplog/api/placements'
import type { ClusterLog } from '@shiplog/events/event-log'
import { decodeEnvelope } from '@shiplog/events/envelope'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiGateway, createApiGateway } from '../api-gateway.ts'

let log: ClusterLog
let gateway: ApiGateway
let admin: ApiClient
let scheduler: ApiClient

beforeAll(async () => {
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  gateway = createApiGateway({ log, clock: systemClock, ids: systemIds, logger: silentLogger })
  await gateway.start()
  admin = gateway.clientFor({ name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] })
  scheduler = gateway.clientFor({ name: 'system:kube-scheduler', groups: ['system:authenticated'] })
  await admin.request({ verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name: 'default' } } })
  await admin.request({ verb: 'create', group: '', resource: 'serviceaccounts', namespace: 'default', body: { metadata: { name: 'default' } } })
})

afterAll(async () => {
  await gateway.stop()
  await log.close()
})

const pods = { group: '', resource: 'pods', namespace: 'default' } as const

async function make(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const body = { metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }], schedulingGroup: { podGroupName: 'gang' } } }
    expect(await admin.request({ verb: 'create', ...pods, body })).toMatchObject({ ok: true })
  }
}

const bindingOf = (name: string, node = `node-of-${name}`): JsonObject => ({
  ...{ apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace: 'default' } },
  target: { kind: 'Node', name: node },
})

const bind = (client: ApiClient, items: readonly JsonObject[], more: object = {}): Promise<ApiResult> =>
  client.request({
    ...{ verb: 'create', group: '', resource: 'bindings', namespace: 'default', basis: 1 },
    body: { kind: 'List', apiVersion: 'v1', items, decisions: items.map((_, index) => JSON.stringify({ number: index })) },
    ...more,
  })

async function nodesOf(...names: readonly string[]): Promise<unknown[]> {
  const found = names.map((name) => admin.request({ verb: 'get', ...pods, name }))
  return (await Promise.all(found)).map((one) => (one.ok ? one.object['spec'].nodeName : one.code))
}

test('all of a list are bound in one atomic group, each with its decision', async () => {
  await make('a', 'b', 'c')
  const before = await log.events.lastSequence()
  expect(await bind(scheduler, ['a', 'b', 'c'].map((name) => bindingOf(name)))).toMatchObject({ ok: true, code: 201, sequence: before + 3 })
  expect(await nodesOf('a', 'b', 'c')).toEqual(['node-of-a', 'node-of-b', 'node-of-c'])
  const decisions: unknown[] = []
  for await (const records of log.events.read({ from: before + 1 }))
    for (const { headers } of records) decisions.push(decodeEnvelope(headers).decision)
  expect(decisions).toEqual([0, 1, 2].map((number) => JSON.stringify({ number })))
})

test.each([
  ['one is bound already', async () => void (await bind(scheduler, [bindingOf('e0')])), 409],
  ['one is gone', async () => void (await admin.request({ verb: 'delete', ...pods, name: 'e1', query: { gracePeriodSeconds: '0' } })), 404],
])('none of a list is bound when %s', async (what, spoil, code) => {
  const prefix = what === 'one is gone' ? 'e1' : 'e0'
  await make(prefix, `${prefix}-other`)
  await spoil()
  const before = await log.events.lastSequence()
  expect(await bind(scheduler, [bindingOf(`${prefix}-other`), bindingOf(prefix)])).toMatchObject({ ok: false, code })
  expect(await log.events.lastSequence()).toBe(before)
  expect(await nodesOf(`${prefix}-other`)).toEqual([undefined])
})

test('who decided about one of the nodes before others had been seen is refused for all of them', async () => {
  await make('f', 'g', 'h')
  const basis = await log.events.lastSequence()
  const once = (round: string, matter: string, ...also: string[]) => ({ basis, once: { round, matter, ...(also.length > 0 ? { also } : {}) } })
  const one = await bind(scheduler, [bindingOf('f', 'n2')], once('first', 'node/n2'))
  expect(one).toMatchObject({ ok: true })
  const both = [bindingOf('g', 'n1'), bindingOf('h', 'n2')]
  expect(await bind(scheduler, both, once('second', 'node/n1', 'node/n2'))).toMatchObject({ ok: false, code: 409 })
  expect(await nodesOf('g', 'h')).toEqual([undefined, undefined])
  const after = await log.events.lastSequence()
  expect(await bind(scheduler, both, { ...once('second', 'node/n1', 'node/n2'), basis: after })).toMatchObject({ ok: true })
})

test('a list that nobody may send, or that is none, is refused in words', async () => {
  await make('k')
  const refusals = [
    bind(admin, [bindingOf('k')], { basis: undefined }),
    bind(scheduler, []),
    bind(scheduler, [bindingOf('k'), bindingOf('k')]),
    bind(scheduler, [{ ...bindingOf('k'), surprise: 1 }, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'k' } }]),
    bind(scheduler, Array.from({ length: placementsMax + 1 }, (_, index) => bindingOf(`x${index}`))),
    bind(scheduler, [{ ...bindingOf('k'), metadata: { name: 'k', namespace: 'elsewhere' } }]),
  ]
  const codes = (await Promise.all(refusals)).map((one) => one.code)
  expect(codes).toEqual([400, 400, 400, 400, 413, 400])
  expect(await nodesOf('k')).toEqual([undefined])
})
