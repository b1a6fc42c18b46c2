// Three controller managers and three schedulers on two gateways over one real log: while sets of pods grow past what the
// nodes hold, shrink and roll, replicas are killed, paused and added. Counted in the log itself: every pod that was ever
// made, and what every node ever had to hold.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { createApiGateway } from '@shiplog/api-gateway/api-gateway'
import { createControllerManager } from '@shiplog/controllers/controller-manager'
import type { ClusterLog } from '@shiplog/events/event-log'
import { connectJetStreamClusterLog } from '@shiplog/events/jetstream/jetstream-log'
import { provideNatsServer } from '@shiplog/nats-server/nats-binary'
import { startNatsServer } from '@shiplog/nats-server/nats-child'
import type { FeedBatch, ObjectChange, ObjectFeed } from '@shiplog/feed/object-feed'
import { createObjectFeed } from '@shiplog/feed/object-feed-from-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { simulatedHost } from '@shiplog/node-agent/hosts/simulated-host'
import { createSimulatedRuntime } from '@shiplog/node/simulated-runtime'
import { createNodeAgent } from '@shiplog/node-agent/node-agent'
import { createReplica, type Replica, type Worker } from '@shiplog/replicas/replica'
import { type Clock, systemClock } from '@shiplog/runtime/clock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger as log } from '@shiplog/runtime/logger'
import { createScheduler } from '@shiplog/scheduler/scheduler'
import { eventually } from '@shiplog/testing/eventually'
import { describe, expect, test } from 'vitest'

const nodesCount = 8
const podsPerNode = 10
const roomForPods = nodesCount * podsPerNode
const sets = ['red', 'green', 'blue']
const deadlineMs = 40_000

type State = 'runs' | 'paused' | 'dead'

/** A process that can be stopped and gone on with: its timers fire, answers and records arrive when it runs again. */
class Process {
  readonly component: string
  readonly id: string
  state: State = 'runs'
  replica!: Replica<Worker>
  readonly violations: string[] = []
  readonly #held: (() => void)[] = []

  constructor(component: string, id: string) {
    this.component = component
    this.id = id
  }

  readonly run = (work: () => void): void => {
    if (this.state === 'runs') work()
    else if (this.state === 'paused') this.#held.push(work)
  }

  pause(): void {
    this.state = 'paused'
  }

  wake(): void {
    this.state = 'runs'
    for (const work of this.#held.splice(0)) work()
  }

  readonly clock: Clock = {
    nowMs: systemClock.nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => systemClock.sleep(ms, signal).then(() => this.run(resolve), reject)),
    after: (ms, callback) => systemClock.after(ms, () => this.run(callback)),
    every: (ms, callback) => systemClock.every(ms, () => this.run(callback)),
  }

  client(real: ApiClient): ApiClient {
    const send = <T>(call: () => Promise<T>): Promise<T> =>
      new Promise((resolve, reject) =>
        this.run(() => {
          call().then(
            (answer) => this.run(() => resolve(answer)),
            (error: unknown) => this.run(() => reject(error as Error)),
          )
        }),
      )
    return {
      request: (request) =>
        send(() => {
          // As the client over HTTPS does, just before it sends.
          if (request.isWanted?.() === false) return Promise.reject(new Error('not wanted any more'))
          this.#judge(request)
          return real.request(request)
        }),
      recordAttempt: (attempt) => send(() => real.recordAttempt(attempt)),
    }
  }

  /** A replica that has not joined writes its Lease and nothing else. */
  #judge({ verb, resource }: ApiRequest): void {
    if (verb === 'get' || verb === 'list' || resource === 'leases') return
    if (this.replica.members.length === 0 || this.replica.health().some(({ name, ok }) => name === 'shares' && !ok)) {
      this.violations.push(`${this.component} ${this.id} sent ${verb} ${resource} though it owns nothing`)
    }
  }

  feed(real: ObjectFeed): ObjectFeed {
    const passed = (batch: FeedBatch): Promise<FeedBatch> => new Promise((resolve) => this.run(() => resolve(batch)))
    return {
      follow: async function* (resources, signal) {
        for await (const batch of real.follow(resources, signal)) yield await passed(batch)
      },
    }
  }
}

/** What really happened, counted record by record. */
class Witness {
  readonly pods = new Map<string, KubeObject>()
  readonly sets = new Map<string, KubeObject>()
  readonly deployments = new Map<string, KubeObject>()
  readonly overfull: string[] = []
  /** Pods ever made, by the uid of their ReplicaSet. */
  readonly made = new Map<string, number>()
  readonly #held = new Map<string, Set<string>>()

