// Making room: who goes, what is told of it, and what later decisions make of it.
import type { Ids } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { testNode, testPod } from '@shiplog/scheduling/testing/test-objects'
import { createFakeCluster, type FakeCluster } from '@shiplog/testing/fake-cluster'
import { createManualClock, settle } from '@shiplog/testing/manual-clock'
import { expect, test } from 'vitest'
import { createScheduler } from './scheduler.ts'

const ids: Ids = { uuid: () => '11111111-2222-4333-8444-555555555555', integer: () => 0 }

function setUp() {
  const clock = createManualClock()
  const cluster = createFakeCluster(clock)
  const scheduler = createScheduler({ feed: cluster.feed, client: cluster.client(), clock, ids, log: silentLogger })
  return { clock, cluster, scheduler }
}

const running = (name: string, node: string, priority: number, cpu = '2') => {
  const pod = testPod(name, { requests: { cpu }, spec: { priority, nodeName: node } })
  return { ...pod, status: { phase: 'Running', startTime: '2026-01-01T00:00:00Z' } }
}

const urgent = (name: string, spec = {}) =>
  testPod(name, { requests: { cpu: '3' }, spec: { priority: 1000, preemptionPolicy: 'PreemptLowerPriority', ...spec } })

const messages = (cluster: FakeCluster, reason: string) =>
  cluster.list('events').filter((event) => event.reason === reason)

test('the cheapest victims go, are told why, and the pod gets their place', async () => {
  const { clock, cluster, scheduler } = setUp()
  for (const node of ['a', 'b']) cluster.put('nodes', testNode(node))
  cluster.put('pods', running('cheap-1', 'a', 1))
  cluster.put('pods', running('cheap-2', 'a', 2))
  cluster.put('pods', running('dear-1', 'b', 5))
  cluster.put('pods', running('dear-2', 'b', 5))
  await scheduler.start()
  cluster.put('pods', urgent('urgent'))
  await settle()
  await clock.advance(100)
  const waiting = cluster.get('pods', 'default/urgent')!
  expect(waiting.status).toMatchObject({
    nominatedNodeName: 'a',
    conditions: [{ type: 'PodScheduled', reason: 'Unschedulable', message: '0/2 nodes are available: 2 Insufficient cpu.' }],
  })
  const victim = cluster.get('pods', 'default/cheap-1')!
  expect(victim.metadata.deletionTimestamp).toBeDefined()
  expect(victim.status.conditions).toContainEqual(
    expect.objectContaining({
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: 'default-scheduler: preempting to accommodate a higher priority pod',
    }),
  )
  expect(cluster.get('pods', 'default/dear-1')!.metadata.deletionTimestamp).toBeUndefined()
  expect(messages(cluster, 'Preempted')).toMatchObject([
    { message: 'Preempted by pod uid-urgent on node a', involvedObject: { name: 'cheap-2' }, related: { name: 'urgent' } },
    { message: 'Preempted by pod uid-urgent on node a', involvedObject: { name: 'cheap-1' } },
  ])
  // Its condition comes before the deletion, which says what made it happen.
  const deletion = cluster.requests.find(({ request }) => request.verb === 'delete')!.request
  expect(deletion).toMatchObject({ name: 'cheap-2', cause: expect.any(Number), body: { preconditions: { uid: 'uid-cheap-2' } } })
  expect(cluster.attempts.at(-1)!.record).toMatchObject({
    preemption: { node: 'a', victims: ['uid-cheap-2', 'uid-cheap-1'] },
  })
  for (const name of ['cheap-1', 'cheap-2']) cluster.remove('pods', `default/${name}`)
  await clock.advance(2_000)
  await settle()
  const placed = cluster.get('pods', 'default/urgent')!
  expect(placed.spec.nodeName).toBe('a')
  expect(placed.status.nominatedNodeName).toBeUndefined()
  await scheduler.stop()
})

test('the room is kept from less important pods, and nobody else is asked to go meanwhile', async () => {
  const { clock, cluster, scheduler } = setUp()
  cluster.put('nodes', testNode('a'))
  cluster.put('pods', running('victim', 'a', 1))
  cluster.put('pods', running('bystander', 'a', 1, '500m'))
  await scheduler.start()
  cluster.put('pods', urgent('urgent'))
  await settle()
  cluster.remove('pods', 'default/victim')
  cluster.put('pods', testPod('small', { requests: { cpu: '1' } }))
  await settle()
  expect(cluster.get('pods', 'default/small')!.spec.nodeName).toBeUndefined()
  await clock.advance(2_000)
  await settle()
  expect(cluster.get('pods', 'default/urgent')!.spec.nodeName).toBe('a')
  expect(cluster.get('pods', 'default/bystander')!.metadata.deletionTimestamp).toBeUndefined()
  expect(cluster.requests.filter(({ request }) => request.verb === 'delete')).toHaveLength(1)
  await scheduler.stop()
})

test('a pod that may not preempt says so', async () => {
  const { clock, cluster, scheduler } = setUp()
  cluster.put('nodes', testNode('a'))
  cluster.put('pods', running('there', 'a', 1))
  await scheduler.start()
  cluster.put('pods', urgent('polite', { preemptionPolicy: 'Never' }))
  await settle()
  await clock.advance(100)
  const { status } = cluster.get('pods', 'default/polite')!
  expect(status.nominatedNodeName).toBeUndefined()
  expect(status.conditions![0]!.message).toContain('preemption: not eligible due to preemptionPolicy=Never.')
  expect(cluster.requests.some(({ request }) => request.verb === 'delete')).toBe(false)
  await scheduler.stop()
})

test('a victim that cannot be deleted does not leave the pod waiting for it', async () => {
  const { clock, cluster, scheduler } = setUp()
  cluster.put('nodes', testNode('a'))
  cluster.put('pods', running('victim', 'a', 1))
  let refusals = 0
  cluster.intercept = (request) => {
    if (request.verb !== 'delete' || refusals++ > 0) return undefined
    return { ok: false, code: 403, status: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 403, message: 'no' } as never }
  }
  await scheduler.start()
  cluster.put('pods', urgent('urgent'))
  await settle()
  await clock.advance(2_000)
  await settle()
  expect(refusals).toBeGreaterThan(1)
  expect(cluster.get('pods', 'default/victim')?.metadata.deletionTimestamp).toBeDefined()
  await scheduler.stop()
})
