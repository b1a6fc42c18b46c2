// The stages of a write, in their order, for every kind. Pure: what a stage may look at is in `Write`, what it changes is the
// draft; the `…Steps` hand out what takes too long for one turn (long-check.ts). The gateway, the tests of kinds, the comparison with upstream and the fake cluster all run these.
//
//   create   default → name → stamp → mutate  ┊  prepare → allocate → decide → validate → charge  ┊  append
//   update   default → stamp → mutate         ┊  prepare → allocate → decide → validate → charge  ┊  append
//   delete                                    ┊  admit → decide → release                         ┊  append
//
// `stamp` brings managed fields up to date. At `┊` the caller may wait for others (webhooks): whatever they take into
// account is checked again by the append's compare-and-set. Every refusal is thrown as an ApiError.
import { required } from '@shiplog/api/field-errors'
import type { KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf, type ResourceInfo } from '@shiplog/api/schema/schema'
import { ApiError, invalid } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView, Charge } from '../admission.ts'
import {
  decideCreate,
  decideDelete,
  decideUpdate,
  dedupeOwners,
  type DeleteCommand,
  generateName,
  type Kind,
  type ObjectEvent,
  prepareForCreate,
  prepareForUpdate,
  warningsOf,
} from '../decider.ts'
import { warningsFor } from '../features/warnings.ts'
import type { AllocationChange, Allocations, DecisionContext } from '../strategy.ts'
import { settledNow, type Steps } from './long-check.ts'

/** A write, and everything that its stages may look at. */
export interface Write {
  readonly kind: Kind
  /** The resource in the version that the client named: newer ones of a group may be stricter. Default: the stored one. */
  readonly requested?: ResourceInfo
  /** '' for the object itself. */
  readonly subresource: string
  readonly namespace: string
  readonly dryRun: boolean
  /** The object is stored in a form of the past: an update that changes nothing stores it anew. */
  readonly isOutdated?: boolean
  readonly context: DecisionContext
  readonly admission: readonly AdmissionPlugin[]
  readonly reader: AdmissionView
  readonly held: Allocations
  /** Others judge the write after these stages: what it is charged to is settled after them, by `chargesOf`. */
  readonly chargesLater?: boolean
}

/** What was decided: what is to be appended, and what goes with it. */
export interface DecidedWrite {
  /** Undefined when the write changes nothing. */
  readonly event: ObjectEvent | undefined
  readonly allocation: AllocationChange
  /** Other objects that change in the same atomic group: quotas that count the write. */
  readonly charges: readonly Charge[]
  readonly warnings: readonly string[]
}

/** Brings the draft's managed fields up to date. */
export type Stamp = (draft: KubeObject) => void

export const noAllocation: AllocationChange = { take: [], release: [] }

/** Default, name, stamp, mutate. Changes the draft; tells whether its name was generated. */
export function mutateCreate(write: Write, draft: KubeObject, stamp: Stamp): { readonly generated: boolean } {
  const { metadata } = draft
  write.kind.strategy.setDefaults?.(draft)
  const generated = !metadata.name && Boolean(metadata.generateName)
  if (generated) metadata.name = generateName(metadata.generateName!, write.context)
  if (!metadata.name) {
    const { group, kind } = write.kind.info
    throw new ApiError(invalid(group, kind, '', [required('metadata.name', 'name or generateName is required')]))
  }
  dedupeOwners(draft)
  stamp(draft)
  admit(write, 'admit', attributesOf(write, 'CREATE', metadata.name, draft, undefined))
  return { generated }
}

/**
 * Prepare, allocate, decide, validate. What is invalid is said to be so before the name is said to be taken; what the object
 * would take is not taken for a name that is.
 */
export const settleCreate = (...args: Parameters<typeof settleCreateSteps>): DecidedWrite =>
  settledNow(settleCreateSteps(...args))

export function* settleCreateSteps(
  write: Write,
  draft: KubeObject,
  options: { readonly isTaken: boolean },
): Steps<DecidedWrite> {
  const { kind, requested, context, held } = write
  prepareForCreate(kind, draft, context)
  const allocation = options.isTaken
    ? noAllocation
    : (kind.strategy.allocate?.(draft, undefined, held, context) ?? noAllocation)
  const decision = yield* decideCreate(kind, draft, requested, write.reader)
  if (decision.kind === 'refused') throw new ApiError(decision.status)
  const attributes = attributesOf(write, 'CREATE', draft.metadata.name, draft, undefined)
  admit(write, 'validate', attributes)
  const charges = options.isTaken || write.chargesLater ? [] : charge(write, attributes)
  const event = decision.kind === 'event' ? decision.event : undefined
  return { event, allocation, charges, warnings: allWarnings(write, attributes) }
}

/** Default, stamp, mutate. Changes the draft. */
export function mutateUpdate(write: Write, draft: KubeObject, before: KubeObject, stamp: Stamp): void {
  write.kind.strategy.setDefaults?.(draft)
  dedupeOwners(draft)
  stamp(draft)
  admit(write, 'admit', attributesOf(write, 'UPDATE', before.metadata.name, draft, before))
}

