// Admission webhooks: a real HTTPS server is asked about writes, changes them, refuses them, hangs, lies and breaks, each with
// what upstream says then.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readChanges } from '@shiplog/domain/write/async-admission'
import { decodeEnvelope } from '@shiplog/events/envelope'
import { systemClock } from '@shiplog/runtime/clock'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { loadPki } from './pki.ts'
import { type HttpsAnswer, type HttpsGateway, startHttpsGateway } from './testing/https-gateway.ts'

interface Asked {
  readonly path: string
  readonly request: any
}

/** What the server answers at a path; a string is sent as it is. */
type Behaviour = (asked: Asked) => object | string | 'hang' | { readonly code: number; readonly text: string }

const directory = mkdtempSync(join(tmpdir(), 'shiplog-webhooks-'))
const configurations = { mutating: 'mutatingwebhookconfigurations', validating: 'validatingwebhookconfigurations' } as const
const registration = '/apis/admissionregistration.k8s.io/v1'
const configMaps = '/api/v1/namespaces/default/configmaps'
const behaviours = new Map<string, Behaviour>()
const asked: Asked[] = []
let server: HttpsGateway
let webhook: Server
let authority: string

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64')
const allowed = { allowed: true }
const patched = (...patch: object[]) => ({ allowed: true, patchType: 'JSONPatch', patch: base64(patch) })

const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<HttpsAnswer> =>
  server.ask(path, { method, token: 'admin', headers, ...(body === undefined ? {} : { body }) })

async function must(method: string, path: string, body?: unknown): Promise<any> {
  const answer = await ask(method, path, body)
  if (answer.code >= 300) throw new Error(answer.text)
  return answer.body
}

const rules = [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['*'] }]

async function register(kind: keyof typeof configurations, name: string, behaviour: Behaviour, more: object = {}): Promise<void> {
  behaviours.set(`/${name}`, behaviour)
  const { port } = webhook.address() as AddressInfo
  const clientConfig = { url: `https://127.0.0.1:${port}/${name}`, caBundle: authority }
  const hook = { name: `${name}.example.com`, clientConfig, rules, sideEffects: 'None', admissionReviewVersions: ['v1'], ...more }
  await must('POST', `${registration}/${configurations[kind]}`, { metadata: { name }, webhooks: [hook] })
}

const make = (name: string, data: object = {}, query = ''): Promise<HttpsAnswer> =>
  ask('POST', `${configMaps}${query}`, { metadata: { name }, data })

/** What the log says of who changed the object that was written at this sequence. */
async function changesOf(sequence: string): Promise<unknown> {
  const record = await server.log.events.get(Number(sequence))
  return readChanges(decodeEnvelope(record!.headers).admission ?? '')
}

beforeAll(async () => {
  const pki = loadPki({ directory, nowMs: systemClock.nowMs() })
  authority = Buffer.from(pki.ca).toString('base64')
  webhook = createServer({ cert: pki.server.certificate, key: pki.server.key }, (request, response) => {
    let text = ''
    request.on('data', (piece) => void (text += piece))
    request.on('end', () => {
      const path = new URL(request.url!, 'https://x').pathname
      const { request: told, apiVersion } = JSON.parse(text)
      const one = { path, request: told }
      asked.push(one)
      const answer = behaviours.get(path)!(one)
      if (answer === 'hang') return
      if (typeof answer === 'string') response.end(answer)
      else if ('code' in answer) response.writeHead(answer.code).end(answer.text)
      else response.end(JSON.stringify({ kind: 'AdmissionReview', apiVersion, response: { uid: told.uid, ...answer } }))
    })
  })
  await new Promise<void>((done) => webhook.listen(0, '127.0.0.1', done))
  server = await startHttpsGateway({ authorizationModes: ['AlwaysAllow'] })
  await must('POST', '/api/v1/namespaces', { metadata: { name: 'default' } }).catch(() => undefined)
})

afterEach(async () => {
  for (const kind of Object.values(configurations)) await must('DELETE', `${registration}/${kind}`)
  await must('DELETE', configMaps)
  asked.length = 0
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  webhook.closeAllConnections()
  webhook.close()
  rmSync(directory, { recursive: true, force: true })
})

