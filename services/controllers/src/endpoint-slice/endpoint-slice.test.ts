import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { endpointsReconciler } from '../endpoints/endpoints.reconciler.ts'
import { replicaSetReconciler } from '../replica-set/replica-set.reconciler.ts'
import { pods, replicaSetManifest, replicaSets } from '../testing/manifests.ts'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { endpointSliceReconciler, endpointsPerSliceMax } from './endpoint-slice.reconciler.ts'

const harness = (options = {}): ReconcileHarness =>
  createReconcileHarness([endpointSliceReconciler, endpointsReconciler, replicaSetReconciler], options)

const services = { group: '', resource: 'services', namespace: 'default' }
const makeService = (h: ReconcileHarness, spec: JsonObject = {}) =>
  h.cluster.must({
    verb: 'create',
    ...services,
    body: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default', labels: { team: 'a' } },
      spec: {
        selector: { app: 'web' },
        clusterIP: '10.96.0.10',
        ipFamilies: ['IPv4'],
        ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }],
        ...spec,
      },
    },
  })
const makePods = (h: ReconcileHarness, replicas: number) =>
  h.cluster.must({ verb: 'create', ...replicaSets, body: replicaSetManifest('web', replicas) })
const slices = (h: ReconcileHarness) => h.cluster.list('endpointslices.discovery.k8s.io')
const all = (h: ReconcileHarness): JsonObject[] => slices(h).flatMap((slice) => slice['endpoints'] as JsonObject[])
const endpoints = (h: ReconcileHarness) => h.cluster.get('endpoints', 'default/web')

