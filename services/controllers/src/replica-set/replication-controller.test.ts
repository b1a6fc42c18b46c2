import type { KubeObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { isActive } from '../shared/pods.ts'
import {
  pods,
  replicaSetManifest,
  replicaSets,
  replicationControllerManifest,
  replicationControllers,
} from '../testing/manifests.ts'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { replicaSetReconciler, replicationControllerReconciler } from './replica-set.reconciler.ts'

const harness = (): ReconcileHarness => createReconcileHarness([replicaSetReconciler, replicationControllerReconciler])
const create = (h: ReconcileHarness, replicas: number): KubeObject =>
  h.cluster.must({ verb: 'create', ...replicationControllers, body: replicationControllerManifest('web', replicas) })
const active = (h: ReconcileHarness) => h.cluster.list('pods').filter(isActive)
const get = (h: ReconcileHarness) => h.cluster.get('replicationcontrollers', 'default/web')!
const patch = (h: ReconcileHarness, at: object, name: string, body: object): unknown =>
  h.cluster.must({ verb: 'patch', ...(at as typeof pods), name, patchType: 'application/merge-patch+json', body })

describe('a ReplicationController', () => {
  test('makes its pods, tells events and reports its numbers', () => {
    const h = harness()
    const owner = create(h, 3)
    h.settle()
    expect(active(h)).toHaveLength(3)
    expect(active(h)[0]!.metadata.ownerReferences).toEqual([
      {
        apiVersion: 'v1',
        kind: 'ReplicationController',
        name: 'web',
        uid: owner.metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ])
    expect(get(h)['status']).toEqual({
      replicas: 3,
      fullyLabeledReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      observedGeneration: 1,
    })
    expect(h.events.filter((event) => event.startsWith('replication-controller SuccessfulCreate'))).toHaveLength(3)
    expect(h.secondRun()).toEqual([])
  })

  test('follows its size, and replaces what goes', () => {
    const h = harness()
    create(h, 3)
    h.settle()
    patch(h, replicationControllers, 'web', { spec: { replicas: 1 } })
    h.settle()
    expect(active(h)).toHaveLength(1)
    h.cluster.must({ verb: 'delete', ...pods, name: active(h)[0]!.metadata.name })
    h.settle()
    expect(active(h)).toHaveLength(1)
    expect(get(h)['status']).toMatchObject({ replicas: 1, observedGeneration: 2 })
  })

  test('adopts what its selector matches and nothing else, and lets go of what it matches no more', () => {
    const h = harness()
    const pod = (name: string, app: string): unknown =>
      h.cluster.must({
        verb: 'create',
        ...pods,
        body: {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name, namespace: 'default', labels: { app } },
          spec: { containers: [{ name: 'main', image: 'app:1' }] },
        },
      })
    create(h, 2)
    pod('stranger', 'other')
    pod('orphan', 'web')
    h.settle()
    expect(active(h)).toHaveLength(3)
    const of = (name: string) => h.cluster.get('pods', `default/${name}`)!.metadata.ownerReferences
    expect(of('orphan')).toMatchObject([{ kind: 'ReplicationController' }])
    expect(of('stranger')).toBeUndefined()
    patch(h, pods, 'orphan', { metadata: { labels: { app: 'free' } } })
    h.settle()
    expect(of('orphan')).toBeUndefined()
    expect(active(h)).toHaveLength(4)
  })

  test('leaves the pods of a ReplicaSet of its name alone', () => {
    const h = harness()
    h.cluster.must({ verb: 'create', ...replicaSets, body: replicaSetManifest('web', 2) })
    h.settle()
    create(h, 1)
    h.settle()
    const kinds = active(h).map((pod) => pod.metadata.ownerReferences![0]!.kind)
    expect(kinds.sort()).toEqual(['ReplicaSet', 'ReplicaSet', 'ReplicationController'])
  })
})
