// Reviews over HTTPS: connections are kept by what a webhook's `clientConfig` says, so that webhooks wait for none but their own.
// HTTP/1.1, as upstream: over one connection of HTTP/2 all requests of a gateway would reach one pod of a Service.
import type { IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { decodeJson } from '@shiplog/api/decode/decode-json'
import type { WebhookClientConfig } from '@shiplog/api/generated/types/admissionregistration-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { Clock } from '@shiplog/runtime/clock'
import { goError, statusSentence } from './go-errors.ts'
import { dialAddress, type ServiceDialer } from './service-dialer.ts'

/** Largest answer: three times the largest object, for its patch in base64. */
export const answerBytesMax = 8 * 1024 * 1024
/** Configurations whose connections are kept, as upstream. */
const poolsMax = 200
/** As Go's transport. */
const connectTimeoutMs = 30_000
/** Connections of one. */
const socketsMax = 256
const redirectsMax = 10
const redirects = new Set([301, 302, 303, 307, 308])

/** Why there is no answer. `code`: the one of HTTP that upstream counts it under. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
  readonly code: number
  constructor(message: string, code: number) {
    super(message)
    this.code = code
  }
}

export interface WebhookClient {
  /** The object that a webhook answers with. Throws NoAnswer. */
  post(config: WebhookClientConfig, body: JsonObject, timeoutSeconds: number, signal: AbortSignal): Promise<JsonObject>
  close(): void
}

export interface WebhookClientDeps {
  readonly dialer: ServiceDialer
  readonly clock: Clock
}

interface Place {
  /** `https://name.namespace.svc:443/path`. */
  readonly href: string
  /** Of whom the certificate has to be. */
  readonly host: string
}

export function createWebhookClient({ dialer, clock }: WebhookClientDeps): WebhookClient {
  const pools = new Map<string, Agent>()

  function poolOf(config: WebhookClientConfig): Agent {
    const key = JSON.stringify(config)
    const known = pools.get(key)
    // Whoever was asked last goes last.
    pools.delete(key)
    const pool = known ?? createPool(config, { dialer, clock })
    pools.set(key, pool)
    if (pools.size > poolsMax) {
      const [oldest, its] = pools.entries().next().value!
      pools.delete(oldest)
      its.destroy()
    }
    return pool
  }

  return {
    async post(config, body, timeoutSeconds, signal) {
      const place = placeOf(config)
      const href = `${place.href}?timeout=${timeoutSeconds}s`
      const late = new AbortController()
      using _ = clock.after(timeoutSeconds * 1_000, () => late.abort())
      const given = AbortSignal.any([late.signal, signal])
      try {
        const answer = await exchange(poolOf(config), new URL(href), Buffer.from(JSON.stringify(body)), given)
        return readAnswer(answer)
      } catch (error) {
        if (error instanceof NoAnswer) throw error
        const why = late.signal.aborted ? 'context deadline exceeded' : signal.aborted ? 'context canceled' : goError(error, place.host)
        throw new NoAnswer(`Post ${goQuote(href)}: ${why}`, 503)
      }
    },
    close() {
      for (const pool of pools.values()) pool.destroy()
      pools.clear()
    },
  }
}

function placeOf({ service, url }: WebhookClientConfig): Place {
  if (!service) {
    const parsed = new URL(url ?? '')
    return { href: parsed.href, host: parsed.hostname.replace(/[[\]]/g, '') }
  }
  const { name, namespace, port = 443, path = '' } = service
  const host = `${name}.${namespace}.svc`
  return { href: `https://${host}:${port}${path.startsWith('/') ? path : `/${path}`}`, host }
}

