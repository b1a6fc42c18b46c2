// What can be asked of a resource, once it is known who asks and that they may: verbs and subresources are told apart
// here and nowhere else, for HTTP and for components of this process alike.
import { cloneJson } from '@shiplog/api/clone-json'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { normalize } from '@shiplog/api/decode/decode'
import { apiVersionOf, groupResourceOf, type ResourceInfo, type SchemaRegistry } from '@shiplog/api/schema/schema'
import { ApiError, badRequest, methodNotAllowed, notFound, routeNotFound, success } from '@shiplog/api/status'
import type { AdmissionView } from '@shiplog/domain/admission'
import { strategyFor } from '@shiplog/domain/strategies'
import { applyBinding } from '@shiplog/domain/subresources/binding'
import { budgetsOf, chargeBudget, checkEviction } from '@shiplog/domain/subresources/eviction'
import { readScale, writeScale } from '@shiplog/domain/subresources/scale'
import type { GatewayRequest, WriteOutcome } from '../request/gateway-request.ts'
import { type ListOptions, parseListOptions, parseResourceVersion } from '../request/list-options.ts'
import type { ListResult, Reader } from '../read/reader.ts'
import { answerReview, type ReviewDeps } from './reviews.ts'
import { compileSelection, type Selection } from '../request/selection.ts'
import type { Version } from '../store/version.ts'
import { readPatch } from '../write/patcher.ts'
import type { RequestBodies } from '../request/request-body.ts'
import { checkWriteOptions } from '../request/request-options.ts'
import type { Writer } from '../write/writer.ts'

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

export interface Operations {
  /** A stored object. */
  get(request: GatewayRequest): Promise<Version>
  list(request: GatewayRequest): Promise<{ result: ListResult; selection: Selection; options: ListOptions }>
  select(request: GatewayRequest): { selection: Selection; options: ListOptions }
  /** Any write, and the reads of subresources that are not stored objects (scale). */
  write(verb: Exclude<Verb, 'list' | 'watch'>, request: GatewayRequest): Promise<WriteOutcome>
}

/** How many members of a collection are deleted at a time. */
const deleteConcurrency = 64

