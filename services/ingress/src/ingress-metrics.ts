// Counts requests under ingress-nginx's names. No label holds what a client chose: hosts and methods are those that are known.
import type { MetricsRegistry } from '@shiplog/runtime/metrics'
import type { Done } from './engine/proxy.ts'

const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'])
const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function createIngressMetrics(metrics: MetricsRegistry): { done(done: Done): void; reloaded(isWhole: boolean): void } {
  const labels = ['namespace', 'ingress', 'service', 'method', 'status']
  const requests = metrics.counter({ name: 'nginx_ingress_controller_requests', help: 'The total number of client requests', labels })
  const seconds = metrics.histogram({
    ...{ name: 'nginx_ingress_controller_request_duration_seconds', help: 'The request processing time in seconds' },
    ...{ labels: ['namespace', 'ingress', 'service'], buckets: secondsBuckets },
  })
  const successes = metrics.counter({ name: 'nginx_ingress_controller_success', help: 'Cumulative number of Ingress controller reload operations' })
  const errors = metrics.gauge({ name: 'shiplog_ingress_problems', help: 'Whether there is anything that Ingresses want and do not get' })
  return {
    done({ route, method, status, ms }) {
      const place = [route?.namespace ?? '', route?.ingress ?? '', route?.service ?? '']
      requests.with(...place, knownMethods.has(method) ? method : 'OTHER', String(status)).inc()
      seconds.with(...place).observe(ms / 1_000)
    },
    reloaded(isWhole) {
      successes.with().inc()
      errors.with().set(isWhole ? 0 : 1)
    },
  }
}
