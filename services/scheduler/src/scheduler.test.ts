import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { forbidden } from '@shiplog/api/status'
import type { Ids } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { createMetricsRegistry, type MetricsRegistry } from '@shiplog/runtime/metrics'
import {
  createProfile,
  defaultConfiguration,
  type SchedulerConfiguration,
} from '@shiplog/scheduling/framework/configuration'
import { schedule } from '@shiplog/scheduling/framework/schedule'
import { Snapshot } from '@shiplog/scheduling/snapshot/snapshot'
import { testNode, testPod } from '@shiplog/scheduling/testing/test-objects'
import { describe, expect, test } from 'vitest'
import { createFakeCluster, type FakeCluster } from '@shiplog/testing/fake-cluster'
import { createManualClock, settle } from '@shiplog/testing/manual-clock'
import { bindingsOf, onBinding } from './testing/bindings.ts'
import { createScheduler } from './scheduler.ts'

const ids: Ids = { uuid: () => '11111111-2222-4333-8444-555555555555', integer: () => 0 }

const metricsOf = new WeakMap<object, MetricsRegistry>()

function setUp(options: { profiles?: readonly SchedulerConfiguration[]; cluster?: FakeCluster } = {}) {
  const clock = createManualClock()
  const cluster = options.cluster ?? createFakeCluster(clock)
  const metrics = createMetricsRegistry()
  const scheduler = createScheduler({
    feed: cluster.feed,
    client: cluster.client(),
    clock,
    ids,
    log: silentLogger,
    metrics,
    ...(options.profiles ? { profiles: options.profiles } : {}),
  })
  metricsOf.set(scheduler, metrics)
  return { cluster, clock, scheduler }
}

const nodeOf = (cluster: FakeCluster, name: string): string | undefined => cluster.get('pods', `default/${name}`)?.['spec'].nodeName
const condition = (cluster: FakeCluster, name: string): JsonObject | undefined =>
  cluster.get('pods', `default/${name}`)?.['status'].conditions?.[0]
const decisionOf = (request: { decision?: string }): JsonObject => JSON.parse(request.decision!)

const attemptsTotal = (scheduler: ReturnType<typeof createScheduler>, result: string): number =>
  metricsOf
    .get(scheduler)!
    .samples()
    .find(({ name, labels }) => name === 'scheduler_schedule_attempts_total' && labels['result'] === result)?.value ?? 0

