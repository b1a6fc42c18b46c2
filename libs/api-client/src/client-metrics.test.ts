import type { ApiClient } from '@shiplog/api/api-client'
import { createMetricsRegistry } from '@shiplog/runtime/metrics'
import { expect, test } from 'vitest'
import { meteredClient } from './client-metrics.ts'

test('counts requests by code and method, and those that the API did not answer', async () => {
  const metrics = createMetricsRegistry()
  let nowMs = 0
  const clock = { nowMs: () => (nowMs += 50) } as never
  const answers: ApiClient['request'][] = [
    () => Promise.resolve({ ok: true, code: 201, object: {} as never, sequence: 1 }),
    () => Promise.reject(new Error('unreachable')),
  ]
  const client = meteredClient(
    { request: (request) => answers.shift()!(request), recordAttempt: () => Promise.resolve() },
    { metrics, clock, host: () => 'api' },
  )
  const pods = { group: '', resource: 'pods' }
  await client.request({ ...pods, verb: 'create' })
  await expect(client.request({ ...pods, verb: 'list' })).rejects.toThrow('unreachable')
  const values = metrics.samples().map(({ name, labels, value }) => [name, Object.values(labels).join(' '), value])
  expect(values).toContainEqual(['rest_client_requests_total', '201 POST api', 1])
  expect(values).toContainEqual(['rest_client_requests_total', '<error> GET api', 1])
  expect(values).toContainEqual(['rest_client_request_duration_seconds_sum', 'POST api', 0.05])
})
