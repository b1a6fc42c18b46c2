import type { Node, Pod, Taint, Toleration } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { rfc3339, rfc3339Micro } from '@shiplog/runtime/clock'
import { describe, expect, test } from 'vitest'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { nodeGraceMs, nodeLifecycleReconciler } from './node-lifecycle.reconciler.ts'
import { taintEvictionReconciler } from '../taint-eviction/taint-eviction.reconciler.ts'
import { evictionTimeMs, tolerates } from '../taint-eviction/tolerations.ts'

const quiet = { withoutNodes: true }
const harness = (): ReconcileHarness => createReconcileHarness([nodeLifecycleReconciler, taintEvictionReconciler])
const nodes = { group: '', resource: 'nodes' }
const leases = { group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-node-lease' }

function makeNode(h: ReconcileHarness, name: string): void {
  const now = rfc3339(h.nowMs())
  const conditions = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map((type) => ({
    type,
    status: type === 'Ready' ? 'True' : 'False',
    lastHeartbeatTime: now,
    lastTransitionTime: now,
    reason: 'KubeletReady',
    message: 'fine',
  }))
  h.cluster.must({
    verb: 'create',
    ...nodes,
    body: { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {}, status: { conditions } },
  })
  h.cluster.must({
    verb: 'create',
    ...leases,
    body: {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: 'kube-node-lease' },
      spec: { renewTime: rfc3339Micro(h.nowMs()) },
    },
  })
}
const renew = (h: ReconcileHarness, name: string) =>
  h.cluster.must({
    verb: 'patch',
    ...leases,
    name,
    patchType: 'application/merge-patch+json',
    body: { spec: { renewTime: rfc3339Micro(h.nowMs()) } },
  })
/** Time passes in steps of ten seconds while some nodes renew. */
function pass(h: ReconcileHarness, ms: number, alive: readonly string[]): void {
  for (let passed = 0; passed < ms; passed += 10_000) {
    for (const name of alive) renew(h, name)
    h.advance(10_000, quiet)
  }
}
const node = (h: ReconcileHarness, name: string): Node => h.cluster.get('nodes', `/${name}`)!
const ready = (h: ReconcileHarness, name: string): JsonObject =>
  (node(h, name)['status'].conditions as JsonObject[]).find((one) => one['type'] === 'Ready')!
const taints = (h: ReconcileHarness, name: string): string[] =>
  ((node(h, name)['spec'].taints ?? []) as JsonObject[]).map((taint) => `${taint['key']}:${taint['effect']}`).sort()
const lost = ['node.kubernetes.io/unreachable:NoExecute', 'node.kubernetes.io/unreachable:NoSchedule']

function makePod(h: ReconcileHarness, name: string, nodeName: string, tolerations: readonly JsonObject[] = []): void {
  h.cluster.put('pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { nodeName, containers: [{ name: 'main', image: 'x' }], tolerations: [...tolerations] },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: rfc3339(h.nowMs()) }],
    },
  })
}
const seconds = (tolerationSeconds?: number): JsonObject => ({
  key: 'node.kubernetes.io/unreachable',
  operator: 'Exists',
  effect: 'NoExecute',
  ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
})

describe('a node whose Lease is no longer renewed', () => {
  test('becomes Unknown after the grace period, with upstream’s words, and is tainted', () => {
    const h = harness()
    makeNode(h, 'a')
    makeNode(h, 'b')
    pass(h, nodeGraceMs - 10_000, ['b'])
    expect(ready(h, 'a')['status']).toBe('True')
    pass(h, 20_000, ['b'])
    expect(ready(h, 'a')).toMatchObject({
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
    })
    expect(taints(h, 'a')).toEqual(lost)
    expect(ready(h, 'b')['status']).toBe('True')
    expect(taints(h, 'b')).toEqual([])
    expect(h.events).toContain('node-controller NodeNotReady Node a status is now: NodeNotReady')
    expect(h.secondRun()).toEqual([])
  })

  test('loses its pods after their toleration, those without at once, those that tolerate for ever not at all', () => {
    const h = harness()
    makeNode(h, 'a')
    makeNode(h, 'b')
    makePod(h, 'default-tolerations', 'a', [seconds(300)])
    makePod(h, 'none', 'a')
    makePod(h, 'daemon', 'a', [seconds()])
    makePod(h, 'elsewhere', 'b')
    pass(h, nodeGraceMs + 10_000, ['b'])
    const deleted = (name: string): boolean =>
      h.cluster.get('pods', `default/${name}`)!.metadata.deletionTimestamp !== undefined
    expect(['none', 'default-tolerations', 'daemon', 'elsewhere'].map(deleted)).toEqual([true, false, false, false])
    const none = h.cluster.get('pods', 'default/none')!
    expect(none['status'].conditions).toContainEqual(
      expect.objectContaining({ type: 'DisruptionTarget', status: 'True', reason: 'DeletionByTaintManager' }),
    )
    expect(h.events).toContain('taint-eviction-controller TaintManagerEviction Marking for deletion Pod default/none')
    // Services stop sending to what may be gone.
    const daemon = h.cluster.get('pods', 'default/daemon')!
    expect(daemon.status.conditions![0]).toMatchObject({ type: 'Ready', status: 'False' })
    pass(h, 280_000, ['b'])
    expect(deleted('default-tolerations')).toBe(false)
    pass(h, 40_000, ['b'])
    expect(deleted('default-tolerations')).toBe(true)
    expect(deleted('daemon')).toBe(false)
  })

  test('loses the taints when its kubelet is back', () => {
    const h = harness()
    makeNode(h, 'a')
    makeNode(h, 'b')
    pass(h, nodeGraceMs + 20_000, ['b'])
    expect(taints(h, 'a')).toEqual(lost)
    renew(h, 'a')
    const now = rfc3339(h.nowMs())
    h.cluster.must({
      verb: 'update',
      ...nodes,
      subresource: 'status',
      name: 'a',
      body: {
        ...node(h, 'a'),
        status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: now, lastTransitionTime: now }] },
      },
    })
    h.settle(quiet)
    expect(taints(h, 'a')).toEqual([])
    pass(h, 60_000, ['a', 'b'])
    expect(ready(h, 'a')['status']).toBe('True')
  })

  test('drives nobody off when no node at all is ready: then this side may be the one that is cut off', () => {
    const h = harness()
    makeNode(h, 'a')
    makeNode(h, 'b')
    makePod(h, 'p', 'a')
    pass(h, nodeGraceMs + 20_000, [])
    expect(ready(h, 'b')['status']).toBe('Unknown')
    expect(taints(h, 'b')).toEqual(['node.kubernetes.io/unreachable:NoSchedule'])
    expect(ready(h, 'a')['status']).toBe('Unknown')
  })
})

