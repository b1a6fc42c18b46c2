import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { describe, expect, test } from 'vitest'
import { createGarbageCollector } from '../garbage-collector/garbage-collector.reconciler.ts'
import { podTemplate, pods } from '../testing/manifests.ts'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { followedResources } from '../shared/resources.ts'
import { pvcProtectionReconciler } from '../pvc-protection/pvc-protection.reconciler.ts'
import { statefulSetReconciler } from './stateful-set.reconciler.ts'

const sets = { group: 'apps', resource: 'statefulsets', namespace: 'default' }
const claims = { group: '', resource: 'persistentvolumeclaims', namespace: 'default' }

const harness = (options: Parameters<typeof createReconcileHarness>[1] = {}): ReconcileHarness =>
  createReconcileHarness(
    [statefulSetReconciler, pvcProtectionReconciler, createGarbageCollector(followedResources(builtInRegistry()))],
    options,
  )

const make = (h: ReconcileHarness, spec: JsonObject = {}, name = 'db'): KubeObject =>
  h.cluster.must({
    verb: 'create',
    ...sets,
    body: {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name, namespace: 'default' },
      spec: {
        serviceName: name,
        replicas: 3,
        selector: { matchLabels: { app: name } },
        template: podTemplate(name, 'db:1'),
        podManagementPolicy: 'OrderedReady',
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
        revisionHistoryLimit: 10,
        persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
        ...spec,
      },
    },
  })

const patch = (h: ReconcileHarness, spec: JsonObject): KubeObject =>
  h.cluster.must({ verb: 'patch', ...sets, name: 'db', patchType: 'application/merge-patch+json', body: { spec } })
const setImage = (h: ReconcileHarness, image: string): KubeObject => patch(h, { template: podTemplate('db', image) })
const list = (h: ReconcileHarness): Pod[] =>
  h.cluster.list('pods').sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
const names = (h: ReconcileHarness): string[] => list(h).map((pod) => pod.metadata.name)
const images = (h: ReconcileHarness): string[] => list(h).map((pod) => pod.spec.containers?.[0]?.image ?? '')
const set = (h: ReconcileHarness) => h.cluster.get('statefulsets.apps', 'default/db')!
const claimNames = (h: ReconcileHarness): string[] =>
  h.cluster.list('persistentvolumeclaims').map(({ metadata }) => metadata.name)
/** What happened to pods, in order: `+db-0` when one appeared, `-db-0` when one was gone. */
const story = (h: ReconcileHarness): string[] => {
  const seen = new Set<string>()
  return h.cluster.changes
    .filter(({ groupResource }) => groupResource === 'pods')
    .flatMap(({ name, deleted, object }) => {
      if (deleted) return [`-${name}`]
      if (seen.has(object.metadata.uid)) return []
      seen.add(object.metadata.uid)
      return [`+${name}`]
    })
}
const template = (name: string): JsonObject => ({
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
})

