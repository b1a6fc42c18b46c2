import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { FakeCluster } from '@shiplog/testing/fake-cluster'
import { describe, expect, test } from 'vitest'
import { deploymentReconciler } from '../deployment/deployment.reconciler.ts'
import { replicaSetReconciler } from '../replica-set/replica-set.reconciler.ts'
import { deploymentManifest, deployments, pods } from '../testing/manifests.ts'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { playWithEveryDeath } from '../testing/two-runners-sim.ts'
import { disruptionReconciler } from './disruption.reconciler.ts'

const budgets = { group: 'policy', resource: 'poddisruptionbudgets', namespace: 'default' }
const reconcilers = [disruptionReconciler, deploymentReconciler, replicaSetReconciler]
const harness = (options: Parameters<typeof createReconcileHarness>[1] = {}): ReconcileHarness =>
  createReconcileHarness(reconcilers, options)

const makeBudget = (cluster: FakeCluster, spec: JsonObject): KubeObject =>
  cluster.must({
    verb: 'create',
    ...budgets,
    body: {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web', namespace: 'default' },
      spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
    },
  })
const makeDeployment = (cluster: FakeCluster, replicas: number): KubeObject =>
  cluster.must({ verb: 'create', ...deployments, body: deploymentManifest({ replicas }) })
const makePod = (h: ReconcileHarness, name: string, metadata: JsonObject = {}): KubeObject =>
  h.cluster.must({
    verb: 'create',
    ...pods,
    body: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', labels: { app: 'web' }, ...metadata },
      spec: { containers: [{ name: 'main', image: 'x' }] },
    },
  })
const budget = (h: ReconcileHarness) => h.cluster.get('poddisruptionbudgets.policy', 'default/web')!
const numbers = (h: ReconcileHarness): (number | undefined)[] => {
  const { disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods } = budget(h).status
  return [disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods]
}
const patchStatus = (h: ReconcileHarness, status: JsonObject): KubeObject =>
  h.cluster.must({ verb: 'update', ...budgets, name: 'web', subresource: 'status', body: { ...budget(h), status } })

describe('a PodDisruptionBudget', () => {
  test.each([
    [{ minAvailable: 2 }, [2, 4, 2, 4]],
    [{ minAvailable: '50%' }, [2, 4, 2, 4]],
    [{ minAvailable: '51%' }, [1, 4, 3, 4]],
    [{ maxUnavailable: 1 }, [1, 4, 3, 4]],
    [{ maxUnavailable: '30%' }, [2, 4, 2, 4]],
    [{ maxUnavailable: 9 }, [4, 4, 0, 4]],
    [{ minAvailable: 9 }, [0, 4, 9, 4]],
  ])('that says %j allows what is left of the healthy pods', (spec, wanted) => {
    const h = harness()
    makeDeployment(h.cluster, 4)
    makeBudget(h.cluster, spec)
    h.settle()
    expect(numbers(h)).toEqual(wanted)
    expect(budget(h).status.observedGeneration).toBe(1)
    expect(budget(h).status.conditions).toEqual([
      {
        type: 'DisruptionAllowed',
        status: wanted[0]! > 0 ? 'True' : 'False',
        reason: wanted[0]! > 0 ? 'SufficientPods' : 'InsufficientPods',
        message: '',
        observedGeneration: 1,
        lastTransitionTime: expect.any(String),
      },
    ])
    expect(h.secondRun()).toEqual([])
  })

  test('counts only pods that are ready and stay', () => {
    const h = harness({ terminates: () => false, becomesReady: (pod) => pod.metadata.name !== unready })
    let unready = ''
    makeDeployment(h.cluster, 4)
    makeBudget(h.cluster, { maxUnavailable: 2 })
    h.settle()
    unready = h.cluster.list('pods')[0]!.metadata.name
    h.cluster.must({ verb: 'delete', ...pods, name: h.cluster.list('pods')[1]!.metadata.name })
    h.settle({ withoutNodes: true })
    expect(numbers(h).slice(0, 2)).toEqual([1, 3])
    h.nodes.step()
    h.settle({ withoutNodes: true })
    expect(numbers(h)[1]).toBe(2)
  })

  test('without pods says so and allows nothing', () => {
    const h = harness()
    makeBudget(h.cluster, { maxUnavailable: 1 })
    h.settle()
    expect(numbers(h)).toEqual([0, 0, 0, 0])
    expect(h.events).toContain('controllermanager NoPods No matching pods found')
  })

  test('by number counts pods that nobody controls, and by share says that it cannot', () => {
    const h = harness()
    makePod(h, 'alone')
    makeBudget(h.cluster, { minAvailable: 0 })
    h.settle()
    expect(numbers(h)).toEqual([1, 1, 0, 1])
    h.cluster.must({ verb: 'delete', ...budgets, name: 'web' })
    makeBudget(h.cluster, { minAvailable: '10%' })
    h.settle()
    expect(numbers(h)).toEqual([0, 1, 0, 0])
    expect(h.events.join()).toContain(
      'UnmanagedPods Pods selected by this PodDisruptionBudget (selector: &LabelSelector{',
    )
  })

  test('by share allows nothing when a controller cannot tell its size', () => {
    const h = harness()
    const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: 'u', controller: true }]
    makePod(h, 'of-a-job', { ownerReferences })
    makeBudget(h.cluster, { maxUnavailable: 1 })
    h.settle()
    const message = 'jobs.batch does not implement the scale subresource'
    expect(budget(h).status).toMatchObject({
      disruptionsAllowed: 0,
      conditions: [{ status: 'False', reason: 'SyncFailed', message }],
    })
    expect(h.events).toContain(
      `controllermanager CalculateExpectedPodCountFailed Failed to calculate the number of expected pods: ${message}`,
    )
  })

  test('counts an evicted pod as gone, and takes that back when it is not deleted in two minutes', () => {
    const h = harness()
    makeDeployment(h.cluster, 3)
    makeBudget(h.cluster, { maxUnavailable: 1 })
    h.settle()
    const { name } = h.cluster.list('pods')[0]!.metadata
    const at = new Date(h.nowMs()).toISOString().replace('.000Z', 'Z')
    patchStatus(h, { ...budget(h).status, disruptionsAllowed: 0, disruptedPods: { [name]: at, gone: at } })
    h.settle()
    expect(budget(h).status).toMatchObject({ disruptionsAllowed: 0, currentHealthy: 2, disruptedPods: { [name]: at } })
    expect(budget(h).status.disruptedPods).not.toHaveProperty('gone')
    h.advance(119_000)
    expect(numbers(h)[0]).toBe(0)
    h.advance(2_000)
    expect(numbers(h)[0]).toBe(1)
    expect(budget(h).status.disruptedPods).toBeUndefined()
    expect(h.events.at(-1)).toBe(
      "controllermanager NotDeleted Pod was expected by PDB default/default to be deleted but it wasn't",
    )
  })
})

