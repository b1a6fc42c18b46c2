// Webhooks in a gateway, asked over HTTPS at a real server: what they are told, what they change and refuse, and every way in
// which they can fail, in upstream's words.
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { ApiClient, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { issueCertificate, keyPem, newKeyPair } from '@shiplog/control-plane/identity/certificate'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { createMetricsRegistry } from '@shiplog/runtime/metrics'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type ApiGateway, createApiGateway } from '../api-gateway.ts'

const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }
const group = 'admissionregistration.k8s.io'
const [mutating, validating] = ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations']

type Answer = (review: JsonObject) => JsonObject | string | { readonly code: number; readonly body: string } | 'hang'

let log: ClusterLog
let gateway: ApiGateway
let client: ApiClient
let server: Server
let caBundle: string
let port = 0
const metrics = createMetricsRegistry()
/** What the server answers at a path, and what it was asked there. */
const answers = new Map<string, Answer>()
const asked: { readonly path: string; readonly review: JsonObject }[] = []

beforeAll(async () => {
  await startServer()
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  gateway = createApiGateway({ log, metrics, clock: systemClock, ids: systemIds, logger: silentLogger })
  await gateway.start()
  client = gateway.clientFor(admin)
  for (const [name, labels] of [['plain', {}], ['strict', { level: 'strict' }]] as const)
    await ok({ verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name, labels } } })
  await ok({ verb: 'create', group: '', resource: 'serviceaccounts', namespace: 'plain', body: { metadata: { name: 'default' } } })
})

afterEach(async () => {
  for (const resource of [mutating, validating]) await ok({ verb: 'deletecollection', group, resource })
  for (const namespace of ['plain', 'strict']) await ok({ verb: 'deletecollection', group: '', resource: 'configmaps', namespace })
  answers.clear()
  asked.length = 0
})

