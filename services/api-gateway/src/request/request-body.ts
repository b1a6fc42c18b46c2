// Bodies: from bytes to the draft that the decider sees. Decoding, field validation, the request's word against the
// object's on kind, name and namespace, and conversion to the storage version.
import { decodeBody, normalize, type NormalizeResult } from '@shiplog/api/decode/decode'
import { interpretation } from '@shiplog/api/decode/decode-json'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf, groupResourceOf, type ResourceInfo, type SchemaRegistry } from '@shiplog/api/schema/schema'
import { ApiError, badRequest, invalid } from '@shiplog/api/status'
import { convert } from '@shiplog/domain/conversions'
import { checkIdentity, type DeleteCommand } from '@shiplog/domain/decider'
import type { Body, GatewayRequest } from './gateway-request.ts'
import { dryRunCauses, dryRunOf, reportStrictness } from './request-options.ts'

const groupVersionOf = (apiVersion: string): { group: string; version: string } => {
  const [first = '', second] = apiVersion.split('/')
  return second === undefined ? { group: '', version: first } : { group: first, version: second }
}

/** What upstream calls its own form of a group's kinds: `core`, `apps`, `rbac`. */
const internalPackageOf = (group: string): string =>
  group === '' || group === 'events.k8s.io' ? 'core' : group.split('.')[0]!

/** What a body is taken for. */
export interface Expected {
  readonly kind: string
  readonly apiVersion: string
}

export interface RequestBodies {
  /** The body, decoded and checked against a definition. */
  decode(
    request: GatewayRequest,
    definition: string,
    what: Expected,
  ): { object: JsonObject; said: JsonObject; warnings: string[] }
  /** The body as the request's resource, its identity checked, in the storage version. */
  decodeResource(request: GatewayRequest, create: boolean): { draft: KubeObject; warnings: string[] }
  /** The body as an applied configuration: in the request's version, without anything that the client did not say. */
  decodeApplied(request: GatewayRequest): { applied: KubeObject; warnings: string[] }
  /** DeleteOptions, from the body or the query. */
  deleteOptions(request: GatewayRequest): DeleteCommand & { readonly dryRun: boolean }
}

