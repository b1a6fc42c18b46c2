// Requests straight to the API, for what kubectl would never send: broken bodies, foreign media types, odd paths.
import { Agent as PlainAgent, request as plainRequest } from 'node:http'
import { Agent, request } from 'node:https'
import { parseExactJson } from '@shiplog/api/exact-json'
import type { Credentials } from './kubeconfig.ts'

export interface HttpRequest {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Objects are sent as JSON, with that media type unless another is given. */
  readonly body?: unknown
  readonly timeoutMs?: number
  /** Ends the request as soon as the body so far satisfies this: for watches. */
  readonly until?: (body: string) => boolean
  /** False sends no client certificate. */
  readonly authenticated?: boolean
}

export interface HttpAnswer {
  readonly code: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** The body as JSON; undefined when it is none. */
  readonly json: any
}

export interface HttpClient {
  send(request: HttpRequest): Promise<HttpAnswer>
  close(): void
}

const defaultTimeoutMs = 30_000

/** Tells a proxy not to add its credentials to this request; a cluster ignores it. */
export const anonymousHeader = 'shiplog-conformance-anonymous'

/** Talks HTTPS with a client certificate. */
export function createHttpClient(credentials: Credentials): HttpClient {
  return clientOf(
    new URL(credentials.server),
    request,
    new Agent({ ...credentials, keepAlive: true, maxSockets: 16 }),
    new Agent({ ca: credentials.ca, keepAlive: true, maxSockets: 4 }),
  )
}

/** Talks plain HTTP, to a proxy that has the credentials. */
export const createPlainHttpClient = (server: string): HttpClient =>
  clientOf(new URL(server), plainRequest, new PlainAgent({ keepAlive: true }), new PlainAgent({ keepAlive: true }))

function clientOf(
  base: URL,
  start: typeof plainRequest,
  agent: PlainAgent | Agent,
  anonymousAgent: PlainAgent | Agent,
): HttpClient {
  const send = (given: HttpRequest): Promise<HttpAnswer> =>
    new Promise((resolve, reject) => {
      const body = bodyOf(given.body)
      const headers: Record<string, string> = { accept: 'application/json' }
      if (given.authenticated === false) headers[anonymousHeader] = 'true'
      for (const [name, value] of Object.entries(given.headers ?? {})) headers[name.toLowerCase()] = value
      if (body !== undefined) {
        headers['content-type'] ??= 'application/json'
        headers['content-length'] ??= String(body.length)
      }
      const sent = start({
        agent: given.authenticated === false ? anonymousAgent : agent,
        host: base.hostname,
        port: base.port,
        method: given.method ?? 'GET',
        path: given.path,
        headers,
        timeout: given.timeoutMs ?? defaultTimeoutMs,
      })
      sent.on('timeout', () => sent.destroy(new Error(`${given.method ?? 'GET'} ${given.path}: no answer in time`)))
      sent.on('error', reject)
      sent.on('response', (response) => {
        let text = ''
        const finish = (): void =>
          resolve({ code: response.statusCode ?? 0, headers: response.headers, text, json: parse(text) })
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
          if (given.until?.(text)) {
            finish()
            response.destroy()
          }
        })
        response.on('end', finish)
        response.on('error', (error) => {
          // A server may answer an oversized body and close while it is still being sent.
          if (text !== '') finish()
          else reject(error)
        })
      })
      sent.end(body)
    })

  return {
    send,
    close() {
      agent.destroy()
      anonymousAgent.destroy()
    },
  }
}

function bodyOf(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined
  if (typeof body === 'string') return Buffer.from(body)
  if (body instanceof Uint8Array) return Buffer.from(body)
  return Buffer.from(JSON.stringify(body))
}

function parse(text: string): unknown {
  try {
    return parseExactJson(text)
  } catch {
    return undefined
  }
}

/** The warnings of an answer but for those about what Shiplog does not act on, which upstream has no reason to give. */
export function comparedWarnings(header: string | readonly string[] | undefined): string | null {
  const rest = [header ?? []]
    .flat()
    .join(', ')
    .replace(/(^|, )299 - "shiplog: (?:[^"\\]|\\.)*"/g, '')
    .replace(/^, /, '')
  return rest || null
}