export function createOperations(deps: {
  readonly registry: SchemaRegistry
  readonly reader: Reader
  readonly writer: Writer
  readonly bodies: RequestBodies
  readonly view: AdmissionView
  readonly reviews: ReviewDeps
  readonly nowMs: () => number
}): Operations {
  const { registry, reader, writer, bodies, view } = deps

  function select(request: GatewayRequest): { selection: Selection; options: ListOptions } {
    const options = parseListOptions(request.query)
    const strategy = strategyFor(groupResourceOf(request.resource.storageGroup, request.resource.resource))
    return {
      options,
      selection: compileSelection(request.resource, strategy, {
        ...options,
        namespace: request.namespace,
        name: request.name,
      }),
    }
  }

  async function list(
    request: GatewayRequest,
  ): Promise<{ result: ListResult; selection: Selection; options: ListOptions }> {
    const { selection, options } = select(request)
    return { result: await reader.list(request.resource, selection, options), selection, options }
  }

  async function deleteCollection(request: GatewayRequest): Promise<WriteOutcome> {
    const command = bodies.deleteOptions(request)
    const { result } = await list(request)
    let sequence = 0
    for (let i = 0; i < result.versions.length; i += deleteConcurrency) {
      const some = result.versions.slice(i, i + deleteConcurrency)
      await Promise.all(
        some.map(async (version) => {
          try {
            const outcome = await writer.deleteOne(
              { ...request, namespace: version.namespace, name: version.name },
              version.name,
              command,
            )
            sequence = Math.max(sequence, outcome.sequence)
          } catch (error) {
            // Somebody else deleted it first: that is what was wanted.
            if (!(error instanceof ApiError) || error.status.reason !== 'NotFound') throw error
          }
        }),
      )
    }
    return { code: 200, object: undefined, answer: success(200) as unknown as JsonObject, sequence, warnings: [] }
  }

  const ask = (code: number, answer: JsonObject, sequence = 0, warnings: readonly string[] = []): WriteOutcome => ({
    code,
    object: undefined,
    answer,
    sequence,
    warnings,
  })

  /** Binds a pod: `pods/<name>/binding`, or the old `bindings` collection. */
  async function bind(request: GatewayRequest, podName: string): Promise<WriteOutcome> {
    const { object: binding } = bodies.decode(request, 'io.k8s.api.core.v1.Binding', {
      kind: 'Binding',
      apiVersion: 'v1',
    })
    const pods = registry.resource('', 'v1', 'pods')!
    const outcome = await writer.modify(
      { ...request, resource: pods, name: podName, subresource: 'binding' },
      (before) => {
        const draft = cloneJson(before)
        applyBinding(draft, binding, { nowMs: deps.nowMs() })
        return { draft }
      },
      { code: 201 },
    )
    return ask(201, success(201) as unknown as JsonObject, outcome.sequence)
  }

  async function evict(request: GatewayRequest): Promise<WriteOutcome> {
    const { object: eviction } = bodies.decode(request, 'io.k8s.api.policy.v1.Eviction', {
      kind: 'Eviction',
      apiVersion: 'policy/v1',
    })
    const pod = await get(request)
    const victim = pod.parse()
    const budgets = view.list('poddisruptionbudgets.policy', request.namespace)
    const refusal = checkEviction(victim, budgets)
    if (refusal) throw new ApiError(refusal)
    for (const budget of budgetsOf(victim, budgets)) await charge(request, victim, budget)
    const options = (eviction['deleteOptions'] ?? {}) as JsonObject
    const outcome = await writer.delete({
      ...request,
      subresource: '',
      body: { value: options, contentType: 'application/json' },
    })
    return ask(201, success(201) as unknown as JsonObject, outcome.sequence)
  }

  /** Takes one disruption from a budget, by compare-and-set: evictions at once cannot overspend it. */
  async function charge(request: GatewayRequest, victim: KubeObject, budget: KubeObject): Promise<void> {
    const resource = registry.resource('policy', 'v1', 'poddisruptionbudgets')!
    const { name } = budget.metadata
    await writer.modify({ ...request, resource, name, subresource: 'status', body: undefined }, (before) => {
      const refusal = checkEviction(victim, [before])
      if (refusal) throw new ApiError(refusal)
      const draft = cloneJson(before)
      chargeBudget(draft, victim.metadata.name, deps.nowMs())
      return { draft }
    })
  }

  async function scale(verb: string, request: GatewayRequest): Promise<WriteOutcome> {
    const { resource } = request
    const groupResource = groupResourceOf(resource.storageGroup, resource.resource)
    const what = { kind: 'Scale', apiVersion: 'autoscaling/v1' }
    const definition = 'io.k8s.api.autoscaling.v1.Scale'
    if (verb === 'get') return ask(200, readScale((await get(request)).parse(), groupResource))
    const outcome = await writer.modify(request, (before) => {
      const current = readScale(before, groupResource)
      const draft = cloneJson(before)
      const next =
        verb === 'update' ? bodies.decode(request, definition, what).object : patched(request, definition, current)
      writeScale(draft, next, groupResource)
      // A stale version in the Scale is a stale version of the object; an absent one is unconditional.
      const { resourceVersion } = (next['metadata'] ?? {}) as JsonObject
      if (verb === 'update' && resourceVersion) draft.metadata.resourceVersion = resourceVersion
      else if (resourceVersion !== before.metadata.resourceVersion && resourceVersion)
        draft.metadata.resourceVersion = resourceVersion
      else delete draft.metadata.resourceVersion
      return { draft }
    })
    return ask(200, readScale(outcome.object!, groupResource), outcome.sequence, outcome.warnings)
  }

  /** A patch of something that is not a stored object: a Scale. */
  function patched(request: GatewayRequest, definition: string, document: JsonObject): JsonObject {
    const result = readPatch(registry, definition, request.body)(document)
    const { object, errors } = normalize(registry, definition, result)
    if (errors.length > 0)
      throw new ApiError(badRequest(`Scale in version "v1" cannot be handled as a Scale: ${errors[0]!}`))
    return object as JsonObject
  }

  async function get(request: GatewayRequest): Promise<Version> {
    return await reader.get(
      request.resource,
      request.namespace,
      request.name,
      parseResourceVersion(request.query.get('resourceVersion')),
    )
  }

  async function review(request: GatewayRequest): Promise<WriteOutcome> {
    const { resource } = request
    const { object, warnings } = bodies.decode(request, resource.definition, {
      kind: resource.kind,
      apiVersion: apiVersionOf(resource.group, resource.version),
    })
    return ask(201, answerReview(resource.resource, object, request.user, request.namespace, deps.reviews), 0, warnings)
  }

  async function write(verb: Exclude<Verb, 'list' | 'watch'>, request: GatewayRequest): Promise<WriteOutcome> {
    const { resource, subresource } = request
    checkWriteOptions(verb, request)
    if (subresource === '') {
      if (!resource.verbs.includes(verb)) throw new ApiError(methodNotAllowed({ group: '', resource: '' }, verb))
      if (!resource.stored) {
        if (resource.resource === 'bindings') {
          const { object } = bodies.decode(request, resource.definition, { kind: 'Binding', apiVersion: 'v1' })
          return await bind(request, String(object['metadata']?.name ?? ''))
        }
        return await review(request)
      }
      switch (verb) {
        case 'create':
          return await writer.create(request)
        case 'update':
          return await writer.update(request)
        case 'patch':
          return await writer.patch(request)
        case 'delete':
          return await writer.delete(request)
        case 'deletecollection':
          return await deleteCollection(request)
        default:
          throw new ApiError(methodNotAllowed({ group: '', resource: '' }, verb))
      }
    }
    const known = resource.subresources.find(({ name }) => name === subresource)
    if (!known) throw new ApiError(routeNotFound())
    if (!known.verbs.includes(verb)) throw new ApiError(methodNotAllowed({ group: '', resource: '' }, verb))
    switch (subresource) {
      case 'status':
      case 'finalize':
      case 'approval':
      case 'ephemeralcontainers':
      case 'resize':
        if (verb === 'update') return await writer.update(request)
        if (verb === 'patch') return await writer.patch(request)
        break
      case 'scale':
        return await scale(verb, request)
      case 'binding':
        return await bind(request, request.name)
      case 'eviction':
        return await evict(request)
      default:
        break
    }
    throw new ApiError(notServed(resource, request))
  }

  return { get, list, select, write }
}

/** A subresource that upstream has and this build does not serve yet. */
const notServed = (resource: ResourceInfo, request: GatewayRequest) =>
  request.name === ''
    ? notFound(resource, '')
    : {
        ...routeNotFound(),
        message: `the subresource ${request.subresource} of ${resource.resource} is not served by this version of Shiplog`,
      }
