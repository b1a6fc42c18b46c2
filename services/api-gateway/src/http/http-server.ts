// The HTTPS face of the gateway: HTTP/2 and HTTP/1.1 on one port. Bytes in, bytes out; what they mean is decided by
// operations.ts. Every failure becomes a Kubernetes Status here.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf, type ResourceInfo, type SchemaRegistry } from '@shiplog/api/schema/schema'
import {
  ApiError,
  badRequest,
  forbidden,
  internalError,
  isApiError,
  methodNotAllowed,
  notAcceptable,
  requestEntityTooLarge,
  requestHeadersTooLarge,
  routeNotFound,
  type Status,
  success,
  unauthorized,
  unsupportedMediaType,
} from '@shiplog/api/status'
import { printerFor, tableOf } from '@shiplog/api/tables/tables'
import { attemptsPath, wireHeader } from '@shiplog/api-client/wire/headers'
import type { User } from '@shiplog/domain/strategy'
import type { Channel } from '@shiplog/events/bus/channel'
import type { EventLog } from '@shiplog/events/event-log'
import type { LogInspection } from '@shiplog/events/integrity/log-inspection'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { acceptsGzip, gzipBytesMin, gzipHeaders, gzipped, sendGzipped, wantsIndent } from './answer-encoding.ts'
import { statusOfUnavailable } from '../write/append-health.ts'
import type { Authenticator } from '../access/authentication.ts'
import type { Authorizer } from '../access/rbac-authorizer.ts'
import { frameSink } from '../read/frame-sink.ts'
import { bodyBytesMax, type GatewayRequest, type Provenance } from '../request/gateway-request.ts'
import { impersonate } from '../access/impersonation.ts'
import { createJsonIndenter, indentedPieces } from './indent-json.ts'
import { negotiate, type Representation, servableMediaTypes } from '../representation/negotiation.ts'
import type { NonResourceRoutes } from './non-resource-routes.ts'
import type { Operations, Verb } from '../operations/operations.ts'
import type { Outgoing } from '../read/outgoing.ts'
import { describeLog, eventsPath, logPath, parseEventsQuery, serveEvents } from './raw-log-routes.ts'
import { isMoment, noMoment, parsePastPath } from '../time-travel/moment.ts'
import { isTimeless, type Past, type PastView, pastIsReadOnly } from '../time-travel/views.ts'
import { checkPastStart } from '../time-travel/watch.ts'
import { heldBytesOfAnswer, partBytes, sendPieces } from './piece-stream.ts'
import { isPodLogs, noLogsOfThePast, openPodLogs } from '../streaming/pod-logs.ts'
import { createPresenter, type ListBody, type Presenter } from '../representation/presenter.ts'
import type { Reader } from '../read/reader.ts'
import { parseResourcePath, type ResourcePath } from './request-info.ts'
import { answerClientError, headBytesMax, headLimits, isHeadTooLarge } from './request-limits.ts'
import { accessResource } from '../access/resource-access.ts'
import { readOnce } from '../store/rounds.ts'
import { answerFromTunnel, type Tunnels } from '../streaming/tunnels.ts'
import { checkStart, type FrameSink, type WatchHub } from '../read/watch.ts'
import { isWebSocketRequest, openWebSocket, readProtocols, routeUpgrades } from './web-socket.ts'
import { eventMessages, streamMessages, streamProtocols, webSocketSink } from './web-socket-sink.ts'

/** A larger body than this is not even read to be dropped. */
const droppedBodyBytesMax = 64 * 1024 * 1024
/** Streams that one HTTP/2 connection may have open; kubectl and client-go use far fewer. */
const concurrentStreamsMax = 1_000

const keepAliveTimeoutMs = 120_000
/** A client gets this long to send its headers, and this long for the whole request. */
const headersTimeoutMs = 30_000
const requestTimeoutMs = 60_000

