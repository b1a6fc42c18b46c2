import type { KubeObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { pods, replicaSetManifest, replicaSets } from '../testing/manifests.ts'
import { isActive } from '../shared/pods.ts'
import { replicaSetReconciler } from './replica-set.reconciler.ts'

const harness = (options = {}): ReconcileHarness => createReconcileHarness([replicaSetReconciler], options)
const create = (h: ReconcileHarness, name: string, replicas: number, spec = {}) =>
  h.cluster.must({ verb: 'create', ...replicaSets, body: replicaSetManifest(name, replicas, spec) })
const scale = (h: ReconcileHarness, name: string, replicas: number) =>
  h.cluster.must({
    verb: 'patch',
    ...replicaSets,
    name,
    patchType: 'application/merge-patch+json',
    body: { spec: { replicas } },
  })
const active = (h: ReconcileHarness) => h.cluster.list('pods').filter(isActive)
const status = (h: ReconcileHarness, name = 'web') => h.cluster.get('replicasets.apps', `default/${name}`)!['status']

describe('a ReplicaSet', () => {
  test('makes its pods, tells events and reports its numbers', () => {
    const h = harness()
    create(h, 'web', 3)
    h.settle()
    expect(active(h)).toHaveLength(3)
    const [pod] = active(h)
    expect(pod!.metadata).toMatchObject({ generateName: 'web-', labels: { app: 'web' } })
    expect(pod!.metadata.ownerReferences).toEqual([
      {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        name: 'web',
        uid: expect.any(String),
        controller: true,
        blockOwnerDeletion: true,
      },
    ])
    expect(status(h)).toEqual({
      replicas: 3,
      fullyLabeledReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      terminatingReplicas: 0,
      observedGeneration: 1,
    })
    expect(
      h.events.filter((event) => event.startsWith('replicaset-controller SuccessfulCreate Created pod: web-')),
    ).toHaveLength(3)
    expect(h.secondRun()).toEqual([])
  })

  test('replaces a deleted pod by one of another name, at once', () => {
    const h = harness({ terminates: () => false })
    create(h, 'web', 2)
    h.settle()
    const names = active(h).map((pod) => pod.metadata.name)
    h.cluster.must({ verb: 'delete', ...pods, name: names[0]! })
    h.settle()
    expect(active(h)).toHaveLength(2)
    expect(h.cluster.list('pods')).toHaveLength(3)
    expect(status(h)).toMatchObject({ replicas: 2, terminatingReplicas: 1 })
  })

  test('never uses a name twice, even when its pod went without a trace in the view', () => {
    const h = harness()
    create(h, 'web', 2)
    h.settle()
    const used = new Set(active(h).map((pod) => pod.metadata.name))
    for (let i = 0; i < 20; i++) {
      const [victim] = active(h)
      h.cluster.must({ verb: 'delete', ...pods, name: victim!.metadata.name, body: { gracePeriodSeconds: 0 } })
      h.settle()
      expect(active(h)).toHaveLength(2)
      for (const pod of active(h)) used.add(pod.metadata.name)
    }
    expect(used.size).toBe(22)
    expect(h.cluster.changes.filter((change) => change.type === 'PodCreated')).toHaveLength(22)
  })

  test('gives up pods in upstream’s order: unassigned, pending, not ready, cheap, newest', () => {
    const h = harness({ becomesReady: (pod: KubeObject) => pod.metadata.annotations?.['sick'] === undefined })
    create(h, 'web', 5)
    h.settle()
    const names = active(h)
      .map((pod) => pod.metadata.name)
      .sort()
    const patch = (name: string, annotations: object) =>
      h.cluster.must({
        verb: 'patch',
        ...pods,
        name,
        patchType: 'application/merge-patch+json',
        body: { metadata: { annotations } },
      })
    patch(names[2]!, { sick: 'yes' })
    patch(names[4]!, { 'controller.kubernetes.io/pod-deletion-cost': '-5' })
    h.settle()
    scale(h, 'web', 4)
    h.settle()
    expect(
      active(h)
        .map((pod) => pod.metadata.name)
        .sort(),
    ).toEqual([names[0], names[1], names[3], names[4]])
    scale(h, 'web', 3)
    h.settle()
    expect(
      active(h)
        .map((pod) => pod.metadata.name)
        .sort(),
    ).toEqual([names[0], names[1], names[3]])
    expect(h.secondRun()).toEqual([])
  })

  test('adopts matching orphans, counts them, and releases what matches no more', () => {
    const h = harness()
    const orphan = (name: string) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', labels: { app: 'web' } },
      spec: { containers: [{ name: 'main', image: 'app:1' }] },
    })
    h.cluster.must({ verb: 'create', ...pods, body: orphan('stray') })
    create(h, 'web', 2)
    h.settle()
    expect(active(h)).toHaveLength(2)
    expect(h.cluster.get('pods', 'default/stray')!.metadata.ownerReferences).toHaveLength(1)
    h.cluster.must({
      verb: 'patch',
      ...pods,
      name: 'stray',
      patchType: 'application/merge-patch+json',
      body: { metadata: { labels: { app: 'other' } } },
    })
    h.settle()
    expect(h.cluster.get('pods', 'default/stray')!.metadata.ownerReferences).toBeUndefined()
    expect(active(h)).toHaveLength(3)
    // An orphan that appears later is adopted too, and is then one too many.
    h.cluster.must({ verb: 'create', ...pods, body: orphan('late') })
    h.settle()
    expect(active(h).filter((pod) => pod.metadata.labels?.['app'] === 'web')).toHaveLength(2)
  })

  test('counts a pod as available only after minReadySeconds', () => {
    const h = harness()
    create(h, 'web', 1, { minReadySeconds: 10 })
    h.settle()
    expect(status(h)).toMatchObject({ readyReplicas: 1 })
    expect(status(h).availableReplicas).toBeUndefined()
    h.advance(10_000)
    expect(status(h)).toMatchObject({ availableReplicas: 1 })
  })

  test('says why it cannot make pods, and takes it back when it can', () => {
    const h = harness()
    const quota = h.cluster.execute
    let refusing = true
    const cluster = h.cluster as { execute: typeof quota }
    cluster.execute = (request) =>
      refusing && request.verb === 'create' && request.resource === 'pods'
        ? {
            ok: false,
            code: 403,
            status: {
              kind: 'Status',
              apiVersion: 'v1',
              metadata: {},
              status: 'Failure',
              code: 403,
              reason: 'Forbidden',
              message: 'exceeded quota',
            },
          }
        : quota(request)
    create(h, 'web', 2)
    h.advance(2_000)
    expect(status(h).conditions).toMatchObject([
      { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'exceeded quota' },
    ])
    expect(h.events).toContain('replicaset-controller FailedCreate Error creating: exceeded quota')
    refusing = false
    h.advance(2_000)
    expect(active(h)).toHaveLength(2)
    expect(status(h).conditions).toBeUndefined()
  })

  test('replaces finished pods', () => {
    const h = harness()
    create(h, 'web', 1)
    h.settle()
    const [pod] = active(h)
    h.cluster.must({
      verb: 'update',
      ...pods,
      name: pod!.metadata.name,
      subresource: 'status',
      body: { ...pod!, status: { phase: 'Failed' } },
    })
    h.settle()
    expect(active(h)).toHaveLength(1)
    expect(h.cluster.list('pods')).toHaveLength(2)
  })

  test('works on three thousand pods within seconds', () => {
    const h = harness()
    create(h, 'web', 3_000)
    const before = process.cpuUsage()
    h.settle()
    expect(active(h)).toHaveLength(3_000)
    expect(status(h)).toMatchObject({ availableReplicas: 3_000 })
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1_000).toBeLessThan(20_000)
  })
})
