// Node agents by the bus, over two gateways on one log: commands are served as over HTTPS, and the fold of a feed is at all
// times what its node may read, whatever breaks.
import { eventually } from '@shiplog/testing/eventually'
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import { feedResources } from '@shiplog/api-client/wire/feed'
import { createBusApiClient } from '@shiplog/api-client/bus-api-client'
import { createBusFeed } from '@shiplog/api-client/bus-feed'
import { type Bus, NoBusAnswer } from '@shiplog/events/bus/bus'
import { commandSubject } from '@shiplog/events/bus/bus-subjects'
import { createMemoryBus } from '@shiplog/events/bus/memory-bus'
import type { ClusterLog } from '@shiplog/events/event-log'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger as logger } from '@shiplog/runtime/logger'
import { seededRandom } from '@shiplog/testing/seeded-random'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ApiGateway, createApiGateway } from '../api-gateway.ts'

const masters = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }

let log: ClusterLog
let bus: Bus
let gateways: ApiGateway[]
let admin: ApiClient
/** What goes over channels may get lost. */
let losing: () => boolean

async function startGateway(): Promise<ApiGateway> {
  const gateway = createApiGateway({ log, bus, clock, ids, logger })
  await gateway.start()
  return gateway
}

beforeEach(async () => {
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  losing = () => false
  const memory = createMemoryBus({ clock })
  bus = {
    ...memory,
    publish(subject, payload) {
      if (!(/\.(opener|acceptor)$/.test(subject) && losing())) memory.publish(subject, payload)
    },
  }
  gateways = [await startGateway(), await startGateway()]
  admin = gateways[0]!.clientFor(masters)
  await must({ verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name: 'default' } } })
  await must({ ...at('serviceaccounts', 'default'), verb: 'create', body: { metadata: { name: 'default' } } })
  for (const name of ['node-0', 'node-1']) {
    await must({ verb: 'create', group: '', resource: 'nodes', body: { metadata: { name } } })
  }
})

afterEach(async () => {
  for (const gateway of gateways) await gateway.stop()
  await bus.close()
  await log.close()
})

const at = (resource: string, name: string) => ({ group: '', resource, namespace: 'default', name })

async function must(request: ApiRequest, client = admin): Promise<Extract<ApiResult, { ok: true }>> {
  const result = await client.request(request)
  if (!result.ok) throw new Error(`${request.verb} ${request.resource} ${request.name}: ${result.status.message}`)
  return result
}

const agentOf = (node: string): ApiClient => createBusApiClient({ bus, clock, user: `system:node:${node}` })

const podOf = (name: string, nodeName: string, secrets: readonly string[] = [], more: object = {}): ApiRequest => ({
  ...at('pods', name),
  verb: 'create',
  body: {
    metadata: { name },
    spec: {
      nodeName,
      containers: [{ name: 'c', image: 'i' }],
      volumes: secrets.map((secretName) => ({ name: secretName, secret: { secretName } })),
      ...more,
    },
  },
})
const secretOf = (name: string, value = 'x'): ApiRequest => ({
  ...at('secrets', name),
  verb: 'create',
  body: { metadata: { name }, stringData: { value } },
})

/** Follows a feed and folds it; checks on the way that nothing is told that a reader of the feed could not make sense of. */
function folding(node: string, resources: readonly string[] = feedResources) {
  const ending = new AbortController()
  const objects = new Map<string, KubeObject>()
  const changes: ObjectChange[] = []
  const state = { objects, changes, sequence: 0, batches: 0, failure: undefined as unknown }
  const feed = createBusFeed({ bus, clock, ids, log: logger, node })
  const done = (async () => {
    for await (const batch of feed.follow(resources, ending.signal)) {
      expect(batch.sequence).toBeGreaterThanOrEqual(state.sequence)
      for (const change of batch.changes) {
        changes.push(change)
        const key = `${change.groupResource}/${change.namespace}/${change.name}`
        const before = objects.get(key)
        if (change.deleted) {
          expect(before).toBeDefined()
          objects.delete(key)
        } else {
          if (before) expect(before.metadata.uid).toBe(change.object.metadata.uid)
          objects.set(key, change.object)
        }
      }
      state.sequence = batch.sequence
      state.batches += 1
    }
  })().catch((error: unknown) => {
    state.failure = error
  })
  return {
    ...{ state, objects, changes },
    stop: async () => {
      ending.abort()
      await done
      if (state.failure) throw state.failure
    },
  }
}

