// The door for callers of this process: components beside the gateway. An answer's objects are handed over as objects.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf, groupResourceOf, type ResourceInfo, type SchemaRegistry } from '@shiplog/api/schema/schema'
import { badRequest, isApiError, routeNotFound, type Status } from '@shiplog/api/status'
import type { User } from '@shiplog/domain/strategy'
import type { Ids } from '@shiplog/runtime/ids'
import { inRequestedVersion, parsedOf } from '../representation/presenter.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { statusOfUnavailable } from '../write/append-health.ts'
import type { SchedulingAttempts } from '../write/scheduling-attempts.ts'
import { isValueAnswer, type ValueAnswer } from './answer.ts'
import type { Operations } from './operations.ts'

export interface InProcessDeps {
  readonly registry: SchemaRegistry
  readonly operations: Operations
  readonly attempts: SchedulingAttempts
  readonly ids: Ids
}

/** Requests of a component of this process, as that user. Its rights are not asked for. */
export const createInProcessClient = (deps: InProcessDeps, user: User): ApiClient => ({
  request: (request) => serve(deps, user, request),
  recordAttempt: (attempt) => deps.attempts.record(user, attempt),
})

async function serve(deps: InProcessDeps, user: User, request: ApiRequest): Promise<ApiResult> {
  const resource = resourceOf(deps.registry, request)
  if (!resource) return refused(routeNotFound())
  try {
    const answer = await deps.operations.dispatch(request.verb, requestOf(resource, user, request, deps.ids.uuid()))
    if (!isValueAnswer(answer)) return refused(badRequest('streams are not served in process'))
    const { code, sequence } = answer
    return { ok: true, code, sequence, object: objectOf(resource, answer) }
  } catch (error) {
    const status = isApiError(error) ? error.status : statusOfUnavailable(error)
    if (!status) throw error
    return refused(status)
  }
}

const refused = (status: Status): ApiResult => ({ ok: false, code: status.code, status })

const resourceOf = (registry: SchemaRegistry, { group, version, resource }: ApiRequest): ResourceInfo | undefined =>
  version === undefined
    ? registry.storage(groupResourceOf(group, resource))
    : registry.resource(group, version, resource)

export function requestOf(resource: ResourceInfo, user: User, request: ApiRequest, requestId: string): GatewayRequest {
  const { body, patchType, cause, basis, decision } = request
  return {
    resource,
    subresource: request.subresource ?? '',
    namespace: request.namespace ?? '',
    name: request.name ?? '',
    query: new URLSearchParams(request.query),
    body: body === undefined ? undefined : { value: body as JsonObject, contentType: patchType },
    user,
    defaultManager: user.name.replace(/^system:/, ''),
    requestId,
    ...(request.onlyNew ? { onlyNew: true } : {}),
    ...(request.once ? { once: request.once } : {}),
    provenance: {
      ...(cause === undefined ? {} : { cause }),
      ...(basis === undefined ? {} : { basis }),
      ...(decision === undefined ? {} : { decision }),
    },
  }
}

/** The object of an answer, in the version that was asked for. */
export function objectOf(resource: ResourceInfo, answer: ValueAnswer): KubeObject {
  if (answer.kind === 'object') return inRequestedVersion(resource, parsedOf(answer.object))
  if (answer.kind === 'status') return answer.body as KubeObject
  if (answer.deleted) return answer.deleted as KubeObject
  const list: JsonObject = {
    kind: resource.listKind,
    apiVersion: apiVersionOf(resource.group, resource.version),
    metadata: answer.meta,
    items: answer.versions.map((version) => inRequestedVersion(resource, version.parse())),
  }
  return list as KubeObject
}
