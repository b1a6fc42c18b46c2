// The subresource `scale`: replicas and selector of an object, as a Scale.
import { cloneJson } from '@shiplog/api/clone-json'
import { normalize } from '@shiplog/api/decode/decode'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf } from '@shiplog/api/schema/schema'
import { applyServerSide } from '@shiplog/api/apply/server-side-apply'
import { ApiError, applyConflict, badRequest } from '@shiplog/api/status'
import { builtInCatalogue } from '@shiplog/domain/catalogue/catalogue'
import { checkName, checkNamespace } from '@shiplog/domain/decider'
import { fieldsAfterScale, scaleFieldsOf } from '@shiplog/domain/subresources/scale-fields'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { managerOf, mediaTypeOf } from '../request/request-options.ts'
import { isForced, readConfiguration, readPatch } from '../write/patcher.ts'
import { type Answer, type StatusAnswer, statusAnswer } from './answer.ts'
import { type OperationDeps, readObject } from './operation.ts'

const scaleKind = { kind: 'Scale', apiVersion: 'autoscaling/v1' }
const applyType = 'application/apply-patch+yaml'
const scaleDefinition = 'io.k8s.api.autoscaling.v1.Scale'

/** A Scale as a resource, for what is said of its body. */
const scaleResource = { group: 'autoscaling', version: 'v1', kind: 'Scale', definition: scaleDefinition }

export async function getScale(deps: OperationDeps, request: GatewayRequest): Promise<Answer> {
  const version = await readObject(deps, request)
  const { kind } = request
  return statusAnswer(200, await deps.converter.settled(() => kind.readScale(kind.upgraded(version.parse(), version.sequence))))
}

export async function updateScale(deps: OperationDeps, request: GatewayRequest): Promise<Answer> {
  const { object, warnings } = deps.bodies.decode(request, scaleDefinition, scaleKind)
  const answer = await change(deps, request, () => cloneJson(object))
  return { ...answer, warnings: [...warnings, ...answer.warnings] }
}

export const patchScale = (deps: OperationDeps, request: GatewayRequest): Promise<Answer> =>
  mediaTypeOf(request.body) === applyType
    ? apply(deps, request)
    : change(deps, request, (current) => patched(request, current))

/** Server-side apply of a Scale: what it is in conflict with are the owners of the object's replicas. */
async function apply({ bodies, writer, converter, nowMs }: OperationDeps, request: GatewayRequest): Promise<Answer> {
  const registry = builtInCatalogue()
  // A Scale is built in, whatever it is the scale of.
  const { custom: _, ...kind } = request.kind
  const ofScale = { ...request, kind, resource: { ...request.resource, ...scaleResource } }
  const { applied, undeclared, warnings } = readConfiguration(bodies, ofScale)
  const outcome = await writer.modify(request, (before) => {
    const current = request.kind.readScale(before)
    const live = { ...current, metadata: { ...current.metadata, managedFields: scaleFieldsOf(before.metadata.managedFields) } }
    const result = applyServerSide({
      ...{ registry, definition: scaleDefinition, live, applied, undeclared, apiVersion: scaleKind.apiVersion },
      ...{ manager: managerOf(request), force: isForced(request), subresource: 'scale', nowMs: nowMs() },
    })
    if ('conflicts' in result) throw new ApiError(applyConflict(result.conflicts, result.message))
    const draft = cloneJson(before)
    request.kind.writeScale(draft, result.object)
    const { resource } = request
    const version = apiVersionOf(resource.group, resource.version)
    draft.metadata.managedFields = fieldsAfterScale(before.metadata.managedFields, result.managedFields, version)
    const { resourceVersion } = applied.metadata
    if (resourceVersion) draft.metadata.resourceVersion = resourceVersion
    else delete draft.metadata.resourceVersion
    return { draft, managed: 'done' }
  })
  const scale = await converter.settled(() => request.kind.readScale(outcome.object!))
  return statusAnswer(200, scale, outcome.sequence, [...warnings, ...outcome.warnings])
}

async function change(
  { writer, converter }: OperationDeps,
  request: GatewayRequest,
  nextOf: (current: JsonObject) => JsonObject,
): Promise<StatusAnswer> {
  const outcome = await writer.modify(request, (before) => {
    const draft = cloneJson(before)
    const next = nextOf(request.kind.readScale(before))
    checkScale(next, request)
    request.kind.writeScale(draft, next)
    // A stale version in the Scale is a stale version of the object; an absent one is unconditional.
    const { resourceVersion } = (next['metadata'] ?? {}) as JsonObject
    if (resourceVersion) draft.metadata.resourceVersion = resourceVersion
    else delete draft.metadata.resourceVersion
    return { draft }
  })
  const scale = await converter.settled(() => request.kind.readScale(outcome.object!))
  return statusAnswer(200, scale, outcome.sequence, outcome.warnings)
}

function patched(request: GatewayRequest, current: JsonObject): JsonObject {
  const registry = builtInCatalogue()
  const result = readPatch(registry, scaleDefinition, request.body).change(current)
  const { object, errors } = normalize(registry, scaleDefinition, result)
  if (errors.length > 0)
    throw new ApiError(badRequest(`Scale in version "v1" cannot be handled as a Scale: ${errors[0]!}`))
  return object as JsonObject
}

function checkScale(scale: JsonObject, { namespace, name }: GatewayRequest): void {
  const metadata = ((scale['metadata'] as JsonObject | undefined) ??= {}) as KubeObject['metadata']
  const status = checkNamespace(metadata, namespace) ?? checkName(metadata, name)
  if (status) throw new ApiError(status)
}
