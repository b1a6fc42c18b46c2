// The audit log over HTTPS: what is asked, read, refused and watched is in it, and what no rule names is not.
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuditLog, createAuditWebhook } from '@shiplog/api-gateway/audit/audit-sink'
import { readServerFlags } from '@shiplog/api-gateway/configuration/server-flags'
import type { JsonObject } from '@shiplog/api/kube-object'
import { silentLogger as logger } from '@shiplog/runtime/logger'
import { createMetricsRegistry } from '@shiplog/runtime/metrics'
import { eventually } from '@shiplog/testing/eventually'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type HttpsGateway, startHttpsGateway } from './testing/https-gateway.ts'

const directory = mkdtempSync(join(tmpdir(), 'shiplog-audit-'))
const path = join(directory, 'audit.log')
const received: JsonObject[] = []
const webhook = createServer((request, response) => {
  let text = ''
  request.on('data', (piece) => void (text += piece))
  request.on('end', () => {
    received.push(JSON.parse(text) as JsonObject)
    response.end('{}')
  })
})
let server: HttpsGateway

const policy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  nonResourceURLs: ['/version']
- level: Metadata
  resources: [{group: '', resources: [secrets]}]
- level: RequestResponse
  verbs: [create, patch]
- level: Metadata
`

beforeAll(async () => {
  await new Promise<void>((done) => webhook.listen(0, '127.0.0.1', done))
  writeFileSync(join(directory, 'policy.yaml'), policy)
  const url = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}`
  writeFileSync(join(directory, 'kubeconfig'), `clusters: [{name: a, cluster: {server: '${url}'}}]`)
  const flags = {
    ...{ auditPolicyFile: join(directory, 'policy.yaml'), auditLogPath: path },
    auditWebhookConfigFile: join(directory, 'kubeconfig'),
  }
  server = await startHttpsGateway(readServerFlags(flags))
  await server.ask('/api/v1/namespaces', { method: 'POST', token: 'admin', body: { metadata: { name: 'plain', labels: { 'pod-security.kubernetes.io/audit': 'restricted' } } } })
  await server.ask('/api/v1/namespaces/plain/serviceaccounts', { method: 'POST', token: 'admin', body: { metadata: { name: 'default' } } })
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  webhook.close()
  rmSync(directory, { recursive: true, force: true })
})

/** The events of a request. */
const eventsOf = (auditId: string): Promise<any[]> =>
  eventually(
    `an event with the id ${auditId}`,
    () => {
      const lines = readFileSync(path, 'utf8').trim().split('\n')
      const found = lines.map((line) => JSON.parse(line)).filter((event) => event.auditID === auditId)
      return found.length > 0 && found
    },
    { withinMs: 5_000 },
  )

const audited = async (...[at, asked]: Parameters<HttpsGateway['ask']>) => {
  const { headers, code } = await server.ask(at, asked)
  const events = await eventsOf(String(headers['audit-id']))
  return { code, events, event: events.at(-1) }
}

