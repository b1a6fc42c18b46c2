// What the server says of a CustomResourceDefinition: which of its names it has, and its conditions. Pure; upstream spreads
// it over four controllers (k8s.io/apiextensions-apiserver/pkg/controller: status, establish, nonstructuralschema, apiapproval).
import { cloneJson } from '@shiplog/api/clone-json'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionStatus,
} from '@shiplog/api/generated/types/apiextensions-v1'
import { structuralViolations } from '@shiplog/custom-resources/rules/validate-schema'
import { deepEqual } from '../deep-equal.ts'

/** The names that another definition of the group has been given. */
export interface AcceptedNames {
  readonly name: string
  readonly group: string
  readonly accepted: CustomResourceDefinitionNames
}

/** A condition without its time. */
export type Condition = Omit<CustomResourceDefinitionCondition, 'lastTransitionTime'>

/** The status that a definition should have; undefined when it has it. */
export function nextStatus(
  crd: CustomResourceDefinition,
  all: Iterable<AcceptedNames>,
  nowMs: number,
): CustomResourceDefinitionStatus | undefined {
  const next: CustomResourceDefinitionStatus = cloneJson(crd.status)
  const naming = namesOf(crd, all)
  next.acceptedNames = naming.names
  setCondition(next, naming.condition, nowMs)
  setCondition(next, establishedOf(crd, naming.condition), nowMs)
  for (const [type, condition] of [
    ['NonStructuralSchema', nonStructuralOf(crd)],
    ['KubernetesAPIApprovalPolicyConformant', approvalOf(crd)],
  ] as const) {
    if (condition) setCondition(next, condition, nowMs)
    else removeCondition(next, type)
  }
  return deepEqual(next, crd.status) ? undefined : next
}

/** Sets a condition as upstream does: its time moves with its status. */
export function setCondition(status: CustomResourceDefinitionStatus, condition: Condition, nowMs: number): void {
  const conditions = (status.conditions ??= [])
  const lastTransitionTime = `${new Date(nowMs).toISOString().slice(0, 19)}Z`
  const known = conditions.find(({ type }) => type === condition.type)
  if (!known) {
    const { type, status: state, ...why } = condition
    conditions.push({ type, status: state, lastTransitionTime, ...why })
    return
  }
  if (known.status !== condition.status || !known.lastTransitionTime) known.lastTransitionTime = lastTransitionTime
  Object.assign(known, condition)
}

function removeCondition(status: CustomResourceDefinitionStatus, type: string): void {
  if (status.conditions?.some((condition) => condition.type === type))
    status.conditions = status.conditions.filter((condition) => condition.type !== type)
}

const findCondition = ({ status }: CustomResourceDefinition, type: string) =>
  status.conditions?.find((condition) => condition.type === type)

interface Naming {
  readonly names: CustomResourceDefinitionNames
  readonly condition: Condition
}

/** A definition keeps the names that it was given, and is given those that are free; names that are taken it does not get. */
function namesOf(crd: CustomResourceDefinition, all: Iterable<AcceptedNames>): Naming {
  const { names: wanted, group } = crd.spec
  const given = crd.status.acceptedNames
  const used = usedNames(all, group, crd.metadata.name)
  const names: CustomResourceDefinitionNames = { ...given }
  let conflict: { reason: string; message: string } | undefined
  const settle = (field: 'plural' | 'singular' | 'kind' | 'listKind', reason: string, taken: ReadonlySet<string>): void => {
    const name = wanted[field] ?? ''
    if (name !== (given[field] ?? '') && taken.has(name)) {
      conflict = { reason, message: inUse([name]) }
      return
    }
    if (name === '') delete names[field]
    else names[field] = name
  }
  settle('plural', 'PluralConflict', used.resources)
  settle('singular', 'SingularConflict', used.resources)
  const own = new Set(given.shortNames)
  const taken = (wanted.shortNames ?? []).filter((name) => !own.has(name) && used.resources.has(name))
  if (taken.length > 0) conflict = { reason: 'ShortNamesConflict', message: inUse(taken) }
  else setList(names, 'shortNames', wanted.shortNames)
  settle('kind', 'KindConflict', used.kinds)
  settle('listKind', 'ListKindConflict', used.kinds)
  setList(names, 'categories', wanted.categories)
  return {
    names,
    condition: {
      type: 'NamesAccepted',
      ...(conflict
        ? { status: 'False', ...conflict }
        : { status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }),
    },
  }
}

