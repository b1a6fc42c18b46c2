// Two definitions wait for one name, and two gateways decide, each in its own order: one gets it.
import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import type { CustomResourceDefinition } from '@shiplog/api/generated/types/apiextensions-v1'
import { definitionOf } from '@shiplog/domain/testing/custom-resource-definitions'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { eventually } from '@shiplog/testing/eventually'
import { laggingLog } from '@shiplog/testing/lagging-log'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiGateway, createApiGateway } from '../api-gateway.ts'

const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }
const definitions = { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' }
const groups = Array.from({ length: 20 }, (_, index) => `group-${index}.example.com`)

let log: ClusterLog
const gateways: ApiGateway[] = []

/** It hears of everything a little late, each time by another amount. */
async function startGateway(): Promise<ApiClient> {
  let tick = 0
  const late = laggingLog(log, systemClock, () => 5 + ((tick++ * 7) % 31))
  const gateway = createApiGateway({ log: late, clock: systemClock, ids: systemIds, logger: silentLogger })
  gateways.push(gateway)
  await gateway.start()
  return gateway.clientFor(admin)
}

beforeAll(async () => void (log = await openSqliteClusterLog({ dataDir: ':memory:' })))

afterAll(async () => {
  for (const gateway of gateways) await gateway.stop()
  await log.close()
})

const acceptedOf = async (client: ApiClient, name: string): Promise<string | undefined> => {
  const result = await client.request({ verb: 'get', ...definitions, name })
  if (!result.ok) throw new Error(result.status.message)
  const { conditions } = (result.object as unknown as CustomResourceDefinition).status
  return conditions?.find(({ type }) => type === 'NamesAccepted')?.status
}

test('a short name that becomes free and that two definitions wait for is given to one of them', async () => {
  const client = await startGateway()
  const must = async (request: ApiRequest): Promise<void> => {
    const result = await client.request(request)
    if (!result.ok) throw new Error(result.status.message)
  }
  const define = async (group: string, kind: string): Promise<void> => {
    const { metadata, apiVersion, spec } = definitionOf({ group, kind, shortNames: ['fruit'] })
    const body = { apiVersion, kind: 'CustomResourceDefinition', metadata: { name: metadata.name }, spec }
    await must({ verb: 'create', ...definitions, body: body as never })
    await eventually(async () => (await acceptedOf(client, metadata.name)) !== undefined)
  }
  await Promise.all(
    groups.map(async (group) => {
      for (const kind of ['Cherry', 'Apple', 'Berry']) await define(group, kind)
      // Who reads the log now finds the others first.
      const patch = { verb: 'patch', patchType: 'application/merge-patch+json' } as const
      await must({ ...patch, ...definitions, name: `apples.${group}`, body: { metadata: { annotations: { touched: 'yes' } } } })
    }),
  )
  await startGateway()
  await Promise.all(groups.map((group) => must({ verb: 'delete', ...definitions, name: `cherrys.${group}` })))
  const told = (group: string): Promise<(string | undefined)[]> =>
    Promise.all(['apples', 'berrys'].map((plural) => acceptedOf(client, `${plural}.${group}`)))
  for (const group of groups) {
    await eventually(async () => (await told(group)).includes('True'))
    expect((await told(group)).sort()).toEqual(['False', 'True'])
  }
})
