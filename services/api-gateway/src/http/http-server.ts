// The HTTPS face of the gateway: HTTP/2 and HTTP/1.1 on one port. Bytes in, bytes out; what they mean is decided by
// operations.ts. Every failure becomes a Kubernetes Status here.
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
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
  requestEntityTooLarge,
  requestHeadersTooLarge,
  requestTooSlow,
  routeNotFound,
  type Status,
  success,
  unauthorized,
  unsupportedMediaType,
} from '@shiplog/api/status'
import { printerFor, tableOf } from '@shiplog/api/tables/tables'
import { attemptsPath, wireHeader } from '@shiplog/api-client/wire/headers'
import type { User } from '@shiplog/domain/strategy'
import type { EventLog } from '@shiplog/events/event-log'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { statusOfUnavailable } from '../write/append-health.ts'
import type { Authenticator } from '../access/authentication.ts'
import type { Authorizer } from '../access/rbac-authorizer.ts'
import { frameSink } from '../read/frame-sink.ts'
import { bodyBytesMax, type GatewayRequest, type Provenance } from '../request/gateway-request.ts'
import { impersonate } from '../access/impersonation.ts'
import { negotiate, type Representation } from '../representation/negotiation.ts'
import type { NonResourceRoutes } from './non-resource-routes.ts'
import type { Operations, Verb } from '../operations/operations.ts'
import { describeLog, eventsPath, logPath, parseEventsQuery, serveEvents } from './raw-log-routes.ts'
import { parsePastPath } from '../time-travel/moment.ts'
import { isTimeless, type Past, type PastView, pastIsReadOnly } from '../time-travel/views.ts'
import { checkPastStart } from '../time-travel/watch.ts'
import { partBytes, sendPieces } from './piece-stream.ts'
import { isPodLogs, noLogsOfThePast, openPodLogs } from '../streaming/pod-logs.ts'
import { createPresenter, type ListBody, type Presenter } from '../representation/presenter.ts'
import type { Reader } from '../read/reader.ts'
import { parseResourcePath, type ResourcePath } from './request-info.ts'
import { accessResource } from '../access/resource-access.ts'
import { readOnce } from '../store/rounds.ts'
import { answerFromTunnel, type Tunnels } from '../streaming/tunnels.ts'
import { checkStart, type FrameSink, type WatchHub } from '../read/watch.ts'

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
  readonly past: Past
  /** The log of events, for those who may read it raw. */
  readonly events: EventLog
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
      settings: { maxConcurrentStreams: concurrentStreamsMax },
    },
    bodyLimit: bodyBytesMax,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 16_384 },
    frameworkErrors: (error: Error & { statusCode?: number }, request: FastifyRequest, reply: FastifyReply) =>
      void answerStatus(reply, statusOf(error, request.raw as never)),
    clientErrorHandler: (error: Error & { code?: string }, socket: Socket) => {
      if (!socket.writable) return socket.destroy()
      const status =
        error.code === 'HPE_HEADER_OVERFLOW'
          ? requestHeadersTooLarge()
          : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
            ? requestTooSlow()
            : badRequest(`the request is not HTTP: ${error.message}`)
      const body = json(status)
      socket.end(
        `HTTP/1.1 ${status.code} ${STATUS_CODES[status.code]}\r\ncontent-type: ${jsonType}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
      )
    },
    logger: false,
  } as never) as unknown as FastifyInstance

  // client-go keeps idle connections for 90 s: the server must not be the first to close one.
  Object.assign(server.server, {
    keepAliveTimeout: keepAliveTimeoutMs,
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
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
    const asking = deps.authenticator.authenticate(raw.socket as TLSSocket, header(raw, 'authorization'))
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
      return reply.send(typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body)
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
      return reply.header('content-type', jsonType).send(json(await describeLog(deps.events, query)))
    const asked = parseEventsQuery(query)
    reply.hijack()
    const raw = reply.raw as unknown as ServerResponse
    raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), 'content-type': 'application/x-ndjson' })
    raw.flushHeaders()
    await serveEvents(deps.events, asked, frameSink(raw), deps.stopped).catch((error: unknown) =>
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
      const presenter = presenterOf(resource, representation, options.includeObject, past)
      return await sendList(reply, representation, presenter.list(result.versions, result.meta))
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
      if (isPlain(resource, representation)) return reply.header('content-type', jsonType).send(version.bytes)
      const presenter = presenterOf(resource, representation, includeObjectOf(query), past)
      return await sendBytes(reply, representation, presenter.object(version))
    }
    const outcome = await operations.write(verb, gatewayRequest)
    for (const warning of outcome.warnings) reply.raw.appendHeader?.('warning', warningHeader(warning))
    reply.code(outcome.code)
    if (trusted) reply.header(wireHeader.sequence, String(outcome.sequence))
    if (outcome.object === undefined && representation.as === 'table' && outcome.answer?.['kind'] === 'Scale') {
      return await sendBytes(reply, representation, scaleTable(outcome.answer, past?.moment.timeMs ?? deps.nowMs()))
    }
    if (outcome.object === undefined)
      return await sendBytes(
        reply,
        { as: 'object', yaml: representation.as === 'object' && representation.yaml },
        json(outcome.answer),
      )
    if (outcome.bytes && isPlain(resource, representation))
      return reply.header('content-type', jsonType).send(outcome.bytes)
    const presenter = presenterOf(resource, representation, includeObjectOf(query), past)
    return await sendBytes(reply, representation, presenter.object(outcome.object))
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
    reply.hijack()
    const raw = reply.raw as unknown as RawResponse
    const headers = reply.getHeaders()
    ;(raw as ServerResponse).writeHead(200, {
      ...(headers as Record<string, string>),
      'content-type': jsonType,
    })
    // kubectl's `rollout status` and `wait` hang until they see the headers.
    ;(raw as ServerResponse).flushHeaders()
    const sink = frameSink(raw)
    try {
      await deps.hub.serve({
        stream,
        table: deps.reader.tableOf(resource),
        resource: { group: resource.storageGroup, resource: resource.resource },
        selection,
        presenter,
        options,
        sink,
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

  async function servePastWatch(
    reply: FastifyReply,
    request: GatewayRequest,
    representation: Representation,
    past: PastView,
  ): Promise<undefined> {
    const { resource, requestId } = request
    const { selection, options } = past.operations.select(request)
    await checkPastStart(past.reader, resource, options)
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

  /** Begins the answer of a watch. */
  function beginFrames(reply: FastifyReply): FrameSink {
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
    representation: Representation,
    { pieces, bytes }: ListBody,
  ): Promise<FastifyReply | undefined> {
    if (representation.as === 'object' && representation.yaml)
      return await sendBytes(reply, representation, Buffer.concat([...pieces]))
    if (bytes !== undefined && bytes <= partBytes)
      return reply.header('content-type', jsonType).send(Buffer.concat([...pieces], bytes))
    reply.hijack()
    const raw = reply.raw as unknown as RawResponse
    ;(raw as ServerResponse).writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': jsonType,
      ...(bytes === undefined ? {} : { 'content-length': bytes }),
    })
    try {
      await sendPieces(raw, pieces)
    } catch (error) {
      logger.error({ err: error }, 'a list could not be sent whole')
      raw.destroy()
    }
    return undefined
  }

  async function sendBytes(reply: FastifyReply, representation: Representation, bytes: Buffer): Promise<FastifyReply> {
    if (representation.as === 'object' && representation.yaml) {
      const { dump } = await import('js-yaml')
      return reply
        .type('application/yaml')
        .send(dump(JSON.parse(bytes.toString('utf8')), { noRefs: true, lineWidth: -1 }))
    }
    return reply.header('content-type', jsonType).send(bytes)
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

  server.route({
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url: '*',
    handler: handler as never,
  })
  return server
}

/** A Scale as `kubectl get --subresource=scale` shows it. */
const scaleTable = (scale: JsonObject, nowMs: number): Buffer =>
  json(
    tableOf([scale as KubeObject], printerFor('scales.autoscaling'), {
      includeObject: 'Metadata',
      nowMs,
      listMetadata: { resourceVersion: scale['metadata']?.resourceVersion },
    }),
  )

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

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
