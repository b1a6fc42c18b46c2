// Patches: JSON patch, merge patch, strategic merge patch and server-side apply. Each turns the object as it is into a
// draft, in the request's version; the writer does the rest, and again when somebody else was faster.
import { cloneJson } from '@shiplog/api/clone-json'
import { decodeBody } from '@shiplog/api/decode/decode'
import { applyJsonPatch } from '@shiplog/api/patch/json-patch'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { applyMergePatch } from '@shiplog/api/patch/merge-patch'
import { goKindOf } from '@shiplog/api/decode/decode-error'
import { goQuote } from '@shiplog/api/decode/go-quote'
import { apiVersionOf, type SchemaRegistry } from '@shiplog/api/schema/schema'
import { applyServerSide } from '@shiplog/api/apply/server-side-apply'
import {
  ApiError,
  applyConflict,
  badRequest,
  conflict,
  invalid,
  notFound,
  unsupportedMediaType,
  unsupportedPatchType,
  warningOf,
} from '@shiplog/api/status'
import { strategicMergePatch } from '@shiplog/api/patch/strategic-merge'
import type { ServedKind } from '@shiplog/domain/catalogue/served-kind'
import { checkIdentity, checkName } from '@shiplog/domain/decider'
import type { Clock } from '@shiplog/runtime/clock'
import type { Body, GatewayRequest, WriteOutcome } from '../request/gateway-request.ts'
import { type AppliedConfiguration, internalPackageOf, type RequestBodies } from '../request/request-body.ts'
import { flag } from '../request/list-options.ts'
import { managerOf, mediaTypeOf } from '../request/request-options.ts'
import type { CreateDraft } from './attempts.ts'
import { ownershipOf } from './field-ownership.ts'
import type { ModifyOptions, Mutation } from './mutation.ts'

export interface PatcherDeps {
  readonly clock: Clock
  readonly bodies: RequestBodies
  modify(request: GatewayRequest, mutate: Mutation, options?: ModifyOptions): Promise<WriteOutcome>
  /** Creates an object from a draft that brings its managed fields. */
  createFrom(request: GatewayRequest, draft: CreateDraft): Promise<WriteOutcome>
}

/** Begins what is said of a patch that is not even JSON. */
const patchFailure = 'error decoding patch: '

const strategicMerge = 'application/strategic-merge-patch+json'

const patchTypesOfCustom = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/apply-patch+yaml',
] as const

export const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
] as const

/** The change that a patch stands for, whatever its type but apply, and what is wrong with how it is written. */
export interface Patch {
  change(document: JsonObject): JsonObject
  /** Faults that only strict decoding minds: keys that stand twice. */
  readonly faults: readonly string[]
}

/** Throws when the body is no such patch. */
export function readPatch(registry: SchemaRegistry, definition: string, body: Body | undefined): Patch {
  const type = mediaTypeOf(body)
  const read = (): { value: unknown; duplicates: readonly string[] } => {
    if (body && 'value' in body) return { value: body.value, duplicates: [] }
    const failure = type === 'application/strategic-merge-patch+json' ? '' : patchFailure
    return decodeBody(body?.bytes ?? new Uint8Array(), 'application/json', registry, {
      failure: body ? failure : patchFailure,
    })
  }
  switch (type) {
    case 'application/json-patch+json': {
      const { value, duplicates } = read()
      return {
        change: (document) => applyJsonPatch(document, value),
        faults: duplicates.map((fault) => `json patch ${fault}`),
      }
    }
    case 'application/merge-patch+json': {
      const { value, duplicates } = read()
      const patch = objectPatch(value, patchFailure, false)
      return { change: (document) => applyMergePatch(document, patch), faults: duplicates }
    }
    case 'application/strategic-merge-patch+json': {
      const { value, duplicates } = read()
      const patch = objectPatch(value, '', true)
      return { change: (document) => strategicMergePatch(registry, definition, document, patch), faults: duplicates }
    }
    default:
      throw new ApiError(unsupportedPatchType())
  }
}

/** Serves PATCH, whatever its type. What the body says is read once; each attempt applies it to the object as it is then. */
export function createPatcher(deps: PatcherDeps): (request: GatewayRequest) => Promise<WriteOutcome> {
  return (request) =>
    mediaTypeOf(request.body) === 'application/apply-patch+yaml' ? apply(deps, request) : patch(deps, request)
}