describe('a StatefulSet', () => {
  test('makes its pods one after the other, each when the one before is ready', () => {
    const ready = new Set(['db-0'])
    const h = harness({ becomesReady: (pod) => ready.has(pod.metadata.name) })
    make(h)
    h.settle()
    expect(names(h)).toEqual(['db-0', 'db-1'])
    ready.add('db-1')
    h.settle()
    expect(names(h)).toEqual(['db-0', 'db-1', 'db-2'])
    const [first] = list(h)
    expect(first!.metadata.labels).toMatchObject({
      app: 'db',
      'statefulset.kubernetes.io/pod-name': 'db-0',
      'apps.kubernetes.io/pod-index': '0',
      'controller-revision-hash': set(h).status.updateRevision,
    })
    expect(first!.spec).toMatchObject({ hostname: 'db-0', subdomain: 'db' })
    expect(h.events).toContain('statefulset-controller SuccessfulCreate Create Pod db-0 in StatefulSet db successful')
  })

  test('says in its status what there is, and nothing more is done', () => {
    const h = harness()
    make(h)
    h.settle()
    const [revision] = h.cluster.list('controllerrevisions.apps')
    expect(set(h).status).toEqual({
      observedGeneration: 1,
      replicas: 3,
      readyReplicas: 3,
      currentReplicas: 3,
      updatedReplicas: 3,
      availableReplicas: 3,
      currentRevision: revision!.metadata.name,
      updateRevision: revision!.metadata.name,
      collisionCount: 0,
    })
    expect(h.secondRun()).toEqual([])
  })

  test('removes its pods from the highest number down, one at a time', () => {
    const h = harness()
    make(h)
    h.settle()
    patch(h, { replicas: 1 })
    h.settle()
    expect(story(h).slice(3)).toEqual(['-db-2', '-db-1'])
    expect(names(h)).toEqual(['db-0'])
  })

  test('does not scale down past a pod that is not ready, unless that pod itself must go', () => {
    const broken = new Set<string>()
    const h = harness({ becomesReady: (pod) => !broken.has(pod.metadata.name) })
    make(h)
    h.settle()
    broken.add('db-0')
    h.settle()
    patch(h, { replicas: 1 })
    h.settle()
    expect(names(h)).toEqual(['db-0', 'db-1', 'db-2'])
    broken.clear()
    h.settle()
    expect(names(h)).toEqual(['db-0'])
  })

  test('makes and removes all at once when it is Parallel', () => {
    const h = harness({ becomesReady: () => false })
    make(h, { podManagementPolicy: 'Parallel' })
    h.settle()
    expect(names(h)).toEqual(['db-0', 'db-1', 'db-2'])
    patch(h, { replicas: 0 })
    h.settle()
    expect(names(h)).toEqual([])
  })

  test('starts at the ordinal that it is told', () => {
    const h = harness()
    make(h, { ordinals: { start: 5 }, replicas: 2 })
    h.settle()
    expect(names(h)).toEqual(['db-5', 'db-6'])
    patch(h, { ordinals: { start: 6 } })
    h.settle()
    expect(names(h)).toEqual(['db-6', 'db-7'])
  })

  test('replaces a pod that has failed under the same name', () => {
    const h = harness()
    make(h)
    h.settle()
    const { uid } = list(h)[1]!.metadata
    h.cluster.must({
      verb: 'update',
      ...pods,
      name: 'db-1',
      subresource: 'status',
      body: { ...list(h)[1]!, status: { phase: 'Failed' } },
    })
    h.settle()
    expect(names(h)).toEqual(['db-0', 'db-1', 'db-2'])
    expect(list(h)[1]!.metadata.uid).not.toBe(uid)
  })

  test('waits for minReadySeconds before the next pod', () => {
    const h = harness()
    make(h, { minReadySeconds: 10 })
    h.settle()
    expect(names(h)).toEqual(['db-0'])
    expect(set(h).status).toMatchObject({ readyReplicas: 1, availableReplicas: 0 })
    h.advance(10_000)
    expect(names(h)).toEqual(['db-0', 'db-1'])
    h.advance(20_000)
    expect(set(h).status).toMatchObject({ readyReplicas: 3, availableReplicas: 3 })
  })

  test('adopts a pod that carries its name and labels, and no other', () => {
    const h = harness()
    for (const name of ['db-0', 'stranger']) {
      const body = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', labels: { app: 'db' } },
        spec: { containers: [{ name: 'main', image: 'x' }] },
      }
      h.cluster.must({ verb: 'create', ...pods, body })
    }
    make(h)
    h.settle()
    expect(names(h)).toEqual(['db-0', 'db-1', 'db-2', 'stranger'])
    const owners = list(h).map(({ metadata }) => metadata.ownerReferences?.[0]?.name)
    expect(owners).toEqual(['db', 'db', 'db', undefined])
  })
})

describe('an update of a StatefulSet', () => {
  test('replaces the highest number first and waits for it', () => {
    const h = harness()
    make(h)
    h.settle()
    setImage(h, 'db:2')
    h.settle()
    expect(story(h).slice(3)).toEqual(['-db-2', '+db-2', '-db-1', '+db-1', '-db-0', '+db-0'])
    expect(images(h)).toEqual(['db:2', 'db:2', 'db:2'])
    expect(set(h).status.currentRevision).toBe(set(h).status.updateRevision)
  })

  test('leaves what is below the partition as it was, also when such a pod is made anew', () => {
    const h = harness()
    make(h, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } })
    h.settle()
    setImage(h, 'db:2')
    h.settle()
    expect(images(h)).toEqual(['db:1', 'db:1', 'db:2'])
    h.cluster.must({ verb: 'delete', ...pods, name: 'db-1' })
    h.settle()
    expect(images(h)).toEqual(['db:1', 'db:1', 'db:2'])
    expect(set(h).status).toMatchObject({ currentReplicas: 2, updatedReplicas: 1 })
  })

  test('with OnDelete waits until somebody deletes the pod', () => {
    const h = harness()
    make(h, { updateStrategy: { type: 'OnDelete' } })
    h.settle()
    setImage(h, 'db:2')
    h.settle()
    expect(images(h)).toEqual(['db:1', 'db:1', 'db:1'])
    h.cluster.must({ verb: 'delete', ...pods, name: 'db-1' })
    h.settle()
    expect(images(h)).toEqual(['db:1', 'db:2', 'db:1'])
  })

  test('takes one at a time: maxUnavailable is behind a gate that is off, and dropped', () => {
    const h = harness({ terminates: () => false })
    make(h, {
      replicas: 5,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0, maxUnavailable: '40%' } },
    })
    h.settle()
    setImage(h, 'db:2')
    h.settle()
    const going = list(h).filter(({ metadata }) => metadata.deletionTimestamp)
    expect(going.map(({ metadata }) => metadata.name)).toEqual(['db-4'])
  })

  test('stops at a pod that does not get ready', () => {
    const h = harness({ becomesReady: (pod) => pod.spec.containers?.[0]?.image !== 'db:2' })
    make(h)
    h.settle()
    setImage(h, 'db:2')
    h.settle()
    expect(images(h)).toEqual(['db:1', 'db:1', 'db:2'])
  })

  test('back to a template of before takes its revision up again, with a new number', () => {
    const h = harness()
    make(h)
    h.settle()
    setImage(h, 'db:2')
    h.settle()
    setImage(h, 'db:1')
    h.settle()
    const revisions = h.cluster.list('controllerrevisions.apps')
    expect(revisions.map(({ revision }) => revision).sort()).toEqual([2, 3])
    expect(images(h)).toEqual(['db:1', 'db:1', 'db:1'])
  })

  test('keeps as many past revisions as the limit says', () => {
    const h = harness()
    make(h, { revisionHistoryLimit: 1 })
    for (const image of ['db:2', 'db:3', 'db:4']) {
      h.settle()
      setImage(h, image)
    }
    h.settle()
    expect(
      h.cluster
        .list('controllerrevisions.apps')
        .map(({ revision }) => revision)
        .sort(),
    ).toEqual([3, 4])
  })
})

