// Patches: JSON patch, merge patch, strategic merge patch and server-side apply. Each turns the object as it is into a
// draft, in the request's version; the writer does the rest, and again when somebody else was faster.
import { decodeBody, normalize } from '@shiplog/api/decode/decode'
import { applyJsonPatch } from '@shiplog/api/patch/json-patch'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { applyMergePatch } from '@shiplog/api/patch/merge-patch'
import { apiVersionOf, type SchemaRegistry } from '@shiplog/api/schema/schema'
import { applyServerSide } from '@shiplog/api/apply/server-side-apply'
import {
  ApiError,
  applyConflict,
  badRequest,
  conflict,
  invalid,
  notFound,
  unsupportedPatchType,
} from '@shiplog/api/status'
import { strategicMergePatch } from '@shiplog/api/patch/strategic-merge'
import { checkIdentity } from '@shiplog/domain/decider'
import type { Clock } from '@shiplog/runtime/clock'
import type { Body, GatewayRequest, WriteOutcome } from '../request/gateway-request.ts'
import { fromStorage, type RequestBodies, severalVersions, toStorage, versionConverter } from '../request/request-body.ts'
import { managerOf, mediaTypeOf } from '../request/request-options.ts'
import type { ModifyOptions, Mutation } from './writer.ts'

export interface PatcherDeps {
  readonly registry: SchemaRegistry
  readonly clock: Clock
  readonly bodies: RequestBodies
  modify(request: GatewayRequest, mutate: Mutation, options?: ModifyOptions): Promise<WriteOutcome>
  /** Creates an object from a draft that brings its managed fields. */
  createFrom(request: GatewayRequest, draft: () => KubeObject): Promise<WriteOutcome>
}

/** Begins what is said of a patch that is not even JSON. */
const patchFailure = 'error decoding patch: '

export const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
] as const

/** The change that a patch stands for, whatever its type but apply. Throws when the body is no such patch. */
export function readPatch(
  registry: SchemaRegistry,
  definition: string,
  body: Body | undefined,
): (document: JsonObject) => JsonObject {
  const type = mediaTypeOf(body)
  const parsed = (): unknown => {
    if (!body) return decodeBody(new Uint8Array(), 'application/json', registry, { failure: patchFailure }).value
    if ('value' in body) return body.value
    const failure = type === 'application/strategic-merge-patch+json' ? '' : patchFailure
    return decodeBody(body.bytes, 'application/json', registry, { failure }).value
  }
  switch (type) {
    case 'application/json-patch+json': {
      const operations = parsed()
      return (document) => applyJsonPatch(document, operations)
    }
    case 'application/merge-patch+json': {
      const value = objectPatch(parsed())
      return (document) => applyMergePatch(document, value)
    }
    case 'application/strategic-merge-patch+json': {
      const value = objectPatch(parsed())
      return (document) => strategicMergePatch(registry, definition, document, value)
    }
    default:
      throw new ApiError(unsupportedPatchType())
  }
}

/** Serves PATCH, whatever its type. */
export function createPatcher(deps: PatcherDeps): (request: GatewayRequest) => Promise<WriteOutcome> {
  const { registry, clock, bodies, modify, createFrom } = deps

  async function patch(request: GatewayRequest): Promise<WriteOutcome> {
    const { resource } = request
    const { body } = request
    if (mediaTypeOf(body) === 'application/apply-patch+yaml') return await apply(request)
    const change = (read: (document: JsonObject) => JsonObject): Promise<WriteOutcome> => {
      let warnings: string[] = []
      return modify(request, (before) => {
        warnings = []
        const document = fromStorage(resource, before)
        const patched = read(document)
        const result = normalize(registry, resource.definition, patched)
        if (result.errors.length > 0) throw new ApiError(patchInvalid(result.errors[0]!))
        if (result.unknown.length > 0) {
          const found = result.unknown.map((path) => `unknown field ${JSON.stringify(path)}`)
          const mode = request.query.get('fieldValidation') || 'Warn'
          if (mode === 'Strict') throw new ApiError(patchInvalid(`strict decoding error: ${found.join(', ')}`))
          if (mode === 'Warn') warnings.push(...found)
        }
        const draft = result.object as KubeObject
        const status = checkIdentity(resource, draft, {
          namespace: request.namespace,
          name: request.name,
          create: false,
        })
        if (status) throw new ApiError(status)
        return { draft: toStorage(resource, draft) }
      }).then((outcome) => ({ ...outcome, warnings: [...warnings, ...outcome.warnings] }))
    }
    return await change(readPatch(registry, resource.definition, body))
  }

  async function apply(request: GatewayRequest): Promise<WriteOutcome> {
    const { resource } = request
    const manager = managerOf(request)
    const force = request.query.get('force') === 'true'
    const body = request.body!
    const yaml: Body =
      'bytes' in body
        ? { bytes: body.bytes, contentType: 'application/yaml' }
        : { value: body.value, contentType: undefined }
    const applied = (): { applied: KubeObject; warnings: string[] } => {
      const decoded = bodies.decodeApplied({ ...request, body: yaml })
      if (decoded.applied.metadata.managedFields !== undefined)
        throw new ApiError(badRequest('metadata.managedFields must be nil'))
      return decoded
    }
    let warnings: string[] = []
    const { definition } = resource
    const merge = (live: KubeObject | undefined): KubeObject => {
      const decoded = applied()
      warnings = decoded.warnings
      const result = applyServerSide({
        registry,
        definition,
        live: live && fromStorage(resource, live),
        applied: decoded.applied,
        manager,
        force,
        apiVersion: apiVersionOf(resource.group, resource.version),
        subresource: request.subresource,
        nowMs: clock.nowMs(),
        ...(severalVersions(registry, resource) ? { versionConverter: versionConverter(registry, resource) } : {}),
      })
      if ('conflicts' in result) throw new ApiError(applyConflict(result.conflicts, result.message))
      const normalized = normalize(registry, definition, result.object)
      if (normalized.errors.length > 0) throw new ApiError(badRequest(normalized.errors[0]!))
      const object = toStorage(resource, normalized.object as KubeObject)
      object.metadata.managedFields = result.managedFields
      const { resourceVersion } = decoded.applied.metadata
      if (resourceVersion) object.metadata.resourceVersion = resourceVersion
      return object
    }
    const outcome = await modify(request, (before) => ({ draft: merge(before), managed: 'done' }), {
      onMissing: async () => {
        if (request.subresource !== '') throw new ApiError(notFound(resource, request.name))
        const uid = applied().applied.metadata.uid
        if (uid)
          throw new ApiError(
            conflict(
              resource,
              request.name,
              `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
            ),
          )
        return await createFrom(request, () => merge(undefined))
      },
    })
    return { ...outcome, warnings: [...warnings, ...outcome.warnings] }
  }

  return patch
}

const patchInvalid = (why: string) =>
  invalid('', '', '', [{ reason: 'FieldValueInvalid', message: `Invalid value: ${why}`, field: 'patch' }])

function objectPatch(value: unknown): JsonObject {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new ApiError(badRequest('error decoding patch: the patch must be an object'))
  }
  return value as JsonObject
}
