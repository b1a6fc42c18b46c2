import type { FakeCluster } from '@shiplog/testing/fake-cluster'
import { describe, expect, test } from 'vitest'
import { createReconcileHarness } from '../testing/reconcile-harness.ts'
import { playWithEveryDeath } from '../testing/two-runners-sim.ts'
import { resourceClaimReconciler } from './resource-claim.reconciler.ts'

const at = (resource: string) => ({ group: 'resource.k8s.io', resource, namespace: 'default' })
const pods = { group: '', resource: 'pods', namespace: 'default' }
const claims = 'resourceclaims.resource.k8s.io'
const devices = { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu' } }] }

const addTemplate = (cluster: FakeCluster) =>
  cluster.must({
    verb: 'create',
    ...at('resourceclaimtemplates'),
    body: {
      ...{ apiVersion: 'resource.k8s.io/v1', kind: 'ResourceClaimTemplate', metadata: { name: 'gpu', namespace: 'default' } },
      spec: { metadata: { labels: { a: 'b' } }, spec: { devices } },
    },
  })
const addPod = (cluster: FakeCluster) =>
  cluster.must({
    verb: 'create',
    ...pods,
    body: {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'default' } },
      spec: {
        containers: [{ name: 'main', image: 'x', resources: { claims: [{ name: 'card' }] } }],
        resourceClaims: [{ name: 'card', resourceClaimTemplateName: 'gpu' }],
      },
    },
  })
const pod = (cluster: FakeCluster) => cluster.get('pods', 'default/p')!
const setStatus = (cluster: FakeCluster, status: object) =>
  cluster.must({ verb: 'update', ...pods, name: 'p', subresource: 'status', body: { ...pod(cluster), status: { ...pod(cluster).status, ...status } } })

describe('a pod with a template of a claim', () => {
  test('gets a claim of its own, which its status names', () => {
    const h = createReconcileHarness([resourceClaimReconciler])
    addTemplate(h.cluster)
    addPod(h.cluster)
    h.settle({ withoutNodes: true })
    const [claim] = h.cluster.list(claims)
    expect(claim!.metadata).toMatchObject({
      ...{ labels: { a: 'b' }, annotations: { 'resource.kubernetes.io/pod-claim-name': 'card' } },
      ownerReferences: [{ kind: 'Pod', name: 'p', controller: true }],
    })
    expect(claim!.metadata.name).toMatch(/^p-card-[a-z0-9]{5}$/)
    expect(claim!.spec.devices!.requests![0]!.exactly!.deviceClassName).toBe('gpu')
    expect(pod(h.cluster).status.resourceClaimStatuses).toEqual([{ name: 'card', resourceClaimName: claim!.metadata.name }])
    expect(h.secondRun()).toEqual([])
  })

  test('waits for the template, and says so', () => {
    const h = createReconcileHarness([resourceClaimReconciler])
    addPod(h.cluster)
    h.settle({ withoutNodes: true })
    expect(h.events).toEqual([
      'resource_claim FailedResourceClaimCreation PodResourceClaim card: resource claim template "gpu": resourceclaimtemplate.resource.k8s.io "gpu" not found',
    ])
    addTemplate(h.cluster)
    h.settle({ withoutNodes: true })
    expect(h.cluster.list(claims)).toHaveLength(1)
  })

  test('gives its claim back when it is over', () => {
    const h = createReconcileHarness([resourceClaimReconciler])
    addTemplate(h.cluster)
    addPod(h.cluster)
    h.settle({ withoutNodes: true })
    setStatus(h.cluster, { phase: 'Succeeded' })
    h.settle({ withoutNodes: true })
    expect(h.cluster.list(claims)).toEqual([])
    expect(h.secondRun()).toEqual([])
  })
})

test('a claim lets go of pods that are over or gone, and of no others', () => {
  const h = createReconcileHarness([resourceClaimReconciler])
  addPod(h.cluster)
  const { uid } = pod(h.cluster).metadata
  const reserved = (name: string, of: string) => ({ resource: 'pods', name, uid: of })
  const metadata = { name: 'shared', namespace: 'default' }
  const status = { allocation: { devices: {} }, reservedFor: [reserved('p', uid), reserved('gone', 'u-2'), { apiGroup: 'x.y', resource: 'things', name: 't', uid: 'u-3' }] }
  h.cluster.put(claims, { apiVersion: 'resource.k8s.io/v1', kind: 'ResourceClaim', metadata, spec: { devices }, status })
  h.settle({ withoutNodes: true })
  const held = () => h.cluster.get(claims, 'default/shared')!.status.reservedFor?.map(({ name }) => name)
  expect(held()).toEqual(['p', 't'])
  setStatus(h.cluster, { phase: 'Failed' })
  h.settle({ withoutNodes: true })
  expect(held()).toEqual(['t'])
})

test('two runners make one claim, though one is killed', () => {
  const deeds = [(cluster: FakeCluster) => void addTemplate(cluster), (cluster: FakeCluster) => void addPod(cluster)]
  playWithEveryDeath({ reconcilers: [resourceClaimReconciler], deeds }, ({ cluster, created }) => {
    expect(created(claims)).toHaveLength(1)
    expect(pod(cluster).status.resourceClaimStatuses).toHaveLength(1)
  })
})
