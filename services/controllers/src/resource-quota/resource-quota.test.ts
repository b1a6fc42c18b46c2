import type { ResourceQuota } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { describe, expect, test } from 'vitest'
import { followedResources } from '../shared/resources.ts'
import { pods } from '../testing/manifests.ts'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { createResourceQuotaReconciler } from './resource-quota.reconciler.ts'

const quiet = { withoutNodes: true }
const quotas = { group: '', resource: 'resourcequotas', namespace: 'default' } as const

const harness = (): ReconcileHarness =>
  createReconcileHarness([createResourceQuotaReconciler(followedResources(builtInRegistry()))])
const makeQuota = (h: ReconcileHarness, hard: JsonObject) => {
  h.cluster.must({
    verb: 'create',
    ...quotas,
    body: {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'q', namespace: 'default' },
      spec: { hard },
      status: {},
    },
  })
  h.settle(quiet)
}
const makePod = (h: ReconcileHarness, name: string) => {
  const spec = { containers: [{ name: 'a', image: 'b', resources: { requests: { cpu: '100m' } } }] }
  const metadata = { name, namespace: 'default' }
  h.cluster.must({ verb: 'create', ...pods, body: { apiVersion: 'v1', kind: 'Pod', metadata, spec, status: {} } })
  h.settle(quiet)
}
const used = (h: ReconcileHarness) =>
  (h.cluster.get('resourcequotas', 'default/q') as unknown as ResourceQuota).status.used
const writes = (h: ReconcileHarness): number =>
  h.cluster.requests.filter(({ request }) => request.resource === 'resourcequotas' && request.verb === 'update').length

describe('a quota', () => {
  test('shows what is there when it is made, and that once', () => {
    const h = harness()
    makePod(h, 'a')
    makeQuota(h, { pods: '5', 'requests.cpu': '1', services: '1' })
    expect(used(h)).toEqual({ pods: '1', 'requests.cpu': '100m', services: '0' })
    expect(writes(h)).toBe(1)
    expect(h.secondRun()).toEqual([])
  })

  test('is counted anew when something goes, ends, or came uncounted', () => {
    const h = harness()
    makeQuota(h, { pods: '5', 'count/pods': '9' })
    makePod(h, 'a')
    makePod(h, 'b')
    expect(used(h)).toEqual({ pods: '2', 'count/pods': '2' })
    const status = {
      verb: 'patch',
      ...pods,
      name: 'a',
      subresource: 'status',
      patchType: 'application/merge-patch+json',
    } as const
    h.cluster.must({ ...status, body: { status: { phase: 'Succeeded' } } })
    h.settle(quiet)
    expect(used(h)).toEqual({ pods: '1', 'count/pods': '2' })
    h.cluster.must({ verb: 'delete', ...pods, name: 'b', body: { gracePeriodSeconds: 0 } })
    h.settle(quiet)
    expect(used(h)).toEqual({ pods: '0', 'count/pods': '1' })
  })

  test('is not counted for changes that take no more and no less', () => {
    const h = harness()
    makePod(h, 'a')
    makeQuota(h, { pods: '5' })
    const before = writes(h)
    const patch = { verb: 'patch', ...pods, name: 'a', patchType: 'application/merge-patch+json' } as const
    h.cluster.must({ ...patch, body: { metadata: { labels: { a: 'b' } } } })
    expect(h.round()).toBe(false)
    expect(writes(h)).toBe(before)
  })

  test('follows a change of what it limits', () => {
    const h = harness()
    makePod(h, 'a')
    makeQuota(h, { pods: '5' })
    const patch = { verb: 'patch', ...quotas, name: 'q', patchType: 'application/merge-patch+json' } as const
    h.cluster.must({ ...patch, body: { spec: { hard: { pods: null, services: '3' } } } })
    h.settle(quiet)
    expect(used(h)).toEqual({ services: '0' })
  })
})
