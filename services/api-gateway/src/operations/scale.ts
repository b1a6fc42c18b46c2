// The subresource `scale`: replicas and selector of an object, as a Scale.
import { cloneJson } from '@shiplog/api/clone-json'
import { normalize } from '@shiplog/api/decode/decode'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { ApiError, badRequest } from '@shiplog/api/status'
import { builtInCatalogue } from '@shiplog/domain/catalogue/catalogue'
import { checkName, checkNamespace } from '@shiplog/domain/decider'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { readPatch } from '../write/patcher.ts'
import { type Answer, statusAnswer } from './answer.ts'
import { type OperationDeps, readObject } from './operation.ts'

const scaleKind = { kind: 'Scale', apiVersion: 'autoscaling/v1' }
const scaleDefinition = 'io.k8s.api.autoscaling.v1.Scale'

export async function getScale(deps: OperationDeps, request: GatewayRequest): Promise<Answer> {
  const version = await readObject(deps, request)
  return statusAnswer(200, request.kind.readScale(request.kind.upgraded(version.parse(), version.sequence)))
}

export const updateScale = (deps: OperationDeps, request: GatewayRequest): Promise<Answer> =>
  change(deps, request, () => deps.bodies.decode(request, scaleDefinition, scaleKind).object)

export const patchScale = (deps: OperationDeps, request: GatewayRequest): Promise<Answer> =>
  change(deps, request, (current) => patched(request, current))

async function change(
  { writer }: OperationDeps,
  request: GatewayRequest,
  nextOf: (current: JsonObject) => JsonObject,
): Promise<Answer> {
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
  return statusAnswer(200, request.kind.readScale(outcome.object!), outcome.sequence, outcome.warnings)
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
