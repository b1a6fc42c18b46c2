// The contract of the ApiClient port, on both its adapters: inside the gateway's process, and over HTTPS. Then what only
// HTTP has: who may send what.
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createSecureServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import { createApiConnection, type ApiConnection } from '@shiplog/api-client/api-connection'
import { createHttpApiClient } from '@shiplog/api-client/http-api-client'
import { createWatchFeed } from '@shiplog/api-client/watch-feed'
import { type ApiGateway, createApiGateway } from '@shiplog/api-gateway/api-gateway'
import { ensureDefaultRoles, ensureSystemObjects } from '@shiplog/control-plane/bootstrap/system-objects'
import { header } from '@shiplog/events/envelope'
import type { ClusterLog, LogRecord } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { loadPki, type Pki } from './pki.ts'

const directory = mkdtempSync(join(tmpdir(), 'shiplog-api-client-'))
const token = 'a-token-for-tests'
const scheduler = { name: 'system:kube-scheduler', groups: ['system:masters', 'system:authenticated'] }

let pki: Pki
let log: ClusterLog
let gateway: ApiGateway
const connections: ApiConnection[] = []

function connectionOf(who: { readonly client: string } | { readonly token: string }): ApiConnection {
  const connection = createApiConnection({
    servers: [`https://127.0.0.1:${gateway.port}`],
    ca: pki.ca,
    credentials: 'client' in who ? pki.clients[who.client]! : who,
    userAgent: 'kube-scheduler',
    clock,
  })
  connections.push(connection)
  return connection
}
const httpAs = (client: string): ApiClient => createHttpApiClient({ connection: connectionOf({ client }), clock })

beforeAll(async () => {
  pki = loadPki({
    directory,
    nowMs: clock.nowMs(),
    clients: [
      { name: 'master-scheduler', user: scheduler.name, groups: ['system:masters'] },
      { name: 'scheduler', user: scheduler.name },
      { name: 'controllers', user: 'system:kube-controller-manager' },
      { name: 'node-0', user: 'system:node:node-0', groups: ['system:nodes'] },
      { name: 'impostor', user: 'system:node:node-0' },
      { name: 'jane', user: 'jane' },
    ],
  })
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  gateway = createApiGateway({
    log,
    clock,
    ids: systemIds,
    logger: silentLogger,
    tokenFile: `${token},${scheduler.name},1,"system:masters"`,
    https: { host: '127.0.0.1', port: 0, ca: pki.ca, cert: pki.server.certificate, key: pki.server.key },
  })
  await gateway.start()
  const client = gateway.clientFor({ name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] })
  const objects = { client, clock, port: gateway.port, address: '127.0.0.1' }
  await ensureSystemObjects(objects)
  await ensureDefaultRoles(objects)
  await must(client, {
    verb: 'create',
    group: '',
    resource: 'serviceaccounts',
    namespace: 'default',
    body: { metadata: { name: 'default' } },
  })
})

describe('the feed over HTTPS', () => {
  const configMaps = { group: '', resource: 'configmaps', namespace: 'kube-public' } as const
  const create = (name: string): Promise<unknown> =>
    must(httpAs('master-scheduler'), { ...configMaps, verb: 'create', body: { metadata: { name } } })

  test('tells what is there, then what changes, and goes on over a new connection', async () => {
    const ending = new AbortController()
    const seen: string[] = []
    let synced = 0
    await create('first')
    const connection = connectionOf({ client: 'master-scheduler' })
    const following = (async () => {
      const feed = createWatchFeed({ connection, clock, log: silentLogger })
      for await (const batch of feed.follow(['configmaps', 'namespaces'], ending.signal)) {
        if (batch.synced) synced++
        for (const { name, namespace, deleted } of batch.changes)
          if (namespace === 'kube-public') seen.push(`${deleted ? '-' : '+'}${name}`)
      }
    })()
    await vi.waitFor(() => expect(synced).toBeGreaterThan(0), 5_000)
    expect(seen).toContain('+first')
    await create('second')
    await vi.waitFor(() => expect(seen.at(-1)).toBe('+second'), 5_000)
    connection.disconnect()
    await must(httpAs('master-scheduler'), { ...configMaps, verb: 'delete', name: 'second' })
    await vi.waitFor(() => expect(seen.at(-1)).toBe('-second'), 5_000)
    expect(seen.filter((one) => one === '+first')).toHaveLength(1)
    ending.abort()
    await following
  })

  test('gives nothing that its user may not read', async () => {
    const ending = new AbortController()
    clock.after(1_000, () => ending.abort())
    const batches: unknown[] = []
    const feed = createWatchFeed({ connection: connectionOf({ client: 'jane' }), clock, log: silentLogger })
    for await (const batch of feed.follow(['secrets'], ending.signal)) batches.push(batch)
    expect(batches).toEqual([])
  })
})

