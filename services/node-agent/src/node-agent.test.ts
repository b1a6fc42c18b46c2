import { type IpRanges, parseIpRanges } from '@shiplog/api/ip-address'
import { createSimulatedRuntime, type SimulatedRuntimeOptions } from '@shiplog/node/simulated-runtime'
import type { ApiRequest } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { serviceUnavailable } from '@shiplog/api/status'
import { silentLogger } from '@shiplog/runtime/logger'
import { describe, expect, test } from 'vitest'
import { createManualClock, type ManualClock } from '@shiplog/testing/manual-clock'
import { createFakeCluster, type FakeCluster } from '@shiplog/testing/fake-cluster'
import { simulatedHost } from './hosts/simulated-host.ts'
import { createNodeAgent, type NodeAgent } from './node-agent.ts'

const ids = (() => {
  let serial = 0
  return { uuid: () => `00000000-0000-4000-8000-${String(++serial).padStart(12, '0')}`, integer: () => 0 }
})()

const requestsOf = (cluster: FakeCluster): ApiRequest[] => cluster.requests.map(({ request }) => request)

/** Answers the requests that match with 503, until `intercept` is taken away. */
function refuse(cluster: FakeCluster, matches: (request: ApiRequest) => boolean): void {
  const status = serviceUnavailable('refused by the test')
  cluster.intercept = (request) => (matches(request) ? { ok: false, code: status.code, status } : undefined)
}

interface World {
  readonly clock: ManualClock
  readonly cluster: FakeCluster
  readonly agent: NodeAgent
  pod(name?: string): KubeObject
  podWrites(): ApiRequest[]
}

async function start(
  options: {
    count?: number
    podRanges?: IpRanges
    runtime?: Partial<SimulatedRuntimeOptions>
    cluster?: FakeCluster
    clock?: ManualClock
  } = {},
): Promise<World> {
  const clock = options.clock ?? createManualClock()
  const cluster = options.cluster ?? createFakeCluster(clock)
  const agent = createNodeAgent({
    feed: cluster.feed,
    client: cluster.client(),
    clock,
    ids,
    log: silentLogger,
    host: simulatedHost(createSimulatedRuntime({ clock, ids, ...options.runtime })),
    nodes: { count: options.count ?? 1, podRanges: options.podRanges },
    eventObjects: false,
  })
  const started = agent.start()
  await clock.advance(10)
  await started
  return {
    clock,
    cluster,
    agent,
    pod: (name = 'web') => cluster.get('pods', `default/${name}`)!,
    podWrites: () => requestsOf(cluster).filter(({ resource }) => resource === 'pods'),
  }
}

const podObject = (more: { spec?: JsonObject; metadata?: JsonObject; name?: string } = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: more.name ?? 'web', namespace: 'default', generation: 1, ...more.metadata },
  spec: {
    nodeName: 'node-0',
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    containers: [{ name: 'main', image: 'nginx:1.29' }],
    ...more.spec,
  },
  status: {
    phase: 'Pending',
    qosClass: 'BestEffort',
    conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: '2025-12-31T23:59:59Z' }],
  },
})

const condition = (object: KubeObject, type: string): JsonObject =>
  object['status'].conditions.find((candidate: JsonObject) => candidate['type'] === type)

const ownerJob = { apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: 'u', controller: true }
const annotated = (annotations: Record<string, string>): JsonObject => ({
  annotations: Object.fromEntries(
    Object.entries(annotations).map(([key, value]) => [`simulated.shiplog.dev/${key}`, value]),
  ),
})

const requestDeletion = (world: World, graceSeconds: number): void => {
  const pod = structuredClone(world.pod())
  pod.metadata.deletionTimestamp = '2026-01-01T00:00:30Z'
  ;(pod.metadata as JsonObject)['deletionGracePeriodSeconds'] = graceSeconds
  world.cluster.put('pods', pod)
}

