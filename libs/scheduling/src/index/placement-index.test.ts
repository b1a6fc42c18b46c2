// The fast path gives what the plain path gives, whatever happens to the cluster in between.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '@shiplog/api/kube-object'
import { createProfile, defaultConfiguration } from '../framework/configuration.ts'
import { createPlacementIndex } from './placement-index.ts'
import { RankSet } from './rank-set.ts'
import { schedule } from '../framework/schedule.ts'
import { Snapshot } from '../snapshot/snapshot.ts'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { createDice, randomNode, randomPod } from '../testing/generated-cluster.ts'
import { testNode, testPod } from '../testing/test-objects.ts'

const zones = ['a', 'b', 'c']

const nodeOf = (name: string, kind: number) =>
  testNode(name, {
    labels: { zone: zones[kind % 3]!, ...(kind % 5 === 0 ? { ssd: 'yes' } : {}) },
    spec: {
      unschedulable: kind % 11 === 10,
      taints: [
        ...(kind % 4 === 1 ? [{ key: 'soft', effect: 'PreferNoSchedule' }] : []),
        ...(kind % 8 === 5 ? [{ key: 'softer', effect: 'PreferNoSchedule' }] : []),
        ...(kind % 7 === 3 ? [{ key: 'hard', effect: 'NoSchedule' }] : []),
      ],
    },
    allocatable: { cpu: String(1 + (kind % 3)), memory: `${2 + (kind % 2)}Gi`, pods: String(3 + (kind % 6)) },
  })

const selectApp = (app: string) => ({ labelSelector: { matchLabels: { app } } })

/** Affinity between pods, of every sort. */
const termsOf = (kind: number): JsonObject => {
  const anti = { topologyKey: 'kubernetes.io/hostname', ...selectApp('web') }
  const near = { topologyKey: 'zone', ...selectApp('db') }
  return [
    { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [anti] } },
    { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [near] } },
    { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 7, podAffinityTerm: near }] } },
    { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 9, podAffinityTerm: anti }] } },
  ][kind % 4]!
}

const podOf = (name: string, kind: number) => {
  const preferredDuringSchedulingIgnoredDuringExecution = [
    { weight: 3, preference: { matchExpressions: [{ key: 'zone', operator: 'In', values: ['a', 'b'] }] } },
    { weight: 5, preference: { matchExpressions: [{ key: 'ssd', operator: 'Exists' }] } },
  ]
  return testPod(name, {
    requests: [{ cpu: '100m', memory: '100Mi' }, {}, { cpu: '700m' }, { cpu: '9' }][kind % 4]!,
    ...(kind % 7 === 6 ? {} : { metadata: { labels: { app: ['web', 'db'][kind % 2]!, unique: name } } }),
    ...(kind % 6 === 5 ? { ports: [{ containerPort: 1, hostPort: 8080 }] } : {}),
    spec: {
      priority: kind % 2,
      ...(kind % 3 === 1 ? { affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution } } } : {}),
      ...(kind % 3 === 2 ? { affinity: termsOf(kind) } : {}),
      ...(kind % 5 === 2 ? { nodeSelector: { zone: 'b' } } : {}),
      ...(kind % 2 === 1
        ? {
            tolerations: [
              { key: 'hard', operator: 'Exists' },
              { key: 'soft', operator: 'Exists' },
            ],
          }
        : {}),
    },
  })
}

/** What default constraints find out their selector from. */
const ownerOf = (kind: 'services' | 'replicasets.apps') => ({
  apiVersion: kind === 'services' ? 'v1' : 'apps/v1',
  kind: kind === 'services' ? 'Service' : 'ReplicaSet',
  metadata: { name: 'set', namespace: 'default', uid: kind, creationTimestamp: '2026-11-30T00:00:00Z' },
  spec: { selector: kind === 'services' ? { app: 'web' } : { matchLabels: { app: 'web' } } },
})

const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('pod' as const), which: fc.nat(23) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('node' as const), which: fc.nat(9), kind: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove node' as const), which: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove pod' as const), which: fc.nat(1000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('confirm' as const), which: fc.nat(1000) }) },
)

