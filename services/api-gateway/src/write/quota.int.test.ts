// Quotas under writers that race, over two gateways on one log.
import type { ResourceQuota } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { isApiError } from '@shiplog/api/status'
import { resourceQuota } from '@shiplog/domain/admission/resource-quota.plugin'
import { builtInCatalogue } from '@shiplog/domain/catalogue/catalogue'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { laggingLog } from '@shiplog/testing/lagging-log'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { createRequestBodies } from '../request/request-body.ts'
import { createStreams, type Streams } from '../store/streams.ts'
import { createView } from '../store/view.ts'
import { createWriter, type Writer } from './writer.ts'

const catalogue = builtInCatalogue()
const limit = 10
const stopping = new AbortController()
let log: ClusterLog
let gateways: readonly { readonly streams: Streams; readonly writer: Writer }[]

async function openGateway(over: ClusterLog): Promise<{ readonly streams: Streams; readonly writer: Writer }> {
  const streams = createStreams(over, { clock: systemClock })
  await Promise.all(streams.all.map(({ projection }) => projection.start(stopping.signal)))
  const parts = { bodies: createRequestBodies(catalogue), streams, view: createView(streams) }
  return { streams, writer: createWriter({ ...parts, admission: [resourceQuota], clock: systemClock, ids: systemIds }) }
}

beforeEach(async () => {
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  gateways = await Promise.all([openGateway(log), openGateway(laggingLog(log, systemClock, () => 5))])
  const { writer } = gateways[0]!
  await writer.create(
    requestOf('resourcequotas', { metadata: { name: 'q' }, spec: { hard: { configmaps: String(limit) } } }),
  )
  const status = { hard: { configmaps: String(limit) }, used: { configmaps: '0' } }
  await writer.modify({ ...requestOf('resourcequotas'), name: 'q', subresource: 'status' }, (before) => ({
    draft: { ...before, status },
  }))
  // A quota limits through every gateway that has seen it.
  await Promise.all(gateways.map(({ streams }) => streams.events.projection.barrier()))
})

afterEach(() => log.close())

const requestOf = (resource: string, value?: JsonObject): GatewayRequest => ({
  resource: catalogue.resource('', 'v1', resource)!,
  kind: catalogue.kind(catalogue.resource('', 'v1', resource)!),
  subresource: '',
  namespace: 'default',
  name: '',
  query: new URLSearchParams(),
  body: value && { value, contentType: 'application/json' },
  user: { name: 'alice', groups: [] },
  defaultManager: 'test',
  requestId: systemIds.uuid(),
  provenance: {},
})

const createMap = (writer: Writer, name: string): Promise<string> =>
  writer.create(requestOf('configmaps', { metadata: { name } })).then(
    () => 'created',
    (error: unknown) => (isApiError(error) ? `${error.status.code} ${error.status.message}` : String(error)),
  )
const quotaOf = ({ streams }: { readonly streams: Streams }): ResourceQuota =>
  createView(streams).get('resourcequotas', 'default', 'q') as unknown as ResourceQuota

test('64 writers at the limit, through two gateways: exactly as many as fit', async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 64 }, (_, i) => createMap(gateways[i % 2]!.writer, `map-${i}`)),
  )
  expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(limit)
  const refused = outcomes.filter((outcome) => outcome !== 'created')
  expect(refused.every((outcome) => outcome.startsWith('403') && outcome.includes('exceeded quota: q'))).toBe(true)
  await Promise.all(gateways.map(({ streams }) => streams.events.projection.barrier()))
  for (const gateway of gateways) expect(quotaOf(gateway).status.used).toEqual({ configmaps: String(limit) })
  const [{ streams }] = gateways as [(typeof gateways)[0]]
  expect(createView(streams).list('configmaps', 'default')).toHaveLength(limit)
})

test('a creation and its count are one group of the log', async () => {
  const [first] = gateways as [(typeof gateways)[0]]
  const before = await log.events.lastSequence()
  expect(await createMap(first.writer, 'a')).toBe('created')
  expect(await log.events.lastSequence()).toBe(before + 2)
  expect(quotaOf(first).metadata.resourceVersion).toBe(String(before + 2))
})

test('what is refused, tried out or there already counts nothing', async () => {
  const [first] = gateways as [(typeof gateways)[0]]
  await createMap(first.writer, 'a')
  const counted = quotaOf(first).metadata.resourceVersion
  expect(await createMap(first.writer, 'a')).toMatch(/^409/)
  const dryRun = { ...requestOf('configmaps', { metadata: { name: 'b' } }), query: new URLSearchParams('dryRun=All') }
  await first.writer.create(dryRun)
  expect(quotaOf(first).metadata.resourceVersion).toBe(counted)
})