describe('scheduling', () => {
  test('1,000 pods go to 50 nodes, and no node gets more than it has', async () => {
    const { cluster, scheduler, clock } = setUp()
    for (let node = 0; node < 50; node++) cluster.put('nodes', testNode(`n${node}`, { allocatable: { pods: '20' } }))
    for (let pod = 0; pod < 300; pod++) cluster.put('pods', testPod(`p${pod}`))
    await scheduler.start()
    for (let pod = 300; pod < 1000; pod++) {
      cluster.put('pods', testPod(`p${pod}`))
      if (pod % 50 === 0) await settle(1)
    }
    await settle(200)
    await clock.advance(1_000)
    const perNode = new Map<string, number>()
    for (let pod = 0; pod < 1000; pod++) {
      const node = nodeOf(cluster, `p${pod}`)!
      perNode.set(node, (perNode.get(node) ?? 0) + 1)
    }
    expect([...perNode.values()]).toEqual(Array.from({ length: 50 }, () => 20))
    expect(attemptsTotal(scheduler, 'scheduled')).toBe(1000)
    expect(cluster.list('events')).toHaveLength(1000)
    expect(cluster.list('events').find(({ involvedObject }) => involvedObject.name === 'p7')).toMatchObject({
      reason: 'Scheduled',
      type: 'Normal',
      reportingComponent: 'default-scheduler',
      message: `Successfully assigned default/p7 to ${nodeOf(cluster, 'p7')}`,
    })
    await scheduler.stop()
  })

  test('waits for the feed, and then takes only its own pods that may be scheduled', async () => {
    const { cluster, scheduler } = setUp()
    expect(scheduler.health()).toEqual([expect.objectContaining({ ok: false })])
    cluster.put('nodes', testNode('n'))
    cluster.put('pods', testPod('mine'))
    cluster.put('pods', testPod('other', { spec: { schedulerName: 'other' } }))
    cluster.put('pods', testPod('gated', { spec: { schedulingGates: [{ name: 'g' }] } }))
    cluster.put('pods', testPod('leaving', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }))
    await scheduler.start()
    expect(scheduler.health()).toEqual([{ name: 'informer-sync', ok: true }])
    await settle()
    expect(['mine', 'other', 'gated', 'leaving'].map((name) => nodeOf(cluster, name))).toEqual([
      'n',
      undefined,
      undefined,
      undefined,
    ])
    expect(scheduler.queueDepths()).toEqual({ active: 0, backoff: 0, unschedulable: 0, gated: 1 })
    cluster.put('pods', testPod('gated'))
    await settle()
    expect(nodeOf(cluster, 'gated')).toBe('n')
    await scheduler.stop()
  })

  test('each profile decides about the pods that name it, in its own way', async () => {
    const packing = {
      ...defaultConfiguration,
      schedulerName: 'packing',
      plugins: defaultConfiguration.plugins.map((choice) =>
        choice.name === 'NodeResourcesFit' ? { ...choice, args: { strategy: 'MostAllocated' }, weight: 50 } : choice,
      ),
    }
    const { cluster, clock, scheduler } = setUp({ profiles: [defaultConfiguration, packing] })
    for (const name of ['a', 'b']) cluster.put('nodes', testNode(name))
    cluster.put('pods', testPod('there', { requests: { cpu: '1', memory: '1Gi' }, spec: { nodeName: 'a' } }))
    await scheduler.start()
    for (const schedulerName of ['default-scheduler', 'packing', 'nobody'])
      cluster.put('pods', testPod(`of-${schedulerName}`, { spec: { schedulerName } }))
    await settle()
    await clock.advance(100)
    expect(['default-scheduler', 'packing', 'nobody'].map((name) => nodeOf(cluster, `of-${name}`))).toEqual(['b', 'a', undefined])
    expect(new Set(bindingsOf(cluster).map(({ request }) => decisionOf(request)['configuration'])).size).toBe(2)
    expect(cluster.list('events').map(({ reportingComponent }) => reportingComponent).sort()).toEqual(['default-scheduler', 'packing'])
    await scheduler.stop()
  })

  test('a pod that waits for company goes to it as soon as it is there', async () => {
    const { cluster, clock, scheduler } = setUp()
    for (const name of ['a', 'b']) cluster.put('nodes', testNode(name))
    const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'db' } } }
    const affinity = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } }
    await scheduler.start()
    cluster.put('pods', testPod('lonely', { spec: { affinity } }))
    await settle()
    await clock.advance(10)
    expect(condition(cluster, 'lonely')).toMatchObject({
      message: expect.stringContaining("0/2 nodes are available: 2 node(s) didn't match pod affinity rules."),
    })
    cluster.put('pods', testPod('stranger', { spec: { nodeName: 'a' } }))
    await clock.advance(20_000)
    expect(nodeOf(cluster, 'lonely')).toBeUndefined()
    cluster.put('pods', testPod('company', { metadata: { labels: { app: 'db' } }, spec: { nodeName: 'b' } }))
    await clock.advance(2_000)
    await settle()
    expect(nodeOf(cluster, 'lonely')).toBe('b')
    expect(attemptsTotal(scheduler, 'unschedulable')).toBe(1)
    await scheduler.stop()
  })

  test('assumed pods take room before the feed shows them', async () => {
    const { cluster, scheduler } = setUp()
    cluster.put('nodes', testNode('n'))
    await scheduler.start()
    for (let pod = 0; pod < 6; pod++) cluster.put('pods', testPod(`p${pod}`, { requests: { cpu: '1' } }))
    await settle(1)
    cluster.holdFeed(true)
    await settle()
    expect(bindingsOf(cluster)).toHaveLength(4)
    expect(decisionOf(bindingsOf(cluster)[3]!.request)).toMatchObject({ number: 4, assumed: { count: 3, openFrom: 1 } })
    cluster.holdFeed(false)
    await settle()
    expect(bindingsOf(cluster)).toHaveLength(4)
    expect(scheduler.queueDepths().unschedulable).toBe(2)
    cluster.remove('pods', 'default/p0')
    await settle()
    expect(bindingsOf(cluster)).toHaveLength(5)
    await scheduler.stop()
  })

  test('a run with the same input and seed decides the same, with another seed it does not', async () => {
    const run = async (seed: number) => {
      const { cluster, scheduler } = setUp({ profiles: [{ ...defaultConfiguration, seed }] })
      for (let node = 0; node < 30; node++) cluster.put('nodes', testNode(`n${node}`))
      for (let pod = 0; pod < 40; pod++) cluster.put('pods', testPod(`p${pod}`))
      await scheduler.start()
      await settle()
      await scheduler.stop()
      return Array.from({ length: 40 }, (_, pod) => nodeOf(cluster, `p${pod}`))
    }
    const first = await run(1)
    expect(first).not.toContain(undefined)
    expect(await run(1)).toEqual(first)
    expect(await run(2)).not.toEqual(first)
  })

  test('every recorded decision can be computed again from the log and the record', async () => {
    const configuration = { ...defaultConfiguration, seed: 5 }
    const { cluster, scheduler, clock } = setUp({ profiles: [configuration] })
    for (let node = 0; node < 7; node++) cluster.put('nodes', testNode(`n${node}`))
    const seen = new Set<string>()
    onBinding(cluster, ({ name }) => {
      if (seen.has(name!)) return undefined
      seen.add(name!)
      if (seen.size % 11 !== 0) return undefined
      return { ok: false, code: 403, status: forbidden({ group: '', resource: 'pods' }, name!, 'not today') }
    })
    await scheduler.start()
    for (let pod = 0; pod < 120; pod++) {
      cluster.put('pods', testPod(`p${pod}`, { requests: { cpu: `${100 + (pod % 5) * 50}m` } }))
      if (pod % 3 === 0) await settle(1)
      if (pod % 17 === 0) cluster.holdFeed(pod % 2 === 0)
      if (pod % 40 === 39) cluster.remove('pods', `default/p${pod - 20}`)
    }
    cluster.holdFeed(false)
    await clock.advance(20_000)
    await scheduler.stop()

    const profile = createProfile(configuration)
    const refusals = cluster.attempts.filter(({ record }) => record['refused'])
    const made = [
      ...bindingsOf(cluster).map(({ request, sequence }) => ({
        ...decisionOf(request),
        pod: request.name!,
        visibleAt: sequence,
        until: Number.POSITIVE_INFINITY,
      })),
      ...refusals.map(({ pod, record }) => ({
        ...record,
        pod,
        visibleAt: Number.POSITIVE_INFINITY,
        until: record['forgottenBefore'] as number,
      })),
    ] as (JsonObject & { pod: string; visibleAt: number; until: number })[]
    const ofPods = cluster.changes.filter(({ groupResource }) => groupResource === 'pods')
    let withAssumed = 0
    for (const { request } of bindingsOf(cluster)) {
      const record = decisionOf(request)
      const snapshot = new Snapshot()
      for (const change of cluster.changes.filter(({ sequence }) => sequence <= request.basis!)) {
        const object = change.object as JsonObject
        if (change.groupResource === 'nodes') snapshot.setNode(object as Node)
        else if (change.deleted) snapshot.removePod(object['metadata'].uid)
        else if (change.groupResource === 'pods' && object['spec'].nodeName) snapshot.setPod(object as unknown as Pod)
      }
      for (const other of made) {
        const [number, openFrom, own] = [other['number'], record['assumed'].openFrom, record['number']] as number[]
        if (number! < openFrom! || number! >= own! || other.visibleAt <= request.basis! || other.until <= own!) continue
        const deleted = ofPods.find(({ name, deleted: gone }) => gone && name === other.pod)
        if (deleted && deleted.sequence <= request.basis!) continue
        const spec = ofPods.find(({ name }) => name === other.pod)!.object
        snapshot.assume(snapshot.readPod(spec as unknown as Pod), other['node'])
      }
      expect(snapshot.assumedCount).toBe(record['assumed'].count)
      expect(snapshot.assumedDigest).toBe(record['assumed'].digest)
      if (snapshot.assumedCount > 0) withAssumed++
      const pod = ofPods.find(({ name }) => name === request.name)!.object
      const again = schedule(snapshot.readPod(pod as unknown as Pod), snapshot, profile, record['seed'])
      expect(again.node).toBe(record['node'])
      expect(again.top).toEqual(record['top'])
    }
    expect(bindingsOf(cluster).length).toBeGreaterThan(80)
    expect(refusals.length).toBeGreaterThan(2)
    expect(withAssumed).toBeGreaterThan(20)
  })
})

