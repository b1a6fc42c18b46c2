// An API server of somebody else behind a gateway: a real server over TLS that believes the front proxy's certificate alone.
import { createServer, type Server } from 'node:https'
import { request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { type Authority, issueCertificate, keyPem, newKeyPair } from '@shiplog/control-plane/identity/certificate'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type ApiGateway, createApiGateway } from '../api-gateway.ts'

const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }
const where = { group: 'apiregistration.k8s.io', resource: 'apiservices' }
const times = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 3_600_000 }

let log: ClusterLog
let gateway: ApiGateway
let client: ApiClient
let server: Server
let authority: Authority
/** What the server was asked, and by whom it thinks. */
const asked: { readonly url: string; readonly headers: Readonly<Record<string, unknown>>; readonly by: string; readonly body: string }[] = []
let isDown = false

function newAuthority(commonName: string): Authority {
  const keys = newKeyPair()
  return { certificate: issueCertificate({ use: 'authority', commonName, ...times }, keys), key: keys.privateKey }
}

function leaf(issuer: Authority, use: 'server' | 'client', commonName: string, dnsNames: string[] = []): { cert: string; key: string } {
  const keys = newKeyPair()
  const ipAddresses = use === 'server' ? ['127.0.0.1'] : []
  return { cert: issueCertificate({ use, commonName, dnsNames, ipAddresses, ...times }, keys, issuer), key: keyPem(keys.privateKey) }
}

const resources = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: 'wardle.example.com/v1',
  resources: [
    { name: 'flunders', singularName: 'flunder', namespaced: true, kind: 'Flunder', verbs: ['get', 'list'], shortNames: ['fl'] },
    { name: 'flunders/status', singularName: '', namespaced: true, kind: 'Flunder', verbs: ['get'] },
  ],
}

beforeAll(async () => {
  authority = newAuthority('servers')
  const proxyAuthority = newAuthority('front-proxy')
  const proxy = leaf(proxyAuthority, 'client', 'front-proxy-client')
  const own = leaf(authority, 'server', 'gateway')
  await startServer(proxyAuthority)
  log = await openSqliteClusterLog({ dataDir: ':memory:' })
  gateway = createApiGateway({
    ...{ log, clock: systemClock, ids: systemIds, logger: silentLogger },
    https: { host: '127.0.0.1', port: 0, ca: authority.certificate, ...own },
    frontProxy: { ca: proxyAuthority.certificate, certificate: proxy.cert, key: proxy.key },
    tokenFile: 'secret,kubernetes-admin,1,"system:masters"\nother,jane,2,"staff"',
  })
  await gateway.start()
  client = gateway.clientFor(admin)
  for (const name of ['default', 'kube-system']) await must({ verb: 'create', group: '', resource: 'namespaces', body: { metadata: { name } } })
})

