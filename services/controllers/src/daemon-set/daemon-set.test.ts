import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { FakeCluster } from '@shiplog/testing/fake-cluster'
import { describe, expect, test } from 'vitest'
import { isActive, isReady } from '../shared/pods.ts'
import { podTemplate, pods } from '../testing/manifests.ts'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { playWithEveryDeath } from '../testing/two-runners-sim.ts'
import { daemonSetReconciler } from './daemon-set.reconciler.ts'

const sets = { group: 'apps', resource: 'daemonsets', namespace: 'default' }
const addNode = (cluster: FakeCluster, name: string, spec: JsonObject = {}, labels: JsonObject = {}): KubeObject =>
  cluster.must({
    verb: 'create',
    group: '',
    resource: 'nodes',
    body: { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec, status: {} },
  })

function harness(options: Parameters<typeof createReconcileHarness>[1] = {}): ReconcileHarness {
  const h = createReconcileHarness([daemonSetReconciler], options)
  for (const name of ['node-0', 'node-1', 'node-2']) addNode(h.cluster, name)
  return h
}

const manifest = (spec: JsonObject, template: JsonObject): JsonObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'agent', namespace: 'default' },
  spec: {
    selector: { matchLabels: { app: 'agent' } },
    template,
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
    revisionHistoryLimit: 10,
    ...spec,
  },
})
const templateOf = (image: string, spec: JsonObject = {}): JsonObject => {
  const template = podTemplate('agent', image)
  return { ...template, spec: { ...template['spec'], ...spec } }
}
const make = (h: ReconcileHarness, spec: JsonObject = {}, podSpec: JsonObject = {}): KubeObject =>
  h.cluster.must({ verb: 'create', ...sets, body: manifest(spec, templateOf('agent:1', podSpec)) })
const patchSet = (cluster: FakeCluster, spec: JsonObject): KubeObject =>
  cluster.must({ verb: 'patch', ...sets, name: 'agent', patchType: 'application/merge-patch+json', body: { spec } })
const setImage = (h: ReconcileHarness, image: string): KubeObject =>
  patchSet(h.cluster, { template: templateOf(image) })
const patchNode = (h: ReconcileHarness, name: string, body: JsonObject): KubeObject =>
  h.cluster.must({ verb: 'patch', group: '', resource: 'nodes', name, patchType: 'application/merge-patch+json', body })
const list = (h: ReconcileHarness): Pod[] => h.cluster.list('pods').filter(isActive)
const nodesOf = (h: ReconcileHarness): string[] =>
  list(h)
    .map((pod) => pod.spec.nodeName!)
    .sort()
const images = (h: ReconcileHarness): string[] =>
  list(h)
    .map((pod) => pod.spec.containers?.[0]?.image ?? '')
    .sort()
const set = (h: ReconcileHarness) => h.cluster.get('daemonsets.apps', 'default/agent')!
const fail = (h: ReconcileHarness, pod: Pod, phase: string): KubeObject =>
  h.cluster.must({
    verb: 'update',
    ...pods,
    name: pod.metadata.name,
    subresource: 'status',
    body: { ...pod, status: { phase } },
  })

describe('a DaemonSet', () => {
  test('puts one pod on every node by affinity, with the tolerations that daemons have', () => {
    const h = harness()
    make(h, {}, { tolerations: [{ key: 'own', operator: 'Exists' }] })
    h.settle()
    expect(nodesOf(h)).toEqual(['node-0', 'node-1', 'node-2'])
    const { spec, metadata } = list(h).find((pod) => pod.spec.nodeName === 'node-1')!
    expect(spec.affinity).toEqual({
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-1'] }] }],
        },
      },
    })
    expect(spec.tolerations!.map(({ key, effect }) => `${key} ${effect}`)).toEqual([
      'own undefined',
      'node.kubernetes.io/not-ready NoExecute',
      'node.kubernetes.io/unreachable NoExecute',
      'node.kubernetes.io/disk-pressure NoSchedule',
      'node.kubernetes.io/memory-pressure NoSchedule',
      'node.kubernetes.io/pid-pressure NoSchedule',
      'node.kubernetes.io/unschedulable NoSchedule',
    ])
    const [revision] = h.cluster.list('controllerrevisions.apps')
    const hash = metadata.labels!['controller-revision-hash']!
    expect(revision!.metadata).toMatchObject({ name: `agent-${hash}`, labels: { 'controller-revision-hash': hash } })
    expect(set(h).status).toEqual({
      currentNumberScheduled: 3,
      desiredNumberScheduled: 3,
      numberMisscheduled: 0,
      numberReady: 3,
      updatedNumberScheduled: 3,
      numberAvailable: 3,
      observedGeneration: 1,
    })
    expect(h.secondRun()).toEqual([])
  })

  test('follows nodes that come, and leaves those that repel it', () => {
    const h = harness()
    make(h)
    h.settle()
    addNode(h.cluster, 'node-3')
    addNode(h.cluster, 'node-4', { taints: [{ key: 'gpu', effect: 'NoSchedule' }] })
    h.settle()
    expect(nodesOf(h)).toEqual(['node-0', 'node-1', 'node-2', 'node-3'])
    patchNode(h, 'node-0', { spec: { taints: [{ key: 'off', effect: 'NoExecute' }] } })
    patchNode(h, 'node-1', { spec: { taints: [{ key: 'full', effect: 'NoSchedule' }] } })
    patchNode(h, 'node-2', {
      spec: { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] },
    })
    h.settle()
    expect(nodesOf(h)).toEqual(['node-1', 'node-2', 'node-3'])
    expect(set(h).status).toMatchObject({ desiredNumberScheduled: 2, currentNumberScheduled: 2, numberMisscheduled: 1 })
  })

  test('goes only where its selector and affinity let it', () => {
    const h = harness()
    addNode(h.cluster, 'node-3', {}, { disk: 'ssd' })
    make(h, {}, { nodeSelector: { disk: 'ssd' } })
    h.settle()
    expect(nodesOf(h)).toEqual(['node-3'])
    patchNode(h, 'node-1', { metadata: { labels: { disk: 'ssd' } } })
    patchNode(h, 'node-3', { metadata: { labels: { disk: null } } })
    h.settle()
    expect(nodesOf(h)).toEqual(['node-1'])
  })

  test('replaces a pod that has failed, ever more slowly when it fails again', () => {
    const h = harness()
    make(h)
    h.settle()
    const failOn0 = (): void => void fail(h, list(h).find((pod) => pod.spec.nodeName === 'node-0')!, 'Failed')
    const made = (): number =>
      new Set(h.cluster.changes.filter((one) => one.resource === 'pods').map((one) => one.name)).size
    failOn0()
    h.settle()
    expect(made()).toBe(4)
    expect(h.events.join()).toContain('FailedDaemonPod Found failed daemon pod default/agent-')
    failOn0()
    h.settle()
    expect(made()).toBe(4)
    h.advance(1_000)
    expect(made()).toBe(5)
    failOn0()
    h.advance(1_500)
    expect(made()).toBe(5)
    h.advance(500)
    expect(made()).toBe(6)
  })

  test('removes what was made for a node that is gone before it was placed', () => {
    const h = harness()
    make(h)
    h.settle({ withoutNodes: true })
    h.cluster.must({ verb: 'delete', group: '', resource: 'nodes', name: 'node-2' })
    h.settle({ withoutNodes: true })
    expect(list(h)).toHaveLength(2)
  })
})

