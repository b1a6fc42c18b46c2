// The generic decider: what a create, an update or a delete does to any object. Pure: state, command, time and ids are
// arguments; the answer is the event to append, "nothing changes", or a refusal. Kinds add their rules by a Strategy.
// The rules are those of k8s.io/apiserver/pkg/registry/rest and …/registry/generic/registry/store.go.
import { cloneJson } from '@shiplog/api/clone-json'
import type { JsonObject, KubeObject, ObjectMeta } from '@shiplog/api/kube-object'
import { apiVersionOf, groupResourceOf, type ResourceInfo } from '@shiplog/api/schema/schema'
import {
  badRequest,
  conflict,
  generateNameConflict,
  invalid,
  notFound,
  objectModified,
  type Status,
  type StatusCause,
} from '@shiplog/api/status'
import { deepEqual } from './deep-equal.ts'
import { validateObjectMeta, validateObjectMetaUpdate } from './metadata-validation.ts'
import { metadataOutsideStatus } from './status-metadata.ts'
import type { AdmissionView } from './admission.ts'
import type { DecisionContext, Strategy } from './strategy.ts'
import type { LongCheckInput, Steps } from './write/long-check.ts'

/** What is to be appended for one object. */
export interface ObjectEvent {
  /** Past tense: `PodBound`. */
  readonly type: string
  /** The object after the change; for a deletion the last object. Storage version, no resourceVersion. */
  readonly object: KubeObject
  readonly deleted: boolean
}

export type Decision =
  | { readonly kind: 'event'; readonly event: ObjectEvent }
  /** Nothing changes: no event, the object stays at its version. */
  | { readonly kind: 'unchanged'; readonly object: KubeObject }
  | { readonly kind: 'refused'; readonly status: Status }

/** The kind at hand: its description and its rules. `info` is the resource in its storage version. */
export interface Kind {
  readonly info: ResourceInfo
  readonly strategy: Strategy
  /** Checks that the schema alone can make (required fields, enums). */
  structuralErrors(object: KubeObject): readonly StatusCause[]
}

/** Where an object is judged by itself. */
const nothingElse: AdmissionView = { get: () => undefined, list: () => [] }

const refused = (status: Status): Decision => ({ kind: 'refused', status })

const hasStatus = (kind: Kind): boolean => kind.info.subresources.some((subresource) => subresource.name === 'status')

const keepsGeneration = (kind: Kind, object: JsonObject): boolean =>
  kind.strategy.hasGeneration ?? (object['spec'] !== undefined && hasStatus(kind))

/** The last moment that RFC 3339 can write: what lies further ahead (a grace of centuries) is written so. */
const lastMomentMs = Date.parse('9999-12-31T23:59:59Z')
const rfc3339 = (ms: number): string => `${new Date(Math.min(ms, lastMomentMs)).toISOString().slice(0, 19)}Z`

const maxGeneratedNameLength = 63 - 5
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

/** Names a draft that has only generateName: five characters of upstream's safe alphabet. */
export function generateName(base: string, context: Pick<DecisionContext, 'integer'>): string {
  let name = base.slice(0, maxGeneratedNameLength)
  for (let i = 0; i < 5; i++) name += alphabet[context.integer(alphabet.length)]
  return name
}

/** Fills in what every new object has. Runs after mutating admission; changes the draft. */
export function prepareForCreate(kind: Kind, draft: KubeObject, context: DecisionContext): void {
  const { info, strategy } = kind
  const metadata = draft.metadata
  delete metadata.resourceVersion
  delete metadata.deletionTimestamp
  delete metadata.deletionGracePeriodSeconds
  delete (metadata as JsonObject)['selfLink']
  metadata.uid = context.uuid()
  metadata.creationTimestamp = rfc3339(context.nowMs)
  if (!info.namespaced) delete metadata.namespace
  if (strategy.prepareForCreate) strategy.prepareForCreate(draft, context)
  else if (hasStatus(kind)) draft['status'] = {}
  if (keepsGeneration(kind, draft)) metadata.generation = 1
}

