// "Exactly N children, never a duplicate" on a real log: the suite of the controllers over two gateways on one SQLite log.
import type { JsonObject } from '@shiplog/api/kube-object'
import { createApiGateway } from '@shiplog/api-gateway/api-gateway'
import { describeTwoRunners } from '@shiplog/controllers/testing/two-runners-suite'
import { createObjectFeed } from '@shiplog/feed/object-feed-from-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'

const admin = { name: 'system:kube-controller-manager', groups: ['system:masters', 'system:authenticated'] }

describeTwoRunners('a gateway each, on one SQLite log', {
  // A runner sends some 76 commands in this story: every one of them is tried.
  killAt: Array.from({ length: 78 }, (_, i) => i + 1),
  chaosSeeds: [1, 2, 3],
  deadlineMs: 10_000,
  open: async () => {
    const log = await openSqliteClusterLog({ dataDir: ':memory:' })
    const open = async () => {
      const gateway = createApiGateway({ log, clock: systemClock, ids: systemIds, logger: silentLogger })
      await gateway.start()
      return gateway
    }
    const gateways = [await open(), await open()]
    const feed = createObjectFeed(log)
    const client = gateways[0]!.clientFor(admin)
    const make = async (resource: string, body: JsonObject, namespace?: string): Promise<void> => {
      const at = namespace === undefined ? {} : { namespace }
      const result = await client.request({ verb: 'create', group: '', resource, ...at, body })
      if (!result.ok) throw new Error(result.status.message)
    }
    await make('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } })
    await make(
      'serviceaccounts',
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } },
      'default',
    )
    let turn = 0
    return {
      feed: () => feed,
      client: () => gateways[turn++ % gateways.length]!.clientFor(admin),
      truth: () => feed,
      close: async () => {
        feed.stop()
        await Promise.all(gateways.map((gateway) => gateway.stop()))
        await log.close()
      },
    }
  },
})
