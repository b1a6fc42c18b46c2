import type { JsonObject } from '@shiplog/api/kube-object'
import type { FakeCluster } from '@shiplog/testing/fake-cluster'
import { describe, expect, test } from 'vitest'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { playWithEveryDeath } from '../testing/two-runners-sim.ts'
import { endpointSliceMirroringReconciler } from './endpoint-slice-mirroring.reconciler.ts'

const at = { group: '', namespace: 'default' }
const reconcilers = [endpointSliceMirroringReconciler]
const ports = [{ name: 'http', port: 80, protocol: 'TCP' }]
const makeService = (cluster: FakeCluster, spec: JsonObject = {}) =>
  cluster.must({
    verb: 'create',
    ...at,
    resource: 'services',
    body: { apiVersion: 'v1', kind: 'Service', metadata: { name: 'ext', namespace: 'default' }, spec: { ports, ...spec } },
  })
const makeEndpoints = (cluster: FakeCluster, subsets: readonly JsonObject[], metadata: JsonObject = {}) =>
  cluster.must({
    verb: 'create',
    ...at,
    resource: 'endpoints',
    body: {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: 'ext', namespace: 'default', ...metadata },
      subsets,
    },
  })
const setSubsets = (cluster: FakeCluster, subsets: readonly JsonObject[]) =>
  cluster.must({
    verb: 'patch',
    ...at,
    resource: 'endpoints',
    name: 'ext',
    patchType: 'application/merge-patch+json',
    body: { subsets },
  })
const shown = (cluster: FakeCluster): string[] =>
  cluster
    .list('endpointslices.discovery.k8s.io')
    .map(
      ({ addressType, endpoints }) =>
        `${addressType} ${(endpoints ?? []).map((one) => `${one.addresses?.[0]}${one.conditions?.ready ? '' : '!'}`).join()}`,
    )
    .sort()
const harness = (): ReconcileHarness => createReconcileHarness(reconcilers)

describe('Endpoints of a Service without a selector', () => {
  test('are mirrored, one slice for each family and set of ports', () => {
    const h = harness()
    makeService(h.cluster)
    const annotations = { kept: 'yes', 'kubectl.kubernetes.io/last-applied-configuration': '{}' }
    makeEndpoints(
      h.cluster,
      [
        { addresses: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }], notReadyAddresses: [{ ip: '10.0.0.2' }], ports },
        { addresses: [{ ip: '10.0.0.9' }], ports: [{ port: 9 }] },
      ],
      { labels: { team: 'a' }, annotations },
    )
    h.settle()
    expect(shown(h.cluster)).toEqual(['IPv4 10.0.0.1,10.0.0.2!', 'IPv4 10.0.0.9', 'IPv6 fd00::1'])
    const slice = h.cluster.list('endpointslices.discovery.k8s.io').find(({ endpoints }) => endpoints!.length === 2)!
    expect(slice.ports).toEqual(ports)
    expect(slice.metadata).toMatchObject({
      generateName: 'ext-',
      annotations: { kept: 'yes' },
      labels: {
        team: 'a',
        'kubernetes.io/service-name': 'ext',
        'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
      },
      ownerReferences: [{ kind: 'Endpoints', name: 'ext', controller: true }],
    })
    expect(slice.metadata.annotations).toEqual({ kept: 'yes' })
    expect(h.secondRun()).toEqual([])
    setSubsets(h.cluster, [{ addresses: [{ ip: '10.0.0.3' }], ports }])
    h.settle()
    expect(shown(h.cluster)).toEqual(['IPv4 10.0.0.3'])
  })

  test('are left alone when they say so, when a leader lives in them, or when the Service selects pods', () => {
    const subsets = [{ addresses: [{ ip: '10.0.0.1' }], ports }]
    const without = (spec: JsonObject, metadata: JsonObject): string[] => {
      const h = harness()
      makeService(h.cluster, spec)
      makeEndpoints(h.cluster, subsets, metadata)
      h.settle()
      return shown(h.cluster)
    }
    expect(without({}, {})).toHaveLength(1)
    expect(without({ selector: { app: 'x' } }, {})).toEqual([])
    expect(without({}, { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } })).toEqual([])
    expect(without({}, { annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } })).toEqual([])
  })

  test('are mirrored without what is no address, and that is told', () => {
    const h = harness()
    makeService(h.cluster)
    // No gateway takes such an address; an older version might have.
    const metadata = { name: 'ext', namespace: 'default' }
    h.cluster.put('endpoints', { apiVersion: 'v1', kind: 'Endpoints', metadata, subsets: [{ addresses: [{ ip: '10.0.0.1' }, { ip: 'nowhere' }], ports }] })
    h.settle()
    expect(shown(h.cluster)).toEqual(['IPv4 10.0.0.1'])
    expect(h.events).toContain(
      'endpoint-slice-mirroring-controller InvalidIPAddress Skipped 1 invalid IP addresses when mirroring to EndpointSlices',
    )
  })
})

test('two runners make one slice of each kind, though one is killed', () => {
  const story = {
    reconcilers,
    deeds: [
      (cluster: FakeCluster) => makeService(cluster),
      (cluster: FakeCluster) => makeEndpoints(cluster, [{ addresses: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }], ports }]),
      (cluster: FakeCluster) => setSubsets(cluster, [{ addresses: [{ ip: '10.0.0.2' }], ports }]),
    ],
  }
  playWithEveryDeath(story, ({ cluster, created }) => {
    expect(shown(cluster)).toEqual(['IPv4 10.0.0.2'])
    expect(created('endpointslices.discovery.k8s.io')).toHaveLength(2)
  })
})
