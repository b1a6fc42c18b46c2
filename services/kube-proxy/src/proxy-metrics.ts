// The proxy's metrics, under upstream's names.
import { exponentialBuckets, type MetricsRegistry } from '@shiplog/runtime/metrics'
import type { SyncOutcome } from '@shiplog/node/packet-filter/rule-keeper'

export interface ProxyMetrics {
  readonly synced: (outcome: SyncOutcome) => void
  changed(groupResource: string): void
  forgot(entries: number): void
  /** `healthz` or `livez`. */
  asked(what: string, code: number): void
}

const buckets = exponentialBuckets(0.001, 2, 15)

export function createProxyMetrics(metrics: MetricsRegistry): ProxyMetrics {
  const histogram = (name: string, help: string) => metrics.histogram({ name, help, buckets }).with()
  const counter = (name: string, help: string) => metrics.counter({ name, help }).with()
  const durations = histogram('kubeproxy_sync_proxy_rules_duration_seconds', 'SyncProxyRules latency in seconds')
  const full = histogram('kubeproxy_sync_full_proxy_rules_duration_seconds', 'SyncProxyRules latency in seconds for full resyncs')
  const partial = histogram('kubeproxy_sync_partial_proxy_rules_duration_seconds', 'SyncProxyRules latency in seconds for partial resyncs')
  const failures = counter('kubeproxy_sync_proxy_rules_nftables_sync_failures_total', 'Cumulative proxy nftables sync failures')
  const services = counter('kubeproxy_sync_proxy_rules_service_changes_total', 'Cumulative proxy rules Service changes')
  const endpoints = counter('kubeproxy_sync_proxy_rules_endpoint_changes_total', 'Cumulative proxy rules Endpoint changes')
  const forgotten = counter('kubeproxy_conntrack_reconciler_deleted_entries_total', 'Cumulative conntrack flows deleted by conntrack reconciler')
  const ofCode = (name: string, help: string) => metrics.counter({ name, help, labels: ['code'] })
  const asked = {
    healthz: ofCode('kubeproxy_proxy_healthz_total', 'Cumulative proxy healthz HTTP status'),
    livez: ofCode('kubeproxy_proxy_livez_total', 'Cumulative proxy livez HTTP status'),
  }
  return {
    synced({ durationMs, isFull, err }) {
      const seconds = durationMs / 1_000
      durations.observe(seconds)
      ;(isFull ? full : partial).observe(seconds)
      if (err !== undefined) failures.inc()
    },
    changed(groupResource) {
      if (groupResource === 'services') services.inc()
      else if (groupResource === 'endpointslices.discovery.k8s.io') endpoints.inc()
    },
    asked: (what, code) => asked[what as keyof typeof asked].with(String(code)).inc(),
    forgot: (entries) => forgotten.inc(entries),
  }
}
