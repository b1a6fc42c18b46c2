// The write path: one pipeline for every write of every kind. The body is decoded once; then attempts follow until one stands
// (optimistic.ts). An attempt (attempts.ts) runs the stages of libs/domain/src/write/stages.ts on what the projection shows
// now and appends one event, with its guards, that the log takes only if nobody was faster.
import { cloneJson } from '@shiplog/api/clone-json'
import type { IpRanges } from '@shiplog/api/ip-address'
import { alreadyExists, ApiError, conflict, generateNameConflict, notFound, warningOf } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView } from '@shiplog/domain/admission'
import type { DeleteCommand, Kind } from '@shiplog/domain/decider'
import type { DecisionContext } from '@shiplog/domain/strategy'
import type { AdmissionAim, AsyncAdmissionPlugin } from '@shiplog/domain/write/async-admission'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import { type Converter, noConverter } from '../conversion/converter.ts'
import type { GatewayRequest, WriteOutcome } from '../request/gateway-request.ts'
import type { RequestBodies } from '../request/request-body.ts'
import { dryRunOf } from '../request/request-options.ts'
import type { Streams } from '../store/streams.ts'
import {
  attemptCreate,
  attemptDelete,
  type AttemptDeps,
  attemptModify,
  type CreateDraft,
  groupResourceOfStorage,
  subjectOf,
  type Target,
  waitsForOthers,
} from './attempts.ts'
import { attemptTogether } from './attempts-together.ts'
import { guardSubject, onceKey } from './guards.ts'
import { mattersOf } from '@shiplog/domain/write/rounds'
import type { ModifyOptions, Mutation } from './mutation.ts'
import { asyncAttemptsMax, type Attempt, decideAttemptsMax, untilItStands } from './optimistic.ts'
import { createPatcher } from './patcher.ts'
import { checkNoVersion, checkUid } from '@shiplog/domain/write/preconditions'
import { createSubjectLocks } from './subject-locks.ts'

/** How often another generated name is tried (upstream: 8). */
export const generateNameAttemptsMax = 8

export interface WriterDeps {
  readonly bodies: RequestBodies
  readonly streams: Streams
  readonly admission: readonly AdmissionPlugin[]
  /** Admission that waits for others; default none. */
  readonly asyncAdmission?: readonly AsyncAdmissionPlugin[]
  readonly view: AdmissionView
  readonly clock: Clock
  readonly ids: Ids
  /** Where addresses of Services come from; default 10.96.0.0/12. */
  readonly serviceRanges?: IpRanges | undefined
  /** Judges what does not fit into one turn of the event loop; default here, whatever it takes. */
  readonly makeLongCheck?: AttemptDeps['makeLongCheck']
  /** Asks the webhooks that convert; without it none is. */
  readonly converter?: Converter
}

export type DeleteCommandOptions = DeleteCommand & { readonly dryRun: boolean }

export interface Writer {
  create(request: GatewayRequest): Promise<WriteOutcome>
  update(request: GatewayRequest): Promise<WriteOutcome>
  patch(request: GatewayRequest): Promise<WriteOutcome>
  delete(request: GatewayRequest): Promise<WriteOutcome>
  /** Deletes the object that the request names, by options that were read before. */
  deleteOne(request: GatewayRequest, command: DeleteCommandOptions): Promise<WriteOutcome>
  /** A write of an existing object by a rule of its own (scale, binding, …). */
  modify(request: GatewayRequest, mutate: Mutation, options?: ModifyOptions): Promise<WriteOutcome>
  /**
   * The same for several objects of one kind, all or none. They are about what others were asked of already. Gives the sequence
   * from which on all of it is visible.
   */
  modifyTogether(changes: readonly { readonly request: GatewayRequest; readonly mutate: Mutation }[]): Promise<number>
}

