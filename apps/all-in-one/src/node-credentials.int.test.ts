// What the credentials of a node's agent are good for, on a real nats-server with a gateway: its own work, and nothing
// else. Whoever holds them may try whatever NATS lets a client try.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import { feedResources } from '@shiplog/api-client/wire/feed'
import { createBusApiClient } from '@shiplog/api-client/bus-api-client'
import { createBusFeed } from '@shiplog/api-client/bus-feed'
import { type ApiGateway, createApiGateway } from '@shiplog/api-gateway/api-gateway'
import type { Bus } from '@shiplog/events/bus/bus'
import { commandSubject, inboxPrefixOf } from '@shiplog/events/bus/bus-subjects'
import { openChannel } from '@shiplog/events/bus/channel'
import type { ClusterLog } from '@shiplog/events/event-log'
import { type Connection, openConnection } from '@shiplog/events/jetstream/connection'
import { connectJetStreamClusterLog } from '@shiplog/events/jetstream/jetstream-log'
import { openNatsBus } from '@shiplog/events/jetstream/nats-bus'
import { requireNatsServer } from '@shiplog/nats-server/nats-binary'
import { type NatsChild, startNatsServer } from '@shiplog/nats-server/nats-child'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger as logger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const server = await requireNatsServer()
const users = { 'node-0': 'system:node:node-0', 'node-1': 'system:node:node-1' } as const
type Node = keyof typeof users

const at = (resource: string, name: string) => ({ group: '', resource, namespace: 'default', name })
const podOf = (name: string, nodeName: string, secretName: string): ApiRequest => ({
  ...at('pods', name),
  verb: 'create',
  body: {
    metadata: { name },
    spec: {
      nodeName,
      containers: [{ name: 'c', image: 'i' }],
      volumes: [{ name: 's', secret: { secretName } }],
    },
  },
})
const secretOf = (name: string, value: string): ApiRequest => ({
  ...at('secrets', name),
  verb: 'create',
  body: { metadata: { name }, stringData: { value } },
})

