// Each plugin's verdicts and scores against upstream's rules.
import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { createProfile, defaultConfiguration, type PluginChoice } from '../framework/configuration.ts'
import { createPodReader } from '../snapshot/pod-info.ts'
import { podResources } from '../snapshot/resources.ts'
import { explain } from '../framework/explain.ts'
import { schedule } from '../framework/schedule.ts'
import { createPlacementIndex } from '../index/placement-index.ts'
import { Snapshot } from '../snapshot/snapshot.ts'
import { testNode, testPod } from '../testing/test-objects.ts'

const read = createPodReader()

const only = (names: readonly string[], args?: PluginChoice['args']) =>
  createProfile({
    ...defaultConfiguration,
    plugins: [{ name: 'PrioritySort' }, ...names.map((name) => ({ name, ...(args ? { args } : {}) }))],
  })

const verdict = (plugin: string, pod: Pod, node: Node, bound: readonly Pod[] = []): string[] => {
  const snapshot = new Snapshot()
  snapshot.setNode(node)
  for (const other of bound) snapshot.setPod(other)
  const [only1] = explain(read(pod), snapshot, only([plugin]), 0).nodes
  return [...(only1!.filters[0]?.reasons ?? [])]
}

const scores = (
  plugin: string,
  pod: Pod,
  nodes: readonly Node[],
  bound: readonly Pod[] = [],
  args?: PluginChoice['args'],
): number[] => {
  const snapshot = new Snapshot()
  for (const node of nodes) snapshot.setNode(node)
  for (const other of bound) snapshot.setPod(other)
  const { nodes: explained } = explain(read(pod), snapshot, only([plugin], args), 0)
  return nodes.map((node) => explained.find(({ node: name }) => name === node['metadata'].name)!.scores[0]!.normalized)
}

const bound = (name: string, node: string, requests: JsonObject, spec: JsonObject = {}, ports?: JsonObject[]) =>
  testPod(name, { requests, spec: { nodeName: node, ...spec }, ...(ports ? { ports } : {}) })

describe('requests of a pod', () => {
  test('containers add up, and the highest init container counts when it needs more', () => {
    const pod = testPod('p', {
      spec: {
        containers: [
          { name: 'a', resources: { requests: { cpu: '100m', memory: '1Gi' } } },
          { name: 'b', resources: { requests: { cpu: '200m' } } },
        ],
        initContainers: [
          { name: 'i', resources: { requests: { cpu: '1', memory: '1Mi' } } },
          { name: 'j', resources: { requests: { cpu: '500m' } } },
        ],
      },
    })
    expect(podResources(pod).requests).toEqual({
      cpu: 1000,
      memory: 1024 ** 3,
      ephemeralStorage: 0,
      scalars: undefined,
    })
  })

  test('sidecars add to the containers and to the init containers after them', () => {
    const pod = testPod('p', {
      spec: {
        containers: [{ name: 'a', resources: { requests: { cpu: '100m' } } }],
        initContainers: [
          { name: 'early', resources: { requests: { cpu: '350m' } } },
          { name: 'side', restartPolicy: 'Always', resources: { requests: { cpu: '200m' } } },
          { name: 'late', resources: { requests: { cpu: '250m' } } },
        ],
      },
    })
    expect(podResources(pod).requests.cpu).toBe(450)
  })

  test('overhead comes on top, pod-level requests replace the sum', () => {
    const pod = testPod('p', {
      requests: { cpu: '100m', memory: '1Mi' },
      spec: { overhead: { cpu: '10m' }, resources: { requests: { cpu: '2' } } },
    })
    expect(podResources(pod).requests).toMatchObject({ cpu: 2010, memory: 1024 ** 2 })
  })

  test('a container without requests counts with 100m and 200Mi for scoring only', () => {
    const resources = podResources(testPod('p', { requests: {} }))
    expect(resources).toMatchObject({
      requests: { cpu: 0, memory: 0 },
      nonZeroCpu: 100,
      nonZeroMemory: 200 * 1024 ** 2,
    })
  })

  test('while a pod is resized the larger of wanted and allocated counts, but not what is infeasible', () => {
    const status = { containerStatuses: [{ name: 'c', resources: { requests: { cpu: '300m' } } }] }
    expect(podResources(testPod('p', { requests: { cpu: '1' }, status })).requests.cpu).toBe(1000)
    expect(podResources(testPod('p', { requests: { cpu: '100m' }, status })).requests.cpu).toBe(300)
    const infeasible = { ...status, conditions: [{ type: 'PodResizePending', reason: 'Infeasible', status: 'True' }] }
    expect(podResources(testPod('p', { requests: { cpu: '1' }, status: infeasible })).requests.cpu).toBe(300)
  })
})

