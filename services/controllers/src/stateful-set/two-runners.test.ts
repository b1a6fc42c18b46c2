import type { FakeCluster } from '@shiplog/testing/fake-cluster'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { expect, test } from 'vitest'
import { createGarbageCollector } from '../garbage-collector/garbage-collector.reconciler.ts'
import { followedResources } from '../shared/resources.ts'
import { isActive } from '../shared/pods.ts'
import { podTemplate } from '../testing/manifests.ts'
import { playWithEveryDeath } from '../testing/two-runners-sim.ts'
import { statefulSetReconciler } from './stateful-set.reconciler.ts'

const owned = ['pods', 'persistentvolumeclaims', 'statefulsets.apps', 'controllerrevisions.apps']
const followed = followedResources(builtInRegistry()).filter(({ groupResource }) => owned.includes(groupResource))
const at = { group: 'apps', resource: 'statefulsets', namespace: 'default' }
const create = (podManagementPolicy: string) => (cluster: FakeCluster) =>
  cluster.must({
    verb: 'create',
    ...at,
    body: {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'db', namespace: 'default' },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: 'db' } },
        template: podTemplate('db', 'db:1'),
        podManagementPolicy,
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
        persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Delete' },
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }],
      },
    },
  })
const patch = (spec: object) => (cluster: FakeCluster) =>
  cluster.must({ verb: 'patch', ...at, name: 'db', patchType: 'application/merge-patch+json', body: { spec } })

test.each([
  'OrderedReady',
  'Parallel',
])('two runners make each pod of a %s set once, though one is killed', (policy) => {
  const story = {
    reconcilers: [statefulSetReconciler, createGarbageCollector(followed)],
    deeds: [create(policy), patch({ template: podTemplate('db', 'db:2') }), patch({ replicas: 1 })],
  }
  playWithEveryDeath(story, ({ cluster, created }) => {
    expect(cluster.list('pods').map(({ metadata }) => metadata.name)).toEqual(['db-0'])
    expect(cluster.list('pods').every(isActive)).toBe(true)
    expect(cluster.list('persistentvolumeclaims').map(({ metadata }) => metadata.name)).toEqual(['data-db-0'])
    expect([...created('pods')].sort()).toEqual(['db-0', 'db-0', 'db-1', 'db-1', 'db-2', 'db-2'])
    expect(created('persistentvolumeclaims')).toHaveLength(3)
    expect(created('controllerrevisions.apps')).toHaveLength(2)
    expect(cluster.list('statefulsets.apps')[0]!.status).toMatchObject({
      replicas: 1,
      availableReplicas: 1,
      updatedReplicas: 1,
    })
  })
})
