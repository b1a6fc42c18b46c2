// Requests for resources: from path, method and headers to an operation, and from its answer to a response.
import type { KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf, type ResourceInfo } from '@shiplog/api/schema/schema'
import { ApiError, badRequest, isApiError, notAcceptable, routeNotFound, type Status } from '@shiplog/api/status'
import { printerFor, tableOf } from '@shiplog/api/tables/tables'
import { wireHeader } from '@shiplog/api-client/wire/headers'
import type { Catalogue } from '@shiplog/domain/catalogue/catalogue'
import type { ServedKind } from '@shiplog/domain/catalogue/served-kind'
import type { User } from '@shiplog/domain/strategy'
import { pathSegment } from '@shiplog/domain/names'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { Authorizer } from '../access/rbac-authorizer.ts'
import { accessResource } from '../access/resource-access.ts'
import { selectorsOf } from '../access/selectors.ts'
import type { StatusAnswer, ValueAnswer, WatchAnswer } from '../operations/answer.ts'
import type { Operations } from '../operations/operations.ts'
import { negotiate, protobufMediaType, type Representation, servableMediaTypes } from '../representation/negotiation.ts'
import { bytesOf, createPresenter, type ListBody, type Presenter } from '../representation/presenter.ts'
import { createProtobufPresenter, inProtobuf } from '../representation/protobuf-presenter.ts'
import { whyNoGoDuration } from '../time-travel/go-time.ts'
import type { GatewayRequest, Verb } from '../request/gateway-request.ts'
import { turnsOf } from '../read/slices.ts'
import { findResource } from '../store/kinds.ts'
import { internalPackageOf } from '../request/request-body.ts'
import { includeObjectOf } from '../request/list-options.ts'
import { managerOfUserAgent } from '../request/request-options.ts'
import type { Clock } from '@shiplog/runtime/clock'
import { answeredObject } from './audit-hook.ts'
import { serveConnection } from './connection-answers.ts'
import { header, type HttpReply, type HttpRequest } from './fastify-types.ts'
import type { ResourcePath } from './request-info.ts'
import { labelsOf, type RequestLabels, type RequestMetrics } from './request-metrics.ts'
import { answerNoPath, answerStatus, beginFrames, sendBody, type SendDeps, warn } from './responses.ts'
import { serveStream } from './stream-answers.ts'
import { isWebSocketRequest } from './web-socket.ts'
import { readTrustedHeaders } from './trusted-headers.ts'
import { isSwitched } from './web-socket.ts'

export interface ResourceDeps extends SendDeps {
  readonly authorizer: Authorizer
  /** Components whose word on cause, basis and decision is recorded. */
  readonly trusted: (user: User) => boolean
  readonly metrics: RequestMetrics
  readonly clock: Clock
}

