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

/** The end of the JSON value that begins at `start`, or -1. */
function jsonEnd(text: string, start: number): number {
  let depth = 0
  let inString = false
  for (let at = start; at < text.length; at++) {
    const character = text[at]
    if (inString) {
      if (character === '\\') at++
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === '{' || character === '[') depth++
    else if ((character === '}' || character === ']') && --depth === 0) return at + 1
  }
  return -1
}

const ofPods = ['hostNetwork', 'hostPID', 'hostIPC', 'hostUsers', 'shareProcessNamespace']

/** Internal structs embed metadata, and keep some fields of a pod in its security context. */
function hoisted(fields: Record<string, unknown>): Record<string, unknown> {
  const { metadata, SecurityContext, ...rest } = fields
  const context = SecurityContext as Record<string, unknown> | undefined | null
  if (metadata === undefined && !context) return fields
  const moved: Record<string, unknown> = { ...rest, ...(metadata as object | undefined) }
  if (!context) return moved
  const own = { ...context }
  for (const [name, value] of Object.entries(context).filter(([name]) => ofPods.includes(`${name[0]!.toLowerCase()}${name.slice(1)}`))) {
    moved[name] = value
    delete own[name]
  }
  return { ...moved, SecurityContext: own }
}

/** Field names in lower case and sorted, without what is nothing in Go: null, false, 0, '', and empty lists and maps. */
function withoutGoForm(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => withoutGoForm(item) ?? null)
  if (value === null || value === '' || value === false || value === 0) return undefined
  if (typeof value !== 'object') return value
  const fields = Object.entries(hoisted(value as Record<string, unknown>))
    .map(([name, field]): [string, unknown] => [name.toLowerCase(), withoutGoForm(field)])
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return fields.length === 0 ? undefined : Object.fromEntries(fields)
}

/**
 * A sentence in the form in which two are compared. Upstream prints a struct by the names of its internal Go fields, all of
 * them, and below some sentences the difference of two such structs: here are no Go structs.
 */
export function comparedSentence(text: string): string {
  const said = text
    // Drawn, unless asked for by name.
    .replace(/"10\.(9[6-9]|10\d|11[01])\.\d+\.\d+"/g, (address) => (address === '"10.96.3.4"' ? address : '"<address>"'))
    .replace(/(nodePort: Duplicate value: )3[0-2]\d{3}$/, '$1<port>')
    // Why a text is no expression every parser says in its own words, and from where on.
    .replace(/<input>:\d+:\d+: Syntax error: .*$/s, 'Syntax error')
    .replace(/(is immutable|may not be changed|are forbidden|other than)([^\n]*)\n.*$/s, '$1$2')
  const printed = /Invalid value: (?=[{[])/.exec(said)
  if (!printed) return said
  const start = printed.index + printed[0].length
  const end = jsonEnd(said, start)
  if (end < 0) return said
  try {
    const value = withoutGoForm(JSON.parse(said.slice(start, end)))
    return `${said.slice(0, start)}${JSON.stringify(value) ?? 'null'}${said.slice(end)}`
  } catch {
    return said
  }
}

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
  // As the admission of accounts leaves it; nothing else of admission is compared here.
  if (key === 'pods' && draft['spec']) draft['spec'].serviceAccountName ||= 'default'
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
