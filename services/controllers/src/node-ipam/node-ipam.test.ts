import { parseIpRanges } from '@shiplog/api/ip-address'
import { describe, expect, test } from 'vitest'
import { createReconcileHarness } from '../testing/reconcile-harness.ts'
import { playWithEveryDeath } from '../testing/two-runners-sim.ts'
import { createNodeIpamReconciler } from './node-ipam.reconciler.ts'

const node = (name: string, podCIDR?: string) => ({
  verb: 'create' as const,
  ...{ group: '', resource: 'nodes' },
  body: { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: podCIDR === undefined ? {} : { podCIDR } },
})

describe('a node without a range for its pods', () => {
  const given = (ranges: string | undefined, ...nodes: ReturnType<typeof node>[]) => {
    const harness = createReconcileHarness([createNodeIpamReconciler(ranges === undefined ? undefined : parseIpRanges(ranges))])
    for (const one of nodes) harness.cluster.must(one)
    harness.settle()
    expect(harness.secondRun()).toEqual([])
    return { harness, ranges: harness.cluster.list('nodes').map(({ metadata, spec }) => [metadata.name, ...(spec?.podCIDRs ?? [])]) }
  }

  test('gets one from the end that nobody has', () => {
    const { ranges } = given('10.1.0.0/16', node('a'), node('b', '10.1.253.0/24'), node('c'))
    expect(ranges).toEqual([
      ['a', '10.1.252.0/24'],
      ['b', '10.1.253.0/24'],
      ['c', '10.1.251.0/24'],
    ])
  })

  test('gets one of each family', () => {
    expect(given('10.1.0.0/16,fd00:1::/48', node('a')).ranges).toEqual([['a', '10.1.253.0/24', 'fd00:1:0:fffd::/64']])
  })

  test('gets one of the default ranges, away from those that nodes take by their number', () => {
    expect(given(undefined, node('a', '10.244.0.0/24'), node('b')).ranges.at(-1)).toEqual(['b', '10.243.255.0/24'])
  })

  test('keeps away from a range that covers several parts', () => {
    expect(given('10.1.0.0/16', node('a', '10.1.128.0/17'), node('b')).ranges.at(-1)).toEqual(['b', '10.1.127.0/24'])
  })

  test('waits when none is left, and gets what another gives back', () => {
    const { harness, ranges } = given('10.1.0.0/22', node('a'), node('b'), node('c'))
    expect(ranges).toEqual([['a', '10.1.1.0/24'], ['b', '10.1.0.0/24'], ['c']])
    expect(harness.events).toContain('cidrAllocator CIDRNotAvailable Node c status is now: CIDRNotAvailable')
    harness.cluster.must({ verb: 'delete', group: '', resource: 'nodes', name: 'a' })
    harness.settle()
    expect(harness.cluster.list('nodes').at(-1)!.spec.podCIDRs).toEqual(['10.1.1.0/24'])
  })
})

test('two runners give each node one range, though one is killed', () => {
  const deeds = ['a', 'b', 'c'].map((name) => (cluster: { must(request: ReturnType<typeof node>): unknown }) => void cluster.must(node(name)))
  playWithEveryDeath({ reconcilers: [createNodeIpamReconciler(undefined)], deeds }, ({ cluster }) => {
    const ranges = cluster.list('nodes').flatMap(({ spec }) => spec?.podCIDRs ?? [])
    expect(new Set(ranges).size).toBe(3)
  })
})
