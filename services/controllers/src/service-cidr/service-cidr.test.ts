import type { FakeCluster } from '@shiplog/testing/fake-cluster'
import { describe, expect, test } from 'vitest'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { playWithEveryDeath } from '../testing/two-runners-sim.ts'
import { serviceCidrReconciler } from './service-cidr.reconciler.ts'

const ranges = { group: 'networking.k8s.io', resource: 'servicecidrs' }
const services = { group: '', resource: 'services', namespace: 'default' }

const addRange = (cluster: FakeCluster, name: string, ...cidrs: string[]) =>
  cluster.must({
    verb: 'create',
    ...ranges,
    body: { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name }, spec: { cidrs } },
  })
const addService = (cluster: FakeCluster, name: string, spec: object = {}) =>
  cluster.must({
    verb: 'create',
    ...services,
    body: { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec: { ports: [{ port: 80 }], ...spec } },
  })
const shown = (cluster: FakeCluster): string[] =>
  cluster.list('ipaddresses.networking.k8s.io').map(({ metadata, spec }) => {
    const { namespace, name } = spec.parentRef!
    return `${metadata.name} of ${namespace}/${name}`
  })
const ready = (h: ReconcileHarness, name: string) =>
  h.cluster.get('servicecidrs.networking.k8s.io', `/${name}`)?.status.conditions?.map(({ type, status, message }) => `${type}=${status} ${message}`)

describe('addresses of Services', () => {
  test('are shown while Services have them, and those that others manage are left alone', () => {
    const h = createReconcileHarness([serviceCidrReconciler])
    addService(h.cluster, 'web', { clusterIP: '10.96.0.7' })
    addService(h.cluster, 'none', { clusterIP: 'None' })
    h.cluster.put('ipaddresses.networking.k8s.io', {
      ...{ apiVersion: 'networking.k8s.io/v1', kind: 'IPAddress', metadata: { name: '10.96.0.9', labels: {} } },
      spec: { parentRef: { resource: 'things', namespace: 'x', name: 'y' } },
    })
    h.settle()
    expect(shown(h.cluster)).toEqual(['10.96.0.9 of x/y', '10.96.0.7 of default/web'])
    expect(h.cluster.get('ipaddresses.networking.k8s.io', '/10.96.0.7')!.metadata.labels).toEqual({
      'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
      'ipaddress.kubernetes.io/ip-family': 'IPv4',
    })
    h.cluster.must({ verb: 'delete', ...services, name: 'web' })
    h.settle()
    expect(shown(h.cluster)).toEqual(['10.96.0.9 of x/y'])
    expect(h.secondRun()).toEqual([])
  })
})

describe('a range', () => {
  test('is ready, and stays until no address would be left without one', () => {
    const h = createReconcileHarness([serviceCidrReconciler])
    addRange(h.cluster, 'kubernetes', '10.96.0.0/12')
    h.settle()
    expect(ready(h, 'kubernetes')).toEqual(['Ready=True Kubernetes Service CIDR is ready'])
    addService(h.cluster, 'web', { clusterIP: '10.96.0.7' })
    h.settle()
    h.cluster.must({ verb: 'delete', ...ranges, name: 'kubernetes' })
    h.advance(20_000)
    expect(ready(h, 'kubernetes')).toEqual([
      'Ready=False There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR',
    ])
    h.cluster.must({ verb: 'delete', ...services, name: 'web' })
    h.settle()
    expect(ready(h, 'kubernetes')).toBeUndefined()
    expect(h.secondRun()).toEqual([])
  })

  test('within a larger one goes after ten seconds, whatever it holds', () => {
    const h = createReconcileHarness([serviceCidrReconciler])
    addRange(h.cluster, 'large', '10.96.0.0/12')
    addRange(h.cluster, 'small', '10.96.0.0/24')
    addService(h.cluster, 'web', { clusterIP: '10.96.0.7' })
    h.settle()
    h.cluster.must({ verb: 'delete', ...ranges, name: 'small' })
    h.advance(9_000)
    expect(ready(h, 'small')).toBeDefined()
    h.advance(1_500)
    expect(ready(h, 'small')).toBeUndefined()
  })
})

test('two runners agree, though one is killed', () => {
  const deeds = [
    (cluster: FakeCluster) => void addRange(cluster, 'kubernetes', '10.96.0.0/12'),
    (cluster: FakeCluster) => void addService(cluster, 'web', { clusterIP: '10.96.0.7' }),
  ]
  playWithEveryDeath({ reconcilers: [serviceCidrReconciler], deeds }, ({ cluster, created }) => {
    expect(shown(cluster)).toEqual(['10.96.0.7 of default/web'])
    expect(created('ipaddresses.networking.k8s.io')).toEqual(['10.96.0.7'])
    expect(cluster.list('servicecidrs.networking.k8s.io')[0]!.status.conditions).toHaveLength(1)
  })
})
