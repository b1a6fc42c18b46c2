// A cluster in memory for tests of controllers, schedulers and node agents: the object feed and the API client over one
// list of changes, with the semantics of writes that controllers rely on (compare-and-set, uid, generation, finalizers,
// graceful deletion, names used before). It validates nothing. Feeds may lag, and every command can be made to fail.
import { type FeedBatch, isWanted, type ObjectChange, type ObjectFeed } from '@shiplog/feed/object-feed'
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import { applyJsonPatch, jsonEqual } from '@shiplog/api/patch/json-patch'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { ObjectOf } from '@shiplog/api/object-of'
import { applyMergePatch } from '@shiplog/api/patch/merge-patch'
import { compileLabelSelector, parseLabelSelector } from '@shiplog/api/selectors'
import {
  alreadyExists,
  conflict,
  decidedElsewhere,
  forbidden,
  nameUsedBefore,
  notFound,
  objectModified,
  type Status,
} from '@shiplog/api/status'
import { rfc3339, type Clock } from '@shiplog/runtime/clock'

/** What happens to a command of a client: carried out, refused unseen, or carried out without the client learning of it. */
export type Fate = 'deliver' | 'lose-request' | 'lose-answer' | { readonly refuse: Status }

export interface FakeClientOptions {
  /** Asked for every command, in order. */
  readonly fate?: (request: ApiRequest, index: number) => Fate
  /** Milliseconds before a command is carried out, and again before its answer. */
  readonly latencyMs?: number
}

export interface FakeCluster {
  readonly feed: ObjectFeed
  /** A feed that hands changes over later. */
  delayedFeed(delayMs: () => number): ObjectFeed
  client(options?: FakeClientOptions): ApiClient
  /** Carries a request out at once. */
  execute(request: ApiRequest): ApiResult
  /** As `execute`, for requests that must succeed. */
  must(request: ApiRequest): KubeObject
  get<R extends string>(groupResource: R, key: string): ObjectOf<R> | undefined
  list<R extends string>(groupResource: R, namespace?: string): ObjectOf<R>[]
  /** Every change so far, in order. */
  readonly changes: readonly ObjectChange[]
  /** Called after every change, synchronously. */
  onChange(callback: (change: ObjectChange) => void): void
  /** Every request that was carried out, with its answer. */
  readonly requests: readonly { readonly request: ApiRequest; readonly result: ApiResult }[]
  readonly sequence: number
}

const withoutGeneration: ReadonlySet<string> = new Set([
  'configmaps',
  'secrets',
  'serviceaccounts',
  'events',
  'namespaces',
])

