// Two controller managers with all their controllers and two schedulers work on one log through two gateways, and die at
// random commands, before they are sent or after they were appended and before anybody heard of it. In the end there is
// exactly one of everything, and no pod was ever bound twice.
import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import { createControllerManager } from '@shiplog/controllers/controller-manager'
import { createObjectFeed, type LogObjectFeed } from '@shiplog/feed/object-feed-from-log'
import { simulatedHost } from '@shiplog/node-agent/hosts/simulated-host'
import { createSimulatedRuntime } from '@shiplog/node/simulated-runtime'
import { createNodeAgent } from '@shiplog/node-agent/node-agent'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import type { Service } from '@shiplog/runtime/service'
import { createScheduler } from '@shiplog/scheduler/scheduler'
import { laggingLog } from '@shiplog/testing/lagging-log'
import { seededRandom } from '@shiplog/testing/seeded-random'
import { eventually } from '@shiplog/testing/eventually'
import { describe, expect, test } from 'vitest'
import { must, startGateway } from './gateways.ts'
import { type LogKind, openRealLog } from './real-log.ts'
import { seed, sized, tell } from './size.ts'

const replicas = 6
const rollouts = sized(3, 20)
const settleTimeoutMs = 30_000

const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }
const deployment = { group: 'apps', resource: 'deployments', namespace: 'default' } as const

describe.each<LogKind>(['embedded', 'jetstream'])('two managers and two schedulers on the %s log', (kind) => {
  test('make exactly one of everything, though they die again and again', async () => {
    const random = seededRandom(seed)
    const log = await openRealLog(kind)
    const gateways = [await startGateway(await log.connect()), await startGateway(await log.connect())]
    const direct = await log.connect()
    const feeds: LogObjectFeed[] = []
    const services = new Set<Service>()
    let deaths = 0
    let ending = false
    const lateFeed = (): LogObjectFeed => {
      const feed = createObjectFeed(laggingLog(direct, systemClock, () => random.below(6)))
      feeds.push(feed)
      return feed
    }
    /** A client that dies at a random command, and a successor that takes over. */
    const mortal = (side: number, make: (client: ApiClient) => Service): void => {
      const inner = gateways[side]!.gateway.clientFor(admin)
      let left = 10 + random.below(60)
      let dead = false
      const never = new Promise<never>(() => undefined)
      const client: ApiClient = {
        recordAttempt: (attempt) => (dead ? never : inner.recordAttempt(attempt)),
        request: async (request: ApiRequest) => {
          if (dead) return never
          if (!ending && request.resource !== 'events' && --left <= 0) {
            dead = true
            deaths++
            if (random.chance(0.5)) await inner.request(request)
            services.delete(service)
            void service.stop()
            mortal(side, make)
            return never
          }
          const answer = await inner.request(request)
          return dead ? never : answer
        },
      }
      const service = make(client)
      services.add(service)
      void service.start()
    }
    const common = { clock: systemClock, ids: systemIds, log: silentLogger }
    for (const side of [0, 1]) {
      mortal(side, (client) => createControllerManager({ ...common, client, feed: lateFeed(), rootCa: 'certificate' }))
      mortal(side, (client) => createScheduler({ ...common, client, feed: lateFeed() }))
    }
    const { client } = gateways[0]!
    const steady = createObjectFeed(direct)
    feeds.push(steady)
    const agent = createNodeAgent({
      ...common,
      feed: steady,
      client,
      host: simulatedHost(createSimulatedRuntime({ clock: systemClock, ids: systemIds })),
      nodes: { count: 3 },
    })
    services.add(agent)
    try {
      await agent.start()
      await must(client, { verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name: 'default' } } })
      const list = async (group: string, resource: string): Promise<any[]> => {
        const result = await must(client, { verb: 'list', group, resource, namespace: 'default' })
        return (result.object as any).items
      }
      const until = (what: string, holds: () => Promise<boolean>): Promise<true> =>
        eventually(what, holds, { withinMs: settleTimeoutMs, everyMs: 50 })
      await until('the service account', async () => (await list('', 'serviceaccounts')).length === 1)
      await must(client, {
        verb: 'create',
        group: '',
        resource: 'services',
        namespace: 'default',
        body: { metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } },
      })
      const template = (image: string): object => ({
        metadata: { labels: { app: 'web' } },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image }] },
      })
      await must(client, {
        verb: 'create',
        ...deployment,
        body: {
          metadata: { name: 'web' },
          spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: template('app:0') },
        } as never,
      })
      const complete = async (image: string): Promise<boolean> => {
        const [owner] = await list('apps', 'deployments')
        const pods = await list('', 'pods')
        return (
          owner.status?.observedGeneration === owner.metadata.generation &&
          owner.status?.availableReplicas === replicas &&
          owner.status?.updatedReplicas === replicas &&
          pods.length === replicas &&
          pods.every((pod) => pod.spec.containers[0].image === image && pod.status.phase === 'Running')
        )
      }
      await until('the first rollout', () => complete('app:0'))
      for (let rollout = 1; rollout <= rollouts; rollout++) {
        await must(client, {
          verb: 'patch',
          ...deployment,
          name: 'web',
          patchType: 'application/merge-patch+json',
          body: { spec: { template: template(`app:${rollout}`) } } as never,
        })
        await until(`rollout ${rollout}`, () => complete(`app:${rollout}`))
      }
      ending = true
      const slices = async (): Promise<number> => {
        const own = await list('discovery.k8s.io', 'endpointslices')
        return own.length === 1 && own[0].endpoints.length === replicas ? 1 : 0
      }
      await until('one slice with all endpoints', async () => (await slices()) === 1)
      const sets = await list('apps', 'replicasets')
      const accounts = await list('', 'serviceaccounts')
      const maps = await list('', 'configmaps')
      // The log tells how many pods there ever were, and where each was bound.
      const boundTo = new Map<string, Set<string>>()
      const created = new Map<string, Set<string>>()
      for await (const page of direct.events.read({ subjects: ['evt.core.pods.default.>'] })) {
        for (const record of page) {
          const pod = JSON.parse(Buffer.from(record.payload).toString('utf8'))
          const { uid, ownerReferences } = pod.metadata
          const nodes = boundTo.get(uid) ?? new Set()
          if (pod.spec.nodeName) nodes.add(pod.spec.nodeName)
          boundTo.set(uid, nodes)
          const owner = ownerReferences[0].name
          created.set(owner, (created.get(owner) ?? new Set()).add(uid))
        }
      }
      const twice = [...boundTo.values()].filter((nodes) => nodes.size > 1).length
      const made = [...created.values()].map((uids) => uids.size)
      tell(
        `${kind}, seed ${seed}: ${deaths} deaths, ${rollouts} rollouts of ${replicas} pods, ${boundTo.size} pods made, ${twice} bound twice`,
      )
      expect(deaths).toBeGreaterThan(3)
      expect(twice).toBe(0)
      expect(sets).toHaveLength(rollouts + 1)
      expect(made).toEqual(Array.from({ length: rollouts + 1 }, () => replicas))
      expect(accounts).toHaveLength(1)
      expect(maps.map((map) => map.metadata.name)).toEqual(['kube-root-ca.crt'])
    } finally {
      ending = true
      for (const service of services) void service.stop()
      for (const feed of feeds) feed.stop()
      for (const { gateway } of gateways) await gateway.stop()
      await log.remove()
    }
  }, 240_000)
})