export function createWriter(deps: WriterDeps): Writer {
  const { bodies, streams, clock, ids, view } = deps
  const locks = createSubjectLocks()
  const attemptDeps: AttemptDeps = {
    streams,
    admission: deps.admission,
    makeLongCheck: deps.makeLongCheck ?? ((check) => Promise.resolve(check.run())),
    contextOf: ({ user }): DecisionContext => ({
      nowMs: clock.nowMs(),
      user,
      uuid: () => ids.uuid(),
      integer: (below) => ids.integer(below),
      ...(deps.serviceRanges ? { serviceRanges: deps.serviceRanges } : {}),
    }),
  }

  function targetOf(request: GatewayRequest, operation: AdmissionAttributes['operation']): Target {
    const { kind } = request
    const groupResource = groupResourceOfStorage(request.resource)
    const asyncAdmission = othersFor(deps.asyncAdmission ?? noPlugins, request, operation)
    return { request, kind, groupResource, stream: streams.of(groupResource), asyncAdmission }
  }

  /**
   * Attempts until one stands. Writers of this gateway take their turns at the subjects, so that they do not lose to each
   * other; but who waits for others, keeps nobody waiting: it may lose, and then asks them again, a few times.
   */
  async function decide<Result>(
    target: Target,
    subjects: readonly string[],
    attempt: Attempt<Result>,
  ): Promise<Result> {
    const { request, stream } = target
    const attemptsMax = waitsForOthers(target) ? asyncAttemptsMax : decideAttemptsMax
    const tooMany = (): ApiError =>
      new ApiError(conflict(request.resource, request.name, 'too many writers at once, please try again'))
    let work = (): Promise<Result> => untilItStands({ streams, stream, view, attemptsMax, tooMany }, attempt)
    if (waitsForOthers(target)) return await work()
    for (const subject of subjects) {
      const inner = work
      work = () => locks.exclusively(subject, inner)
    }
    return await work()
  }

  /**
   * The subject that a request writes, and the guards that a fenced one moves: whoever has not seen the last comes too late.
   * Sorted, so that no two requests wait for each other.
   */
  const subjectsOf = ({ resource, namespace, name, once }: GatewayRequest): string[] => [
    subjectOf(resource, namespace, name),
    ...(once ? mattersOf(once).map(({ matter }) => guardSubject(onceKey(matter))).sort() : []),
  ]

  /** Writes that the same quotas count take their turns at them, before they take their turn at their own subject. */
  const quotaTurns = ({ namespace }: GatewayRequest): string[] =>
    namespace !== '' && view.list('resourcequotas', namespace).length > 0 ? [`quotas of ${namespace}`] : []

  async function create(request: GatewayRequest): Promise<WriteOutcome> {
    const decoded = bodies.decodeResource(request, request.name === '')
    return await warningOf(
      () => decoded.warnings,
      async () => {
        checkNoVersion(decoded.draft)
        return await createFrom(request, decoded)
      },
    )
  }

  async function createFrom(request: GatewayRequest, prepared: CreateDraft): Promise<WriteOutcome> {
    const { resource, namespace } = request
    const target = targetOf(request, 'CREATE')
    const { name } = prepared.draft.metadata
    const subjects = [...(name ? [subjectOf(resource, namespace, name)] : []), ...quotaTurns(request)]
    for (let attempt = 0; ; attempt++) {
      const created = await decide(target, subjects, (basis) => attemptCreate(attemptDeps, target, prepared, basis))
      if (!('taken' in created)) return created
      if (!created.generated && prepared.draft.metadata.generateName)
        throw new ApiError(generateNameConflict(resource, created.taken))
      if (!created.generated) throw new ApiError(alreadyExists(resource, created.taken))
      if (attempt >= generateNameAttemptsMax) throw new ApiError(generateNameConflict(resource, created.taken))
    }
  }

  async function modify(request: GatewayRequest, mutate: Mutation, options: ModifyOptions = {}): Promise<WriteOutcome> {
    const target = targetOf(request, 'UPDATE')
    const code = options.code ?? 200
    const outcome = await decide(target, subjectsOf(request), (basis) =>
      attemptModify(attemptDeps, target, mutate, code, basis),
    )
    if (outcome !== 'missing') return outcome
    if (options.onMissing) return await options.onMissing()
    throw new ApiError(notFound(request.resource, request.name))
  }

  async function modifyTogether(changes: readonly { readonly request: GatewayRequest; readonly mutate: Mutation }[]): Promise<number> {
    const targets = changes.map(({ request, mutate }) => ({ target: targetOf({ ...request, admitted: true }, 'UPDATE'), mutate }))
    // In the order in which one alone takes its turns: guards outside of objects.
    const of = changes.map(({ request }) => subjectsOf(request))
    const objects = of.map(([object]) => object!).sort()
    const guards = [...new Set(of.flatMap(([, ...rest]) => rest))].sort()
    return await decide(targets[0]!.target, [...objects, ...guards], (basis) => attemptTogether(attemptDeps, targets, basis))
  }

  async function update(request: GatewayRequest): Promise<WriteOutcome> {
    const { resource, name } = request
    const { strategy } = request.kind
    const { draft, warnings } = bodies.decodeResource(request, false)
    const mutate: Mutation = (before) => {
      checkUid(resource, name, draft, before.metadata.uid)
      return { draft: cloneJson(draft) }
    }
    const onMissing = async (): Promise<WriteOutcome> => {
      // A uid asks for the object that has it, and there is none.
      checkUid(resource, name, draft, '')
      checkNoVersion(draft)
      return await createFrom(request, { draft, warnings: [] })
    }
    const options = strategy.allowCreateOnUpdate && request.subresource === '' ? { onMissing } : {}
    const outcome = await warningOf(
      () => warnings,
      () => modify(request, mutate, options),
    )
    return { ...outcome, warnings: [...warnings, ...outcome.warnings] }
  }

  async function deleteOne(request: GatewayRequest, command: DeleteCommandOptions): Promise<WriteOutcome> {
    const target = targetOf(request, 'DELETE')
    return await decide(target, subjectsOf(request), (basis) => attemptDelete(attemptDeps, target, command, basis))
  }

  const patch = createPatcher({ clock, bodies, modify, createFrom })
  const converter = deps.converter ?? noConverter

  /** Where a webhook converts, the whole write waits for it before anything is appended, and is made again, outside of its locks. */
  const converting = async (request: GatewayRequest, write: (request: GatewayRequest) => Promise<WriteOutcome>): Promise<WriteOutcome> =>
    request.kind.conversions
      ? await converter.settled(() => write({ ...request, converting: converter.settled }))
      : await write(request)

  return {
    create: (request) => converting(request, create),
    update: (request) => converting(request, update),
    patch: (request) => converting(request, patch),
    delete: (request) => converting(request, (asked) => deleteOne(asked, bodies.deleteOptions(asked))),
    deleteOne: (request, command) => converting(request, (asked) => deleteOne(asked, command)),
    modify: (request, mutate, options) => converting(request, (asked) => modify(asked, mutate, options)),
    modifyTogether,
  }
}

const noPlugins: readonly AsyncAdmissionPlugin[] = []

/** Those who have a say in a request. */
export function othersFor(
  plugins: readonly AsyncAdmissionPlugin[],
  request: GatewayRequest,
  operation: AdmissionAttributes['operation'],
): readonly AsyncAdmissionPlugin[] {
  if (plugins.length === 0 || request.admitted) return noPlugins
  const aim = aimOf(request, request.kind, operation)
  return plugins.filter((plugin) => plugin.handles(aim))
}

/** What is known of a write before its object is. */
const aimOf = (
  request: GatewayRequest,
  { info }: Kind,
  operation: AdmissionAttributes['operation'],
): AdmissionAim => ({
  kind: request.kind,
  operation,
  group: info.group,
  resource: info.resource,
  subresource: request.subresource,
  namespace: request.namespace,
  user: request.user,
  dryRun: dryRunOf(request),
})
