// The scheduler's counters, under upstream's names.

import type { MetricSample } from '@shiplog/runtime/metrics'

/** Upper bounds in seconds, upstream's for attempts: doubling from a millisecond. */
const secondsBuckets = Array.from({ length: 15 }, (_, power) => 0.001 * 2 ** power)
const attemptsBuckets = [1, 2, 4, 8, 16]

interface Histogram {
  readonly bounds: readonly number[]
  readonly counts: number[]
  sum: number
  count: number
}

export interface SchedulerMetrics {
  increment(name: string, labels: Readonly<Record<string, string>>): void
  observe(name: string, labels: Readonly<Record<string, string>>, value: number): void
  /** Everything counted so far, in the order in which it first appeared. */
  samples(): readonly MetricSample[]
}

export function createSchedulerMetrics(): SchedulerMetrics {
  const counters = new Map<string, { name: string; labels: Readonly<Record<string, string>>; value: number }>()
  const histograms = new Map<string, { name: string; labels: Readonly<Record<string, string>>; data: Histogram }>()
  const keyOf = (name: string, labels: Readonly<Record<string, string>>): string => {
    let key = name
    for (const label in labels) key += `|${labels[label]}`
    return key
  }
  return {
    increment(name, labels) {
      const key = keyOf(name, labels)
      const counter = counters.get(key)
      if (counter) counter.value++
      else counters.set(key, { name, labels, value: 1 })
    },
    observe(name, labels, value) {
      const key = keyOf(name, labels)
      let histogram = histograms.get(key)
      if (histogram === undefined) {
        const bounds = name.endsWith('_seconds') ? secondsBuckets : attemptsBuckets
        histogram = { name, labels, data: { bounds, counts: bounds.map(() => 0), sum: 0, count: 0 } }
        histograms.set(key, histogram)
      }
      const { data } = histogram
      data.sum += value
      data.count++
      const bucket = data.bounds.findIndex((bound) => value <= bound)
      if (bucket >= 0) data.counts[bucket]!++
    },
    samples() {
      const samples: MetricSample[] = [...counters.values()].map((counter) => ({ ...counter, type: 'counter' }))
      for (const { name, labels, data } of histograms.values()) {
        let below = 0
        for (const [index, bound] of data.bounds.entries()) {
          below += data.counts[index]!
          samples.push({
            name: `${name}_bucket`,
            type: 'histogram',
            labels: { ...labels, le: String(bound) },
            value: below,
          })
        }
        samples.push({
          name: `${name}_bucket`,
          type: 'histogram',
          labels: { ...labels, le: '+Inf' },
          value: data.count,
        })
        samples.push({ name: `${name}_sum`, type: 'histogram', labels, value: data.sum })
        samples.push({ name: `${name}_count`, type: 'histogram', labels, value: data.count })
      }
      return samples
    },
  }
}
