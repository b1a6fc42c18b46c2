// The two sources of the past against each other: a gateway that saw everything answers from memory, one that came later
// answers from the log. They must agree at every sequence, whether few objects changed since (looked up one by one) or
// many (the log's state as a whole).
import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import type { Status } from '@shiplog/api/status'
import { compactLog } from '@shiplog/events/integrity/compactor'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { oldestWholeSequence } from '@shiplog/events/history/history'
import { createSealer } from '@shiplog/events/integrity/seals'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiGateway, createApiGateway } from '../api-gateway.ts'
import type { ListOptions } from '../request/list-options.ts'
import { createMoments } from './moment.ts'
import type { Presenter } from '../representation/presenter.ts'
import type { Selection } from '../request/selection.ts'
import { createStreams } from '../store/streams.ts'
import type { Version } from '../store/version.ts'
import { createWatchHub, type FrameSink } from '../read/watch.ts'

const objects = 700
let log: ClusterLog
const gateways: ApiGateway[] = []
const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }

async function join(): Promise<ApiClient> {
  const gateway = createApiGateway({ log, clock: systemClock, ids: systemIds, logger: silentLogger })
  gateways.push(gateway)
  await gateway.start()
  return gateway.clientFor(admin)
}

beforeAll(async () => {
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
})
afterAll(async () => {
  for (const gateway of gateways) await gateway.stop()
  await log.close()
})

test('memory and log tell the same past', async () => {
  const early = await join()
  const must = async (request: ApiRequest): Promise<number> => {
    const result = await early.request(request)
    if (!result.ok) throw new Error(result.status.message)
    return result.sequence
  }
  const configMap = (verb: ApiRequest['verb'], index: number, more: Partial<ApiRequest> = {}): ApiRequest => ({
    verb,
    group: '',
    resource: 'configmaps',
    namespace: index % 2 === 0 ? 'a' : 'b',
    ...(verb === 'create' ? { body: { metadata: { name: `c${index}` }, data: { v: '0' } } } : { name: `c${index}` }),
    ...more,
  })
  const all = Array.from({ length: objects }, (_, index) => index)
  for (const name of ['a', 'b'])
    await must({ verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name } } })
  await Promise.all(all.map((index) => must(configMap('create', index))))
  await Promise.all(
    all.map((index) =>
      must(configMap('patch', index, { patchType: 'application/merge-patch+json', body: { data: { v: '1' } } })),
    ),
  )
  await Promise.all(all.filter((index) => index % 10 === 0).map((index) => must(configMap('delete', index))))
  await Promise.all(all.filter((index) => index % 20 === 0).map((index) => must(configMap('create', index))))

  const late = await join()
  const last = await log.events.lastSequence()
  const list = async (client: ApiClient, at: number, namespace: string): Promise<string> => {
    const query = { resourceVersion: String(at), resourceVersionMatch: 'Exact' }
    const result = await client.request({ verb: 'list', group: '', resource: 'configmaps', namespace, query })
    return JSON.stringify(result)
  }
  const counts = new Set<number>()
  for (let at = 1; at <= last; at += at % 3 === 0 ? 31 : 7) {
    for (const namespace of ['', 'a']) {
      const [fromMemory, fromLog] = [await list(early, at, namespace), await list(late, at, namespace)]
      expect(fromLog === fromMemory, `at ${at} in ${namespace || 'all namespaces'}`).toBe(true)
      counts.add(JSON.parse(fromLog).object.items.length)
    }
  }
  expect(counts.size).toBeGreaterThan(100)
}, 60_000)

test('what the log has forgotten is refused, naming the oldest sequence left, to moments, lists and watches alike', async () => {
  const client = await join()
  const merge = async (index: number): Promise<void> => {
    const result = await client.request({
      verb: 'patch',
      group: '',
      resource: 'configmaps',
      namespace: 'a',
      name: 'c2',
      patchType: 'application/merge-patch+json',
      body: { data: { v: `again-${index}` } },
    })
    expect(result.ok).toBe(true)
  }
  for (let index = 0; index < 5; index++) await merge(index)
  const forgotten = await log.events.lastSequence()
  for (let index = 5; index < 8; index++) await merge(index)
  const sealer = createSealer({ log: log.events, clock: systemClock, logger: silentLogger, onStored: () => undefined })
  await sealer.start()
  await sealer.stop()
  const report = await compactLog({ log: log.events, clock: systemClock, subjects: ['evt.core.configmaps.>'] })
  expect(report.forgotten).toBeGreaterThan(5)
  const oldest = await oldestWholeSequence(log.events)
  expect(oldest).toBeGreaterThan(forgotten)

  // A gateway that remembers nothing.
  const late = await join()
  const query = { resourceVersion: String(forgotten), resourceVersionMatch: 'Exact' }
  const list = await late.request({ verb: 'list', group: '', resource: 'configmaps', namespace: 'a', query })
  expect(list).toMatchObject({ status: { code: 410, message: `too old resource version: ${forgotten} (${oldest})` } })

  const streams = createStreams(log, { clock: systemClock })
  const stopping = new AbortController()
  await Promise.all(streams.all.map((stream) => stream.projection.start(stopping.signal)))
  const moments = createMoments({ events: streams.events, nowMs: () => systemClock.nowMs() })
  await expect(moments.resolve(String(forgotten))).rejects.toMatchObject({
    status: {
      code: 410,
      message: `the log does not reach back to sequence ${forgotten}: the oldest sequence left is ${oldest}`,
    },
  })
  expect((await moments.resolve(String(oldest))).sequence).toBe(oldest)

  const watched = async (resourceVersion: number): Promise<string> => {
    let text = ''
    const closed = new AbortController()
    const sink: FrameSink = {
      write: (bytes) => {
        text += bytes.toString()
        return true
      },
      drained: () => Promise.resolve(),
      buffered: 0,
      end: () => undefined,
      destroy: () => closed.abort(),
      closed: closed.signal,
    }
    const hub = createWatchHub({ clock: systemClock, integer: () => 0 })
    const presenter = {
      id: 'names',
      frame: (type: string, { name }: Version) => Buffer.from(`${type} ${name}\n`),
      error: (status: Status) => Buffer.from(JSON.stringify(status)),
    }
    const selection: Selection = { namespace: '', everything: true, name: undefined, readsFields: false, matches: () => true, id: 'all' }
    const options = { resourceVersion, timeoutSeconds: 1, allowWatchBookmarks: false } as ListOptions
    await hub.serve({
      stream: streams.events,
      table: streams.events.projection.table('configmaps'),
      resource: { group: '', resource: 'configmaps' },
      selection,
      presenter: presenter as unknown as Presenter,
      options,
      sink,
    })
    return text
  }
  expect(await watched(forgotten)).toContain(`too old resource version: ${forgotten} (${oldest})`)
  expect(await watched(oldest)).toBe('')
  stopping.abort()
}, 60_000)