test('a node that is cordoned or under pressure keeps new pods away', () => {
  const h = harness()
  makeNode(h, 'a')
  h.cluster.must({
    verb: 'patch',
    ...nodes,
    name: 'a',
    patchType: 'application/merge-patch+json',
    body: { spec: { unschedulable: true, taints: [{ key: 'mine', effect: 'NoExecute' }] } },
  })
  h.settle(quiet)
  expect(taints(h, 'a')).toEqual(['mine:NoExecute', 'node.kubernetes.io/unschedulable:NoSchedule'])
  h.cluster.must({
    verb: 'patch',
    ...nodes,
    name: 'a',
    patchType: 'application/merge-patch+json',
    body: { spec: { unschedulable: null } },
  })
  h.settle(quiet)
  expect(taints(h, 'a')).toEqual(['mine:NoExecute'])
})

test('a node that somebody made as Ready has its grace from then, however long the controller runs', () => {
  const h = harness()
  h.advance(10 * nodeGraceMs, quiet)
  const body = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' }, spec: {} }
  const status = { conditions: [{ type: 'Ready', status: 'True' }] }
  h.cluster.must({ verb: 'create', ...nodes, body: { ...body, status } })
  h.advance(nodeGraceMs - 10_000, quiet)
  expect(ready(h, 'a')['status']).toBe('True')
  expect(taints(h, 'a')).toEqual([])
  h.advance(20_000, quiet)
  expect(ready(h, 'a')['status']).toBe('Unknown')
})

test('a node that never said anything becomes Unknown as never updated', () => {
  const h = harness()
  h.cluster.must({
    verb: 'create',
    ...nodes,
    body: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'mute' }, spec: {} },
  })
  h.advance(70_000, quiet)
  expect(ready(h, 'mute')).toMatchObject({
    status: 'Unknown',
    reason: 'NodeStatusNeverUpdated',
    message: 'Kubelet never posted node status.',
  })
})

describe('tolerations', () => {
  const taint: Taint = { key: 'k', value: 'v', effect: 'NoExecute' }
  test.each([
    [{ operator: 'Exists' }, true],
    [{ key: 'k', operator: 'Exists' }, true],
    [{ key: 'k', operator: 'Equal', value: 'v' }, true],
    [{ key: 'k', value: 'w' }, false],
    [{ key: 'k', operator: 'Exists', effect: 'NoSchedule' }, false],
    [{ key: 'other', operator: 'Exists' }, false],
  ])('%j tolerates: %s', (toleration, expected) => {
    expect(tolerates(toleration as Toleration, taint)).toBe(expected)
  })

  test('the shortest time counts, from the youngest taint', () => {
    const pod = {
      spec: {
        tolerations: [
          { key: 'a', operator: 'Exists', tolerationSeconds: 60 },
          { key: 'b', operator: 'Exists', tolerationSeconds: 30 },
        ],
      },
    } as unknown as Pod
    const taints: Taint[] = [
      { key: 'a', effect: 'NoExecute', timeAdded: '2026-01-01T00:00:00Z' },
      { key: 'b', effect: 'NoExecute', timeAdded: '2026-01-01T00:01:00Z' },
    ]
    expect(evictionTimeMs(pod, taints, 0)).toBe(Date.parse('2026-01-01T00:01:30Z'))
    expect(evictionTimeMs(pod, [...taints, { key: 'c', effect: 'NoExecute' }], 0)).toBe(0)
  })
})

test('a pod that was to go later and may stay is told of', () => {
  const h = createReconcileHarness([taintEvictionReconciler])
  makeNode(h, 'a')
  makePod(h, 'p', 'a', [seconds(30)])
  const taint = (taints: object[] | null) =>
    h.cluster.must({
      verb: 'patch',
      ...nodes,
      name: 'a',
      patchType: 'application/merge-patch+json',
      body: { spec: { taints } },
    })
  taint([{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: rfc3339(h.nowMs()) }])
  h.settle(quiet)
  expect(h.events).toEqual([])
  taint(null)
  h.settle(quiet)
  expect(h.events).toEqual(['taint-eviction-controller TaintManagerEviction Cancelling deletion of Pod default/p'])
  taint([{ key: 'mine', effect: 'NoExecute' }])
  h.advance(1_000, quiet)
  expect(h.events.at(-1)).toBe('taint-eviction-controller TaintManagerEviction Marking for deletion Pod default/p')
  expect(h.secondRun()).toEqual([])
})