  see({ groupResource, deleted, object }: ObjectChange): void {
    const one = object as unknown as KubeObject
    const map =
      groupResource === 'pods' ? this.pods : groupResource === 'deployments.apps' ? this.deployments : this.sets
    const uid = one.metadata.uid!
    if (groupResource === 'pods' && !map.has(uid) && !deleted) {
      const owner = one.metadata.ownerReferences?.[0]?.uid ?? ''
      this.made.set(owner, (this.made.get(owner) ?? 0) + 1)
    }
    if (deleted) map.delete(uid)
    else map.set(uid, one)
    const node = one['spec']?.nodeName
    if (groupResource !== 'pods' || !node) return
    const held = this.#held.get(node) ?? new Set()
    this.#held.set(node, held)
    if (deleted) held.delete(uid)
    else held.add(uid)
    if (held.size > podsPerNode) this.overfull.push(`${node} holds ${held.size} pods`)
  }

  bound = (): number => [...this.pods.values()].filter((pod) => pod['spec'].nodeName).length
  running = (): number => [...this.pods.values()].filter((pod) => pod['status']?.phase === 'Running').length
}

const until = (what: string, holds: () => boolean, withinMs = deadlineMs): Promise<true> =>
  eventually(what, holds, { withinMs, everyMs: 20 })

interface OpenLog {
  readonly log: ClusterLog
  close(): Promise<void>
}

const openEmbedded = async (): Promise<OpenLog> => {
  const opened = await openSqliteClusterLog({ dataDir: ':memory:' })
  return { log: opened, close: () => opened.close() }
}

