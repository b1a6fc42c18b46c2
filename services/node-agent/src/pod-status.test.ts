import type { Pod, PodStatus } from '@shiplog/api/generated/types/core-v1'
import { describe, expect, test } from 'vitest'
import { statusPatch } from './pod-status.ts'

const pod = (status: object): Pod => ({
  ...{ apiVersion: 'v1', kind: 'Pod', spec: { containers: [] } },
  metadata: { name: 'a', namespace: 'b', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' },
  status: status as PodStatus,
})

const statuses = (state: object) => [{ name: 'web', ready: true, restartCount: 0, state }]

describe('statusPatch', () => {
  test('says nothing when only absent fields and nulls differ, however deep', () => {
    const now = { phase: 'Running', containerStatuses: statuses({ running: { startedAt: 'x', more: null } }) }
    const next = { phase: 'Running', containerStatuses: statuses({ running: { startedAt: 'x' }, waiting: null }) }
    expect(statusPatch(pod(now), next as unknown as PodStatus)).toBeUndefined()
    expect(statusPatch(pod(next), now as unknown as PodStatus)).toBeUndefined()
  })
  test.each([
    ['a value', statuses({ running: { startedAt: 'y' } })],
    ['a field more', statuses({ running: { startedAt: 'x', z: 1 } })],
    ['a field less', statuses({ running: {} })],
    ['another shape', statuses([])],
    ['an item more', [...statuses({ running: { startedAt: 'x' } }), { name: 'second' }]],
  ])('names a field in which %s differs', (_what, containerStatuses) => {
    const now = { phase: 'Running', containerStatuses: statuses({ running: { startedAt: 'x' } }) }
    const patch = statusPatch(pod(now), { phase: 'Running', containerStatuses } as unknown as PodStatus)
    expect(patch?.['status']).toHaveProperty('containerStatuses')
    expect(patch?.['status']).not.toHaveProperty('phase')
  })
})
