// Writes samples out in the text format of Prometheus, by prom-client.
import promClient, { type Metric, type MetricObjectWithValues, type MetricValueWithName } from 'prom-client'
import type { MetricSample, MetricType } from '../metrics.ts'

interface Family {
  readonly type: MetricType
  readonly help: string
  readonly values: MetricValueWithName<string>[]
}

const familyOf = ({ name, type }: MetricSample): string =>
  type === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name

export async function expose(samples: Iterable<MetricSample>): Promise<string> {
  const families = new Map<string, Family>()
  for (const sample of samples) {
    const name = familyOf(sample)
    let family = families.get(name)
    if (family === undefined) {
      family = { type: sample.type, help: sample.help ?? name, values: [] }
      families.set(name, family)
    }
    family.values.push({ metricName: sample.name, labels: sample.labels, value: sample.value })
  }
  const registry = new promClient.Registry()
  for (const [name, family] of families) registry.registerMetric(collected(name, family))
  return await registry.metrics()
}

/** What a registry asks of a metric: its name, and its values when they are collected. */
function collected(name: string, { type, help, values }: Family): Metric<string> {
  const object = { name, help, type, values, aggregator: 'sum' } as unknown as MetricObjectWithValues<
    MetricValueWithName<string>
  >
  return { name, get: () => Promise.resolve(object), reset: () => undefined } as unknown as Metric<string>
}