describe('commands over the bus', () => {
  test('are carried out as their subject says, by the rules for nodes', async () => {
    const agent = agentOf('node-0')
    await must(secretOf('used'))
    await must(secretOf('other'))
    await must(podOf('mine', 'node-0', ['used']))
    await must(podOf('theirs', 'node-1', ['other']))
    expect((await must({ ...at('secrets', 'used'), verb: 'get' }, agent)).object['data']).toEqual({ value: 'eA==' })
    expect(await agent.request({ ...at('secrets', 'other'), verb: 'get' })).toMatchObject({
      ok: false,
      code: 403,
      status: {
        kind: 'Status',
        reason: 'Forbidden',
        message:
          'secrets "other" is forbidden: User "system:node:node-0" cannot get resource "secrets" in API group "" in the namespace "default": no relationship found between node \'node-0\' and this object',
      },
    })
    const report = (name: string): ApiRequest => ({
      ...at('pods', name),
      verb: 'patch',
      subresource: 'status',
      patchType: 'application/strategic-merge-patch+json',
      body: { status: { phase: 'Running' } },
      cause: 5,
    })
    const written = await must(report('mine'), agent)
    expect(written.object['status']).toMatchObject({ phase: 'Running' })
    expect(written.sequence).toBe(Number(written.object.metadata.resourceVersion))
    expect(await agent.request(report('theirs'))).toMatchObject({ ok: false, code: 403 })
    const node = (name: string): ApiRequest => ({
      ...{ verb: 'patch', group: '', resource: 'nodes', name, subresource: 'status' },
      patchType: 'application/merge-patch+json',
      body: { status: { capacity: { cpu: '4' } } },
    })
    expect(await agent.request(node('node-0'))).toMatchObject({ ok: true, code: 200 })
    expect(await agent.request(node('node-1'))).toMatchObject({ ok: false, code: 403 })
    expect(await agent.request({ verb: 'list', group: '', resource: 'secrets', namespace: 'default' })).toMatchObject({
      code: 403,
    })
    const pods = await must(
      { verb: 'list', group: '', resource: 'pods', query: { fieldSelector: 'spec.nodeName=node-0' } },
      agent,
    )
    expect((pods.object['items'] as { metadata: { name: string } }[]).map((pod) => pod.metadata.name)).toEqual(['mine'])
    const deletion: ApiRequest = { ...at('pods', 'mine'), verb: 'delete', body: { gracePeriodSeconds: 0 } }
    expect(await agent.request(deletion)).toMatchObject({ ok: true, code: 200 })
    expect(await agent.request({ ...at('secrets', 'used'), verb: 'get' })).toMatchObject({ code: 403 })
  })

  test('that make no sense get a Status; nobody but a node is answered, nor anybody at an address of others', async () => {
    const own = commandSubject('system:node:node-0', 'request')
    const ask = async (subject: string, payload: string) =>
      JSON.parse(
        Buffer.from(await bus.request(subject, Buffer.from(payload), { timeoutMs: 200 }))
          .toString()
          .split('\n')[1]!,
      )
    const line = (more: object) => `${JSON.stringify({ verb: 'get', group: '', resource: 'pods', ...more })}\n`
    const bad = [
      '',
      'x',
      '\n',
      '[]\n',
      'null\n',
      line({ verb: 'eat' }),
      line({ verb: 'watch' }),
      line({ resource: 5 }),
      line({ query: { a: 1 } }),
      line({ query: ['a'] }),
      line({ cause: -1 }),
      line({ once: { matter: 'x' } }),
      line({ constructor: 'x' }),
      line({ user: 'system:admin' }),
      line({}),
      line({ verb: 'update', name: 'x', namespace: 'default' }),
      `{"verb":"get","group":"","resource":"pods","__proto__":{"name":"x"}}\n`,
    ]
    for (const payload of bad) {
      const status = await ask(own, payload)
      expect([payload, status.kind, status.code >= 400 && status.code < 500]).toEqual([payload, 'Status', true])
    }
    expect(await ask(own, line({ namespace: 'default', name: 'nothing' }))).toMatchObject({ code: 403 })
    expect(await ask(own, line({ resource: 'nonsense', name: 'x' }))).toMatchObject({ code: 404 })
    const large = `${line({ verb: 'update', resource: 'nodes', name: 'node-0' })}{"x":"${'x'.repeat(3 * 1024 * 1024)}"}`
    expect(await ask(own, large)).toMatchObject({ code: 413 })

    for (const stranger of ['kubernetes-admin', 'system:kube-scheduler', 'system:node:', 'system:masters']) {
      await expect(ask(commandSubject(stranger, 'request'), line({}))).rejects.toMatchObject({ name: 'NoBusAnswer' })
    }
    // `system:node:node-0` in another spelling.
    await expect(ask('cmd.system%3anode%3anode-0.request', line({}))).rejects.toMatchObject({ name: 'NoBusAnswer' })
  })

  test('are answered only where the one who asks listens', async () => {
    const published: string[] = []
    const real = bus.publish.bind(bus)
    bus.publish = (subject, payload) => {
      published.push(subject)
      real(subject, payload)
    }
    const replies = [
      'evt.core.pods.default.x',
      '$JS.API.STREAM.PURGE.EVENTS',
      '_INBOX_gateway.x',
      '_INBOX_system%3Anode%3Anode-1.x',
    ]
    const { serveBusCommands } = await import('./commands.ts')
    let onMessage: ((message: { subject: string; payload: Uint8Array; reply: string }) => void) | undefined
    const catching = {
      ...bus,
      subscribe(_: string, listener: never) {
        onMessage = listener
        return { [Symbol.dispose]() {} }
      },
    }
    serveBusCommands({ bus: catching, clock, ids, logger } as never)
    const subject = commandSubject('system:node:node-0', 'request')
    for (const reply of replies) onMessage!({ subject, payload: Buffer.from('x'), reply })
    onMessage!({ subject, payload: Buffer.from('x'), reply: '_INBOX_system%3Anode%3Anode-0.x' })
    await eventually('an answer', () => published.length > 0)
    expect(published).toEqual(['_INBOX_system%3Anode%3Anode-0.x'])
  })

  test('an answer that the bus cannot carry is a Status that says so', async () => {
    const small = createMemoryBus({ clock, payloadBytesMax: 20_000 })
    const gateway = createApiGateway({ log, bus: small, clock, ids, logger })
    await gateway.start()
    gateways.push(gateway)
    await must(podOf('mine', 'node-0', ['large']))
    await must(secretOf('large', 'x'.repeat(30_000)))
    const agent = createBusApiClient({ bus: small, clock, user: 'system:node:node-0' })
    expect(await agent.request({ ...at('secrets', 'large'), verb: 'get' })).toMatchObject({
      ok: false,
      code: 413,
      status: { reason: 'RequestEntityTooLarge' },
    })
    const body = { metadata: { name: 'node-0' }, x: 'x'.repeat(30_000) }
    expect(await agent.request({ verb: 'update', group: '', resource: 'nodes', name: 'node-0', body })).toMatchObject({
      code: 413,
    })
  })

  test('wait for a gateway; a write whose answer was lost is told as unknown and not sent again', async () => {
    for (const gateway of gateways) await gateway.stop()
    const agent = agentOf('node-0')
    const waiting = agent.request({ verb: 'get', group: '', resource: 'nodes', name: 'node-0' })
    await clock.sleep(100)
    gateways = [await startGateway()]
    expect(await waiting).toMatchObject({ ok: true })
    let asked = 0
    const mute = {
      ...bus,
      request: async (subject: string, payload: Uint8Array) => {
        asked += 1
        await bus.request(subject, payload, { timeoutMs: 5_000 })
        throw new NoBusAnswer('the connection broke', false)
      },
    }
    const cut = createBusApiClient({ bus: mute, clock, user: 'system:node:node-0' })
    const write: ApiRequest = {
      ...{ verb: 'patch', group: '', resource: 'nodes', name: 'node-0', subresource: 'status' },
      patchType: 'application/merge-patch+json',
      body: { status: { capacity: { cpu: '8' } } },
    }
    await expect(cut.request(write)).rejects.toMatchObject({ name: 'ApiUnreachable', ambiguous: true })
    expect(asked).toBe(1)
  })
})