describe('NodeResourcesFit', () => {
  test.each([
    ['fits exactly', { cpu: '4', memory: '32Gi' }, []],
    ['cpu', { cpu: '4001m' }, ['Insufficient cpu']],
    ['cpu and memory', { cpu: '5', memory: '33Gi' }, ['Insufficient cpu', 'Insufficient memory']],
    ['ephemeral storage that the node does not have', { 'ephemeral-storage': '1' }, ['Insufficient ephemeral-storage']],
    ['an extended resource', { 'example.com/gpu': '1' }, ['Insufficient example.com/gpu']],
    ['zero of an extended resource', { 'example.com/gpu': '0' }, []],
  ])('%s', (_, requests, reasons) => {
    expect(verdict('NodeResourcesFit', testPod('p', { requests }), testNode('n'))).toEqual(reasons)
  })

  test('pods that are there count, and so does their number', () => {
    const node = testNode('n', { allocatable: { pods: '1' } })
    const there = bound('b', 'n', { cpu: '3500m' })
    expect(verdict('NodeResourcesFit', testPod('p', { requests: { cpu: '1' } }), node, [there])).toEqual([
      'Too many pods',
      'Insufficient cpu',
    ])
  })

  test('finished pods give their room back', () => {
    const there = { ...bound('b', 'n', { cpu: '4' }), status: { phase: 'Succeeded' as const } }
    expect(verdict('NodeResourcesFit', testPod('p'), testNode('n'), [there])).toEqual([])
  })

  test('LeastAllocated is the mean of what is left, in whole percent', () => {
    const node = testNode('n', { allocatable: { cpu: '4000m', memory: '10000' } })
    const pod = testPod('p', { requests: { cpu: '3000m', memory: '5000' } })
    expect(scores('NodeResourcesFit', pod, [node])).toEqual([37]) // (25 + 50) / 2
  })

  test('MostAllocated and RequestedToCapacityRatio prefer what is used', () => {
    const node = testNode('n', { allocatable: { cpu: '4000m', memory: '10000' } })
    const pod = testPod('p', { requests: { cpu: '3000m', memory: '5000' } })
    expect(scores('NodeResourcesFit', pod, [node], [], { strategy: 'MostAllocated' })).toEqual([62])
    const shape = [
      { utilization: 0, score: 10 },
      { utilization: 100, score: 0 },
    ]
    expect(
      scores('NodeResourcesFit', pod, [node], [], { strategy: 'RequestedToCapacityRatio', shape }),
    ).toEqual([38]) // round((25 + 50) / 2)
  })
})

describe('NodeResourcesBalancedAllocation', () => {
  test('is 75, and half of what the balance becomes better or worse by', () => {
    const node = testNode('n', { allocatable: { cpu: '10000m', memory: '20000' } })
    const pod = testPod('p', { requests: { cpu: '3000m', memory: '5000' } })
    const there = bound('b', 'n', { cpu: '3000m', memory: '5000' })
    expect(scores('NodeResourcesBalancedAllocation', pod, [node], [there])).toEqual([74]) // 50 + (50 + 95 - 97) / 2
    const uneven = bound('b', 'n', { cpu: '5000m', memory: '0' })
    const balancing = testPod('p', { requests: { cpu: '0', memory: '10000' } })
    expect(scores('NodeResourcesBalancedAllocation', balancing, [node], [uneven])).toEqual([87]) // 50 + (50 + 100 - 75) / 2
  })

  test('says nothing of pods without requests', () => {
    const snapshot = new Snapshot()
    snapshot.setNode(testNode('n'))
    const profile = only(['NodeResourcesBalancedAllocation'])
    expect(explain(read(testPod('p', { requests: {} })), snapshot, profile, 0).nodes[0]!.scores).toEqual([])
  })
})