async function startServer(believed: Authority): Promise<void> {
  const own = leaf(authority, 'server', 'sample', ['api.default.svc'])
  server = createServer({ ...own, ca: believed.certificate, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    const socket = request.socket as TLSSocket
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const by = socket.authorized ? String(request.headers['x-remote-user']) : 'nobody'
      asked.push({ url: request.url!, headers: request.headers, by, body: Buffer.concat(pieces).toString() })
      response.setHeader('content-type', 'application/json')
      if (isDown) return response.writeHead(500).end('{}')
      if (request.url === '/apis/wardle.example.com/v1') return response.end(JSON.stringify(resources))
      if (request.url === '/openapi/v3')
        return response.end(JSON.stringify({ paths: { 'apis/wardle.example.com/v1': { serverRelativeURL: '/openapi/v3/apis/wardle.example.com/v1?hash=ABC' } } }))
      return response.end(JSON.stringify({ kind: 'Flunder', by, url: request.url }))
    })
  })
  server.on('upgrade', (request, socket) => {
    asked.push({ url: request.url!, headers: request.headers, by: String(request.headers['x-remote-user']), body: '' })
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n')
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
}

afterAll(async () => {
  await gateway.stop()
  await log.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

async function must(request: ApiRequest): Promise<Extract<ApiResult, { ok: true }>> {
  const result = await client.request(request)
  if (!result.ok) throw new Error(`${request.verb} ${request.resource}: ${result.status.message}`)
  return result
}

interface Answered {
  readonly code: number
  readonly text: string
}

const read = (path: string, { token = 'secret', ...more }: { token?: string; accept?: string; method?: string; body?: string; [header: string]: string | undefined } = {}): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const { method = 'GET', body, ...headers } = more
    const request = httpsRequest(
      { host: '127.0.0.1', port: gateway.port, path, method, ca: authority.certificate, headers: { authorization: `Bearer ${token}`, ...headers } as Record<string, string> },
      (response) => {
        let text = ''
        response.on('data', (piece: Buffer) => (text += piece.toString()))
        response.on('end', () => resolve({ code: response.statusCode!, text }))
      },
    )
    request.on('error', reject)
    request.end(body)
  })

const apiService = (more: JsonObject = {}): JsonObject =>
  ({
    metadata: { name: 'v1.wardle.example.com' },
    spec: {
      ...{ group: 'wardle.example.com', version: 'v1', groupPriorityMinimum: 2000, versionPriority: 200 },
      service: { namespace: 'default', name: 'api', port: (server.address() as AddressInfo).port },
      caBundle: Buffer.from(authority.certificate).toString('base64'),
      ...more,
    },
  }) as unknown as JsonObject

/** Reason and message of its condition. */
async function conditionOf(name = 'v1.wardle.example.com'): Promise<string> {
  const { object } = await must({ verb: 'get', ...where, name })
  const { conditions = [] } = (object['status'] ?? {}) as { conditions?: readonly { status: string; reason: string; message: string }[] }
  return conditions.map(({ status, reason, message }) => `${status} ${reason}: ${message}`).join()
}

const saying = (text: string, name?: string): Promise<void> =>
  vi.waitFor(async () => expect(await conditionOf(name)).toContain(text), { timeout: 10_000, interval: 50 })

test('an APIService that makes no sense is refused in upstream’s words', async () => {
  const refusal = async (body: JsonObject): Promise<string> => {
    const result = await client.request({ verb: 'create', ...where, body })
    return result.ok ? 'ok' : (result.status.message ?? '')
  }
  expect(await refusal({ ...apiService(), metadata: { name: 'v2.wardle.example.com' } } as unknown as JsonObject)).toBe(
    'APIService.apiregistration.k8s.io "v2.wardle.example.com" is invalid: metadata.name: Invalid value: "v2.wardle.example.com": must be `spec.version+"."+spec.group`: "v1.wardle.example.com"',
  )
  expect(await refusal(apiService({ versionPriority: 1001 }))).toContain('spec.versionPriority: Invalid value: 1001: must be positive and less than 1000')
  expect(await refusal(apiService({ insecureSkipTLSVerify: true }))).toContain('spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present')
})

test('a server is looked for, found, told of, and asked in the name of the user', async () => {
  await must({ verb: 'create', ...where, body: apiService() })
  await saying('False ServiceNotFound: service/api in "default" is not present')
  expect(await read('/apis/wardle.example.com/v1/flunders')).toEqual({ code: 503, text: 'service unavailable\n' })
  const services = { group: '', resource: 'services', namespace: 'default' }
  const port = (server.address() as AddressInfo).port
  await must({ verb: 'create', ...services, body: { metadata: { name: 'api' }, spec: { ports: [{ port: 1 }] } } as unknown as JsonObject })
  await saying(`False ServicePortError: service/api in "default" is not listening on port ${port}`)
  await must({ verb: 'patch', ...services, name: 'api', patchType: 'application/merge-patch+json', body: { spec: { ports: [{ port }] } } as unknown as JsonObject })
  await saying('False EndpointsNotFound: cannot find endpointslices for service/api in "default"')
  const slice = { metadata: { name: 'api', labels: { 'kubernetes.io/service-name': 'api' } }, addressType: 'IPv4', endpoints: [] }
  const slices = { group: 'discovery.k8s.io', resource: 'endpointslices', namespace: 'default' }
  await must({ verb: 'create', ...slices, body: slice as unknown as JsonObject })
  await saying('False MissingEndpoints: endpointslices for service/api in "default" have no addresses with port name ""')
  // No endpoint may be of this machine alone; a name may.
  await must({ verb: 'delete', ...services, name: 'api' })
  await must({ verb: 'create', ...services, body: { metadata: { name: 'api' }, spec: { type: 'ExternalName', externalName: 'localhost' } } as unknown as JsonObject })
  await saying('True Passed: all checks passed')

  const answer = await read('/apis/wardle.example.com/v1/namespaces/default/flunders/a?x=1', { method: 'POST', body: '{"a":1}', 'x-remote-user': 'root', 'x-remote-group': 'system:masters' })
  expect(answer.code).toBe(200)
  const last = asked.at(-1)!
  expect([last.by, last.url, last.body]).toEqual(['kubernetes-admin', '/apis/wardle.example.com/v1/namespaces/default/flunders/a?x=1', '{"a":1}'])
  expect(last.headers).toMatchObject({ 'x-remote-uid': '1', 'x-remote-group': 'system:masters, system:authenticated', host: `api.default.svc:${port}` })
  expect(last.headers).not.toHaveProperty('authorization')

  const denied = await read('/apis/wardle.example.com/v1/namespaces/default/flunders', { token: 'other' })
  expect([denied.code, (JSON.parse(denied.text) as { message: string }).message]).toEqual([
    403,
    'flunders.wardle.example.com is forbidden: User "jane" cannot list resource "flunders" in API group "wardle.example.com" in the namespace "default"',
  ])
})

test('discovery and OpenAPI tell of it', async () => {
  const aggregated = JSON.parse((await read('/apis', { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' })).text) as { items: JsonObject[] }
  const group = aggregated.items.find(({ metadata }) => (metadata as unknown as { name: string }).name === 'wardle.example.com')
  const responseKind = { group: 'wardle.example.com', version: 'v1', kind: 'Flunder' }
  expect(group!['versions']).toEqual([
    {
      ...{ version: 'v1', freshness: 'Current' },
      resources: [
        {
          ...{ resource: 'flunders', responseKind, scope: 'Namespaced', singularResource: 'flunder', verbs: ['get', 'list'], shortNames: ['fl'] },
          subresources: [{ subresource: 'status', responseKind, verbs: ['get'] }],
        },
      ],
    },
  ])
  const groups = JSON.parse((await read('/apis')).text) as { groups: { name: string }[] }
  expect(groups.groups.map(({ name }) => name)).toEqual(expect.arrayContaining(['apps', 'wardle.example.com']))
  expect(JSON.parse((await read('/apis/wardle.example.com')).text)).toMatchObject({ kind: 'APIGroup', preferredVersion: { version: 'v1' } })
  expect(JSON.parse((await read('/apis/wardle.example.com/v1')).text)).toEqual(resources)
  const index = JSON.parse((await read('/openapi/v3')).text) as { paths: Record<string, { serverRelativeURL: string }> }
  const { serverRelativeURL } = index.paths['apis/wardle.example.com/v1']!
  expect(serverRelativeURL).toBe('/openapi/v3/apis/wardle.example.com/v1?hash=ABC')
  expect(JSON.parse((await read(serverRelativeURL)).text)).toMatchObject({ by: 'kubernetes-admin' })
})

test('others read in a ConfigMap whose certificate to believe', async () => {
  await vi.waitFor(async () => {
    const { object } = await must({ verb: 'get', group: '', resource: 'configmaps', namespace: 'kube-system', name: 'extension-apiserver-authentication' })
    expect((object as KubeObject & { data: Record<string, string> }).data).toMatchObject({
      'client-ca-file': authority.certificate,
      'requestheader-allowed-names': '["front-proxy-client"]',
      'requestheader-username-headers': '["X-Remote-User"]',
    })
  }, 8_000)
})

test('another protocol goes through to it', async () => {
  const echoed = await new Promise<string>((resolve, reject) => {
    const headers = { authorization: 'Bearer secret', connection: 'Upgrade', upgrade: 'SPDY/3.1' }
    const request = httpsRequest({ host: '127.0.0.1', port: gateway.port, path: '/apis/wardle.example.com/v1/namespaces/default/flunders/a/connect', ca: authority.certificate, headers })
    request.on('upgrade', (_, socket) => {
      socket.once('data', (bytes: Buffer) => {
        socket.destroy()
        resolve(bytes.toString())
      })
      socket.write('hello')
    })
    request.on('response', (response) => reject(new Error(`answered ${response.statusCode}`)))
    request.on('error', reject)
    request.end()
  })
  expect([echoed, asked.at(-1)!.by]).toEqual(['hello', 'kubernetes-admin'])
})

test('a server that fails is said to, and one that is not who it says is not spoken to', async () => {
  isDown = true
  // A change wakes who looks; it would look again in half a minute.
  await must({ verb: 'patch', ...where, name: 'v1.wardle.example.com', patchType: 'application/merge-patch+json', body: { spec: { versionPriority: 100 } } as unknown as JsonObject })
  const url = `https://api.default.svc:${(server.address() as AddressInfo).port}/apis/wardle.example.com/v1`
  await saying(`False FailedDiscoveryCheck: failing or missing response from ${url}: bad status from ${url}: 500`)
  expect((await read('/apis/apps/v1')).code).toBe(200)
  isDown = false
  const caBundle = Buffer.from(newAuthority('another').certificate).toString('base64')
  await must({ verb: 'patch', ...where, name: 'v1.wardle.example.com', patchType: 'application/merge-patch+json', body: { spec: { caBundle } } as unknown as JsonObject })
  await saying('True Passed')
  const answer = await read('/apis/wardle.example.com/v1/flunders')
  expect([answer.code, (JSON.parse(answer.text) as { message: string }).message]).toEqual([
    503,
    expect.stringMatching(/^error trying to reach service: (tls: failed to verify certificate: )?x509: certificate signed by unknown authority/),
  ])
})

test('an APIService that names no server is served here, and one of metrics takes the place of ours', async () => {
  const local = { metadata: { name: 'v1.local.example.com' }, spec: { group: 'local.example.com', version: 'v1', groupPriorityMinimum: 100, versionPriority: 100 } }
  await must({ verb: 'create', ...where, body: local as unknown as JsonObject })
  await saying('True Local: Local APIServices are always available', 'v1.local.example.com')
  expect((await read('/apis/metrics.k8s.io/v1beta1/nodes')).text).toContain('NodeMetricsList')
  const body = apiService({ group: 'metrics.k8s.io', version: 'v1beta1' })
  await must({ verb: 'create', ...where, body: { ...body, metadata: { name: 'v1beta1.metrics.k8s.io' } } as unknown as JsonObject })
  await saying('True Passed', 'v1beta1.metrics.k8s.io')
  expect(JSON.parse((await read('/apis/metrics.k8s.io/v1beta1/nodes')).text)).toMatchObject({ by: 'kubernetes-admin' })
})
