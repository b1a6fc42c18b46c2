// What can be asked for over HTTPS, as routes. Health needs no credentials; everything else stands in one scope that
// authenticates first:
//
//   request ─ head limits, audit id ─┬─ /healthz /livez /readyz ──────────────────────────────── text
//                                    ├─ /dashboard … ─────────────────────────────────────────── files and sessions of browsers
//                                    └─ authenticate ─┬─ /at/<moment>/… ─ read-only, moment ─┐
//                                       (401)         ├─ /api/… /apis/… ────────────────────┴─ resource ─ dispatch ─ answer
//                                                     ├─ /shiplog/v1/… ─ authorize path ──────── the log itself, SQL
//                                                     ├─ /shiplog/v1/… ─ authorize object ────── history, deletions, decisions
//                                                     └─ anything else ─ authorize path ──────── discovery, OpenAPI, metrics, 404
//
// Which resources there are is not known when routes are made (custom resources come and go), so the paths of resources
// are wildcards, and the table of operations tells verbs and subresources apart.
import { ApiError, badRequest, forbidden, isApiError, routeNotFound, success } from '@shiplog/api/status'
import { attemptsPath } from '@shiplog/api-client/wire/headers'
import type { User } from '@shiplog/domain/strategy'
import type { Authorizer } from '../access/rbac-authorizer.ts'
import { type BrowserDeps, browserRoutes } from '../browser/browser-routes.ts'
import { checkSessionUse } from '../browser/page-requests.ts'
import type { Operations } from '../operations/operations.ts'
import { isMoment, noMoment, parsePastPath } from '../time-travel/moment.ts'
import type { Kinds } from '../store/kinds.ts'
import { isTimeless, type Past, pastIsReadOnly, tellsKinds } from '../time-travel/views.ts'
import { decisionKey, reasonKey } from '../access/resource-access.ts'
import type { Auditor } from '../audit/auditor.ts'
import { auditUnauthenticated, beginAudit } from './audit-hook.ts'
import { authenticate, type AuthenticatedRequest, type AuthenticationDeps } from './authentication-hook.ts'
import type { HttpReply, HttpRequest, HttpServer } from './fastify-types.ts'
import type { NonResourceRoutes } from './non-resource-routes.ts'
import { eventsPath, logPath, type RawLogDeps, serveLogDescription, serveRawEvents } from './raw-log-routes.ts'
import { parseResourcePath, type ResourcePath } from './request-info.ts'
import type { Fairness, Seat } from '../fairness/fairness.ts'
import { connects, type ResourceDeps, serveResource, verbOf } from './resource-routes.ts'
import { answerJson, answerNoPath, jsonType, sendBytes, warn } from './responses.ts'