export interface HttpServerDeps {
  readonly registry: SchemaRegistry
  readonly operations: Operations
  readonly reader: Reader
  readonly hub: WatchHub
  /** Paces and bounds what goes out to many clients. */
  readonly outgoing: Outgoing
  readonly past: Past
  /** The log of events, for those who may read it raw. */
  readonly events: EventLog
  /** What is known of damage to it. */
  readonly inspection: LogInspection | undefined
  readonly stopped: AbortSignal
  /** The way to what runs on nodes. */
  readonly tunnels: Tunnels
  readonly authenticator: Authenticator
  readonly authorizer: Authorizer
  readonly routes: NonResourceRoutes
  readonly logger: Logger
  readonly ids: Ids
  readonly nowMs: () => number
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string }
  /** Components whose word on cause, basis and decision is recorded. */
  readonly trusted: (user: User) => boolean
  /** Serves `POST` of an attempt to schedule that failed. */
  readonly recordAttempt: (user: User, body: Buffer | undefined) => Promise<void>
}

type RawRequest = IncomingMessage | Http2ServerRequest
type RawResponse = ServerResponse | Http2ServerResponse

const jsonType = 'application/json'

export function createHttpServer(deps: HttpServerDeps): FastifyInstance {
  const { registry, operations, logger } = deps
  const server = Fastify({
    http2: true,
    https: {
      allowHTTP1: true,
      ca: deps.tls.ca,
      cert: deps.tls.cert,
      key: deps.tls.key,
      requestCert: true,
      rejectUnauthorized: false,
      ...headLimits,
      settings: { ...headLimits.settings, maxConcurrentStreams: concurrentStreamsMax },
    },
    bodyLimit: bodyBytesMax,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    return503OnClosing: false,
    routerOptions: { maxParamLength: headBytesMax },
    frameworkErrors: (error: Error & { statusCode?: number }, request: FastifyRequest, reply: FastifyReply) =>
      void answerStatus(reply, statusOf(error, request.raw as never)),
    clientErrorHandler: answerClientError,
    logger: false,
  } as never) as unknown as FastifyInstance

  // client-go keeps idle connections for 90 s: the server must not be the first to close one.
  Object.assign(server.server, {
    keepAliveTimeout: keepAliveTimeoutMs,
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    // Node would leave out what comes after 2,000 without a word; the bytes are bounded.
    maxHeadersCount: 0,
  })
  server.removeAllContentTypeParsers()
  server.addContentTypeParser(
    '*',
    { parseAs: 'buffer' },
    (_request: FastifyRequest, body: Buffer, done: (error: null, body: Buffer) => void) => done(null, body),
  )
  // A body without length and media type, as `kubectl create --raw` sends it: over HTTP/2 Fastify takes it for none. What
  // HTTP/1.1 says by this header, a stream says by not ending with its headers.
  server.addHook('onRequest', (request, _reply, done) => {
    const raw = request.raw as unknown as RawRequest
    const { headers } = raw
    if (
      'stream' in raw &&
      headers['content-type'] === undefined &&
      headers['content-length'] === undefined &&
      !raw.stream.endAfterHeaders
    ) {
      headers['transfer-encoding'] = 'chunked'
    }
    done()
  })
  // Without a promise where nothing is done: every answer passes here.
  server.addHook('onSend', (request, reply, payload, done) => {
    if (!Buffer.isBuffer(payload) || payload.length === 0 || reply.statusCode === 304) return done(null, payload)
    const raw = request.raw as unknown as RawRequest
    const isJson = String(reply.getHeader('content-type')).startsWith(jsonType)
    const bytes = isJson && wantsIndent(readersOf(raw)) ? indented(payload) : payload
    if (bytes !== payload) reply.removeHeader('content-length')
    if (bytes.length <= gzipBytesMin || !acceptsGzip(header(raw, 'accept-encoding'))) return done(null, bytes)
    reply.removeHeader('content-length')
    const vary = reply.getHeader('vary')
    reply.headers(vary === undefined ? gzipHeaders : { ...gzipHeaders, vary: `${String(vary)}, ${gzipHeaders.vary}` })
    gzipped(bytes).then((packed) => done(null, packed), done)
  })
  server.setErrorHandler((error: Error & { statusCode?: number; code?: string }, request, reply) => {
    // Fastify would close the connection under a client that is still sending, which then sees a reset and no 413. Of a
    // body that is not endless the rest is read and dropped, and the connection goes on.
    if (
      error.code === 'FST_ERR_CTP_BODY_TOO_LARGE' &&
      Number(request.headers['content-length']) <= droppedBodyBytesMax
    ) {
      reply.removeHeader('connection')
      request.raw.resume()
    }
    answerStatus(reply as FastifyReply, statusOf(error, request.raw as never))
  })
  server.setNotFoundHandler((_request, reply) => answerStatus(reply as FastifyReply, routeNotFound()))

  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const raw = request.raw as unknown as RawRequest
    if (isHeadTooLarge(raw)) return answerStatus(reply, requestHeadersTooLarge())
    const requestId =
      header(raw, 'x-request-id')?.slice(0, 256) || header(raw, 'audit-id')?.slice(0, 256) || deps.ids.uuid()
    reply.header('audit-id', /^[\x21-\x7e]+$/.test(requestId) ? requestId : 'invalid')
    reply.header('cache-control', 'no-cache, private')
    const url = raw.url ?? '/'
    const mark = url.indexOf('?')
    let path = mark < 0 ? url : url.slice(0, mark)
    const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
    const method = raw.method ?? 'GET'

    if (deps.routes.isHealth(path)) {
      const health = deps.routes.health(path, query)
      return reply
        .code(health.ok ? 200 : 500)
        .type('text/plain; charset=utf-8')
        .send(health.text)
    }
    const asking = whoAsks(deps.authenticator, raw)
    if (!asking) {
      // A known path without credentials is "who are you"; credentials that nobody knows are, too.
      return answerStatus(reply, unauthorized())
    }
    const user = impersonate(asking, raw.rawHeaders, deps.authorizer)
    let info: ResourcePath | undefined
    let travel: ReturnType<typeof parsePastPath>
    try {
      travel = parsePastPath(path)
      if (travel) path = travel.path
      info = parseResourcePath(path)
    } catch {
      return answerStatus(reply, badRequest('the path holds an escape that is not UTF-8'))
    }
    if (!travel && path === attemptsPath && method === 'POST') {
      await deps.recordAttempt(user, request.body as Buffer | undefined)
      return reply
        .code(201)
        .header('content-type', jsonType)
        .send(json(success(201)))
    }
    let past: PastView | undefined
    if (travel) {
      if (!isMoment(travel.moment)) return answerStatus(reply, noMoment(travel.moment))
      if (method !== 'GET' && method !== 'HEAD') return answerStatus(reply, pastIsReadOnly(method, travel.moment))
      if (!info && !isTimeless(path)) return answerStatus(reply, routeNotFound())
      // kubectl shows no message of a refused discovery: it is told with the resource that it asks for next.
      if (info) past = await deps.past.view(travel.moment)
      if (deps.routes.isHealth(path)) return reply.header('content-type', 'text/plain; charset=utf-8').send('ok')
    }
    if (!info) {
      const verb = method === 'HEAD' ? 'get' : method.toLowerCase()
      if (!deps.authorizer.allowsPath(user, verb, path)) {
        return answerStatus(
          reply,
          forbidden({ group: '', resource: '' }, '', `User "${user.name}" cannot ${verb} path "${path}"`),
        )
      }
      if (path === eventsPath || path === logPath) return await serveLog(reply, method, path, query)
      const answer = await deps.routes.answer(method, path, query, raw.headers as Record<string, string | undefined>)
      if (!answer) return answerStatus(reply, routeNotFound())
      for (const [name, value] of Object.entries(answer.headers ?? {})) reply.header(name, value)
      reply.code(answer.code)
      if (answer.contentType) reply.header('content-type', answer.contentType)
      // As bytes: Fastify rewrites the content type of text.
      const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
      return reply.send(body && answer.contentType === jsonType ? Buffer.concat([body, newline]) : body)
    }
    return await serveResource(reply, raw, {
      method,
      info,
      query,
      user,
      requestId,
      body: request.body as Buffer | undefined,
      past,
    })
  }

  /** What is no part of the Kubernetes API: the log itself. */
  async function serveLog(
    reply: FastifyReply,
    method: string,
    path: string,
    query: URLSearchParams,
  ): Promise<FastifyReply | undefined> {
    if (method !== 'GET') return answerStatus(reply, methodNotAllowed({ group: '', resource: '' }, method))
    if (path === logPath)
      return reply.header('content-type', jsonType).send(json(await describeLog(deps.events, query, deps.inspection)))
    const asked = parseEventsQuery(query)
    if (isWebSocketRequest(reply.request.raw))
      return answerStatus(reply, badRequest(`${path} is not served over a WebSocket`))
    reply.hijack()
    const raw = reply.raw as unknown as ServerResponse
    raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), 'content-type': 'application/x-ndjson' })
    raw.flushHeaders()
    await serveEvents(deps.events, deps.inspection, asked, frameSink(raw), deps.stopped).catch((error: unknown) =>
      logger.error({ err: error }, 'the log could not be read for a client'),
    )
    return undefined
  }

  async function serveResource(
    reply: FastifyReply,
    raw: RawRequest,
    asked: {
      method: string
      info: ResourcePath
      query: URLSearchParams
      user: User
      requestId: string
      body: Buffer | undefined
      past: PastView | undefined
    },
  ): Promise<FastifyReply | undefined> {
    const { method, info, query, user, past } = asked
    const operations = past?.operations ?? deps.operations
    const { name, namespace, subresource } = info
    const access = accessResource(
      { registry, authorizer: deps.authorizer },
      { ...info, user, method, verb: verbOf(method, info, query), fieldSelector: query.get('fieldSelector') ?? '' },
    )
    if ('refusal' in access) return answerStatus(reply, access.refusal)
    const { resource, verb } = access
    const outdated = deprecatedResources.get(`${apiVersionOf(info.group, info.version)}/${info.resource}`)
    if (outdated) reply.raw.appendHeader?.('warning', warningHeader(outdated))
    const representation = negotiate(header(raw, 'accept'))
    if (representation.as !== 'object' && !hasMetadata(resource, subresource))
      return answerStatus(reply, notAcceptable(servableMediaTypes))
    const trusted = deps.trusted(user)
    const gatewayRequest: GatewayRequest = {
      resource,
      subresource,
      namespace,
      name,
      query,
      body:
        asked.body && (asked.body.length > 0 || verb === 'patch')
          ? { bytes: asked.body, contentType: header(raw, 'content-type') }
          : undefined,
      user,
      userAgent: header(raw, 'user-agent') ?? '',
      requestId: asked.requestId,
      provenance: trusted ? provenanceOf(raw) : traceOf(raw),
      ...(trusted && header(raw, wireHeader.onlyNew) === '1' ? { onlyNew: true } : {}),
      ...(trusted ? onceOf(raw) : {}),
    }
    if (verb === 'watch') {
      return past
        ? await servePastWatch(reply, gatewayRequest, representation, past)
        : await serveWatch(reply, gatewayRequest, representation)
    }
    if (verb === 'list') {
      const { result, options } = await operations.list(gatewayRequest)
      warn(reply, [...(result.warnings ?? []), ...(past?.reader.warnings ?? [])])
      const presenter = presenterOf(resource, representation, options.includeObject, past)
      return await sendList(reply, user, representation, presenter.list(result.versions, result.meta))
    }
    if (isPodLogs(gatewayRequest)) {
      if (verb !== 'get') return answerStatus(reply, methodNotAllowed({ group: '', resource: '' }, method))
      if (past) return answerStatus(reply, noLogsOfThePast(String(past.moment.sequence)))
      return await serveLogs(reply, gatewayRequest, method)
    }
    if (verb === 'get' && (subresource === '' || subresource === 'status')) {
      if (subresource !== '' && !resource.subresources.some((known) => known.name === subresource))
        return answerStatus(reply, routeNotFound())
      const version = await operations.get(gatewayRequest)
      warn(reply, past?.reader.warnings ?? [])
      if (isPlain(resource, representation))
        return await sendJson(reply, user, [version.bytes], version.bytes.length)
      const presenter = presenterOf(resource, representation, includeObjectOf(query), past)
      return await sendBytes(reply, user, representation, presenter.object(version))
    }
    const outcome = await operations.write(verb, gatewayRequest)
    warn(reply, outcome.warnings)
    reply.code(outcome.code)
    if (trusted) reply.header(wireHeader.sequence, String(outcome.sequence))
    if (outcome.list) {
      const presenter = presenterOf(resource, representation, includeObjectOf(query), past)
      const list = presenter.list(outcome.list.versions, outcome.list.meta)
      return await sendList(reply, user, representation, list)
    }
    if (outcome.object === undefined && representation.as === 'table' && outcome.answer?.['kind'] === 'Scale') {
      return await sendBytes(reply, user, representation, scaleTable(outcome.answer, past?.moment.timeMs ?? deps.nowMs()))
    }
    if (outcome.object === undefined)
      return await sendBytes(
        reply,
        user,
        { as: 'object', yaml: representation.as === 'object' && representation.yaml },
        Buffer.from(JSON.stringify(outcome.answer)),
      )
    if (outcome.bytes && isPlain(resource, representation))
      return await sendJson(reply, user, [outcome.bytes], outcome.bytes.length)
    const presenter = presenterOf(resource, representation, includeObjectOf(query), past)
    return await sendBytes(reply, user, representation, presenter.object(outcome.object))
  }

  async function serveWatch(
    reply: FastifyReply,
    request: GatewayRequest,
    representation: Representation,
  ): Promise<undefined> {
    const { resource } = request
    const { selection, options } = operations.select({ ...request })
    const stream = deps.reader.streamOf(resource)
    if (options.resourceVersion === undefined || options.sendInitialEvents) await deps.reader.barrier(stream)
    await checkStart(stream, options.resourceVersion)
    const presenter = presenterOf(resource, representation, options.includeObject)
    const table = deps.reader.tableOf(resource)
    using room = await deps.hub.admit(request.user.name, { stream, table, selection, options })
    const sink = beginFrames(reply)
    try {
      await deps.hub.serve({
        stream,
        table,
        resource: { group: resource.storageGroup, resource: resource.resource },
        selection,
        presenter,
        options,
        sink,
        room,
      })
    } catch (error) {
      logger.error({ err: error, requestId: request.requestId }, 'watch failed')
      sink.destroy()
    }
    return undefined
  }

  async function serveLogs(
    reply: FastifyReply,
    request: GatewayRequest,
    method: string,
  ): Promise<FastifyReply | undefined> {
    const raw = reply.raw as unknown as RawResponse
    const sink = frameSink(raw)
    const channel = await openPodLogs(deps, request, sink.closed)
    // As upstream: a pod without a node has no log, not an empty one.
    if (!channel) return reply.code(204).send()
    if (isWebSocketRequest(reply.request.raw)) return await answerOverWebSocket(reply, channel)
    reply.hijack()
    const headers = reply.getHeaders() as Record<string, string>
    ;(raw as ServerResponse).writeHead(200, { ...headers, 'content-type': 'text/plain' })
    // `kubectl logs -f` waits for the headers, however long nothing is printed.
    ;(raw as ServerResponse).flushHeaders()
    if (method === 'HEAD') {
      channel.close('only the headers were asked for')
      sink.end()
    } else await answerFromTunnel(channel, sink)
    return undefined
  }

  async function answerOverWebSocket(reply: FastifyReply, channel: Channel): Promise<undefined> {
    let sink: FrameSink
    try {
      const opened = openWebSocket(reply.request.raw, { known: streamProtocols, headers: replyHeaders(reply) })
      sink = webSocketSink(opened, streamMessages(opened.connection.protocol))
    } catch (error) {
      channel.close('there was no WebSocket')
      throw error
    }
    reply.hijack()
    // As upstream: an empty message first, so that the client sees that something is there.
    sink.write(Buffer.alloc(0))
    await answerFromTunnel(channel, sink)
    return undefined
  }

  async function servePastWatch(
    reply: FastifyReply,
    request: GatewayRequest,
    representation: Representation,
    past: PastView,
  ): Promise<undefined> {
    const { resource, requestId } = request
    const { selection, options } = past.operations.select(request)
    await checkPastStart(past.reader, resource, options)
    warn(reply, past.reader.warnings)
    const presenter = presenterOf(resource, representation, options.includeObject, past)
    const sink = beginFrames(reply)
    try {
      await deps.past.watch({ reader: past.reader, resource, selection, presenter, options, sink })
    } catch (error) {
      logger.error({ err: error, requestId }, 'watch of the past failed')
      sink.destroy()
    }
    return undefined
  }

  /** Begins the answer of a watch: a stream, or the messages of a WebSocket. */
  function beginFrames(reply: FastifyReply): FrameSink {
    if (isWebSocketRequest(reply.request.raw)) {
      const opened = openWebSocket(reply.request.raw, { headers: replyHeaders(reply) })
      reply.hijack()
      return webSocketSink(opened, eventMessages)
    }
    reply.hijack()
    const raw = reply.raw as unknown as RawResponse
    const headers = reply.getHeaders()
    ;(raw as ServerResponse).writeHead(200, {
      ...(headers as Record<string, string>),
      'content-type': jsonType,
    })
    // kubectl's `rollout status` and `wait` hang until they see the headers.
    ;(raw as ServerResponse).flushHeaders()
    return frameSink(raw)
  }

  /** In the past, ages are told against the moment. */
  const presenterOf = (
    resource: ResourceInfo,
    representation: Representation,
    includeObject: 'None' | 'Metadata' | 'Object',
    past?: PastView,
  ): Presenter =>
    createPresenter(resource, representation, {
      nowMs: past ? () => past.moment.timeMs : deps.nowMs,
      includeObject,
    })

  async function sendList(
    reply: FastifyReply,
    user: User,
    representation: Representation,
    { pieces, bytes }: ListBody,
  ): Promise<FastifyReply | undefined> {
    if (representation.as === 'object' && representation.yaml)
      return await sendBytes(reply, user, representation, Buffer.concat([...pieces]))
    return await sendJson(reply, user, pieces, bytes)
  }

  /** Sends JSON that is there in pieces, and a newline after it; `bytes` is the length of the pieces where it is known. */
  async function sendJson(
    reply: FastifyReply,
    user: User,
    pieces: Iterable<Buffer>,
    bytes: number | undefined,
  ): Promise<FastifyReply | undefined> {
    const length = bytes === undefined ? undefined : bytes + newline.length
    // What is sent at once is indented and compressed by the hook.
    if (length !== undefined && length <= partBytes)
      return reply.header('content-type', jsonType).send(Buffer.concat([...pieces, newline], length))
    const written = writtenFor(reply.request.raw as unknown as RawRequest)
    using _room = await deps.outgoing.admit(user.name, heldBytesOfAnswer)
    reply.hijack()
    const raw = reply.raw as unknown as ServerResponse
    raw.writeHead(reply.statusCode, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': jsonType,
      ...(written.gzip ? gzipHeaders : {}),
      ...(length === undefined || written.gzip || written.indent ? {} : { 'content-length': length }),
    })
    const body = withNewline(written.indent ? indentedPieces(pieces) : pieces)
    try {
      await (written.gzip ? sendGzipped(raw, body, deps.outgoing) : sendPieces(raw, body, deps.outgoing))
    } catch (error) {
      logger.error({ err: error }, 'an answer could not be sent whole')
      raw.destroy()
    }
    return undefined
  }

  async function sendBytes(
    reply: FastifyReply,
    user: User,
    representation: Representation,
    bytes: Buffer,
  ): Promise<FastifyReply | undefined> {
    if (representation.as === 'object' && representation.yaml) {
      const { dump } = await import('js-yaml')
      return reply
        .type('application/yaml')
        .send(dump(JSON.parse(bytes.toString('utf8')), { noRefs: true, lineWidth: -1 }))
    }
    return await sendJson(reply, user, [bytes], bytes.length)
  }

  function statusOf(error: Error & { statusCode?: number; code?: string }, raw: RawRequest): Status {
    if (isApiError(error)) return error.status
    const unavailable = statusOfUnavailable(error)
    if (unavailable) return unavailable
    if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
      return requestEntityTooLarge(`limit is ${bodyBytesMax}`)
    }
    if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
      return unsupportedMediaType([jsonType, 'application/yaml', 'application/vnd.kubernetes.protobuf'])
    if (error.statusCode === 404) return routeNotFound()
    if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500)
      return badRequest(error.message)
    logger.error({ err: error, method: raw.method, url: raw.url }, 'request failed')
    return internalError('the request could not be completed; the log of the gateway says why')
  }

  const answerStatus = (reply: FastifyReply, status: Status): FastifyReply => {
    if (status.details?.retryAfterSeconds) reply.header('retry-after', String(status.details.retryAfterSeconds))
    return reply.code(status.code).header('content-type', jsonType).send(json(status))
  }

  routeUpgrades(server)
  server.route({
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url: '*',
    handler: handler as never,
  })
  return server
}