/** Broken DeleteOptions are told of without the kind that was expected. */
const deleteOptionsBody = { definition: 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions', failure: interpretation }

export function createRequestBodies(registry: SchemaRegistry): RequestBodies {
  function rawBody(body: Body | undefined, definition: string): { value: JsonObject; duplicates: readonly string[] } {
    if (!body) return decodeBody(new Uint8Array(), undefined, registry, { definition })
    if ('value' in body) return { value: body.value as JsonObject, duplicates: [] }
    return decodeBody(body.bytes, body.contentType, registry, { definition })
  }

  function decode(
    request: GatewayRequest,
    definition: string,
    what: Expected,
  ): { object: JsonObject; said: JsonObject; warnings: string[] } {
    const { value, duplicates } = rawBody(request.body, definition)
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
    if (says.kind !== what.kind || says.apiVersion !== what.apiVersion)
      throw new ApiError(badRequest(whyAnotherKind(value, says, what)))
    const result = checked(
      normalize(registry, definition, { ...value, kind: what.kind, apiVersion: what.apiVersion }),
      what,
    )
    reportStrictness(
      request,
      [...duplicates, ...result.unknown.map((path) => `unknown field ${JSON.stringify(path)}`)],
      prefix,
      warnings,
    )
    // What no schema knows belongs to nobody; else the client's own words count, not what they are normalized to.
    const said = result.unknown.length > 0 ? (result.object as JsonObject) : value
    return { object: result.object as JsonObject, said, warnings }
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

  /** Decodes the body as the resource, checks identity, converts to the storage version. */
  function decodeResource(request: GatewayRequest, create: boolean): { draft: KubeObject; warnings: string[] } {
    const { resource } = request
    const { object, warnings } = decode(request, resource.definition, {
      kind: resource.kind,
      apiVersion: apiVersionOf(resource.group, resource.version),
    })
    const status = checkIdentity(resource, object, { namespace: request.namespace, name: request.name, create })
    if (status) throw new ApiError(status)
    return { draft: toStorage(resource, object as KubeObject), warnings }
  }

  function decodeApplied(request: GatewayRequest): { applied: KubeObject; warnings: string[] } {
    const { resource, namespace, name } = request
    const apiVersion = apiVersionOf(resource.group, resource.version)
    const { said, warnings } = decode(request, resource.definition, { kind: resource.kind, apiVersion })
    const applied: JsonObject = { ...said, apiVersion, kind: resource.kind, metadata: { ...said['metadata'] } }
    const status = checkIdentity(resource, applied, { namespace, name, create: false })
    if (status) throw new ApiError(status)
    return { applied: applied as KubeObject, warnings }
  }

  function deleteOptions(request: GatewayRequest): DeleteCommand & { readonly dryRun: boolean } {
    let options: JsonObject = {}
    const { body, query } = request
    if (body && ('value' in body || body.bytes.length > 0)) {
      const { value } =
        'value' in body
          ? { value: body.value as JsonObject }
          : decodeBody(body.bytes, body.contentType, registry, deleteOptionsBody)
      options = checked(normalize(registry, 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions', value), {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
      }).object as JsonObject
    }
    const grace = options['gracePeriodSeconds'] ?? query.get('gracePeriodSeconds') ?? undefined
    const policy = (options['propagationPolicy'] ?? query.get('propagationPolicy') ?? undefined) as
      | DeleteCommand['propagationPolicy']
      | undefined
    if (grace !== undefined && !Number.isInteger(Number(grace)))
      throw new ApiError(badRequest('gracePeriodSeconds must be an integer'))
    const orphan =
      options['orphanDependents'] ??
      (query.has('orphanDependents') ? query.get('orphanDependents') === 'true' : undefined)
    if (orphan !== undefined && policy !== undefined) {
      throw new ApiError(
        invalid('meta.k8s.io', 'DeleteOptions', '', [
          {
            reason: 'FieldValueInvalid',
            message: `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set`,
            field: 'propagationPolicy',
          },
        ]),
      )
    }
    if (policy !== undefined && !['Orphan', 'Background', 'Foreground'].includes(policy)) {
      throw new ApiError(
        invalid('meta.k8s.io', 'DeleteOptions', '', [
          {
            reason: 'FieldValueNotSupported',
            message: `Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan", "nil"`,
            field: 'propagationPolicy',
          },
        ]),
      )
    }
    const causes = dryRunCauses((options['dryRun'] as string[] | undefined) ?? [])
    if (causes.length > 0) throw new ApiError(invalid('meta.k8s.io', 'DeleteOptions', '', causes))
    const effective = policy ?? (orphan === undefined ? undefined : orphan ? 'Orphan' : 'Background')
    return {
      ...(grace === undefined ? {} : { gracePeriodSeconds: Number(grace) }),
      ...(effective ? { propagationPolicy: effective } : {}),
      ...(options['preconditions']
        ? { preconditions: options['preconditions'] as NonNullable<DeleteCommand['preconditions']> }
        : {}),
      dryRun: dryRunOf(request, options),
    }
  }

  return { decode, decodeResource, decodeApplied, deleteOptions }
}

/** An object of the request's version in the version that the log stores. */
export function toStorage(resource: ResourceInfo, object: KubeObject): KubeObject {
  if (resource.version === resource.storageVersion && resource.group === resource.storageGroup) return object
  return convert(object, resource.storageGroup, resource.storageVersion)
}

/** A stored object as another version of its kind has it; undefined when that version is gone. */
export const versionConverter =
  (registry: SchemaRegistry, resource: ResourceInfo) =>
  (object: JsonObject, apiVersion: string): { object: JsonObject; definition: string } | undefined => {
    const { group, version } = groupVersionOf(apiVersion)
    const known = registry.byKind(group, version, resource.kind)
    if (!known) return undefined
    const stored = toStorage(resource, object as KubeObject)
    return { object: fromStorage(known, stored), definition: known.definition }
  }

/** A stored object in the request's version. */
export const fromStorage = (resource: ResourceInfo, object: KubeObject): KubeObject =>
  resource.version === resource.storageVersion && resource.group === resource.storageGroup
    ? object
    : convert(object, resource.group, resource.version)

const several = new WeakMap<SchemaRegistry, ReadonlySet<string>>()

/** Whether a kind is served in more than one shape, so that its managers may speak different versions. */
export function severalVersions(registry: SchemaRegistry, resource: ResourceInfo): boolean {
  let kinds = several.get(registry)
  if (!kinds) {
    const served = new Map<string, number>()
    for (const { storageGroup, resource: name } of registry.resources) {
      const key = groupResourceOf(storageGroup, name)
      served.set(key, (served.get(key) ?? 0) + 1)
    }
    kinds = new Set([...served].filter(([, count]) => count > 1).map(([key]) => key))
    several.set(registry, kinds)
  }
  return kinds.has(groupResourceOf(resource.storageGroup, resource.resource))
}
