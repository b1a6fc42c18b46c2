// The write path of a fake cluster: decoding, admission, defaults, validation and decisions are the gateway's own
// (libs/domain/src/write/stages.ts); only the log is a list in memory, and everything happens at once. Left out are managed
// fields and server-side apply. What a client writes by mistake, a field that does not exist say, is refused.
import type { ApiRequest, ApiResult } from '@shiplog/api/api-client'
import { cloneJson } from '@shiplog/api/clone-json'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { apiVersionOf } from '@shiplog/api/schema/schema'
import { parseLabelSelector } from '@shiplog/api/selectors'
import {
  alreadyExists,
  ApiError,
  decidedElsewhere,
  deleted,
  generateNameConflict,
  isApiError,
  nameUsedBefore,
  routeNotFound,
  type Status,
  success,
} from '@shiplog/api/status'
import { applyBinding } from '@shiplog/domain/subresources/binding'
import { readScale, writeScale } from '@shiplog/domain/subresources/scale'
import { checkNoVersion, checkUid, checkVersion } from '@shiplog/domain/write/preconditions'
import { decideOnce, mattersOf } from '@shiplog/domain/write/rounds'
import {
  type DecidedWrite,
  mutateCreate,
  mutateUpdate,
  settleCreate,
  settleDelete,
  settleUpdate,
  type Write,
} from '@shiplog/domain/write/stages'
import {
  asRequested,
  decode,
  deleteOptions,
  found,
  inStorage,
  isDryRun,
  nameOf,
  patched,
  type PipelineDeps,
  resourceOf,
  type Target,
  targetOf,
} from './request-target.ts'

/** As the gateway: how often another generated name is tried. */
const generateNameAttemptsMax = 8

/** Carries a request out at once. Refusals are values. */
export function execute(deps: PipelineDeps, request: ApiRequest): ApiResult {
  const resource = resourceOf(deps.registry, request)
  if (!resource) return refused(routeNotFound())
  try {
    return dispatch(targetOf(deps, resource, request))
  } catch (error) {
    if (isApiError(error)) return refused(error.status)
    throw error
  }
}

export const refused = (status: Status): ApiResult => ({ ok: false, code: status.code, status })

function dispatch(target: Target): ApiResult {
  const { request, resource } = target
  const { subresource = '', verb } = request
  if (subresource === 'binding' && verb === 'create') return bind(target)
  if (resource.resource === 'bindings' && (request.body as JsonObject)['kind'] === 'List') return bindTogether(target)
  if (subresource !== '' && !resource.subresources.some(({ name }) => name === subresource)) return refused(routeNotFound())
  if (subresource === 'scale') return scale(target)
  switch (verb) {
    case 'create':
      return create(target)
    case 'get':
      return answer(found(target), target.store.sequence)
    case 'list':
      return answer(listOf(target, selected(target)), target.store.sequence)
    case 'update':
      return update(target)
    case 'patch':
      return modify(target, (before) => inStorage(target, decode(target, patched(target, asRequested(target, before)))))
    case 'delete':
      return remove(target)
    case 'deletecollection':
      return removeAll(target)
  }
}

const answer = (object: KubeObject, sequence: number, code = 200): ApiResult => ({ ok: true, code, object, sequence })

const writeOf = (target: Target): Write => ({
  kind: target.kind,
  requested: target.resource,
  subresource: target.request.subresource ?? '',
  namespace: target.namespace,
  dryRun: isDryRun(target),
  context: target.context(),
  admission: target.admission,
  reader: target.reader,
  held: { holder: (key) => target.store.guard(key)?.holder || undefined },
})

/** Nobody owns fields here. */
const unstamped = (): void => undefined

