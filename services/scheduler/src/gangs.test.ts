// Gangs as users meet them: pods that name a PodGroup are placed together or not at all.
import type { JsonObject } from '@shiplog/api/kube-object'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger as log } from '@shiplog/runtime/logger'
import { testNode, testPod } from '@shiplog/scheduling/testing/test-objects'
import { createFakeCluster, type FakeCluster } from '@shiplog/testing/fake-cluster'
import { createManualClock, settle } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { createScheduler } from './scheduler.ts'

async function setUp(nodes: number) {
  const clock = createManualClock()
  const cluster = createFakeCluster(clock)
  for (let node = 0; node < nodes; node++) cluster.put('nodes', testNode(`n${node}`, { allocatable: { cpu: '2', pods: '10' } }))
  const scheduler = createScheduler({ feed: cluster.feed, client: cluster.client(), clock, ids, log })
  await scheduler.start()
  const pass = async (ms = 1_000): Promise<void> => {
    await clock.advance(ms)
    await settle()
  }
  return { cluster, scheduler, pass }
}

const putGroup = (cluster: FakeCluster, name: string, policy: JsonObject): void =>
  void cluster.put('podgroups.scheduling.k8s.io', {
    ...{ apiVersion: 'scheduling.k8s.io/v1alpha2', kind: 'PodGroup', metadata: { name, namespace: 'default' } },
    spec: { schedulingPolicy: policy },
  })

const putMember = (cluster: FakeCluster, name: string, podGroupName: string, cpu = '1'): void =>
  void cluster.put('pods', testPod(name, { requests: { cpu }, spec: { schedulingGroup: { podGroupName } } }))

const nodeOf = (cluster: FakeCluster, name: string) => cluster.get('pods', `default/${name}`)?.spec.nodeName
const placed = (cluster: FakeCluster, names: readonly string[]): number => names.filter((name) => nodeOf(cluster, name)).length
const conditionOf = (cluster: FakeCluster, name: string) => cluster.get('pods', `default/${name}`)?.status.conditions?.[0]
const groupCondition = (cluster: FakeCluster, name: string) =>
  cluster.get('podgroups.scheduling.k8s.io', `default/${name}`)?.status?.conditions?.[0]

test('pods wait for their group, and for as many as it asks for; then they are bound by one request', async () => {
  const { cluster, scheduler, pass } = await setUp(3)
  for (const name of ['a', 'b']) putMember(cluster, name, 'gang')
  await pass()
  expect(scheduler.queueDepths()).toMatchObject({ gated: 2 })
  putGroup(cluster, 'gang', { gang: { minCount: 3 } })
  await pass()
  expect(placed(cluster, ['a', 'b'])).toBe(0)
  putMember(cluster, 'c', 'gang')
  await pass()
  expect(placed(cluster, ['a', 'b', 'c'])).toBe(3)
  const bindings = cluster.requests.filter(({ request }) => request.resource === 'bindings')
  expect(bindings).toHaveLength(1)
  expect(groupCondition(cluster, 'gang')).toMatchObject({ type: 'PodGroupScheduled', status: 'True', reason: 'Scheduled' })
  // Beyond what is asked for they come one by one.
  putMember(cluster, 'd', 'gang')
  await pass()
  expect(nodeOf(cluster, 'd')).toBeDefined()
  await scheduler.stop()
})

test('a gang that does not fit takes no room, says so, and is placed when there is room for all', async () => {
  const { cluster, scheduler, pass } = await setUp(2)
  const names = ['a', 'b', 'c']
  putGroup(cluster, 'gang', { gang: { minCount: 3 } })
  for (const name of names) putMember(cluster, name, 'gang', '1500m')
  await pass()
  expect(placed(cluster, names)).toBe(0)
  expect(groupCondition(cluster, 'gang')).toMatchObject({ status: 'False', reason: 'Unschedulable', message: 'pod group is unschedulable' })
  const messages = names.map((name) => conditionOf(cluster, name)?.message).sort()
  expect(messages).toEqual([
    '0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.',
    ...Array.from({ length: 2 }, () => 'waiting for minCount pods from a gang to be scheduled'),
  ])
  // What the gang would have taken is there for others.
  for (const name of ['x', 'y']) cluster.put('pods', testPod(name, { requests: { cpu: '400m' } }))
  await pass()
  expect(placed(cluster, ['x', 'y'])).toBe(2)
  cluster.put('nodes', testNode('n2', { allocatable: { cpu: '2', pods: '10' } }))
  await pass(20_000)
  expect(placed(cluster, names)).toBe(3)
  expect(groupCondition(cluster, 'gang')).toMatchObject({ status: 'True' })
  await scheduler.stop()
})

test('when a pod of the gang goes while all are being bound, none is bound; the others are tried again', async () => {
  const { cluster, scheduler, pass } = await setUp(3)
  let isFirst = true
  cluster.intercept = (request, carryOut) => {
    if (request.resource !== 'bindings' || !isFirst) return undefined
    isFirst = false
    cluster.remove('pods', 'default/b')
    return carryOut()
  }
  putGroup(cluster, 'gang', { gang: { minCount: 2 } })
  for (const name of ['a', 'b', 'c']) putMember(cluster, name, 'gang')
  await settle()
  expect(isFirst).toBe(false)
  expect(placed(cluster, ['a', 'c'])).toBe(0)
  await pass(20_000)
  expect(placed(cluster, ['a', 'c'])).toBe(2)
  await scheduler.stop()
})

test('a pod that comes while its gang is being bound does not go ahead of it', async () => {
  const { cluster, scheduler, pass } = await setUp(3)
  let refuse = true
  cluster.intercept = (request) => {
    if (request.resource !== 'bindings' || !refuse) return undefined
    putMember(cluster, 'late', 'gang')
    refuse = false
    return { ok: false, code: 409, status: { code: 409, status: 'Failure', reason: 'Conflict', message: 'somebody was faster' } as never }
  }
  putGroup(cluster, 'gang', { gang: { minCount: 2 } })
  for (const name of ['a', 'b']) putMember(cluster, name, 'gang')
  await settle()
  for (let step = 0; step < 40; step++) {
    await pass(500)
    const count = placed(cluster, ['a', 'b', 'late'])
    expect([0, 2, 3]).toContain(count)
  }
  expect(placed(cluster, ['a', 'b', 'late'])).toBe(3)
  await scheduler.stop()
})

test('pods of a basic group are placed one by one', async () => {
  const { cluster, scheduler, pass } = await setUp(1)
  putGroup(cluster, 'loose', { basic: {} })
  for (const name of ['a', 'b', 'c']) putMember(cluster, name, 'loose')
  await pass()
  expect(placed(cluster, ['a', 'b', 'c'])).toBe(2)
  expect(cluster.requests.filter(({ request }) => request.resource === 'bindings')).toEqual([])
  await scheduler.stop()
})
