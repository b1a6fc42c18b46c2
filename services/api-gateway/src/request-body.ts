// Bodies: from bytes to the draft that the decider sees. Decoding, field validation, the request's word against the
// object's on kind, name and namespace, and conversion to the storage version.
import { decodeBody, normalize, type NormalizeResult } from '@shiplog/api/decode'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf, type ResourceInfo, type SchemaRegistry } from '@shiplog/api/schema'
import { ApiError, badRequest, invalid } from '@shiplog/api/status'
import { convert } from '@shiplog/domain/conversions'
import { checkIdentity, type DeleteCommand } from '@shiplog/domain/decider'
import type { Body, GatewayRequest } from './gateway-request.ts'
import { dryRunOf, reportStrictness } from './request-options.ts'

/** What a body is taken for. */
export interface Expected {
  readonly kind: string
  readonly apiVersion: string
}

export interface RequestBodies {
  /** The body, decoded and checked against a definition. */
  decode(request: GatewayRequest, definition: string, what: Expected): { object: JsonObject; warnings: string[] }
  /** The body as the request's resource, its identity checked, in the storage version. */
  decodeResource(request: GatewayRequest, create: boolean): { draft: KubeObject; warnings: string[] }
  /** DeleteOptions, from the body or the query. */
  deleteOptions(request: GatewayRequest): DeleteCommand & { readonly dryRun: boolean }
}

export function createRequestBodies(registry: SchemaRegistry): RequestBodies {
  function rawBody(body: Body | undefined, definition: string): { value: JsonObject; duplicates: readonly string[] } {
    if (!body) throw new ApiError(badRequest('the request must have a body'))
    if ('value' in body) return { value: body.value as JsonObject, duplicates: [] }
    return decodeBody(body.bytes, body.contentType, registry, { definition })
  }

  function decode(
    request: GatewayRequest,
    definition: string,
    what: Expected,
  ): { object: JsonObject; warnings: string[] } {
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
    if (typeof value['kind'] === 'string' && value['kind'] !== '' && value['kind'] !== what.kind) {
      throw new ApiError(
        badRequest(
          `${value['kind']} in version "${version}" cannot be handled as a ${what.kind}: converting (${String(value['apiVersion'] ?? '')}.${value['kind']}) to (${what.apiVersion}.${what.kind}): unknown conversion`,
        ),
      )
    }
    if (
      typeof value['apiVersion'] === 'string' &&
      value['apiVersion'] !== '' &&
      value['apiVersion'] !== what.apiVersion
    ) {
      throw new ApiError(
        badRequest(
          `the API version in the data (${value['apiVersion']}) does not match the expected API version (${what.apiVersion})`,
        ),
      )
    }
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
    return { object: result.object as JsonObject, warnings }
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

  function deleteOptions(request: GatewayRequest): DeleteCommand & { readonly dryRun: boolean } {
    let options: JsonObject = {}
    const { body, query } = request
    if (body && ('value' in body || body.bytes.length > 0)) {
      const { value } = rawBody(body, 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions')
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
            message: `Unsupported value: ${JSON.stringify(policy)}: supported values: "Background", "Foreground", "Orphan"`,
            field: 'propagationPolicy',
          },
        ]),
      )
    }
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

  return { decode, decodeResource, deleteOptions }
}

/** An object of the request's version in the version that the log stores. */
export function toStorage(resource: ResourceInfo, object: KubeObject): KubeObject {
  if (resource.version === resource.storageVersion && resource.group === resource.storageGroup) return object
  return convert(object, resource.storageGroup, resource.storageVersion)
}

/** A stored object in the request's version. */
export const fromStorage = (resource: ResourceInfo, object: KubeObject): KubeObject =>
  resource.version === resource.storageVersion && resource.group === resource.storageGroup
    ? object
    : convert(object, resource.group, resource.version)
