// How far the projections are, and what they hold, as metrics.
import { gauge, type MetricSample } from '@shiplog/runtime/metrics'
import type { Streams } from './streams.ts'

const streamNames = ['EVENTS', 'LEASES', 'OBJEVENTS']

export function* storeSamples(streams: Streams): Generator<MetricSample> {
  for (const [index, { projection }] of streams.all.entries()) {
    yield gauge('shiplog_projection_sequence', projection.applied, { stream: streamNames[index]! })
    for (const { groupResource, current } of projection.tables()) {
      const [resource = '', ...group] = groupResource.split('.')
      yield gauge('apiserver_resource_objects', current.size, { group: group.join('.'), resource })
    }
  }
}