function setList(
  names: CustomResourceDefinitionNames,
  field: 'shortNames' | 'categories',
  wanted: string[] | undefined,
): void {
  if (wanted) names[field] = wanted
  else delete names[field]
}

/** Several sentences stand in brackets, as Go joins errors. */
function inUse(names: readonly string[]): string {
  const sentences = [...new Set(names)].map((name) => `${goQuote(name)} is already in use`)
  return sentences.length === 1 ? sentences[0]! : `[${sentences.join(', ')}]`
}

function usedNames(all: Iterable<AcceptedNames>, group: string, except: string) {
  const resources = new Set<string>()
  const kinds = new Set<string>()
  for (const { name, group: other, accepted } of all) {
    if (other !== group || name === except) continue
    for (const used of [accepted.plural, accepted.singular, ...(accepted.shortNames ?? [])]) if (used) resources.add(used)
    for (const used of [accepted.kind, accepted.listKind]) if (used) kinds.add(used)
  }
  return { resources, kinds }
}

/** Once established it stays so. */
function establishedOf(crd: CustomResourceDefinition, naming: Condition): Condition {
  const type = 'Established'
  const before = findCondition(crd, type)
  if (before?.status === 'True') return before
  return naming.status === 'True'
    ? { type, status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' }
    : { type, status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' }
}

/** What validation let in is structural; only what was stored under other rules may not be. */
function nonStructuralOf({ spec, status }: CustomResourceDefinition): Condition | undefined {
  const mayBe = spec.preserveUnknownFields || status.conditions?.some(({ type }) => type === 'NonStructuralSchema')
  if (!mayBe) return undefined
  const sentences = spec.preserveUnknownFields
    ? ['spec.preserveUnknownFields: Invalid value: true: must be false']
    : []
  spec.versions?.forEach(({ schema }, index) => {
    if (!schema?.openAPIV3Schema) return
    const field = `spec.versions[${index}].schema.openAPIV3Schema`
    for (const cause of structuralViolations(schema.openAPIV3Schema, field)) sentences.push(`${cause.field}: ${cause.message}`)
  })
  if (sentences.length === 0) return undefined
  const message = sentences.length === 1 ? sentences[0]! : `[${sentences.join(', ')}]`
  return { type: 'NonStructuralSchema', status: 'True', reason: 'Violations', message }
}

const approvedAnnotation = 'api-approved.kubernetes.io'
const seeWhy = 'see https://github.com/kubernetes/enhancements/pull/1111'

/** Groups of the Kubernetes community are for what it has approved. */
function approvalOf({ spec, metadata }: CustomResourceDefinition): Condition | undefined {
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(spec.group)) return undefined
  const type = 'KubernetesAPIApprovalPolicyConformant'
  const annotation = metadata.annotations?.[approvedAnnotation] ?? ''
  const must = `protected groups must have approval annotation ${goQuote(approvedAnnotation)}`
  if (annotation === '')
    return { type, status: 'False', reason: 'MissingAnnotation', message: `${must}, ${seeWhy}` }
  if (annotation.startsWith('unapproved'))
    return { type, status: 'False', reason: 'UnapprovedAnnotation', message: `not approved: ${goQuote(annotation)}` }
  if (URL.canParse(annotation) && new URL(annotation).host !== '')
    return { type, status: 'True', reason: 'ApprovedAnnotation', message: `approved in ${annotation}` }
  const message = `${must} with either a URL or a reason starting with "unapproved", ${seeWhy}`
  return { type, status: 'False', reason: 'InvalidAnnotation', message }
}

/** The finalizer that keeps a definition until its objects are gone. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

const terminating = (status: 'True' | 'False', reason: string, message: string): Condition => ({
  type: 'Terminating',
  status,
  reason,
  message,
})

/** The stages of a deletion, by their conditions. */
export const deletionStages = {
  pending: terminating(
    'True',
    'InstanceDeletionPending',
    'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
  ),
  inProgress: terminating('True', 'InstanceDeletionInProgress', 'CustomResource deletion is in progress'),
  completed: terminating('False', 'InstanceDeletionCompleted', 'removed all instances'),
  neverEstablished: terminating('False', 'NeverEstablished', 'resource was never established'),
  overlapping: terminating(
    'False',
    'OverlappingBuiltInResource',
    'instances overlap with built-in resources in storage',
  ),
  failed: (why: string): Condition =>
    terminating('True', 'InstanceDeletionFailed', `could not issue all deletes: ${why}`),
}
