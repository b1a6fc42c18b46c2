// AdmissionReviews: what a webhook is told, and what it may answer (k8s.io/apiserver/pkg/admission/plugin/webhook/request).
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import type { Status } from '@shiplog/api/status'
import type { AskedWrite, ShownForm } from '../write/async-admission.ts'

export type ReviewVersion = 'v1' | 'v1beta1'

/** How a request is told in one of its resource's versions. */
export interface Told {
  readonly resource: ResourceInfo
  readonly form: Pick<ShownForm, 'group' | 'version' | 'kind'>
}

const kindOf = ({ group, version, kind }: Told['form']): JsonObject => ({ group, version, kind })
const resourceOf = ({ group, version, resource }: ResourceInfo): JsonObject => ({ group, version, resource })

/** A Namespace is in itself. */
export const namespaceOf = ({ group, resource, namespace, name }: Pick<AskedWrite, 'group' | 'resource' | 'namespace' | 'name'>): string =>
  group === '' && resource === 'namespaces' ? name : namespace

/** The request but for its objects, as webhooks and expressions are told it. */
export function requestOf(asked: AskedWrite, told: Told, requested: Told): JsonObject {
  const { subresource, name, user, operation, dryRun, options } = asked
  const namespace = namespaceOf(asked)
  const extra = user.extra && Object.keys(user.extra).length > 0 ? { extra: user.extra } : {}
  return {
    kind: kindOf(told.form),
    resource: resourceOf(told.resource),
    ...(subresource ? { subResource: subresource } : {}),
    requestKind: kindOf(requested.form),
    requestResource: resourceOf(requested.resource),
    ...(subresource ? { requestSubResource: subresource } : {}),
    ...(name ? { name } : {}),
    ...(namespace ? { namespace } : {}),
    operation,
    userInfo: {
      ...(user.name ? { username: user.name } : {}),
      ...(user.uid ? { uid: user.uid } : {}),
      ...(user.groups.length > 0 ? { groups: user.groups } : {}),
      ...extra,
    },
    dryRun,
    options: options ?? null,
  }
}

/** The review in the first of the versions that a webhook takes and that is known; undefined when none is. */
export function reviewVersionOf(accepted: readonly string[]): ReviewVersion | undefined {
  return accepted.find((version): version is ReviewVersion => version === 'v1' || version === 'v1beta1')
}

export const noReviewVersion = 'webhook does not accept known AdmissionReview versions (v1, v1beta1)'

export function reviewOf(
  version: ReviewVersion,
  uid: string,
  request: JsonObject,
  objects: { readonly object: JsonObject | undefined; readonly oldObject: JsonObject | undefined },
): JsonObject {
  const { dryRun, options, ...told } = request
  const { object = null, oldObject = null } = objects
  return {
    kind: 'AdmissionReview',
    apiVersion: `admission.k8s.io/${version}`,
    request: { uid, ...told, object, oldObject, dryRun, options },
  }
}

/** What a webhook answered. */
export interface ReviewAnswer {
  readonly allowed: boolean
  /** The patch as bytes of JSON; none when nothing is to be changed. */
  readonly patch: Buffer | undefined
  readonly patchType: string
  readonly result: Partial<Status> | undefined
  readonly warnings: readonly string[]
  readonly auditAnnotations: Readonly<Record<string, string>>
}

/** A response once its shape is checked. */
interface Response {
  readonly uid?: string | null
  readonly allowed?: boolean | null
  readonly patch?: string | null
  readonly patchType?: string | null
  readonly status?: Partial<Status> | null
  readonly warnings?: readonly string[] | null
  readonly auditAnnotations?: Readonly<Record<string, string>> | null
}

