import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { FakeCluster } from '@shiplog/testing/fake-cluster'
import { describe, expect, test } from 'vitest'
import { ephemeralVolumeReconciler } from '../ephemeral-volume/ephemeral-volume.reconciler.ts'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { pods } from '../testing/manifests.ts'
import { playWithEveryDeath } from '../testing/two-runners-sim.ts'
import { persistentVolumeBinderReconciler } from './persistent-volume-binder.reconciler.ts'

const volumes = { group: '', resource: 'persistentvolumes' }
const claims = { group: '', resource: 'persistentvolumeclaims', namespace: 'default' }
const harness = (): ReconcileHarness =>
  createReconcileHarness([persistentVolumeBinderReconciler, ephemeralVolumeReconciler])

const makeVolume = (cluster: FakeCluster, name: string, spec: JsonObject = {}, metadata: JsonObject = {}): KubeObject =>
  cluster.must({
    verb: 'create',
    ...volumes,
    body: {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name, ...metadata },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        nfs: { server: 's', path: '/' },
        ...spec,
      },
    },
  })
const makeClaim = (cluster: FakeCluster, name: string, spec: JsonObject = {}): KubeObject =>
  cluster.must({
    verb: 'create',
    ...claims,
    body: {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name, namespace: 'default' },
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
        storageClassName: '',
        ...spec,
      },
    },
  })
const makeClass = (cluster: FakeCluster, name: string, more: JsonObject, annotations: JsonObject = {}): KubeObject =>
  cluster.must({
    verb: 'create',
    group: 'storage.k8s.io',
    resource: 'storageclasses',
    body: { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name, annotations }, ...more },
  })
const makePod = (cluster: FakeCluster, name: string, volume: JsonObject, spec: JsonObject = {}): KubeObject =>
  cluster.must({
    verb: 'create',
    ...pods,
    body: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: { containers: [], volumes: [{ name: 'v', ...volume }], ...spec },
    },
  })
const claim = (h: ReconcileHarness, name: string) => h.cluster.get('persistentvolumeclaims', `default/${name}`)!
const volume = (h: ReconcileHarness, name: string) => h.cluster.get('persistentvolumes', `/${name}`)!
const phases = (h: ReconcileHarness): string[] => [
  ...h.cluster
    .list('persistentvolumes')
    .map(({ metadata, status, spec }) => `${metadata.name} ${status.phase} ${spec.claimRef?.name ?? '-'}`),
  ...h.cluster
    .list('persistentvolumeclaims')
    .map(({ metadata, status, spec }) => `${metadata.name} ${status?.phase} ${spec.volumeName ?? '-'}`),
]