describe('feeds over the bus', () => {
  test('tell a node of itself, its pods and what they refer to, and of nothing else', async () => {
    await must(secretOf('before'))
    await must(secretOf('other'))
    await must(podOf('early', 'node-0', ['before']))
    const feed = folding('node-0')
    const keys = () => [...feed.objects.keys()].sort()
    await eventually('the first batch', () => feed.state.batches > 0)
    expect(keys()).toEqual(['nodes//node-0', 'pods/default/early', 'secrets/default/before'])
    // A pod comes with what it refers to, that first.
    await must(secretOf('late'))
    await must(podOf('elsewhere', 'node-1', ['other']))
    await must(podOf('late', 'node-0', ['late']))
    await eventually('the pod', () => feed.objects.has('pods/default/late'))
    const order = feed.changes.map(({ groupResource, name }) => `${groupResource}/${name}`)
    expect(order.indexOf('secrets/late')).toBeLessThan(order.indexOf('pods/late'))
    // What is referred to changes, and comes into being.
    await must({
      ...at('secrets', 'late'),
      verb: 'patch',
      patchType: 'application/merge-patch+json',
      body: { data: { y: 'eA==' } },
    })
    await eventually(
      'the change',
      () =>
        feed.objects.get('secrets/default/late')?.['data'] &&
        Object.keys(feed.objects.get('secrets/default/late')!['data'] as object).length === 2,
    )
    await must(podOf('hopeful', 'node-0', ['none-yet']))
    await must(secretOf('none-yet'))
    await eventually('the Secret', () => feed.objects.has('secrets/default/none-yet'))
    // And goes with the last pod that refers to it.
    await must({ ...at('pods', 'late'), verb: 'delete', body: { gracePeriodSeconds: 0 } })
    await eventually('the end', () => !feed.objects.has('secrets/default/late'))
    expect(keys()).toEqual([
      'nodes//node-0',
      'pods/default/early',
      'pods/default/hopeful',
      'secrets/default/before',
      'secrets/default/none-yet',
    ])
    expect(feed.changes.some(({ name }) => name === 'other' || name === 'elsewhere' || name === 'node-1')).toBe(false)
    await feed.stop()
  })

  test('hold no more than what was asked for', async () => {
    await must(secretOf('s'))
    await must(podOf('p', 'node-0', ['s']))
    const feed = folding('node-0', ['nodes', 'pods'])
    await eventually('the first batch', () => feed.state.batches > 0)
    expect([...feed.objects.keys()].sort()).toEqual(['nodes//node-0', 'pods/default/p'])
    await feed.stop()
  })

  test('go on at another gateway with what has changed since, and nothing twice', async () => {
    for (const name of ['a', 'b', 'c']) await must(podOf(name, 'node-0'))
    const feed = folding('node-0')
    await eventually('the first batch', () => feed.state.batches > 0)
    const before = feed.changes.length
    // The gateway that serves it goes, whichever it is.
    for (const gateway of gateways) await gateway.stop()
    const offline = createApiGateway({ log, clock, ids, logger })
    await offline.start()
    const client = offline.clientFor(masters)
    const remove = (name: string): ApiRequest => ({
      ...at('pods', name),
      verb: 'delete',
      body: { gracePeriodSeconds: 0 },
    })
    await must(remove('a'), client)
    await must(remove('b'), client)
    await must(podOf('b', 'node-0'), client)
    await must(podOf('d', 'node-0'), client)
    await offline.stop()
    gateways = [await startGateway()]
    await eventually('the new pod', () => feed.objects.has('pods/default/d'))
    const since = feed.changes.slice(before).map(({ name, deleted }) => `${deleted ? '-' : '+'}${name}`)
    expect(since.sort()).toEqual(['+b', '+d', '-a', '-b'])
    await feed.stop()
  })

  test('an agent that does not read is told the newest state when it reads again', async () => {
    const secret = 'x'.repeat(100_000)
    await must(podOf('p', 'node-0', ['s']))
    await must(secretOf('s', secret))
    const ending = new AbortController()
    const feed = createBusFeed({ bus, clock, ids, log: logger, node: 'node-0' })
    const batches = feed.follow(feedResources, ending.signal)[Symbol.asyncIterator]()
    await batches.next()
    let last = 0
    for (let i = 0; i < 40; i++) {
      const body = { data: { n: Buffer.from(String(i)).toString('base64') } }
      last = (await must({ ...at('secrets', 's'), verb: 'patch', patchType: 'application/merge-patch+json', body }))
        .sequence
    }
    let changes = 0
    for (let sequence = 0; sequence < last; ) {
      const { value } = await batches.next()
      sequence = value!.sequence
      changes += value!.changes.length
    }
    // What lay in the window, and one more.
    expect(changes).toBeLessThan(10)
    ending.abort()
    await batches.return?.()
  })

  test('a request that makes no sense is refused', async () => {
    const subject = commandSubject('system:node:node-0', 'feed')
    const open = async (request: object) =>
      JSON.parse(
        Buffer.from(
          await bus.request(subject, Buffer.from(JSON.stringify({ id: ids.uuid(), request })), { timeoutMs: 8_000 }),
        ).toString(),
      )
    const resources = ['pods']
    for (const request of [
      {},
      { resources: [], from: 0 },
      { resources: ['leases'], from: 0 },
      { resources, from: -1 },
      { resources, from: 0, known: [] },
      { resources, from: 0, known: { pods: 1 } },
      { resources, from: 0, known: { 'pods/a/b': 'x' } },
    ]) {
      expect(await open(request)).toMatchObject({ refusal: { kind: 'Status', code: 400 } })
    }
    // The future.
    expect(await open({ resources, from: 1_000_000 })).toMatchObject({ refusal: { code: 504 } })
  })

  test('the fold of a feed is what its node may read, through random changes, losses and ends of gateways', async () => {
    const seed = Number(process.env['SHIPLOG_SEED'] ?? 11)
    const random = seededRandom(seed)
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    const nodes = ['node-0', 'node-1']
    const feeds = nodes.map((node) => folding(node))
    const kinds = ['secrets', 'configmaps', 'persistentvolumeclaims'] as const
    const spec = () => ({
      volumes: [
        { name: 's', secret: { secretName: random.pick(names), optional: true } },
        { name: 'm', configMap: { name: random.pick(names) } },
        { name: 'c', persistentVolumeClaim: { claimName: random.pick(names) } },
      ],
    })
    const bodyOf = (resource: (typeof kinds)[number], name: string): object =>
      resource === 'persistentvolumeclaims'
        ? { metadata: { name }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }
        : { metadata: { name } }

    const step = async (): Promise<void> => {
      const client = random.pick(gateways).clientFor(masters)
      const name = random.pick(names)
      const kind = random.pick(kinds)
      // Refusals (it exists already, or does not) are as good as changes.
      switch (random.below(6)) {
        case 0:
        case 1:
          await client.request(podOf(name, random.pick(nodes), [], spec()))
          return
        case 2:
          await client.request({ ...at('pods', name), verb: 'delete', body: { gracePeriodSeconds: 0 } })
          return
        case 3:
          await client.request({ ...at(kind, name), verb: 'create', body: bodyOf(kind, name) as never })
          return
        case 4:
          await client.request({ ...at(kind, name), verb: 'delete' })
          return
        default:
          await client.request({
            ...at(random.pick(['pods', ...kinds]), name),
            verb: 'patch',
            patchType: 'application/merge-patch+json',
            body: { metadata: { labels: { n: String(random.below(1_000)) } } },
          })
      }
    }

    /** By what the API says to the node's agent, asked by name for everything there is. */
    const truthOf = async (node: string): Promise<Map<string, unknown>> => {
      const agent = agentOf(node)
      const truth = new Map<string, unknown>()
      for (const resource of feedResources) {
        for (const name of resource === 'nodes' ? nodes : names) {
          const where = resource === 'nodes' ? { group: '', resource, name } : at(resource, name)
          const result = await agent.request({ ...where, verb: 'get' })
          if (!result.ok) continue
          const { managedFields: _, ...metadata } = result.object.metadata as unknown as Record<string, unknown>
          truth.set(`${resource}/${resource === 'nodes' ? '' : 'default'}/${name}`, { ...result.object, metadata })
        }
      }
      return truth
    }

    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 25; i++) {
        await step()
        if (random.chance(0.05)) {
          losing = () => random.chance(0.3)
          await step()
          losing = () => false
        }
      }
      if (random.chance(0.5)) {
        const which = random.below(gateways.length)
        await gateways[which]!.stop()
        gateways[which] = await startGateway()
        admin = gateways[0]!.clientFor(masters)
      }
      const { sequence } = await must({
        ...{ verb: 'patch', group: '', resource: 'nodes', name: 'node-0' },
        patchType: 'application/merge-patch+json',
        body: { metadata: { labels: { round: String(round) } } },
      })
      for (const [index, node] of nodes.entries()) {
        const { objects, state } = feeds[index]!
        // The last change of all is one of node-0; what came before it, node-1 has heard when its fold is right.
        const truth = await truthOf(node)
        if (index === 0) await eventually('the feed has come so far', () => state.sequence >= sequence || state.failure)
        await eventually(`seed ${seed}, round ${round}: ${node} sees what it may`, () => {
          if (state.failure) throw state.failure
          try {
            expect(Object.fromEntries(objects)).toEqual(Object.fromEntries(truth))
            return true
          } catch {
            return index === 0 ? expect(Object.fromEntries(objects)).toEqual(Object.fromEntries(truth)) : false
          }
        })
      }
    }
    for (const feed of feeds) {
      expect(feed.changes.length).toBeGreaterThan(50)
      await feed.stop()
    }
  })
})
