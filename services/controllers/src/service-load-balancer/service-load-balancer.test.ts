import fc from 'fast-check'
import type { FakeCluster } from '@shiplog/testing/fake-cluster'
import { parseAddressPool } from '@shiplog/api/address-pool'
import { describe, expect, test } from 'vitest'
import { createReconcileHarness } from '../testing/reconcile-harness.ts'
import { playWithEveryDeath } from '../testing/two-runners-sim.ts'
import { assignAddresses } from './assign-addresses.ts'
import { createServiceLoadBalancerReconciler } from './service-load-balancer.reconciler.ts'

const services = { group: '', resource: 'services', namespace: 'default' }
const pool = parseAddressPool('172.30.1.1-172.30.1.3')
const reconciler = createServiceLoadBalancerReconciler(pool)

const add = (cluster: FakeCluster, name: string, spec: object = {}) =>
  cluster.must({
    verb: 'create',
    ...services,
    body: { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec } },
  })
const remove = (cluster: FakeCluster, name: string): void => void cluster.must({ verb: 'delete', ...services, name })
const patch = (cluster: FakeCluster, name: string, body: object): void =>
  void cluster.must({ verb: 'patch', patchType: 'application/merge-patch+json', ...services, name, body: body as never })
const shown = (cluster: FakeCluster, name: string): unknown => cluster.get('services', `default/${name}`)?.status?.loadBalancer

const has = (...ips: string[]) => ({ ingress: ips.map((ip) => ({ ip, ipMode: 'VIP' })) })

describe('a Service of type LoadBalancer', () => {
  test('gets an address of the pool, keeps it, and gives it back', () => {
    const h = createReconcileHarness([reconciler])
    add(h.cluster, 'a')
    add(h.cluster, 'b')
    h.settle()
    expect([shown(h.cluster, 'a'), shown(h.cluster, 'b')]).toEqual([has('172.30.1.1'), has('172.30.1.2')])
    remove(h.cluster, 'a')
    add(h.cluster, 'c')
    h.settle()
    expect([shown(h.cluster, 'b'), shown(h.cluster, 'c')]).toEqual([has('172.30.1.2'), has('172.30.1.1')])
    patch(h.cluster, 'b', { spec: { type: 'ClusterIP', allocateLoadBalancerNodePorts: null, externalTrafficPolicy: null } })
    h.settle()
    expect(shown(h.cluster, 'b')).toEqual({})
    expect(h.events).toContain('service-controller EnsuredLoadBalancer Ensured load balancer')
    expect(h.secondRun()).toEqual([])
  })

  test('waits and says so while the pool is empty, and gets the first address that is free again', () => {
    const h = createReconcileHarness([reconciler])
    for (const name of ['a', 'b', 'c', 'd']) add(h.cluster, name)
    h.settle()
    expect(shown(h.cluster, 'd')).toEqual({})
    const told = 'service-controller SyncLoadBalancerFailed Error syncing load balancer: failed to ensure load balancer: no IPv4 address left in the pool'
    expect(h.events.filter((text) => text === told)).toHaveLength(1)
    remove(h.cluster, 'b')
    h.settle()
    expect(shown(h.cluster, 'd')).toEqual(has('172.30.1.2'))
    expect(h.secondRun()).toEqual([])
  })

  test('gets the address that it asks for, when it is of the pool and nobody else’s', () => {
    const h = createReconcileHarness([reconciler])
    add(h.cluster, 'a', { loadBalancerIP: '172.30.1.3' })
    add(h.cluster, 'b', { loadBalancerIP: '172.30.1.3' })
    add(h.cluster, 'c', { loadBalancerIP: '192.0.2.1' })
    h.settle()
    expect(['a', 'b', 'c'].map((name) => shown(h.cluster, name))).toEqual([has('172.30.1.3'), {}, {}])
    expect(h.events.join('\n')).toContain('requested address 172.30.1.3 is taken by service default/a')
    expect(h.events.join('\n')).toContain('requested address 192.0.2.1 is not in the pool')
  })

  test('of another class is left alone, and so is what it has', () => {
    const h = createReconcileHarness([reconciler])
    add(h.cluster, 'theirs', { loadBalancerClass: 'example.com/cloud' })
    add(h.cluster, 'ours', { loadBalancerClass: 'shiplog.dev/pool' })
    h.settle()
    expect(shown(h.cluster, 'theirs')).toEqual({})
    expect(shown(h.cluster, 'ours')).toEqual(has('172.30.1.1'))
    add(h.cluster, 'by-hand', { type: 'ClusterIP', externalIPs: ['172.30.1.2'] })
    add(h.cluster, 'next')
    h.settle()
    expect(shown(h.cluster, 'next')).toEqual(has('172.30.1.3'))
  })
})

test('whatever Services want and have, no address is given twice, and what was given once stays', () => {
  const both = parseAddressPool('10.0.0.1-10.0.0.4,fd00::1-fd00::3')
  const drawn = fc.record({
    type: fc.constantFrom('LoadBalancer', 'LoadBalancer', 'ClusterIP'),
    families: fc.constantFrom(['IPv4'], ['IPv6'], ['IPv4', 'IPv6']),
    has: fc.subarray(['10.0.0.1', '10.0.0.2', '10.0.0.9', 'fd00::2']),
    wish: fc.option(fc.constantFrom('10.0.0.2', '10.0.0.7'), { nil: undefined }),
  })
  fc.assert(
    fc.property(fc.array(drawn, { maxLength: 7 }), (all) => {
      const some = all.map(({ type, families, has: ips, wish }, index) => ({
        metadata: { name: `s${index}`, namespace: 'x', uid: `${index}`, creationTimestamp: '2026-01-01T00:00:00Z' },
        spec: { type, ipFamilies: families, ...(wish ? { loadBalancerIP: wish } : {}) },
        status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
      })) as never[]
      const first = assignAddresses(some, both)
      const given = first.flatMap(({ addresses }) => addresses)
      const after = first.map(({ service, addresses }) => ({ ...service, status: { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } } }))
      const second = assignAddresses(after as never[], both)
      return (
        new Set(given).size === given.length &&
        JSON.stringify(second.map(({ addresses }) => addresses)) === JSON.stringify(first.map(({ addresses }) => addresses))
      )
    }),
    { numRuns: 500 },
  )
})

test('two runners agree, though one is killed', () => {
  const deeds = [(cluster: FakeCluster) => void add(cluster, 'a'), (cluster: FakeCluster) => void add(cluster, 'b')]
  playWithEveryDeath({ reconcilers: [reconciler], deeds }, ({ cluster }) => {
    expect([shown(cluster, 'a'), shown(cluster, 'b')]).toEqual([has('172.30.1.1'), has('172.30.1.2')])
  })
})
