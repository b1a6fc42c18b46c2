// Metrics of the enforcement; upstream has no names for these.
import { exponentialBuckets, type MetricsRegistry } from '@shiplog/runtime/metrics'
import type { SyncOutcome } from '@shiplog/node/packet-filter/rule-keeper'

export interface PolicyMetrics {
  readonly synced: (outcome: SyncOutcome) => void
  admitted(durationMs: number, inTime: boolean): void
  unreadable(): void
}

const buckets = exponentialBuckets(0.001, 2, 15)

export function createPolicyMetrics(metrics: MetricsRegistry): PolicyMetrics {
  const histogram = (name: string, help: string) => metrics.histogram({ name, help, buckets }).with()
  const counter = (name: string, help: string) => metrics.counter({ name, help }).with()
  const durations = histogram('shiplog_network_policy_sync_duration_seconds', 'How long a change of the rules took to be carried out')
  const failures = counter('shiplog_network_policy_sync_failures_total', 'Changes of the rules that the kernel refused')
  const waits = histogram('shiplog_network_policy_pod_wait_seconds', 'How long a new pod waited for its rules')
  const late = counter('shiplog_network_policy_pods_late_total', 'Pods whose rules did not come in time, so that they were not started')
  const unreadable = counter('shiplog_network_policy_unreadable_total', 'Policies that could not be read')
  return {
    synced({ durationMs, err }) {
      durations.observe(durationMs / 1_000)
      if (err !== undefined) failures.inc()
    },
    admitted(durationMs, inTime) {
      waits.observe(durationMs / 1_000)
      if (!inTime) late.inc()
    },
    unreadable: () => unreadable.inc(),
  }
}
