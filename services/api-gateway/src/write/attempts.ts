// One attempt at each kind of write: the stages of libs/domain/src/write/stages.ts on one basis, then the append. `raced`
// means that the log refused it because somebody was faster, and that the decision must be made again.
import { cloneJson } from '@shiplog/api/clone-json'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf, type ResourceInfo } from '@shiplog/api/schema/schema'
import { ApiError, decidedElsewhere, deleted, nameUsedBefore, notFound, type StatusCause } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, Charge } from '@shiplog/domain/admission'
import { builtInCatalogue } from '@shiplog/domain/catalogue/catalogue'
import type { DeleteCommand, Kind } from '@shiplog/domain/decider'
import type { DecisionContext } from '@shiplog/domain/strategy'
import { type AdmissionNotes, type AsyncAdmissionPlugin, changesText, createAdmissionNotes } from '@shiplog/domain/write/async-admission'
import {
  admitAgain,
  annotationsOf,
  attributesOf,
  chargesOf,
  type DecidedWrite,
  mutateCreate,
  mutateUpdate,
  settleCreateSteps,
  settleDelete,
  settleUpdateSteps,
  type Write,
} from '@shiplog/domain/write/stages'
import { type LongCheck, settledBy } from '@shiplog/domain/write/long-check'
import type { Append } from '@shiplog/events/event-log'
import { keepsOnlyLast } from '@shiplog/feed/stream-of'
import { objectSubject } from '@shiplog/events/subjects'
import type { GatewayRequest, WriteOutcome } from '../request/gateway-request.ts'
import { dryRunOf } from '../request/request-options.ts'
import type { SubjectState } from '../store/projection.ts'
import type { Version } from '../store/version.ts'
import { decideOnce, mattersOf } from '@shiplog/domain/write/rounds'
import type { Stream, Streams } from '../store/streams.ts'
import type { AskedOptions } from './asked-write.ts'
import { askToMutate, askToValidate } from './asking.ts'
import { append, type Appended, type Charged, type DecidedEvent } from './append.ts'
import type { DecisionBasis } from './decision-basis.ts'
import { alreadyStamped, stampFor } from './field-ownership.ts'
import { guardAppend, guardSubject, onceKey } from './guards.ts'
import type { Mutation } from './mutation.ts'
import type { Attempted } from './optimistic.ts'
import { checkVersion } from '@shiplog/domain/write/preconditions'

export interface AttemptDeps {
  readonly streams: Streams
  readonly admission: readonly AdmissionPlugin[]
  contextOf(request: GatewayRequest): DecisionContext
  /** Judges what does not fit into one turn of the event loop. */
  makeLongCheck(check: LongCheck): Promise<readonly StatusCause[]>
}

/** What a request is aimed at, and who else has a say in it. */
export interface Target {
  readonly request: GatewayRequest
  readonly kind: Kind
  readonly groupResource: string
  readonly stream: Stream
  readonly asyncAdmission: readonly AsyncAdmissionPlugin[]
}

/** What a create begins with, decoded once. */
export interface CreateDraft {
  readonly draft: KubeObject
  readonly warnings: readonly string[]
  /** The draft brings its managed fields. */
  readonly managed?: 'done'
}

export type Created = WriteOutcome | { readonly taken: string; readonly generated: boolean }

