import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { describe, expect, test } from 'vitest'
import { deploymentReconciler } from '../deployment/deployment.reconciler.ts'
import { replicaSetReconciler } from '../replica-set/replica-set.reconciler.ts'
import { followedResources } from '../shared/resources.ts'
import { deploymentManifest, deployments } from '../testing/manifests.ts'
import { defineWidgets, makeWidget, removeDefinition, widgets } from '../testing/custom-resources.ts'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { createGarbageCollector } from './garbage-collector.reconciler.ts'

const collector = createGarbageCollector(followedResources(builtInRegistry()))
const harness = (): ReconcileHarness => createReconcileHarness([collector])
const withDeployments = (): ReconcileHarness => {
  const h = createReconcileHarness([deploymentReconciler, replicaSetReconciler, collector])
  h.cluster.must({ verb: 'create', ...deployments, body: deploymentManifest() })
  h.settle()
  return h
}
const deleteWith = (h: ReconcileHarness, propagationPolicy: string) =>
  h.cluster.must({ verb: 'delete', ...deployments, name: 'web', body: { propagationPolicy } })

const configMaps = { group: '', resource: 'configmaps', namespace: 'default' }
const make = (
  h: ReconcileHarness,
  name: string,
  owners: readonly (KubeObject | JsonObject)[] = [],
  namespace = 'default',
) =>
  h.cluster.must({
    verb: 'create',
    ...configMaps,
    namespace,
    body: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name,
        namespace,
        ownerReferences: owners.map((owner) => ({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          name: owner['metadata']?.name ?? owner['name'],
          uid: owner['metadata']?.uid ?? owner['uid'],
          blockOwnerDeletion: true,
        })),
      },
    },
  })
const names = (h: ReconcileHarness): string[] =>
  h.cluster
    .list('configmaps')
    .map((one) => one.metadata.name)
    .sort()
const remove = (h: ReconcileHarness, name: string, propagationPolicy?: string) =>
  h.cluster.must({ verb: 'delete', ...configMaps, name, body: propagationPolicy ? { propagationPolicy } : {} })
const setOwners = (h: ReconcileHarness, name: string, ownerReferences: readonly JsonObject[]) =>
  h.cluster.must({
    verb: 'patch',
    ...configMaps,
    name,
    patchType: 'application/merge-patch+json',
    body: { metadata: { ownerReferences } },
  })
const reference = (owner: KubeObject): JsonObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  blockOwnerDeletion: true,
})

describe('deleting a Deployment', () => {
  test('in the background takes its ReplicaSets and pods after it', () => {
    const h = withDeployments()
    deleteWith(h, 'Background')
    expect(h.cluster.list('deployments.apps')).toEqual([])
    h.settle()
    expect(h.cluster.list('replicasets.apps')).toEqual([])
    expect(h.cluster.list('pods')).toEqual([])
    expect(h.secondRun()).toEqual([])
  })

  test('in the foreground goes only after the last pod', () => {
    const h = withDeployments()
    deleteWith(h, 'Foreground')
    h.settle({ withoutNodes: true })
    expect(h.cluster.list('pods')).toHaveLength(3)
    expect(h.cluster.list('pods').every((pod) => pod.metadata.deletionTimestamp !== undefined)).toBe(true)
    expect(h.cluster.list('deployments.apps')).toHaveLength(1)
    expect(h.cluster.list('replicasets.apps')).toHaveLength(1)
    h.settle()
    expect(h.cluster.list('pods')).toEqual([])
    expect(h.cluster.list('replicasets.apps')).toEqual([])
    expect(h.cluster.list('deployments.apps')).toEqual([])
    const gone = h.cluster.changes.filter((change) => change.deleted).map((change) => change.resource)
    expect(gone).toEqual(['pods', 'pods', 'pods', 'replicasets', 'deployments'])
  })

  test('orphaning leaves its ReplicaSet and pods, without the owner', () => {
    const h = withDeployments()
    deleteWith(h, 'Orphan')
    h.settle()
    expect(h.cluster.list('deployments.apps')).toEqual([])
    const [replicaSet] = h.cluster.list('replicasets.apps')
    expect(replicaSet!.metadata.ownerReferences).toBeUndefined()
    expect(h.cluster.list('pods')).toHaveLength(3)
    expect(h.secondRun()).toEqual([])
  })
})