test('a pod that was to be disrupted and still stands says after two minutes that it is not', () => {
  const h = harness({ becomesReady: () => true })
  makePod(h, 'spared')
  h.settle()
  const pod = h.cluster.get('pods', 'default/spared')!
  const lastTransitionTime = new Date(h.nowMs()).toISOString().replace('.000Z', 'Z')
  const conditions = [...pod.status.conditions!, { type: 'DisruptionTarget', status: 'True', lastTransitionTime }]
  h.cluster.must({
    verb: 'update',
    ...pods,
    name: 'spared',
    subresource: 'status',
    body: { ...pod, status: { ...pod.status, conditions } },
  })
  const target = (): Pod['status']['conditions'] =>
    h.cluster.get('pods', 'default/spared')!.status.conditions!.filter(({ type }) => type === 'DisruptionTarget')
  h.advance(119_000)
  expect(target()).toMatchObject([{ status: 'True' }])
  h.advance(2_000)
  expect(target()).toMatchObject([{ status: 'False' }])
})

test('a pod that two budgets select is told of, by the first of them', () => {
  const h = harness({ becomesReady: () => true })
  const metadata = (name: string) => ({ name, namespace: 'default' })
  for (const name of ['b', 'a']) {
    const spec = { minAvailable: 1, selector: { matchLabels: { app: 'web' } } }
    const body = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: metadata(name), spec }
    h.cluster.must({ verb: 'create', group: 'policy', resource: 'poddisruptionbudgets', namespace: 'default', body })
  }
  for (const app of ['web', 'other']) {
    const body = { metadata: { ...metadata(app), labels: { app } }, spec: { containers: [{ name: 'main', image: 'x' }] } }
    h.cluster.must({ verb: 'create', ...pods, body: { apiVersion: 'v1', kind: 'Pod', ...body } })
  }
  h.settle()
  const told = new Set(h.events.filter((event) => event.includes('Multiple')))
  expect([...told]).toEqual([
    'controllermanager MultiplePodDisruptionBudgets Pod "default"/"web" matches multiple PodDisruptionBudgets.  Chose "a" arbitrarily.',
  ])
})

test('two runners agree on what a budget allows, though one is killed', () => {
  const story = {
    reconcilers,
    deeds: [
      (cluster: FakeCluster) => makeBudget(cluster, { maxUnavailable: '25%' }),
      (cluster: FakeCluster) => makeDeployment(cluster, 4),
      (cluster: FakeCluster) =>
        cluster.must({
          verb: 'patch',
          ...deployments,
          name: 'web',
          patchType: 'application/merge-patch+json',
          body: { spec: { replicas: 8 } },
        }),
    ],
  }
  playWithEveryDeath(story, ({ cluster, created }) => {
    expect(cluster.get('poddisruptionbudgets.policy', 'default/web')!.status).toMatchObject({
      disruptionsAllowed: 2,
      currentHealthy: 8,
      desiredHealthy: 6,
      expectedPods: 8,
    })
    expect(created('pods')).toHaveLength(8)
  })
})