describe('TaintToleration', () => {
  const taint = (effect: string, key = 'dedicated', value = 'gpu') => ({ key, value, effect })
  test.each([
    ['no toleration', [taint('NoSchedule')], [], false],
    ['NoExecute counts too', [taint('NoExecute')], [], false],
    ['PreferNoSchedule does not', [taint('PreferNoSchedule')], [], true],
    [
      'equal',
      [taint('NoSchedule')],
      [{ key: 'dedicated', operator: 'Equal', value: 'gpu', effect: 'NoSchedule' }],
      true,
    ],
    ['other value', [taint('NoSchedule')], [{ key: 'dedicated', value: 'cpu' }], false],
    ['exists', [taint('NoSchedule')], [{ key: 'dedicated', operator: 'Exists' }], true],
    ['other effect', [taint('NoSchedule')], [{ key: 'dedicated', operator: 'Exists', effect: 'NoExecute' }], false],
    ['everything', [taint('NoSchedule'), taint('NoExecute', 'x')], [{ operator: 'Exists' }], true],
    ['one of two', [taint('NoSchedule'), taint('NoExecute', 'x')], [{ key: 'x', operator: 'Exists' }], false],
  ])('%s', (_, taints, tolerations, passes) => {
    const reasons = verdict(
      'TaintToleration',
      testPod('p', { spec: { tolerations } }),
      testNode('n', { spec: { taints } }),
    )
    expect(reasons).toEqual(passes ? [] : ['node(s) had untolerated taint(s)'])
  })

  test('fewer untolerated PreferNoSchedule taints score higher', () => {
    const nodes = [0, 1, 2].map((count) =>
      testNode(`n${count}`, {
        spec: { taints: Array.from({ length: count }, (_, index) => taint('PreferNoSchedule', `k${index}`)) },
      }),
    )
    expect(scores('TaintToleration', testPod('p'), nodes)).toEqual([100, 50, 0])
    expect(scores('TaintToleration', testPod('p'), nodes.slice(0, 1))).toEqual([100])
  })
})