const keyFor = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`

/** Creates an empty cluster. `strict` refuses creates in namespaces that do not exist. */
export function createFakeCluster(clock: Pick<Clock, 'nowMs' | 'sleep'>): FakeCluster {
  const objects = new Map<string, Map<string, KubeObject>>()
  /** When each name that is free again was last given up. */
  const used = new Map<string, number>()
  /** The last round of each matter (see ApiRequest.once). */
  const rounds = new Map<string, { readonly round: string; readonly sequence: number }>()
  const changes: ObjectChange[] = []
  const requests: { request: ApiRequest; result: ApiResult }[] = []
  const listeners: ((change: ObjectChange) => void)[] = []
  let wakers: (() => void)[] = []
  let sequence = 0
  let serial = 0

  const of = (groupResource: string): Map<string, KubeObject> => {
    let map = objects.get(groupResource)
    if (!map) objects.set(groupResource, (map = new Map()))
    return map
  }

  const record = (request: ApiRequest, object: KubeObject, type: string, deleted: boolean): KubeObject => {
    sequence++
    const stored: KubeObject = {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(sequence) },
    }
    const groupResource = request.group ? `${request.resource}.${request.group}` : request.resource
    const key = keyFor(stored.metadata.namespace, stored.metadata.name)
    if (deleted) {
      of(groupResource).delete(key)
      used.set(`${groupResource} ${key}`, sequence)
    } else of(groupResource).set(key, stored)
    const change: ObjectChange = {
      group: request.group,
      resource: request.resource,
      namespace: stored.metadata.namespace ?? '',
      name: stored.metadata.name,
      groupResource,
      sequence,
      timeMs: clock.nowMs(),
      type: `${stored.kind}${type}`,
      deleted,
      object: stored,
    }
    changes.push(change)
    const waiting = wakers
    wakers = []
    for (const wake of waiting) wake()
    for (const listener of listeners) listener(change)
    return stored
  }

  const answer = (object: KubeObject, at: number, code = 200): ApiResult => ({ ok: true, code, object, sequence: at })
  const refuse = (status: Status): ApiResult => ({ ok: false, code: status.code, status })

  const mayGo = (object: KubeObject): boolean =>
    object.metadata.deletionTimestamp !== undefined &&
    !object.metadata.finalizers?.length &&
    !(object.kind === 'Namespace' && object['spec']?.finalizers?.length) &&
    (object.metadata.deletionGracePeriodSeconds ?? 0) === 0

  /** Stores an object's next state, or removes it when nothing holds it any more. */
  const store = (request: ApiRequest, before: KubeObject, next: KubeObject): ApiResult => {
    const same = { ...next, metadata: { ...next.metadata, resourceVersion: before.metadata.resourceVersion! } }
    if (jsonEqual(same, before)) return answer(before, 0)
    const object = record(request, next, mayGo(next) ? 'Deleted' : 'Updated', mayGo(next))
    return answer(object, sequence)
  }

  const create = (request: ApiRequest): ApiResult => {
    const draft = structuredClone(request.body) as KubeObject
    const meta = draft.metadata as Partial<KubeObject['metadata']>
    const groupResource = request.group ? `${request.resource}.${request.group}` : request.resource
    const namespace = request.namespace ?? meta.namespace
    const name = meta.name ?? `${meta.generateName}${(serial++).toString(36).padStart(5, '0')}`
    const key = keyFor(namespace, name)
    if (of(groupResource).has(key)) return refuse(alreadyExists(request, name))
    if (namespace) {
      const home = of('namespaces').get(`/${namespace}`)
      if (home?.metadata.deletionTimestamp) {
        const why = `unable to create new content in namespace ${namespace} because it is being terminated`
        return refuse(forbidden(request, name, why, [{ reason: 'NamespaceTerminating', message: why }]))
      }
    }
    const goneAt = used.get(`${groupResource} ${key}`)
    if (request.onlyNew && goneAt !== undefined) return refuse(nameUsedBefore(request, name))
    if (goneAt !== undefined && request.basis !== undefined && goneAt > request.basis) {
      return refuse(decidedElsewhere(request, name, goneAt))
    }
    if (request.query?.['dryRun'] === 'All') return answer(draft, 0, 201)
    const object: KubeObject = {
      ...draft,
      metadata: {
        ...draft.metadata,
        name,
        ...(namespace ? { namespace } : {}),
        uid: `uid-${++serial}`,
        creationTimestamp: rfc3339(clock.nowMs()),
        ...(withoutGeneration.has(request.resource) ? {} : { generation: 1 }),
      },
    }
    if (object.kind === 'Namespace') {
      object['spec'] ??= { finalizers: ['kubernetes'] }
      object['status'] ??= { phase: 'Active' }
    }
    if (object.kind === 'Pod') object['status'] ??= { phase: 'Pending' }
    if (!withoutGeneration.has(request.resource)) object['status'] ??= {}
    return answer(record(request, object, 'Created', false), sequence, 201)
  }

  /** A main or subresource write of a whole object. */
  const write = (request: ApiRequest, before: KubeObject, draft: KubeObject): ApiResult => {
    const name = before.metadata.name
    const wanted = draft.metadata.resourceVersion
    if (wanted && wanted !== before.metadata.resourceVersion) return refuse(conflict(request, name, objectModified))
    if (draft.metadata.uid && draft.metadata.uid !== before.metadata.uid) {
      return refuse(conflict(request, name, `Precondition failed: UID in precondition: ${draft.metadata.uid}`))
    }
    if (request.subresource === 'status') {
      const annotations =
        request.resource === 'deployments' && draft.metadata.annotations
          ? { annotations: draft.metadata.annotations }
          : {}
      return store(request, before, {
        ...before,
        metadata: { ...before.metadata, ...annotations },
        status: draft['status'],
      })
    }
    if (request.subresource === 'finalize') {
      return store(request, before, {
        ...before,
        spec: { ...before['spec'], finalizers: draft['spec']?.finalizers ?? [] },
      })
    }
    const { creationTimestamp, uid, generation, deletionTimestamp, deletionGracePeriodSeconds } = before.metadata
    const next: KubeObject = structuredClone({
      ...draft,
      metadata: {
        ...draft.metadata,
        creationTimestamp,
        uid,
        ...(generation === undefined ? {} : { generation }),
        ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
        ...(deletionGracePeriodSeconds === undefined ? {} : { deletionGracePeriodSeconds }),
      },
      ...(before['status'] === undefined ? {} : { status: before['status'] }),
    })
    const moved =
      !jsonEqual(next['spec'], before['spec']) ||
      (request.resource === 'deployments' && !jsonEqual(next.metadata.annotations, before.metadata.annotations))
    if (generation !== undefined && moved) next.metadata.generation = generation + 1
    return store(request, before, next)
  }

  const remove = (request: ApiRequest, before: KubeObject): ApiResult => {
    const { once, basis = sequence } = request
    const last = once && rounds.get(once.matter)
    if (once && last && last.round !== once.round && last.sequence > basis) {
      return refuse(decidedElsewhere(request, before.metadata.name, last.sequence))
    }
    const removed = removeUnguarded(request, before)
    if (once && removed.ok && removed.sequence > 0) {
      rounds.set(once.matter, { round: once.round, sequence: removed.sequence })
    }
    return removed
  }

  const removeUnguarded = (request: ApiRequest, before: KubeObject): ApiResult => {
    const options = (request.body ?? {}) as JsonObject
    const preconditions = options['preconditions'] as JsonObject | undefined
    if (preconditions?.['uid'] && preconditions['uid'] !== before.metadata.uid) {
      return refuse(conflict(request, before.metadata.name, 'Precondition failed: UID in precondition'))
    }
    if (preconditions?.['resourceVersion'] && preconditions['resourceVersion'] !== before.metadata.resourceVersion) {
      return refuse(conflict(request, before.metadata.name, 'Precondition failed: ResourceVersion in precondition'))
    }
    const policy = options['propagationPolicy'] as string | undefined
    const finalizers = new Set(before.metadata.finalizers ?? [])
    if (policy !== undefined) {
      finalizers.delete('orphan')
      finalizers.delete('foregroundDeletion')
    }
    if (policy === 'Orphan') finalizers.add('orphan')
    if (policy === 'Foreground') finalizers.add('foregroundDeletion')
    const finished = before['status']?.phase === 'Succeeded' || before['status']?.phase === 'Failed'
    const graceful = before.kind === 'Pod' && before['spec']?.nodeName && !finished
    const grace = graceful ? ((options['gracePeriodSeconds'] as number | undefined) ?? 30) : 0
    const metadata: KubeObject['metadata'] = {
      ...before.metadata,
      deletionTimestamp: before.metadata.deletionTimestamp ?? rfc3339(clock.nowMs() + grace * 1000),
      deletionGracePeriodSeconds:
        before.metadata.deletionTimestamp === undefined
          ? grace
          : Math.min(grace, before.metadata.deletionGracePeriodSeconds ?? 0),
    }
    if (finalizers.size > 0) metadata.finalizers = [...finalizers]
    else delete metadata.finalizers
    if (metadata.generation !== undefined && before.metadata.deletionTimestamp === undefined) metadata.generation++
    const next: KubeObject = { ...before, metadata }
    if (next.kind === 'Namespace') next['status'] = { ...next['status'], phase: 'Terminating' }
    return store(request, before, next)
  }

  const run = (request: ApiRequest): ApiResult => {
    const groupResource = request.group ? `${request.resource}.${request.group}` : request.resource
    if (request.subresource === 'binding') {
      const pod = of('pods').get(keyFor(request.namespace, request.name ?? ''))
      if (!pod) return refuse(notFound(request, request.name ?? ''))
      const target = (request.body as JsonObject)['target'].name as string
      if (pod['spec'].nodeName)
        return refuse(
          conflict(
            request,
            pod.metadata.name,
            `pod ${pod.metadata.name} is already assigned to node "${pod['spec'].nodeName}"`,
          ),
        )
      return store(request, pod, { ...pod, spec: { ...pod['spec'], nodeName: target } })
    }
    if (request.verb === 'create') return create(request)
    if (request.verb === 'list' || request.verb === 'deletecollection') {
      const labels = parseLabelSelector(request.query?.['labelSelector'] ?? '')
      const items = [...of(groupResource).values()].filter(
        (object) =>
          (request.namespace === undefined || object.metadata.namespace === request.namespace) &&
          labels.matches(object.metadata.labels),
      )
      const list = { apiVersion: 'v1', kind: 'List', metadata: {}, items } as unknown as KubeObject
      if (request.verb === 'list') return answer(list, sequence)
      const { query: _query, ...one } = request
      for (const object of items) remove({ ...one, verb: 'delete', name: object.metadata.name }, object)
      return answer(list, items.length > 0 ? sequence : 0)
    }
    const name = request.name ?? (request.body as KubeObject | undefined)?.metadata.name ?? ''
    const before = of(groupResource).get(keyFor(request.namespace, name))
    if (!before) return refuse(notFound(request, name))
    switch (request.verb) {
      case 'get':
        return answer(before, sequence)
      case 'update':
        return write(request, before, structuredClone(request.body) as KubeObject)
      case 'patch': {
        const copy = structuredClone(before)
        const patched =
          request.patchType === 'application/json-patch+json'
            ? applyJsonPatch(copy, request.body)
            : applyMergePatch(copy, request.body)
        return write(request, before, structuredClone(patched) as KubeObject)
      }
      case 'delete':
        return remove(request, before)
    }
  }

  const execute = (request: ApiRequest): ApiResult => {
    const result = run(request)
    requests.push({ request, result })
    return result
  }

  async function* follow(
    groupResources: readonly string[],
    signal: AbortSignal,
    delayMs: () => number,
  ): AsyncIterable<FeedBatch> {
    const wanted = new Set(groupResources)
    let at = changes.length
    const snapshot: ObjectChange[] = []
    for (const groupResource of [...objects.keys()]) {
      if (!isWanted(wanted, groupResource)) continue
      for (const object of of(groupResource).values()) {
        const dot = groupResource.indexOf('.')
        snapshot.push({
          group: dot < 0 ? '' : groupResource.slice(dot + 1),
          resource: dot < 0 ? groupResource : groupResource.slice(0, dot),
          groupResource,
          namespace: object.metadata.namespace ?? '',
          name: object.metadata.name,
          sequence: Number(object.metadata.resourceVersion),
          timeMs: clock.nowMs(),
          type: `${object.kind}Created`,
          deleted: false,
          object: object,
        })
      }
    }
    snapshot.sort((a, b) => a.sequence - b.sequence)
    yield { changes: snapshot, sequence, synced: true }
    while (!signal.aborted) {
      if (at === changes.length) {
        await new Promise<void>((resolve) => {
          wakers.push(resolve)
          signal.addEventListener('abort', () => resolve(), { once: true })
        })
        if (signal.aborted) return
      }
      const delay = delayMs()
      if (delay > 0) {
        try {
          await clock.sleep(delay, signal)
        } catch {
          return
        }
      }
      const part = changes.slice(at)
      at += part.length
      if (part.length === 0) continue
      yield {
        changes: part.filter((change) => isWanted(wanted, change.groupResource)),
        sequence: part.at(-1)!.sequence,
        synced: true,
      }
    }
  }

  const delayedFeed = (delayMs: () => number): ObjectFeed => ({
    follow: (groupResources, signal) => follow(groupResources, signal, delayMs),
  })

  return {
    feed: delayedFeed(() => 0),
    delayedFeed,
    client: ({ fate = () => 'deliver', latencyMs = 0 }: FakeClientOptions = {}) => {
      let index = 0
      return {
        request: async (request) => {
          const decided = fate(request, index++)
          if (latencyMs > 0) await clock.sleep(latencyMs)
          else await Promise.resolve()
          if (decided === 'lose-request') throw new Error('connection reset')
          if (typeof decided === 'object') return refuse(decided.refuse)
          const result = execute(request)
          if (latencyMs > 0) await clock.sleep(latencyMs)
          else await Promise.resolve()
          if (decided === 'lose-answer') throw new Error('connection reset')
          return result
        },
        recordAttempt: () => Promise.resolve(),
      }
    },
    execute,
    must: (request) => {
      const result = execute(request)
      if (!result.ok) throw new Error(`${request.verb} ${request.resource}: ${result.status.message}`)
      return result.object
    },
    get: <R extends string>(groupResource: R, key: string) => of(groupResource).get(key) as ObjectOf<R> | undefined,
    list: <R extends string>(groupResource: R, namespace?: string) =>
      [...of(groupResource).values()].filter(
        (object) => namespace === undefined || object.metadata.namespace === namespace,
      ) as ObjectOf<R>[],
    changes,
    onChange: (callback) => {
      listeners.push(callback)
    },
    requests,
    get sequence() {
      return sequence
    },
  }
}

/** The pods that a selector object matches. */
export const podsMatching = (cluster: FakeCluster, namespace: string, selector: JsonObject): Pod[] =>
  cluster.list('pods', namespace).filter((pod) => compileLabelSelector(selector).matches(pod.metadata.labels))