/** An owner that is named twice owns once; whoever named it so is warned. */
export function dedupeOwners(draft: KubeObject): void {
  const owners = draft.metadata.ownerReferences
  if (!Array.isArray(owners) || owners.length < 2) return
  const isRepeated = owners.map((owner, index) => owners.slice(0, index).some((other) => deepEqual(other, owner)))
  if (!isRepeated.includes(true)) return
  draft.metadata.ownerReferences = owners.filter((_, index) => !isRepeated[index])
  const uids = new Set(owners.filter((_, index) => isRepeated[index]).map(({ uid }) => uid))
  duplicateOwners.set(
    draft,
    `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${[...uids].join(', ')}`,
  )
}

/** Validates a prepared draft and decides its creation. */
export function* decideCreate(
  kind: Kind,
  draft: KubeObject,
  requested: ResourceInfo = kind.info,
  view: AdmissionView = nothingElse,
): Steps<Decision> {
  const { strategy } = kind
  const causes = [
    ...(strategy.validateAgainst?.(draft, undefined, view, '') ?? []),
    ...(yield* validate(kind, draft)),
    ...(strategy.validateCreate?.(draft, requested) ?? []),
  ]
  if (causes.length > 0) return refused(invalid(kind.info.group, kind.info.kind, draft.metadata.name ?? '', causes))
  strategy.completeCreated?.(draft)
  return { kind: 'event', event: { type: `${kind.info.kind}Created`, object: draft, deleted: false } }
}

/** The answer when a name generated by us is taken. */
export const generatedNameTaken = (info: ResourceInfo, name: string): Status => generateNameConflict(info, name)

/** What the kind's own rules say. */
function* judged(
  { info, strategy }: Kind,
  next: KubeObject,
  before: KubeObject | undefined,
  isStatus = false,
): Steps<readonly StatusCause[]> {
  const judge = (): readonly StatusCause[] =>
    isStatus ? (strategy.validateStatusUpdate?.(next, before!) ?? []) : (strategy.validate?.(next, before) ?? [])
  if (strategy.longCheck) return yield strategy.longCheck(next, before, isStatus)
  if (!strategy.hasExpressions || isStatus) return judge()
  const input: LongCheckInput = { of: 'built-in', groupResource: resourceKey(info), object: next, before }
  return yield { input, run: judge }
}

function* validate(kind: Kind, object: KubeObject, before?: KubeObject): Steps<StatusCause[]> {
  const { info, strategy } = kind
  const causes: StatusCause[] = [
    ...validateObjectMeta(object, {
      namespaced: info.namespaced,
      ...(strategy.anyFinalizers ? { anyFinalizers: true } : {}),
      ...(strategy.anyGenerateName ? { anyGenerateName: true } : {}),
      ...(strategy.validateName ? { validateName: strategy.validateName.bind(strategy) } : {}),
    }),
  ]
  causes.push(...(yield* judged(kind, object, before)))
  if (strategy.validatesAll) return causes
  // What a rule of the kind said of a field, or of all that is around it, the schema does not say again.
  const said = causes.map((cause) => cause.field ?? '')
  for (const cause of kind.structuralErrors(object)) {
    const field = cause.field ?? ''
    if (!said.some((known) => field === known || field.startsWith(`${known}.`) || field.startsWith(`${known}[`)))
      causes.push(cause)
  }
  return causes
}

/** What to tell whoever wrote this: what is accepted and is most likely a mistake. */
export const warningsOf = (
  { strategy }: Kind,
  next: KubeObject,
  before: KubeObject | undefined,
  subresource: string,
): readonly string[] =>
  [
    ...(subresource === 'status' && before
      ? (strategy.statusWarnings?.(next, before) ?? [])
      : (strategy.warnings?.(next, before) ?? [])),
    ...duplicateOwnerWarnings(next),
  ]

const duplicateOwners = new WeakMap<KubeObject, string>()

const duplicateOwnerWarnings = (next: KubeObject): readonly string[] => {
  const warning = duplicateOwners.get(next)
  return warning === undefined ? [] : [warning]
}

