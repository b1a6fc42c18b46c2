// What a component asks of the API, under client-go's metric names.
import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import type { Clock } from '@shiplog/runtime/clock'
import type { MetricsRegistry } from '@shiplog/runtime/metrics'

const buckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0]

const methods: Readonly<Record<ApiRequest['verb'], string>> = {
  get: 'GET',
  list: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
}

/** The same client; its requests are counted. `host` tells what they go to. */
export function meteredClient(
  client: ApiClient,
  { metrics, clock, host }: { readonly metrics: MetricsRegistry; readonly clock: Clock; readonly host: () => string },
): ApiClient {
  const requests = metrics.counter({
    name: 'rest_client_requests_total',
    help: 'Number of HTTP requests, partitioned by status code, method, and host.',
    labels: ['code', 'method', 'host'],
  })
  const seconds = metrics.histogram({
    name: 'rest_client_request_duration_seconds',
    help: 'Request latency in seconds. Broken down by verb, and host.',
    labels: ['verb', 'host'],
    buckets,
  })
  return {
    async request(request) {
      const method = methods[request.verb]
      const startedMs = clock.nowMs()
      let code = '<error>'
      try {
        const result = await client.request(request)
        code = String(result.code)
        return result
      } finally {
        const to = host()
        requests.with(code, method, to).inc()
        seconds.with(method, to).observe((clock.nowMs() - startedMs) / 1_000)
      }
    },
    recordAttempt: (attempt) => client.recordAttempt(attempt),
  }
}
