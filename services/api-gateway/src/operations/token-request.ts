// `serviceaccounts/<name>/token`: a token for an account, with an end, for somebody, and bound to an object by whose life it
// lives.
import { builtInCatalogue } from '@shiplog/domain/catalogue/catalogue'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { TokenRequest } from '@shiplog/api/generated/types/authentication-v1'
import { invalidValue } from '@shiplog/api/field-errors'
import { timestampOf } from '@shiplog/api/apply/managed-fields'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { ApiError, badRequest, conflict, invalid, isApiError, routeNotFound } from '@shiplog/api/status'
import {
  extendedExpirationSeconds,
  type TokenContent,
  warnOnlyExpirationSeconds,
} from '@shiplog/control-plane/identity/token-claims'
import type { ServiceAccountTokens } from '../access/service-account-tokens.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { parseResourceVersion } from '../request/list-options.ts'
import { type Answer, statusAnswer } from './answer.ts'
import { bodyForm } from '../write/asked-write.ts'
import { admitBody, type OperationDeps, readObject } from './operation.ts'

const group = 'authentication.k8s.io'
const kind = 'TokenRequest'
const defaultExpirationSeconds = 3_600
const expirationSecondsMin = 600
const expirationSecondsMax = 2 ** 32

export async function requestToken(deps: OperationDeps, request: GatewayRequest): Promise<Answer> {
  const tokens = deps.serviceAccountTokens
  if (!tokens?.canIssue) throw new ApiError(routeNotFound())
  const what = { kind, apiVersion: `${group}/v1` }
  const decoded = deps.bodies.decode(request, 'io.k8s.api.authentication.v1.TokenRequest', what)
  const asked = decoded.object as unknown as TokenRequest
  // What was asked, before anything is filled in: an audience that is not named is the API server's own.
  const form = bodyForm(group, 'v1', kind)
  const told = await admitBody(deps, request, 'CREATE', { object: decoded.object as KubeObject, form })
  checkName(asked, request)
  const account = (await readObject(deps, { ...request, subresource: '' })).parse()
  const nowMs = deps.nowMs()
  const { warnings, body } = filledIn(asked, account, tokens, nowMs)
  const bound = await boundObject(deps, request, body)
  const expirationSeconds = body.spec.expirationSeconds!
  const content = { account, bound, audiences: body.spec.audiences!, nowMs }
  const token = tokens.issue({ ...content, ...lifeOf(tokens, bound, expirationSeconds, body.spec.audiences!) })
  const expirationTimestamp = timestampOf(nowMs + expirationSeconds * 1_000)
  const answer = { ...body, status: { token, expirationTimestamp } }
  return statusAnswer(201, answer, 0, [...decoded.warnings, ...told, ...warnings])
}

/** What the body says of the account is what the URL says, or nothing. */
function checkName({ metadata }: TokenRequest, { namespace, name }: GatewayRequest): void {
  const refuse = (field: string, value: string, what: string): never => {
    const cause = invalidValue(`metadata.${field}`, value, `must match the service account ${what} if specified`)
    throw new ApiError(invalid(group, kind, name, [cause]))
  }
  if (metadata?.name && metadata.name !== name) refuse('name', metadata.name, 'name')
  if (metadata?.namespace && metadata.namespace !== namespace) refuse('namespace', metadata.namespace, 'namespace')
}