test('a write is recorded with what was asked and answered', async () => {
  const body = { metadata: { name: 'one' }, data: { a: '1' } }
  const { event, events } = await audited('/api/v1/namespaces/plain/configmaps', { method: 'POST', token: 'admin', body })
  expect(events).toHaveLength(1)
  expect(event).toMatchObject({
    ...{ kind: 'Event', apiVersion: 'audit.k8s.io/v1', level: 'RequestResponse', stage: 'ResponseComplete', verb: 'create' },
    requestURI: '/api/v1/namespaces/plain/configmaps',
    user: { username: 'admin', uid: '1', groups: ['system:masters', 'system:authenticated'] },
    sourceIPs: ['127.0.0.1'],
    objectRef: { resource: 'configmaps', namespace: 'plain', name: 'one', apiVersion: 'v1' },
    responseStatus: { metadata: {}, code: 201 },
    requestObject: body,
    responseObject: { kind: 'ConfigMap', data: { a: '1' }, metadata: { uid: expect.any(String) } },
    annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': '' },
  })
  expect(event.responseObject.metadata.managedFields).toBeUndefined()
  expect(event.stageTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
})

test('what is only read, refused, or asked by nobody is recorded as well', async () => {
  const read = await audited('/api/v1/namespaces/plain/secrets?limit=5', { token: 'admin' })
  expect(read.event).toMatchObject({ level: 'Metadata', verb: 'list', responseStatus: { code: 200 } })
  expect(read.event.responseObject).toBeUndefined()
  const forbidden = await audited('/api/v1/namespaces/plain/secrets/x', { token: 'jane' })
  expect(forbidden.event).toMatchObject({
    responseStatus: { code: 403, reason: 'Forbidden', status: 'Failure', message: expect.stringContaining('User "jane" cannot get') },
    annotations: { 'authorization.k8s.io/decision': 'forbid' },
  })
  const unknown = await audited('/api/v1/pods', { token: 'nobody' })
  expect(unknown.code).toBe(401)
  expect(unknown.event).toMatchObject({ stage: 'ResponseStarted', responseStatus: { code: 401, message: 'Authentication failed, attempted: bearer' } })
  const missing = await audited('/api/v1/namespaces/plain/configmaps/none', { token: 'admin' })
  expect(missing.event.responseStatus).toMatchObject({ code: 404, reason: 'NotFound' })
})

test('an id that the client brings is kept, and whom somebody impersonates is told', async () => {
  const headers = { 'audit-id': 'my-id', 'impersonate-user': 'joe' }
  const { event } = await audited('/api/v1/namespaces', { token: 'admin', headers })
  expect(event).toMatchObject({ auditID: 'my-id', user: { username: 'admin' }, impersonatedUser: { username: 'joe' } })
})

test('a watch is recorded when it begins and when it ends', async () => {
  const { headers } = await server.ask('/api/v1/namespaces?watch=1&timeoutSeconds=1', { token: 'admin' })
  const events = await eventually(async () => {
    const found = await eventsOf(String(headers['audit-id']))
    return found.length > 1 && found
  })
  expect(events.map(({ stage, verb }) => `${stage} ${verb}`)).toEqual(['ResponseStarted watch', 'ResponseComplete watch'])
})

test('the audit mode of Pod Security, and policies, add what they found', async () => {
  const body = { metadata: { name: 'pod' }, spec: { containers: [{ name: 'a', image: 'a' }] } }
  const { event } = await audited('/api/v1/namespaces/plain/pods', { method: 'POST', token: 'admin', body })
  expect(event.annotations).toMatchObject({
    'pod-security.kubernetes.io/enforce-policy': 'privileged:latest',
    'pod-security.kubernetes.io/audit-violations': expect.stringContaining('would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false'),
  })
  const registration = '/apis/admissionregistration.k8s.io/v1'
  const rule = { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE'] }
  const spec = {
    matchConstraints: { resourceRules: [rule] },
    validations: [{ expression: 'false', message: 'never' }],
    auditAnnotations: [{ key: 'size', valueExpression: 'string(size(object.data))' }],
  }
  await server.ask(`${registration}/validatingadmissionpolicies`, { method: 'POST', token: 'admin', body: { metadata: { name: 'p.dev' }, spec } })
  await server.ask(`${registration}/validatingadmissionpolicybindings`, { method: 'POST', token: 'admin', body: { metadata: { name: 'p' }, spec: { policyName: 'p.dev', validationActions: ['Audit'] } } })
  const judged = await audited('/api/v1/namespaces/plain/configmaps', { method: 'POST', token: 'admin', body: { metadata: { name: 'two' }, data: { a: '1' } } })
  expect(judged.event.annotations).toMatchObject({
    'p.dev/size': '1',
    'validation.policy.admission.k8s.io/validation_failure':
      '[{"message":"never","policy":"p.dev","binding":"p","expressionIndex":0,"validationActions":["Audit"]}]',
  })
})

test('what no rule names is not recorded; components of the process are', async () => {
  const { headers } = await server.ask('/version', { token: 'admin' })
  const client = server.gateway.clientFor({ name: 'system:kube-scheduler', groups: [] })
  await client.request({ verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name: 'by-component' } } })
  await eventually(() => readFileSync(path, 'utf8').includes('by-component'), { withinMs: 5_000 })
  expect(readFileSync(path, 'utf8')).not.toContain(String(headers['audit-id']))
})

test('a log that is full is set aside, and old ones go', async () => {
  const clock = createManualClock()
  const at = join(directory, 'small', 'audit.log')
  const sink = createAuditLog({ path: at, maxSizeMb: 0.001, maxBackups: 2 }, { clock, logger, metrics: createMetricsRegistry() })
  for (let count = 0; count < 8; count++) {
    await clock.advance(1_000)
    sink.write({ count, filler: 'x'.repeat(600) })
  }
  await sink.close()
  const files = readdirSync(join(directory, 'small')).sort()
  expect(files).toHaveLength(3)
  expect(files.at(-1)).toBe('audit.log')
  expect(JSON.parse(readFileSync(at, 'utf8'))).toMatchObject({ count: 7 })
})

test('events are sent in batches, once more when they are not taken, and dropped when there are too many', async () => {
  const clock = createManualClock()
  const metrics = createMetricsRegistry()
  const sent: number[] = []
  let isDown = true
  const send = (list: JsonObject): Promise<void> => {
    if (isDown) return Promise.reject(new Error('down'))
    sent.push((list['items'] as unknown[]).length)
    return Promise.resolve()
  }
  const sink = createAuditWebhook({ send }, { clock, logger, metrics })
  for (let count = 0; count < 10_500; count++) sink.write({ count })
  await clock.advance(1)
  isDown = false
  await clock.advance(60_000)
  await sink.close()
  expect(sent[0]).toBe(400)
  expect(sent.reduce((sum, count) => sum + count)).toBe(10_400)
  expect(await metrics.text()).toContain('apiserver_audit_error_total{plugin="webhook"} 100')
})

test('the webhook gets what waits when the gateway stops', async () => {
  const own = await startHttpsGateway(
    readServerFlags({ auditPolicyFile: join(directory, 'policy.yaml'), auditWebhookConfigFile: join(directory, 'kubeconfig') }),
  )
  await own.ask('/api/v1/nodes', { token: 'admin', headers: { 'audit-id': 'at-the-end' } })
  await own[Symbol.asyncDispose]()
  const items = received.flatMap((list) => list['items'] as { auditID: string }[])
  expect(items.map(({ auditID }) => auditID)).toContain('at-the-end')
})
