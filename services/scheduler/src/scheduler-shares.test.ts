import type { JsonObject } from '@shiplog/api/kube-object'
import { decidedElsewhere } from '@shiplog/api/status'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger as log } from '@shiplog/runtime/logger'
import { testNode, testPod } from '@shiplog/scheduling/testing/test-objects'
import { describe, expect, test } from 'vitest'
import { createFakeCluster, type FakeCluster } from '@shiplog/testing/fake-cluster'
import { createManualClock, settle } from '@shiplog/testing/manual-clock'
import { bindingsOf, onBinding } from './testing/bindings.ts'
import { createScheduler } from './scheduler.ts'

const boundNames = (cluster: FakeCluster): string[] => bindingsOf(cluster).map(({ request }) => request.name!).sort()

function setUp() {
  const clock = createManualClock()
  const cluster = createFakeCluster(clock)
  const client = cluster.client()
  const owned = new Set<string>()
  const shares = { owns: (uid: string) => owned.has(uid) }
  const scheduler = createScheduler({ feed: cluster.feed, client, clock, ids, log, shares })
  const own = (...names: string[]): void => {
    for (const name of names) owned.add(cluster.get('pods', `default/${name}`)!.metadata.uid!)
    scheduler.gained()
  }
  cluster.put('nodes', testNode('n'))
  return { cluster, client, clock, scheduler, owned, own }
}

