// The door for callers of this process: components beside the gateway. An answer's objects are handed over as objects.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf, groupResourceOf } from '@shiplog/api/schema/schema'
import { badRequest, isApiError, routeNotFound, type Status } from '@shiplog/api/status'
import type { ServedKind } from '@shiplog/domain/catalogue/served-kind'
import type { User } from '@shiplog/domain/strategy'
import type { Ids } from '@shiplog/runtime/ids'
import type { Audit, Auditor } from '../audit/auditor.ts'
import { inRequestedVersion } from '../representation/presenter.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { statusOfUnavailable } from '../write/append-health.ts'
import type { SchedulingAttempts } from '../write/scheduling-attempts.ts'
import { findResource, type Kinds } from '../store/kinds.ts'
import { isValueAnswer, type ValueAnswer } from './answer.ts'
import type { Operations } from './operations.ts'

export interface InProcessDeps {
  readonly operations: Operations
  readonly attempts: SchedulingAttempts
  readonly ids: Ids
  /** Absent where nothing is audited. */
  readonly auditor?: Auditor | undefined
}

/** Requests of a component of this process, as that user. Its rights are not asked for. */
export const createInProcessClient = (deps: InProcessDeps, user: User): ApiClient => ({
  request: (request) => serve(deps, user, request),
  recordAttempt: (attempt) => deps.attempts.record(user, attempt),
})

async function serve(deps: InProcessDeps, user: User, request: ApiRequest): Promise<ApiResult> {
  try {
    const kind = await kindOf(deps.operations.kinds, request)
    if (!kind) return refused(routeNotFound())
    const asked = requestOf(kind, user, request, deps.ids.uuid())
    const audit = deps.auditor && begunAudit(deps.auditor, asked, request)
    return audit ? await audited(audit, deps, kind, request, { ...asked, annotate: audit.annotate }) : await dispatched(deps, kind, request, asked)
  } catch (error) {
    const status = isApiError(error) ? error.status : statusOfUnavailable(error)
    if (!status) throw error
    return refused(status)
  }
}

async function dispatched({ operations }: InProcessDeps, kind: ServedKind, { verb }: ApiRequest, asked: GatewayRequest): Promise<ApiResult> {
  const answer = await operations.dispatch(verb, asked)
  if (!isValueAnswer(answer)) return refused(badRequest('streams are not served in process'))
  const { code, sequence } = answer
  return { ok: true, code, sequence, object: objectOf(kind, answer) }
}

async function audited(
  audit: Audit,
  deps: InProcessDeps,
  kind: ServedKind,
  request: ApiRequest,
  asked: GatewayRequest,
): Promise<ApiResult> {
  try {
    const result = await dispatched(deps, kind, request, asked)
    if (result.ok) audit.responseObject = () => result.object
    else audit.refused(result.status)
    audit.complete(result.code)
    return result
  } catch (error) {
    const status = isApiError(error) ? error.status : statusOfUnavailable(error)
    if (status) audit.refused(status)
    audit.complete(status?.code ?? 500)
    throw error
  }
}

/** Components of this process are audited like those that come over HTTPS; their rights are not asked for. */
function begunAudit(auditor: Auditor, { resource, user, query, requestId, body }: GatewayRequest, request: ApiRequest): Audit | undefined {
  const { verb, subresource = '', namespace = '', name = '' } = request
  const { group, version, resource: plural } = resource
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const place = namespace ? `${root}/namespaces/${namespace}` : root
  const path = [place, plural, name, subresource].filter((part) => part !== '').join('/')
  const audit = auditor.begin({
    auditID: requestId,
    requestURI: query.size > 0 ? `${path}?${query}` : path,
    request: { user, verb, path, target: { group, resource: plural, subresource, namespace, name } },
    apiVersion: version,
    sourceIPs: ['127.0.0.1'],
    userAgent: user.name,
  })
  if (audit) audit.requestObject = () => (body && 'value' in body ? (body.value as JsonObject) : undefined)
  return audit
}

const refused = (status: Status): ApiResult => ({ ok: false, code: status.code, status })

async function kindOf(kinds: Kinds, { group, version, resource }: ApiRequest): Promise<ServedKind | undefined> {
  const found = await findResource(kinds, (catalogue) =>
    version === undefined
      ? catalogue.storage(groupResourceOf(group, resource))
      : catalogue.resource(group, version, resource),
  )
  return found.resource && found.catalogue.kind(found.resource)
}

export function requestOf(kind: ServedKind, user: User, request: ApiRequest, requestId: string): GatewayRequest {
  const { body, patchType, cause, basis, decision } = request
  return {
    resource: kind.resource,
    kind,
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
export function objectOf(kind: ServedKind, answer: ValueAnswer): KubeObject {
  if (answer.kind === 'object') return inRequestedVersion(kind, answer.object)
  if (answer.kind === 'status') return answer.body as KubeObject
  if (answer.deleted) return answer.deleted as KubeObject
  const { resource } = kind
  const list: JsonObject = {
    kind: resource.listKind,
    apiVersion: apiVersionOf(resource.group, resource.version),
    metadata: answer.meta,
    items: answer.versions.map((version) => inRequestedVersion(kind, version)),
  }
  return list as KubeObject
}