describe('nodes', () => {
  test('register ready, with the labels, range and sentences of a kubelet, in one write each', async () => {
    const { cluster } = await start({ count: 3 })
    const node = cluster.get('nodes', '/node-1')!
    expect(condition(node, 'Ready')).toMatchObject({
      status: 'True',
      reason: 'KubeletReady',
      message: 'kubelet is posting ready status',
    })
    expect(node.metadata.labels).toMatchObject({ 'kubernetes.io/hostname': 'node-1', 'kubernetes.io/os': 'linux' })
    expect(node['spec'].podCIDR).toBe('10.244.1.0/24')
    expect(node['status'].allocatable).toMatchObject({ cpu: '8', memory: '32Gi', pods: '110' })
    expect(requestsOf(cluster).filter(({ resource }) => resource === 'nodes')).toHaveLength(3)
  })

  test('have a lease each, renewed every 10 s and spread over them', async () => {
    const { cluster, clock } = await start({ count: 100 })
    await clock.advance(500)
    expect(cluster.get('leases.coordination.k8s.io', 'kube-node-lease/node-99')).toMatchObject({
      metadata: { ownerReferences: [{ kind: 'Node', name: 'node-99' }] },
      spec: { holderIdentity: 'node-99', leaseDurationSeconds: 40 },
    })
    const renewals = (): ApiRequest[] =>
      requestsOf(cluster).filter(({ resource, verb }) => resource === 'leases' && verb === 'patch')
    const before = renewals().length
    await clock.advance(5_000)
    expect(renewals().length - before).toBeGreaterThanOrEqual(49)
    expect(renewals().length - before).toBeLessThanOrEqual(51)
    await clock.advance(5_000)
    expect(new Set(renewals().map(({ name }) => name)).size).toBe(100)
  })

  test('say that they are ready again when someone marked them Unknown', async () => {
    const { cluster, clock } = await start()
    const node = structuredClone(cluster.get('nodes', '/node-0')!)
    Object.assign(condition(node, 'Ready'), { status: 'Unknown', reason: 'NodeStatusUnknown' })
    cluster.put('nodes', node)
    await clock.advance(100)
    expect(condition(cluster.get('nodes', '/node-0')!, 'Ready')).toMatchObject({
      status: 'True',
      reason: 'KubeletReady',
    })
  })

  test('stay away once they were deleted, and their leases with them', async () => {
    const { cluster, clock } = await start({ count: 2 })
    cluster.remove('nodes', '/node-0')
    cluster.remove('leases.coordination.k8s.io', 'kube-node-lease/node-0')
    await clock.advance(20_000)
    expect(cluster.get('nodes', '/node-0')).toBeUndefined()
    expect(cluster.get('leases.coordination.k8s.io', 'kube-node-lease/node-0')).toBeUndefined()
    expect(cluster.get('leases.coordination.k8s.io', 'kube-node-lease/node-1')).toBeDefined()
  })

  test('that play dead renew and report nothing until they are back, and then catch up', async () => {
    const { cluster, clock } = await start()
    const annotate = (value: string): void => {
      const node = structuredClone(cluster.get('nodes', '/node-0')!)
      node.metadata.annotations = { 'simulated.shiplog.dev/stopped': value }
      cluster.put('nodes', node)
    }
    cluster.put('pods', podObject())
    await clock.advance(10_000)
    annotate('true')
    await clock.advance(10)
    const before = cluster.requests.length
    cluster.put('pods', podObject({ name: 'late' }))
    cluster.remove('pods', 'default/web')
    await clock.advance(60_000)
    expect(cluster.requests.length).toBe(before)
    expect(cluster.get('pods', 'default/late')!['status'].phase).toBe('Pending')
    annotate('false')
    await clock.advance(100)
    expect(cluster.get('pods', 'default/late')!['status'].phase).toBe('Running')
    expect(cluster.requests.slice(before).some(({ request: { resource } }) => resource === 'leases')).toBe(true)
  })

  test('are registered in the end although the API refuses at first', async () => {
    const clock = createManualClock()
    const cluster = createFakeCluster(clock)
    refuse(cluster, ({ resource }) => resource === 'nodes')
    const agent = createNodeAgent({
      feed: cluster.feed,
      client: cluster.client(),
      clock,
      ids,
      log: silentLogger,
      host: simulatedHost(createSimulatedRuntime({ clock, ids })),
      nodes: { count: 1 },
    })
    const started = agent.start()
    await clock.advance(50)
    expect(agent.health().find(({ name }) => name === 'nodes')).toMatchObject({ ok: false })
    cluster.intercept = undefined
    await clock.advance(10_000)
    await started
    expect(agent.health().every(({ ok }) => ok)).toBe(true)
  })
})