afterAll(async () => {
  for (const connection of connections) connection.close()
  await gateway.stop()
  await log.close()
  rmSync(directory, { recursive: true, force: true })
})

async function must(client: ApiClient, request: ApiRequest): Promise<Extract<ApiResult, { ok: true }>> {
  const result = await client.request(request)
  if (!result.ok) throw new Error(`${request.verb} ${request.resource}: ${result.status.message}`)
  return result
}

async function records(subject: string): Promise<LogRecord[]> {
  const all: LogRecord[] = []
  for await (const some of log.events.read({ subjects: [subject] })) all.push(...some)
  return all
}

const configMap = (verb: ApiRequest['verb'], name: string, more: Partial<ApiRequest> = {}): ApiRequest => ({
  verb,
  group: '',
  resource: 'configmaps',
  namespace: 'default',
  ...(verb === 'create' ? { body: { metadata: { name }, data: { x: '1' } } } : { name }),
  ...more,
})
const podOf = (name: string, spec: object = {}): ApiRequest => ({
  verb: 'create',
  group: '',
  resource: 'pods',
  namespace: 'default',
  body: { metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }], ...spec } },
})
const bindingOf = (pod: string, node: string): ApiRequest => ({
  verb: 'create',
  group: '',
  resource: 'pods',
  subresource: 'binding',
  namespace: 'default',
  name: pod,
  body: { metadata: { name: pod }, target: { kind: 'Node', name: node } },
})

const adapters: readonly (readonly [name: string, make: () => ApiClient])[] = [
  ['in process', () => gateway.clientFor(scheduler)],
  ['over HTTPS with a certificate', () => httpAs('master-scheduler')],
  ['over HTTPS with a token', () => createHttpApiClient({ connection: connectionOf({ token }), clock })],
]

