import { eventually } from '@shiplog/testing/eventually'
import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { createFakeCluster, type Fate, type FakeCluster } from '@shiplog/testing/fake-cluster'
import { describe, expect, test } from 'vitest'
import { forResource, ownsResource, settled, type ReconcileContext, type Reconciler } from './reconciler.ts'
import { type ControllerRunner, createControllerRunner } from './runner.ts'
import type { Shares } from '@shiplog/replicas/shares'
import { keyOf } from './view.ts'

const configMaps = { group: '', resource: 'configmaps', namespace: 'default' }

/** A reconciler that gives every ConfigMap named `parent` a child, and notes what it was told. */
function childMaker(onRound: (context: ReconcileContext) => void = () => undefined): Reconciler {
  return {
    name: 'childmaker',
    component: 'child-controller',
    resources: [forResource('configmaps'), ownsResource('secrets', 'ConfigMap')],
    reconcile: (key, view, context) => {
      const parent = view.get('configmaps', key)
      if (parent?.metadata.name !== 'parent') return settled
      onRound(context)
      if (view.get('secrets', keyOf('default', 'child'))) return settled
      return {
        commands: [
          {
            request: {
              verb: 'create',
              group: '',
              resource: 'secrets',
              namespace: 'default',
              body: {
                apiVersion: 'v1',
                kind: 'Secret',
                metadata: {
                  name: 'child',
                  namespace: 'default',
                  ownerReferences: [
                    { apiVersion: 'v1', kind: 'ConfigMap', name: 'parent', uid: parent.metadata.uid, controller: true },
                  ],
                },
              },
            },
            event: { object: parent, type: 'Normal', reason: 'Made', message: 'Made a child' },
          },
        ],
      }
    },
  }
}

const makeParent = (cluster: FakeCluster) =>
  cluster.must({
    verb: 'create',
    ...configMaps,
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'parent', namespace: 'default' } },
  })

async function withRunner(
  options: {
    readonly cluster: FakeCluster
    readonly client?: ApiClient
    readonly reconciler: Reconciler
    readonly delayMs?: number
    readonly shares?: Shares
  },
  play: (runner: ControllerRunner) => Promise<void>,
): Promise<void> {
  const { cluster, reconciler } = options
  const runner = createControllerRunner({
    name: 'test',
    feed: cluster.delayedFeed(() => options.delayMs ?? 0),
    client: options.client ?? cluster.client(),
    clock: systemClock,
    log: silentLogger,
    reconcilers: [reconciler],
    fieldManager: 'tester',
    ...(options.shares ? { shares: options.shares } : {}),
  })
  await runner.start()
  try {
    await play(runner)
  } finally {
    await runner.stop()
  }
}

const creates = (cluster: FakeCluster): ApiRequest[] =>
  cluster.requests
    .map(({ request }) => request)
    .filter((request) => request.verb === 'create' && request.resource === 'secrets')

