import { describe, expect, test } from 'vitest'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { pvProtectionReconciler } from './pv-protection.reconciler.ts'

const volumes = { group: '', resource: 'persistentvolumes' } as const
const make = (h: ReconcileHarness, phase: string) =>
  h.cluster.put(volumes.resource, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'disk', finalizers: ['kubernetes.io/pv-protection'] },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/data', type: '' } },
    status: { phase },
  })
const isThere = (h: ReconcileHarness): boolean => h.cluster.get(volumes.resource, '/disk') !== undefined
const harness = (): ReconcileHarness => createReconcileHarness([pvProtectionReconciler])

describe('a volume that is deleted', () => {
  test.each(['Pending', 'Available', 'Released', 'Failed'])('goes at once when it is %s', (phase) => {
    const h = harness()
    make(h, phase)
    h.settle()
    expect(isThere(h)).toBe(true)
    h.cluster.must({ verb: 'delete', ...volumes, name: 'disk' })
    h.settle()
    expect(isThere(h)).toBe(false)
    expect(h.secondRun()).toEqual([])
  })

  test('stays while it is Bound', () => {
    const h = harness()
    make(h, 'Bound')
    h.cluster.must({ verb: 'delete', ...volumes, name: 'disk' })
    h.settle()
    expect(isThere(h)).toBe(true)
    expect(h.secondRun()).toEqual([])
    h.cluster.must({
      verb: 'patch',
      ...volumes,
      subresource: 'status',
      name: 'disk',
      patchType: 'application/merge-patch+json',
      body: { status: { phase: 'Released' } },
    })
    h.settle()
    expect(isThere(h)).toBe(false)
  })
})