export async function attemptCreate(
  deps: AttemptDeps,
  target: Target,
  prepared: CreateDraft,
  basis: DecisionBasis,
): Promise<Attempted<Created> | 'raced'> {
  const { request, groupResource } = target
  const closed = request.kind.custom?.closed
  if (closed) throw new ApiError(closed)
  const write = writeOf(deps, target, basis)
  const draft = cloneJson(prepared.draft)
  const stamp = prepared.managed ? alreadyStamped : stampFor(request, undefined, write.context.nowMs)
  const { generated } = mutateCreate(write, draft, stamp)
  const notes = createAdmissionNotes()
  if (isAsked(target)) await mutateNamed(write, target, draft, generated, notes)
  const { name } = draft.metadata
  const attributes = attributesOf(write, 'CREATE', name, draft, undefined)
  const subject = subjectOf(request.resource, request.namespace, name)
  const isTaken = basis.current(groupResource, request.namespace, name) !== undefined
  const tombstone = basis.tombstone(subject)
  annotate(write, request, attributes)
  const settled = await settledBy(settleCreateSteps(write, draft, { isTaken }), deps.makeLongCheck)
  const later = isAsked(target) ? await validateAsync(target, attributes, notes) : []
  if (isTaken) return { stored: false, result: { taken: name, generated } }
  const decided = isAsked(target) ? { ...settled, charges: chargesOf(write, attributes, settled) } : settled
  if (tombstone && request.onlyNew) throw new ApiError(nameUsedBefore(request.resource, name))
  const seen = basisOf(target)
  if (tombstone && seen !== undefined && tombstone.sequence > seen) {
    throw new ApiError(decidedElsewhere(request.resource, name, tombstone.sequence))
  }
  const warnings = [...prepared.warnings, ...decided.warnings, ...later]
  if (write.dryRun) return { stored: false, result: { code: 201, object: draft, sequence: 0, warnings } }
  const appended = await store(deps, target, basis, { subject, decided, expected: tombstone ?? unused, notes })
  if (!appended) return 'raced'
  return {
    stored: true,
    result: { code: 201, object: withVersion(draft, appended.sequence), ...appended, warnings },
  }
}

/** What a component had seen when it decided: it cannot have meant to make again what has gone since. */
const basisOf = ({ request, groupResource }: Target): number | undefined =>
  keepsOnlyLast(groupResource) ? undefined : request.provenance.basis

export async function attemptModify(
  deps: AttemptDeps,
  target: Target,
  mutate: Mutation,
  code: number,
  basis: DecisionBasis,
): Promise<Attempted<WriteOutcome | 'missing'> | 'raced'> {
  const { request, kind, groupResource } = target
  const { resource, namespace, name } = request
  const version = basis.current(groupResource, namespace, name)
  if (!version) return { stored: false, result: 'missing' }
  const { before, isOutdated } = beforeOf(request, version)
  const write = { ...writeOf(deps, target, basis), isOutdated }
  const { draft, managed } = mutate(before, kind)
  checkVersion(resource, kind, before, draft)
  mutateUpdate(write, draft, before, managed ? alreadyStamped : stampFor(request, before, write.context.nowMs))
  const attributes = attributesOf(write, 'UPDATE', name, draft, before)
  const notes = createAdmissionNotes()
  if (isAsked(target)) await mutateAsync(write, target, attributes, notes)
  annotate(write, request, attributes)
  const settled = await settledBy(settleUpdateSteps(write, draft, before), deps.makeLongCheck)
  const later = isAsked(target) ? await validateAsync(target, attributes, notes) : []
  const decided = isAsked(target) ? { ...settled, charges: chargesOf(write, attributes, settled) } : settled
  const warnings = [...decided.warnings, ...later]
  if (!decided.event) return { stored: false, result: { code, object: before, sequence: 0, warnings } }
  if (write.dryRun) {
    return { stored: false, result: { code, object: withVersion(draft, version.sequence), sequence: 0, warnings } }
  }
  const subject = subjectOf(resource, namespace, name)
  const fence = fenceOf(request, name, basis)
  const appended = await store(deps, target, basis, { subject, decided, expected: version, fence, notes })
  if (!appended) return 'raced'
  const object = withVersion(decided.event.object, appended.sequence)
  return { stored: true, result: { code, object, ...appended, warnings } }
}