describe('a pod that fits nowhere', () => {
  const message =
    '0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.'

  async function failed() {
    const setup = setUp()
    const { cluster, scheduler, clock } = setup
    cluster.put('nodes', testNode('a'))
    cluster.put('nodes', testNode('b', { spec: { taints: [{ key: 'x', effect: 'NoSchedule' }] } }))
    cluster.put('pods', testPod('p', { requests: { cpu: '8' } }))
    await scheduler.start()
    await clock.advance(100)
    return setup
  }

  test('gets the condition, an Event object and a record of the attempt, once', async () => {
    const { cluster, scheduler, clock } = await failed()
    expect(condition(cluster, 'p')).toEqual({
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastTransitionTime: '2026-01-01T00:00:00Z',
      observedGeneration: 1,
    })
    await clock.advance(400_000)
    expect(attemptsTotal(scheduler, 'unschedulable')).toBe(2)
    expect(cluster.list('events').map(({ reason, type, message: text }) => [reason, type, text])).toEqual([
      ['FailedScheduling', 'Warning', message],
    ])
    expect(cluster.attempts).toMatchObject([
      { pod: 'p', record: { basis: 3, number: 1, scheduler: 'default-scheduler', message, evaluated: 2, feasible: 0 } },
    ])
    expect(cluster.changes.filter(({ type }) => type === 'PodStatusReported')).toHaveLength(1)
    await scheduler.stop()
  })

  test('is bound as soon as a node comes that has room', async () => {
    const { cluster, scheduler } = await failed()
    cluster.put('nodes', testNode('c', { allocatable: { cpu: '8' } }))
    await settle()
    expect(nodeOf(cluster, 'p')).toBe('c')
    await scheduler.stop()
  })

  test('is told another reason when the reason changes, with the time of the first', async () => {
    const { cluster, scheduler, clock } = await failed()
    await clock.advance(5_000)
    cluster.put('nodes', testNode('b', { allocatable: { cpu: '9' }, spec: { unschedulable: true } }))
    cluster.put('nodes', testNode('b', { allocatable: { cpu: '9' } }))
    cluster.put('nodes', testNode('b', { allocatable: { cpu: '1' } }))
    await clock.advance(100)
    expect(condition(cluster, 'p')).toMatchObject({
      message:
        '0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    })
    expect(cluster.attempts).toHaveLength(2)
    await scheduler.stop()
  })

  test('is not reported again by a scheduler that starts anew', async () => {
    const { cluster, scheduler } = await failed()
    await scheduler.stop()
    const next = setUp({ cluster })
    await next.scheduler.start()
    await next.clock.advance(100)
    expect(attemptsTotal(next.scheduler, 'unschedulable')).toBe(1)
    expect([cluster.attempts.length, cluster.list('events').length]).toEqual([1, 1])
    await next.scheduler.stop()
  })
})

describe('a binding that does not go as planned', () => {
  const full = { requests: { cpu: '4' } }

  test('refused because another scheduler was faster: the room is given back and the pod left alone', async () => {
    const { cluster, scheduler, clock } = setUp()
    for (const name of ['a', 'b']) cluster.put('nodes', testNode(name))
    onBinding(cluster, (request) => {
      cluster.intercept = undefined
      const other = (request.body as JsonObject)['target'].name === 'a' ? 'b' : 'a'
      cluster.put('pods', testPod('p', { ...full, spec: { nodeName: other } }))
      return undefined
    })
    cluster.put('pods', testPod('p', full))
    await scheduler.start()
    await settle()
    cluster.put('pods', testPod('q', full))
    await clock.advance(10_000)
    expect(bindingsOf(cluster).map(({ request }) => request.name)).toEqual(['q'])
    expect(new Set([nodeOf(cluster, 'p'), nodeOf(cluster, 'q')])).toEqual(new Set(['a', 'b']))
    expect(attemptsTotal(scheduler, 'error')).toBe(1)
    await scheduler.stop()
  })

  test('refused for another reason: tried again after the back-off', async () => {
    const { cluster, scheduler, clock } = setUp()
    cluster.put('nodes', testNode('a'))
    cluster.put('pods', testPod('p', full))
    onBinding(cluster, () => ({ ok: false, code: 403, status: forbidden({ group: '', resource: 'pods' }, 'p', 'no') }))
    await scheduler.start()
    await settle()
    cluster.intercept = undefined
    expect(scheduler.queueDepths().backoff).toBe(1)
    await clock.advance(500)
    expect(cluster.attempts).toMatchObject([
      { pod: 'p', record: { number: 1, node: 'a', refused: { code: 403, message: 'pods "p" is forbidden: no' } } },
    ])
    await clock.advance(499)
    expect(nodeOf(cluster, 'p')).toBeUndefined()
    await clock.advance(1)
    expect(nodeOf(cluster, 'p')).toBe('a')
    await scheduler.stop()
  })

  test('stored though the answer was lost: found out, counted once, and never given to another', async () => {
    const { cluster, scheduler, clock } = setUp()
    cluster.put('nodes', testNode('a'))
    cluster.put('pods', testPod('p', full))
    await scheduler.start()
    cluster.holdFeed(true)
    onBinding(cluster, (_, store) => {
      cluster.intercept = undefined
      store()
      throw new Error('connection lost')
    })
    await settle()
    cluster.holdFeed(false)
    cluster.put('pods', testPod('q', full))
    await clock.advance(5_000)
    expect(bindingsOf(cluster).map(({ request }) => request.name)).toEqual(['p'])
    expect(attemptsTotal(scheduler, 'scheduled')).toBe(1)
    expect(scheduler.queueDepths().unschedulable).toBe(1)
    await scheduler.stop()
  })

  test('the feed breaks while bindings are under way: what was assumed stays assumed', async () => {
    const { cluster, scheduler, clock } = setUp()
    cluster.put('nodes', testNode('a'))
    cluster.put('pods', testPod('p', full))
    const answer = Promise.withResolvers<void>()
    const fast = cluster.client()
    const { request } = fast
    const client = {
      ...fast,
      request: async (what: Parameters<typeof request>[0]) => {
        if (what.subresource === 'binding' && what.name === 'p') await answer.promise
        return request(what)
      },
    }
    const slow = createScheduler({ feed: cluster.feed, client, clock, ids, log: silentLogger })
    await slow.start()
    await settle()
    cluster.breakFeed()
    cluster.put('pods', testPod('q', full))
    await clock.advance(2_000)
    expect(slow.queueDepths()).toMatchObject({ active: 0, unschedulable: 1 })
    answer.resolve()
    await settle()
    expect(bindingsOf(cluster).map(({ request: bound }) => bound.name)).toEqual(['p'])
    await slow.stop()
    await scheduler.stop()
  })
})