/** What an update is aimed at: the object itself, or one of its subresources that writes it. */
export interface UpdateOptions {
  /** '' for the main resource, else `status`, `scale`, `binding`, … */
  readonly subresource: string
  /** What the rules of some kinds look at. */
  readonly view?: AdmissionView
  /** The group and version that the client named. */
  readonly requested?: ResourceInfo | undefined
}

/** Keeps in the draft what this write may not touch, and fills in what the server keeps. Changes the draft. */
export function prepareForUpdate(
  kind: Kind,
  draft: KubeObject,
  before: KubeObject,
  options: UpdateOptions & { readonly nowMs: number },
): void {
  const { strategy, info } = kind
  const { nowMs } = options
  const metadata = draft.metadata
  const old = before.metadata
  metadata.name = old.name
  if (info.namespaced) metadata.namespace = old.namespace!
  else delete metadata.namespace
  metadata.creationTimestamp = old.creationTimestamp
  // What a write leaves out stays; what it changes is refused by validation.
  metadata.uid ||= old.uid
  if (old.deletionTimestamp !== undefined) metadata.deletionTimestamp = old.deletionTimestamp
  if (old.deletionGracePeriodSeconds !== undefined)
    metadata.deletionGracePeriodSeconds ??= old.deletionGracePeriodSeconds
  copyOrDelete(metadata, old, 'generation')
  delete metadata.resourceVersion
  delete (metadata as JsonObject)['selfLink']
  if (options.subresource === 'status') {
    if (strategy.prepareForStatusUpdate) strategy.prepareForStatusUpdate(draft, before, nowMs)
    else keepAllButStatus(kind, draft, before)
  } else if (options.subresource === '') {
    if (strategy.prepareForUpdate) strategy.prepareForUpdate(draft, before)
    else if (hasStatus(kind)) copyOrDelete(draft, before, 'status')
  } else strategy.prepareForSubresource?.(draft, before, options.subresource, nowMs)
  if (options.subresource !== 'status' && old.generation !== undefined && movesGeneration(kind, draft, before)) {
    draft.metadata.generation = old.generation + 1
  }
}

function copyOrDelete(target: object, source: object, field: string): void {
  const value = (source as JsonObject)[field]
  if (value === undefined) delete (target as JsonObject)[field]
  else (target as JsonObject)[field] = value
}

/** A status write brings status, and metadata as far as its kind lets it. */
function keepAllButStatus(kind: Kind, draft: KubeObject, before: KubeObject): void {
  const { status, metadata } = draft
  for (const field of Object.keys(draft)) if (!(field in before)) delete draft[field]
  for (const [field, value] of Object.entries(before)) if (field !== 'metadata') draft[field] = value
  for (const field of metadataOutsideStatus(resourceKey(kind.info))) copyOrDelete(metadata, before.metadata, field)
  if (status === undefined) delete draft['status']
  else draft['status'] = status
}

function movesGeneration(kind: Kind, next: KubeObject, before: KubeObject): boolean {
  if (kind.strategy.changesGeneration) return kind.strategy.changesGeneration(next, before)
  for (const field of new Set([...Object.keys(next), ...Object.keys(before)])) {
    if (field === 'metadata' || field === 'status' || field === 'apiVersion' || field === 'kind') continue
    if (!deepEqual(next[field], before[field])) return true
  }
  return false
}

/** Validates a prepared draft and decides the update; the removal of the last finalizer of a dying object ends it. */
export function* decideUpdate(kind: Kind, next: KubeObject, before: KubeObject, options: UpdateOptions): Steps<Decision> {
  const { info, strategy } = kind
  const causes: StatusCause[] = [
    ...(strategy.validateAgainst?.(next, before, options.view ?? nothingElse, options.subresource) ?? []),
  ]
  if (options.subresource === 'status') {
    causes.push(...validateObjectMetaUpdate(next, before), ...(yield* judged(kind, next, before, true)))
  } else {
    causes.push(...(yield* validate(kind, next, before)), ...validateObjectMetaUpdate(next, before))
    causes.push(...(strategy.validateUpdate?.(next, before, options.subresource, options.requested) ?? []))
  }
  if (causes.length > 0) return refused(invalid(info.group, info.kind, before.metadata.name, causes))
  if (endsLife(kind, next)) {
    return { kind: 'event', event: { type: `${info.kind}Deleted`, object: next, deleted: true } }
  }
  if (sameButForManagedFieldsTime(next, before)) return { kind: 'unchanged', object: before }
  const type =
    strategy.eventType?.(next, before, options.subresource) ?? genericEventType(info.kind, options.subresource)
  return { kind: 'event', event: { type, object: next, deleted: false } }
}