describe('a claim', () => {
  test('gets the smallest volume that is large enough, and both say so', () => {
    const h = harness()
    for (const [name, size] of [
      ['big', '10Gi'],
      ['small', '500Mi'],
      ['right', '2Gi'],
    ] as const) {
      makeVolume(h.cluster, name, { capacity: { storage: size } })
    }
    makeClaim(h.cluster, 'data')
    h.settle()
    expect(phases(h)).toEqual(['big Available -', 'small Available -', 'right Bound data', 'data Bound right'])
    expect(claim(h, 'data').metadata.annotations).toEqual({
      'pv.kubernetes.io/bind-completed': 'yes',
      'pv.kubernetes.io/bound-by-controller': 'yes',
    })
    expect(claim(h, 'data').status).toEqual({
      phase: 'Bound',
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '2Gi' },
    })
    expect(volume(h, 'right').spec.claimRef).toMatchObject({
      kind: 'PersistentVolumeClaim',
      apiVersion: 'v1',
      namespace: 'default',
      name: 'data',
      uid: claim(h, 'data').metadata.uid,
    })
    expect(volume(h, 'right').metadata.annotations).toEqual({ 'pv.kubernetes.io/bound-by-controller': 'yes' })
    expect(h.secondRun()).toEqual([])
  })

  test.each([
    ['another class', { storageClassName: 'fast' }, {}],
    ['another mode', { volumeMode: 'Block' }, {}],
    ['access modes that it lacks', { accessModes: ['ReadOnlyMany'] }, {}],
    ['labels that the selector does not want', {}, { selector: { matchLabels: { tier: 'gold' } } }],
    ['a claim of its own', { claimRef: { namespace: 'default', name: 'other' } }, {}],
  ])('does not get a volume with %s', (_what, volumeSpec, claimSpec) => {
    const h = harness()
    makeVolume(h.cluster, 'v', volumeSpec)
    makeClaim(h.cluster, 'data', claimSpec)
    h.settle()
    expect(claim(h, 'data').status).toEqual({ phase: 'Pending' })
    expect(h.events).toContain(
      'persistentvolume-controller FailedBinding no persistent volumes available for this claim and no storage class is set',
    )
    makeVolume(h.cluster, 'w', {}, { labels: { tier: 'gold' } })
    h.settle()
    expect(claim(h, 'data').spec.volumeName).toBe('w')
  })

  test('gets the volume that is kept for it, or that it names, and says why not', () => {
    const h = harness()
    makeVolume(h.cluster, 'any')
    makeVolume(h.cluster, 'kept', { capacity: { storage: '9Gi' }, claimRef: { namespace: 'default', name: 'a' } })
    makeVolume(h.cluster, 'named', { capacity: { storage: '9Gi' } })
    makeClaim(h.cluster, 'a')
    makeClaim(h.cluster, 'b', { volumeName: 'named' })
    makeClaim(h.cluster, 'c', { volumeName: 'kept' })
    makeClaim(h.cluster, 'd', { volumeName: 'any', accessModes: ['ReadWriteMany'] })
    h.settle()
    expect(phases(h)).toEqual([
      'any Available -',
      'kept Bound a',
      'named Bound b',
      'a Bound kept',
      'b Bound named',
      'c Pending kept',
      'd Pending any',
    ])
    expect(volume(h, 'kept').metadata.annotations).toBeUndefined()
    expect(h.events).toContain(
      'persistentvolume-controller FailedBinding volume "kept" already bound to a different claim.',
    )
    expect(h.events).toContain(
      'persistentvolume-controller VolumeMismatch Cannot bind to requested volume "any": incompatible accessMode',
    )
  })

  test('without a class gets the default class, also when that comes later', () => {
    const h = harness()
    makeClaim(h.cluster, 'data', { storageClassName: undefined })
    h.settle()
    makeClass(
      h.cluster,
      'std',
      { provisioner: 'example.com/p' },
      { 'storageclass.kubernetes.io/is-default-class': 'true' },
    )
    h.settle()
    expect(claim(h, 'data').spec.storageClassName).toBe('std')
    expect(claim(h, 'data').metadata.annotations).toMatchObject({
      'volume.kubernetes.io/storage-provisioner': 'example.com/p',
    })
    expect(h.events.at(-1)).toContain(
      "ExternalProvisioning Waiting for a volume to be created either by the external provisioner 'example.com/p'",
    )
  })

  test('of a class that does not exist, or that nobody here serves, says so', () => {
    const h = harness()
    makeClaim(h.cluster, 'data', { storageClassName: 'std' })
    h.settle()
    expect(h.events).toContain(
      'persistentvolume-controller ProvisioningFailed storageclass.storage.k8s.io "std" not found',
    )
    makeClass(h.cluster, 'std', { provisioner: 'kubernetes.io/no-provisioner' })
    h.settle()
    expect(h.events.at(-1)).toContain('ProvisioningFailed no provisionable volume plugin matched')
  })

  test('that waits for its first consumer is bound to a volume of the node that its pod gets', () => {
    const h = harness()
    makeClass(h.cluster, 'local', {
      provisioner: 'kubernetes.io/no-provisioner',
      volumeBindingMode: 'WaitForFirstConsumer',
    })
    for (const name of ['node-0', 'node-1', 'node-2']) {
      const metadata = { name, labels: { 'kubernetes.io/hostname': name } }
      h.cluster.must({
        verb: 'create',
        group: '',
        resource: 'nodes',
        body: { apiVersion: 'v1', kind: 'Node', metadata, spec: {} },
      })
      const matchExpressions = [{ key: 'kubernetes.io/hostname', operator: 'In', values: [name] }]
      const nodeAffinity = { required: { nodeSelectorTerms: [{ matchExpressions }] } }
      makeVolume(h.cluster, `on-${name}`, { storageClassName: 'local', nodeAffinity })
    }
    makeClaim(h.cluster, 'data', { storageClassName: 'local' })
    h.settle()
    expect(claim(h, 'data').status).toEqual({ phase: 'Pending' })
    expect(h.events.at(-1)).toContain('WaitForFirstConsumer waiting for first consumer to be created before binding')
    makePod(h.cluster, 'user', { persistentVolumeClaim: { claimName: 'data' } })
    h.settle({ withoutNodes: true })
    expect(h.events.at(-1)).toContain('WaitForPodScheduled waiting for pod user to be scheduled')
    h.settle()
    const { nodeName } = h.cluster.get('pods', 'default/user')!.spec
    expect(claim(h, 'data').spec.volumeName).toBe(`on-${nodeName}`)
  })
})