async function patch({ modify }: PatcherDeps, request: GatewayRequest): Promise<WriteOutcome> {
  const { resource, kind, namespace, name } = request
  const type = mediaTypeOf(request.body)
  // What merges how, is written into the types of built-in kinds alone.
  if (kind.custom && type === strategicMerge) throw new ApiError(unsupportedMediaType(patchTypesOfCustom))
  const { change, faults } = readPatch(kind.registry, resource.definition, request.body)
  let warnings: readonly string[] = []
  const attempt = (): Promise<WriteOutcome> => modify(request, (before) => {
    const patched = ofKind(kind, change(kind.fromStorage(before)), type)
    const { object, errors, unknown } = kind.decode(patched)
    if (errors.length > 0) throw new ApiError(patchInvalid(errors[0]!))
    const found = [...faults, ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`)]
    const mode = request.query.get('fieldValidation') || 'Warn'
    if (mode === 'Strict' && found.length > 0)
      throw new ApiError(patchInvalid(`strict decoding error: ${found.join(', ')}`))
    warnings = mode === 'Warn' ? found : []
    const draft = object as KubeObject
    const status = checkIdentity(resource, draft, { namespace, name, create: false })
    if (status) throw new ApiError(status)
    return { draft: kind.toStorage(draft) }
  })
  const outcome = await warningOf(() => warnings, attempt)
  return { ...outcome, warnings: [...warnings, ...outcome.warnings] }
}

async function apply(deps: PatcherDeps, request: GatewayRequest): Promise<WriteOutcome> {
  const { resource, name, subresource } = request
  const configuration = readConfiguration(deps.bodies, request)
  const { warnings } = configuration
  const { uid } = configuration.applied.metadata
  const outcome = await deps.modify(
    request,
    (before) => ({ draft: merge(deps, request, configuration, before), managed: 'done' }),
    {
      onMissing: async () => {
        if (subresource !== '') throw new ApiError(notFound(resource, name))
        if (uid) {
          const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`
          throw new ApiError(conflict(resource, name, why))
        }
        const nameless = configuration.isNamed ? undefined : checkName({}, name)
        if (nameless) throw new ApiError(nameless)
        const draft = merge(deps, request, configuration, undefined)
        return await deps.createFrom(request, { draft, warnings: [], managed: 'done' })
      },
    },
  )
  return { ...outcome, warnings: [...warnings, ...outcome.warnings] }
}

/** The body as an applied configuration: YAML, which JSON is as well. */
export function readConfiguration(bodies: RequestBodies, request: GatewayRequest): AppliedConfiguration {
  const body = request.body!
  const yaml: Body =
    'bytes' in body
      ? { bytes: body.bytes, contentType: 'application/yaml' }
      : { value: body.value, contentType: undefined }
  const configuration = bodies.decodeApplied({ ...request, body: yaml })
  if (configuration.applied.metadata.managedFields !== undefined)
    throw new ApiError(badRequest('metadata.managedFields must be nil'))
  return configuration
}

/** Whether what others own is taken from them. */
export const isForced = ({ query }: GatewayRequest): boolean => flag(query, 'force') ?? false

/** The live object with the configuration applied to it, in the storage version, its managed fields brought up to date. */
function merge(
  { clock }: PatcherDeps,
  request: GatewayRequest,
  { applied, undeclared }: AppliedConfiguration,
  live: KubeObject | undefined,
): KubeObject {
  const { kind } = request
  const result = applyServerSide({
    ...ownershipOf(request),
    live: live && kind.fromStorage(live),
    applied: cloneJson(applied),
    undeclared,
    manager: managerOf(request),
    force: isForced(request),
    nowMs: clock.nowMs(),
  })
  if ('conflicts' in result) throw new ApiError(applyConflict(result.conflicts, result.message))
  const { object: merged, errors } = kind.decode(result.object)
  if (errors.length > 0) throw new ApiError(badRequest(errors[0]!))
  const object = kind.toStorage(merged as KubeObject)
  object.metadata.managedFields = result.managedFields
  const { resourceVersion } = applied.metadata
  if (resourceVersion) object.metadata.resourceVersion = resourceVersion
  return object
}

/**
 * What a patch says of kind and version: a strategic merge reads the result as what is at the URL, whatever it says of itself;
 * after the other patches it is read as what it says, and must then become what is there.
 */
function ofKind({ registry, resource }: ServedKind, patched: JsonObject, patchType: string): JsonObject {
  const apiVersion = apiVersionOf(resource.group, resource.version)
  const says = patched['kind'] || resource.kind
  const saysVersion = patched['apiVersion'] || apiVersion
  if (says === resource.kind && saysVersion === apiVersion) return { ...patched, kind: says, apiVersion }
  if (patchType === strategicMerge) return { ...patched, kind: resource.kind, apiVersion }
  const [group, version] = String(saysVersion).includes('/')
    ? String(saysVersion).split('/')
    : ['', String(saysVersion)]
  const why = registry.byKind(group!, version!, String(says))
    ? `converting (${version}.${says}) to (${internalPackageOf(resource.group)}.${resource.kind}): unknown conversion`
    : `no kind ${goQuote(String(says))} is registered for version ${goQuote(String(saysVersion))}`
  throw new ApiError(patchInvalid(why))
}

const patchInvalid = (why: string) =>
  invalid('', '', '', [{ reason: 'FieldValueInvalid', message: `Invalid value: ${why}`, field: 'patch' }])

/** A patch that must be an object; what begins the sentence when it is none, and whether null is one that says nothing. */
function objectPatch(value: unknown, failure: string, mayBeNull: boolean): JsonObject {
  if (value === null && mayBeNull) return {}
  if (value === null) throw new ApiError(badRequest('Invalid JSON Patch'))
  if (typeof value !== 'object' || Array.isArray(value))
    throw new ApiError(
      badRequest(`${failure}json: cannot unmarshal ${goKindOf(value)} into Go value of type map[string]interface {}`),
    )
  return value as JsonObject
}
