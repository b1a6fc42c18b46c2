// The HTTPS face of the gateway: HTTP/2 and HTTP/1.1 on one port. Listening, TLS, limits and errors; what is served is in
// api-routes.ts.
import { requestHeadersTooLarge } from '@shiplog/api/status'
import type { Ids } from '@shiplog/runtime/ids'
import Fastify from 'fastify'
import { openBrowserRoutes } from '../browser/browser-routes.ts'
import { bodyBytesMax } from '../request/gateway-request.ts'
import { type ApiRouteDeps, authenticatedRoutes, healthRoutes } from './api-routes.ts'
import { type RequestError, statusOf } from './errors.ts'
import { header, type HttpReply, type HttpRequest, type HttpServer, type RawRequest } from './fastify-types.ts'
import { noSchemas } from './no-schemas.ts'
import { labelsOfOther } from './request-metrics.ts'
import { answerClientError, headBytesMax, headLimits, isHeadTooLarge } from './request-limits.ts'
import { answerStatus } from './responses.ts'
import { routeUpgrades } from './web-socket.ts'

/** A larger body than this is not even read to be dropped. */
const droppedBodyBytesMax = 64 * 1024 * 1024
/** Streams that one HTTP/2 connection may have open; kubectl and client-go use far fewer. */
const concurrentStreamsMax = 1_000

const keepAliveTimeoutMs = 120_000
/** A client gets this long to send its headers, and this long for the whole request. */
const headersTimeoutMs = 30_000
const requestTimeoutMs = 60_000
const requestIdLengthMax = 256

export interface HttpServerDeps extends ApiRouteDeps {
  readonly ids: Ids
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string }
}

export function createHttpServer(deps: HttpServerDeps): HttpServer {
  const server = newServer(deps)
  takeBodiesAsBytes(server)
  // Every request passes these: no promise is made for them.
  server.addHook('onRequest', (request, reply, done) => {
    if (begin(deps, request, reply)) done()
  })
  server.addHook('onResponse', (request, reply, done) => {
    request.inFlight?.[Symbol.dispose]()
    request.seat?.[Symbol.dispose]()
    request.audit?.complete(reply.raw.statusCode)
    const { elapsedTime, raw } = reply
    deps.metrics.answered(request.labels ?? labelsOfOther(request.method), raw.statusCode, elapsedTime / 1_000)
    done()
  })
  server.setErrorHandler((error: RequestError, request, reply) => {
    if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') dropBody(request, reply)
    answerStatus(reply, statusOf(error, request.raw, deps.logger))
  })
  routeUpgrades(server)
  healthRoutes(server, deps)
  openBrowserRoutes(server, deps.browser)
  server.register(async (scope: HttpServer) => authenticatedRoutes(scope, deps))
  return server
}

function newServer({ tls, logger }: HttpServerDeps): HttpServer {
  const server: HttpServer = Fastify({
    http2: true,
    https: {
      allowHTTP1: true,
      ...{ ca: tls.ca, cert: tls.cert, key: tls.key },
      requestCert: true,
      rejectUnauthorized: false,
      ...headLimits,
      settings: { ...headLimits.settings, maxConcurrentStreams: concurrentStreamsMax },
    },
    bodyLimit: bodyBytesMax,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    return503OnClosing: false,
    routerOptions: { maxParamLength: headBytesMax, ignoreDuplicateSlashes: true },
    frameworkErrors: (error, request, reply) => answerStatus(reply, statusOf(error, request.raw, logger)),
    clientErrorHandler: answerClientError,
    schemaController: noSchemas,
    logger: false,
  })
  // client-go keeps idle connections for 90 s: the server must not be the first to close one.
  Object.assign(server.server, {
    keepAliveTimeout: keepAliveTimeoutMs,
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    // Node would leave out what comes after 2,000 without a word; the bytes are bounded.
    maxHeadersCount: 0,
  })
  server.decorateRequest('requestId', '')
  server.decorateRequest('path', '')
  server.decorateRequest('searchParams')
  server.decorateRequest('user')
  server.decorateRequest('resource')
  server.decorateRequest('labels')
  server.decorateRequest('inFlight')
  server.decorateRequest('audit')
  server.decorateRequest('seat')
  server.decorateRequest('isGone', false)
  return server
}

/** What a body is, is decided where it is decoded (request-body.ts), with upstream's sentences. */
function takeBodiesAsBytes(server: HttpServer): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
}

/** As Go reads a query: a part with a semicolon in it counts for nothing. */
const queryOf = (text: string): URLSearchParams =>
  new URLSearchParams(
    text.includes(';')
      ? text
          .split('&')
          .filter((part) => !part.includes(';'))
          .join('&')
      : text,
  )

/** Nobody writes into the query of a request. */
const noQuery = new URLSearchParams()

/** What every request begins with, whatever becomes of it; false when it is answered already. */
function begin({ ids, metrics }: HttpServerDeps, request: HttpRequest, reply: HttpReply): boolean {
  const { raw, method } = request
  request.inFlight = metrics.inFlight(method)
  announceBody(raw)
  const url = raw.url ?? '/'
  const mark = url.indexOf('?')
  request.path = mark < 0 ? url : url.slice(0, mark)
  request.searchParams = mark < 0 ? noQuery : queryOf(url.slice(mark + 1))
  // An empty media type is none.
  if (raw.headers['content-type'] === '') delete raw.headers['content-type']
  request.requestId = requestIdOf(raw) || ids.uuid()
  if (isHeadTooLarge(raw)) {
    answerStatus(reply, requestHeadersTooLarge())
    return false
  }
  reply.header('audit-id', /^[\x21-\x7e]+$/.test(request.requestId) ? request.requestId : 'invalid')
  reply.header('cache-control', 'no-cache, private')
  return true
}

const requestIdOf = (raw: RawRequest): string =>
  header(raw, 'x-request-id')?.slice(0, requestIdLengthMax) ||
  header(raw, 'audit-id')?.slice(0, requestIdLengthMax) ||
  ''

/**
 * A body without length and media type, as `kubectl create --raw` sends it: over HTTP/2 Fastify takes it for none. What
 * HTTP/1.1 says by this header, a stream says by not ending with its headers.
 */
function announceBody(raw: RawRequest): void {
  const { headers } = raw
  const isSilent = headers['content-type'] === undefined && headers['content-length'] === undefined
  if ('stream' in raw && isSilent && !raw.stream.endAfterHeaders) headers['transfer-encoding'] = 'chunked'
}

/**
 * Fastify would close the connection under a client that is still sending, which then sees a reset and no 413. Of a body
 * that is not endless the rest is read and dropped, and the connection goes on.
 */
function dropBody(request: HttpRequest, reply: HttpReply): void {
  if (!(Number(request.headers['content-length']) <= droppedBodyBytesMax)) return
  reply.removeHeader('connection')
  request.raw.resume()
}
