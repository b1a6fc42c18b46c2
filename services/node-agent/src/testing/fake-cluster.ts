// A test double for the node agent: an API that holds objects in memory and feeds their changes, with the few semantics
// that the agent relies on. Only tests import it.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { FeedBatch, ObjectChange, ObjectFeed } from '@shiplog/feed/object-feed'
import { type Clock, rfc3339 } from '@shiplog/runtime/clock'

export interface FakeCluster {
  readonly client: ApiClient
  readonly feed: ObjectFeed
  readonly requests: ApiRequest[]
  get(resource: string, namespace: string, name: string): KubeObject | undefined
  /** Creates or replaces, as some other component would. */
  put(resource: string, object: JsonObject): KubeObject
  remove(resource: string, namespace: string, name: string): void
  /** Answers the next requests that match with this instead. */
  refuse(matches: (request: ApiRequest) => boolean, code: number): void
  accept(): void
}

const groupOf: Record<string, string> = { leases: 'coordination.k8s.io' }

export function createFakeCluster(clock: Clock): FakeCluster {
  const objects = new Map<string, KubeObject>()
  const requests: ApiRequest[] = []
  const followers = new Set<(changes: ObjectChange[]) => void>()
  let sequence = 0
  let refusal: { matches: (request: ApiRequest) => boolean; code: number } | undefined
  const keyOf = (resource: string, namespace: string, name: string): string => `${resource}/${namespace}/${name}`

  const changeOf = (resource: string, object: KubeObject, deleted: boolean): ObjectChange => ({
    group: groupOf[resource] ?? '',
    resource,
    groupResource: groupOf[resource] ? `${resource}.${groupOf[resource]}` : resource,
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name,
    sequence: deleted ? ++sequence : Number(object.metadata.resourceVersion),
    timeMs: clock.nowMs(),
    type: 'Changed',
    deleted,
    object: object,
  })

  function store(resource: string, object: JsonObject): KubeObject {
    const key = keyOf(resource, object['metadata'].namespace ?? '', object['metadata'].name)
    const stored = structuredClone(object) as KubeObject
    const before = objects.get(key)
    stored.metadata.uid ??= before?.metadata.uid ?? `uid-${sequence + 1}`
    stored.metadata.creationTimestamp ??= rfc3339(clock.nowMs())
    stored.metadata.resourceVersion = String(++sequence)
    objects.set(key, stored)
    for (const follower of followers) follower([changeOf(resource, stored, false)])
    return stored
  }

  function remove(resource: string, namespace: string, name: string): void {
    const key = keyOf(resource, namespace, name)
    const object = objects.get(key)
    if (!object) return
    objects.delete(key)
    for (const follower of followers) follower([changeOf(resource, object, true)])
  }

  const failure = (code: number, message: string): ApiResult => ({
    ok: false,
    code,
    status: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code },
  })
  const success = (object: KubeObject): ApiResult => ({
    ok: true,
    code: 200,
    object,
    sequence: Number(object.metadata.resourceVersion),
  })

  function merge(target: JsonObject, patch: JsonObject): void {
    for (const [field, value] of Object.entries(patch)) {
      if (field.startsWith('$setElementOrder/')) continue
      if (field === 'conditions') {
        const list: JsonObject[] = (target[field] ??= [])
        for (const condition of value as JsonObject[]) {
          const at = list.findIndex(({ type }) => type === condition['type'])
          if (at === -1) list.push(condition)
          else list[at] = condition
        }
      } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        merge((target[field] ??= {}), value as JsonObject)
      } else target[field] = value
    }
  }

  async function answer(request: ApiRequest): Promise<ApiResult> {
    await Promise.resolve()
    if (refusal?.matches(request)) return failure(refusal.code, 'refused by the test')
    const body = (request.body ?? {}) as JsonObject
    const namespace = request.namespace ?? ''
    if (request.verb === 'create') {
      const object = structuredClone(body)
      if (namespace) object['metadata'].namespace = namespace
      const key = keyOf(request.resource, namespace, object['metadata'].name)
      return objects.has(key) ? failure(409, 'already exists') : success(store(request.resource, object))
    }
    const current = objects.get(keyOf(request.resource, namespace, request.name ?? ''))
    if (current === undefined) return failure(404, 'not found')
    if (request.verb === 'get') return success(current)
    if (request.verb === 'patch') {
      if (body['metadata']?.uid && body['metadata'].uid !== current.metadata.uid) return failure(409, 'uid differs')
      const next = structuredClone(current)
      merge(next, body)
      return success(store(request.resource, next))
    }
    if (request.verb === 'delete') {
      if (body['preconditions']?.uid !== current.metadata.uid) return failure(409, 'uid differs')
      remove(request.resource, namespace, request.name!)
      return success(current)
    }
    throw new Error(`the fake cluster does not know ${request.verb}`)
  }

  return {
    requests,
    client: {
      request(request) {
        requests.push(request)
        return answer(request)
      },
      recordAttempt: () => Promise.resolve(),
    },
    feed: {
      async *follow(groupResources, signal): AsyncGenerator<FeedBatch> {
        const queue: ObjectChange[][] = []
        let wake: () => void = () => undefined
        const follower = (changes: ObjectChange[]): void => {
          if (!groupResources.includes(changes[0]!.groupResource)) return
          queue.push(changes)
          wake()
        }
        const snapshot = [...objects].map(([key, object]) => changeOf(key.split('/')[0]!, object, false))
        followers.add(follower)
        signal.addEventListener('abort', () => wake(), { once: true })
        yield {
          changes: snapshot.filter((change) => groupResources.includes(change.groupResource)),
          sequence,
          synced: true,
        }
        while (!signal.aborted) {
          if (queue.length === 0) await new Promise<void>((resolve) => (wake = resolve))
          else yield { changes: queue.splice(0).flat(), sequence, synced: true }
        }
        followers.delete(follower)
      },
    },
    get: (resource, namespace, name) => objects.get(keyOf(resource, namespace, name)),
    put: store,
    remove,
    refuse(matches, code) {
      refusal = { matches, code }
    },
    accept() {
      refusal = undefined
    },
  }
}