describe('a dependent', () => {
  test('stays while one of two owners is there, and loses the reference to the other', () => {
    const h = harness()
    const [a, b] = [make(h, 'a'), make(h, 'b')]
    make(h, 'child', [a, b])
    h.settle()
    remove(h, 'a')
    h.settle()
    expect(names(h)).toEqual(['b', 'child'])
    const child = h.cluster.get('configmaps', 'default/child')!
    expect(child.metadata.ownerReferences!.map((one) => one.uid)).toEqual([b.metadata.uid])
    remove(h, 'b')
    h.settle()
    expect(names(h)).toEqual([])
  })

  test('of an owner that never was is deleted; of a kind that is not known here it is left alone', () => {
    const h = harness()
    make(h, 'bogus', [{ name: 'nobody', uid: 'no-such-uid' }])
    make(h, 'foreign')
    setOwners(h, 'foreign', [{ apiVersion: 'example.com/v1', kind: 'Widget', name: 'w', uid: 'w-1' }])
    h.settle()
    expect(names(h)).toEqual(['foreign'])
  })

  test('of an owner in another namespace is deleted, and an event says why', () => {
    const h = harness()
    const owner = make(h, 'owner', [], 'other')
    make(h, 'child', [owner])
    h.settle()
    expect(names(h)).toEqual(['owner'])
    expect(h.events.some((event) => event.includes('OwnerRefInvalidNamespace'))).toBe(true)
  })

  test('of an owner of another uid but the same name is deleted', () => {
    const h = harness()
    const first = make(h, 'owner')
    make(h, 'child', [first])
    h.settle()
    h.cluster.must({ verb: 'delete', ...configMaps, name: 'owner' })
    make(h, 'owner')
    h.settle()
    expect(names(h)).toEqual(['owner'])
  })

  test('that does not block its owner does not hold a foreground deletion up', () => {
    const h = harness()
    const owner = make(h, 'owner')
    const child = make(h, 'child')
    setOwners(h, 'child', [{ ...reference(owner), blockOwnerDeletion: false }])
    h.cluster.must({
      verb: 'patch',
      ...configMaps,
      name: 'child',
      patchType: 'application/merge-patch+json',
      body: { metadata: { finalizers: ['example.com/hold'] } },
    })
    h.settle()
    remove(h, 'owner', 'Foreground')
    h.settle()
    expect(names(h)).toEqual([child.metadata.name])
    expect(h.cluster.get('configmaps', 'default/child')!.metadata.deletionTimestamp).toBeDefined()
  })
})

test('a circle of owners does not block foreground deletion', () => {
  const h = harness()
  const a = make(h, 'a')
  const b = make(h, 'b', [a])
  const c = make(h, 'c', [b])
  setOwners(h, 'a', [reference(c)])
  h.settle()
  expect(names(h)).toEqual(['a', 'b', 'c'])
  remove(h, 'a', 'Foreground')
  h.settle()
  expect(names(h)).toEqual([])
})

test('a chain of five goes with its head', () => {
  const h = harness()
  let owner = make(h, 'link-0')
  for (let i = 1; i < 5; i++) owner = make(h, `link-${i}`, [owner])
  h.settle()
  remove(h, 'link-0')
  h.settle()
  expect(names(h)).toEqual([])
})

test('a dependent that is held by its own finalizer is deleted once, not again and again', () => {
  const h = harness()
  const owner = make(h, 'owner')
  make(h, 'child', [owner])
  h.cluster.must({
    verb: 'patch',
    ...configMaps,
    name: 'child',
    patchType: 'application/merge-patch+json',
    body: { metadata: { finalizers: ['example.com/hold'] } },
  })
  h.settle()
  remove(h, 'owner')
  h.settle()
  expect(
    h.cluster.requests.filter(({ request }) => request.verb === 'delete' && request.name === 'child'),
  ).toHaveLength(1)
  expect(h.secondRun()).toEqual([])
})

describe('custom resources', () => {
  const removeWidget = (h: ReconcileHarness, name: string) =>
    h.cluster.must({ verb: 'delete', ...widgets, namespace: 'default', name, body: {} })

  test('are owners and dependents like all others', () => {
    const h = harness()
    const config = make(h, 'config')
    defineWidgets(h)
    const parent = makeWidget(h, 'parent', { owners: [config] })
    makeWidget(h, 'child', { owners: [parent] })
    h.settle()
    expect(h.cluster.list('widgets.example.com')).toHaveLength(2)
    remove(h, 'config')
    h.settle()
    expect(h.cluster.list('widgets.example.com')).toEqual([])
    expect(h.secondRun()).toEqual([])
  })

  test('what they own goes with them, also when their kind goes at the same time', () => {
    const h = harness()
    defineWidgets(h)
    const parent = makeWidget(h, 'parent')
    h.cluster.must({
      verb: 'create',
      ...configMaps,
      body: {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          name: 'owned',
          namespace: 'default',
          ownerReferences: [{ apiVersion: 'example.com/v1', kind: 'Widget', name: 'parent', uid: parent.metadata.uid }],
        },
      },
    })
    h.settle()
    removeWidget(h, 'parent')
    removeDefinition(h)
    h.settle()
    expect(names(h)).toEqual([])
  })
})