describe('NodeAffinity', () => {
  const node = testNode('n', { labels: { zone: 'a', size: '5' } })
  const required = (...terms: JsonObject[]) => ({
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
  })
  const expression = (key: string, operator: string, ...values: string[]) => ({
    matchExpressions: [{ key, operator, ...(values.length ? { values } : {}) }],
  })
  test.each([
    ['nodeSelector', { nodeSelector: { zone: 'a' } }, true],
    ['nodeSelector with another value', { nodeSelector: { zone: 'b' } }, false],
    ['In', required(expression('zone', 'In', 'b', 'a')), true],
    ['NotIn', required(expression('zone', 'NotIn', 'a')), false],
    ['NotIn on an absent label', required(expression('absent', 'NotIn', 'a')), true],
    ['Exists', required(expression('zone', 'Exists')), true],
    ['DoesNotExist', required(expression('zone', 'DoesNotExist')), false],
    ['Gt', required(expression('size', 'Gt', '4')), true],
    ['Gt is strict', required(expression('size', 'Gt', '5')), false],
    ['Lt on what is no number', required(expression('zone', 'Lt', '5')), false],
    ['terms are alternatives', required(expression('zone', 'In', 'b'), expression('size', 'In', '5')), true],
    [
      'expressions are not',
      required({
        matchExpressions: [
          ...expression('zone', 'In', 'a').matchExpressions,
          ...expression('size', 'In', '6').matchExpressions,
        ],
      }),
      false,
    ],
    ['an empty term matches nothing', required({}), false],
    ['no term matches nothing', required(), false],
    ['selector and affinity both', { nodeSelector: { zone: 'b' }, ...required(expression('size', 'In', '5')) }, false],
    ['NotIn on fields', required({ matchFields: [{ key: 'metadata.name', operator: 'NotIn', values: ['m'] }] }), true],
  ])('%s', (_, spec, passes) => {
    expect(verdict('NodeAffinity', testPod('p', { spec }), node)).toEqual(
      passes ? [] : ["node(s) didn't match Pod's node affinity/selector"],
    )
  })

  test('a term that names its nodes looks at these alone, and says so of the others', () => {
    const snapshot = new Snapshot()
    for (const name of ['a', 'b', 'c']) snapshot.setNode(testNode(name))
    const named = (name: string, ...more: JsonObject[]) =>
      read(
        testPod('p', {
          requests: { cpu: '3' },
          spec: required({ matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }, ...more] }),
        }),
      )
    const profile = createProfile(defaultConfiguration)
    expect(schedule(named('b'), snapshot, profile, 0)).toMatchObject({ node: 'b', evaluated: 1 })
    snapshot.setPod(bound('x', 'b', { cpu: '2' }))
    expect(schedule(named('b'), snapshot, profile, 0).failure?.message).toBe(
      "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. no new claims to deallocate, preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.",
    )
    const conflict = named('b', { key: 'metadata.name', operator: 'In', values: ['c'] })
    expect(schedule(conflict, snapshot, profile, 0).failure?.message).toBe(
      '0/3 nodes are available: pod affinity terms conflict. not found',
    )
  })

  test('preferences add their weights, and the best gets 100', () => {
    const preferred = (weight: number, preference: JsonObject) => ({ weight, preference })
    const pod = testPod('p', {
      spec: {
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              preferred(4, expression('zone', 'In', 'a')),
              preferred(1, expression('size', 'Exists')),
              preferred(50, {}),
            ],
          },
        },
      },
    })
    const nodes = [node, testNode('m', { labels: { size: '1' } }), testNode('o')]
    expect(scores('NodeAffinity', pod, nodes)).toEqual([100, 20, 0])
  })
})

describe('NodePorts', () => {
  const port = (hostPort: number, hostIP?: string, protocol?: string) => ({
    containerPort: 80,
    hostPort,
    ...(hostIP ? { hostIP } : {}),
    ...(protocol ? { protocol } : {}),
  })
  test.each([
    ['another port', port(80), port(81), true],
    ['the same port', port(80), port(80), false],
    ['another protocol', port(80), port(80, undefined, 'UDP'), true],
    ['another address', port(80, '10.0.0.1'), port(80, '10.0.0.2'), true],
    ['every address against one', port(80), port(80, '10.0.0.2'), false],
    ['one address against every', port(80, '10.0.0.2'), port(80, '0.0.0.0'), false],
  ])('%s', (_, held, wanted, passes) => {
    const reasons = verdict('NodePorts', testPod('p', { ports: [wanted] }), testNode('n'), [
      bound('b', 'n', {}, {}, [held]),
    ])
    expect(reasons).toEqual(passes ? [] : ["node(s) didn't have free ports for the requested pod ports"])
  })

  test('a port is free again when its pod is gone', () => {
    const snapshot = new Snapshot()
    snapshot.setNode(testNode('n'))
    for (const name of ['a', 'b']) snapshot.setPod(bound(name, 'n', {}, {}, [port(80)]))
    snapshot.removePod('uid-a')
    const pod = read(testPod('p', { ports: [port(80)] }))
    expect(schedule(pod, snapshot, only(['NodePorts']), 0).node).toBeUndefined()
    snapshot.removePod('uid-b')
    expect(schedule(pod, snapshot, only(['NodePorts']), 0).node).toBe('n')
  })
})