describe('a pod', () => {
  test('has an address of each family of its node, also on the network of the node', async () => {
    const { cluster, clock, pod } = await start({ podRanges: parseIpRanges('fd00:10:244::/56,10.20.0.0/16') })
    cluster.put('pods', podObject())
    cluster.put('pods', podObject({ name: 'host', spec: { hostNetwork: true } }))
    await clock.advance(10)
    expect(pod()['status']).toMatchObject({
      podIP: 'fd00:10:244::2',
      podIPs: [{ ip: 'fd00:10:244::2' }, { ip: '10.20.0.2' }],
      hostIP: 'fd00:172:18::2',
      hostIPs: [{ ip: 'fd00:172:18::2' }, { ip: '172.18.0.2' }],
    })
    expect(pod('host')['status'].podIPs).toEqual([{ ip: 'fd00:172:18::2' }, { ip: '172.18.0.2' }])
  })

  test('has addresses of the ranges that its Node has had from its beginning, whatever the options say now', async () => {
    const first = await start({ podRanges: parseIpRanges('10.20.0.0/16') })
    await first.agent.stop()
    const { cluster, clock } = first
    const second = await start({ cluster, clock, podRanges: parseIpRanges('10.30.0.0/16') })
    cluster.put('pods', podObject())
    await clock.advance(10)
    expect(cluster.get('nodes', '/node-0')!['spec'].podCIDRs).toEqual(['10.20.0.0/24'])
    expect(second.pod()['status'].podIP).toBe('10.20.0.2')
  })

  test('runs after one write, with addresses, times and conditions', async () => {
    const world = await start()
    world.cluster.put('pods', podObject())
    await world.clock.advance(10)
    const { status } = world.pod() as unknown as { status: JsonObject }
    expect(world.podWrites()).toHaveLength(1)
    expect(status).toMatchObject({
      phase: 'Running',
      qosClass: 'BestEffort',
      hostIP: '172.18.0.2',
      podIP: '10.244.0.2',
      podIPs: [{ ip: '10.244.0.2' }],
      startTime: '2026-01-01T00:00:00Z',
      observedGeneration: 1,
    })
    expect(status['containerStatuses'][0]).toMatchObject({
      name: 'main',
      ready: true,
      started: true,
      restartCount: 0,
      image: 'nginx:1.29',
      state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
    })
    for (const type of ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled']) {
      expect(condition(world.pod(), type)).toMatchObject({ status: 'True', observedGeneration: 1 })
    }
    expect(condition(world.pod(), 'PodScheduled')['lastTransitionTime']).toBe('2025-12-31T23:59:59Z')
  })

  test('is not written again by echoes and foreign changes of its labels', async () => {
    const world = await start()
    world.cluster.put('pods', podObject())
    await world.clock.advance(10)
    const labelled = structuredClone(world.pod())
    labelled.metadata.labels = { a: 'b' }
    world.cluster.put('pods', labelled)
    await world.clock.advance(60_000)
    expect(world.podWrites()).toHaveLength(1)
  })

  test('on an unknown node, unbound or a mirror pod is left alone', async () => {
    const world = await start()
    world.cluster.put('pods', podObject({ name: 'elsewhere', spec: { nodeName: 'other' } }))
    world.cluster.put('pods', podObject({ name: 'unbound', spec: { nodeName: '' } }))
    world.cluster.put(
      'pods',
      podObject({ name: 'mirror', metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } } }),
    )
    await world.clock.advance(1_000)
    expect(world.podWrites()).toHaveLength(0)
  })

  test('shows ContainerCreating while it is slow to start, and unready until its readiness delay is over', async () => {
    const world = await start()
    world.cluster.put(
      'pods',
      podObject({ metadata: annotated({ 'start-delay-ms': '2000', 'ready-delay-ms': '3000' }) }),
    )
    await world.clock.advance(1_000)
    expect(world.pod()['status']).toMatchObject({
      phase: 'Pending',
      containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } }, ready: false, started: false }],
    })
    await world.clock.advance(1_000)
    expect(world.pod()['status'].phase).toBe('Running')
    expect(condition(world.pod(), 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [main]',
    })
    await world.clock.advance(3_000)
    expect(condition(world.pod(), 'Ready')['status']).toBe('True')
    expect(world.podWrites()).toHaveLength(3)
  })

  test('turns unready and ready again as its annotation says', async () => {
    const world = await start()
    world.cluster.put('pods', podObject())
    await world.clock.advance(10)
    const set = async (ready: string): Promise<void> => {
      const pod = structuredClone(world.pod())
      pod.metadata.annotations = { 'simulated.shiplog.dev/ready': ready }
      world.cluster.put('pods', pod)
      await world.clock.advance(10)
    }
    await set('false')
    expect(condition(world.pod(), 'Ready')['status']).toBe('False')
    await set('true')
    expect(condition(world.pod(), 'Ready')['status']).toBe('True')
  })

  test('of a Job ends by itself and is Succeeded', async () => {
    const world = await start()
    world.cluster.put(
      'pods',
      podObject({
        metadata: { ownerReferences: [ownerJob] },
        spec: { restartPolicy: 'Never' },
      }),
    )
    await world.clock.advance(5_000)
    expect(world.pod()['status']).toMatchObject({
      phase: 'Succeeded',
      containerStatuses: [{ state: { terminated: { exitCode: 0, reason: 'Completed' } }, ready: false }],
    })
    expect(condition(world.pod(), 'Ready')).toMatchObject({ status: 'False', reason: 'PodCompleted' })
    expect(condition(world.pod(), 'PodReadyToStartContainers')['status']).toBe('False')
  })

  test('that fails for good is Failed with its exit code', async () => {
    const world = await start()
    world.cluster.put(
      'pods',
      podObject({ spec: { restartPolicy: 'Never' }, metadata: annotated({ 'exit-code': '3' }) }),
    )
    await world.clock.advance(100)
    expect(world.pod()['status']).toMatchObject({
      phase: 'Failed',
      containerStatuses: [{ state: { terminated: { exitCode: 3, reason: 'Error' } } }],
    })
    expect(condition(world.pod(), 'Ready')).toMatchObject({ reason: 'PodFailed' })
  })

  test('ends as its plain command lines say, in a Job as well, unless annotations say otherwise', async () => {
    const world = await start()
    const container = (name: string, ...command: string[]): JsonObject => ({ name, image: 'busybox', command })
    const containers = [
      container('main', 'sh', '-c', 'sleep 2; exit 3'),
      container('slow', 'sleep', '300'),
      container('told', 'false'),
    ]
    const metadata = { ...annotated({ 'exit-code.told': '7' }), ownerReferences: [ownerJob] }
    world.cluster.put('pods', podObject({ spec: { restartPolicy: 'Never', containers }, metadata }))
    await world.clock.advance(10_000)
    const codes = (): unknown[] =>
      world.pod()['status'].containerStatuses.map(({ state }: JsonObject) => state['terminated']?.exitCode ?? 'runs')
    expect(codes()).toEqual([3, 'runs', 7])
    await world.clock.advance(300_000)
    expect(codes()).toEqual([3, 0, 7])
    expect(world.pod()['status'].phase).toBe('Failed')
  })

  test('that crashes is started at once, then after 10 s, 20 s and so on up to 5 min', async () => {
    const world = await start()
    world.cluster.put('pods', podObject({ metadata: annotated({ 'exit-code': '1' }) }))
    await world.clock.advance(1_000)
    const container = (): JsonObject => world.pod()['status'].containerStatuses[0]
    expect(container()).toMatchObject({
      restartCount: 1,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 1, reason: 'Error' } },
    })
    expect(container()['state'].waiting.message).toMatch(
      /^back-off 10s restarting failed container=main pod=web_default\(uid-/,
    )
    expect(world.pod()['status'].phase).toBe('Running')
    const counts: number[] = []
    for (const seconds of [10, 20, 40, 80, 160, 300, 300]) {
      await world.clock.advance(seconds * 1_000 - 1_500)
      counts.push(container()['restartCount'])
      await world.clock.advance(1_500)
      counts.push(container()['restartCount'])
    }
    expect(counts).toEqual([1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8])
    expect(container()['state'].waiting.message).toMatch(/^back-off 5m0s /)
  })

  test('runs init containers in order, then sidecars stay while the others run', async () => {
    const world = await start()
    world.cluster.put(
      'pods',
      podObject({
        metadata: annotated({ 'run-seconds.second': '2' }),
        spec: {
          initContainers: [
            { name: 'first', image: 'a' },
            { name: 'side', image: 'b', restartPolicy: 'Always' },
            { name: 'second', image: 'c' },
          ],
        },
      }),
    )
    await world.clock.advance(1_000)
    expect(world.pod()['status']).toMatchObject({
      phase: 'Pending',
      initContainerStatuses: [
        { name: 'first', ready: true, state: { terminated: { exitCode: 0 } } },
        { name: 'side', ready: true, started: true, state: { running: {} } },
        { name: 'second', ready: false, state: { running: {} } },
      ],
      containerStatuses: [{ state: { waiting: { reason: 'PodInitializing' } } }],
    })
    expect(condition(world.pod(), 'Initialized')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotInitialized',
      message: 'containers with incomplete status: [second]',
    })
    await world.clock.advance(1_000)
    expect(world.pod()['status'].phase).toBe('Running')
    expect(condition(world.pod(), 'Ready')['status']).toBe('True')
  })

  test('whose init container fails for good is Failed, and its main container never runs', async () => {
    const world = await start()
    world.cluster.put(
      'pods',
      podObject({
        metadata: annotated({ 'exit-code.setup': '2' }),
        spec: { restartPolicy: 'Never', initContainers: ['first', 'setup', 'never'].map((name) => ({ name, image: 'a' })) },
      }),
    )
    await world.clock.advance(1_000)
    expect(world.pod()['status']).toMatchObject({
      phase: 'Failed',
      // What never began is not told of as lost.
      initContainerStatuses: [
        { state: { terminated: { exitCode: 0 } } },
        { state: { terminated: { exitCode: 2 } } },
        { state: { waiting: { reason: 'PodInitializing' } } },
      ],
      containerStatuses: [{ state: { waiting: { reason: 'PodInitializing' } } }],
    })
  })

  test('runs an ephemeral container that somebody adds, once, and tells of it', async () => {
    const world = await start()
    world.cluster.put(
      'pods',
      podObject({ metadata: annotated({ 'run-seconds.second': '2', 'exit-code.second': '3' }) }),
    )
    await world.clock.advance(1_000)
    const add = (ephemeralContainers: JsonObject[]): void => {
      const pod = structuredClone(world.pod())
      pod['spec'].ephemeralContainers = ephemeralContainers
      world.cluster.put('pods', pod)
    }
    const statuses = (): JsonObject[] => world.pod()['status'].ephemeralContainerStatuses
    add([{ name: 'debugger', image: 'busybox' }])
    await world.clock.advance(1_000)
    expect(statuses()).toMatchObject([
      { name: 'debugger', image: 'busybox', ready: false, restartCount: 0, state: { running: {} } },
    ])
    expect(statuses()[0]!['started']).toBeUndefined()
    expect(condition(world.pod(), 'Ready')['status']).toBe('True')
    // One that ends is not started again, whatever the pod's policy is.
    add([
      { name: 'debugger', image: 'busybox' },
      { name: 'second', image: 'busybox' },
    ])
    await world.clock.advance(60_000)
    expect(statuses()).toMatchObject([
      { name: 'debugger', state: { running: {} } },
      { name: 'second', restartCount: 0, state: { terminated: { exitCode: 3 } } },
    ])
    expect(world.pod()['status'].phase).toBe('Running')
    requestDeletion(world, 30)
    await world.clock.advance(1_000)
    expect(world.cluster.get('pods', 'default/web')).toBeUndefined()
  })

  test('runs an ephemeral container beside an init container that gets nowhere', async () => {
    const world = await start()
    world.cluster.put(
      'pods',
      podObject({
        metadata: annotated({ 'run-seconds.setup': '3600' }),
        spec: {
          initContainers: [{ name: 'setup', image: 'a' }],
          ephemeralContainers: [{ name: 'debugger', image: 'busybox' }],
        },
      }),
    )
    await world.clock.advance(1_000)
    expect(world.pod()['status']).toMatchObject({
      phase: 'Pending',
      ephemeralContainerStatuses: [{ state: { running: {} } }],
    })
  })

  test.each([
    [{ 'exit-code': '1', 'index-2.exit-code': '42' }, '2', '0', 42],
    [{ 'exit-code': '1', 'index-2.exit-code': '42' }, '1', '0', 1],
    [{ 'index-2.exit-code.main': '7', 'exit-code.main': '8' }, '2', '0', 7],
    [{ 'exit-code': '1,2,0' }, '0', '0', 1],
    [{ 'exit-code': '1,2,0' }, '0', '1', 2],
    [{ 'exit-code': '1,2,0' }, '0', '5', 0],
  ])('of an Indexed Job ends as %j says, index %s after %s failures: %d', async (annotations, index, failures, code) => {
    const world = await start()
    const { annotations: own } = annotated(annotations as unknown as Record<string, string>)
    const indexed = {
      'batch.kubernetes.io/job-completion-index': index,
      'batch.kubernetes.io/job-index-failure-count': failures,
    }
    world.cluster.put(
      'pods',
      podObject({ metadata: { annotations: { ...own, ...indexed } }, spec: { restartPolicy: 'Never' } }),
    )
    await world.clock.advance(1_000)
    expect(world.pod()['status'].containerStatuses[0].state.terminated.exitCode).toBe(code)
  })

  test('whose image cannot be pulled waits, and says so', async () => {
    const world = await start()
    world.cluster.put('pods', podObject({ metadata: annotated({ fail: 'ErrImagePull' }) }))
    await world.clock.advance(500)
    const waiting = (): JsonObject => world.pod()['status'].containerStatuses[0].state.waiting
    expect(waiting()).toMatchObject({ reason: 'ErrImagePull' })
    await world.clock.advance(2_000)
    expect(waiting()).toMatchObject({ reason: 'ImagePullBackOff', message: expect.stringMatching(/^Back-off pulling image "nginx.*": ErrImagePull: /) })
    // Pulled again after 10 s, 20 s and so on: between them it fails once more.
    await world.clock.advance(8_000)
    expect(waiting()).toMatchObject({ reason: 'ErrImagePull' })
    await world.clock.advance(15_000)
    expect(waiting()).toMatchObject({ reason: 'ImagePullBackOff' })
    expect(world.pod()['status'].phase).toBe('Pending')
  })

  test.each([
    ['nginx:1.29', true],
    ['web:404, nginx:*', true],
    ['*', true],
    ['ng*x*29', true],
    ['nginx', false],
    ['nginx:1.2', false],
    ['ng*x*x*29', false],
    ['', false],
  ])('whose image its node has not, by %j, waits until it has: %s', async (names, waits) => {
    const world = await start()
    const node = world.cluster.get('nodes', '/node-0')!
    const missing = { 'simulated.shiplog.dev/missing-images': names }
    const annotate = (annotations: JsonObject): void =>
      void world.cluster.put('nodes', { ...node, metadata: { ...node.metadata, annotations } })
    annotate(missing)
    world.cluster.put('pods', podObject())
    await world.clock.advance(500)
    const state = (): JsonObject => world.pod()['status'].containerStatuses[0].state
    expect(state()['waiting']?.reason).toBe(waits ? 'ErrImagePull' : undefined)
    annotate({})
    await world.clock.advance(30_000)
    expect(state()).toMatchObject({ running: {} })
  })

  test('that names a node whose port another has is Failed as a kubelet tells it, and never runs', async () => {
    const world = await start()
    const ports = [{ containerPort: 80, hostPort: 80 }]
    const spec = { containers: [{ name: 'main', image: 'nginx', ports }] }
    world.cluster.put('pods', podObject({ name: 'first', spec }))
    world.cluster.put('pods', podObject({ spec }))
    await world.clock.advance(1_000)
    expect(world.pod('first')['status'].phase).toBe('Running')
    const { phase, reason, message, podIP, containerStatuses, conditions } = world.pod()['status']
    expect({ phase, reason, podIP, containerStatuses }).toEqual({ phase: 'Failed', reason: 'NodePorts' })
    expect(message).toBe(
      "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    )
    expect(conditions.map(({ type }: JsonObject) => type)).toEqual(['PodScheduled'])
    requestDeletion(world, 30)
    await world.clock.advance(1_000)
    expect(world.pod()).toBeUndefined()
  })

  test('past its deadline is stopped and Failed', async () => {
    const world = await start()
    world.cluster.put('pods', podObject({ spec: { restartPolicy: 'Never', activeDeadlineSeconds: 5 } }))
    await world.clock.advance(4_000)
    expect(world.pod()['status'].phase).toBe('Running')
    await world.clock.advance(1_000)
    expect(world.pod()['status']).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' })
  })
})