export interface ApiRouteDeps extends ResourceDeps, AuthenticationDeps, RawLogDeps {
  readonly operations: Operations
  readonly past: Past
  readonly routes: NonResourceRoutes
  readonly authorizer: Authorizer
  /** Absent where requests are served as they come. */
  readonly fairness?: Fairness | undefined
  /** Absent where nothing is audited. */
  readonly auditor?: Auditor | undefined
  readonly browser: BrowserDeps
  /** Serves `POST` of an attempt to schedule that failed. */
  readonly recordAttempt: (user: User, body: Buffer | undefined) => Promise<void>
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

type Serve = (request: HttpRequest, reply: HttpReply) => Promise<void>

/** A route handler: waits until the answer is sent, or taken over. */
const handler = (serve: Serve) => async (request: HttpRequest, reply: HttpReply): Promise<HttpReply> => {
  await serve(request, reply)
  return reply
}

/** `/healthz`, `/livez`, `/readyz` and their single checks. */
export function healthRoutes(server: HttpServer, { routes }: Pick<ApiRouteDeps, 'routes'>): void {
  const health = handler(async ({ path, searchParams }, reply) => {
    if (!routes.isHealth(path)) return answerNoPath(reply)
    const { ok, text } = await routes.health(path, searchParams)
    void reply
      .code(ok ? 200 : 500)
      .type('text/plain; charset=utf-8')
      .send(text)
  })
  for (const path of ['/healthz', '/livez', '/readyz'])
    for (const url of [path, `${path}/:check`]) server.route({ method: [...methods], url, handler: health })
}

/** Everything that needs credentials. */
export function authenticatedRoutes(server: HttpServer, deps: ApiRouteDeps): void {
  // Before the body is read: who is refused sends none. Every request passes here: no promise is made where none is needed.
  server.addHook('onRequest', (request, reply, done) => {
    const proceed = (authenticated: AuthenticatedRequest): void => {
      const { user, warning, session } = authenticated
      request.user = user
      if (deps.auditor) beginAudit(deps.auditor, request, authenticated)
      if (warning !== undefined) warn(reply, [warning])
      try {
        if (session) checkSessionUse(session, user, request)
        request.resource = request.path.startsWith('/at/') ? undefined : resourcePathOf(request.path)
      } catch (error) {
        done(error as Error)
        return
      }
      // Before the body is read, too: it goes on as it comes.
      if (request.resource && connects(request.resource)) {
        serveResource(deps, deps.operations, request.resource, request, reply).catch(done)
        return
      }
      const seat = deps.fairness && takeSeat(deps.fairness, request)
      if (!seat) {
        done()
        return
      }
      // A client that hangs up is not answered, and nothing else would give its seat back.
      reply.raw.once('close', () => {
        request.isGone = true
        request.seat?.[Symbol.dispose]()
        request.audit?.complete(reply.raw.statusCode)
      })
      if (seat instanceof Promise) seat.then((later) => seated(request, reply, later, done), done)
      else seated(request, reply, seat, done)
    }
    const refuse = (error: Error): void => {
      if (deps.auditor && isApiError(error) && error.status.code === 401) auditUnauthenticated(deps.auditor, request)
      done(error)
    }
    let found: AuthenticatedRequest | Promise<AuthenticatedRequest>
    try {
      found = authenticate(deps, request)
    } catch (error) {
      return refuse(error as Error)
    }
    if (found instanceof Promise) found.then(proceed, refuse)
    else proceed(found)
  })
  const route = (method: readonly string[], url: string, serve: Serve): void =>
    void server.route({ method: [...method], url, handler: handler(serve) })
  const resources: Serve = async (request, reply) => {
    if (request.resource) await serveResource(deps, deps.operations, request.resource, request, reply)
    else await serveNonResource(deps, deps.operations, request, reply)
  }
  route(methods, '/api/*', resources)
  route(methods, '/apis/*', resources)
  route(methods, '/at/*', (request, reply) => servePast(deps, request, reply))
  route(['POST'], attemptsPath, async ({ user, body }, reply) => {
    await deps.recordAttempt(user, Buffer.isBuffer(body) ? body : undefined)
    answerJson(reply, 201, success(201))
  })
  for (const [path, serve] of [
    [eventsPath, serveRawEvents],
    [logPath, serveLogDescription],
  ] as const) {
    route(methods, path, async (request, reply) => {
      checkPath(deps, request)
      await serve(deps, request, reply)
    })
  }
  for (const { path, isChecked, serve } of browserRoutes(deps.browser)) {
    route(methods, path, async (request, reply) => {
      if (isChecked) checkPath(deps, request)
      await serve(request, reply)
    })
  }
  server.setNotFoundHandler(handler((request, reply) => serveNonResource(deps, deps.operations, request, reply)))
}

/** Takes a seat for a request that is not long-running from its first byte. */
function takeSeat(fairness: Fairness, { user, method, path, resource, searchParams }: HttpRequest): ReturnType<Fairness['enter']> {
  const verb = resource && verbOf(method, resource, searchParams)
  return fairness.enter({
    ...{ user, path },
    verb: verb ?? (method === 'HEAD' ? 'get' : method.toLowerCase()),
    target: verb && resource,
  })
}

function seated(request: HttpRequest, reply: HttpReply, seat: Seat, done: () => void): void {
  // It has gone while it waited.
  if (request.isGone) {
    seat[Symbol.dispose]()
    return
  }
  request.seat = seat
  reply.header('x-kubernetes-pf-flowschema-uid', seat.schemaUid)
  reply.header('x-kubernetes-pf-prioritylevel-uid', seat.levelUid)
  done()
}

/** What a path of a resource asks for; undefined for other paths. */
function resourcePathOf(path: string): ResourcePath | undefined {
  try {
    return parseResourcePath(path)
  } catch {
    throw new ApiError(badRequest('the path holds an escape that is not UTF-8'))
  }
}

async function servePast(deps: ApiRouteDeps, request: HttpRequest, reply: HttpReply): Promise<void> {
  const { method } = request
  const { moment, path } = pastPathOf(request.path)
  request.path = path
  const info = resourcePathOf(path)
  if (!isMoment(moment)) throw new ApiError(noMoment(moment))
  if (method !== 'GET' && method !== 'HEAD') throw new ApiError(pastIsReadOnly(method, moment))
  if (info) return await serveResource(deps, await deps.past.at(moment), info, request, reply)
  if (!isTimeless(path)) throw new ApiError(routeNotFound())
  // kubectl shows no message of a refused discovery: a moment that is gone is refused with the resource it asks for next.
  if (deps.routes.isHealth(path)) void reply.header('content-type', 'text/plain; charset=utf-8').send('ok')
  else {
    const then = tellsKinds(path) ? await momentOrPresent(deps, moment) : deps.operations
    await serveNonResource(deps, then, request, reply)
  }
}

/** The operations of a moment, or those of the present where there is none: see above. */
async function momentOrPresent({ past, operations }: ApiRouteDeps, moment: string): Promise<Operations> {
  try {
    const then = await past.at(moment)
    await then.kinds.latest()
    return then
  } catch (error) {
    if (isApiError(error)) return operations
    throw error
  }
}

function pastPathOf(path: string): { readonly moment: string; readonly path: string } {
  try {
    const travel = parsePastPath(path)
    if (travel) return travel
  } catch {
    throw new ApiError(badRequest('the path holds an escape that is not UTF-8'))
  }
  throw new ApiError(routeNotFound())
}

/** Throws 403 unless the user may do this to a path that is of no resource. */
function checkPath({ authorizer }: Pick<ApiRouteDeps, 'authorizer'>, { user, method, path, audit }: HttpRequest): void {
  const verb = method === 'HEAD' ? 'get' : method.toLowerCase()
  if (audit) {
    const { allowed, reason } = authorizer.decidePath(user, verb, path)
    audit.annotate(decisionKey, allowed ? 'allow' : 'forbid')
    audit.annotate(reasonKey, reason)
  }
  if (!authorizer.allowsPath(user, verb, path))
    throw new ApiError(
      forbidden({ group: '', resource: '' }, '', `User "${user.name}" cannot ${verb} path "${path}"`),
    )
}

const isBelowGroup = ({ current }: Kinds, path: string): boolean => {
  const [, root, group] = path.split('/')
  return root === 'api' || (root === 'apis' && current.resources.some((one) => one.group === group))
}

async function serveNonResource(
  deps: ApiRouteDeps,
  { kinds }: Operations,
  request: HttpRequest,
  reply: HttpReply,
): Promise<void> {
  checkPath(deps, request)
  const { method, path, searchParams } = request
  const headers = request.headers as Record<string, string | undefined>
  const answer = await deps.routes.answer(method, path, searchParams, headers, kinds)
  // Below a group that is served, what is missing is told of as the API tells it.
  if (!answer && isBelowGroup(kinds, path)) throw new ApiError(routeNotFound())
  if (!answer) return answerNoPath(reply)
  reply.code(answer.code).headers(answer.headers ?? {})
  if (answer.contentType) reply.header('content-type', answer.contentType)
  // As bytes: Fastify rewrites the content type of text.
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
  if (!body || body.length === 0) void reply.send(body)
  else sendBytes(reply, answer.contentType === jsonType ? Buffer.concat([body, newline]) : body)
}

const newline = Buffer.from('\n')
