// Bodies: from bytes to the draft that the decider sees. Decoding, field validation, the request's word against the
// object's on kind, name and namespace, and conversion to the storage version.
import {
  decodeBody,
  type DecodedBody,
  jsonMediaType,
  normalize,
  type NormalizeResult,
  protobufMediaType,
  strictErrors,
  yamlMediaType,
} from '@shiplog/api/decode/decode'
import { interpretation } from '@shiplog/api/decode/decode-json'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf, type SchemaRegistry } from '@shiplog/api/schema/schema'
import { invalidValue } from '@shiplog/api/field-errors'
import { ApiError, badRequest, invalid, type StatusCause, unsupportedMediaType } from '@shiplog/api/status'
import { checkIdentity, type DeleteCommand } from '@shiplog/domain/decider'
import type { Body, GatewayRequest } from './gateway-request.ts'
import { flag, integerOf } from './list-options.ts'
import { dryRunCauses, mediaTypeOf, reportStrictness } from './request-options.ts'

const groupVersionOf = (apiVersion: string): { group: string; version: string } => {
  const [first = '', second] = apiVersion.split('/')
  return second === undefined ? { group: '', version: first } : { group: first, version: second }
}

/** What upstream calls its own form of a group's kinds: `core`, `apps`, `rbac`. */
export const internalPackageOf = (group: string): string =>
  group === '' || group === 'events.k8s.io' ? 'core' : group.split('.')[0]!

/** What a body is taken for. */
export interface Expected {
  readonly kind: string
  readonly apiVersion: string
  /** Older versions of the same shape that are taken, too. */
  readonly alsoVersions?: readonly string[]
  /** It is a configuration for server-side apply. */
  readonly applied?: true
}

/** A body in the form of its definition, and what of it that form does not have. */
export interface Decoded {
  readonly object: JsonObject
  /** As the client wrote it. */
  readonly said: JsonObject
  /** Paths of fields that the definition does not have. */
  readonly unknown: readonly string[]
  readonly warnings: string[]
}

export interface AppliedConfiguration {
  readonly applied: KubeObject
  /** Whether it says its name itself. */
  readonly isNamed: boolean
  /** Paths of fields that the schema does not have. */
  readonly undeclared: readonly string[]
  readonly warnings: string[]
}

export interface RequestBodies {
  /** The body, decoded and checked against a definition. */
  decode(request: GatewayRequest, definition: string, what: Expected): Decoded
  /** The body as the request's resource, its identity checked, in the storage version. */
  decodeResource(request: GatewayRequest, create: boolean): { draft: KubeObject; warnings: string[] }
  /** The body as an applied configuration: in the request's version, without anything that the client did not say. */
  decodeApplied(request: GatewayRequest): AppliedConfiguration
  /** DeleteOptions, from the body or the query. */
  deleteOptions(request: GatewayRequest): DeleteCommand & { readonly dryRun: boolean }
}

/** A type as Go prints it: `apps/v1, Kind=Deployment`, of the core group `/v1, Kind=Pod`. */
const typeSaid = ({ apiVersion, kind }: JsonObject): string => {
  const { group, version } = groupVersionOf(apiVersion || '')
  return `${group}/${version}, Kind=${kind || ''}`
}

/** What else upstream can read where DeleteOptions belong. */
const kindsOfOptions: ReadonlySet<unknown> = new Set([
  'APIGroup',
  'APIGroupList',
  'APIResourceList',
  'APIVersions',
  'CreateOptions',
  'GetOptions',
  'ListOptions',
  'PatchOptions',
  'Status',
  'UpdateOptions',
  'WatchEvent',
])

