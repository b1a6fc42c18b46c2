// Sends hostile requests to a gateway of its own, over HTTP/2 and, some of them, as bytes on a socket; and says which answers
// are wrong: 5xx, no valid Status, none at all.
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:tls'
import { issueCertificate, keyPem, newKeyPair } from '@shiplog/control-plane/identity/certificate'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Status } from '@shiplog/api/status'
import { decodeProtobuf } from '@shiplog/api/decode/protobuf'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { createApiGateway } from '../api-gateway.ts'
import { type CustomTarget, diceOf, hostileRequest, type HostileRequest } from './hostile-requests.ts'

/** Requests under way at once. */
const atOnce = 64
const answerTimeoutMs = 60_000
/** A session refuses what HTTP/2 does not allow, and is made anew now and then. */
const requestsOfSession = 1_000

export interface HostileFault {
  readonly seed: number
  readonly request: string
  readonly what: string
}

export interface HostileOutcome {
  readonly faults: readonly HostileFault[]
  /** How many answers had each code; 0 for what HTTP/2 itself refused to send. */
  readonly codes: Readonly<Record<number, number>>
}

const custom: CustomTarget = { group: 'hostile.dev', version: 'v1', resource: 'things', kind: 'Thing' }

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'things.hostile.dev' },
  spec: {
    group: custom.group,
    scope: 'Namespaced',
    names: { plural: custom.resource, kind: custom.kind },
    versions: [
      {
        ...{ name: 'v1', served: true, storage: true },
        subresources: { status: {}, scale: { specReplicasPath: '.spec.number', statusReplicasPath: '.status.number' } },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                'x-kubernetes-validations': [{ rule: '!has(self.text) || self.text != "nope"' }],
                properties: {
                  text: { type: 'string', pattern: '^[^x]*$', maxLength: 100 },
                  number: { type: 'integer', minimum: 0 },
                  list: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
                  map: { type: 'object', additionalProperties: { type: 'integer' } },
                  either: { 'x-kubernetes-int-or-string': true },
                  open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                },
              },
              status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            },
          },
        },
      },
    ],
  },
}

const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }

async function startGateway() {
  const log = await openSqliteClusterLog({ dataDir: ':memory:' })
  const keys = newKeyPair()
  const nowMs = systemClock.nowMs()
  const names = { commonName: 'kube-apiserver', ipAddresses: ['127.0.0.1'] }
  const cert = issueCertificate({ use: 'server', ...names, notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + 86_400_000 }, keys)
  const gateway = createApiGateway({
    ...{ log, clock: systemClock, ids: systemIds, logger: silentLogger },
    https: { host: '127.0.0.1', port: 0, ca: cert, cert, key: keyPem(keys.privateKey) },
    authorizationModes: ['AlwaysAllow'],
    anonymousAuth: true,
  })
  await gateway.start()
  const client = gateway.clientFor(admin)
  const core = { verb: 'create', group: '', resource: 'namespaces' } as const
  await client.request({ ...core, body: { metadata: { name: 'default' } } })
  await client.request({ ...core, resource: 'serviceaccounts', namespace: 'default', body: { metadata: { name: 'default' } } })
  return {
    port: gateway.port,
    /** The definition goes now and then, with everything else. */
    async define() {
      const definitions = { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' }
      await client.request({ verb: 'create', ...definitions, body: structuredClone(definition) as unknown as JsonObject })
    },
    async stop() {
      await gateway.stop()
      await log.close()
    },
  }
}

interface Answer {
  readonly code: number
  readonly type: string
  readonly body: Buffer
}

const send = (session: ClientHttp2Session, { method, path, headers, body }: HostileRequest): Promise<Answer> =>
  new Promise((settle, reject) => {
    const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: body === undefined })
    let code = 0
    let type = ''
    const chunks: Buffer[] = []
    stream.setTimeout(answerTimeoutMs, () => stream.destroy(new Error(`no answer within ${answerTimeoutMs} ms`)))
    stream.on('response', (received) => {
      code = Number(received[':status'])
      type = String(received['content-type'] ?? '')
    })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('close', () => (code === 0 ? reject(new Error(`closed (${stream.rstCode})`)) : settle({ code, type, body: Buffer.concat(chunks) })))
    if (body !== undefined) stream.end(body)
  })

const registry = builtInRegistry()

/** What is wrong with an answer; undefined when nothing is. */
function faultOf({ method, path }: HostileRequest, { code, type, body }: Answer): string | undefined {
  // Nodes of this run have no agents: what is passed on to one cannot be answered otherwise.
  const isAway = code === 503 && /^\/api\/v1\/nodes\/[^/]+\/proxy/.test(path)
  if (code >= 500 && code !== 504 && !isAway) return `${code} ${body.toString('utf8').slice(0, 300)}`
  if (code < 400 || method === 'HEAD') return undefined
  // As Go's server where nothing is served at all.
  if (code === 404 && type.startsWith('text/plain')) return undefined
  let status: Partial<Status>
  try {
    if (type === 'application/vnd.kubernetes.protobuf') status = decodeProtobuf(body, registry) as Partial<Status>
    else if (type === 'application/yaml') return body.toString().includes('kind: Status') ? undefined : `${code} without a Status`
    else status = JSON.parse(body.toString('utf8')) as Partial<Status>
  } catch (error) {
    return `${code} ${type} that cannot be read: ${(error as Error).message}`
  }
  // An eviction and a few others answer with what they are about.
  if (status.kind !== 'Status') return `${code} with a ${status.kind} at ${path}`
  return status.code === code && status.status === 'Failure' && status.apiVersion === 'v1' ? undefined : `${code} with a Status of ${status.code}`
}

