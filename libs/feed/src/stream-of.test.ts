import { expect, test } from 'vitest'
import { keepsOnlyLast, storedAs, streamOf } from './stream-of.ts'

test('Leases and Event objects stand in streams of their own, everything else in EVENTS', () => {
  expect(['leases.coordination.k8s.io', 'events', 'events.events.k8s.io'].map(streamOf)).toEqual([
    'leases',
    'objectEvents',
    'objectEvents',
  ])
  for (const durable of ['pods', 'deployments.apps', 'leases.example.com', 'events.example.com', 'leases'])
    expect([streamOf(durable), keepsOnlyLast(durable)], durable).toEqual(['events', false])
  expect(storedAs('events.events.k8s.io')).toBe('events')
})
