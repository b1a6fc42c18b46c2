// The cluster's DNS as a process of its own. It reads Services, EndpointSlices and namespaces through the API, as a user that
// may read nothing else.
//
//   SHIPLOG_DNS_PORT           UDP and TCP (default 53)
//   SHIPLOG_DNS_HOST           address that it listens on (default 0.0.0.0)
//   SHIPLOG_CLUSTER_DOMAIN     default cluster.local
//   SHIPLOG_DNS_TTL_SECONDS    of the cluster's records (default 30)
//   SHIPLOG_DNS_SERVERS        who answers for all other names: `10.0.0.2,10.0.0.3:5353`
//   SHIPLOG_DNS_STUB_DOMAINS   who answers for some: `corp.example=10.0.0.9,lab.example=10.1.0.9`
import { connectionFromEnvironment } from '@shiplog/api-client/connection-from-environment'
import { createWatchFeed } from '@shiplog/api-client/watch-feed'
import { run } from '@shiplog/runtime/run'
import { ttlSecondsDefault } from './cluster-zone.ts'
import { createDns } from './dns.ts'

const name = 'kube-dns'
const listOf = (text = ''): string[] => text.split(',').map((part) => part.trim()).filter((part) => part !== '')

await run(name, async ({ env, clock, ids, logger: log, metrics, onStop }) => {
  const connection = connectionFromEnvironment({ env, clock, ids, userAgent: name })
  onStop(() => connection.close())
  const stubDomains = new Map<string, string[]>()
  for (const pair of listOf(env.optional('SHIPLOG_DNS_STUB_DOMAINS'))) {
    const [domain = '', server = ''] = pair.toLowerCase().split('=')
    stubDomains.set(domain, [...(stubDomains.get(domain) ?? []), server])
  }
  const service = createDns({
    ...{ clock, ids, log, metrics, stubDomains },
    feed: createWatchFeed({ connection, clock, log }),
    host: env.optional('SHIPLOG_DNS_HOST') ?? '0.0.0.0',
    port: env.number('SHIPLOG_DNS_PORT', 53),
    domain: (env.optional('SHIPLOG_CLUSTER_DOMAIN') ?? 'cluster.local').toLowerCase(),
    ttlSeconds: env.number('SHIPLOG_DNS_TTL_SECONDS', ttlSecondsDefault),
    servers: listOf(env.optional('SHIPLOG_DNS_SERVERS')),
  })
  return { service }
})
