import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { createProfile, defaultConfiguration } from '../framework/configuration.ts'
import { schedule } from '../framework/schedule.ts'
import { createPlacementIndex } from '../index/placement-index.ts'
import { Snapshot } from '../snapshot/snapshot.ts'
import { testNode, testPod } from '../testing/test-objects.ts'

const profile = createProfile(defaultConfiguration)

function cluster(): Snapshot {
  const snapshot = new Snapshot()
  for (const name of ['a', 'b']) snapshot.setNode(testNode(name))
  return snapshot
}
const put = (snapshot: Snapshot, resource: string, name: string, more: JsonObject, metadata: JsonObject = {}): void => {
  const namespace = resource === 'persistentvolumeclaims' ? { namespace: 'default' } : {}
  snapshot.objects.apply(
    resource,
    { metadata: { name, ...namespace, ...metadata }, ...more } as unknown as KubeObject,
    false,
  )
}
const claim = (snapshot: Snapshot, name: string, spec: JsonObject = {}, metadata: JsonObject = {}): void =>
  put(
    snapshot,
    'persistentvolumeclaims',
    name,
    { spec: { accessModes: ['ReadWriteOnce'], ...spec }, status: { phase: spec['volumeName'] ? 'Bound' : 'Pending' } },
    metadata,
  )
const boundTo = (snapshot: Snapshot, name: string, volumeName: string): void =>
  claim(snapshot, name, { volumeName }, { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } })
const volumeOn = (snapshot: Snapshot, name: string, node: string, more: JsonObject = {}): void => {
  const matchExpressions = [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }]
  put(snapshot, 'persistentvolumes', name, {
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
      ...more,
    },
    status: { phase: 'Available' },
  })
}
const user = (...names: string[]) => {
  const volumes = names.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } }))
  return testPod('p', { spec: { containers: [], volumes } })
}
/** What both ways of deciding say; they must agree. */
const decide = (snapshot: Snapshot, pod = user('data')): string => {
  const info = snapshot.readPod(pod)
  const plain = schedule(info, snapshot, profile, 0)
  expect(createPlacementIndex(snapshot, profile, 0).schedule(info)).toEqual(plain)
  return plain.node ?? plain.failure!.message.replace(/ (preemption|No preemption).*$/s, '')
}