describe.each(adapters)('the ApiClient %s', (adapter, make) => {
  let client: ApiClient
  let serial = 0
  const fresh = (): string => `x${adapters.findIndex(([name]) => name === adapter)}-${serial++}`
  beforeEach(() => {
    client = make()
  })

  test('answers a create with the object and its sequence, and a get with the same', async () => {
    const name = fresh()
    const made = await must(client, configMap('create', name))
    expect(made).toMatchObject({ code: 201, object: { kind: 'ConfigMap', metadata: { name } } })
    expect(made.object.metadata.resourceVersion).toBe(String(made.sequence))
    const found = await must(client, configMap('get', name))
    expect(found).toEqual({ ...made, code: 200 })
    const manager = made.object.metadata['managedFields']?.[0]?.manager
    expect(manager).toBe('kube-scheduler')
  })

  test('gives sequence 0 to a write that changed nothing', async () => {
    const name = fresh()
    const made = await must(client, configMap('create', name))
    const again = await must(client, configMap('update', name, { body: made.object }))
    expect(again.sequence).toBe(0)
    expect(again.object.metadata.resourceVersion).toBe(made.object.metadata.resourceVersion)
  })

  test('tells refusals as values, word for word', async () => {
    const name = fresh()
    const made = await must(client, configMap('create', name))
    await must(client, configMap('update', name, { body: { ...made.object, data: { x: '2' } } }))
    const stale = await client.request(configMap('update', name, { body: { ...made.object, data: { x: '3' } } }))
    expect(stale).toMatchObject({ ok: false, code: 409, status: { kind: 'Status', reason: 'Conflict' } })
    expect(await client.request(configMap('create', name))).toMatchObject({
      code: 409,
      status: { reason: 'AlreadyExists', message: `configmaps "${name}" already exists` },
    })
    expect(await client.request(configMap('get', 'nobody'))).toMatchObject({ code: 404 })
    expect(await client.request({ ...configMap('get', 'x'), resource: 'gadgets' })).toMatchObject({ code: 404 })
  })

  test('patches in every way, lists with selectors, deletes one and all', async () => {
    const name = fresh()
    const labels = { run: name }
    await must(client, configMap('create', name, { body: { metadata: { name, labels }, data: {} } }))
    const patch = async (patchType: ApiRequest['patchType'] & string, body: object) =>
      await must(client, configMap('patch', name, { patchType, body: body as never }))
    await patch('application/merge-patch+json', { data: { a: '1' } })
    await patch('application/strategic-merge-patch+json', { data: { b: 'ü' } })
    const applied = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name },
      data: { d: '4' },
    }
    await must(
      client,
      configMap('patch', name, {
        patchType: 'application/apply-patch+yaml',
        body: applied,
        query: { fieldManager: 'me', force: 'true' },
      }),
    )
    const last = await client.request(
      configMap('patch', name, {
        patchType: 'application/json-patch+json',
        body: [{ op: 'add', path: '/data/c', value: '3' }],
      }),
    )
    expect(last).toMatchObject({ ok: true, object: { data: { a: '1', b: 'ü', c: '3', d: '4' } } })
    const listed = await must(client, configMap('list', '', { query: { labelSelector: `run=${name}` } }))
    expect(listed.object['items']).toHaveLength(1)
    expect(listed.sequence).toBeGreaterThanOrEqual(last.ok ? last.sequence : Number.NaN)
    const gone = await must(client, configMap('delete', name))
    expect(gone.sequence).toBeGreaterThan(listed.sequence)
    await must(client, configMap('create', name, { body: { metadata: { name, labels }, data: {} } }))
    await must(client, configMap('deletecollection', '', { query: { labelSelector: `run=${name}` } }))
    expect(await client.request(configMap('get', name))).toMatchObject({ code: 404 })
  })

  test('refuses a name that was used before when asked for new ones only', async () => {
    const name = fresh()
    await must(client, configMap('create', name, { onlyNew: true }))
    await must(client, configMap('delete', name))
    const again = await client.request(configMap('create', name, { onlyNew: true }))
    expect(again).toMatchObject({ ok: false, code: 409 })
    await must(client, configMap('create', name))
  })

  test('refuses a deletion that was decided before another round of its matter was stored', async () => {
    const [one, two] = [fresh(), fresh()]
    await must(client, configMap('create', one))
    const { sequence: basis } = await must(client, configMap('create', two))
    await must(client, configMap('delete', one, { once: { matter: 'set', round: 'first/1' }, basis }))
    const late = await client.request(configMap('delete', two, { once: { matter: 'set', round: 'second/1' }, basis }))
    expect(late).toMatchObject({ ok: false, code: 409 })
  })

  test('records why a component acted: cause, basis and decision', async () => {
    const name = fresh()
    await must(client, podOf(name))
    const decision = JSON.stringify({ node: 'node-9', why: 'most room' })
    const bound = await must(client, { ...bindingOf(name, 'node-9'), cause: 3, basis: 7, decision })
    expect(bound.sequence).toBeGreaterThan(7)
    const record = (await log.events.get(bound.sequence))!
    expect(record.headers).toMatchObject({ [header.cause]: '3', [header.basis]: '7', [header.actor]: scheduler.name })
    expect(JSON.parse(record.headers[header.decision]!)).toEqual(JSON.parse(decision))
  })

  test('records attempts that failed', async () => {
    const pod = fresh()
    const record = { basis: 5, message: '0/1 nodes are available: größer' }
    await client.recordAttempt({ scheduler: 'default-scheduler', namespace: 'default', pod, record })
    const [kept] = await records(`dec.default-scheduler.default.${pod}`)
    expect(JSON.parse(Buffer.from(kept!.payload).toString())).toEqual(record)
    expect(kept!.headers).toMatchObject({ [header.actor]: scheduler.name, [header.basis]: '5' })
  })
})

