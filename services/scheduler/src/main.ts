// The scheduler as a process of its own: it reads the log with a reader's credentials and writes through the gateways.
// Several replicas divide the pods among themselves; a dead one's share moves on within five seconds.
import { connectionFromEnvironment } from '@shiplog/api-client/connection-from-environment'
import { createHttpApiClient } from '@shiplog/api-client/http-api-client'
import { meteredClient } from '@shiplog/api-client/client-metrics'
import { openLogFromEnvironment } from '@shiplog/events/jetstream/log-from-environment'
import { createObjectFeed } from '@shiplog/feed/object-feed-from-log'
import { startHeartbeat } from '@shiplog/control-plane/leases/heartbeat'
import { createReplica, replicaIdLength } from '@shiplog/replicas/replica'
import { nameSuffix } from '@shiplog/runtime/ids'
import { run } from '@shiplog/runtime/run'
import { defaultConfiguration } from '@shiplog/scheduling/framework/configuration'
import { parseConfigurationFile } from '@shiplog/scheduling/framework/configuration-file'
import { createScheduler } from './scheduler.ts'

const name = 'kube-scheduler'
const unconfigured = { profiles: [defaultConfiguration], notices: [] }

await run(name, async ({ env, clock, ids, logger: log, metrics, replica, vitals, signal, onStop }) => {
  const events = await openLogFromEnvironment({ env, clock, logger: log, signal, name, readOnly: true })
  onStop(() => events.close())
  const connection = connectionFromEnvironment({ env, clock, ids, userAgent: name })
  onStop(() => connection.close())
  const host = (): string => connection.server.replace('https://', '')
  const client = meteredClient(createHttpApiClient({ connection, clock }), { metrics, clock, host })
  const { end } = startHeartbeat({ client, clock, log, component: name, replica, holder: ids.uuid(), vitals })
  onStop(end)
  const file = env.optionalFile('SHIPLOG_SCHEDULER_CONFIG')
  const { profiles, notices } = file === undefined ? unconfigured : parseConfigurationFile(file)
  for (const notice of notices) log.warn({ notice }, 'scheduler configuration')
  const feed = createObjectFeed(events)
  onStop(() => feed.stop())
  const service = createReplica({
    client,
    clock,
    log,
    component: name,
    id: nameSuffix(ids, replicaIdLength),
    create: (fenced, shares) => createScheduler({ feed, client: fenced, shares, clock, ids, log, metrics, profiles }),
  })
  return { service, metrics: () => [...service.metrics(), ...service.worker.metrics()] }
})
