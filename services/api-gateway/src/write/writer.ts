// The write path: one pipeline for every write of every kind. Body → decoding → defaults → admission → decision → one
// event (and its guards) in the log. A decision is made against the projection; the log's compare-and-set says whether
// it was right, and if not, it is made again.
import { schemaVersionOf, servedBytes, storedBytes } from '@shiplog/api/codec'
import { structuralErrors } from '@shiplog/api/decode/decode'
import type { JsonObject, KubeObject, ManagedFieldsEntry } from '@shiplog/api/kube-object'
import { updateManagedFields } from '@shiplog/api/apply/managed-fields'
import { apiVersionOf, groupResourceOf, type ResourceInfo, type SchemaRegistry } from '@shiplog/api/schema/schema'
import {
  alreadyExists,
  ApiError,
  badRequest,
  conflict,
  decidedElsewhere,
  generateNameConflict,
  invalid,
  isApiError,
  nameUsedBefore,
  notFound,
  requestEntityTooLarge,
  serviceUnavailable,
  deleted,
} from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView } from '@shiplog/domain/admission'
import {
  decideCreate,
  decideDelete,
  decideUpdate,
  type Decision,
  type DeleteCommand,
  generateName,
  type Kind,
  type ObjectEvent,
  prepareForCreate,
  prepareForUpdate,
  staleVersion,
  warningsOf,
} from '@shiplog/domain/decider'
import type { AllocationChange, DecisionContext } from '@shiplog/domain/strategy'
import { strategyFor } from '@shiplog/domain/strategies'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import { encodeEnvelope } from '@shiplog/events/envelope'
import type { Append } from '@shiplog/events/event-log'
import { encodeToken, objectSubject, subjectBytesMax } from '@shiplog/events/subjects'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { GatewayRequest, WriteOutcome } from '../request/gateway-request.ts'
import { createPatcher } from './patcher.ts'
import { keyOf } from '../store/projection.ts'
import { fromStorage, type RequestBodies, severalVersions, versionConverter } from '../request/request-body.ts'
import { dryRunOf, managerOf } from '../request/request-options.ts'
import { decideOnce } from '../store/rounds.ts'
import type { Stream, Streams } from '../store/streams.ts'
import type { Version } from '../store/version.ts'

/**
 * How often a write is decided again after others were faster, before the client is told. Two gateways that write one
 * object without a pause lose about three of four times: 16 times in a row happens, 64 times does not.
 */
export const decideAttemptsMax = 64
/** How often another generated name is tried (upstream: 8). */
export const generateNameAttemptsMax = 8
/** Largest object, as stored: etcd's default request limit. */
export const objectBytesMax = 1_572_864

export interface WriterDeps {
  readonly registry: SchemaRegistry
  readonly bodies: RequestBodies
  readonly streams: Streams
  readonly admission: readonly AdmissionPlugin[]
  readonly view: AdmissionView
  readonly clock: Clock
  readonly ids: Ids
}

/** An event that the log holds now, as clients see it. */
interface Appended {
  readonly sequence: number
  readonly bytes: Buffer
}

/** What one decision came to; only what was stored is sure to rest on the object's newest version. */
interface Decided<Result> {
  readonly stored: boolean
  readonly result: Result
}

/** Turns the object as it is now into the draft that should be. `undefined` before means that it does not exist. */
export type Mutation = (
  before: KubeObject,
  kind: Kind,
) => { draft: KubeObject; managed?: 'done' } | Promise<{ draft: KubeObject; managed?: 'done' }>

export interface ModifyOptions {
  /** HTTP code of success; default 200. */
  readonly code?: number
  /** What to do when there is no such object; by default it is a 404. */
  readonly onMissing?: () => Promise<WriteOutcome>
}

export interface Writer {
  create(request: GatewayRequest): Promise<WriteOutcome>
  update(request: GatewayRequest): Promise<WriteOutcome>
  patch(request: GatewayRequest): Promise<WriteOutcome>
  delete(request: GatewayRequest): Promise<WriteOutcome>
  deleteOne(
    request: GatewayRequest,
    name: string,
    command: DeleteCommand & { readonly dryRun: boolean },
  ): Promise<WriteOutcome>
  /** A write of an existing object by a rule of its own (scale, binding, …). */
  modify(request: GatewayRequest, mutate: Mutation, options?: ModifyOptions): Promise<WriteOutcome>
  /** The kind of a request's resource in its storage version. */
  kindOf(resource: ResourceInfo): Kind
}