/** A Scale as `kubectl get --subresource=scale` shows it. */
const scaleTable = (scale: JsonObject, nowMs: number): Buffer =>
  Buffer.from(
    JSON.stringify(
      tableOf([scale as KubeObject], printerFor('scales.autoscaling'), {
        includeObject: 'Metadata',
        nowMs,
        listMetadata: { resourceVersion: scale['metadata']?.resourceVersion },
      }),
    ),
  )

/** As upstream's encoder writes it: with a newline at the end. */
const json = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value)}\n`)

const newline = Buffer.from('\n')

function* withNewline(pieces: Iterable<Buffer>): Generator<Buffer> {
  yield* pieces
  yield newline
}

const replyHeaders = (reply: FastifyReply): Record<string, string> => reply.getHeaders() as Record<string, string>

/** By certificate or bearer token; who asks for a WebSocket may send the token as a subprotocol. */
function whoAsks(authenticator: Authenticator, raw: RawRequest): User | undefined {
  const authorization = header(raw, 'authorization')
  if (authorization === undefined && isWebSocketRequest(raw)) {
    const { token, invalid } = readProtocols(header(raw, 'sec-websocket-protocol'))
    if (invalid) return undefined
    if (token !== undefined) return authenticator.authenticateToken(token)
  }
  return authenticator.authenticate(raw.socket as TLSSocket, authorization)
}

/** Whether what is answered has metadata, so that it can be a row of a Table: reviews, bindings and evictions have none. */
const hasMetadata = (resource: ResourceInfo, subresource: string): boolean =>
  resource.verbs.includes('get') && !['binding', 'eviction', 'token'].includes(subresource)

/** Whether the stored bytes are the answer. */
const isPlain = (resource: ResourceInfo, representation: Representation): boolean =>
  representation.as === 'object' &&
  !representation.yaml &&
  resource.version === resource.storageVersion &&
  resource.group === resource.storageGroup

const header = (raw: RawRequest, name: string): string | undefined => {
  const value = raw.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

/** How an answer is written for who reads it. */
interface Written {
  readonly indent: boolean
  readonly gzip: boolean
}

const writtenFor = (raw: RawRequest): Written => ({
  indent: wantsIndent(readersOf(raw)),
  gzip: acceptsGzip(header(raw, 'accept-encoding')),
})

const indented = (json: Buffer): Buffer => Buffer.concat([createJsonIndenter().next(json), newline])

const noQuery = new URLSearchParams()

/** What tells whether somebody reads the answer with their own eyes. */
const readersOf = (raw: RawRequest) => ({
  query: raw.url?.includes('pretty') ? new URLSearchParams(/\?(.*)$/s.exec(raw.url)?.[1] ?? '') : noQuery,
  userAgent: header(raw, 'user-agent'),
  accept: header(raw, 'accept'),
})

const includeObjectOf = (query: URLSearchParams): 'None' | 'Metadata' | 'Object' => {
  const value = query.get('includeObject') || 'Metadata'
  if (value !== 'None' && value !== 'Metadata' && value !== 'Object')
    throw new ApiError(badRequest(`unrecognized includeObject value: ${JSON.stringify(value)}`))
  return value
}

function verbOf(method: string, info: ResourcePath, query: URLSearchParams): Verb | undefined {
  switch (method) {
    case 'GET':
    case 'HEAD': {
      const watch = info.watch || isTrue(query.get('watch'))
      if (watch && info.subresource === '') return 'watch'
      return info.name === '' ? 'list' : 'get'
    }
    case 'POST':
      return info.name !== '' && info.subresource === '' ? undefined : 'create'
    case 'PUT':
      return info.name === '' ? undefined : 'update'
    case 'PATCH':
      return info.name === '' ? undefined : 'patch'
    case 'DELETE':
      return info.name === '' ? 'deletecollection' : 'delete'
    default:
      return undefined
  }
}

const isTrue = (text: string | null): boolean =>
  text !== null && text !== '0' && text.toLowerCase() !== 'false' && text.toLowerCase() !== 'f'

/** Told whoever uses a kind that is on its way out. */
const deprecatedResources: ReadonlyMap<string, string> = new Map([
  ['v1/endpoints', 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'],
  ['v1/componentstatuses', 'v1 ComponentStatus is deprecated in v1.19+'],
])

/** RFC 7234 warning: code 299, agent "-", the text quoted. */
const warningHeader = (text: string): string =>
  `299 - "${text.replace(/[\\"]/g, (character) => `\\${character}`).replace(/[^\x20-\x7e]/g, ' ')}"`

function warn(reply: FastifyReply, warnings: readonly string[]): void {
  for (const warning of warnings) reply.raw.appendHeader?.('warning', warningHeader(warning))
}

/** The round that a deletion belongs to, when it names one whole. */
function onceOf(raw: RawRequest): Pick<GatewayRequest, 'once'> {
  const once = readOnce(header(raw, wireHeader.once) ?? '')
  return once ? { once } : {}
}

function provenanceOf(raw: RawRequest): Provenance {
  const number = (name: string): number | undefined => {
    const text = header(raw, name)
    return text && /^\d{1,15}$/.test(text) ? Number(text) : undefined
  }
  const cause = number(wireHeader.cause)
  const basis = number(wireHeader.basis)
  const decision = header(raw, wireHeader.decision)
  return {
    ...traceOf(raw),
    ...(cause === undefined ? {} : { cause }),
    ...(basis === undefined ? {} : { basis }),
    ...(decision === undefined ? {} : { decision }),
  }
}

function traceOf(raw: RawRequest): Provenance {
  const traceparent = header(raw, 'traceparent')
  return traceparent && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent) ? { traceparent } : {}
}
