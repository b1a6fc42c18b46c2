// Our answer to a write, without a server: decoding, defaults, admission, the decision, warnings, and the object as it
// would be stored. What upstream answers to the same request is on record (recorded-combinations.json).
import { createHash } from 'node:crypto'
import { normalize, structuralErrors } from '@shiplog/api/decode/decode'
import type { KubeObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { groupResourceOf, type ResourceInfo } from '@shiplog/api/schema/schema'
import { ApiError, isApiError } from '@shiplog/api/status'
import type { AdmissionView } from '@shiplog/domain/admission'
import { defaultAdmissionPlugins } from '@shiplog/domain/admission/plugins'
import { systemPriorityClasses } from '@shiplog/domain/priority-class/system-priority-classes'
import { convert } from '@shiplog/domain/conversions'
import type { Kind } from '@shiplog/domain/decider'
import { strategyFor } from '@shiplog/domain/strategies'
import { mutateCreate, mutateUpdate, settleCreate, settleUpdate, type Write } from '@shiplog/domain/write/stages'
import type { Any } from '../src/case.ts'
import type { Combination } from './combinations.ts'
import { blankDrawn, type Judgement, judgementOf } from './judge.ts'
import { comparedNamespace } from './valid-manifests.ts'

export interface Answer extends Judgement {
  readonly warnings: readonly string[]
  /** The accepted object, without what is drawn or differs from run to run. */
  readonly stored?: unknown
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
const plugins = defaultAdmissionPlugins()

/** What a cluster has in which nothing but the API server runs. */
const world = new Map<string, KubeObject>([
  [`namespaces//${comparedNamespace}`, { metadata: { name: comparedNamespace }, status: { phase: 'Active' } } as never],
  [`serviceaccounts/${comparedNamespace}/default`, { metadata: { name: 'default' } } as never],
  ...systemPriorityClasses.map((one): [string, KubeObject] => [
    `priorityclasses.scheduling.k8s.io//${one.name}`,
    { metadata: { name: one.name }, value: one.value } as never,
  ]),
])
const view: AdmissionView = {
  get: (groupResource, namespace, name) => world.get(`${groupResource}/${namespace}/${name}`),
  list: (groupResource) =>
    [...world].filter(([key]) => key.startsWith(`${groupResource}/`)).map(([, object]) => object),
}

const kindOf = (resource: ResourceInfo): Kind => {
  const key = groupResourceOf(resource.storageGroup, resource.resource)
  const info = registry.storage(key) ?? resource
  return {
    info,
    strategy: strategyFor(key),
    structuralErrors: (one) => structuralErrors(registry, info.definition, one),
  }
}

function decoded(resource: ResourceInfo, given: Any): KubeObject {
  const { errors, object } = normalize(registry, resource.definition, given)
  if (errors.length > 0) {
    const message = `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: ${errors[0]!}`
    throw new ApiError({ code: 400, message } as never)
  }
  const draft = convert(structuredClone(object) as KubeObject, resource.storageGroup, resource.storageVersion)
  draft.metadata ??= {} as never
  if (resource.namespaced) draft.metadata.namespace ??= comparedNamespace
  return draft
}

const writeOf = (resource: ResourceInfo, subresource: string, namespace: string): Write => ({
  kind: kindOf(resource),
  requested: resource,
  subresource,
  namespace,
  dryRun: true,
  context,
  admission: plugins,
  reader: view,
  held: nothingHeld,
})

/** Managed fields are not compared. */
const unstamped = (): void => undefined

/** What upstream could say as well: not what is said of features that are missing here. */
const comparedWarnings = (warnings: readonly string[]): readonly string[] =>
  warnings.filter((text) => !text.startsWith('shiplog: '))

interface Outcome {
  readonly code: number
  readonly object: KubeObject
  readonly warnings: readonly string[]
}

function created(resource: ResourceInfo, given: Any): Outcome {
  const draft = decoded(resource, given)
  const write = writeOf(resource, '', draft.metadata.namespace ?? '')
  mutateCreate(write, draft, unstamped)
  const { event, warnings } = settleCreate(write, draft, { isTaken: false })
  return { code: 201, object: event!.object, warnings: comparedWarnings(warnings) }
}

function updated(resource: ResourceInfo, subresource: string, given: Any, before: KubeObject): Outcome {
  const draft = decoded(resource, given)
  const write = writeOf(resource, subresource, before.metadata.namespace ?? '')
  mutateUpdate(write, draft, before, unstamped)
  const { event, warnings } = settleUpdate(write, draft, before)
  return { code: 200, object: event?.object ?? before, warnings: comparedWarnings(warnings) }
}

const bases = new Map<string, KubeObject>()

/** The object that the updates of a manifest begin with. */
function baseOf({ manifest, resource }: Combination): KubeObject {
  const base = bases.get(manifest.name) ?? created(resource, structuredClone(manifest.object)).object
  bases.set(manifest.name, base)
  return structuredClone(base)
}

export function judgeWrite(combination: Combination): Answer {
  const { resource, write } = combination
  const object = structuredClone(combination.object)
  try {
    const outcome =
      write === 'create'
        ? created(resource, object)
        : updated(resource, write === 'status' ? 'status' : '', object, baseOf(combination))
    const served = convert(outcome.object, resource.group, resource.version)
    return { code: outcome.code, sentences: [], warnings: [...outcome.warnings].sort(), stored: comparable(served) }
  } catch (error) {
    if (!isApiError(error)) throw error
    return { ...judgementOf(error.status.code, error.status), warnings: [] }
  }
}

const asked = new Set<unknown>([80, 30_080, 30_100, '10.96.3.4'])

const withoutDrawn = (key: string, value: unknown): unknown => {
  if ((key === 'nodePort' || key === 'healthCheckNodePort') && !asked.has(value)) return '<port>'
  if (typeof value !== 'string') return value
  if (/^10\.(9[6-9]|10\d|11[01])\.\d+\.\d+$/.test(value) && !asked.has(value)) return '<address>'
  return blankDrawn(value).replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
}

const sorted = (value: unknown): unknown =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value

/** Upstream taints a new node until a controller of its own has seen it ready; here nodes begin without. */
function withoutNotReady({ spec }: Any): void {
  if (!spec?.taints) return
  spec.taints = spec.taints.filter(({ key }: Any) => key !== 'node.kubernetes.io/not-ready')
  if (spec.taints.length === 0) delete spec.taints
}

/** What two servers should agree on of an object that they accepted. */
export function comparable(object: Any): unknown {
  const { uid: _, creationTimestamp, resourceVersion, managedFields, ...metadata } = object.metadata
  const { status, ...rest } = structuredClone(object)
  if (object.kind === 'Node') withoutNotReady(rest)
  // Upstream's own controllers write the status of these.
  const watched = ['CustomResourceDefinition', 'FlowSchema', 'PriorityLevelConfiguration', 'ServiceCIDR', 'APIService']
  const shown = { ...rest, metadata, ...(watched.includes(object.kind) ? {} : { status }) }
  // Upstream writes null for a time that nobody gave; here it is left out.
  return JSON.parse(JSON.stringify(shown, (key, value) => (value === null ? undefined : sorted(withoutDrawn(key, value)))))
}

export const digestOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 7)