/** An answer, or what is wrong with it, in upstream's words. */
export function readReview(
  answer: { readonly response?: Response | null } & JsonObject,
  { version, uid, mutating }: { readonly version: ReviewVersion; readonly uid: string; readonly mutating: boolean },
): ReviewAnswer | { readonly problem: string } {
  const { response } = answer
  if (response === null || response === undefined) return { problem: 'webhook response was absent' }
  const { patchType } = response
  const patch = Buffer.from(String(response.patch ?? ''), 'base64')
  const problem =
    whyMisshapen(response) ??
    // Of the old version nothing was ever verified.
    (version === 'v1' ? (whyNotOurs(answer, response, uid) ?? whyNoPatch(patch, patchType, mutating)) : undefined)
  if (problem !== undefined) return { problem }
  return {
    allowed: response.allowed === true,
    patch: mutating && patch.length > 0 ? patch : undefined,
    patchType: version === 'v1beta1' ? 'JSONPatch' : (patchType ?? ''),
    result: response.status ?? undefined,
    warnings: response.warnings ?? [],
    auditAnnotations: response.auditAnnotations ?? {},
  }
}

function whyNotOurs(answer: JsonObject, response: Response, uid: string): string | undefined {
  const given = String(response.uid ?? '')
  if (given !== uid) return `expected response.uid=${goQuote(uid)}, got ${goQuote(given)}`
  const { kind = '', apiVersion = '' } = answer
  if (kind === 'AdmissionReview' && apiVersion === 'admission.k8s.io/v1') return undefined
  const [group, version] = String(apiVersion).includes('/') ? String(apiVersion).split('/') : ['', apiVersion]
  return `expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${group}/${version}, Kind=${kind}`
}

function whyNoPatch(patch: Buffer, type: string | null | undefined, mutating: boolean): string | undefined {
  const isTyped = type !== undefined && type !== null
  if (!mutating) {
    if (patch.length > 0) return 'validating webhook may not return response.patch'
    return isTyped ? 'validating webhook may not return response.patchType' : undefined
  }
  if (patch.length > 0 && !isTyped) return 'webhook returned response.patch but not response.patchType'
  if (patch.length === 0 && isTyped) return 'webhook returned response.patchType but not response.patch'
  return isTyped && type === '' ? `webhook returned invalid response.patchType of ${goQuote(type)}` : undefined
}

const shapes = { uid: 'string', allowed: 'boolean', patch: 'string', patchType: 'string', status: 'object' } as const

/** The first field that is not of its type. */
function whyMisshapen(response: Response): string | undefined {
  if (typeof response !== 'object' || Array.isArray(response)) return misread('response', response)
  for (const [field, type] of Object.entries(shapes)) {
    const value: unknown = response[field as keyof typeof shapes]
    if (value !== undefined && value !== null && (typeof value !== type || Array.isArray(value)))
      return misread(`response.${field}`, value)
  }
  const { warnings, auditAnnotations } = response
  if (warnings && !(Array.isArray(warnings) && warnings.every(isText))) return misread('response.warnings', warnings)
  const isMap = auditAnnotations && typeof auditAnnotations === 'object' && Object.values(auditAnnotations).every(isText)
  return auditAnnotations && !isMap ? misread('response.auditAnnotations', auditAnnotations) : undefined
}

const isText = (value: unknown): value is string => typeof value === 'string'

const misread = (field: string, value: unknown): string =>
  `json: cannot unmarshal ${Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value} into Go struct field AdmissionReview.${field}`

/** How a refusal is told to the client. */
export function refusalOf(webhook: string, result: Partial<Status> | undefined): Status {
  const { message, reason, code = 0, details, status } = result ?? {}
  const deniedBy = `admission webhook ${goQuote(webhook)} denied the request`
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: !status || status === 'Success' ? 'Failure' : status,
    message: message ? `${deniedBy}: ${message}` : reason ? `${deniedBy}: ${reason}` : `${deniedBy} without explanation`,
    ...(reason ? { reason } : {}),
    ...(details ? { details } : {}),
    code: code < 400 ? 400 : code,
  }
}