describe('the claims of a StatefulSet', () => {
  test('are there before the pods that name them', () => {
    const h = harness()
    make(h, { volumeClaimTemplates: [template('data')] })
    h.settle()
    expect(claimNames(h)).toEqual(['data-db-0', 'data-db-1', 'data-db-2'])
    expect(list(h)[1]!.spec.volumes).toEqual([{ name: 'data', persistentVolumeClaim: { claimName: 'data-db-1' } }])
    expect(h.cluster.list('persistentvolumeclaims')[0]!.metadata.labels).toEqual({ app: 'db' })
    expect(h.events[0]).toBe(
      'statefulset-controller SuccessfulCreate Create Claim data-db-0 Pod db-0 in StatefulSet db success',
    )
    expect(h.secondRun()).toEqual([])
  })

  test('stay when the set shrinks or goes, and are used again', () => {
    const h = harness()
    make(h, { volumeClaimTemplates: [template('data')] })
    h.settle()
    patch(h, { replicas: 1 })
    h.settle()
    expect(claimNames(h)).toHaveLength(3)
    h.cluster.must({ verb: 'delete', ...sets, name: 'db', body: { propagationPolicy: 'Background' } })
    h.settle()
    expect(names(h)).toEqual([])
    expect(claimNames(h)).toHaveLength(3)
  })

  test('go with their pods when the set shrinks and says Delete', () => {
    const h = harness()
    make(h, {
      volumeClaimTemplates: [template('data')],
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Delete' },
    })
    h.settle()
    patch(h, { replicas: 1 })
    h.settle()
    expect(claimNames(h)).toEqual(['data-db-0'])
    patch(h, { replicas: 2 })
    h.settle()
    expect(claimNames(h)).toEqual(['data-db-0', 'data-db-1'])
    expect(h.cluster.list('persistentvolumeclaims').map(({ metadata }) => metadata.ownerReferences ?? [])).toEqual([
      [],
      [],
    ])
  })

  test('go with the set when it says Delete', () => {
    const h = harness()
    make(h, {
      volumeClaimTemplates: [template('data')],
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Retain' },
    })
    h.settle()
    expect(h.cluster.list('persistentvolumeclaims')[0]!.metadata.ownerReferences).toMatchObject([
      { kind: 'StatefulSet' },
    ])
    h.cluster.must({ verb: 'delete', ...sets, name: 'db', body: { propagationPolicy: 'Background' } })
    h.settle()
    expect(claimNames(h)).toEqual([])
  })

  test('on their way out hold the pod up, and the set says so', () => {
    const h = harness()
    h.cluster.must({
      verb: 'create',
      ...claims,
      body: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data-db-0', namespace: 'default', finalizers: ['a/b'] },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
    })
    h.cluster.must({ verb: 'delete', ...claims, name: 'data-db-0' })
    make(h, { volumeClaimTemplates: [template('data')] })
    h.settle()
    expect(names(h)).toEqual([])
    expect(h.events).toContain(
      'statefulset-controller FailedCreate Create Pod db-0 in StatefulSet db failed error: pvc data-db-0 is being deleted',
    )
    h.cluster.must({
      verb: 'patch',
      ...claims,
      name: 'data-db-0',
      patchType: 'application/merge-patch+json',
      body: { metadata: { finalizers: null } },
    })
    h.settle()
    expect(names(h)).toHaveLength(3)
  })
})
