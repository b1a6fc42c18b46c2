import { expect, test } from 'vitest'
import { createMetricsRegistry, exponentialBuckets, gauge } from './metrics.ts'

test('writes counters, gauges, histograms and what is collected in the text format', async () => {
  const metrics = createMetricsRegistry()
  const requests = metrics.counter({ name: 'requests_total', help: 'Requests.', labels: ['verb', 'code'] })
  requests.with('GET', '200').inc()
  requests.with('GET', '200').inc(2)
  const seconds = metrics.histogram({ name: 'seconds', help: 'Time.', labels: ['verb'], buckets: [0.1, 1] })
  for (const value of [0.1, 0.5, 7]) seconds.with('GET').observe(value)
  const gone = metrics.collect(() => [gauge('pods', 3, { name: 'a "b"\\' })])
  expect(await metrics.text()).toBe(`# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{verb="GET",code="200"} 3

# HELP seconds Time.
# TYPE seconds histogram
seconds_bucket{verb="GET",le="0.1"} 1
seconds_bucket{verb="GET",le="1"} 2
seconds_bucket{verb="GET",le="+Inf"} 3
seconds_sum{verb="GET"} 7.6
seconds_count{verb="GET"} 3

# HELP pods pods
# TYPE pods gauge
pods{name="a \\"b\\"\\\\"} 3
`)
  gone[Symbol.dispose]()
  expect(metrics.samples().some(({ name }) => name === 'pods')).toBe(false)
})

test('a metric is shared by name, and refuses other labels than it has', () => {
  const metrics = createMetricsRegistry()
  metrics.counter({ name: 'a_total', help: '', labels: ['x'] }).with('1').inc()
  const again = metrics.counter({ name: 'a_total', help: '', labels: ['x'] })
  again.with('1').inc()
  expect(metrics.samples()).toMatchObject([{ name: 'a_total', labels: { x: '1' }, value: 2 }])
  expect(() => again.with('1', '2')).toThrow('2 label values for 1 labels')
})

test('bounds of buckets grow by a factor', () => {
  expect(exponentialBuckets(1, 2, 4)).toEqual([1, 2, 4, 8])
})