describe('deletion', () => {
  test('stops the containers within the grace, reports their end, then ends the object by its uid', async () => {
    const world = await start({ runtime: { stopDelayMs: 1_000 } })
    world.cluster.put('pods', podObject())
    await world.clock.advance(10)
    const { uid } = world.pod().metadata
    requestDeletion(world, 30)
    await world.clock.advance(900)
    expect(world.pod()).toBeDefined()
    expect(world.podWrites()).toHaveLength(1)
    await world.clock.advance(1_600)
    expect(world.pod()).toBeUndefined()
    const [, status, end] = world.podWrites()
    expect((status!.body as JsonObject)['status']).toMatchObject({
      phase: 'Succeeded',
      containerStatuses: [{ state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
    })
    expect(end).toMatchObject({ verb: 'delete', body: { gracePeriodSeconds: 0, preconditions: { uid } } })
    expect(world.agent.podCount()).toBe(0)
  })

  test('kills what does not stop within the grace', async () => {
    const world = await start({ runtime: { stopDelayMs: 60_000 } })
    world.cluster.put('pods', podObject())
    await world.clock.advance(10)
    requestDeletion(world, 5)
    await world.clock.advance(4_900)
    expect(world.pod()).toBeDefined()
    await world.clock.advance(200)
    expect(world.pod()).toBeUndefined()
    expect((world.podWrites()[1]!.body as JsonObject)['status']).toMatchObject({
      phase: 'Failed',
      containerStatuses: [{ state: { terminated: { exitCode: 137, reason: 'Error' } } }],
    })
  })

  test('stops sidecars after the main containers', async () => {
    const world = await start()
    world.cluster.put(
      'pods',
      podObject({
        metadata: annotated({ 'stop-delay-ms': '1000', 'stop-delay-ms.side': '1000' }),
        spec: { initContainers: [{ name: 'side', image: 'b', restartPolicy: 'Always' }] },
      }),
    )
    await world.clock.advance(10)
    requestDeletion(world, 30)
    await world.clock.advance(1_500)
    expect(world.pod()).toBeDefined()
    await world.clock.advance(1_000)
    expect(world.pod()).toBeUndefined()
    const reported = (field: string): string[] =>
      world
        .podWrites()
        .map(({ body }) => (body as JsonObject)['status']?.[field]?.[0]?.state?.terminated?.finishedAt)
        .filter((time) => time !== undefined)
    expect(reported('containerStatuses')).toEqual(['2026-01-01T00:00:01Z'])
    expect(reported('initContainerStatuses')).toEqual(['2026-01-01T00:00:02Z'])
  })

  test('is tried again until the API accepts it', async () => {
    const world = await start()
    world.cluster.put('pods', podObject())
    await world.clock.advance(10)
    refuse(world.cluster, ({ verb }) => verb === 'delete')
    requestDeletion(world, 30)
    await world.clock.advance(3_000)
    expect(world.pod()).toBeDefined()
    world.cluster.intercept = undefined
    await world.clock.advance(6_000)
    expect(world.pod()).toBeUndefined()
  })

  test('of a pod that has finalizers is asked for once', async () => {
    const world = await start()
    world.cluster.put('pods', podObject({ metadata: { finalizers: ['example.com/x'] } }))
    await world.clock.advance(10)
    requestDeletion(world, 0)
    await world.clock.advance(1_000)
    const label = structuredClone(world.pod())
    label.metadata.labels = { x: 'y' }
    world.cluster.put('pods', label)
    await world.clock.advance(10_000)
    expect(world.podWrites().map(({ verb }) => verb)).toEqual(['patch', 'patch', 'delete'])
  })

  test('frees the address, and a new pod of the same name gets a life of its own', async () => {
    const world = await start()
    world.cluster.put('pods', podObject())
    await world.clock.advance(10)
    const first = world.pod()['status'].podIP
    world.cluster.remove('pods', 'default/web')
    world.cluster.put('pods', podObject({ metadata: { uid: 'second' } }))
    await world.clock.advance(10)
    expect(world.pod()['status']).toMatchObject({ phase: 'Running' })
    expect(world.pod()['status'].podIP).not.toBe(first)
    expect(world.agent.podCount()).toBe(1)
  })
})

describe('a restart of the agent', () => {
  test('adopts running pods without a write and without restarting them', async () => {
    const world = await start()
    world.cluster.put('pods', podObject())
    await world.clock.advance(10)
    const before = structuredClone(world.pod())
    await world.agent.stop()
    await world.clock.advance(60_000)
    const again = await start({ cluster: world.cluster, clock: world.clock })
    await again.clock.advance(1_000)
    expect(again.pod()).toEqual(before)
    again.cluster.put('pods', podObject({ name: 'other' }))
    await again.clock.advance(10)
    expect(again.pod('other')['status'].podIP).not.toBe(before['status'].podIP)
  })

  test('goes on with a crash loop where it was', async () => {
    const world = await start()
    world.cluster.put('pods', podObject({ metadata: annotated({ 'exit-code': '1' }) }))
    await world.clock.advance(11_000)
    expect(world.pod()['status'].containerStatuses[0].restartCount).toBe(2)
    await world.agent.stop()
    const again = await start({ cluster: world.cluster, clock: world.clock })
    await again.clock.advance(10_000)
    expect(again.pod()['status'].containerStatuses[0].restartCount).toBe(2)
    await again.clock.advance(11_000)
    expect(again.pod()['status'].containerStatuses[0].restartCount).toBe(3)
  })

  test('finishes a deletion that was begun', async () => {
    const world = await start({ runtime: { stopDelayMs: 5_000 } })
    world.cluster.put('pods', podObject())
    await world.clock.advance(10)
    requestDeletion(world, 30)
    await world.clock.advance(1_000)
    await world.agent.stop()
    const again = await start({ cluster: world.cluster, clock: world.clock, runtime: { stopDelayMs: 5_000 } })
    await again.clock.advance(6_000)
    expect(again.pod()).toBeUndefined()
  })

  test('refreshes its nodes and keeps the time since when they are ready', async () => {
    const world = await start()
    const since = condition(world.cluster.get('nodes', '/node-0')!, 'Ready')['lastTransitionTime']
    await world.agent.stop()
    await world.clock.advance(60_000)
    await start({ cluster: world.cluster, clock: world.clock })
    const ready = condition(world.cluster.get('nodes', '/node-0')!, 'Ready')
    expect(ready['lastTransitionTime']).toBe(since)
    expect(ready['lastHeartbeatTime']).not.toBe(since)
  })
})

test('a thousand pods on a hundred nodes run after one write each, and cost no timer while they run', async () => {
  const world = await start({ count: 100 })
  await world.clock.advance(1_000)
  const timersBefore = world.clock.timerCount()
  for (let index = 0; index < 1_000; index++) {
    world.cluster.put('pods', podObject({ name: `p-${index}`, spec: { nodeName: `node-${index % 100}` } }))
  }
  const startedMs = performance.now()
  while (world.podWrites().length < 1_000 && performance.now() - startedMs < 20_000) await world.clock.advance(1)
  await world.clock.advance(100)
  expect(world.podWrites()).toHaveLength(1_000)
  expect(new Set(Array.from({ length: 1_000 }, (_, index) => world.pod(`p-${index}`)['status'].podIP)).size).toBe(
    1_000,
  )
  expect(world.clock.timerCount()).toBeLessThanOrEqual(timersBefore + 2)
}, 60_000)