/** Serves a request for a resource, with the operations of the present or of a moment. */
export async function serveResource(
  deps: ResourceDeps,
  operations: Operations,
  info: ResourcePath,
  request: HttpRequest,
  reply: HttpReply,
): Promise<void> {
  const { user, method, searchParams: query } = request
  const { group, version } = info
  const found = await findResource(operations.kinds, (known) => known.resource(group, version, info.resource))
  const asked = verbOf(method, info, query)
  const selectors = info.watch ? undefined : selectorsOf(asked, query)
  const access = accessResource(
    { authorizer: deps.authorizer, resource: found.resource, isGroupServed: () => isGroupServed(found.catalogue, group), annotate: request.audit?.annotate },
    { ...info, user, method, verb: asked, selectors },
  )
  if ('refusal' in access) return access.isNoPath ? answerNoPath(reply) : answerStatus(reply, access.refusal)
  const { resource, verb } = access
  const kind = found.catalogue.kind(resource)
  if (connects(info)) return await serveConnected(deps, operations, { info, kind, verb }, request, reply)
  checkQuery(info, query)
  const labels = labelsOf(verb, resource, info, {
    apply: header(request.raw, 'content-type')?.startsWith('application/apply-patch') ?? false,
    dryRun: query.has('dryRun'),
  })
  request.labels = labels
  const outdated = deprecatedResources.get(`${apiVersionOf(info.group, info.version)}/${info.resource}`)
  warn(reply, outdated ? [outdated] : (kind.custom?.warnings ?? []))
  const hasProtobuf = kind.custom === undefined && !isWebSocketRequest(request.raw)
  const servable = servableMediaTypes(hasProtobuf)
  const representation = negotiate(header(request.raw, 'accept'), hasProtobuf, verb === 'list' || verb === 'watch')
  if (representation.as !== 'object' && !hasMetadata(resource, info.subresource))
    return answerStatus(reply, notAcceptable(servable))
  const trusted = deps.trusted(user)
  if (verb === 'watch' && representation.yaml)
    return answerStatus(reply, notAcceptable(servable.filter((type) => !type.endsWith('yaml'))))
  const presenter = presenterOf(kind, representation, query, operations)
  const answer = await operations
    .dispatch(verb, gatewayRequest(request, kind, info, verb, trusted))
    .catch((error: unknown) => {
      // What is refused is warned about as well.
      if (isApiError(error)) warn(reply, error.warnings)
      throw error
    })
  // Those were served above.
  if (answer.kind === 'connection') throw new ApiError(routeNotFound())
  if (answer.kind === 'stream') {
    using _open = beginLongRunning(deps, request, labels)
    request.audit?.started(200)
    return await serveStream(request, reply, answer)
  }
  const mismatch = mismatchOf(answer.kind, representation, info.subresource === 'scale' ? scaleResource : resource)
  if (mismatch) return answerStatus(reply, mismatch)
  warn(reply, answer.warnings)
  if (answer.kind === 'watch') return await serveWatch(deps, request, reply, answer, presenter, labels, isInProtobuf(representation))
  if (request.audit) request.audit.responseObject = () => answeredObject(kind, answer)
  reply.code(answer.code)
  if (trusted) reply.header(wireHeader.sequence, String(answer.sequence))
  await sendBody(deps, request, reply, ...bodyOf(answer, representation, presenter, operations.nowMs))
}

const connecting = new Set(['exec', 'attach', 'portforward', 'proxy'])

/** Whether it connects with what runs: what it asks is meant for that, and no option of ours. */
export const connects = ({ subresource, name }: Pick<ResourcePath, 'subresource' | 'name'>): boolean =>
  name !== '' && connecting.has(subresource)

async function serveConnected(
  deps: ResourceDeps,
  operations: Operations,
  { info, kind, verb }: { readonly info: ResourcePath; readonly kind: ServedKind; readonly verb: Verb },
  request: HttpRequest,
  reply: HttpReply,
): Promise<void> {
  const { resource } = kind
  const labels = labelsOf('connect', resource, info, { apply: false, dryRun: false })
  request.labels = labels
  checkName(info)
  // WebSockets begin with a GET, and do no less than a POST does: upstream asks for the right to create in any case.
  if (info.subresource !== 'proxy' && verb !== 'create') {
    const asked = { ...info, user: request.user, method: request.method, verb: 'create' as const, selectors: undefined }
    const access = accessResource({ authorizer: deps.authorizer, resource }, asked)
    if ('refusal' in access) return answerStatus(reply, access.refusal)
  }
  const answer = await operations.dispatch(verb, gatewayRequest(request, kind, info, verb, false))
  if (answer.kind !== 'connection') throw new ApiError(routeNotFound())
  const beganMs = deps.clock.nowMs()
  request.audit?.started(200)
  using _open = beginLongRunning(deps, request, labels)
  await serveConnection(deps, info, request, reply, answer.connection)
  // What took the connection over is no answer that anybody else counts.
  if (!isSwitched(request.raw)) return
  deps.metrics.answered(labels, 101, (deps.clock.nowMs() - beganMs) / 1_000)
  request.audit?.complete(101)
}

