import { expect, test } from 'vitest'
import { createReconcileHarness } from '../testing/reconcile-harness.ts'
import { playWithEveryDeath } from '../testing/two-runners-sim.ts'
import { ttlReconciler, ttlSeconds } from './ttl.reconciler.ts'

test.each([
  [1, undefined, 0],
  [100, undefined, 0],
  [101, '0', 15],
  [95, '15', 15],
  [89, '15', 0],
  [1_000, '30', 30],
  [1_001, '30', 60],
  [1_850, '300', 300],
  [1_850, '60', 60],
  [5_000, undefined, 300],
])('in a cluster of %i nodes one that was told %s is told %i', (nodes, before, seconds) => {
  expect(ttlSeconds(nodes, before)).toBe(seconds)
})

const node = (name: string) => ({
  verb: 'create' as const,
  ...{ group: '', resource: 'nodes', body: { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {} } },
})

test('all nodes are told when the cluster grows past a boundary, and shrinks below it', () => {
  const h = createReconcileHarness([ttlReconciler])
  const told = () => new Set(h.cluster.list('nodes').map(({ metadata }) => metadata.annotations?.['node.alpha.kubernetes.io/ttl']))
  for (let i = 0; i < 100; i++) h.cluster.must(node(`n${i}`))
  h.settle()
  expect([...told()]).toEqual(['0'])
  h.cluster.must(node('n100'))
  h.settle()
  expect([...told()]).toEqual(['15'])
  for (let i = 100; i >= 89; i--) h.cluster.must({ verb: 'delete', group: '', resource: 'nodes', name: `n${i}` })
  h.settle()
  expect([...told()]).toEqual(['0'])
  expect(h.secondRun()).toEqual([])
})

test('two runners agree, though one is killed', () => {
  const deeds = [(cluster: { must(request: ReturnType<typeof node>): unknown }) => void cluster.must(node('a'))]
  playWithEveryDeath({ reconcilers: [ttlReconciler], deeds }, ({ cluster }) => {
    expect(cluster.list('nodes')[0]!.metadata.annotations).toEqual({ 'node.alpha.kubernetes.io/ttl': '0' })
  })
})