const genericEventType = (kind: string, subresource: string): string =>
  subresource === 'status'
    ? `${kind}StatusUpdated`
    : subresource === 'scale'
      ? `${kind}Scaled`
      : subresource === 'binding'
        ? `${kind}Bound`
        : `${kind}Updated`

/** Whether an object that is being deleted has nothing left to wait for. */
function endsLife(kind: Kind, object: KubeObject): boolean {
  const { metadata } = object
  if (metadata.deletionTimestamp === undefined) return false
  if ((metadata.finalizers?.length ?? 0) > 0) return false
  if (kind.info.kind === 'Namespace' && (object['spec']?.finalizers?.length ?? 0) > 0) return false
  return (metadata.deletionGracePeriodSeconds ?? 0) === 0
}

function sameButForManagedFieldsTime(next: KubeObject, before: KubeObject): boolean {
  if (!deepEqual({ ...next, metadata: undefined }, { ...before, metadata: undefined })) return false
  const strip = (metadata: ObjectMeta): JsonObject => ({
    ...metadata,
    resourceVersion: undefined,
    managedFields: metadata.managedFields?.map((entry) => ({ ...entry, time: undefined })),
  })
  return deepEqual(strip(next.metadata), strip(before.metadata))
}

/** DeleteOptions as the API takes them, whether from the body or the query. */
export interface DeleteCommand {
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground'
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
}

/** Decides a deletion: at once, or by marking the object and waiting for its finalizers and its grace period. */
export function decideDelete(
  kind: Kind,
  before: KubeObject,
  command: DeleteCommand,
  context: Pick<DecisionContext, 'nowMs'>,
): Decision {
  const { info, strategy } = kind
  const { metadata } = before
  const { preconditions } = command
  if (preconditions?.uid !== undefined && preconditions.uid !== metadata.uid) {
    return refused(
      conflict(
        { group: info.group, resource: info.kind },
        metadata.name,
        `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
      ),
    )
  }
  if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== metadata.resourceVersion) {
    return refused(
      conflict(
        { group: info.group, resource: info.kind },
        metadata.name,
        `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
      ),
    )
  }
  if (strategy.markDeleted && metadata.deletionTimestamp === undefined) {
    const marked = cloneJson(before)
    delete marked.metadata.resourceVersion
    marked.metadata.deletionTimestamp = rfc3339(context.nowMs)
    strategy.markDeleted(marked, context.nowMs)
    return { kind: 'event', event: { type: `${info.kind}DeletionRequested`, object: marked, deleted: false } }
  }
  const finalizers = finalizersAfterDelete(metadata.finalizers ?? [], command.propagationPolicy)
  const grace = strategy.gracePeriodSeconds?.(before, command.gracePeriodSeconds) ?? 0
  const next = cloneJson(before)
  delete next.metadata.resourceVersion
  if (finalizers.length > 0) next.metadata.finalizers = finalizers
  else delete next.metadata.finalizers

  if (metadata.deletionTimestamp === undefined) {
    next.metadata.deletionTimestamp = rfc3339(context.nowMs + grace * 1_000)
    if (info.kind !== 'Namespace') next.metadata.deletionGracePeriodSeconds = grace
    if (metadata.generation !== undefined) next.metadata.generation = metadata.generation + 1
    if (info.kind === 'Namespace') next['status'] = { ...next['status'], phase: 'Terminating' }
  } else if (strategy.gracePeriodSeconds && grace < (metadata.deletionGracePeriodSeconds ?? 0)) {
    // A second delete may only shorten the grace; the end moves with it.
    const started = Math.max(
      Date.parse(metadata.creationTimestamp),
      Date.parse(metadata.deletionTimestamp) - (metadata.deletionGracePeriodSeconds ?? 0) * 1_000,
    )
    next.metadata.deletionTimestamp = rfc3339(grace === 0 ? context.nowMs : started + grace * 1_000)
    next.metadata.deletionGracePeriodSeconds = grace
  }
  if (endsLife(kind, next)) {
    // An object that goes at once never had a deletionTimestamp that anyone could see.
    // A kind with a period of grace shows that there was none.
    const goesAtOnce = metadata.deletionTimestamp === undefined && !strategy.gracePeriodSeconds
    const last = goesAtOnce ? cloneJson(before) : next
    delete last.metadata.resourceVersion
    return { kind: 'event', event: { type: `${info.kind}Deleted`, object: last, deleted: true } }
  }
  if (deepEqual(next.metadata, { ...before.metadata, resourceVersion: undefined }))
    return { kind: 'unchanged', object: before }
  return { kind: 'event', event: { type: `${info.kind}DeletionRequested`, object: next, deleted: false } }
}