function create(target: Target): ApiResult {
  const { request, resource, store, groupResource, namespace } = target
  const decoded = inStorage(target, decode(target, request.body))
  checkNoVersion(decoded)
  for (let attempt = 0; ; attempt++) {
    const write = writeOf(target)
    const draft = cloneJson(decoded)
    const { generated } = mutateCreate(write, draft, unstamped)
    const { name } = draft.metadata
    const isTaken = store.get(groupResource, namespace, name) !== undefined
    const decided = settleCreate(write, draft, { isTaken })
    if (isTaken && generated && attempt < generateNameAttemptsMax) continue
    if (isTaken) return refused(generated ? generateNameConflict(resource, name) : alreadyExists(resource, name))
    const goneAt = store.goneAt(groupResource, namespace, name)
    if (request.onlyNew && goneAt !== undefined) return refused(nameUsedBefore(resource, name))
    if (goneAt !== undefined && request.basis !== undefined && goneAt > request.basis)
      return refused(decidedElsewhere(resource, name, goneAt))
    if (isDryRun(target)) return answer(asRequested(target, draft), 0, 201)
    return answer(asRequested(target, append(target, decided)), store.sequence, 201)
  }
}

function update(target: Target): ApiResult {
  const { request, kind, resource, store, groupResource, namespace } = target
  const draft = inStorage(target, decode(target, request.body))
  const name = nameOf(target)
  const mayCreate = kind.strategy.allowCreateOnUpdate && !request.subresource
  if (mayCreate && !store.get(groupResource, namespace, name)) return create(target)
  return modify(target, (before) => {
    checkUid(resource, name, draft, before.metadata.uid)
    return cloneJson(draft)
  })
}

/** Turns the stored object into what it should be, and decides it. `mutate` returns an object of its own. */
function modify(target: Target, mutate: (before: KubeObject) => KubeObject, code = 200): ApiResult {
  const { store } = target
  const { before, draft, decided } = decideChange(target, mutate)
  if (!decided.event) return answer(asRequested(target, before), 0, code)
  const fence = fenceOf(target)
  if (isDryRun(target)) return answer(asRequested(target, { ...draft, metadata: { ...draft.metadata } }), 0, code)
  const object = append(target, decided, fence)
  return answer(asRequested(target, object), store.sequence, code)
}

function decideChange(target: Target, mutate: (before: KubeObject) => KubeObject) {
  const { resource, kind } = target
  const before = found(target)
  const draft = mutate(before)
  checkVersion(resource, kind, before, draft)
  const write = writeOf(target)
  mutateUpdate(write, draft, before, unstamped)
  return { before, draft, decided: settleUpdate(write, draft, before) }
}

function remove(target: Target): ApiResult {
  const { request, registry, store, kind, resource } = target
  const before = found(target)
  const { command, dryRun } = deleteOptions(registry, (request.body ?? {}) as JsonObject)
  const decided = settleDelete({ ...writeOf(target), dryRun }, before, command)
  if (!decided.event) return answer(before, 0)
  const fence = fenceOf(target)
  const object = dryRun ? before : append(target, decided, fence)
  const sequence = dryRun ? 0 : store.sequence
  if (!decided.event.deleted || kind.strategy.returnsDeleted) return answer(object, sequence)
  const { name, uid } = before.metadata
  const { group } = resource
  const gone = deleted({ name, ...(group ? { group } : {}), kind: resource.resource, uid })
  return answer(gone as unknown as KubeObject, sequence)
}

function selected(target: Target): KubeObject[] {
  const { request, store, groupResource, resource } = target
  const labels = parseLabelSelector(request.query?.['labelSelector'] ?? '')
  const all = store.list(groupResource, resource.namespaced ? request.namespace : undefined)
  return all.filter((object) => labels.matches(object.metadata.labels))
}

const listOf = (target: Target, objects: readonly KubeObject[]): KubeObject => {
  const { resource, store } = target
  const items = objects.map((object) => asRequested(target, object))
  const apiVersion = apiVersionOf(resource.group, resource.version)
  return { apiVersion, kind: resource.listKind, metadata: { resourceVersion: String(store.sequence) }, items } as unknown as KubeObject
}

