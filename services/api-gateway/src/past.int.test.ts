// The two sources of the past against each other: a gateway that saw everything answers from memory, one that came later
// answers from the log. They must agree at every sequence, whether few objects changed since (looked up one by one) or
// many (the log's state as a whole).
import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiGateway, createApiGateway } from './api-gateway.ts'

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