function finalizersAfterDelete(finalizers: readonly string[], policy: DeleteCommand['propagationPolicy']): string[] {
  if (policy === undefined) return [...finalizers]
  const others = finalizers.filter((finalizer) => finalizer !== 'orphan' && finalizer !== 'foregroundDeletion')
  if (policy === 'Orphan') return [...others, 'orphan']
  if (policy === 'Foreground') return [...others, 'foregroundDeletion']
  return others
}

/** The refusal of a write whose resourceVersion is not the present one. */
export const staleVersion = (info: ResourceInfo, name: string): Status => conflict(info, name, objectModified)

/** Checks what a draft says of itself against the request: kind, name, namespace, and sets what it leaves out. */
export function checkIdentity(
  info: ResourceInfo,
  draft: JsonObject,
  request: { readonly namespace: string; readonly name?: string; readonly create: boolean },
): Status | undefined {
  const apiVersion = apiVersionOf(info.group, info.version)
  draft['apiVersion'] ??= apiVersion
  draft['kind'] ??= info.kind
  if (draft['apiVersion'] !== apiVersion) {
    return badRequest(
      `the API version in the data (${String(draft['apiVersion'])}) does not match the expected API version (${apiVersion})`,
    )
  }
  if (draft['kind'] !== info.kind) {
    return badRequest(
      `${String(draft['kind'])} in version "${info.version}" cannot be handled as a ${info.kind}: no kind "${String(draft['kind'])}" is registered for version "${apiVersion}" in scheme "shiplog"`,
    )
  }
  draft['metadata'] ??= {}
  const metadata = draft['metadata'] as JsonObject
  const elsewhere = checkNamespace(metadata, info.namespaced ? request.namespace : '')
  if (elsewhere || request.create || request.name === undefined) return elsewhere
  return checkName(metadata, request.name)
}

/** Takes the request's namespace for an object that names none; what has no namespace does not keep one. */
export function checkNamespace(metadata: JsonObject, namespace: string): Status | undefined {
  if (namespace === '') {
    delete metadata['namespace']
    return undefined
  }
  metadata['namespace'] ||= namespace
  return metadata['namespace'] === namespace
    ? undefined
    : badRequest('the namespace of the provided object does not match the namespace sent on the request')
}

/** What is written at a URL with a name says that name itself. */
export function checkName({ name }: JsonObject, expected: string): Status | undefined {
  if (!name)
    return badRequest(`the name of the object (${expected} based on URL) was undeterminable: name must be provided`)
  return name === expected
    ? undefined
    : badRequest(`the name of the object (${String(name)}) does not match the name on the URL (${expected})`)
}

export const missing = (info: ResourceInfo, name: string): Status => notFound(info, name)

export const resourceKey = (info: ResourceInfo): string => groupResourceOf(info.storageGroup, info.resource)