/** Connections to one webhook: over TLS that knows no authority but the one of its bundle. */
function createPool(config: WebhookClientConfig, { dialer, clock }: WebhookClientDeps): Agent {
  const { service, caBundle } = config
  const agent = new Agent({ keepAlive: true, maxSockets: socketsMax, scheduling: 'lifo' })
  const ca = caBundle ? { ca: Buffer.from(caBundle, 'base64').toString('utf8') } : {}
  agent.createConnection = ((options: { host: string; port: number | string }, done: (error: Error | null, socket?: Duplex) => void) => {
    const { host } = options
    const port = Number(options.port)
    const late = new AbortController()
    const timer = clock.after(connectTimeoutMs, () => late.abort())
    const isService = service && host === `${service.name}.${service.namespace}.svc` && port === (service.port ?? 443)
    const opening = isService
      ? dialer.dial({ namespace: service.namespace, name: service.name, port }, late.signal)
      : dialAddress(host.replace(/[[\]]/g, ''), port, late.signal)
    opening
      .then((socket) => secured(socket, host, ca))
      .finally(() => timer[Symbol.dispose]())
      .then(
        (socket) => done(null, socket),
        (error: unknown) => done(error as Error),
      )
    return undefined
  }) as unknown as Agent['createConnection']
  return agent
}

function secured(socket: Duplex, host: string, ca: { readonly ca?: string }): Promise<Duplex> {
  const name = host.replace(/[[\]]/g, '')
  return new Promise((resolve, reject) => {
    // The name that the certificate is held against; of addresses there is none to be told of before.
    const tls = connectTls({ socket, host: name, ...(isIP(name) ? {} : { servername: name }), ...ca, ALPNProtocols: ['http/1.1'] })
    tls.once('secureConnect', () => resolve(tls))
    tls.once('error', reject)
    tls.once('close', () => reject(new Error('EOF')))
    tls.on('error', () => undefined)
  })
}

interface Answer {
  readonly code: number
  readonly body: Buffer
}

/** A request and its answer, wherever the webhook sends us on to. */
async function exchange(agent: Agent, first: URL, body: Buffer, signal: AbortSignal): Promise<Answer> {
  let url = first
  let method = 'POST'
  for (let count = 0; count <= redirectsMax; count++) {
    const response = await send(agent, url, method, body, signal)
    const { location } = response.headers
    const code = response.statusCode ?? 0
    if (!redirects.has(code) || location === undefined) return { code, body: await readBody(response) }
    response.resume()
    url = new URL(location, url)
    if (url.protocol !== 'https:') throw new Error(`unsupported protocol scheme ${goQuote(url.protocol.slice(0, -1))}`)
    if (code < 307) method = 'GET'
  }
  throw new Error(`stopped after ${redirectsMax} redirects`)
}

function send(agent: Agent, url: URL, method: string, body: Buffer, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = {
      Accept: 'application/json, */*',
      'User-Agent': 'kube-apiserver-admission',
      ...(method === 'POST' ? { 'Content-Type': 'application/json', 'Content-Length': body.length } : {}),
    }
    const outgoing = httpsRequest(url, { agent, method, headers, signal })
    outgoing.once('response', resolve)
    outgoing.once('error', reject)
    outgoing.on('error', () => undefined)
    outgoing.end(method === 'POST' ? body : undefined)
  })
}

async function readBody(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of response) {
    bytes += (part as Buffer).length
    if (bytes > answerBytesMax) {
      response.destroy()
      throw new NoAnswer(`the answer has more than ${answerBytesMax} bytes`, 503)
    }
    parts.push(part as Buffer)
  }
  return Buffer.concat(parts)
}

/** Throws NoAnswer, in client-go's words. */
function readAnswer({ code, body }: Answer): JsonObject {
  if (code < 200 || code > 206) throw new NoAnswer(statusSentence(code, body.toString('utf8', 0, 2_048).trim()), code)
  if (body.length === 0) throw new NoAnswer(`0-length response with status code: ${code} and content type: `, 503)
  let value: unknown
  try {
    value = decodeJson(body.toString('utf8')).value
  } catch (error) {
    throw new NoAnswer((error as Error).message, 503)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const kind = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
    throw new NoAnswer(`couldn't get version/kind; json parse error: json: cannot unmarshal ${kind} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`, 503)
  }
  return value as JsonObject
}
