// Requests for what others' API servers serve: whether the user may is decided here, then they go on with the user's name.
import { ApiError, forbidden } from '@shiplog/api/status'
import { type AggregatedService, type AggregatedServices, hostOf } from '../aggregation/aggregated-services.ts'
import { remoteHeaders } from '../aggregation/front-proxy.ts'
import { decisionKey, reasonKey, whyForbidden } from '../access/resource-access.ts'
import { selectorsOf } from '../access/selectors.ts'
import type { Authorizer } from '../access/rbac-authorizer.ts'
import type { SendDeps } from './responses.ts'
import type { HttpReply, HttpRequest } from './fastify-types.ts'
import { passToServer } from './proxy.ts'
import { verbOf } from './resource-routes.ts'

export interface AggregatedDeps extends Pick<SendDeps, 'logger'> {
  readonly authorizer: Authorizer
  readonly aggregated: AggregatedServices
}

/** Throws ApiError as long as the client can be answered. */
export async function serveAggregated(
  deps: AggregatedDeps,
  service: AggregatedService,
  request: HttpRequest,
  reply: HttpReply,
): Promise<void> {
  checkAccess(deps.authorizer, request)
  if (!service.isAvailable) {
    const headers = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' }
    void reply.code(503).headers(headers).send(Buffer.from('service unavailable\n'))
    return
  }
  // Who it stays connected with is nobody that waits for an answer.
  request.inFlight?.[Symbol.dispose]()
  await passToServer(deps, request, reply, {
    target: { scheme: 'http', host: hostOf(service), dial: (signal) => deps.aggregated.connect(service, signal) },
    headers: remoteHeaders(request.user),
  })
}

function checkAccess(authorizer: Authorizer, request: HttpRequest): void {
  const { user, method, path, resource: info, searchParams, audit } = request
  const plain = method === 'HEAD' ? 'get' : method.toLowerCase()
  if (!info) {
    const { allowed, reason } = authorizer.decidePath(user, plain, path)
    audit?.annotate(decisionKey, allowed ? 'allow' : 'forbid')
    audit?.annotate(reasonKey, reason)
    if (!allowed) throw new ApiError(forbidden({ group: '', resource: '' }, '', `User "${user.name}" cannot ${plain} path "${path}"`))
    return
  }
  const verb = verbOf(method, info, searchParams) ?? plain
  const { group, resource, subresource, namespace, name } = info
  const access = { user, verb, group, resource, subresource, namespace, name, selectors: selectorsOf(verbOf(method, info, searchParams), searchParams) }
  const { allowed, reason } = authorizer.decide(access)
  audit?.annotate(decisionKey, allowed ? 'allow' : 'forbid')
  audit?.annotate(reasonKey, reason)
  if (!allowed) throw new ApiError(forbidden({ group, resource }, name, whyForbidden(access, reason)))
}
