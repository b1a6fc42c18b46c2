import type { JsonObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { createReconcileHarness, type ReconcileHarness } from '../testing/reconcile-harness.ts'
import { pods } from '../testing/manifests.ts'
import { createPodGarbageCollector, missingNodeGraceMs } from './pod-garbage-collector.reconciler.ts'

const quiet = { withoutNodes: true }
const harness = (): ReconcileHarness => createReconcileHarness([createPodGarbageCollector(3)])
const makePod = (h: ReconcileHarness, name: string, spec: JsonObject, status: JsonObject = { phase: 'Running' }) =>
  h.cluster.put('pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'main', image: 'x' }], ...spec },
    status,
  })
const makeNode = (h: ReconcileHarness, name: string, spec: JsonObject = {}) =>
  h.cluster.must({
    verb: 'create',
    group: '',
    resource: 'nodes',
    body: { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec },
  })
const names = (h: ReconcileHarness): string[] => h.cluster.list('pods').map((pod) => pod.metadata.name)

describe('pod garbage collection', () => {
  test('removes pods of a node that went, after a while, and says why', () => {
    const h = harness()
    makeNode(h, 'a')
    makePod(h, 'p', { nodeName: 'a' })
    h.advance(100_000, quiet)
    h.cluster.must({ verb: 'delete', group: '', resource: 'nodes', name: 'a' })
    h.advance(missingNodeGraceMs - 1_000, quiet)
    expect(names(h)).toEqual(['p'])
    h.advance(2_000, quiet)
    expect(names(h)).toEqual([])
    const failed = h.cluster.changes.find(
      (change) => change.object['status'] && (change.object['status'] as JsonObject)['phase'] === 'Failed',
    )
    expect((failed!.object['status'] as JsonObject)['conditions']).toMatchObject([
      { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByPodGC', message: 'PodGC: node no longer exists' },
    ])
  })

  test('leaves pods whose node appears in time', () => {
    const h = harness()
    makePod(h, 'p', { nodeName: 'late' })
    h.advance(10_000, quiet)
    makeNode(h, 'late')
    h.advance(100_000, quiet)
    expect(names(h)).toEqual(['p'])
  })

  test('removes a deleted pod that was never bound and is held by nothing', () => {
    const h = harness()
    makePod(h, 'p', {}, { phase: 'Pending' })
    h.cluster.must({
      verb: 'patch',
      ...pods,
      name: 'p',
      patchType: 'application/merge-patch+json',
      body: { metadata: { finalizers: ['x/y'] } },
    })
    h.cluster.must({ verb: 'delete', ...pods, name: 'p' })
    h.cluster.must({
      verb: 'patch',
      ...pods,
      name: 'p',
      patchType: 'application/merge-patch+json',
      body: { metadata: { finalizers: null } },
    })
    h.settle(quiet)
    expect(names(h)).toEqual([])
  })

  test('keeps only so many finished pods, the youngest', () => {
    const h = harness()
    makeNode(h, 'a')
    for (let i = 0; i < 6; i++) {
      makePod(h, `p${i}`, { nodeName: 'a' }, { phase: 'Succeeded' })
      h.advance(1_000, quiet)
    }
    expect(names(h)).toEqual(['p3', 'p4', 'p5'])
    expect(h.secondRun()).toEqual([])
  })

  test('removes terminating pods of a node that is out of service', () => {
    const h = harness()
    makeNode(h, 'a')
    makePod(h, 'p', { nodeName: 'a' })
    h.cluster.must({ verb: 'delete', ...pods, name: 'p' })
    h.advance(60_000, quiet)
    expect(names(h)).toEqual(['p'])
    h.cluster.must({
      verb: 'patch',
      group: '',
      resource: 'nodes',
      name: 'a',
      patchType: 'application/merge-patch+json',
      body: { spec: { taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }] } },
    })
    h.settle(quiet)
    expect(names(h)).toEqual([])
  })
})