describe('placement index', () => {
  test('decides exactly as the plain path, also after nodes and pods came, changed and went', () => {
    const profile = createProfile(defaultConfiguration)
    let decided = 0
    let failed = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 40, maxLength: 120 }), fc.nat(), (steps, seed) => {
        const snapshot = new Snapshot()
        const index = createPlacementIndex(snapshot, profile, seed)
        for (let node = 0; node < 6; node++) snapshot.setNode(nodeOf(`n${node}`, node * 7))
        const placed: { kind: number; name: string; node: string }[] = []
        for (const [number, action] of steps.entries()) {
          if (action.do === 'node') snapshot.setNode(nodeOf(`n${action.which}`, action.kind))
          else if (action.do === 'remove node') snapshot.removeNode(`n${action.which}`)
          else if (placed.length > 0 && action.do === 'remove pod') {
            const [gone] = placed.splice(action.which % placed.length, 1)
            snapshot.removePod(`uid-${gone!.name}`)
          } else if (placed.length > 0 && action.do === 'confirm') {
            const pod = placed[action.which % placed.length]!
            const object = podOf(pod.name, pod.kind)
            snapshot.setPod({ ...object, spec: { ...object['spec'], nodeName: pod.node } })
          } else if (action.do === 'pod') {
            const name = `p${number}`
            const pod = snapshot.readPod(podOf(name, action.which))
            const decision = index.schedule(pod)
            expect(decision).toEqual(schedule(pod, snapshot, profile, seed))
            if (decision.node === undefined) failed++
            else {
              decided++
              snapshot.assume(pod, decision.node)
              placed.push({ kind: action.which, name, node: decision.node })
            }
          }
        }
      }),
      { numRuns: 60, seed: 7 },
    )
    expect(decided).toBeGreaterThan(500)
    expect(failed).toBeGreaterThan(50)
  })

  test('decides exactly as the plain path with every feature mixed: constraints of spread, affinity, owners, namespaces', () => {
    const profile = createProfile(defaultConfiguration)
    let decided = 0
    let spread = 0
    for (let seed = 0; seed < 60; seed++) {
      const dice = createDice(seed)
      const snapshot = new Snapshot()
      for (const kind of ['services', 'replicasets.apps'] as const) snapshot.objects.apply(kind, ownerOf(kind), false)
      const index = createPlacementIndex(snapshot, profile, seed)
      const nodes = 3 + dice.roll(12)
      for (let node = 0; node < nodes; node++) snapshot.setNode(randomNode(dice, `n${node}`))
      // Pods of few kinds, so that an index is used many times.
      const kinds = Array.from({ length: 6 }, (_, kind) => randomPod(dice, `kind-${kind}`))
      const placed: Pod[] = []
      for (let number = 0; number < 120; number++) {
        const [gone] = placed.length > 0 && dice.once(4) ? placed.splice(dice.roll(placed.length), 1) : []
        if (gone) snapshot.removePod(gone.metadata.uid)
        if (dice.once(12)) snapshot.setNode(randomNode(dice, `n${dice.roll(nodes + 1)}`))
        if (dice.once(40)) snapshot.removeNode(`n${dice.roll(nodes)}`)
        const kind = dice.pick(kinds)
        const object = { ...kind, metadata: { ...kind.metadata, name: `p${number}`, uid: `uid-p${number}` } }
        const pod = snapshot.readPod(object)
        const decision = index.schedule(pod)
        expect(decision, `seed ${seed}, pod ${number}`).toEqual(schedule(pod, snapshot, profile, seed))
        if (decision.node === undefined) continue
        decided++
        if (pod.shape.spread.length > 0 || pod.controller !== '') spread++
        snapshot.assume(pod, decision.node)
        placed.push(object)
      }
    }
    expect(decided).toBeGreaterThan(2_000)
    expect(spread).toBeGreaterThan(800)
  })

  test.each([
    { title: 'hard, by host', nodes: 300, constraint: { topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule', maxSkew: 1 } },
    { title: 'hard, by rack of many', nodes: 300, constraint: { topologyKey: 'rack', whenUnsatisfiable: 'DoNotSchedule', maxSkew: 2 } },
    { title: 'soft, by rack of many', nodes: 300, constraint: { topologyKey: 'rack', whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 2 } },
  ])('spreads exactly as the plain path over many domains: $title', ({ nodes, constraint }) => {
    const profile = createProfile(defaultConfiguration)
    const snapshot = new Snapshot()
    const index = createPlacementIndex(snapshot, profile, 1)
    for (let node = 0; node < nodes; node++) {
      const labels = node % 17 === 3 ? {} : { rack: `r${node % 150}` }
      snapshot.setNode(testNode(`n${node}`, { labels, allocatable: { cpu: '1', memory: '2Gi', pods: '3' } }))
    }
    const labels = { app: 'web' }
    const topologySpreadConstraints = [{ ...constraint, labelSelector: { matchLabels: labels } }]
    const names: string[] = []
    for (let number = 0; number < 350; number++) {
      const pod = snapshot.readPod(testPod(`p${number}`, { metadata: { labels }, spec: { topologySpreadConstraints } }))
      const decision = index.schedule(pod)
      expect(decision, `pod ${number}`).toEqual(schedule(pod, snapshot, profile, 1))
      if (decision.node) snapshot.assume(pod, decision.node)
      names.push(pod.uid)
      if (number % 5 === 4) snapshot.removePod(names[Math.trunc(number / 3)]!)
    }
  })

  test('ties depend on the seed and the uid, and spread over the nodes', () => {
    const profile = createProfile(defaultConfiguration)
    const choose = (seed: number, order: readonly number[]) => {
      const snapshot = new Snapshot()
      for (const node of order) snapshot.setNode(testNode(`n${node}`))
      const index = createPlacementIndex(snapshot, profile, seed)
      return Array.from({ length: 200 }, (_, pod) => index.schedule(snapshot.readPod(testPod(`p${pod}`))).node)
    }
    const numbers = Array.from({ length: 20 }, (_, node) => node)
    const first = choose(1, numbers)
    expect(choose(1, numbers.toReversed())).toEqual(first)
    expect(choose(2, numbers)).not.toEqual(first)
    expect(new Set(first).size).toBeGreaterThan(12)
  })

  test.each([2, 3, 7])('of %i equally good nodes each is about as likely', (nodes) => {
    const snapshot = new Snapshot()
    for (let node = 0; node < nodes; node++) snapshot.setNode(testNode(`n${node}`))
    const index = createPlacementIndex(snapshot, createProfile(defaultConfiguration), 0)
    const counts = new Map<string, number>()
    for (let pod = 0; pod < 2_100; pod++) {
      const { node } = index.schedule(snapshot.readPod(testPod(`p${pod}`)))
      counts.set(node!, (counts.get(node!) ?? 0) + 1)
    }
    for (const count of counts.values()) expect(Math.abs(count - 2_100 / nodes)).toBeLessThan(0.2 * (2_100 / nodes))
    expect(counts.size).toBe(nodes)
  })

  test('a decision of the first rule for ties comes out as it did then', () => {
    const snapshot = new Snapshot()
    for (let node = 0; node < 6; node++) snapshot.setNode(testNode(`n${node}`))
    const profile = createProfile(defaultConfiguration)
    const chosen = (rule: 1 | 2) =>
      Array.from({ length: 8 }, (_, pod) => {
        const { top } = schedule(snapshot.readPod(testPod(`p${pod}`)), snapshot, profile, 0, rule)
        return top.map(({ node }) => node.slice(1)).join('')
      })
    // As computed by the version of 2026-11 before the second rule.
    expect(chosen(1)).toEqual(['315', '024', '315', '502', '150', '315', '315', '024'])
    expect(chosen(2)).not.toEqual(chosen(1))
  })

  test('1,000 pods of three shapes fill nodes without ever exceeding them', () => {
    const profile = createProfile(defaultConfiguration)
    const snapshot = new Snapshot()
    for (let node = 0; node < 50; node++) snapshot.setNode(testNode(`n${node}`))
    const index = createPlacementIndex(snapshot, profile, 0)
    let placed = 0
    for (let number = 0; number < 1000; number++) {
      const pod = snapshot.readPod(testPod(`p${number}`, { requests: { cpu: ['100m', '300m', '700m'][number % 3]! } }))
      const { node } = index.schedule(pod)
      if (node === undefined) continue
      snapshot.assume(pod, node)
      placed++
    }
    for (const node of snapshot.nodes()) expect(node.requestedCpu).toBeLessThanOrEqual(4000)
    const left = [...snapshot.nodes()].map((node) => 4000 - node.requestedCpu)
    expect(placed).toBeGreaterThan(500)
    expect(Math.max(...left)).toBeLessThan(100)
  })
})

test('a rank set finds the first member at or after a rank', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(2500)), fc.array(fc.nat(2500)), fc.nat(2600), (added, deleted, from) => {
      const set = new RankSet(2501)
      for (const rank of added) set.add(rank)
      for (const rank of deleted) set.delete(rank)
      const members = [...new Set(added)].filter((rank) => !deleted.includes(rank)).sort((a, b) => a - b)
      expect(set.size).toBe(members.length)
      expect(set.next(from)).toBe(members.find((rank) => rank >= from) ?? -1)
      expect(members.map((_, place) => RankSet.at([set], place))).toEqual(members)
      expect(RankSet.at([set], members.length)).toBe(-1)
    }),
  )
})