export async function attemptDelete(
  deps: AttemptDeps,
  target: Target,
  command: DeleteCommand & { readonly dryRun: boolean },
  basis: DecisionBasis,
): Promise<Attempted<WriteOutcome> | 'raced'> {
  const { request, groupResource } = target
  const { resource, namespace, name } = request
  const version = basis.current(groupResource, namespace, name)
  if (!version) throw new ApiError(notFound(resource, name))
  const write = { ...writeOf(deps, target, basis), dryRun: command.dryRun }
  const { before } = beforeOf(request, version)
  const attributes = attributesOf(write, 'DELETE', name, undefined, before)
  const notes = createAdmissionNotes()
  if (isAsked(target)) await mutateAsync(write, target, attributes, notes, { command })
  const decided = settleDelete(write, before, command)
  const later = isAsked(target) ? await validateAsync(target, attributes, notes, { command }) : []
  const warnings = [...decided.warnings, ...later]
  if (!decided.event) return { stored: false, result: { code: 200, object: before, sequence: 0, warnings } }
  if (command.dryRun)
    return { stored: false, result: deletionAnswer(target, before, decided, version.sequence, warnings) }
  const subject = subjectOf(resource, namespace, name)
  const fence = fenceOf(request, name, basis)
  const appended = await store(deps, target, basis, { subject, decided, expected: version, fence })
  if (!appended) return 'raced'
  return { stored: true, result: deletionAnswer(target, before, decided, appended.sequence, warnings, appended) }
}

/** The object as it is, in the version that is stored today; outdated when it is stored in another one. */
export function beforeOf({ kind }: GatewayRequest, version: Version): { before: KubeObject; isOutdated: boolean } {
  const stored = version.parse()
  const before = kind.toStorage(kind.upgraded(stored, version.sequence))
  return { before, isOutdated: before.apiVersion !== stored.apiVersion }
}

const unused: SubjectState = { sequence: 0, checksum: '' }

export const writeOf = (deps: AttemptDeps, { request, kind, asyncAdmission }: Target, basis: DecisionBasis): Write => ({
  kind,
  requested: request.resource,
  subresource: request.subresource,
  namespace: request.namespace,
  dryRun: dryRunOf(request),
  context: deps.contextOf(request),
  admission: deps.admission,
  reader: basis,
  held: basis,
  chargesLater: asyncAdmission.length > 0,
})

export function annotate(write: Write, request: GatewayRequest, attributes: AdmissionAttributes): void {
  if (!request.annotate) return
  for (const [key, value] of Object.entries(annotationsOf(write, attributes))) request.annotate(key, value)
}

/** Whether others have a say in the write. */
const isAsked = ({ asyncAdmission }: Target): boolean => asyncAdmission.length > 0

/** Whether the write waits for somebody outside of this process. */
export const waitsForOthers = ({ asyncAdmission }: Target): boolean => asyncAdmission.some((plugin) => !plugin.inPlace)

/** All who may change the draft, one after another; once more when one of them asks for it. */
async function mutateAsync(
  write: Write,
  target: Target,
  attributes: AdmissionAttributes,
  notes: AdmissionNotes,
  options: AskedOptions = {},
): Promise<void> {
  const setDefaults = (): void => void (attributes.object && target.kind.strategy.setDefaults?.(attributes.object))
  await askToMutate(target, attributes, notes, options, {
    // What others filled in may ask for defaults of its own.
    after: setDefaults,
    again: () => admitAgain(write, attributes),
  })
  // What they made of it is judged in the version of the request. Now nobody waits for us; and were the write begun anew for it,
  // they might make something else of it.
  const { object } = attributes
  const { converting, kind } = target.request
  if (object && converting && waitsForOthers(target)) await converting(() => kind.fromStorage(object))
}

/** A name that was made up is not told yet, as upstream, and is kept unless somebody gives another. */
async function mutateNamed(
  write: Write,
  target: Target,
  draft: KubeObject,
  generated: boolean,
  notes: AdmissionNotes,
): Promise<void> {
  const { name } = draft.metadata
  if (generated) delete (draft.metadata as { name?: string }).name
  await mutateAsync(write, target, attributesOf(write, 'CREATE', generated ? '' : name, draft, undefined), notes)
  draft.metadata.name ||= name
}