afterAll(async () => {
  await gateway.stop()
  await log.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

async function startServer(): Promise<void> {
  const [authorityKeys, keys] = [newKeyPair(), newKeyPair()]
  const times = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 3_600_000 }
  const authority = issueCertificate({ use: 'authority', commonName: 'webhooks', ...times }, authorityKeys)
  const cert = issueCertificate(
    { use: 'server', commonName: 'hooks', ipAddresses: ['127.0.0.1'], dnsNames: ['hooks.plain.svc'], ...times },
    keys,
    { certificate: authority, key: authorityKeys.privateKey },
  )
  caBundle = Buffer.from(authority).toString('base64')
  server = createServer({ cert, key: keyPem(keys.privateKey) }, (request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const path = request.url!.split('?')[0]!
      const review = pieces.length > 0 ? (JSON.parse(Buffer.concat(pieces).toString()) as JsonObject) : {}
      asked.push({ path, review })
      const answer = answers.get(path)?.(review) ?? { code: 404, body: 'no such page' }
      if (answer === 'hang') return
      if (typeof answer === 'string') return response.end(answer)
      if ('code' in answer && 'body' in answer)
        return response.writeHead(Number(answer['code']), { location: '/elsewhere' }).end(String(answer['body']))
      response.setHeader('content-type', 'application/json')
      return response.end(JSON.stringify(answer))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
}

type Request = Parameters<ApiClient['request']>[0]

async function ok(request: Request): Promise<KubeObject> {
  const result = await client.request(request)
  if (!result.ok) throw new Error(result.status.message)
  return result.object
}

const said = (result: ApiResult): string => (result.ok ? 'ok' : `${result.status.code} ${result.status.message}`)

const reviewed = (review: JsonObject, response: JsonObject): JsonObject => ({
  kind: 'AdmissionReview',
  apiVersion: review['apiVersion'],
  response: { uid: review['request'].uid, ...response },
})
const allowing: Answer = (review) => reviewed(review, { allowed: true })
const patching =
  (...operations: readonly JsonObject[]): Answer =>
  (review) => {
    const patch = Buffer.from(JSON.stringify(operations)).toString('base64')
    return reviewed(review, { allowed: true, patchType: 'JSONPatch', patch })
  }

const configMapRule = { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['*'] }

function hook(path: string, more: JsonObject = {}): JsonObject {
  return {
    name: `${path.slice(1)}.example.com`,
    clientConfig: { url: `https://127.0.0.1:${port}${path}`, caBundle },
    rules: [configMapRule],
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    ...more,
  }
}

const configure = (resource: string, name: string, ...webhooks: readonly JsonObject[]): Promise<KubeObject> =>
  ok({ verb: 'create', group, resource, body: { metadata: { name }, webhooks } as unknown as JsonObject })

const create = (name: string, data: JsonObject = {}, more: Partial<Request> = {}, metadata: JsonObject = {}): Promise<ApiResult> =>
  client.request({
    ...{ verb: 'create', group: '', resource: 'configmaps', namespace: 'plain' },
    body: { metadata: { name, ...metadata }, data },
    ...more,
  } as Request)

const dataOf = async (name: string): Promise<unknown> =>
  (await ok({ verb: 'get', group: '', resource: 'configmaps', namespace: 'plain', name }))['data']

describe('validating webhooks', () => {
  test('are told of the request, and their refusal is the answer', async () => {
    answers.set('/deny', (review) => reviewed(review, { allowed: false, status: { code: 403, message: 'not today', reason: 'Forbidden' } }))
    await configure(validating, 'deny', hook('/deny'))
    expect(said(await create('a', { key: 'value' }))).toBe(
      '403 admission webhook "deny.example.com" denied the request: not today',
    )
    const { review } = asked[0]!
    expect(review).toMatchObject({
      kind: 'AdmissionReview',
      apiVersion: 'admission.k8s.io/v1',
      request: {
        kind: { group: '', version: 'v1', kind: 'ConfigMap' },
        resource: { group: '', version: 'v1', resource: 'configmaps' },
        ...{ name: 'a', namespace: 'plain', operation: 'CREATE', dryRun: false, oldObject: null },
        userInfo: { username: 'kubernetes-admin', groups: admin.groups },
        object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a', namespace: 'plain' }, data: { key: 'value' } },
        options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      },
    })
    answers.set('/deny', (review) => reviewed(review, { allowed: false }))
    expect(said(await create('a'))).toBe('400 admission webhook "deny.example.com" denied the request without explanation')
  })

  test('are asked about updates with what was, about deletions with nothing that will be, and about each of a collection', async () => {
    answers.set('/watch', allowing)
    await configure(validating, 'watch', hook('/watch'))
    await create('a', { n: '1' })
    await create('b')
    const name = { group: '', resource: 'configmaps', namespace: 'plain', name: 'a' }
    await ok({ verb: 'patch', ...name, patchType: 'application/merge-patch+json', body: { data: { n: '2' } } as unknown as JsonObject })
    await ok({ verb: 'deletecollection', group: '', resource: 'configmaps', namespace: 'plain' })
    const told = asked.map(({ review: { request } }) => [
      ...[request.operation, request.object?.data ?? null, request.oldObject?.data ?? null, request.options.kind],
    ])
    expect(told.slice(2)).toEqual([
      ['UPDATE', { n: '2' }, { n: '1' }, 'UpdateOptions'],
      ['DELETE', null, { n: '2' }, 'DeleteOptions'],
      ['DELETE', null, null, 'DeleteOptions'],
    ])
  })

  test('are asked only where namespace, object, scope and conditions match', async () => {
    answers.set('/deny', (review) => reviewed(review, { allowed: false }))
    await configure(
      validating,
      'deny',
      hook('/deny', {
        namespaceSelector: { matchLabels: { level: 'strict' } },
        objectSelector: { matchExpressions: [{ key: 'skip', operator: 'DoesNotExist' }] },
        matchConditions: [
          { name: 'not-left-out', expression: 'object.metadata.name != "left-out"' },
          { name: 'not-kubelet', expression: '!(request.userInfo.username == "kubelet") && object.data.size() > 0' },
        ],
      }),
    )
    expect(said(await create('a', { a: 'b' }))).toBe('ok')
    expect(said(await create('a', { a: 'b' }, { namespace: 'strict' }, { labels: { skip: 'yes' } }))).toBe('ok')
    expect(said(await create('left-out', { a: 'b' }, { namespace: 'strict' }))).toBe('ok')
    expect(said(await create('b', { a: 'b' }, { namespace: 'strict' }))).toContain('denied the request')
    expect(said(await create('c', {}, { namespace: 'strict', body: { metadata: { name: 'c' } } }))).toBe(
      `403 configmaps "c" is forbidden: expression '!(request.userInfo.username == "kubelet") && object.data.size() > 0' resulted in error: no such key: data`,
    )
    expect(asked).toHaveLength(1)
  })

  test('are never asked about configurations of webhooks', async () => {
    answers.set('/deny', (review) => reviewed(review, { allowed: false }))
    const rule = { apiGroups: ['*'], apiVersions: ['*'], resources: ['*'], operations: ['*'] }
    await configure(validating, 'deny', hook('/deny', { rules: [rule] }))
    await configure(mutating, 'other', hook('/deny'))
    expect(asked).toEqual([])
  })

  test('see bindings, evictions and Scales as such, and nothing of what those come to', async () => {
    const rule = { apiGroups: ['*'], apiVersions: ['*'], resources: ['pods/binding', 'pods/eviction', 'pods'], operations: ['CREATE', 'DELETE', 'UPDATE'] }
    answers.set('/watch', allowing)
    const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } }
    await ok({ verb: 'create', group: '', resource: 'pods', namespace: 'plain', body: pod as unknown as JsonObject })
    await configure(validating, 'watch', hook('/watch', { rules: [rule] }))
    const binding = { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n' } }
    await ok({ verb: 'create', group: '', resource: 'pods', namespace: 'plain', name: 'p', subresource: 'binding', body: binding as unknown as JsonObject })
    await ok({ verb: 'create', group: '', resource: 'pods', namespace: 'plain', name: 'p', subresource: 'eviction', body: { metadata: { name: 'p' } } })
    const told = asked.map(({ review: { request } }) => `${request.operation} ${request.kind.kind} ${request.subResource} ${request.object.kind}`)
    expect(told).toEqual(['CREATE Binding binding Binding', 'CREATE Eviction eviction Eviction'])
  })

  test('that know another version of a kind are told in it', async () => {
    answers.set('/watch', allowing)
    const rule = { apiGroups: ['autoscaling'], apiVersions: ['v2'], resources: ['horizontalpodautoscalers'], operations: ['CREATE'] }
    await configure(validating, 'watch', hook('/watch', { rules: [rule] }))
    const scaler = { metadata: { name: 'h' }, spec: { scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' }, maxReplicas: 3 } }
    await ok({ verb: 'create', group: 'autoscaling', version: 'v1', resource: 'horizontalpodautoscalers', namespace: 'plain', body: scaler as unknown as JsonObject })
    expect(asked[0]!.review['request']).toMatchObject({
      kind: { version: 'v2' },
      requestKind: { version: 'v1' },
      requestResource: { version: 'v1' },
      object: { apiVersion: 'autoscaling/v2', spec: { metrics: [{ type: 'Resource' }] } },
    })
  })
})

describe('mutating webhooks', () => {
  test('change the object one after another, and the event names them', async () => {
    answers.set('/one', patching({ op: 'add', path: '/data/one', value: 'yes' }))
    answers.set('/two', patching({ op: 'add', path: '/data/two', value: 'yes' }))
    await configure(mutating, 'b', hook('/two'))
    await configure(mutating, 'a', hook('/one'))
    const result = await create('a', { zero: 'yes' })
    expect(await dataOf('a')).toEqual({ zero: 'yes', one: 'yes', two: 'yes' })
    expect(asked.map(({ path }) => path)).toEqual(['/one', '/two'])
    expect(asked[1]!.review['request'].object.data).toEqual({ zero: 'yes', one: 'yes' })
    const { headers } = (await log.events.get(result.ok ? result.sequence : 0))!
    expect(JSON.parse(decodeURIComponent(headers['Shiplog-Admission']!))).toEqual([
      { by: 'MutatingWebhookConfiguration/a', name: 'one.example.com', paths: ['/data/one'] },
      { by: 'MutatingWebhookConfiguration/b', name: 'two.example.com', paths: ['/data/two'] },
    ])
  })

  test('are asked once more when somebody changes something after them, where they want it', async () => {
    answers.set('/one', (review) => patching({ op: 'add', path: '/data/one', value: String(Object.keys(review['request'].object.data).length) })(review))
    answers.set('/two', patching({ op: 'add', path: '/data/two', value: 'yes' }))
    await configure(mutating, 'a', hook('/one', { reinvocationPolicy: 'IfNeeded' }))
    await configure(mutating, 'b', hook('/two'))
    await create('a', { zero: 'yes' })
    expect(asked.map(({ path }) => path)).toEqual(['/one', '/two', '/one'])
    expect(await dataOf('a')).toEqual({ zero: 'yes', one: '3', two: 'yes' })
  })

  test('are not told the name that was made up, and cannot change what is deleted', async () => {
    answers.set('/one', patching({ op: 'add', path: '/data', value: { by: 'hook' } }))
    await configure(mutating, 'a', hook('/one'))
    const result = await create('', {}, { body: { metadata: { generateName: 'made-' } } })
    expect(said(result)).toBe('ok')
    const { request } = asked[0]!.review as JsonObject
    expect([request.name, request.object.metadata.name]).toEqual([undefined, undefined])
    const { name } = (result.ok ? result.object : undefined)!.metadata
    expect(await dataOf(name)).toEqual({ by: 'hook' })
    expect(said(await client.request({ verb: 'delete', group: '', resource: 'configmaps', namespace: 'plain', name }))).toBe(
      '500 Internal error occurred: admission webhook "one.example.com" attempted to modify the object, which is not supported for this operation',
    )
    await ok({ verb: 'deletecollection', group, resource: mutating })
  })
})

describe('what cannot be asked, or makes no sense', () => {
  const failed = (why: string): string => `500 Internal error occurred: failed calling webhook "bad.example.com": ${why}`
  const posted = (): string => `failed to call webhook: Post "https://127.0.0.1:${port}/bad?timeout=1s": `

  test.each<[string, Answer, () => string]>([
    ['is silent', () => 'hang', () => `${posted()}context deadline exceeded`],
    ['answers 500', () => ({ code: 500, body: 'oh no' }), () => 'failed to call webhook: an error on the server ("oh no") has prevented the request from succeeding'],
    ['is not there', () => ({ code: 404, body: '' }), () => 'failed to call webhook: the server could not find the requested resource'],
    ['answers no JSON', () => '<html>', () => `failed to call webhook: couldn't get version/kind; json parse error: invalid character '<' looking for beginning of value`],
    ['answers nothing', () => '', () => 'failed to call webhook: 0-length response with status code: 200 and content type: '],
    ['answers too much', () => 'x'.repeat(10 * 1024 * 1024), () => 'failed to call webhook: the answer has more than 8388608 bytes'],
    ['answers somebody else', (review) => ({ ...reviewed(review, {}), response: { uid: 'x', allowed: true } }), () => `received invalid webhook response: expected response.uid="${asked[0]!.review['request'].uid}", got "x"`],
    ['answers in another kind', (review) => ({ ...reviewed(review, { allowed: true }), kind: 'Pod', apiVersion: 'v1' }), () => 'received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /v1, Kind=Pod'],
    ['has no response', (review) => ({ kind: 'AdmissionReview', apiVersion: review['apiVersion'] }), () => 'received invalid webhook response: webhook response was absent'],
    ['sends in a circle', () => ({ code: 307, body: '' }), () => 'failed to call webhook: the server could not find the requested resource'],
    ['patches without a type', (review) => reviewed(review, { allowed: true, patch: 'W10=' }), () => 'received invalid webhook response: webhook returned response.patch but not response.patchType'],
    ['patches what is no patch', (review) => reviewed(review, { allowed: true, patchType: 'JSONPatch', patch: Buffer.from('{').toString('base64') }), () => 'received undecodable patch in webhook response: unexpected end of JSON input'],
  ])('%s', async (_, answer, why) => {
    answers.set('/bad', answer)
    await configure(mutating, 'bad', hook('/bad', { timeoutSeconds: 1 }))
    expect(said(await create('a'))).toBe(failed(why()))
    await ok({ verb: 'deletecollection', group, resource: mutating })
    await configure(mutating, 'bad', hook('/bad', { timeoutSeconds: 1, failurePolicy: 'Ignore' }))
    expect(said(await create('a'))).toBe('ok')
  })

  test('a patch that does not apply is no failure to call', async () => {
    answers.set('/bad', patching({ op: 'remove', path: '/data/nothing' }))
    await configure(mutating, 'bad', hook('/bad', { failurePolicy: 'Ignore' }))
    expect(said(await create('a'))).toMatch(/^500 Internal error occurred: .*\/data\/nothing/)
  })

  test('a certificate of another authority, a server that is not there, a Service without endpoints', async () => {
    const dns = (config: JsonObject): Promise<KubeObject> => configure(validating, 'bad', hook('/bad', { clientConfig: config }))
    const url = `https://127.0.0.1:${port}/bad`
    await dns({ url })
    expect(said(await create('a'))).toContain('tls: failed to verify certificate: x509: certificate signed by unknown authority')
    await ok({ verb: 'deletecollection', group, resource: validating })
    await dns({ url: 'https://127.0.0.1:1/bad', caBundle })
    expect(said(await create('a'))).toContain('dial tcp 127.0.0.1:1: connect: connection refused')
    await ok({ verb: 'deletecollection', group, resource: validating })
    await dns({ service: { name: 'none', namespace: 'plain' }, caBundle })
    expect(said(await create('a'))).toBe(
      failed('failed to call webhook: Post "https://none.plain.svc:443/?timeout=10s": service "none" not found'),
    )
  })

  test('who does not match waits for none of it', async () => {
    answers.set('/bad', () => 'hang')
    await configure(validating, 'bad', hook('/bad', { timeoutSeconds: 5, namespaceSelector: { matchLabels: { level: 'strict' } } }))
    const slow = create('a', {}, { namespace: 'strict' })
    const startMs = Date.now()
    for (let index = 0; index < 20; index++) expect(said(await create(`quick-${index}`))).toBe('ok')
    expect(Date.now() - startMs).toBeLessThan(2_000)
    server.closeAllConnections()
    expect(said(await slow)).toContain('EOF')
  })

  test('dry runs need webhooks without side effects', async () => {
    answers.set('/bad', allowing)
    await configure(validating, 'bad', hook('/bad'))
    expect(said(await create('a', {}, { query: { dryRun: 'All' } }))).toBe('ok')
    expect(asked[0]!.review['request']).toMatchObject({ dryRun: true, options: { dryRun: ['All'] } })
  })
})

test('a Service is asked where it is, under its own name', async () => {
  answers.set('/hook', allowing)
  const spec = { type: 'ExternalName', externalName: 'localhost' }
  await ok({ verb: 'create', group: '', resource: 'services', namespace: 'plain', body: { metadata: { name: 'hooks' }, spec } as unknown as JsonObject })
  const clientConfig = { service: { name: 'hooks', namespace: 'plain', path: '/hook', port }, caBundle }
  await configure(validating, 'service', hook('/hook', { clientConfig }))
  for (const name of ['a', 'b', 'c']) expect(said(await create(name))).toBe('ok')
  expect(asked).toHaveLength(3)
})

test('calls are counted under the names of upstream', async () => {
  const text = await metrics.text()
  for (const line of [
    'apiserver_admission_webhook_request_total{name="deny.example.com",type="validating",operation="CREATE",code="403",rejected="true"} 1',
    'apiserver_admission_webhook_fail_open_count{name="bad.example.com",type="admit"}',
    'apiserver_admission_webhook_rejection_count{name="bad.example.com",type="admit",operation="CREATE",error_type="calling_webhook_error",rejection_code="503"}',
    'apiserver_admission_match_condition_exclusions_total',
  ])
    expect(text.includes(line), line).toBe(true)
})