describe('over HTTPS', () => {
  test('a thousand requests at once share one connection', async () => {
    const client = httpAs('master-scheduler')
    const results = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) => client.request(configMap('create', `many-${index}`))),
    )
    expect(results.filter((result) => result.ok)).toHaveLength(1_000)
  })

  test('the scheduler may bind and report, and neither read Secrets nor write Deployments', async () => {
    const client = httpAs('scheduler')
    await must(gateway.clientFor(scheduler), podOf('rights'))
    await must(client, bindingOf('rights', 'node-0'))
    const secrets = await client.request({ ...configMap('list', ''), resource: 'secrets' })
    expect(secrets).toMatchObject({ ok: false, code: 403 })
    expect(secrets).toMatchObject({
      status: {
        message:
          'secrets is forbidden: User "system:kube-scheduler" cannot list resource "secrets" in API group "" in the namespace "default"',
      },
    })
    const deployment: ApiRequest = {
      verb: 'create',
      group: 'apps',
      resource: 'deployments',
      namespace: 'default',
      body: { metadata: { name: 'd' } },
    }
    expect(await client.request(deployment)).toMatchObject({ ok: false, code: 403 })
  })

  test("what other users say about causes is not recorded, and attempts are the scheduler's alone", async () => {
    const admin = createHttpApiClient({
      connection: createApiConnection({
        servers: [`https://127.0.0.1:${gateway.port}`],
        ca: pki.ca,
        credentials: pki.admin,
        userAgent: 'test',
        clock,
      }),
      clock,
    })
    const made = await must(admin, configMap('create', 'by-admin', { cause: 1, basis: 2, decision: '{}' }))
    const { headers } = (await log.events.get(made.sequence))!
    expect([headers[header.cause], headers[header.basis], headers[header.decision]]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    const attempt = { scheduler: 's', namespace: 'default', pod: 'forged', record: {} }
    await expect(admin.recordAttempt(attempt)).rejects.toThrow('cannot record attempts')
    await expect(httpAs('controllers').recordAttempt(attempt)).rejects.toThrow('cannot record attempts')
    expect(await records('dec.s.default.forged')).toEqual([])
  })

  test('a user without a binding gets nothing but discovery', async () => {
    const jane = httpAs('jane')
    for (const resource of ['pods', 'secrets', 'configmaps']) {
      expect(await jane.request({ ...configMap('list', ''), resource })).toMatchObject({ ok: false, code: 403 })
    }
    const [group, resource] = ['rbac.authorization.k8s.io', 'clusterrolebindings']
    const binding = {
      metadata: { name: 'mine' },
      roleRef: { kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'User', name: 'jane' }],
    }
    const climb: ApiRequest = { verb: 'create', group, resource, body: binding }
    expect(await jane.request(climb)).toMatchObject({ ok: false, code: 403 })
    expect(await httpAs('scheduler').request(climb)).toMatchObject({ ok: false, code: 403 })
    expect(await httpAs('controllers').request(climb)).toMatchObject({ ok: false, code: 403 })
    expect(await httpAs('node-0').request(climb)).toMatchObject({ ok: false, code: 403 })
  })
})

