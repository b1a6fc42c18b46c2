// A request from its head to the end of its answer: admitted, sent to a pod (to another one when the first is not there), and
// the answer sent on as it comes. What cannot be answered has nginx's status: 502, 503, 504.
import type { Readable } from 'node:stream'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Backend, Endpoint } from '../model/backends.ts'
import type { Route, RoutingTable } from '../model/routing-table.ts'
import { type Admitted, admit } from './admit.ts'
import { type Balancer, cookieIn, cookieOf, stickyCookie } from './balancer.ts'
import { BodyTooLarge, limited } from './body-limit.ts'
import { answerText, breakOff, type ClientRequest, type ClientResponse, hasBody, isHttp2, isOverTls, valuesOf, writeHead } from './client-message.ts'
import { AnswerTimeout, exchange, type PodAnswer } from './exchange.ts'
import { headersForClient, headersForPod } from './headers.ts'
import { ConnectError, type Pools } from './pools.ts'

/** ingress-nginx's proxy_next_upstream_tries. */
const triesMax = 3
/** A client that neither sends the rest nor takes it: nginx's client_body_timeout and send_timeout. */
const clientIdleMs = 60_000
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

export interface Traffic {
  table(): RoutingTable
  backend(namespace: string, service: string, port: string | number): Backend
}

export interface Done {
  readonly route: Route | undefined
  readonly method: string
  readonly status: number
  readonly ms: number
  readonly request: ClientRequest
  readonly endpoint: Endpoint | undefined
}

export interface ProxyDeps {
  readonly traffic: Traffic
  readonly pools: Pools
  readonly balancer: Balancer
  readonly clock: Clock
  readonly ids: Ids
  /** Where clients come, as they know it. */
  readonly ports: { readonly http: number; readonly https: number | undefined }
  readonly onDone: (done: Done) => void
  /** No further request is wanted on this connection. */
  readonly isEnding: () => boolean
}

export type RoutedRequest = Extract<Admitted, { kind: 'route' }>
export const portOf = ({ ports }: ProxyDeps, request: ClientRequest): number => (isOverTls(request) ? (ports.https ?? 443) : ports.http)

export function createProxy(deps: ProxyDeps): (request: ClientRequest, response: ClientResponse) => void {
  return (request, response) => {
    const beganMs = deps.clock.nowMs()
    const gone = new AbortController()
    const seen: { endpoint: Endpoint | undefined; route: Route | undefined } = { endpoint: undefined, route: undefined }
    // Whatever ends early is told by 'close'.
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    response.on('close', () => {
      gone.abort()
      const status = response.writableFinished || response.headersSent ? response.statusCode : 499
      deps.onDone({ ...seen, method: request.method ?? '', status, ms: deps.clock.nowMs() - beganMs, request })
    })
    response.setTimeout(clientIdleMs, () => {
      if (!request.complete || ('writableNeedDrain' in response && response.writableNeedDrain)) breakOff(response)
    })
    let admitted: Admitted
    try {
      admitted = admit(request, deps.traffic.table(), deps.ports.https)
    } catch {
      breakOff(response)
      return
    }
    seen.route = admitted.route
    if (admitted.kind === 'refused') answerText(response, admitted.status, admitted.text, forVersion(request, admitted.headers))
    else
      forward(deps, { request, response, admitted, signal: gone.signal, onTry: (endpoint) => void (seen.endpoint = endpoint) }).catch(() =>
        breakOff(response),
      )
  }
}

const forVersion = (request: ClientRequest, headers: readonly string[] = []): readonly string[] =>
  isHttp2(request) && headers[0] === 'connection' ? [] : headers

interface Turn {
  readonly request: ClientRequest
  readonly response: ClientResponse
  readonly admitted: RoutedRequest
  readonly signal: AbortSignal
  readonly onTry: (endpoint: Endpoint) => void
}

async function forward(deps: ProxyDeps, turn: Turn): Promise<void> {
  const { request, response, admitted, signal } = turn
  const { route, authority, target } = admitted
  const { namespace, service, port, settings } = route
  const withBody = hasBody(request)
  const body: Readable | undefined = withBody
    ? request.headers['content-length'] === undefined
      ? limited(request, settings.bodyBytesMax)
      : request
    : undefined
  // Kept for a retry: until a connection is there nothing of the body has been read.
  body?.on('error', () => undefined)
  const headers = headersForPod(request, { authority, port: portOf(deps, request), newId: () => deps.ids.uuid(), hasBody: withBody })
  const cookie = settings.isSticky ? cookieIn(valuesOf(request.rawHeaders, 'cookie')) : undefined
  const tried: Endpoint[] = []
  let failure: unknown
  for (let tries = 0; tries < triesMax; tries++) {
    const backend = deps.traffic.backend(namespace, service, port)
    const endpoint = deps.balancer.pick(`${namespace}/${service}/${port}`, backend.endpoints, tried, cookie)
    if (endpoint === undefined) break
    tried.push(endpoint)
    turn.onTry(endpoint)
    let isSent = false
    try {
      const answer = await exchange(deps.pools, endpoint, backend.protocol, {
        ...{ method: request.method ?? 'GET', target, headers, authority, body, signal },
        answerTimeoutMs: settings.answerTimeoutMs,
        onSent: () => void (isSent = true),
      })
      const sticky = settings.isSticky && cookie !== cookieOf(endpoint)
      passOn(deps, turn, answer, sticky ? endpoint : undefined)
      return
    } catch (error) {
      failure = error
      if (signal.aborted) return
      const isSafe = body === undefined && safeMethods.has(request.method ?? '') && !(error instanceof AnswerTimeout)
      if (isSent && !isSafe) break
    }
  }
  refuse(response, request, failure)
}

/** 503 when there is nobody, 504 when nobody says anything, 502 when what is said is none. */
function refuse(response: ClientResponse, request: ClientRequest, failure: unknown): void {
  const close = forVersion(request, request.complete ? [] : ['connection', 'close'])
  if (failure instanceof BodyTooLarge) answerText(response, 413, '413 Request Entity Too Large', close)
  else if (failure === undefined) answerText(response, 503, '503 Service Temporarily Unavailable', close)
  else if (failure instanceof AnswerTimeout || (failure instanceof ConnectError && failure.isTimeout))
    answerText(response, 504, '504 Gateway Time-out', close)
  else answerText(response, 502, '502 Bad Gateway', close)
}

function passOn(deps: ProxyDeps, { request, response }: Turn, answer: PodAnswer, stickTo: Endpoint | undefined): void {
  if (response.destroyed || response.writableEnded) {
    answer.body.destroy()
    return
  }
  const headers = headersForClient(answer.rawHeaders)
  const isHttps = isOverTls(request)
  if (stickTo) headers.push('Set-Cookie', `${stickyCookie}=${cookieOf(stickTo)}; Path=/; HttpOnly${isHttps ? '; Secure' : ''}`)
  if (!isHttp2(request) && deps.isEnding()) headers.push('Connection', 'close')
  writeHead(response, answer.status, headers)
  answer.body.on('error', () => breakOff(response))
  answer.body.on('aborted', () => breakOff(response))
  answer.body.on('end', () => {
    if (Object.keys(answer.trailers).length > 0) response.addTrailers(answer.trailers)
    response.end()
  })
  answer.body.pipe(response as NodeJS.WritableStream, { end: false })
}
