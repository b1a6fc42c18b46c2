// Work queues under upstream's metric names, with the controller as `name`.
import type { MetricSample } from '@shiplog/runtime/metrics'
import type { WorkQueueMetrics } from './work-queue.ts'

/** Samples of all queues, by the names of their controllers. */
export const workQueueSamples = (queues: Readonly<Record<string, WorkQueueMetrics>>): MetricSample[] =>
  Object.entries(queues).flatMap(([name, { depth, adds, retries, processing }]): MetricSample[] => [
    { name: 'workqueue_depth', type: 'gauge', labels: { name }, value: depth },
    { name: 'workqueue_adds_total', type: 'counter', labels: { name }, value: adds },
    { name: 'workqueue_retries_total', type: 'counter', labels: { name }, value: retries },
    { name: 'shiplog_workqueue_processing', type: 'gauge', labels: { name }, value: processing },
  ])