describe('an update of a DaemonSet', () => {
  test('replaces one pod after the other, each when the one before is available', () => {
    const h = harness({ becomesReady: (pod) => pod.spec.containers?.[0]?.image !== 'agent:bad' })
    make(h)
    h.settle()
    setImage(h, 'agent:bad')
    h.settle()
    expect(images(h)).toEqual(['agent:1', 'agent:1', 'agent:bad'])
    setImage(h, 'agent:2')
    h.settle()
    expect(images(h)).toEqual(['agent:2', 'agent:2', 'agent:2'])
    expect(set(h).status).toMatchObject({ updatedNumberScheduled: 3, numberAvailable: 3 })
  })

  test('takes as many as maxUnavailable allows, rounded up', () => {
    const h = harness({ terminates: () => false })
    make(h, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '34%' } } })
    h.settle()
    setImage(h, 'agent:2')
    h.settle()
    expect(h.cluster.list('pods').filter(({ metadata }) => metadata.deletionTimestamp)).toHaveLength(2)
  })

  test('with a surge makes the new pod first', () => {
    let fewest = 3
    const h = harness()
    make(h, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } })
    h.settle()
    h.cluster.onChange(() => {
      const covered = new Set(
        h.cluster
          .list('pods')
          .filter((pod) => isActive(pod) && isReady(pod))
          .map((pod) => pod.spec.nodeName),
      )
      fewest = Math.min(fewest, covered.size)
    })
    setImage(h, 'agent:2')
    h.settle()
    expect(images(h)).toEqual(['agent:2', 'agent:2', 'agent:2'])
    expect(fewest).toBe(3)
  })

  test('with OnDelete waits until somebody deletes the pod', () => {
    const h = harness()
    make(h, { updateStrategy: { type: 'OnDelete' } })
    h.settle()
    setImage(h, 'agent:2')
    h.settle()
    expect(images(h)).toEqual(['agent:1', 'agent:1', 'agent:1'])
    h.cluster.must({ verb: 'delete', ...pods, name: list(h)[0]!.metadata.name })
    h.settle()
    expect(images(h)).toEqual(['agent:1', 'agent:1', 'agent:2'])
  })

  test('back to an old template takes its revision up again, and old revisions go', () => {
    const h = harness()
    make(h, { revisionHistoryLimit: 1 })
    for (const image of ['agent:2', 'agent:3', 'agent:2']) {
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

test('two runners make one pod for every node and template, and never take two nodes at once, though one is killed', () => {
  let fewest = 4
  const story = {
    reconcilers: [daemonSetReconciler],
    nodes: { nodes: [] },
    deeds: [
      (cluster: FakeCluster) => {
        for (const name of ['a', 'b', 'c', 'd']) addNode(cluster, name)
        cluster.must({ verb: 'create', ...sets, body: manifest({}, templateOf('agent:1')) })
      },
      (cluster: FakeCluster) => {
        cluster.onChange(({ groupResource }) => {
          if (groupResource === 'pods') fewest = Math.min(fewest, cluster.list('pods').filter(isActive).length)
        })
        patchSet(cluster, { template: templateOf('agent:2') })
      },
    ],
  }
  playWithEveryDeath(story, ({ cluster, created }) => {
    const left = cluster.list('pods')
    expect(left.map((pod) => `${pod.spec.nodeName} ${pod.spec.containers?.[0]?.image}`).sort()).toEqual([
      'a agent:2',
      'b agent:2',
      'c agent:2',
      'd agent:2',
    ])
    expect(created('pods')).toHaveLength(8)
    expect(created('controllerrevisions.apps')).toHaveLength(2)
    expect(cluster.list('daemonsets.apps')[0]!.status).toMatchObject({ numberAvailable: 4, updatedNumberScheduled: 4 })
  })
  expect(fewest).toBe(3)
})