describe('a user who may write roles', () => {
  const group = 'rbac.authorization.k8s.io'
  const role = (name: string, rules: object[]): ApiRequest => ({
    verb: 'create',
    group,
    resource: 'roles',
    namespace: 'default',
    body: { metadata: { name }, rules },
  })
  const binding = (name: string, kind: string, to: string): ApiRequest => ({
    verb: 'create',
    group,
    resource: 'rolebindings',
    namespace: 'default',
    body: { metadata: { name }, roleRef: { kind, name: to }, subjects: [{ kind: 'User', name: 'jane' }] },
  })
  const readPods = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] }
  const writeRoles = { verbs: ['create', 'get', 'update'], apiGroups: [group], resources: ['roles', 'rolebindings'] }

  beforeAll(async () => {
    const admin = gateway.clientFor(scheduler)
    await must(admin, role('janes', [readPods, writeRoles]))
    await must(admin, binding('janes', 'Role', 'janes'))
  })

  test('may hand out what they have', async () => {
    const jane = httpAs('jane')
    await must(jane, role('readers', [{ ...readPods, verbs: ['get'], resourceNames: ['one'] }]))
    await must(jane, binding('readers', 'Role', 'readers'))
  })

  test('may not hand out more, by a role or by a binding, nor to themselves', async () => {
    const jane = httpAs('jane')
    const more = await jane.request(role('more', [{ ...readPods, resources: ['secrets'] }]))
    expect(more).toMatchObject({ ok: false, code: 403, status: { reason: 'Forbidden' } })
    expect(more.ok ? '' : more.status.message).toBe(
      'roles.rbac.authorization.k8s.io "more" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}\n{APIGroups:[""], Resources:["secrets"], Verbs:["list"]}',
    )
    expect(await jane.request(binding('root', 'ClusterRole', 'cluster-admin'))).toMatchObject({ ok: false, code: 403 })
    expect(await jane.request(binding('later', 'Role', 'not-there-yet'))).toMatchObject({ ok: false, code: 404 })
    const own = await must(jane, { ...role('', []), verb: 'get', name: 'janes' })
    const raise: ApiRequest = {
      ...role('', []),
      verb: 'update',
      name: 'janes',
      body: { ...own.object, rules: [readPods, { ...writeRoles, verbs: ['*'] }] },
    }
    expect(await jane.request(raise)).toMatchObject({ ok: false, code: 403 })
    // What stays as it is may be written by whoever may write it.
    const labelled = { ...own.object, metadata: { ...own.object.metadata, labels: { of: 'jane' } } }
    await must(jane, { ...raise, body: labelled })
  })
})

describe('when gateways fail', () => {
  /** A server that answers as it is told, and counts. */
  async function fake(answer: (stream: ServerHttp2Stream, count: number) => void) {
    const server = createSecureServer({ cert: pki.server.certificate, key: pki.server.key })
    const state = { count: 0, port: 0, close: () => server.close() }
    server.on('sessionError', () => undefined)
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => undefined)
      stream.resume()
      stream.once('end', () => answer(stream, ++state.count))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    state.port = (server.address() as AddressInfo).port
    return state
  }
  const clientOf = (...ports: number[]): ApiClient => {
    const connection = createApiConnection({
      servers: ports.map((port) => `https://127.0.0.1:${port}`),
      ca: pki.ca,
      credentials: pki.clients['master-scheduler']!,
      userAgent: 'test',
      clock,
    })
    connections.push(connection)
    return createHttpApiClient({ connection, clock })
  }
  const answerOk = (stream: ServerHttp2Stream): void => {
    stream.respond({ ':status': 200, 'content-type': 'application/json' })
    stream.end(JSON.stringify({ kind: 'ConfigMap', metadata: { name: 'x', resourceVersion: '5' } }))
  }

  test('the next one is asked when the first cannot be reached', async () => {
    const nobody = await fake(answerOk)
    nobody.close()
    await must(clientOf(nobody.port, gateway.port), configMap('create', 'failover'))
  })

  test('what was refused for now is sent again after the time that was asked for', async () => {
    const server = await fake((stream, count) => {
      if (count > 1) return answerOk(stream)
      stream.respond({ ':status': 429, 'retry-after': '1' })
      stream.end()
    })
    const startedMs = clock.nowMs()
    expect(await clientOf(server.port).request(configMap('create', 'x'))).toMatchObject({ ok: true, sequence: 5 })
    expect(clock.nowMs() - startedMs).toBeGreaterThanOrEqual(1_000)
    expect(server.count).toBe(2)
    server.close()
  })

  test('a write without an answer is told as unknown and not sent again; a read is', async () => {
    const server = await fake((stream, count) => {
      if (count > 2) answerOk(stream)
      else stream.session?.destroy()
    })
    const client = clientOf(server.port)
    await expect(client.request(configMap('create', 'x'))).rejects.toMatchObject({
      name: 'ApiUnreachable',
      ambiguous: true,
    })
    expect(server.count).toBe(1)
    expect(await client.request(configMap('get', 'x'))).toMatchObject({ ok: true })
    expect(server.count).toBe(3)
    server.close()
  })
})