describe('mutating webhooks', () => {
  test('change what is stored, one after another, and see what those before them did', async () => {
    await register('mutating', 'a-first', () => patched({ op: 'add', path: '/data/first', value: '1' }))
    await register('mutating', 'b-second', ({ request }) =>
      patched({ op: 'add', path: '/data/second', value: `after ${request.object.data.first}` }),
    )
    const { code, body } = await make('one', { own: 'x' })
    expect([code, body.data]).toEqual([201, { own: 'x', first: '1', second: 'after 1' }])
    expect((await must('GET', `${configMaps}/one`)).data).toEqual(body.data)
    expect(await changesOf(body.metadata.resourceVersion)).toEqual([
      { by: 'MutatingWebhookConfiguration/a-first', name: 'a-first.example.com', paths: ['/data/first'] },
      { by: 'MutatingWebhookConfiguration/b-second', name: 'b-second.example.com', paths: ['/data/second'] },
    ])
    expect(asked[0]!.request).toMatchObject({
      kind: { group: '', version: 'v1', kind: 'ConfigMap' },
      resource: { group: '', version: 'v1', resource: 'configmaps' },
      ...{ name: 'one', namespace: 'default', operation: 'CREATE', dryRun: false, oldObject: null },
      userInfo: { username: 'admin' },
      object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' } },
    })
  })

  test('are asked again when somebody after them changed something, if they want to be', async () => {
    await register('mutating', 'a-counts', ({ request }) => patched({ op: 'add', path: '/data/seen', value: Object.keys(request.object.data).sort().join() }), {
      reinvocationPolicy: 'IfNeeded',
    })
    await register('mutating', 'b-adds', () => patched({ op: 'add', path: '/data/late', value: 'x' }))
    expect((await make('again', { own: 'x' })).body.data).toMatchObject({ seen: 'late,own,seen' })
    expect(asked.map(({ path }) => path)).toEqual(['/a-counts', '/b-adds', '/a-counts'])
  })

  test('cannot store what is not valid', async () => {
    await register('mutating', 'breaks', () => patched({ op: 'add', path: '/data/not~1a key', value: 'x' }))
    expect(await make('broken', { a: '1' })).toMatchObject({ code: 422, body: { reason: 'Invalid' } })
  })
})

describe('validating webhooks', () => {
  test('refuse with their own status, warn, and are asked about updates and deletions', async () => {
    await register('validating', 'judges', ({ request }) =>
      request.operation === 'CREATE'
        ? { allowed: true, warnings: ['mind the gap'] }
        : { allowed: false, status: { code: 403, reason: 'Forbidden', message: `no ${request.operation}` } },
    )
    const made = await make('kept', { a: '1' })
    expect([made.code, made.headers['warning']]).toEqual([201, '299 - "mind the gap"'])
    const message = (operation: string) => `admission webhook "judges.example.com" denied the request: no ${operation}`
    expect(await ask('PUT', `${configMaps}/kept`, { metadata: { name: 'kept' }, data: {} })).toMatchObject({
      code: 403,
      body: { reason: 'Forbidden', message: message('UPDATE') },
    })
    expect(await ask('DELETE', `${configMaps}/kept`)).toMatchObject({ code: 403, body: { message: message('DELETE') } })
    const [, update, deletion] = asked
    expect(update!.request).toMatchObject({ oldObject: { data: { a: '1' } }, object: { metadata: { name: 'kept' } } })
    expect(deletion!.request).toMatchObject({ object: null, oldObject: { data: { a: '1' } } })
    await must('DELETE', `${registration}/${configurations.validating}`)
  })

  test('are asked only about what their selectors, rules and conditions name', async () => {
    await register('validating', 'picky', () => ({ allowed: false }), {
      objectSelector: { matchLabels: { judged: 'yes' } },
      matchConditions: [{ name: 'not-mine', expression: "object.metadata.name != 'mine'" }],
    })
    const labelled = (name: string) => ask('POST', configMaps, { metadata: { name, labels: { judged: 'yes' } } })
    expect((await make('plain')).code).toBe(201)
    expect((await labelled('mine')).code).toBe(201)
    expect(await labelled('other')).toMatchObject({
      code: 400,
      body: { message: 'admission webhook "picky.example.com" denied the request without explanation' },
    })
    expect(asked.map(({ request }) => request.name)).toEqual(['other'])
    await must('DELETE', `${registration}/${configurations.validating}`)
  })

  test('with side effects are not asked about a dry run', async () => {
    await register('validating', 'acts', () => allowed, { sideEffects: 'NoneOnDryRun' })
    expect((await make('dry', {}, '?dryRun=All')).code).toBe(201)
    expect(asked.at(-1)!.request).toMatchObject({ dryRun: true })
  })

  test('do not judge webhook configurations', async () => {
    const everything = [{ apiGroups: ['*'], apiVersions: ['*'], resources: ['*'], operations: ['*'] }]
    await register('validating', 'tyrant', () => ({ allowed: false }), { rules: everything })
    expect((await make('refused')).code).toBe(400)
    expect((await ask('DELETE', `${registration}/${configurations.validating}/tyrant`)).code).toBe(200)
  })
})

