// The cluster's DNS as a service: it follows Services, EndpointSlices and namespaces, and answers. When the control plane is
// gone it goes on with what it knew last.
import type { ObjectFeed } from '@shiplog/feed/object-feed'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import { gauge, type MetricsRegistry } from '@shiplog/runtime/metrics'
import type { Service } from '@shiplog/runtime/service'
import { createAnswerer } from './answerer.ts'
import { createDnsView, dnsResources } from './dns-view.ts'
import { type DnsServer, startDnsServer } from './dns-server.ts'
import { createForwarder } from './forwarder.ts'

export interface DnsOptions {
  readonly feed: ObjectFeed
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly metrics: MetricsRegistry
  readonly host: string
  readonly port: number
  readonly domain: string
  readonly ttlSeconds: number
  readonly servers: readonly string[]
  readonly stubDomains: ReadonlyMap<string, readonly string[]>
}

export function createDns(options: DnsOptions): Service & { readonly port: number } {
  const { feed, ids, log, metrics } = options
  const ending = new AbortController()
  const synced = Promise.withResolvers<void>()
  const view = createDnsView()
  let isSynced = false
  let server: DnsServer | undefined
  let following: Promise<void> | undefined
  const requests = metrics.counter({
    ...{ name: 'coredns_dns_requests_total', help: 'Counter of DNS requests made per zone, protocol and family.' },
    labels: ['proto', 'type'],
  })
  const responses = metrics.counter({
    ...{ name: 'coredns_dns_responses_total', help: 'Counter of response status codes.' },
    labels: ['rcode'],
  })
  const forwarder = createForwarder({ ...options, randomId: () => ids.integer(65_536) })
  metrics.collect(() => [
    gauge('coredns_cache_hits_total', forwarder.counts.hits, { type: 'success' }),
    gauge('coredns_proxy_request_total', forwarder.counts.asked),
    gauge('coredns_forward_failures_total', forwarder.counts.failures),
  ])
  const answerer = createAnswerer({
    ...{ view, forwarder, zone: options, isReady: () => isSynced },
    onAnswer(way, type, code) {
      requests.with(way, type).inc()
      responses.with(code).inc()
    },
  })

  async function follow(): Promise<void> {
    for await (const batch of feed.follow(dnsResources, ending.signal)) {
      for (const change of batch.changes) view.apply(change)
      if (batch.changes.length > 0) answerer.forget()
      if (!batch.synced) continue
      isSynced = true
      synced.resolve()
    }
  }

  return {
    name: 'kube-dns',
    get port() {
      return server?.port ?? 0
    },
    async start() {
      following = follow().catch((err: unknown) => {
        if (!ending.signal.aborted) log.error({ err }, 'the DNS hears nothing of the cluster any more')
        synced.reject(err)
      })
      server = await startDnsServer(answerer, options.host, options.port)
      await synced.promise
    },
    async stop() {
      ending.abort()
      synced.resolve()
      await server?.[Symbol.asyncDispose]()
      await following
    },
    health: () => [
      isSynced
        ? { name: 'kubernetes', ok: true }
        : { name: 'kubernetes', ok: false, reason: 'the Services of the cluster have not been read yet' },
    ],
  }
}