describe('a pod with claims', () => {
  test('waits for one that does not exist, is not bound, goes, or has lost its volume', () => {
    const snapshot = cluster()
    expect(decide(snapshot)).toContain('0/2 nodes are available: persistentvolumeclaim "data" not found.')
    claim(snapshot, 'data')
    expect(decide(snapshot)).toContain('0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.')
    claim(snapshot, 'data', { volumeName: 'v' })
    expect(decide(snapshot)).toContain('pod has unbound immediate PersistentVolumeClaims.')
    boundTo(snapshot, 'data', 'v')
    expect(decide(snapshot)).toContain('persistentvolume "v" not found.')
    claim(snapshot, 'data', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' })
    expect(decide(snapshot)).toContain('persistentvolumeclaim "data" is being deleted.')
    put(snapshot, 'persistentvolumeclaims', 'data', { spec: { volumeName: 'v' }, status: { phase: 'Lost' } })
    expect(decide(snapshot)).toContain('persistentvolumeclaim "data" bound to non-existent persistentvolume "v".')
  })

  test('goes where its volumes can be used, and nowhere when they are apart', () => {
    const snapshot = cluster()
    volumeOn(snapshot, 'on-b', 'b')
    volumeOn(snapshot, 'on-a', 'a')
    boundTo(snapshot, 'data', 'on-b')
    boundTo(snapshot, 'logs', 'on-a')
    expect(decide(snapshot)).toBe('b')
    expect(decide(snapshot, user('data', 'logs'))).toContain("2 node(s) didn't match PersistentVolume's node affinity.")
  })

  test('whose class waits for it goes where there is a volume for each claim', () => {
    const snapshot = cluster()
    put(snapshot, 'storageclasses.storage.k8s.io', 'local', { volumeBindingMode: 'WaitForFirstConsumer' })
    for (const name of ['data', 'logs']) claim(snapshot, name, { storageClassName: 'local' })
    expect(decide(snapshot)).toContain("2 node(s) didn't find available persistent volumes to bind.")
    volumeOn(snapshot, 'v', 'b', { storageClassName: 'local' })
    expect(decide(snapshot)).toBe('b')
    expect(decide(snapshot, user('data', 'logs'))).toContain("didn't find available persistent volumes to bind.")
    volumeOn(snapshot, 'w', 'b', { storageClassName: 'local' })
    expect(decide(snapshot, user('data', 'logs'))).toBe('b')
  })

  test('of its own waits until they are made for it, and for it alone', () => {
    const snapshot = cluster()
    const pod = testPod('p', { spec: { containers: [], volumes: [{ name: 'tmp', ephemeral: {} }] } })
    expect(decide(snapshot, pod)).toContain(
      'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-tmp".',
    )
    claim(snapshot, 'p-tmp')
    expect(decide(snapshot, pod)).toContain('PVC default/p-tmp was not created for pod default/p (pod is not owner).')
    claim(snapshot, 'p-tmp', {}, { ownerReferences: [{ uid: pod.metadata.uid, controller: true }] })
    expect(decide(snapshot, pod)).toContain('pod has unbound immediate PersistentVolumeClaims.')
  })
})

describe('a claim for one pod at a time', () => {
  const mine = (): Snapshot => {
    const snapshot = cluster()
    volumeOn(snapshot, 'disk', 'a')
    claim(
      snapshot,
      'data',
      { volumeName: 'disk', accessModes: ['ReadWriteOncePod'] },
      { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
    )
    return snapshot
  }
  const other = (priority: number) => {
    const pod = user('data')
    return { ...pod, metadata: { ...pod.metadata, name: 'other', uid: 'other' }, spec: { ...pod.spec, priority, nodeName: 'a' } }
  }

  test('keeps the next pod waiting until that one goes', () => {
    const snapshot = mine()
    snapshot.setPod(other(0))
    expect(decide(snapshot)).toContain(
      'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod',
    )
    snapshot.removePod('other')
    expect(decide(snapshot)).toBe('a')
  })

  test('is had by preemption', () => {
    const snapshot = mine()
    snapshot.setPod(other(-1))
    const { failure } = schedule(snapshot.readPod(user('data')), snapshot, profile, 0)
    expect(failure!.preemption).toMatchObject({ node: 'a', victims: [{ name: 'other' }] })
  })
})

describe('a volume with labels of zones', () => {
  const zone = 'topology.kubernetes.io/zone'
  const inZones = (label: string, value: string, nodes: Record<string, Record<string, string>>): string => {
    const snapshot = new Snapshot()
    for (const [name, labels] of Object.entries(nodes)) snapshot.setNode(testNode(name, { labels }))
    put(snapshot, 'persistentvolumes', 'disk', { spec: { capacity: { storage: '1Gi' } } }, { labels: { [label]: value } })
    boundTo(snapshot, 'data', 'disk')
    return decide(snapshot)
  }

  test('is used in one of them only', () => {
    expect(inZones(zone, 'z1__z2', { far: { [zone]: 'z3' }, near: { [zone]: 'z2' } })).toBe('near')
    expect(inZones(zone, 'z1', { far: { [zone]: 'z3' } })).toContain('1 node(s) had no available volume zone')
  })

  test('may have the old labels, and any node will do in a cluster without zones', () => {
    expect(inZones('failure-domain.beta.kubernetes.io/zone', 'z1', { far: { [zone]: 'z3' }, near: { [zone]: 'z1' } })).toBe('near')
    expect(inZones(zone, 'z1', { any: {} })).toBe('any')
  })
})