/** Prepare, allocate, decide, validate; an update that ends the object gives back what it held. */
export const settleUpdate = (...args: Parameters<typeof settleUpdateSteps>): DecidedWrite =>
  settledNow(settleUpdateSteps(...args))

export function* settleUpdateSteps(write: Write, draft: KubeObject, before: KubeObject): Steps<DecidedWrite> {
  const { kind, subresource, context, held } = write
  prepareForUpdate(kind, draft, before, { subresource, nowMs: context.nowMs })
  const changed =
    subresource === '' ? (kind.strategy.allocate?.(draft, before, held, context) ?? noAllocation) : noAllocation
  const decision = yield* decideUpdate(kind, draft, before, { subresource, requested: write.requested, view: write.reader })
  if (decision.kind === 'refused') throw new ApiError(decision.status)
  const attributes = attributesOf(write, 'UPDATE', before.metadata.name, draft, before)
  admit(write, 'validate', attributes)
  const warnings = allWarnings(write, attributes)
  const event = decision.kind === 'event' ? decision.event : write.isOutdated ? storedAnew(kind, draft) : undefined
  if (!event) return { ...nothingElse, warnings }
  if (event.deleted) return { event, allocation: released(write, before), charges: [], warnings }
  return { event, allocation: changed, charges: write.chargesLater ? [] : charge(write, attributes), warnings }
}

const storedAnew = ({ info }: Kind, object: KubeObject): ObjectEvent => ({
  type: `${info.kind}Updated`,
  object,
  deleted: false,
})

/** Admit, decide, release. */
export function settleDelete(write: Write, before: KubeObject, command: DeleteCommand): DecidedWrite {
  const { kind, context } = write
  const attributes = attributesOf(write, 'DELETE', before.metadata.name, undefined, before)
  admit(write, 'admit', attributes)
  admit(write, 'validate', attributes)
  const { propagationWhenUnsaid, warnsOfUnsaidPropagation } = kind.strategy
  const isUnsaid = command.propagationPolicy === undefined
  const decision = decideDelete(
    kind,
    before,
    isUnsaid && propagationWhenUnsaid ? { ...command, propagationPolicy: propagationWhenUnsaid } : command,
    context,
  )
  if (decision.kind === 'refused') throw new ApiError(decision.status)
  const warnings = isUnsaid && warnsOfUnsaidPropagation ? [warnsOfUnsaidPropagation] : []
  if (decision.kind === 'unchanged') return { ...nothingElse, warnings }
  const { event } = decision
  return { event, allocation: event.deleted ? released(write, before) : noAllocation, charges: [], warnings }
}

/** A write that changes nothing. */
const nothingElse = { event: undefined, allocation: noAllocation, charges: [] } as const

const released = ({ kind, held, context }: Write, before: KubeObject): AllocationChange =>
  kind.strategy.allocate?.(undefined, before, held, context) ?? noAllocation

/** What upstream would warn of, kinds first, and what nothing here acts on. */
const allWarnings = (write: Write, attributes: AdmissionAttributes): readonly string[] => {
  const { kind, subresource, context, admission, reader } = write
  const { before } = attributes
  const next = attributes.object!
  const resource = groupResourceOf(kind.info.group, kind.info.resource)
  return [
    ...warningsOf(kind, next, before, subresource),
    ...admission.flatMap((plugin) => plugin.warnings?.(attributes, reader) ?? []),
    ...warningsFor({ resource, subresource, user: context.user.name }, next, before),
  ]
}

/** What admission, of whatever sort, is told of a write. */
export const attributesOf = (
  { kind, subresource, namespace, dryRun, context }: Write,
  operation: AdmissionAttributes['operation'],
  name: string,
  object: KubeObject | undefined,
  before: KubeObject | undefined,
): AdmissionAttributes => ({
  operation,
  group: kind.info.group,
  resource: kind.info.resource,
  subresource,
  namespace,
  name,
  object,
  before,
  user: context.user,
  dryRun,
})

function admit({ admission, reader }: Write, phase: 'admit' | 'validate', attributes: AdmissionAttributes): void {
  for (const plugin of admission) plugin[phase]?.(attributes, reader)
}

/** What the audit log is to say of a write. */
export const annotationsOf = ({ admission, reader }: Write, attributes: AdmissionAttributes): Readonly<Record<string, string>> =>
  Object.assign({}, ...admission.map((plugin) => plugin.annotations?.(attributes, reader)))

/** Mutating admission once more, after others have changed the draft. */
export const admitAgain = (write: Write, attributes: AdmissionAttributes): void => admit(write, 'admit', attributes)

/** What else changes with a decided write that others have judged. */
export const chargesOf = (write: Write, attributes: AdmissionAttributes, decided: DecidedWrite): readonly Charge[] =>
  decided.event && !decided.event.deleted ? charge(write, attributes) : []

/** What else changes with the write. */
const charge = (write: Write, attributes: AdmissionAttributes): readonly Charge[] =>
  write.admission.flatMap((plugin) => plugin.charge?.(attributes, write.reader, write.context.nowMs) ?? [])
