// A test double for the scheduler: an API in memory whose feed can be held back. Only tests import it.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { type Status, conflict, notFound } from '@shiplog/api/status'
import type { FeedBatch, ObjectChange, ObjectFeed } from '@shiplog/feed/object-feed'

export interface FakeCluster {
  readonly client: ApiClient
  readonly feed: ObjectFeed
  /** Every change so far, in order. */
  readonly history: ObjectChange[]
  /** Bindings that were stored, with their request. */
  readonly bindings: { readonly request: ApiRequest; readonly sequence: number }[]
  readonly attempts: { readonly pod: string; readonly record: JsonObject }[]
  readonly events: JsonObject[]
  /** Creates or replaces, as somebody else would. */
  put(resource: 'pods' | 'nodes', object: JsonObject): void
  remove(resource: 'pods' | 'nodes', name: string): void
  pod(name: string): KubeObject | undefined
  /** While true the feed says nothing. */
  holdFeed(hold: boolean): void
  /** Makes all feeds fail once. */
  breakFeed(): void
  /** Called before a binding is looked at; what it returns is the answer. `store` stores it all the same. */
  onBinding: ((request: ApiRequest, store: () => ApiResult) => ApiResult | undefined) | undefined
}

export function createFakeCluster(): FakeCluster {
  const objects = { pods: new Map<string, KubeObject>(), nodes: new Map<string, KubeObject>() }
  const history: ObjectChange[] = []
  let sequence = 0
  let held = false
  let broken = 0
  let notify = Promise.withResolvers<void>()
  const podsResource = { group: '', resource: 'pods' }

  function append(resource: 'pods' | 'nodes', object: JsonObject, type: string, deleted = false): number {
    sequence++
    const stored = structuredClone(object) as KubeObject
    stored.metadata.resourceVersion = String(sequence)
    const { name, namespace = '' } = stored.metadata
    if (deleted) objects[resource].delete(name)
    else objects[resource].set(name, stored)
    history.push({
      group: '',
      resource,
      groupResource: resource,
      namespace,
      name,
      sequence,
      timeMs: 0,
      type,
      deleted,
      object: stored,
    })
    notify.resolve()
    notify = Promise.withResolvers()
    return sequence
  }

  const refused = (status: Status): ApiResult => ({ ok: false, code: status.code, status })

  function bind(request: ApiRequest): ApiResult {
    const body = request.body as JsonObject
    const pod = objects.pods.get(request.name!)
    if (pod === undefined || pod.metadata.uid !== body['metadata'].uid)
      return refused(notFound(podsResource, request.name!))
    if (pod['spec'].nodeName) {
      return refused(
        conflict(
          { group: '', resource: 'pods/binding' },
          request.name!,
          `pod ${request.name} is already assigned to node "${pod['spec'].nodeName}"`,
        ),
      )
    }
    const at = append('pods', { ...pod, spec: { ...pod['spec'], nodeName: body['target'].name } }, 'PodBound')
    cluster.bindings.push({ request, sequence: at })
    return { ok: true, code: 201, object: pod, sequence: at }
  }

  const cluster: FakeCluster = {
    history,
    bindings: [],
    attempts: [],
    events: [],
    onBinding: undefined,
    put: (resource, object) =>
      void append(resource, object, objects[resource].has(object['metadata'].name) ? 'Updated' : 'Created'),
    remove: (resource, name) => void append(resource, objects[resource].get(name)!, 'Deleted', true),
    pod: (name) => objects.pods.get(name),
    holdFeed(hold) {
      held = hold
      notify.resolve()
      notify = Promise.withResolvers()
    },
    breakFeed() {
      broken++
      notify.resolve()
      notify = Promise.withResolvers()
    },
    client: {
      async request(request) {
        await Promise.resolve()
        if (request.subresource === 'binding') {
          return cluster.onBinding?.(request, () => bind(request)) ?? bind(request)
        }
        if (request.resource === 'events') {
          cluster.events.push(request.body as JsonObject)
          return { ok: true, code: 201, object: request.body as KubeObject, sequence: 0 }
        }
        const pod = objects.pods.get(request.name!)
        if (request.resource !== 'pods' || pod === undefined) return refused(notFound(podsResource, request.name!))
        if (request.verb === 'get') return { ok: true, code: 200, object: pod, sequence }
        if (request.verb !== 'patch' || request.subresource !== 'status') throw new Error(`unexpected ${request.verb}`)
        const conditions = (request.body as JsonObject)['status'].conditions as JsonObject[]
        const at = append('pods', { ...pod, status: { ...pod['status'], conditions } }, 'PodStatusUpdated')
        return { ok: true, code: 200, object: pod, sequence: at }
      },
      async recordAttempt({ pod, record }) {
        cluster.attempts.push({ pod, record })
      },
    },
    feed: {
      async *follow(groupResources, signal): AsyncGenerator<FeedBatch> {
        const brokenBefore = broken
        const wanted = (change: ObjectChange): boolean => groupResources.includes(change.groupResource)
        let read = history.length
        const live = [...objects.nodes, ...objects.pods].map(([, object]) => object.metadata.uid)
        const latest = new Map(history.map((change) => [change.object.metadata.uid, change]))
        const changes = live.map((uid) => latest.get(uid)!).filter(wanted)
        const half = changes.length >> 1
        yield { changes: changes.slice(0, half), sequence: 0, synced: false }
        yield { changes: changes.slice(half), sequence: history.length, synced: true }
        while (!signal.aborted) {
          if (broken > brokenBefore) throw new Error('the feed broke')
          if (held || read === history.length) {
            const aborted = new Promise<void>((resolve) =>
              signal.addEventListener('abort', () => resolve(), { once: true }),
            )
            await Promise.race([notify.promise, aborted])
            continue
          }
          const batch = history.slice(read)
          read = history.length
          yield { changes: batch.filter(wanted), sequence: read, synced: true }
        }
      },
    },
  }
  return cluster
}