const isGroupServed = ({ resources }: Catalogue, group: string): boolean =>
  group === '' || resources.some((one) => one.group === group)

/** Options that every request may have, and that are refused when they cannot be read. */
function checkQuery(info: ResourcePath, query: URLSearchParams): void {
  if (query.size > 0) {
    const timeout = query.get('timeout')
    const why = timeout ? whyNoGoDuration(timeout) : undefined
    if (why) throw new ApiError(badRequest(`invalid timeout specified in the request URL - ${why}`))
    if (info.name !== '' && query.get('export') && query.get('export') !== 'false')
      throw new ApiError(badRequest('the export parameter, deprecated since v1.14, is no longer supported'))
  }
  checkName(info)
}

function checkName({ name }: ResourcePath): void {
  const wrong = pathSegment(name)
  if (name !== '' && wrong.length > 0)
    throw new ApiError(badRequest(`Name parameter invalid: ${goQuote(name)}: ${wrong.join(';')}`))
}

const scaleResource = { storageGroup: 'autoscaling', kind: 'Scale', listKind: '' }

/** Metadata of one object where there is a list, or the other way round: 406, as upstream says it. */
function mismatchOf(
  kind: ValueAnswer['kind'] | 'watch',
  representation: Representation,
  { storageGroup, kind: name, listKind }: Pick<ResourceInfo, 'storageGroup' | 'kind' | 'listKind'>,
): Status | undefined {
  if (representation.as !== 'metadata' || kind === 'watch' || (kind === 'list') === (representation.of === 'list')) return undefined
  const of = internalPackageOf(storageGroup)
  const why =
    kind === 'list'
      ? `PartialObjectMetadata, but the requested object is a list (*${of}.${listKind})`
      : `PartialObjectMetadataList, but the requested object is not a list (*${of}.${name})`
  return { ...notAcceptable(servableMediaTypes(true)), message: `you requested ${why}` }
}

function gatewayRequest(
  { raw, user, requestId, searchParams, body, audit }: HttpRequest,
  kind: ServedKind,
  { subresource, namespace, name }: ResourcePath,
  verb: Verb,
  trusted: boolean,
): GatewayRequest {
  const bytes = Buffer.isBuffer(body) && (body.length > 0 || verb === 'patch') ? body : undefined
  return {
    kind,
    resource: kind.resource,
    subresource,
    namespace,
    name,
    user,
    requestId,
    ...(audit ? { annotate: audit.annotate } : {}),
    query: searchParams,
    // An empty one is none.
    body: bytes && { bytes, contentType: header(raw, 'content-type') || undefined },
    defaultManager: managerOfUserAgent(header(raw, 'user-agent')),
    ...readTrustedHeaders(raw, trusted),
  }
}

async function serveWatch(
  deps: ResourceDeps,
  request: HttpRequest,
  reply: HttpReply,
  answer: WatchAnswer,
  presenter: Presenter,
  labels: RequestLabels,
  isProtobuf: boolean,
): Promise<void> {
  using watch = answer
  using _open = beginLongRunning(deps, request, labels)
  request.audit?.started(200)
  const sink = beginFrames(request, reply, isProtobuf ? protobufWatchType : undefined)
  try {
    await watch.serve(presenter, sink)
  } catch (error) {
    deps.logger.error({ err: error, requestId: request.requestId }, 'watch failed')
    sink.destroy()
  }
}

/** What runs as long as its client wants does not count as in flight. */
function beginLongRunning({ metrics }: ResourceDeps, request: HttpRequest, labels: RequestLabels): Disposable {
  request.inFlight?.[Symbol.dispose]()
  request.seat?.[Symbol.dispose]()
  return metrics.longRunning(labels)
}

