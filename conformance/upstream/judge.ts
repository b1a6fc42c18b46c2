// Our judgement of an object that somebody wants to create, without a server: decoding, defaults, what a create prepares,
// validation. What upstream says of the same object is on record (recorded-refusals.json).
import { normalize, structuralErrors } from '@shiplog/api/decode/decode'
import type { KubeObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { groupResourceOf, type ResourceInfo } from '@shiplog/api/schema/schema'
import { isApiError } from '@shiplog/api/status'
import { convert } from '@shiplog/domain/conversions'
import type { Kind } from '@shiplog/domain/decider'
import { strategyFor } from '@shiplog/domain/strategies'
import { mutateCreate, settleCreate, type Write } from '@shiplog/domain/write/stages'
import type { Any } from '../src/case.ts'
import { comparedNamespace } from './valid-manifests.ts'

export interface Judgement {
  readonly code: number
  /** `spec.replicas: Invalid value: …`, each once, sorted; the message where there are no causes. */
  readonly sentences: readonly string[]
}

const registry = builtInRegistry()
const uid = '00000000-0000-4000-8000-000000000000'
const context = {
  nowMs: Date.UTC(2026, 0, 2),
  user: { name: 'kubernetes-admin', groups: ['system:masters'] },
  uuid: () => uid,
  integer: () => 0,
}
const nothingHeld = { holder: () => undefined }

/** What a Status says, in a form in which two can be compared. */
export function judgementOf(code: number, status: Any): Judgement {
  if (code < 400) return { code, sentences: [] }
  const causes: readonly Any[] = status?.details?.causes ?? []
  const sentences = causes.map(({ field, message }) => (field ? `${field}: ${message}` : String(message)))
  const all = sentences.length > 0 ? sentences : [String(status?.message ?? '')]
  return { code, sentences: [...new Set(all.map(blankDrawn))].sort() }
}

export const blankDrawn = (text: string): string =>
  text
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uid>')
    .replace(/kube-api-access-[a-z0-9]{5}/g, 'kube-api-access-<random>')
    // Upstream appends the difference of its internal objects.
    .replace(/(pod updates may not change fields other than [^\n]*)\n.*$/s, '$1')

export function judge(resource: ResourceInfo, given: Any): Judgement {
  const { errors, object } = normalize(registry, resource.definition, given)
  if (errors.length > 0) {
    const message = `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: ${errors[0]!}`
    return judgementOf(400, { message })
  }
  const draft = convert(structuredClone(object) as KubeObject, resource.storageGroup, resource.storageVersion)
  const key = groupResourceOf(resource.storageGroup, resource.resource)
  const info = registry.storage(key) ?? resource
  const strategy = strategyFor(key)
  const kind: Kind = { info, strategy, structuralErrors: (one) => structuralErrors(registry, info.definition, one) }
  draft.metadata ??= {} as never
  if (resource.namespaced) draft.metadata.namespace ??= comparedNamespace
  try {
    const write: Write = {
      kind,
      requested: resource,
      subresource: '',
      namespace: draft.metadata.namespace ?? '',
      dryRun: true,
      context,
      admission: [],
      reader: { get: () => undefined, list: () => [] },
      held: nothingHeld,
    }
    mutateCreate(write, draft, () => undefined)
    settleCreate(write, draft, { isTaken: false })
    return { code: 201, sentences: [] }
  } catch (error) {
    if (isApiError(error)) return judgementOf(error.status.code, error.status)
    throw error
  }
}