describe('a webhook that does not work', () => {
  const failing = (why: string): string => `Internal error occurred: failed calling webhook "bad.example.com": ${why}`
  const address = (): string => `https://127.0.0.1:${(webhook.address() as AddressInfo).port}/bad?timeout=`

  test.each<[string, Behaviour, RegExp]>([
    ['is not JSON', () => 'hello', /received invalid webhook response|failed to call webhook/],
    ['has no response', () => '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}', /received invalid webhook response: webhook response was absent$/],
    ['is of another request', () => ({ uid: 'other', allowed: true }), /received invalid webhook response: expected response\.uid="[-0-9a-f]{36}", got "other"$/],
    ['is 500', () => ({ code: 500, text: 'boom' }), /failed to call webhook: an error on the server \("boom"\) has prevented the request from succeeding$/],
    ['is larger than 8 MB', () => 'x'.repeat(9_000_000), /failed to call webhook: /],
  ])('because its answer %s', async (_what, behaviour, sentence) => {
    await register('validating', 'bad', behaviour)
    const { code, body } = await make('never')
    expect([code, body.reason, body.message]).toEqual([500, 'InternalError', expect.stringMatching(sentence)])
    expect(body.message.startsWith(failing(''))).toBe(true)
  })

  test('because it hangs, delays only what it matches, and no longer than its timeout', async () => {
    await register('validating', 'bad', () => 'hang', { timeoutSeconds: 1 })
    const slow = make('slow')
    const began = performance.now()
    expect((await ask('POST', '/api/v1/namespaces/default/secrets', { metadata: { name: 'other' } })).code).toBe(201)
    expect(performance.now() - began).toBeLessThan(900)
    expect((await slow).body.message).toBe(failing(`failed to call webhook: Post "${address()}1s": context deadline exceeded`))
  })

  test('is left out where its policy says so', async () => {
    await register('validating', 'bad', () => ({ code: 500, text: '' }), { failurePolicy: 'Ignore' })
    expect((await make('ignored')).code).toBe(201)
  })

  test('because its certificate is of nobody known', async () => {
    await register('validating', 'bad', () => allowed, {
      clientConfig: { url: address().replace(/\?.*/, '') },
    })
    expect((await make('unknown')).body.message).toBe(
      failing(`failed to call webhook: Post "${address()}10s": tls: failed to verify certificate: x509: certificate signed by unknown authority`),
    )
  })

  test('because its Service is not there', async () => {
    await register('validating', 'bad', () => allowed, {
      clientConfig: { service: { namespace: 'default', name: 'nobody' }, caBundle: authority },
    })
    expect((await make('nowhere')).body.message).toBe(
      failing('failed to call webhook: Post "https://nobody.default.svc:443/?timeout=10s": service "nobody" not found'),
    )
  })
})
