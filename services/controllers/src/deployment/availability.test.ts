// Whatever the order in which controllers decide and their commands arrive: a Deployment never removes so many pods that
// fewer than its minimum are available.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { seededRandom } from '@shiplog/testing/seeded-random'
import { expect, test } from 'vitest'
import { replicaSetReconciler } from '../replica-set/replica-set.reconciler.ts'
import { isActive, isReady } from '../shared/pods.ts'
import { createInterleaving, type Interleaving } from '../testing/interleaving.ts'
import { deploymentManifest, deployments } from '../testing/manifests.ts'
import { createReconcileHarness } from '../testing/reconcile-harness.ts'
import { deploymentReconciler } from './deployment.reconciler.ts'

const maxUnavailable = 2
const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable } }
const imageOf = (pod: Pod): string => pod.spec.containers?.[0]?.image ?? ''
const isGood = (pod: Pod): boolean => !imageOf(pod).endsWith('bad')
const availableCount = (list: readonly Pod[]): number => list.filter((pod) => isActive(pod) && isReady(pod)).length

const patch = (cluster: Interleaving['cluster'], spec: object): unknown =>
  cluster.must({
    verb: 'patch',
    ...deployments,
    name: 'web',
    patchType: 'application/merge-patch+json',
    body: { spec },
  })
const setImage = (cluster: Interleaving['cluster'], image: string): unknown =>
  patch(cluster, { template: { spec: { containers: [{ name: 'main', image }] } } })

test('a Deployment of 10 that is stuck and then scaled to 6 keeps 4 available pods', () => {
  const h = createReconcileHarness([deploymentReconciler, replicaSetReconciler], { becomesReady: isGood })
  h.cluster.must({ verb: 'create', ...deployments, body: deploymentManifest({ replicas: 10, spec: { strategy } }) })
  h.settle()
  setImage(h.cluster, 'app:bad')
  h.settle()
  expect(h.cluster.list('replicasets.apps').map((one) => one['spec'].replicas)).toEqual([8, 5])
  patch(h.cluster, { replicas: 6 })
  h.settle()
  expect(availableCount(h.cluster.list('pods'))).toBe(4)
  expect(h.cluster.list('replicasets.apps').map((one) => one['spec'].replicas)).toEqual([4, 5])
})

const seeds = Array.from({ length: 60 }, (_, index) => index + 1)

test.each(seeds)('no schedule takes away more than maxUnavailable allows, seed %i', (seed) => {
  const random = seededRandom(seed)
  const run = createInterleaving([deploymentReconciler, replicaSetReconciler], random, { becomesReady: isGood })
  const { cluster } = run
  cluster.must({ verb: 'create', ...deployments, body: deploymentManifest({ replicas: 10, spec: { strategy } }) })
  run.settle()
  expect(availableCount(cluster.list('pods'))).toBe(10)
  // Of all sizes that were asked for the smallest counts: an earlier one may still be acted upon.
  let smallest = 10
  let least = 10
  cluster.onChange(({ groupResource }) => {
    if (groupResource === 'pods') least = Math.min(least, availableCount(cluster.list('pods')))
  })
  let images = 1
  for (let turn = 0; turn < 5; turn++) {
    if (random.chance(0.5)) setImage(cluster, random.chance(0.6) ? 'app:bad' : `app:${++images}`)
    else {
      const replicas = 5 + random.below(8)
      smallest = Math.min(smallest, replicas)
      patch(cluster, { replicas })
    }
    for (let i = random.below(80); i > 0; i--) run.step()
    expect(least).toBeGreaterThanOrEqual(smallest - maxUnavailable)
  }
  run.settle()
  expect(least).toBeGreaterThanOrEqual(smallest - maxUnavailable)
  setImage(cluster, 'app:end')
  run.settle()
  const [deployment] = cluster.list('deployments.apps')
  const wanted = deployment!['spec'].replicas as number
  expect(cluster.list('pods').filter((pod) => imageOf(pod) === 'app:end' && isReady(pod))).toHaveLength(wanted)
  expect(cluster.list('pods')).toHaveLength(wanted)
  expect(deployment!['status']).toMatchObject({ availableReplicas: wanted, updatedReplicas: wanted })
})

test('an old ReplicaSet that has not said that it has seen its size is not made smaller again', () => {
  // No ReplicaSet controller: the test says what their status is.
  const h = createReconcileHarness([deploymentReconciler])
  const sizes = (): (number | undefined)[] => h.cluster.list('replicasets.apps').map((one) => one['spec'].replicas)
  const report = (at: number, available: number, observedGeneration: number): void => {
    const replicaSet = h.cluster.list('replicasets.apps')[at]!
    const status = { replicas: available, readyReplicas: available, availableReplicas: available, observedGeneration }
    h.cluster.must({
      verb: 'update',
      group: 'apps',
      resource: 'replicasets',
      namespace: 'default',
      name: replicaSet.metadata.name,
      subresource: 'status',
      body: { ...replicaSet, status },
    })
    h.settle()
  }
  h.cluster.must({ verb: 'create', ...deployments, body: deploymentManifest({ replicas: 10, spec: { strategy } }) })
  h.settle()
  report(0, 10, 1)
  setImage(h.cluster, 'app:2')
  h.settle()
  report(1, 0, 1)
  expect(sizes()).toEqual([8, 5])
  report(1, 5, 2)
  // Of 8 and 5 available ones 5 could go, had the first seen that it is to have 8.
  expect(sizes()).toEqual([8, 5])
  report(0, 8, 2)
  expect(sizes()).toEqual([3, 10])
})

test('Recreate waits for an old ReplicaSet that may still be making pods', () => {
  const h = createReconcileHarness([deploymentReconciler])
  const spec = { strategy: { type: 'Recreate' } }
  h.cluster.must({ verb: 'create', ...deployments, body: deploymentManifest({ replicas: 2, spec }) })
  h.settle()
  // It never got to report, nor to make a pod that anybody has seen.
  setImage(h.cluster, 'app:2')
  h.settle()
  expect(h.cluster.list('replicasets.apps').map((one) => one['spec'].replicas)).toEqual([0])
  const [old] = h.cluster.list('replicasets.apps')
  const at = { group: 'apps', resource: 'replicasets', namespace: 'default', name: old!.metadata.name }
  const status = { replicas: 0, observedGeneration: old!.metadata.generation }
  h.cluster.must({ verb: 'update', ...at, subresource: 'status', body: { ...old, status } })
  h.settle()
  expect(h.cluster.list('replicasets.apps').map((one) => one['spec'].replicas)).toEqual([0, 2])
})

test('revisions are int64: beyond what a number can count they go on by one', () => {
  const h = createReconcileHarness([deploymentReconciler])
  h.cluster.must({ verb: 'create', ...deployments, body: deploymentManifest() })
  h.settle()
  const [first] = h.cluster.list('replicasets.apps')
  const revision = 'deployment.kubernetes.io/revision'
  const at = { group: 'apps', resource: 'replicasets', namespace: 'default', name: first!.metadata.name }
  h.cluster.must({
    verb: 'patch',
    ...at,
    patchType: 'application/merge-patch+json',
    body: { metadata: { annotations: { [revision]: '3546343826724305832' } } },
  })
  setImage(h.cluster, 'app:2')
  h.settle()
  const second = h.cluster.list('replicasets.apps').find(({ metadata }) => metadata.name !== first!.metadata.name)!
  expect(second.metadata.annotations![revision]).toBe('3546343826724305833')
  expect(h.cluster.list('deployments.apps')[0]!.metadata.annotations![revision]).toBe('3546343826724305833')
})