describe('a volume', () => {
  const bound = (policy: string, more: JsonObject = {}, metadata: JsonObject = {}): ReconcileHarness => {
    const h = harness()
    makeVolume(h.cluster, 'v', { persistentVolumeReclaimPolicy: policy, ...more }, metadata)
    makeClaim(h.cluster, 'data')
    h.settle()
    expect(claim(h, 'data').status!.phase).toBe('Bound')
    return h
  }
  const removeClaim = (h: ReconcileHarness): void => {
    h.cluster.must({ verb: 'delete', ...claims, name: 'data' })
    h.settle()
  }

  test('is released when its claim goes, and goes to nobody else', () => {
    const h = bound('Retain')
    removeClaim(h)
    makeClaim(h.cluster, 'data')
    h.settle()
    expect(phases(h)).toEqual(['v Released data', 'data Pending -'])
    h.cluster.must({
      verb: 'patch',
      ...volumes,
      name: 'v',
      patchType: 'application/merge-patch+json',
      body: { spec: { claimRef: null } },
    })
    h.settle()
    expect(phases(h)).toEqual(['v Bound data', 'data Bound v'])
  })

  test.each([
    [
      'Delete',
      'error getting deleter volume plugin for volume "v": no deletable volume plugin matched',
      'VolumeFailedDelete',
    ],
    ['Recycle', 'No recycler plugin found for the volume!', 'VolumeFailedRecycle'],
  ])('with %s that nobody here can carry out says so', (policy, message, reason) => {
    const h = bound(policy)
    removeClaim(h)
    expect(volume(h, 'v').status).toMatchObject({ phase: 'Failed', message })
    expect(h.events.at(-1)).toBe(`persistentvolume-controller ${reason} ${message}`)
    expect(h.secondRun()).toEqual([])
  })

  test('of a driver waits for that driver to delete it', () => {
    const h = bound('Delete', {}, { annotations: { 'pv.kubernetes.io/provisioned-by': 'example.com/p' } })
    removeClaim(h)
    expect(phases(h)).toEqual(['v Released data'])
  })

  test('that vanishes leaves a claim that is lost', () => {
    const h = bound('Retain')
    h.cluster.must({ verb: 'delete', ...volumes, name: 'v' })
    h.settle()
    expect(claim(h, 'data').status).toEqual({ phase: 'Lost' })
    expect(h.events.at(-1)).toContain(
      'ClaimLost Bound claim has lost its PersistentVolume. Data on the volume is lost!',
    )
  })
})

describe('an ephemeral volume', () => {
  const ephemeral = {
    ephemeral: {
      volumeClaimTemplate: {
        metadata: { labels: { a: 'b' } },
        spec: { accessModes: ['ReadWriteOnce'], storageClassName: '' },
      },
    },
  }

  test('gets a claim that its pod owns', () => {
    const h = harness()
    makePod(h.cluster, 'user', ephemeral)
    h.settle()
    expect(claim(h, 'user-v').metadata).toMatchObject({
      labels: { a: 'b' },
      ownerReferences: [{ kind: 'Pod', name: 'user', controller: true, blockOwnerDeletion: true }],
    })
    expect(h.secondRun()).toEqual([])
  })

  test('does not take a claim of somebody else', () => {
    const h = harness()
    makeClaim(h.cluster, 'user-v')
    makePod(h.cluster, 'user', ephemeral)
    h.settle()
    expect(claim(h, 'user-v').metadata.ownerReferences).toBeUndefined()
    expect(h.events.join()).toContain(
      'ephemeral volume v: PVC default/user-v was not created for pod default/user (pod is not owner)',
    )
  })
})

test('two runners give every claim one volume, though one is killed', () => {
  const story = {
    reconcilers: [persistentVolumeBinderReconciler],
    deeds: [
      (cluster: FakeCluster) => {
        for (const name of ['x', 'y', 'z']) makeVolume(cluster, name)
        for (const name of ['a', 'b']) makeClaim(cluster, name)
      },
      (cluster: FakeCluster) => makeClaim(cluster, 'c'),
    ],
  }
  playWithEveryDeath(story, ({ cluster }) => {
    const pairs = cluster.list('persistentvolumes').map(({ metadata, spec, status }) => {
      const owner = cluster.get('persistentvolumeclaims', `default/${spec.claimRef?.name}`)
      expect(owner?.spec.volumeName).toBe(metadata.name)
      expect(owner?.metadata.uid).toBe(spec.claimRef?.uid)
      return `${status.phase} ${owner?.status?.phase} ${spec.claimRef?.name}`
    })
    expect(pairs.sort()).toEqual(['Bound Bound a', 'Bound Bound b', 'Bound Bound c'])
  })
})
