// What is counted of admission policies, under upstream's names and labels.
import type { MetricsRegistry } from '@shiplog/runtime/metrics'

export interface PolicyMetrics {
  checked(policy: string, binding: string, action: string, errorType: string, seconds: number): void
}

const buckets = [0.0000005, 0.001, 0.01, 0.1, 1]

export function createPolicyMetrics(registry: MetricsRegistry, kind: 'validating' | 'mutating'): PolicyMetrics {
  const name = `apiserver_${kind}_admission_policy_check`
  const labels = ['policy', 'policy_binding', 'error_type', 'enforcement_action']
  const what = kind === 'validating' ? 'Validation' : 'Mutation'
  const count = registry.counter({
    name: `${name}_total`,
    help: `${what} admission policy check total, labeled by policy and further identified by binding and enforcement action taken.`,
    labels,
  })
  const duration = registry.histogram({
    name: `${name}_duration_seconds`,
    help: `${what} admission latency for individual ${what.toLowerCase()} expressions in seconds, labeled by policy and further including binding and enforcement action taken.`,
    buckets,
    labels,
  })
  return {
    checked(...[policy, binding, action, errorType, seconds]) {
      count.with(policy, binding, errorType, action).inc()
      duration.with(policy, binding, errorType, action).observe(seconds)
    },
  }
}