export function createWriter(deps: WriterDeps): Writer {
  const { registry, bodies, streams, clock, ids } = deps
  const kinds = new Map<string, Kind>()
  const busy = new Map<string, Promise<void>>()

  function kindOf(resource: ResourceInfo): Kind {
    const key = groupResourceOf(resource.storageGroup, resource.resource)
    let kind = kinds.get(key)
    if (!kind) {
      const info = registry.storage(key) ?? resource
      kind = {
        info,
        strategy: strategyFor(key),
        structuralErrors: (object) => structuralErrors(registry, info.definition, object),
      }
      kinds.set(key, kind)
    }
    return kind
  }

  /** Who manages what, as the version of the request has it. */
  function managedFieldsOf(
    { resource, subresource }: GatewayRequest,
    before: KubeObject | undefined,
    next: KubeObject,
    manager: string,
    nowMs: number,
  ): ManagedFieldsEntry[] {
    return updateManagedFields({
      registry,
      definition: resource.definition,
      before: before && fromStorage(resource, before),
      next: fromStorage(resource, next),
      manager,
      apiVersion: apiVersionOf(resource.group, resource.version),
      subresource,
      nowMs,
      ...(severalVersions(registry, resource) ? { versionConverter: versionConverter(registry, resource) } : {}),
    })
  }

  const contextOf = (request: GatewayRequest): DecisionContext => ({
    nowMs: clock.nowMs(),
    user: request.user,
    uuid: () => ids.uuid(),
    integer: (below) => ids.integer(below),
  })

  function admit(
    request: GatewayRequest,
    operation: AdmissionAttributes['operation'],
    draft: KubeObject | undefined,
    before: KubeObject | undefined,
    dryRun: boolean,
    phase: 'admit' | 'validate',
    name: string,
  ): void {
    const attributes: AdmissionAttributes = {
      operation,
      group: request.resource.storageGroup,
      resource: request.resource.resource,
      subresource: request.subresource,
      namespace: request.namespace,
      name,
      object: draft,
      before,
      user: request.user,
      dryRun,
    }
    for (const plugin of deps.admission) plugin[phase]?.(attributes, deps.view)
  }

  /** Runs `work` alone among this gateway's writes of one subject: others would only lose the compare-and-set. */
  async function exclusively<Result>(subject: string, work: () => Promise<Result>): Promise<Result> {
    const before = busy.get(subject)
    const done = Promise.withResolvers<void>()
    busy.set(subject, done.promise)
    if (before) await before
    try {
      return await work()
    } finally {
      done.resolve()
      if (busy.get(subject) === done.promise) busy.delete(subject)
    }
  }

  async function catchUp(stream: Stream): Promise<void> {
    if (!(await stream.projection.barrier()))
      throw new ApiError(serviceUnavailable('the projection has not caught up with the log'))
  }

  /**
   * Decides against the projection until the decision stands. What was stored stands by compare-and-set. A refusal, and a
   * write that changes nothing, stand only once the log was asked: another gateway may have acknowledged, before this
   * request came, what the projection does not show yet.
   */
  async function untilItStands<Result>(
    stream: Stream,
    decide: () => Promise<Decided<Result> | 'raced'>,
    tooMany: () => ApiError,
  ): Promise<Result> {
    const seen = (): number => stream.projection.applied + streams.events.projection.applied
    let asked = false
    for (let attempt = 0; attempt < decideAttemptsMax; attempt++) {
      const basis = seen()
      let decided: Decided<Result> | undefined
      let refusal: ApiError | undefined
      try {
        const outcome = await decide()
        if (outcome === 'raced') {
          // The append has caught up with the log.
          asked = true
          continue
        }
        decided = outcome
      } catch (error) {
        if (asked || !isApiError(error)) throw error
        refusal = error
      }
      if (decided && (decided.stored || asked)) return decided.result
      await catchUp(stream)
      // Admission looks at namespaces and accounts, wherever the object itself is kept.
      if (stream !== streams.events) await catchUp(streams.events)
      asked = true
      if (seen() !== basis) continue
      if (refusal) throw refusal
      return decided!.result
    }
    throw tooMany()
  }

  const tooManyWriters = (resource: ResourceInfo, name: string): ApiError =>
    new ApiError(conflict(resource, name, 'too many writers at once, please try again'))

  /**
   * Appends what was decided. Undefined when another writer was faster: the projection has caught up with it then, and
   * the decision must be made again.
   */
  async function append(
    stream: Stream,
    request: GatewayRequest,
    kind: Kind,
    subject: string,
    event: ObjectEvent,
    expected: { readonly sequence: number; readonly checksum: string },
    allocation: AllocationChange,
    guardToTake?: Append,
  ): Promise<Appended | undefined> {
    const payload = storedBytes(event.object)
    if (payload.length > objectBytesMax) {
      throw new ApiError(requestEntityTooLarge(`limit is ${objectBytesMax} bytes`))
    }
    if (Buffer.byteLength(subject) > subjectBytesMax)
      throw new ApiError(badRequest('the name of the object is too long'))
    const { info } = kind
    const main: Append = {
      subject,
      expected: expected.sequence,
      payload,
      headers: encodeEnvelope({
        type: event.type,
        schema: schemaVersionOf(groupResourceOf(info.group, info.resource)),
        actor: request.user.name,
        requestId: request.requestId,
        previous: expected.sequence,
        deleted: event.deleted,
        ...request.provenance,
      }),
      ...(stream.ttlSeconds === undefined ? {} : { ttlSeconds: stream.ttlSeconds }),
    }
    const group = [sealRecord(main, expected.checksum)]
    const guards = (keys: readonly string[], holder: string): void => {
      for (const key of keys) group.push(guardAppend(stream, request, key, holder))
    }
    guards(allocation.release, '')
    guards(allocation.take, event.object.metadata.uid)
    if (guardToTake) group.push(guardToTake)
    const result = await stream.committer.commit(group)
    if (result.ok) {
      const sequence = result.sequences[0]!
      // The next write of this object decides against this one.
      await stream.projection.waitFor(result.sequences[result.sequences.length - 1]!)
      // The projection has them already, unless it is late, or somebody was faster to write again.
      const served = tableOf(request.resource).current.get(keyOf(request.namespace, event.object.metadata.name))
      return { sequence, bytes: served?.sequence === sequence ? served.bytes : servedBytes(payload, sequence) }
    }
    await catchUp(stream)
    // A subject that was purged since (a long-past tombstone, an expired marker) begins anew.
    const { conflict: lost } = result
    if (!lost.actual && (await stream.log.last(lost.subject)) === undefined)
      stream.projection.forgetSubject(lost.subject)
    return undefined
  }

  function guardAppend(stream: Stream, request: GatewayRequest, key: string, holder: string): Append {
    const subject = guardSubject(key)
    const state = stream.projection.guard(subject)
    return sealRecord(
      {
        subject,
        expected: state?.sequence ?? 0,
        payload: Buffer.from(holder),
        headers: encodeEnvelope({
          type: holder === '' ? 'GuardReleased' : 'GuardTaken',
          schema: 1,
          actor: request.user.name,
          requestId: request.requestId,
          previous: state?.sequence ?? 0,
          deleted: false,
        }),
      },
      state?.checksum ?? '',
    )
  }

  const nothing: AllocationChange = { take: [], release: [] }

  function allocate(
    stream: Stream,
    kind: Kind,
    next: KubeObject | undefined,
    before: KubeObject | undefined,
    context: DecisionContext,
  ): AllocationChange {
    if (!kind.strategy.allocate) return nothing
    const held = { holder: (key: string) => stream.projection.guard(guardSubject(key))?.holder || undefined }
    return kind.strategy.allocate(next, before, held, context)
  }

  const withVersion = (object: KubeObject, sequence: number): KubeObject => ({
    ...object,
    metadata: { ...object.metadata, resourceVersion: String(sequence) },
  })

  const streamOf = (resource: ResourceInfo): Stream =>
    streams.of(groupResourceOf(resource.storageGroup, resource.resource))

  const tableOf = (resource: ResourceInfo) =>
    streamOf(resource).projection.table(groupResourceOf(resource.storageGroup, resource.resource))

  const subjectOf = (resource: ResourceInfo, namespace: string, name: string): string =>
    objectSubject({ group: resource.storageGroup, resource: resource.resource, namespace, name })

  type Created = WriteOutcome | { readonly taken: string; readonly generated: boolean }

  async function create(request: GatewayRequest, prepared?: () => KubeObject): Promise<WriteOutcome> {
    const { resource } = request
    const stream = streamOf(resource)
    for (let attempt = 0; ; attempt++) {
      const created = await untilItStands(
        stream,
        () => createOnce(request, stream, prepared),
        () => tooManyWriters(resource, request.name),
      )
      if (!('taken' in created)) return created
      if (!created.generated) throw new ApiError(alreadyExists(resource, created.taken))
      if (attempt >= generateNameAttemptsMax) throw new ApiError(generateNameConflict(resource, created.taken))
    }
  }

  async function createOnce(
    request: GatewayRequest,
    stream: Stream,
    prepared: (() => KubeObject) | undefined,
  ): Promise<Decided<Created> | 'raced'> {
    const { resource } = request
    const kind = kindOf(resource)
    const dryRun = dryRunOf(request)
    const manager = managerOf(request)
    const context = contextOf(request)
    let warnings: string[] = []
    let draft: KubeObject
    if (prepared) {
      draft = prepared()
    } else {
      ;({ draft, warnings } = bodies.decodeResource(request, request.name === ''))
      if (draft.metadata.resourceVersion)
        throw new ApiError(badRequest('resourceVersion should not be set on objects to be created'))
    }
    kind.strategy.setDefaults?.(draft)
    const generated = !draft.metadata.name && Boolean(draft.metadata.generateName)
    if (generated) draft.metadata.name = generateName(draft.metadata.generateName!, context)
    if (!draft.metadata.name) {
      throw new ApiError(
        invalid(kind.info.group, kind.info.kind, '', [
          {
            reason: 'FieldValueRequired',
            message: 'Required value: name or generateName is required',
            field: 'metadata.name',
          },
        ]),
      )
    }
    const { name } = draft.metadata
    // A prepared draft (server-side apply) brings its managed fields. What admission adds belongs to nobody, as upstream.
    if (!prepared) {
      keepManagedFields(draft, managedFieldsOf(request, undefined, draft, manager, context.nowMs))
    }
    admit(request, 'CREATE', draft, undefined, dryRun, 'admit', name)
    prepareForCreate(kind, draft, context)
    const subject = subjectOf(resource, request.namespace, name)
    return await exclusively(subject, async () => {
      // What is invalid is said to be so before the name is; what an object would take is not taken for a name that is.
      const taken = tableOf(resource).current.has(keyOf(request.namespace, name))
      const allocation = taken ? nothing : allocate(stream, kind, draft, undefined, context)
      const decision = decideCreate(kind, draft, resource)
      if (decision.kind !== 'event') throw new ApiError((decision as Extract<Decision, { kind: 'refused' }>).status)
      admit(request, 'CREATE', draft, undefined, dryRun, 'validate', name)
      if (taken) return { stored: false, result: { taken: name, generated } }
      const said = [...warnings, ...warningsOf(kind, draft, undefined, '')]
      const tombstone = stream.projection.tombstone(subject)
      if (tombstone && request.onlyNew) throw new ApiError(nameUsedBefore(resource, name))
      if (dryRun) return { stored: false, result: { code: 201, object: draft, sequence: 0, warnings: said } }
      const expected = { sequence: tombstone?.sequence ?? 0, checksum: tombstone?.checksum ?? '' }
      const appended = await append(stream, request, kind, subject, decision.event, expected, allocation)
      if (!appended) return 'raced'
      return {
        stored: true,
        result: { code: 201, object: withVersion(draft, appended.sequence), ...appended, warnings: said },
      }
    })
  }

  const present = (resource: ResourceInfo, namespace: string, name: string): Version | undefined =>
    tableOf(resource).current.get(keyOf(namespace, name))

  async function modify(request: GatewayRequest, mutate: Mutation, options: ModifyOptions = {}): Promise<WriteOutcome> {
    const { resource, name } = request
    const stream = streamOf(resource)
    const outcome = await inTurn(request, () =>
      exclusively(subjectOf(resource, request.namespace, name), () =>
        untilItStands(
          stream,
          () => modifyOnce(request, stream, mutate, options.code ?? 200),
          () => tooManyWriters(resource, name),
        ),
      ),
    )
    if (outcome !== 'missing') return outcome
    if (options.onMissing) return await options.onMissing()
    throw new ApiError(notFound(resource, name))
  }

  async function modifyOnce(
    request: GatewayRequest,
    stream: Stream,
    mutate: Mutation,
    code: number,
  ): Promise<Decided<WriteOutcome | 'missing'> | 'raced'> {
    const { resource, subresource, namespace, name } = request
    const kind = kindOf(resource)
    const dryRun = dryRunOf(request)
    const subject = subjectOf(resource, namespace, name)
    const version = present(resource, namespace, name)
    if (!version) return { stored: false, result: 'missing' }
    const before = version.parse()
    const context = contextOf(request)
    const { draft, managed } = await mutate(before, kind)
    const wanted = draft.metadata.resourceVersion
    if (wanted !== undefined && wanted !== '' && wanted !== before.metadata.resourceVersion)
      throw new ApiError(staleVersion(resource, name))
    if (
      subresource === '' &&
      (wanted === undefined || wanted === '') &&
      kind.strategy.allowUnconditionalUpdate === false
    ) {
      throw new ApiError(
        invalid(resource.group, resource.resource, name, [
          {
            reason: 'FieldValueInvalid',
            message: 'Invalid value: 0: must be specified for an update',
            field: 'metadata.resourceVersion',
          },
        ]),
      )
    }
    if (draft.metadata.uid && draft.metadata.uid !== before.metadata.uid) {
      throw new ApiError(
        conflict(
          resource,
          name,
          `Precondition failed: UID in precondition: ${draft.metadata.uid}, UID in object meta: ${before.metadata.uid}`,
        ),
      )
    }
    kind.strategy.setDefaults?.(draft)
    if (managed !== 'done') {
      keepManagedFields(draft, managedFieldsOf(request, before, draft, managerOf(request), context.nowMs))
    }
    admit(request, 'UPDATE', draft, before, dryRun, 'admit', name)
    prepareForUpdate(kind, draft, before, { subresource })
    const allocation = subresource === '' ? allocate(stream, kind, draft, before, context) : nothing
    const decision = decideUpdate(kind, draft, before, { subresource })
    if (decision.kind === 'refused') throw new ApiError(decision.status)
    admit(request, 'UPDATE', draft, before, dryRun, 'validate', name)
    const warnings = warningsOf(kind, draft, before, subresource)
    if (decision.kind === 'unchanged') return { stored: false, result: { code, object: before, sequence: 0, warnings } }
    if (dryRun) {
      const object = withVersion(draft, version.sequence)
      return { stored: false, result: { code, object, sequence: 0, warnings } }
    }
    const guardToTake = guardOfRound(request, stream, name)
    const { event } = decision
    const released = event.deleted ? allocate(stream, kind, undefined, before, context) : allocation
    const expected = { sequence: version.sequence, checksum: version.checksum }
    const appended = await append(stream, request, kind, subject, event, expected, released, guardToTake)
    if (!appended) return 'raced'
    const object = withVersion(event.object, appended.sequence)
    return { stored: true, result: { code, object, ...appended, warnings } }
  }

  async function update(request: GatewayRequest): Promise<WriteOutcome> {
    const { resource } = request
    let warnings: string[] = []
    const kind = kindOf(resource)
    const outcome = await modify(
      request,
      () => {
        const decoded = bodies.decodeResource(request, false)
        warnings = decoded.warnings
        return { draft: decoded.draft }
      },
      kind.strategy.allowCreateOnUpdate && request.subresource === ''
        ? { onMissing: () => create({ ...request }) }
        : {},
    )
    return { ...outcome, warnings: [...warnings, ...outcome.warnings] }
  }

  async function deleteOne(
    request: GatewayRequest,
    name: string,
    command: DeleteCommand & { readonly dryRun: boolean },
  ): Promise<WriteOutcome> {
    const { resource } = request
    const stream = streamOf(resource)
    return await inTurn(request, () =>
      exclusively(subjectOf(resource, request.namespace, name), () =>
        untilItStands(
          stream,
          () => deleteOnce(request, stream, name, command),
          () => tooManyWriters(resource, name),
        ),
      ),
    )
  }

  /** Every request of a round moves the guard, one after the other: who has not seen the last of them comes too late. */
  const inTurn = <Result>({ once }: GatewayRequest, work: () => Promise<Result>): Promise<Result> =>
    once ? exclusively(onceSubject(once.matter), work) : work()

  /** The guard that a request of a round takes with it. Throws when another round was faster. */
  function guardOfRound(request: GatewayRequest, stream: Stream, name: string): Append | undefined {
    const { once, resource } = request
    if (!once) return undefined
    const guard = stream.projection.guard(onceSubject(once.matter))
    const decided = decideOnce(once, request.provenance.basis ?? 0, guard)
    if ('seeFirst' in decided) throw new ApiError(decidedElsewhere(resource, name, decided.seeFirst))
    return guardAppend(stream, request, `once/${once.matter}`, decided.holder)
  }

  async function deleteOnce(
    request: GatewayRequest,
    stream: Stream,
    name: string,
    command: DeleteCommand & { readonly dryRun: boolean },
  ): Promise<Decided<WriteOutcome> | 'raced'> {
    const { resource, namespace } = request
    const kind = kindOf(resource)
    const version = present(resource, namespace, name)
    if (!version) throw new ApiError(notFound(resource, name))
    const before = version.parse()
    admit(request, 'DELETE', undefined, before, command.dryRun, 'admit', name)
    admit(request, 'DELETE', undefined, before, command.dryRun, 'validate', name)
    const context = contextOf(request)
    const unsaid = command.propagationPolicy === undefined
    const fallback = unsaid ? kind.strategy.propagationWhenUnsaid : undefined
    const decision = decideDelete(
      kind,
      before,
      fallback ? { ...command, propagationPolicy: fallback } : command,
      context,
    )
    const warnings = unsaid && kind.strategy.warnsOfUnsaidPropagation ? [kind.strategy.warnsOfUnsaidPropagation] : []
    if (decision.kind === 'refused') throw new ApiError(decision.status)
    if (decision.kind === 'unchanged')
      return { stored: false, result: { code: 200, object: before, sequence: 0, warnings } }
    const guardToTake = guardOfRound(request, stream, name)
    const { event } = decision
    const outcome = (object: KubeObject, sequence: number, bytes?: Buffer): WriteOutcome => {
      if (!event.deleted) return { code: 200, object, sequence, ...(bytes ? { bytes } : {}), warnings }
      if (kind.strategy.returnsDeleted) return { code: 200, object, sequence, ...(bytes ? { bytes } : {}), warnings }
      const gone = deleted({
        name,
        ...(resource.group ? { group: resource.group } : {}),
        kind: resource.resource,
        uid: before.metadata.uid,
      })
      return { code: 200, object: undefined, answer: gone as unknown as JsonObject, sequence, warnings }
    }
    if (command.dryRun) return { stored: false, result: outcome(withVersion(event.object, version.sequence), 0) }
    const allocation = event.deleted ? allocate(stream, kind, undefined, before, context) : nothing
    const expected = { sequence: version.sequence, checksum: version.checksum }
    const subject = subjectOf(resource, namespace, name)
    const appended = await append(stream, request, kind, subject, event, expected, allocation, guardToTake)
    if (!appended) return 'raced'
    const object = withVersion(event.object, appended.sequence)
    return { stored: true, result: outcome(object, appended.sequence, appended.bytes) }
  }

  return {
    create,
    update,
    patch: createPatcher({ registry, clock, bodies, modify, createFrom: create }),
    delete: (request) => deleteOne(request, request.name, bodies.deleteOptions(request)),
    deleteOne,
    modify,
    kindOf,
  }
}

function keepManagedFields(draft: KubeObject, managedFields: ManagedFieldsEntry[]): void {
  if (managedFields.length > 0) draft.metadata.managedFields = managedFields
  else delete draft.metadata.managedFields
}

const onceSubject = (matter: string): string => guardSubject(`once/${matter}`)

/** `clusterip/10.96.0.10` → `guard.clusterip.10%2E96%2E0%2E10`. */
const guardSubject = (key: string): string => `guard.${key.split('/').map(encodeToken).join('.')}`