describe('a Service with a selector', () => {
  test('gets a slice and Endpoints with its ready pods at their named port', () => {
    const h = harness()
    makeService(h)
    makePods(h, 2)
    h.settle()
    const [slice] = slices(h)
    expect(slices(h)).toHaveLength(1)
    expect(slice).toMatchObject({
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      metadata: {
        name: expect.stringMatching(/^web-[a-z0-9]{5}$/),
        labels: {
          team: 'a',
          'kubernetes.io/service-name': 'web',
          'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        },
        ownerReferences: [{ kind: 'Service', name: 'web', controller: true, blockOwnerDeletion: true }],
      },
    })
    expect(all(h)).toHaveLength(2)
    expect(all(h)[0]).toMatchObject({
      addresses: [expect.stringMatching(/^10\.244\./)],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: expect.stringMatching(/^node-/),
      targetRef: { kind: 'Pod', namespace: 'default' },
    })
    expect(endpoints(h)!['subsets']).toEqual([
      { addresses: [expect.any(Object), expect.any(Object)], ports: [{ name: 'http', port: 8080, protocol: 'TCP' }] },
    ])
    expect(h.secondRun()).toEqual([])
  })

  test('shows pods that are not ready as such', () => {
    const h = harness({ becomesReady: () => false })
    makeService(h)
    makePods(h, 1)
    h.settle()
    expect(all(h)[0]!['conditions']).toEqual({ ready: false, serving: false, terminating: false })
    expect(endpoints(h)!.subsets![0]!.notReadyAddresses).toHaveLength(1)
    expect(endpoints(h)!.subsets![0]!.addresses).toBeUndefined()
  })

  test('shows a terminating pod as serving, and drops it from Endpoints', () => {
    const h = harness({ terminates: () => false })
    makeService(h)
    makePods(h, 1)
    h.settle()
    const [pod] = h.cluster.list('pods')
    h.cluster.must({ verb: 'delete', ...replicaSets, name: 'web' })
    h.cluster.must({ verb: 'delete', ...pods, name: pod!.metadata.name })
    h.settle()
    expect(all(h)[0]!['conditions']).toEqual({ ready: false, serving: true, terminating: true })
    expect(endpoints(h)!['subsets']).toBeUndefined()
  })

  test('with nobody behind it has one empty slice and empty Endpoints', () => {
    const h = harness()
    makeService(h)
    h.settle()
    expect(slices(h)).toHaveLength(1)
    expect(slices(h)[0]).toMatchObject({ endpoints: [], ports: [] })
    expect(endpoints(h)).toBeDefined()
    makePods(h, 1)
    h.settle()
    expect(slices(h)).toHaveLength(1)
    expect(all(h)).toHaveLength(1)
    expect(h.secondRun()).toEqual([])
  })

  test('spreads many pods over slices of a hundred, and a leaving pod changes only its own', () => {
    const h = harness()
    makeService(h)
    makePods(h, 250)
    h.settle()
    expect(all(h)).toHaveLength(250)
    expect(slices(h).every((slice) => slice.endpoints!.length <= endpointsPerSliceMax)).toBe(true)
    expect(new Set(all(h).map((endpoint) => endpoint['targetRef'].uid)).size).toBe(250)
    const before = new Map(slices(h).map((slice) => [slice.metadata.name, slice.metadata.resourceVersion]))
    const victim = slices(h)[0]!.endpoints![3]!.targetRef!.name!
    h.cluster.must({ verb: 'delete', ...pods, name: victim, body: { gracePeriodSeconds: 0 } })
    h.settle()
    expect(all(h)).toHaveLength(250)
    const changed = slices(h).filter((slice) => before.get(slice.metadata.name) !== slice.metadata.resourceVersion)
    expect(changed.length).toBeLessThanOrEqual(2)
    expect(h.secondRun()).toEqual([])
  })

  test('follows its selector', () => {
    const h = harness()
    makeService(h)
    makePods(h, 1)
    h.settle()
    h.cluster.must({
      verb: 'patch',
      ...services,
      name: 'web',
      patchType: 'application/merge-patch+json',
      body: { spec: { selector: { app: 'other' } } },
    })
    h.settle()
    expect(all(h)).toEqual([])
    expect(endpoints(h)!['subsets']).toBeUndefined()
  })

  test('that is headless says so, and needs no ports', () => {
    const h = harness()
    makeService(h, { clusterIP: 'None', ports: undefined })
    makePods(h, 1)
    h.settle()
    expect(slices(h)[0]!.metadata.labels).toMatchObject({ 'service.kubernetes.io/headless': '' })
    expect(all(h)).toHaveLength(1)
    expect(endpoints(h)!.subsets![0]!.addresses).toHaveLength(1)
    expect(h.secondRun()).toEqual([])
  })

  test('publishes pods that are not ready when it asks for that', () => {
    const h = harness({ becomesReady: () => false })
    makeService(h, { publishNotReadyAddresses: true })
    makePods(h, 1)
    h.settle()
    expect(all(h)[0]!['conditions']).toMatchObject({ ready: true, serving: false })
    expect(endpoints(h)!.subsets![0]!.addresses).toHaveLength(1)
  })

  test('takes its Endpoints with it', () => {
    const h = harness()
    makeService(h)
    h.settle()
    h.cluster.must({ verb: 'delete', ...services, name: 'web' })
    h.settle()
    expect(endpoints(h)).toBeUndefined()
  })
})

describe('a Service of two families', () => {
  const addAddress = (h: ReconcileHarness, name: string, ip: string): void => {
    const { podIPs } = h.cluster.get('pods', `default/${name}`)!['status'] as { podIPs: { ip: string }[] }
    h.cluster.must({
      verb: 'patch',
      ...pods,
      name,
      subresource: 'status',
      patchType: 'application/merge-patch+json',
      body: { status: { podIPs: [...podIPs, { ip }] } },
    })
  }
  const familiesOf = (h: ReconcileHarness): string[] =>
    slices(h)
      .map(
        (slice) =>
          `${slice['addressType']} ${(slice['endpoints'] as JsonObject[]).flatMap(({ addresses }) => addresses)}`,
      )
      .sort()

  test('has slices of both, and Endpoints of the first', () => {
    const h = harness()
    makePods(h, 1)
    h.settle()
    const [pod] = h.cluster.list('pods')
    const ipv4 = pod!['status'].podIP as string
    addAddress(h, pod!.metadata.name, 'fd00:10:244::2')
    makeService(h, { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv6', 'IPv4'], clusterIP: 'fd00:10:96::10' })
    h.settle()
    expect(familiesOf(h)).toEqual([`IPv4 ${ipv4}`, 'IPv6 fd00:10:244::2'])
    expect(endpoints(h)!.subsets![0]!.addresses).toMatchObject([{ ip: 'fd00:10:244::2' }])
    expect(h.secondRun()).toEqual([])
  })

  test('has an empty slice of the family that its pods lack, and gives up what it gives up', () => {
    const h = harness()
    makePods(h, 1)
    h.settle()
    const ipv4 = h.cluster.list('pods')[0]!['status'].podIP as string
    makeService(h, { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4', 'IPv6'] })
    h.settle()
    expect(familiesOf(h)).toEqual([`IPv4 ${ipv4}`, 'IPv6 '])
    h.cluster.must({
      verb: 'patch',
      ...services,
      name: 'web',
      patchType: 'application/merge-patch+json',
      body: { spec: { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'], clusterIPs: null } },
    })
    h.settle()
    expect(familiesOf(h)).toEqual([`IPv4 ${ipv4}`])
    expect(h.secondRun()).toEqual([])
  })
})

test('a Service without a selector is left alone', () => {
  const h = harness()
  makeService(h, { selector: undefined })
  const manual = { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'web', namespace: 'default' }, subsets: [] }
  h.cluster.must({
    verb: 'create',
    group: '',
    resource: 'endpoints',
    namespace: 'default',
    body: manual as unknown as KubeObject,
  })
  h.settle()
  expect(slices(h)).toEqual([])
  expect(h.cluster.requests.filter(({ request }) => request.verb !== 'create')).toEqual([])
})
