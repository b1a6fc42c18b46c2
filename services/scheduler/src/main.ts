// The scheduler as a process of its own: it reads the log with a reader's credentials and writes through the gateways.
// Of several replicas one schedules; the others stand by and take over within five seconds.
import { connectionFromEnvironment } from '@shiplog/api-client/connection-from-environment'
import { createHttpApiClient } from '@shiplog/api-client/http-api-client'
import { openLogFromEnvironment } from '@shiplog/events/jetstream/log-from-environment'
import { createObjectFeed } from '@shiplog/events/object-feed-from-log'
import { createLeaderElected } from '@shiplog/reconcile/leader-election'
import { gauge } from '@shiplog/runtime/metrics'
import { run } from '@shiplog/runtime/run'
import { createScheduler } from './scheduler.ts'

const name = 'kube-scheduler'

await run(name, async ({ env, clock, ids, logger: log, signal, onStop }) => {
  const events = await openLogFromEnvironment({ env, clock, logger: log, signal, name, readOnly: true })
  onStop(() => events.close())
  const connection = connectionFromEnvironment({ env, clock, ids, userAgent: name })
  onStop(() => connection.close())
  const feed = createObjectFeed(events)
  onStop(() => feed.stop())
  const create = (client: Parameters<typeof createScheduler>[0]['client']) =>
    createScheduler({ feed, client, clock, ids, log })
  const client = createHttpApiClient({ connection, clock })
  const service = createLeaderElected({ client, clock, log, name, identity: `${name}_${ids.uuid()}`, create })
  const leads = () => gauge('leader_election_master_status', service.isLeader ? 1 : 0, { name })
  return { service, metrics: () => [leads(), ...(service.current?.metrics() ?? [])] }
})