describe("a node's agent", () => {
  const node = (name: string): ApiRequest => ({
    verb: 'create',
    group: '',
    resource: 'nodes',
    body: { metadata: { name } },
  })
  const secret = (name: string): ApiRequest => ({ ...configMap('get', name), resource: 'secrets' })
  const status = (pod: string): ApiRequest => ({
    verb: 'patch',
    group: '',
    resource: 'pods',
    subresource: 'status',
    namespace: 'default',
    name: pod,
    patchType: 'application/merge-patch+json',
    body: { status: { phase: 'Running' } },
  })
  let agent: ApiClient

  beforeAll(async () => {
    const admin = gateway.clientFor(scheduler)
    await must(admin, node('node-1'))
    for (const name of ['wanted', 'other']) {
      await must(admin, { ...secret(name), verb: 'create', body: { metadata: { name } } })
    }
    const env = [{ name: 'P', valueFrom: { secretKeyRef: { name: 'wanted', key: 'p' } } }]
    await must(admin, podOf('ours', { containers: [{ name: 'c', image: 'i', env }] }))
    await must(admin, bindingOf('ours', 'node-0'))
    await must(admin, podOf('theirs'))
    await must(admin, bindingOf('theirs', 'node-1'))
    agent = httpAs('node-0')
  })

  test('registers its own node and no other', async () => {
    await must(agent, node('node-0'))
    expect(await agent.request(node('node-2'))).toMatchObject({ ok: false, code: 403 })
    const patch = (name: string): ApiRequest => ({
      verb: 'patch',
      group: '',
      resource: 'nodes',
      subresource: 'status',
      name,
      patchType: 'application/merge-patch+json',
      body: { status: { phase: 'Running' } },
    })
    await must(agent, patch('node-0'))
    expect(await agent.request(patch('node-1'))).toMatchObject({ ok: false, code: 403 })
  })

  test('reads the Secrets that its pods refer to, and no others', async () => {
    await must(agent, secret('wanted'))
    expect(await agent.request(secret('other'))).toMatchObject({ ok: false, code: 403 })
    expect(await agent.request({ ...secret(''), verb: 'list' })).toMatchObject({ ok: false, code: 403 })
    expect(await httpAs('impostor').request(secret('wanted'))).toMatchObject({ ok: false, code: 403 })
  })

  test('reports on its own pods, and sees no others', async () => {
    await must(agent, status('ours'))
    expect(await agent.request(status('theirs'))).toMatchObject({ ok: false, code: 403 })
    expect(await agent.request({ ...configMap('get', 'theirs'), resource: 'pods' })).toMatchObject({ code: 403 })
    expect(await agent.request({ ...configMap('list', ''), resource: 'pods' })).toMatchObject({ code: 403 })
    expect(await agent.request(podOf('own'))).toMatchObject({ ok: false, code: 403 })
  })
})

test('a body over HTTP/2 without length and media type is read, as `kubectl create --raw` sends it', async () => {
  const session = connect(`https://127.0.0.1:${gateway.port}`, { ca: pki.ca })
  try {
    const send = (body: string | undefined): Promise<{ code: number; text: string }> =>
      new Promise((resolve, reject) => {
        const path = '/api/v1/namespaces/default/configmaps'
        const stream = session.request(
          { ':method': 'POST', ':path': path, authorization: `Bearer ${token}` },
          { endStream: body === undefined },
        )
        let code = 0
        let text = ''
        stream.on('response', (headers) => {
          code = Number(headers[':status'])
        })
        stream.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        stream.on('end', () => resolve({ code, text })).on('error', reject)
        if (body !== undefined) stream.end(body)
      })
    const made = await send(JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'raw' } }))
    expect(made.code, made.text).toBe(201)
    expect((await send(undefined)).code).toBe(400)
  } finally {
    session.close()
  }
})
