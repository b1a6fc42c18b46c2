// Work queues under upstream's metric names, with the controller as `name`.
import { exponentialBuckets, type MetricSample, type MetricsRegistry } from '@shiplog/runtime/metrics'
import type { WorkQueueMetrics, WorkQueueTimes } from './work-queue.ts'

const buckets = exponentialBuckets(10e-9, 10, 12)

/** Where a queue records how long its keys wait and are worked on. */
export function workQueueTimes(registry: MetricsRegistry, name: string): WorkQueueTimes {
  const waited = registry.histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'How long in seconds an item stays in workqueue before being requested.',
    labels: ['name'],
    buckets,
  })
  const worked = registry.histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'How long in seconds processing an item from workqueue takes.',
    labels: ['name'],
    buckets,
  })
  return { waited: waited.with(name), worked: worked.with(name) }
}

/** Samples of all queues, by the names of their controllers. */
export const workQueueSamples = (queues: Readonly<Record<string, WorkQueueMetrics>>): MetricSample[] =>
  Object.entries(queues).flatMap(([name, queue]): MetricSample[] => {
    const gauge = (metric: string, help: string, value: number): MetricSample => ({
      ...{ name: metric, help, type: 'gauge', labels: { name }, value },
    })
    const counter = (metric: string, help: string, value: number): MetricSample => ({
      ...{ name: metric, help, type: 'counter', labels: { name }, value },
    })
    return [
      gauge('workqueue_depth', 'Current depth of workqueue', queue.depth),
      counter('workqueue_adds_total', 'Total number of adds handled by workqueue', queue.adds),
      counter('workqueue_retries_total', 'Total number of retries handled by workqueue', queue.retries),
      gauge(
        'workqueue_unfinished_work_seconds',
        "How many seconds of work has done that is in progress and hasn't been observed by work_duration.",
        queue.unfinishedSeconds,
      ),
      gauge(
        'workqueue_longest_running_processor_seconds',
        'How many seconds has the longest running processor for workqueue been running.',
        queue.longestRunningSeconds,
      ),
      gauge('shiplog_workqueue_processing', 'Keys that are being worked on', queue.processing),
    ]
  })