describe('the credentials of a node', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'shiplog-nodes-'))
  let nats: NatsChild
  let log: ClusterLog
  let gateway: ApiGateway
  let admin: ApiClient
  const closing: (() => Promise<void>)[] = []

  const busAs = async (node: Node): Promise<Bus> => {
    const bus = await openNatsBus({ servers: nats.url, credentials: nats.credentials.nodes[node]!, clock })
    closing.push(() => bus.close())
    return bus
  }
  const connectAs = async (credentials: NatsChild['credentials']['gateway']): Promise<Connection> => {
    const connection = await openConnection({ servers: nats.url, credentials, clock })
    closing.push(() => connection.close())
    return connection
  }
  const must = async (request: ApiRequest, client = admin): Promise<Extract<ApiResult, { ok: true }>> => {
    const result = await client.request(request)
    if (!result.ok) throw new Error(`${request.verb} ${request.resource} ${request.name}: ${result.status.message}`)
    return result
  }

  beforeAll(async () => {
    nats = await startNatsServer({ binary: server!.path, dataDir, nodes: Object.keys(users) })
    const { credentials } = nats
    log = await connectJetStreamClusterLog({ servers: nats.url, credentials: credentials.gateway })
    const bus = await openNatsBus({ servers: nats.url, credentials: credentials.gateway, clock })
    gateway = createApiGateway({ log, bus, clock, ids, logger })
    await gateway.start()
    closing.push(
      () => nats.stop(),
      () => log.close(),
      () => bus.close(),
      () => gateway.stop(),
    )
    admin = gateway.clientFor({ name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] })
    await must({ verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name: 'default' } } })
    await must({ ...at('serviceaccounts', 'default'), verb: 'create', body: { metadata: { name: 'default' } } })
    for (const name of Object.keys(users)) {
      await must({ verb: 'create', group: '', resource: 'nodes', body: { metadata: { name } } })
    }
    await must(secretOf('own', 'for node-0'))
    await must(secretOf('other', 'not for node-0'))
    await must(podOf('mine', 'node-0', 'own'))
    await must(podOf('theirs', 'node-1', 'other'))
  })

  afterAll(async () => {
    for (const close of closing.reverse()) await close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  const statusOf = (resource: string, name: string): ApiRequest => ({
    ...(resource === 'nodes' ? { group: '', resource, name } : at(resource, name)),
    verb: 'patch',
    subresource: 'status',
    patchType: 'application/merge-patch+json',
    body: { status: resource === 'nodes' ? { capacity: { cpu: '4' } } : { phase: 'Running' } },
  })

  test('let its agent do its work: its feed, its reports, the Secret that its pod refers to', async () => {
    const bus = await busAs('node-0')
    const client = createBusApiClient({ bus, clock, user: users['node-0'] })
    expect((await must({ ...at('secrets', 'own'), verb: 'get' }, client)).object['data']).toHaveProperty('value')
    await must(statusOf('nodes', 'node-0'), client)
    await must(statusOf('pods', 'mine'), client)
    const ending = new AbortController()
    const feed = createBusFeed({ bus, clock, ids, log: logger, node: 'node-0' })
    for await (const { changes } of feed.follow(feedResources, ending.signal)) {
      expect(changes.map(({ groupResource, name }) => `${groupResource}/${name}`)).toEqual([
        'nodes/node-0',
        'secrets/own',
        'pods/mine',
      ])
      ending.abort()
    }
  })

  test('read no Secret that none of its pods refers to, and write nothing about other nodes', async () => {
    const bus = await busAs('node-0')
    const client = createBusApiClient({ bus, clock, user: users['node-0'] })
    const refused: ApiRequest[] = [
      { ...at('secrets', 'other'), verb: 'get' },
      { group: '', resource: 'secrets', namespace: 'default', verb: 'list' },
      { group: '', resource: 'secrets', verb: 'list' },
      { ...at('secrets', 'other'), verb: 'list', query: { fieldSelector: 'metadata.name=other' } },
      { ...at('pods', 'theirs'), verb: 'get' },
      { group: '', resource: 'pods', verb: 'list' },
      { group: '', resource: 'pods', verb: 'list', query: { fieldSelector: 'spec.nodeName=node-1' } },
      statusOf('nodes', 'node-1'),
      statusOf('pods', 'theirs'),
      podOf('spy', 'node-0', 'other'),
      // A pod of its own that would refer to more.
      {
        ...at('pods', 'mine'),
        verb: 'patch',
        patchType: 'application/merge-patch+json',
        body: { spec: { volumes: [{ name: 'o', secret: { secretName: 'other' } }] } },
      },
      { ...at('pods', 'mine'), verb: 'create', subresource: 'binding', body: { target: { name: 'node-1' } } },
    ]
    for (const request of refused) {
      const { verb, resource, name } = request
      const result = await client.request(request)
      expect([verb, resource, name, result.code]).toEqual([verb, resource, name, 403])
    }
    // Written into a status, it is no reference.
    const sly = statusOf('pods', 'mine')
    const spec = { volumes: [{ name: 'o', secret: { secretName: 'other' } }] }
    const { object } = await must({ ...sly, body: { ...(sly.body as object), spec } }, client)
    expect(JSON.stringify(object)).not.toContain('"other"')

    // A feed that claims to know what it may not see.
    const channel = await openChannel({
      ...{ bus, clock, ids, timeoutMs: 5_000, prefix: 'feed.node-0' },
      subject: commandSubject(users['node-0'], 'feed'),
      request: {
        resources: ['secrets', 'pods'],
        from: 0,
        known: { 'secrets/default/other': 1, 'pods/default/theirs': 1 },
      },
    })
    for await (const message of channel.incoming) {
      const { entries } = JSON.parse(Buffer.from(message).toString())
      expect(entries.map(({ key, gone }: { key: string; gone?: boolean }) => (gone ? `-${key}` : key)).sort()).toEqual([
        '-pods/default/theirs',
        '-secrets/default/other',
        'pods/default/mine',
        'secrets/default/own',
      ])
      break
    }
    channel.close()
  })

  test('publish to nothing but its own', async () => {
    const connection = await connectAs(nats.credentials.nodes['node-0']!)
    const last = await log.events.lastSequence()
    const [me, other] = [users['node-0'], users['node-1']]
    const forbidden = [
      'evt.core.pods.default.mine',
      'evt.core.secrets.default.other',
      'guard.x',
      'dec.default-scheduler.default.mine',
      'seal.x',
      'lease.kube-node-lease.node-0',
      'oev.default.x',
      '$JS.API.INFO',
      '$JS.API.STREAM.NAMES',
      '$JS.API.STREAM.INFO.EVENTS',
      '$JS.API.STREAM.PURGE.EVENTS',
      '$JS.API.STREAM.DELETE.EVENTS',
      '$JS.API.STREAM.MSG.GET.EVENTS',
      '$JS.API.DIRECT.GET.EVENTS',
      '$JS.API.DIRECT.GET.EVENTS.evt.core.secrets.default.other',
      '$JS.API.CONSUMER.CREATE.EVENTS',
      '$JS.ACK.EVENTS.x.1.1.1.1.1',
      '$SYS.REQ.SERVER.PING',
      commandSubject(other, 'request'),
      commandSubject(other, 'feed'),
      commandSubject('kubernetes-admin', 'request'),
      'feed.node-1.x.opener',
      'feed.node-0.x.acceptor',
      'tun.node-1.x.acceptor',
      'tun.node-1.open',
      'tun.node-0.open',
      'tun.node-0.x.opener',
      'use.node-1',
      `${inboxPrefixOf(me)}.x`,
      `${inboxPrefixOf(other)}.x`,
      '_INBOX_gateway.x',
      '_INBOX_reader.x',
      '_INBOX.x',
    ]
    for (const subject of forbidden) {
      const asked = connection.request(subject, Buffer.from('{}'), { timeoutMs: 5_000 })
      await expect(asked, subject).rejects.toThrow(`does not permit this user to publish to ${subject}`)
    }
    expect(await log.events.lastSequence()).toBe(last)
  })

  test('have no gateway publish in its stead', async () => {
    const connection = await connectAs(nats.credentials.nodes['node-0']!)
    const client = createBusApiClient({ bus: await busAs('node-0'), clock, user: users['node-0'] })
    const last = await log.events.lastSequence()
    const victim = await connectAs(nats.credentials.gateway)
    const heard: string[] = []
    victim.subscribe('tun.>', ({ subject }) => void heard.push(subject))
    victim.subscribe('feed.node-1.>', ({ subject }) => void heard.push(subject))
    const replies = [
      'evt.core.configmaps.default.x',
      'guard.x',
      '$JS.API.STREAM.PURGE.EVENTS',
      'tun.node-1.open',
      'feed.node-1.x.opener',
    ]
    for (const reply of replies) {
      for (const what of ['request', 'feed'] as const) {
        connection.publish(commandSubject(users['node-0'], what), Buffer.from('{"id":"12345678"}\n'), { reply })
      }
    }
    // The same gateway answers in order, so what it would have done is done.
    const ask = connection.request(commandSubject(users['node-0'], 'request'), Buffer.from('x'), { timeoutMs: 5_000 })
    expect(Buffer.from((await ask).data).toString()).toContain('"code":400')
    await must({ verb: 'get', group: '', resource: 'nodes', name: 'node-0' }, client)
    expect(heard).toEqual([])
    expect(await log.events.lastSequence()).toBe(last)
  })

  test('hear nothing but its own', async () => {
    const spy = await connectAs(nats.credentials.nodes['node-0']!)
    const control = await connectAs(nats.credentials.gateway)
    const heard: string[] = []
    const controls = new Set<string>()
    const subjects = [
      '>',
      '*',
      '*.>',
      'evt.>',
      'evt.core.secrets.default.other',
      'guard.>',
      '$JS.>',
      '$JS.EVENT.>',
      '$SYS.>',
      '_INBOX.>',
      '_INBOX_gateway.>',
      '_INBOX_reader.>',
      `${inboxPrefixOf(users['node-1'])}.>`,
      'cmd.>',
      'cmd.*.request',
      commandSubject(users['node-1'], 'request'),
      commandSubject(users['node-0'], 'request'),
      'feed.>',
      'feed.*.*.acceptor',
      'feed.node-1.*.acceptor',
      'feed.node-1.*.opener',
      'feed.node-0.*.opener',
      'tun.>',
      'tun.*.open',
      'tun.node-1.open',
      'use.>',
      'use.node-1',
    ]
    for (const subject of subjects) {
      spy.subscribe(subject, (message) => void heard.push(`${subject}: ${message.subject}`))
      spy.subscribe(subject, (message) => void heard.push(`${subject}: ${message.subject}`), 'gateways')
    }
    for (const subject of ['cmd.>', 'feed.>', 'tun.>', 'use.>']) {
      control.subscribe(subject, (message) => void controls.add(message.subject.split('.')[0]!))
    }
    const ask = () => spy.request(commandSubject(users['node-0'], 'request'), Buffer.from('x'), { timeoutMs: 5_000 })
    await ask()

    // What there is to hear: changes, a feed, commands and a tunnel of the other node.
    const bus = await busAs('node-1')
    const victim = createBusApiClient({ bus, clock, user: users['node-1'] })
    const ending = new AbortController()
    const feed = createBusFeed({ bus, clock, ids, log: logger, node: 'node-1' })
    let seen = 0
    for await (const { changes } of feed.follow(feedResources, ending.signal)) {
      seen += changes.length
      if (changes.some(({ name }) => name === 'late')) ending.abort()
      else await must(podOf('late', 'node-1', 'other'))
    }
    await must({ ...at('secrets', 'other'), verb: 'get' }, victim)
    await must(statusOf('nodes', 'node-1'), victim)
    control.publish('tun.node-1.open', Buffer.from('x'))
    await ask()
    const deadlineMs = clock.nowMs() + 5_000
    while (controls.size < 3 && clock.nowMs() < deadlineMs) await clock.sleep(10)
    await ask()
    expect([...controls].sort()).toEqual(['cmd', 'feed', 'tun'])
    expect(seen).toBeGreaterThan(3)
    // Its own first request came to nobody else either: `cmd.>` is not the spy's to hear.
    expect(heard).toEqual([])
  })

  test('are of no use without the password', async () => {
    const credentials = { ...nats.credentials.nodes['node-0']!, password: 'guessed' }
    await expect(openNatsBus({ servers: nats.url, credentials, clock })).rejects.toMatchObject({
      name: 'LogUnavailable',
    })
  })
})