describe('a scheduler with a share of the pods', () => {
  test('binds what it owns, and what it gains when it gains it', async () => {
    const { cluster, scheduler, own } = setUp()
    for (const name of ['a', 'b', 'c']) cluster.put('pods', testPod(name))
    await scheduler.start()
    await settle()
    expect(boundNames(cluster)).toEqual([])
    own('a')
    await settle()
    expect(boundNames(cluster)).toEqual(['a'])
    own('b', 'c')
    await settle()
    expect(boundNames(cluster)).toEqual(['a', 'b', 'c'])
    await scheduler.stop()
  })

  test('takes the guard of the node, and when another was faster decides anew as soon as it sees that', async () => {
    const { cluster, clock, scheduler, own } = setUp()
    cluster.put('nodes', testNode('m', { allocatable: { cpu: '100', memory: '400Gi' } }))
    cluster.put('pods', testPod('a', { requests: { cpu: '3' } }))
    await scheduler.start()
    onBinding(cluster, (_request, _store) => {
      cluster.intercept = undefined
      cluster.holdFeed(true)
      // Somebody fills the node in this very moment.
      cluster.put('pods', testPod('theirs', { requests: { cpu: '99' }, spec: { nodeName: 'm' } }))
      const status = decidedElsewhere({ group: '', resource: 'pods' }, 'a', cluster.changes.at(-1)!.sequence)
      return { ok: false, code: 409, status }
    })
    own('a')
    await settle()
    expect(boundNames(cluster)).toEqual([])
    await clock.advance(60_000)
    expect(boundNames(cluster)).toEqual([])
    cluster.holdFeed(false)
    // No time passes: there is no back-off.
    await settle()
    const [binding] = bindingsOf(cluster)
    expect((binding!.request.body as { target: { name: string } }).target.name).toBe('n')
    // What a pod takes, and what the node has left for those whom this decision could not see.
    const claim = { order: 2, take: { pods: 1, cpu: 3_000 }, room: { pods: 109, cpu: 1_000 } }
    expect(binding!.request.once).toEqual({ matter: 'node/n', round: expect.any(String), claim })
    expect(cluster.list('events').map(({ reason }) => reason)).not.toContain('FailedScheduling')
    await scheduler.stop()
  })

  test('has let go when nothing of it is under way, and does not send again what was lost', async () => {
    const { cluster, client, clock, scheduler, owned, own } = setUp()
    cluster.put('pods', testPod('a'))
    cluster.put('pods', testPod('b'))
    await scheduler.start()
    let asked = 0
    const answer = Promise.withResolvers<void>()
    const { request } = client
    client.request = async (what) => {
      if (what.subresource !== 'binding') return await request(what)
      asked++
      await answer.promise
      throw new Error('connection reset')
    }
    own('a', 'b')
    await settle()
    expect(asked).toBe(2)
    owned.clear()
    let hasLetGo = false
    void scheduler.letGo().then(() => {
      hasLetGo = true
    })
    await settle()
    expect(hasLetGo).toBe(false)
    answer.resolve()
    await settle()
    await clock.advance(10_000)
    expect(hasLetGo).toBe(true)
    expect(asked).toBe(2)
    await scheduler.letGo()
    await scheduler.stop()
  })

  test('tells when it has seen a sequence', async () => {
    const { cluster, scheduler } = setUp()
    await scheduler.start()
    const { signal } = new AbortController()
    await scheduler.waitForSequence(1, signal)
    let isSeen = false
    void scheduler.waitForSequence(2, signal).then(() => {
      isSeen = true
    })
    await settle()
    expect(isSeen).toBe(false)
    cluster.put('pods', testPod('a'))
    await settle()
    expect(isSeen).toBe(true)
    await expect(scheduler.waitForSequence(9, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late')
    await scheduler.stop()
  })
})

describe('two schedulers at the same moment', () => {
  const apart = (topologyKey: string) => ({
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector: { matchLabels: { app: 'web' } } }],
      },
    },
  })

  /** Each owns some pods, decides from what it has seen, and sees nothing of the other until both have bound. */
  async function race(pods: readonly (readonly [name: string, spec: JsonObject])[]) {
    const clock = createManualClock()
    const cluster = createFakeCluster(clock)
    for (const [index, zone] of ['a', 'a', 'b', 'b'].entries()) {
      cluster.put('nodes', testNode(`n${index}`, { labels: { zone } }))
    }
    for (const [name, spec] of pods) cluster.put('pods', testPod(name, { spec, metadata: { labels: { app: 'web' } } }))
    const schedulers = [0, 1].map((half) => {
      const owns = (uid: string): boolean => pods.findIndex(([name]) => uid === `uid-${name}`) % 2 === half
      const client = cluster.client()
      return createScheduler({ feed: cluster.delayedFeed(() => 50), client, clock, ids, log, shares: { owns } })
    })
    const started = Promise.all(schedulers.map((scheduler) => scheduler.start()))
    await clock.advance(5_000)
    await started
    await clock.advance(30_000)
    await Promise.all(schedulers.map((scheduler) => scheduler.stop()))
    const placed = pods.flatMap(([name]) => {
      const node = cluster.get('pods', `default/${name}`)!.spec.nodeName
      return node ? [{ name, node, zone: cluster.get('nodes', `/${node}`)!.metadata.labels!['zone']! }] : []
    })
    const overtaken = cluster.requests.filter(({ request, result }) => request.subresource === 'binding' && !result.ok)
    return { placed, overtaken: overtaken.length }
  }

  test('do not put pods that cannot be together into one zone', async () => {
    const { placed, overtaken } = await race(['p0', 'p1', 'p2', 'p3'].map((name) => [name, apart('zone')] as const))
    expect(placed.map(({ zone }) => zone).sort()).toEqual(['a', 'b'])
    expect(overtaken).toBeGreaterThan(0)
  })

  test('nor next to a pod on the same node that says nothing of it', async () => {
    const isCareful = (name: string): boolean => Number(name.slice(1)) % 2 === 1
    const names = Array.from({ length: 12 }, (_, index) => `q${index}`)
    const { placed } = await race(names.map((name) => [name, isCareful(name) ? apart('kubernetes.io/hostname') : {}] as const))
    const byNode = [...Map.groupBy(placed, ({ node }) => node).values()].map((pods) => pods.map(({ name }) => name))
    expect(byNode.filter((pods) => pods.length > 1 && pods.some(isCareful))).toEqual([])
    expect(placed.length).toBeGreaterThan(3)
  })
})