function validateAsync(
  target: Target,
  attributes: AdmissionAttributes,
  notes: AdmissionNotes,
  options: AskedOptions = {},
): Promise<readonly string[]> {
  return askToValidate(target, attributes, notes, options)
}

interface Storing {
  readonly subject: string
  readonly decided: DecidedWrite
  readonly expected: SubjectState
  readonly fence?: readonly Append[]
  readonly notes?: AdmissionNotes
}

async function store({ streams }: AttemptDeps, target: Target, basis: DecisionBasis, storing: Storing): Promise<Appended | undefined> {
  const event = eventOf(target, basis, storing)
  return event && (await append(streams, target.stream, event))
}

/** Undefined when what it changes besides has moved since. */
export function eventOf(
  { request, kind }: Target,
  basis: DecisionBasis,
  { decided, notes, fence = [], ...rest }: Storing,
): DecidedEvent | undefined {
  const charged = decided.charges.flatMap(
    (charge) => chargedOf(charge, builtInCatalogue().storage(charge.groupResource)!, basis) ?? [],
  )
  if (charged.length < decided.charges.length) return undefined
  return {
    ...rest,
    request,
    kind,
    basis,
    fence,
    event: decided.event!,
    allocation: decided.allocation,
    charged,
    admission: notes && changesText(notes.changes),
  }
}

/** The object's version that was charged; undefined when it has moved since. */
function chargedOf(
  { groupResource, object }: Charge,
  resource: ResourceInfo,
  basis: DecisionBasis,
): Charged | undefined {
  const { namespace = '', name, resourceVersion } = object.metadata
  const expected = basis.current(groupResource, namespace, name)
  if (!expected || String(expected.sequence) !== resourceVersion) return undefined
  return { groupResource, object, expected, subject: subjectOf(resource, namespace, name) }
}

/** The guards that a fenced request takes with it. Throws when another replica was faster. */
export function fenceOf(request: GatewayRequest, name: string, basis: DecisionBasis): readonly Append[] {
  const { once, resource, user, requestId } = request
  if (!once) return []
  return mattersOf(once).map((one) => {
    const key = onceKey(one.matter)
    const state = basis.guard(guardSubject(key))
    const outcome = decideOnce(one, request.provenance.basis ?? 0, state)
    if ('seeFirst' in outcome) throw new ApiError(decidedElsewhere(resource, name, outcome.seeFirst))
    return guardAppend(key, outcome.holder, state, { actor: user.name, requestId })
  })
}

/** A deletion answers with the object where it stays (or its kind is shown so), else with a Status. */
function deletionAnswer(
  { request, kind }: Target,
  before: KubeObject,
  { event }: DecidedWrite,
  sequence: number,
  warnings: readonly string[],
  appended?: Appended,
): WriteOutcome {
  if (!event!.deleted || kind.strategy.returnsDeleted) {
    return {
      code: 200,
      object: withVersion(event!.object, sequence),
      sequence: appended?.sequence ?? 0,
      ...(appended ? { bytes: appended.bytes } : {}),
      warnings,
    }
  }
  const { group, resource } = request.resource
  const gone = deleted({
    name: before.metadata.name,
    ...(group ? { group } : {}),
    kind: resource,
    uid: before.metadata.uid,
  })
  return {
    code: 200,
    object: undefined,
    answer: gone as unknown as JsonObject,
    sequence: appended?.sequence ?? 0,
    warnings,
  }
}

const withVersion = (object: KubeObject, sequence: number): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: String(sequence) },
})

export const subjectOf = (resource: ResourceInfo, namespace: string, name: string): string =>
  objectSubject({ group: resource.storageGroup, resource: resource.resource, namespace, name })

export const groupResourceOfStorage = ({ storageGroup, resource }: ResourceInfo): string =>
  groupResourceOf(storageGroup, resource)