/** Broken DeleteOptions are told of without the kind that was expected. */
const deleteOptionsBody = { definition: 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions', failure: interpretation }

export function createRequestBodies(registry: SchemaRegistry): RequestBodies {
  function rawBody(body: Body | undefined, definition: string): DecodedBody {
    if (!body) return decodeBody(new Uint8Array(), undefined, registry, { definition })
    if ('value' in body) return { value: body.value as JsonObject, duplicates: [] }
    return decodeBody(body.bytes, body.contentType, registry, { definition })
  }

  function decode(request: GatewayRequest, definition: string, what: Expected): Decoded {
    const body = rawBody(request.body, definition)
    const { value } = body
    const warnings: string[] = []
    const version = what.apiVersion.split('/').at(-1)!
    const prefix = `${what.kind} in version "${version}" cannot be handled as a ${what.kind}: `
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      throw new ApiError(
        badRequest(
          `${prefix}json: cannot unmarshal ${Array.isArray(value) ? 'array' : typeof value} into Go value of type ${what.kind}`,
        ),
      )
    }
    const says = {
      kind: String(value['kind'] || what.kind),
      apiVersion: String(value['apiVersion'] || what.apiVersion),
    }
    const isKnown = says.apiVersion === what.apiVersion || what.alsoVersions?.includes(says.apiVersion)
    if ((says.kind !== what.kind || !isKnown) && what.applied)
      throw new ApiError(badRequest(`invalid object type: ${typeSaid(value)}`))
    if (says.kind !== what.kind || !isKnown) throw new ApiError(badRequest(whyAnotherKind(value, says, what)))
    const result = checked(
      normalize(registry, definition, { ...value, kind: what.kind, apiVersion: what.apiVersion }),
      what,
    )
    const { unknown } = result
    // A configuration with unknown fields is refused when it is applied, whatever is said of strictness.
    reportStrictness(request, strictErrors(body, what.applied ? [] : unknown), prefix, warnings)
    return { object: result.object as JsonObject, said: value, unknown, warnings }
  }

  /** Upstream reads the body as what it says it is, and only then sees that this is not what belongs here. */
  function whyAnotherKind(value: JsonObject, says: Expected, what: Expected): string {
    const { group, version } = groupVersionOf(says.apiVersion)
    const prefix = `${says.kind} in version "${version}" cannot be handled as a ${what.kind}: `
    const known = registry.byKind(group, version, says.kind)
    if (!known) return `${prefix}no kind "${says.kind}" is registered for version "${says.apiVersion}"`
    const { errors } = normalize(registry, known.definition, value)
    if (errors.length > 0) return prefix + errors[0]!
    if (says.kind === what.kind && group === groupVersionOf(what.apiVersion).group)
      return `the API version in the data (${says.apiVersion}) does not match the expected API version (${what.apiVersion})`
    const internal = internalPackageOf(groupVersionOf(what.apiVersion).group)
    return `${prefix}converting (${version}.${says.kind}) to (${internal}.${what.kind}): unknown conversion`
  }

  const checked = (result: NormalizeResult, what: Expected): NormalizeResult => {
    if (result.errors.length > 0) {
      throw new ApiError(
        badRequest(
          `${what.kind} in version "${what.apiVersion.split('/').at(-1)!}" cannot be handled as a ${what.kind}: ${result.errors[0]!}`,
        ),
      )
    }
    return result
  }

  /** The body as an object of the request's resource. */
  function decodeOwn(request: GatewayRequest, what: Expected): Decoded {
    return request.kind.custom ? decodeCustom(request, what) : decode(request, request.resource.definition, what)
  }

  /** Of a custom resource everything is in its schema: the body is read first, and its type is judged with the object. */
  function decodeCustom(request: GatewayRequest, what: Expected): Decoded {
    const { kind, resource } = request
    if (mediaTypeOf(request.body) === protobufMediaType)
      throw new ApiError(unsupportedMediaType([jsonMediaType, yamlMediaType]))
    const body = rawBody(request.body, resource.definition)
    const { value: said } = body
    const named = { ...said, kind: said['kind'] || what.kind, apiVersion: said['apiVersion'] || what.apiVersion }
    const result = checked(kind.decode(named), what)
    const warnings: string[] = []
    const prefix = `${what.kind} in version "${resource.version}" cannot be handled as a ${what.kind}: `
    reportStrictness(request, strictErrors(body, what.applied ? [] : result.unknown), prefix, warnings)
    const { object } = result
    if (object['kind'] !== what.kind && object['apiVersion'] === what.apiVersion) {
      const cause = invalidValue('kind', object['kind'], `must be ${what.kind}`)
      throw new ApiError(invalid(resource.group, what.kind, object['metadata']?.name ?? '', [cause]))
    }
    return { object, said, unknown: result.unknown, warnings }
  }

  /** Decodes the body as the resource, checks identity, converts to the storage version. */
  function decodeResource(request: GatewayRequest, create: boolean): { draft: KubeObject; warnings: string[] } {
    const { resource } = request
    const apiVersion = apiVersionOf(resource.group, resource.version)
    const { object, warnings } = decodeOwn(request, { kind: resource.kind, apiVersion })
    const status = checkIdentity(resource, object, { namespace: request.namespace, name: request.name, create })
    if (status) throw new ApiError(status)
    return { draft: request.kind.toStorage(object as KubeObject), warnings }
  }

  function decodeApplied(request: GatewayRequest): AppliedConfiguration {
    const { resource, namespace, name } = request
    const apiVersion = apiVersionOf(resource.group, resource.version)
    const what: Expected = { kind: resource.kind, apiVersion, applied: true }
    const { said, unknown, warnings } = decodeOwn(request, what)
    // Of what is applied nothing is filled in: not even what the address says.
    if (!said['kind'] || !said['apiVersion']) throw new ApiError(badRequest(`invalid object type: ${typeSaid(said)}`))
    // But for its name, which who applies to what is there need not say.
    const isNamed = Boolean(said['metadata']?.name)
    const metadata = { ...said['metadata'], name: said['metadata']?.name || name }
    const applied: JsonObject = { ...said, apiVersion, kind: resource.kind, metadata }
    const status = checkIdentity(resource, applied, { namespace, name, create: false })
    if (status) throw new ApiError(status)
    return { applied: applied as KubeObject, isNamed, undeclared: unknown, warnings }
  }

  function deleteOptions(request: GatewayRequest): DeleteCommand & { readonly dryRun: boolean } {
    const options = writtenDeleteOptions(request.body) ?? deleteOptionsOfQuery(request.query)
    checkDeleteOptions(options)
    const { gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions } = options
    const policy =
      propagationPolicy ?? (orphanDependents === undefined ? undefined : orphanDependents ? 'Orphan' : 'Background')
    return {
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
      ...(policy ? { propagationPolicy: policy } : {}),
      ...(preconditions ? { preconditions } : {}),
      dryRun: (options['dryRun'] ?? []).length > 0,
    }
  }

  /** The options that a body holds, which then count alone; undefined without a body. */
  function writtenDeleteOptions(body: Body | undefined): JsonObject | undefined {
    if (!body || ('bytes' in body && body.bytes.length === 0)) return undefined
    const value =
      'value' in body
        ? (body.value as JsonObject)
        : decodeBody(body.bytes, body.contentType, registry, deleteOptionsBody).value
    const { kind = 'DeleteOptions', apiVersion = 'meta.k8s.io/v1' } = value
    if (kind && kind !== 'DeleteOptions')
      throw new ApiError(
        badRequest(
          kindsOfOptions.has(kind)
            ? 'decoded object cannot be converted to DeleteOptions'
            : `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:110"`,
        ),
      )
    const { object, errors } = normalize(registry, deleteOptionsBody.definition, value)
    if (errors.length > 0) throw new ApiError(badRequest(errors[0]!))
    return object as JsonObject
  }

  return { decode, decodeResource, decodeApplied, deleteOptions }
}