describe('the runner', () => {
  test('waits until its view has seen what it wrote, however late that is, and so never asks twice', async () => {
    const cluster = createFakeCluster(systemClock)
    const parent = makeParent(cluster)
    await withRunner({ cluster, reconciler: childMaker(), delayMs: 30 }, async (runner) => {
      await eventually(() => cluster.get('secrets', 'default/child') !== undefined)
      // Touched while the view lags: the key runs again only with the child in the view.
      cluster.must({
        verb: 'patch',
        ...configMaps,
        name: 'parent',
        patchType: 'application/merge-patch+json',
        body: { data: { a: 'b' } },
      })
      await eventually(() => runner.view.sequence === cluster.sequence && runner.idle())
      expect(creates(cluster)).toHaveLength(1)
      expect(creates(cluster)[0]).toMatchObject({
        cause: Number(parent.metadata.resourceVersion),
        query: { fieldManager: 'tester' },
      })
    })
  })

  test('takes another name only once its view shows why the first one was used and let go', async () => {
    const cluster = createFakeCluster(systemClock)
    const parentAt = (wanted: string): void =>
      void cluster.must({
        verb: 'patch',
        ...configMaps,
        name: 'parent',
        patchType: 'application/merge-patch+json',
        body: { data: { wanted } },
      })
    const secret = (name: string): ApiRequest => ({
      verb: 'create',
      group: '',
      resource: 'secrets',
      namespace: 'default',
      onlyNew: true,
      body: { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'default' } },
    })
    const oneChild: Reconciler = {
      ...childMaker(),
      resources: [forResource('configmaps'), forResource('secrets')],
      reconcile: (key, view) => {
        if (view.get('configmaps', key)?.['data']?.['wanted'] !== 'yes' || view.count('secrets') > 0) return settled
        let counter = 0
        while (view.deletedAtMs('secrets', keyOf('default', `child-${counter}`)) !== undefined) counter++
        return { commands: [{ request: secret(`child-${counter}`) }] }
      },
    }
    const client = cluster.client()
    let raced = false
    const racing: ApiClient = {
      ...client,
      request: (request) => {
        // Another runner was faster by a whole life of the child, and by the end of the wish for one.
        if (request.verb === 'create' && request.resource === 'secrets' && !raced) {
          raced = true
          cluster.must(secret('child-0'))
          parentAt('no')
          cluster.must({ verb: 'delete', group: '', resource: 'secrets', namespace: 'default', name: 'child-0' })
        }
        return client.request(request)
      },
    }
    makeParent(cluster)
    await withRunner({ cluster, client: racing, reconciler: oneChild, delayMs: 30 }, async (runner) => {
      parentAt('yes')
      await eventually(() => raced && runner.view.sequence === cluster.sequence && runner.idle())
      expect(creates(cluster).map(({ body }) => (body as any).metadata.name)).toEqual(['child-0', 'child-0'])
    })
  })

  test('tries again after refusals and lost answers, tells the reconciler why, and forgets it after success', async () => {
    const cluster = createFakeCluster(systemClock)
    const told: (number | undefined)[] = []
    const status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      code: 422,
      message: 'no',
    } as const
    const fates: Fate[] = [{ refuse: status }, 'lose-request', 'lose-answer']
    const client = cluster.client({
      fate: (request) => (request.resource === 'secrets' ? (fates.shift() ?? 'deliver') : 'deliver'),
    })
    makeParent(cluster)
    const reconciler = childMaker((context) => {
      told.push(context.failures[0]?.status.code)
    })
    await withRunner({ cluster, client, reconciler }, async (runner) => {
      await eventually(() => cluster.get('secrets', 'default/child') !== undefined && runner.idle())
      expect(told.slice(0, 3)).toEqual([undefined, 422, 503])
      expect(cluster.list('secrets')).toHaveLength(1)
      expect(runner.metrics()['childmaker']!.retries).toBeGreaterThanOrEqual(2)
      cluster.must({
        verb: 'patch',
        ...configMaps,
        name: 'parent',
        patchType: 'application/merge-patch+json',
        body: { data: { a: 'b' } },
      })
      const rounds = told.length
      await eventually(() => told.length > rounds)
      expect(told.at(-1)).toBeUndefined()
    })
  })

  test('records the event of a command only when the command was done', async () => {
    const cluster = createFakeCluster(systemClock)
    makeParent(cluster)
    await withRunner({ cluster, reconciler: childMaker() }, async () => {
      await eventually(() => cluster.list('events').length === 1)
      expect(cluster.list('events')[0]).toMatchObject({ reason: 'Made', source: { component: 'child-controller' } })
    })
  })

  test('goes on after a reconciler throws', async () => {
    const cluster = createFakeCluster(systemClock)
    makeParent(cluster)
    let rounds = 0
    const reconciler = childMaker(() => {
      if (++rounds <= 3) throw new Error('a bug')
    })
    await withRunner({ cluster, reconciler }, async () => {
      await eventually(() => cluster.get('secrets', 'default/child') !== undefined)
      expect(rounds).toBeGreaterThanOrEqual(4)
    })
  })

  test('makes the child again when it is deleted, woken by the deletion', async () => {
    const cluster = createFakeCluster(systemClock)
    makeParent(cluster)
    await withRunner({ cluster, reconciler: childMaker() }, async () => {
      await eventually(() => cluster.list('secrets').length === 1)
      const { uid } = cluster.list('secrets')[0]!.metadata
      cluster.must({ verb: 'delete', group: '', resource: 'secrets', namespace: 'default', name: 'child' })
      await eventually(() => cluster.list('secrets').length === 1 && cluster.list('secrets')[0]!.metadata.uid !== uid)
    })
  })

  test('does not wait for the sequence of a lease, which counts in another stream', async () => {
    const cluster = createFakeCluster(systemClock)
    const inner = cluster.client()
    const client: ApiClient = {
      ...inner,
      request: async (request) => {
        const result = await inner.request(request)
        return result.ok && request.resource === 'leases' ? { ...result, sequence: 1_000_000 } : result
      },
    }
    let rounds = 0
    const reconciler: Reconciler = {
      name: 'leaser',
      component: 'leaser',
      resources: [forResource('configmaps')],
      reconcile: () => {
        rounds++
        const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'l' } }
        const at = { group: 'coordination.k8s.io', resource: 'leases', namespace: 'default' }
        return rounds > 1 ? settled : { commands: [{ request: { verb: 'create', ...at, body } }] }
      },
    }
    makeParent(cluster)
    await withRunner({ cluster, client, reconciler }, async (runner) => {
      await eventually(() => rounds === 1 && runner.idle())
      expect(cluster.list('leases.coordination.k8s.io')).toHaveLength(1)
    })
  })

  test('works on its share of the keys alone, and looks at all keys when it gains some', async () => {
    const cluster = createFakeCluster(systemClock)
    let owned = false
    makeParent(cluster)
    const shares = { owns: (key: string) => owned && key === 'childmaker/default/parent' }
    await withRunner({ cluster, reconciler: childMaker(), shares }, async (runner) => {
      await runner.waitForSequence(cluster.sequence, AbortSignal.timeout(5_000))
      await eventually(() => runner.idle())
      expect(creates(cluster)).toHaveLength(0)
      owned = true
      runner.gained()
      await eventually(() => cluster.get('secrets', 'default/child') !== undefined)
    })
  })

  test('has let go of a key when its commands are answered, and sends nothing more of that round', async () => {
    const cluster = createFakeCluster(systemClock)
    let owned = true
    let asked = 0
    const answer = Promise.withResolvers<void>()
    const inner = cluster.client()
    const client: ApiClient = {
      ...inner,
      request: async (request) => {
        if (request.verb !== 'create' || request.resource !== 'secrets') return await inner.request(request)
        asked++
        await answer.promise
        expect(request.isWanted?.()).toBe(false)
        throw new Error('connection reset')
      },
    }
    makeParent(cluster)
    await withRunner({ cluster, client, reconciler: childMaker(), shares: { owns: () => owned } }, async (runner) => {
      await eventually(() => asked === 1)
      owned = false
      let hasLetGo = false
      const letGo = runner.letGo().then(() => {
        hasLetGo = true
      })
      await systemClock.sleep(20)
      expect(hasLetGo).toBe(false)
      answer.resolve()
      await letGo
      // Its failure is of no interest to it any more: nothing is tried again.
      await eventually(() => runner.idle())
      await systemClock.sleep(50)
      expect(asked).toBe(1)
      await runner.letGo()
    })
  })

  test('stops while a command hangs, and sends nothing more', async () => {
    const cluster = createFakeCluster(systemClock)
    makeParent(cluster)
    let asked = 0
    const client: ApiClient = {
      request: () => {
        asked++
        return new Promise(() => undefined)
      },
      recordAttempt: () => Promise.resolve(),
    }
    const runner = createControllerRunner({
      name: 'test',
      feed: cluster.feed,
      client,
      clock: systemClock,
      log: silentLogger,
      reconcilers: [childMaker()],
    })
    await runner.start()
    await eventually(() => asked === 1)
    const begin = systemClock.nowMs()
    await runner.stop()
    expect(systemClock.nowMs() - begin).toBeLessThan(5_000)
    makeParent(createFakeCluster(systemClock))
    await systemClock.sleep(20)
    expect(asked).toBe(1)
  })

  test('looks up what a reconciler observes, records it with what it causes, and remembers what it is told to', async () => {
    const cluster = createFakeCluster(systemClock)
    cluster.put('secrets', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'load', namespace: 'default' } })
    const told: Pick<ReconcileContext, 'observed' | 'memory'>[] = []
    let unanswered = 1
    const watcher: Reconciler = {
      ...childMaker(),
      *observe() {
        const [load] = yield [{ verb: 'get', group: '', resource: 'secrets', namespace: 'default', name: 'load' }]
        if (unanswered-- > 0) throw new Error('no answer yet')
        return { load: load!.ok }
      },
      reconcile: (key, view, context) => {
        told.push({ observed: context.observed, memory: context.memory })
        return { ...childMaker().reconcile(key, view, context), memory: { rounds: told.length } }
      },
    }
    makeParent(cluster)
    await withRunner({ cluster, reconciler: watcher }, async () => {
      await eventually(() => told.length >= 2)
    })
    expect(told.slice(0, 2)).toEqual([
      { observed: { load: true }, memory: undefined },
      { observed: { load: true }, memory: { rounds: 1 } },
    ])
    const made = cluster.requests.find(({ request }) => request.verb === 'create' && request.resource === 'secrets')!
    expect(JSON.parse(made.request.decision!)).toEqual({
      ...{ reconciler: 'childmaker', key: 'default/parent', observed: { load: true } },
    })
  })
})