describe('NodeUnschedulable and NodeName', () => {
  test('a cordoned node takes only pods that tolerate it', () => {
    const node = testNode('n', { spec: { unschedulable: true } })
    expect(verdict('NodeUnschedulable', testPod('p'), node)).toEqual(['node(s) were unschedulable'])
    const tolerations = [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' }]
    expect(verdict('NodeUnschedulable', testPod('p', { spec: { tolerations } }), node)).toEqual([])
  })

  test('a pod that names a node fits there alone', () => {
    const pod = testPod('p', { spec: { nodeName: 'n' } })
    expect(verdict('NodeName', pod, testNode('n'))).toEqual([])
    expect(verdict('NodeName', pod, testNode('m'))).toEqual(["node(s) didn't match the requested node name"])
  })
})

describe('the sentence of a failure', () => {
  const profile = createProfile(defaultConfiguration)
  test('counts every reason of the first filter that rejects a node, sorted as text', () => {
    const snapshot = new Snapshot()
    const taints = [{ key: 'a', effect: 'NoSchedule' }]
    for (const name of ['a', 'b']) snapshot.setNode(testNode(name))
    for (const name of ['c', 'd', 'e']) snapshot.setNode(testNode(name, { spec: { taints } }))
    const failure = schedule(read(testPod('p', { requests: { cpu: '5', memory: '1' } })), snapshot, profile, 0).failure!
    expect(failure.message).toBe(
      '0/5 nodes are available: 2 Insufficient cpu, 3 node(s) had untolerated taint(s). no new claims to deallocate, preemption: 0/5 nodes are available: 5 Preemption is not helpful for scheduling.',
    )
    expect(failure.plugins).toEqual(['NodeResourcesFit', 'TaintToleration'])
    expect(failure.rejections).toEqual([
      { plugin: 'NodeResourcesFit', reason: 'Insufficient cpu', nodes: 2 },
      { plugin: 'TaintToleration', reason: 'node(s) had untolerated taint(s)', nodes: 3 },
    ])
  })

  test('tells a full node from one that is too small', () => {
    const snapshot = new Snapshot()
    snapshot.setNode(testNode('n'))
    snapshot.setPod(bound('b', 'n', { cpu: '4' }))
    const pod = read(testPod('p', { requests: { cpu: '1' } }))
    expect(schedule(pod, snapshot, profile, 0).failure!.message).toBe(
      '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
    )
    const never = read(testPod('p', { requests: { cpu: '1' }, spec: { priority: 5, preemptionPolicy: 'Never' } }))
    expect(schedule(never, snapshot, profile, 0).failure!.message).toBe(
      '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never.',
    )
    const important = read(testPod('p', { requests: { cpu: '1' }, spec: { priority: 5 } }))
    expect(schedule(important, snapshot, profile, 0).failure!.message).toBe(
      '0/1 nodes are available: 1 Insufficient cpu.',
    )
  })

  test('is another one without any node', () => {
    expect(schedule(read(testPod('p')), new Snapshot(), profile, 0).failure!.message).toBe(
      'no nodes available to schedule pods',
    )
  })
})

test('a configuration with an unknown plugin or without an order is refused', () => {
  expect(() => createProfile({ ...defaultConfiguration, plugins: [{ name: 'constructor' }] })).toThrow('is not known')
  expect(() => createProfile({ ...defaultConfiguration, plugins: [] })).toThrow('queue sort')
})

describe('ImageLocality', () => {
  const mebi = 1024 * 1024
  const withImages = (name: string, images: Readonly<Record<string, number>>): Node => {
    const node = testNode(name)
    const list = Object.entries(images).map(([image, size]) => ({ names: [image], sizeBytes: size * mebi }))
    return { ...node, status: { ...node.status, images: list } }
  }
  const using = (...images: string[]): Pod =>
    testPod('p', { spec: { containers: images.map((image, index) => ({ name: `c${index}`, image })) } })

  test('the size of what is there counts, by the share of nodes that have it', () => {
    const nodes = [withImages('a', { 'web:1': 800, 'db:latest': 500 }), withImages('b', { 'web:1': 800 })]
    expect(scores('ImageLocality', using('web:1'), nodes)).toEqual([79, 79]) // (800 - 23) / (1000 - 23)
    expect(scores('ImageLocality', using('db'), nodes)).toEqual([23, 0]) // (500 / 2 - 23) / 977
    expect(scores('ImageLocality', using('web:1', 'db'), nodes)).toEqual([51, 39]) // of 2000 - 23
  })

  test('what is smaller than 23Mi says nothing, and larger than 1000Mi no more than that', () => {
    expect(scores('ImageLocality', using('small:1'), [withImages('a', { 'small:1': 20 })])).toEqual([0])
    expect(scores('ImageLocality', using('huge:1'), [withImages('a', { 'huge:1': 9_000 })])).toEqual([100])
  })

  test('a node that reports other images is another choice', () => {
    const snapshot = new Snapshot()
    for (const name of ['a', 'b']) snapshot.setNode(withImages(name, {}))
    const profile = createProfile(defaultConfiguration)
    const index = createPlacementIndex(snapshot, profile, 0)
    for (const name of ['a', 'b', 'a']) {
      for (const one of ['a', 'b']) snapshot.setNode(withImages(one, one === name ? { 'web:1': 900 } : {}))
      const pod = read(using('web:1'))
      expect(index.schedule(pod)).toMatchObject({ node: name })
      expect(index.schedule(pod)).toEqual(schedule(pod, snapshot, profile, 0))
    }
  })
})

describe('NodeVolumeLimits', () => {
  const meta = (name: string, more: JsonObject = {}) => ({ name, uid: name, creationTimestamp: '2026-01-01T00:00:00Z', ...more })
  const apply = (snapshot: Snapshot, groupResource: string, object: JsonObject): void =>
    snapshot.objects.apply(groupResource, object as unknown as KubeObject, false)
  const cluster = (limit: number): Snapshot => {
    const snapshot = new Snapshot()
    snapshot.setNode(testNode('n'))
    apply(snapshot, 'csinodes.storage.k8s.io', { metadata: meta('n'), spec: { drivers: [{ name: 'd', nodeID: 'n', allocatable: { count: limit } }] } })
    for (const name of ['v0', 'v1', 'v2']) {
      apply(snapshot, 'persistentvolumes', { metadata: meta(name), spec: { csi: { driver: 'd', volumeHandle: name } } })
      apply(snapshot, 'persistentvolumeclaims', {
        metadata: meta(name, { namespace: 'default', annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } }),
        spec: { volumeName: name },
      })
    }
    return snapshot
  }
  const using = (name: string, claims: readonly string[], nodeName?: string): Pod =>
    testPod(name, {
      spec: {
        ...(nodeName ? { nodeName } : {}),
        volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
      },
    })
  const profile = createProfile(defaultConfiguration)
  const message = (snapshot: Snapshot, ...claims: string[]): string | undefined =>
    schedule(read(using('p', claims)), snapshot, profile, 0).failure?.message
  const full = '0/1 nodes are available: 1 node(s) exceed max volume count.'

  test('counts the volumes of pods once each, and those of the new pod', () => {
    const snapshot = cluster(2)
    snapshot.setPod(using('a', ['v0'], 'n'))
    snapshot.setPod(using('b', ['v0'], 'n'))
    expect(message(snapshot, 'v1')).toBeUndefined()
    expect(message(snapshot, 'v1', 'v2')).toContain(full)
    expect(message(snapshot, 'v0', 'v1')).toBeUndefined()
  })

  test('counts what is attached besides, and knows no limit where the CSINode names none', () => {
    const snapshot = cluster(1)
    expect(message(snapshot, 'v1')).toBeUndefined()
    apply(snapshot, 'volumeattachments.storage.k8s.io', {
      metadata: meta('va'),
      spec: { attacher: 'd', nodeName: 'n', source: { persistentVolumeName: 'v2' } },
    })
    expect(message(snapshot, 'v1')).toContain(full)
    apply(snapshot, 'csinodes.storage.k8s.io', { metadata: meta('n'), spec: { drivers: [{ name: 'd', nodeID: 'n' }] } })
    expect(message(snapshot, 'v1', 'v0')).toBeUndefined()
  })
})
