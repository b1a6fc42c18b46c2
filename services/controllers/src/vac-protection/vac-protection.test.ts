import type { FakeCluster } from '@shiplog/testing/fake-cluster'
import { expect, test } from 'vitest'
import { createReconcileHarness } from '../testing/reconcile-harness.ts'
import { playWithEveryDeath } from '../testing/two-runners-sim.ts'
import { vacProtectionReconciler } from './vac-protection.reconciler.ts'

const classes = { group: 'storage.k8s.io', resource: 'volumeattributesclasses' }
const add = (cluster: FakeCluster) =>
  cluster.must({
    verb: 'create',
    ...classes,
    body: { apiVersion: 'storage.k8s.io/v1', kind: 'VolumeAttributesClass', metadata: { name: 'fast' }, driverName: 'x.example.com', parameters: { iops: '9' } },
  })
const drop = (cluster: FakeCluster) => cluster.must({ verb: 'delete', ...classes, name: 'fast' })
const isThere = (cluster: FakeCluster): boolean => cluster.get('volumeattributesclasses.storage.k8s.io', '/fast') !== undefined
const claim = (spec: object, status: object = {}) => ({
  ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'c', namespace: 'default' } },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  status,
})

test.each([
  ['asks for it', claim({ volumeAttributesClassName: 'fast' })],
  ['has it', claim({}, { currentVolumeAttributesClassName: 'fast' })],
  ['is being changed to it', claim({}, { modifyVolumeStatus: { targetVolumeAttributesClassName: 'fast', status: 'Pending' } })],
])('a class stays while a claim %s', (_what, object) => {
  const h = createReconcileHarness([vacProtectionReconciler])
  add(h.cluster)
  h.cluster.put('persistentvolumeclaims', object)
  h.settle()
  drop(h.cluster)
  h.settle()
  expect(isThere(h.cluster)).toBe(true)
  h.cluster.remove('persistentvolumeclaims', 'default/c')
  h.settle()
  expect(isThere(h.cluster)).toBe(false)
  expect(h.secondRun()).toEqual([])
})

test('a class stays while a volume is of it', () => {
  const h = createReconcileHarness([vacProtectionReconciler])
  const volume = { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'v' }, spec: { volumeAttributesClassName: 'fast' } }
  add(h.cluster)
  h.cluster.put('persistentvolumes', volume)
  h.settle()
  drop(h.cluster)
  h.settle()
  expect(isThere(h.cluster)).toBe(true)
  h.cluster.put('persistentvolumes', { ...volume, spec: {} })
  h.settle()
  expect(isThere(h.cluster)).toBe(false)
})

test('two runners agree, though one is killed', () => {
  const deeds = [(cluster: FakeCluster) => void add(cluster), (cluster: FakeCluster) => void drop(cluster)]
  playWithEveryDeath({ reconcilers: [vacProtectionReconciler], deeds }, ({ cluster, created }) => {
    expect(isThere(cluster)).toBe(false)
    expect(created('volumeattributesclasses.storage.k8s.io')).toEqual(['fast'])
  })
})