const nats = await provideNatsServer()
const openJetStream = async (): Promise<OpenLog> => {
  const dataDir = mkdtempSync(join(tmpdir(), 'shiplog-replicas-'))
  const child = await startNatsServer({ binary: nats!.path, dataDir })
  const opened = await connectJetStreamClusterLog({ servers: child.url, credentials: child.credentials.gateway })
  return {
    log: opened,
    close: async () => {
      await opened.close()
      await child.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

async function play(opened: OpenLog): Promise<void> {
  const open = async () => {
    const gateway = createApiGateway({ log: opened.log, clock: systemClock, ids, logger: log })
    await gateway.start()
    return gateway
  }
  const gateways = [await open(), await open()]
  const clientFor = (name: string, index: number, ...groups: string[]): ApiClient =>
    gateways[index % gateways.length]!.clientFor({ name, groups: [...groups, 'system:authenticated'] })
  const feed = createObjectFeed(opened.log)
  const admin = clientFor('admin', 0, 'system:masters')
  const must = async (request: ApiRequest): Promise<void> => {
    const result = await admin.request(request)
    if (!result.ok) throw new Error(result.status.message)
  }
  const ending = new AbortController()
  const witness = new Witness()
  const watching = (async () => {
    for await (const batch of feed.follow(['pods', 'replicasets.apps', 'deployments.apps'], ending.signal)) {
      for (const change of batch.changes) witness.see(change)
    }
  })()
  const processes: Process[] = []
  const start = (component: 'kube-scheduler' | 'kube-controller-manager', id: string): Process => {
    const self = new Process(component, id)
    const { clock } = self
    const own = self.feed(feed)
    self.replica = createReplica<Worker>({
      client: self.client(clientFor(`system:${component}`, processes.length, 'system:masters')),
      clock,
      log,
      component,
      id,
      create: (client, shares) =>
        component === 'kube-scheduler'
          ? createScheduler({ feed: own, client, clock, ids, log, shares })
          : createControllerManager({ feed: own, client, clock, ids, log, shares, rootCa: 'CA' }),
    })
    processes.push(self)
    void self.replica.start().catch(() => undefined)
    return self
  }
  for (const name of ['default', 'kube-system', 'kube-node-lease']) {
    await must({ verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name } } })
  }
  const agent = createNodeAgent({
    feed,
    client: clientFor('system:node-agent', 0, 'system:nodes', 'system:masters'),
    clock: systemClock,
    ids,
    log,
    host: simulatedHost(createSimulatedRuntime({ clock: systemClock, ids })),
    nodes: { count: nodesCount, capacity: { cpu: String(podsPerNode), pods: '110' } },
  })
  const deployment = (name: string, replicas: number, image: string): JsonObject => ({
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'c', image, resources: { requests: { cpu: '1' } } }],
        },
      },
    },
  })
  const at = { group: 'apps', resource: 'deployments', namespace: 'default' }
  const patch = (name: string, spec: JsonObject): Promise<void> =>
    must({ verb: 'patch', ...at, name, patchType: 'application/merge-patch+json', body: { spec } })
  const joined = (...some: Process[]): boolean => some.every(({ replica }) => replica.members.length >= some.length)
  const madeOf = (name: string): number[] =>
    [...witness.sets.values()]
      .filter((set) => set.metadata.labels?.['app'] === name)
      .map((set) => witness.made.get(set.metadata.uid!) ?? 0)

  try {
    const managers = ['a', 'b', 'c'].map((id) => start('kube-controller-manager', id))
    const schedulers = ['a', 'b', 'c'].map((id) => start('kube-scheduler', id))
    await agent.start()
    await until('all have joined', () => joined(...managers) && joined(...schedulers))
    await admin.request({
      verb: 'create',
      group: '',
      resource: 'serviceaccounts',
      namespace: 'default',
      body: { metadata: { name: 'default' } },
    })

    // More than the nodes hold; one of each kind dies in the middle, another stands still, a third is added.
    const wanted = 32
    for (const name of sets) await must({ verb: 'create', ...at, body: deployment(name, wanted, 'app:1') })
    await until('the first pods are bound', () => witness.bound() > 5)
    managers[0]!.state = 'dead'
    schedulers[0]!.state = 'dead'
    start('kube-controller-manager', 'd')
    start('kube-scheduler', 'd')
    await until('half are made', () => witness.pods.size >= (sets.length * wanted) / 2)
    managers[1]!.pause()
    schedulers[1]!.pause()
    await until('every pod is made', () => witness.pods.size === sets.length * wanted)
    await until('every node is full', () => witness.running() === roomForPods)
    expect(sets.flatMap(madeOf)).toEqual(sets.map(() => wanted))
    expect(witness.bound()).toBe(roomForPods)

    // They wake up when everything is another's, and find their place again.
    managers[1]!.wake()
    schedulers[1]!.wake()
    const living = (component: string) => processes.filter((one) => one.component === component && one.state === 'runs')
    await until('those that slept have joined again', () =>
      ['kube-scheduler', 'kube-controller-manager'].every((component) =>
        living(component).every(({ replica }) => replica.members.length === living(component).length),
      ),
    )

    // Room for a rollout, which runs while one of each leaves in order.
    const fewer = 16
    for (const name of sets) await patch(name, { replicas: fewer })
    await until(
      'the rest runs',
      () => witness.running() === sets.length * fewer && witness.pods.size === sets.length * fewer,
    )
    expect(sets.flatMap(madeOf)).toEqual(sets.map(() => wanted))
    const template = { spec: { containers: [{ name: 'c', image: 'app:2', resources: { requests: { cpu: '1' } } }] } }
    for (const name of sets) await patch(name, { template })
    await Promise.all([managers[2]!.replica.stop(), schedulers[2]!.replica.stop()])
    await until('the rollout is complete', () =>
      [...witness.deployments.values()].every(
        (one) =>
          one['status']?.observedGeneration === one.metadata.generation &&
          one['status']?.updatedReplicas === fewer &&
          one['status']?.availableReplicas === fewer &&
          one['status']?.replicas === fewer,
      ),
    )
    expect(sets.map((name) => madeOf(name).sort((one, other) => one - other))).toEqual(sets.map(() => [fewer, wanted]))
    expect(witness.overfull).toEqual([])
    expect(processes.flatMap(({ violations }) => violations)).toEqual([])
  } finally {
    for (const one of processes) {
      if (one.state === 'paused') one.wake()
      if (one.state === 'runs') void one.replica.stop()
    }
    await agent.stop()
    ending.abort()
    await systemClock.sleep(100)
    feed.stop()
    await watching.catch(() => undefined)
    await Promise.all(gateways.map((gateway) => gateway.stop()))
    await opened.close()
  }
}

describe('three replicas of each, of which some die, sleep, leave and come,', () => {
  test('make exactly the pods that were asked for and overfill no node, on the embedded log', async () => {
    await play(await openEmbedded())
  }, 120_000)

  test.runIf(nats !== undefined)(
    'and on JetStream',
    async () => {
      await play(await openJetStream())
    },
    120_000,
  )
})