/** The request with all that it left open. Throws when it asks for what there is not. */
function filledIn(
  asked: TokenRequest,
  account: KubeObject,
  tokens: ServiceAccountTokens,
  nowMs: number,
): { readonly body: TokenRequest; readonly warnings: readonly string[] } {
  const { name, namespace, uid } = account.metadata
  if (asked.metadata?.uid && asked.metadata.uid !== uid) {
    const why = `the UID in the token request (${asked.metadata.uid}) does not match the UID of the service account (${uid})`
    throw new ApiError(conflict({ group, resource: kind }, name, why))
  }
  const seconds = asked.spec?.expirationSeconds ?? defaultExpirationSeconds
  const causes = [
    ...(seconds < expirationSecondsMin ? ['may not specify a duration less than 10 minutes'] : []),
    ...(seconds > expirationSecondsMax ? ['may not specify a duration larger than 2^32 seconds'] : []),
  ].map((why) => invalidValue('spec.expirationSeconds', seconds, why))
  if (causes.length > 0) throw new ApiError(invalid(group, kind, '', causes))
  const most = tokens.maxExpirationSeconds
  const isTooLong = most !== undefined && seconds > most
  const audiences = asked.spec?.audiences ?? []
  const metadata = {
    ...asked.metadata,
    name,
    namespace,
    uid,
    creationTimestamp: timestampOf(nowMs),
  } as TokenRequest['metadata']
  const spec = {
    ...asked.spec,
    audiences: audiences.length > 0 ? audiences : [...tokens.audiences],
    expirationSeconds: isTooLong ? most : seconds,
  }
  const warnings = isTooLong ? [`requested expiration of ${seconds} seconds shortened to ${most} seconds`] : []
  return { body: { kind, apiVersion: `${group}/v1`, metadata, spec, status: {} }, warnings }
}

/** The token that pods are given by default lives longer than it says: whoever has it is warned first. */
function lifeOf(
  tokens: ServiceAccountTokens,
  bound: TokenContent['bound'],
  expirationSeconds: number,
  audiences: readonly string[],
): Pick<TokenContent, 'expirationSeconds' | 'warnAfterSeconds'> {
  const isExtended =
    tokens.extendExpiration &&
    bound?.pod !== undefined &&
    expirationSeconds === warnOnlyExpirationSeconds &&
    audiences.every((audience) => tokens.audiences.includes(audience))
  return isExtended
    ? { expirationSeconds: extendedExpirationSeconds, warnAfterSeconds: expirationSeconds }
    : { expirationSeconds }
}

/** What the token is bound to, read from the log's end. */
async function boundObject(
  deps: OperationDeps,
  request: GatewayRequest,
  { spec }: TokenRequest,
): Promise<NonNullable<TokenContent['bound']>> {
  const reference = spec.boundObjectRef
  if (!reference) return {}
  const { apiVersion = '', kind: boundKind = '', name = '', uid } = reference
  const resource = apiVersion === 'v1' ? boundResources[boundKind] : undefined
  if (resource === undefined) {
    const [groupOrVersion = '', version] = apiVersion.split('/')
    const type = version === undefined ? `/${groupOrVersion}` : apiVersion
    throw new ApiError(badRequest(`cannot bind token to object of type ${type}, Kind=${boundKind}`))
  }
  const namespace = resource === 'nodes' ? '' : request.namespace
  const object = await read(deps, resource, namespace, name)
  const found = resource === 'pods' ? await withNode(deps, request, object as KubeObject & Pod) : { [boundKinds[resource]]: object }
  if (uid && object.metadata.uid !== uid) {
    const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`
    throw new ApiError(conflict({ group: '', resource: boundKind }, name, why))
  }
  return found
}

const boundResources: Readonly<Record<string, BoundResource>> = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' }
const boundKinds = { pods: 'pod', secrets: 'secret', nodes: 'node' } as const
type BoundResource = keyof typeof boundKinds

const read = async ({ reader }: OperationDeps, resource: string, namespace: string, name: string): Promise<KubeObject> =>
  (await reader.get(builtInCatalogue().resource('', 'v1', resource)!, namespace, name, parseResourceVersion(null))).parse()

async function withNode(
  deps: OperationDeps,
  request: GatewayRequest,
  pod: KubeObject & Pod,
): Promise<NonNullable<TokenContent['bound']>> {
  if (pod.spec.serviceAccountName !== request.name) {
    const why = `cannot bind token for serviceaccount ${JSON.stringify(request.name)} to pod running with different serviceaccount name.`
    throw new ApiError(badRequest(why))
  }
  const { nodeName } = pod.spec
  if (!nodeName) return { pod }
  try {
    return { pod, node: await read(deps, 'nodes', '', nodeName) }
  } catch (error) {
    if (!isApiError(error) || error.status.code !== 404) throw error
    // Whoever looks into the token still learns where the pod was to run.
    return { pod, node: { metadata: { name: nodeName } } as JsonObject as KubeObject }
  }
}