const shown = ({ method, path, headers, body }: HostileRequest): string =>
  `${method} ${path.slice(0, 300)} ${JSON.stringify(headers)} ${body ? body.toString('latin1').slice(0, 600) : ''}`

/** Sends the requests of the numbers from `from`; stops at nothing. */
export async function runHostile(options: {
  readonly from: number
  readonly count: number
  readonly onProgress?: (done: number) => void
}): Promise<HostileOutcome> {
  const gateway = await startGateway()
  const faults: HostileFault[] = []
  const codes: Record<number, number> = {}
  const open = (): ClientHttp2Session => {
    const session = connectHttp2(`https://127.0.0.1:${gateway.port}`, { rejectUnauthorized: false })
    session.on('error', () => undefined)
    session.setMaxListeners(0)
    return session
  }
  let next = options.from
  const end = options.from + options.count
  const one = async (session: ClientHttp2Session, seed: number): Promise<void> => {
    const request = hostileRequest(seed, [custom])
    try {
      const answer = await send(session, request)
      codes[answer.code] = (codes[answer.code] ?? 0) + 1
      const what = faultOf(request, answer)
      if (what !== undefined) faults.push({ seed, request: shown(request), what })
    } catch (error) {
      codes[0] = (codes[0] ?? 0) + 1
      const { message, code = '' } = error as Error & { code?: string }
      // The client itself does not send it, or HTTP/2 has no such thing.
      if (!code.startsWith('ERR_HTTP2_INVALID') && !code.startsWith('ERR_INVALID') && !/closed \((1|8)\)|PROTOCOL_ERROR/.test(message))
        faults.push({ seed, request: shown(request), what: message })
    }
  }
  try {
    while (next < end) {
      await gateway.define()
      const session = open()
      const through = Math.min(next + requestsOfSession, end)
      const sender = async (): Promise<void> => {
        while (next < through) await one(session, next++)
      }
      await Promise.all(Array.from({ length: atOnce }, sender))
      session.destroy()
      options.onProgress?.(next - options.from)
    }
    faults.push(...(await hostileBytes(gateway.port, options.from, Math.min(500, Math.ceil(options.count / 40)))))
    const well = await probe(open())
    if (well !== undefined) faults.push({ seed: end, request: 'GET every resource, after all', what: well })
  } finally {
    await gateway.stop()
  }
  return { faults, codes }
}

/** After all: it is ready, and every resource can be listed. */
async function probe(session: ClientHttp2Session): Promise<string | undefined> {
  try {
    const paths = registry.resources
      .filter(({ verbs }) => verbs.includes('list'))
      .map(({ group, version, resource }) => `${group === '' ? `/api/${version}` : `/apis/${group}/${version}`}/${resource}`)
    for (const path of ['/readyz', ...paths]) {
      const { code, body } = await send(session, { method: 'GET', path, headers: { accept: 'application/json' } })
      if (code !== 200) return `${path}: ${code} ${body.toString().slice(0, 200)}`
      if (path !== '/readyz') JSON.parse(body.toString())
    }
    return undefined
  } finally {
    session.destroy()
  }
}

/** Bytes that are hardly HTTP at all: the connection may end, the server may not. */
async function hostileBytes(port: number, from: number, count: number): Promise<HostileFault[]> {
  const faults: HostileFault[] = []
  let next = from
  const sender = async (): Promise<void> => {
    while (next < from + count) {
      const seed = next++
      const text = bytesOf(seed)
      const answer = await exchange(port, text)
      if (/^HTTP\/1\.[01] 5(?!05)/.test(answer)) faults.push({ seed, request: text.slice(0, 300), what: answer.slice(0, 300) })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, sender))
  return faults
}

function bytesOf(seed: number): string {
  const dice = diceOf(seed)
  const head = dice.pick([
    ...['GET / HTTP/1.1', 'GET /api HTTP/1.1', 'POST /api/v1/namespaces HTTP/1.1', 'GET /api/v1/pods HTTP/9.9', 'GET', '\u0000\u0001'],
    ...['PRI * HTTP/2.0', 'GET  /  HTTP/1.1', 'CONNECT a:1 HTTP/1.1', `GET /${'x'.repeat(9_000)} HTTP/1.1`, 'get / http/1.1'],
  ])
  const headers = Array.from({ length: dice.below(5) }, () =>
    dice.pick([
      ...['Host: a', 'Host: a\r\nHost: b', 'Content-Length: 5', 'Content-Length: -1', 'Content-Length: 5\r\nContent-Length: 6'],
      ...['Transfer-Encoding: chunked', 'Transfer-Encoding: x', 'Content-Length: 99999999999', ': x', 'a\u0000b: c', `x: ${'y'.repeat(20_000)}`],
      ...['Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x', 'Expect: 100-continue', 'Connection: close', 'Upgrade: h2c'],
    ]),
  )
  const body = dice.pick(['', '5\r\nhello\r\n0\r\n\r\n', 'FFFFFFFFFFFFFFFF\r\n', '{}', 'x'.repeat(100)])
  return `${head}\r\n${headers.join('\r\n')}${headers.length > 0 ? '\r\n' : ''}Connection: close\r\n\r\n${body}`
}

const exchangeMs = 300

const exchange = (port: number, text: string): Promise<string> =>
  new Promise((settle) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
    let answer = ''
    const timer = setTimeout(() => socket.destroy(), exchangeMs)
    socket.on('secureConnect', () => socket.write(Buffer.from(text, 'latin1')))
    socket.setEncoding('latin1').on('data', (data: string) => (answer += data))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      settle(answer)
    })
  })