/** Precondition fields and all else that only a body can say are absent here. */
function deleteOptionsOfQuery(query: URLSearchParams): JsonObject {
  const grace = integerOf(query, 'gracePeriodSeconds')
  const orphan = flag(query, 'orphanDependents')
  const policy = query.get('propagationPolicy')
  return {
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(orphan === undefined ? {} : { orphanDependents: orphan }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
    dryRun: query.getAll('dryRun'),
  }
}

const policies: readonly unknown[] = ['Orphan', 'Background', 'Foreground']

/** As upstream's ValidateDeleteOptions. */
function checkDeleteOptions(options: JsonObject): void {
  const { orphanDependents: orphan, propagationPolicy: policy, dryRun } = options
  const causes: StatusCause[] = []
  if (orphan !== undefined && policy !== undefined)
    causes.push(
      invalidValue('propagationPolicy', policy, 'orphanDependents and deletionPropagation cannot be both set'),
    )
  else if (policy !== undefined && !policies.includes(policy))
    causes.push({
      reason: 'FieldValueNotSupported',
      message: `Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan", "nil"`,
      field: 'propagationPolicy',
    })
  causes.push(...dryRunCauses((dryRun as string[] | undefined) ?? []))
  if (causes.length > 0) throw new ApiError(invalid('meta.k8s.io', 'DeleteOptions', '', causes))
}