function removeAll(target: Target): ApiResult {
  const objects = selected(target)
  const before = target.store.sequence
  for (const { metadata } of objects) {
    const request: ApiRequest = { ...target.request, verb: 'delete', name: metadata.name }
    const namespace = metadata.namespace ?? ''
    remove({ ...target, request, namespace })
  }
  const { sequence } = target.store
  return answer(success(200) as unknown as KubeObject, sequence === before ? 0 : sequence)
}

function bind(target: Target): ApiResult {
  const { request, store, context } = target
  const { nowMs } = context()
  const bound = modify(
    target,
    (before) => {
      const pod = cloneJson(before)
      applyBinding(pod, request.body as JsonObject, { nowMs })
      return pod
    },
    201,
  )
  return bound.ok ? answer(success(201) as unknown as KubeObject, store.sequence, 201) : bound
}

/** All that can be decided is decided before anything is stored: all or none. */
function bindTogether(target: Target): ApiResult {
  const { request, store, context } = target
  const { nowMs } = context()
  const { items, decisions = [] } = request.body as { readonly items: readonly JsonObject[]; readonly decisions?: readonly string[] }
  const pods = resourceOf(target.registry, { verb: 'create', group: '', resource: 'pods' })!
  const decided = items.map((binding, index) => {
    const decision = decisions[index] === undefined ? {} : { decision: decisions[index] }
    const one = targetOf(target, pods, { ...request, ...decision, resource: 'pods', subresource: 'binding', name: binding['metadata'].name, body: binding })
    const change = decideChange(one, (before) => {
      const pod = cloneJson(before)
      applyBinding(pod, binding, { nowMs })
      return pod
    })
    return { one, ...change }
  })
  const fence = fenceOf(decided[0]!.one)
  for (const [index, { one, decided: write }] of decided.entries()) append(one, write, index === decided.length - 1 ? fence : [])
  return answer(success(201) as unknown as KubeObject, store.sequence, 201)
}

function scale(target: Target): ApiResult {
  const { request, groupResource } = target
  const read = (object: KubeObject): KubeObject => readScale(object, groupResource)
  if (request.verb === 'get') return answer(read(found(target)), target.store.sequence)
  const written = modify(target, (before) => {
    const object = cloneJson(before)
    const next = request.verb === 'patch' ? (patched(target, read(object)) as JsonObject) : (request.body as JsonObject)
    writeScale(object, next, groupResource)
    const { resourceVersion } = (next['metadata'] ?? {}) as KubeObject['metadata']
    if (resourceVersion) object.metadata.resourceVersion = resourceVersion
    else delete object.metadata.resourceVersion
    return object
  })
  return written.ok ? { ...written, object: read(written.object) } : written
}

/** The guards that a fenced request takes with it. Throws when another replica was faster. */
function fenceOf(target: Target): readonly { readonly key: string; readonly holder: string }[] {
  const { request, store, resource } = target
  const { once } = request
  if (!once) return []
  return mattersOf(once).map((one) => {
    const key = `once/${one.matter}`
    const outcome = decideOnce(one, request.basis ?? 0, store.guard(key))
    if ('seeFirst' in outcome) throw new ApiError(decidedElsewhere(resource, nameOf(target), outcome.seeFirst))
    return { key, holder: outcome.holder }
  })
}

function append(
  { store, groupResource }: Target,
  { event, allocation, charges }: DecidedWrite,
  fence: ReturnType<typeof fenceOf> = [],
): KubeObject {
  const stored = store.record(groupResource, event!)
  for (const charge of charges)
    store.record(charge.groupResource, { object: charge.object, type: `${charge.object.kind}Charged`, deleted: false })
  for (const key of allocation.release) store.setGuard(key, '')
  for (const key of allocation.take) store.setGuard(key, stored.metadata.uid)
  for (const { key, holder } of fence) store.setGuard(key, holder)
  return stored
}