const presenterOf = (
  kind: ServedKind,
  representation: Representation,
  query: URLSearchParams,
  { nowMs }: Operations,
): Presenter =>
  representation.as !== 'table' && representation.protobuf
    ? createProtobufPresenter(kind, representation, turnsOf({ nowMs }))
    : createPresenter(kind, representation, { nowMs, includeObject: includeObjectOf(query) })

const protobufWatchType = `${protobufMediaType};stream=watch`

const isInProtobuf = (representation: Representation): boolean =>
  representation.as !== 'table' && representation.protobuf === true

const whole = (bytes: Buffer): ListBody => ({ pieces: [bytes], bytes: bytes.length })

/** The body of an answer, and the representation that it has. */
function bodyOf(
  answer: ValueAnswer,
  representation: Representation,
  presenter: Presenter,
  nowMs: () => number,
): readonly [Representation, ListBody] {
  switch (answer.kind) {
    case 'object':
      return [representation, whole(presenter.object(answer.object, answer.bytes))]
    case 'list':
      if (presenter.prepared) {
        const prepared = () => presenter.prepared!(answer.versions, answer.meta)
        return [representation, { pieces: [], bytes: undefined, prepared, heldBytes: bytesOf(answer.versions) }]
      }
      return [
        representation,
        {
          ...presenter.list(answer.versions, answer.meta),
          parts: () => presenter.parts(answer.versions, answer.meta),
        },
      ]
    case 'status':
      if (representation.as === 'table' && answer.body['kind'] === 'Scale')
        return [representation, whole(scaleTable(answer, nowMs()))]
      return statusBody(shownStatus(answer, representation), representation)
  }
}

function statusBody(shown: object, representation: Representation): readonly [Representation, ListBody] {
  const encoded = isInProtobuf(representation) ? inProtobuf(shown) : undefined
  if (encoded) return [{ as: 'object', yaml: false, protobuf: true }, whole(encoded)]
  return [{ as: 'object', yaml: representation.yaml }, whole(Buffer.from(JSON.stringify(shown)))]
}

/** The metadata alone, of what has some. */
const shownStatus = ({ body }: StatusAnswer, representation: Representation): object =>
  representation.as === 'metadata' && body['kind'] === 'Scale'
    ? { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${representation.version}`, metadata: body['metadata'] }
    : body

/** A Scale as `kubectl get --subresource=scale` shows it. */
function scaleTable({ body }: StatusAnswer, nowMs: number): Buffer {
  const scale = body as KubeObject
  const listMetadata = { resourceVersion: scale.metadata.resourceVersion }
  const options = { includeObject: 'Metadata', nowMs, listMetadata } as const
  return Buffer.from(JSON.stringify(tableOf([scale], printerFor('scales.autoscaling'), options)))
}

/** Whether the answer has metadata, so that it can be a row of a Table: reviews, bindings and evictions have none. */
const hasMetadata = (resource: ResourceInfo, subresource: string): boolean =>
  resource.verbs.includes('get') && !['binding', 'eviction', 'token'].includes(subresource)

/** The verb of a request; undefined for a method that nothing has at such a path. */
export function verbOf(
  method: string,
  info: Pick<ResourcePath, 'watch' | 'name' | 'subresource'>,
  query: URLSearchParams,
): Verb | undefined {
  switch (method) {
    case 'GET': {
      // A query asks to watch a list; one object is watched by the older path.
      const watch = info.watch || (info.name === '' && isTrue(query.get('watch')))
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
      // A proxy takes all methods.
      if (info.subresource !== 'proxy' || info.name === '') return undefined
      return method === 'HEAD' ? 'get' : 'connect'
  }
}

const isTrue = (text: string | null): boolean =>
  text !== null && text !== '0' && text.toLowerCase() !== 'false' && text.toLowerCase() !== 'f'

/** Deprecation warnings by apiVersion and resource. */
const deprecatedResources: ReadonlyMap<string, string> = new Map([
  ['v1/endpoints', 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'],
  ['v1/componentstatuses', 'v1 ComponentStatus is deprecated in v1.19+'],
])
