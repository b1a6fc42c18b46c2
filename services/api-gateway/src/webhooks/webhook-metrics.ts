// What is counted of webhooks, under upstream's names (k8s.io/apiserver/pkg/admission/metrics).
import type { HookType } from '@shiplog/domain/webhook/hooks'
import type { MetricsRegistry } from '@shiplog/runtime/metrics'

export type RejectionType = 'calling_webhook_error' | 'apiserver_internal_error' | 'no_error'

export interface WebhookMetrics {
  called(hook: Counted, code: number, rejected: boolean, seconds: number): void
  rejected(hook: Counted, type: RejectionType, code: number): void
  failedOpen(hook: Counted): void
  excluded(hook: Counted): void
  conditionsFailed(hook: Counted, count: number): void
  conditionsTook(hook: Counted, seconds: number): void
}

export interface Counted {
  readonly name: string
  readonly type: HookType
  readonly operation: string
}

const callBuckets = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 25]
const conditionBuckets = [0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25]
/** Labels must not be without end. */
const codeMax = 600

const textOf = (code: number): string => String(Math.min(code, codeMax))

export function createWebhookMetrics(registry: MetricsRegistry): WebhookMetrics {
  const help = 'identified by name and broken out for each admission type and operation.'
  const prefix = 'apiserver_admission_'
  const conditionLabels = ['name', 'kind', 'type', 'operation']
  const duration = registry.histogram({
    name: `${prefix}webhook_admission_duration_seconds`,
    help: `Admission webhook latency histogram in seconds, ${help}`,
    labels: ['name', 'type', 'operation', 'rejected'],
    buckets: callBuckets,
  })
  const rejection = registry.counter({
    name: `${prefix}webhook_rejection_count`,
    help: `Admission webhook rejection count, ${help}`,
    labels: ['name', 'type', 'operation', 'error_type', 'rejection_code'],
  })
  const failOpen = registry.counter({
    name: `${prefix}webhook_fail_open_count`,
    help: 'Admission webhook fail open count, identified by name and broken out for each admission type.',
    labels: ['name', 'type'],
  })
  const request = registry.counter({
    name: `${prefix}webhook_request_total`,
    help: `Admission webhook request total, ${help}`,
    labels: ['name', 'type', 'operation', 'code', 'rejected'],
  })
  const exclusions = registry.counter({
    name: `${prefix}match_condition_exclusions_total`,
    help: `Admission match condition evaluation exclusions count, ${help}`,
    labels: conditionLabels,
  })
  const conditionErrors = registry.counter({
    name: `${prefix}match_condition_evaluation_errors_total`,
    help: `Admission match condition evaluation errors count, ${help}`,
    labels: conditionLabels,
  })
  const conditionSeconds = registry.histogram({
    name: `${prefix}match_condition_evaluation_seconds`,
    help: `Admission match condition evaluation time in seconds, ${help}`,
    labels: conditionLabels,
    buckets: conditionBuckets,
  })
  return {
    called({ name, type, operation }, code, rejected, seconds) {
      duration.with(name, type, operation, String(rejected)).observe(seconds)
      request.with(name, type, operation, textOf(code), String(rejected)).inc()
    },
    rejected: ({ name, type, operation }, why, code) => rejection.with(name, type, operation, why, textOf(code)).inc(),
    failedOpen: ({ name, type }) => failOpen.with(name, type).inc(),
    excluded: ({ name, type, operation }) => exclusions.with(name, 'webhook', type, operation).inc(),
    conditionsFailed: ({ name, type, operation }, count) =>
      conditionErrors.with(name, 'webhook', type, operation).inc(count),
    conditionsTook: ({ name, type, operation }, seconds) =>
      conditionSeconds.with(name, 'webhook', type, operation).observe(seconds),
  }
}
