// A cluster in memory for tests of controllers, schedulers and node agents: the object feed and the API client over one
// list of changes. Its writes run the gateway's own stages (cluster/pipeline.ts), so what a test may do here a client may do
// on a real cluster. Feeds may lag, be held back or break; a client's commands may get lost or be answered by the test.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { ObjectOf } from '@shiplog/api/object-of'
import { parseIpRanges } from '@shiplog/api/ip-address'
import { builtInCatalogue, type Catalogue, definitionsResource, withDefinitions } from '@shiplog/domain/catalogue/catalogue'
import { compileLabelSelector } from '@shiplog/api/selectors'
import type { Status } from '@shiplog/api/status'
import type { AdmissionPlugin } from '@shiplog/domain/admission'
import { defaultAdmissionPlugins } from '@shiplog/domain/admission/plugins'
import { strategyFor } from '@shiplog/domain/strategies'
import { systemPriorityClasses } from '@shiplog/domain/priority-class/system-priority-classes'
import type { ObjectChange, ObjectFeed } from '@shiplog/feed/object-feed'
import { type Clock, rfc3339 } from '@shiplog/runtime/clock'
import { createMemoryFeeds } from './cluster/memory-feed.ts'
import { createMemoryStore, type MemoryStore } from './cluster/memory-store.ts'
import { execute, refused } from './cluster/pipeline.ts'
import type { PipelineDeps } from './cluster/request-target.ts'
import { seededRandom } from './seeded-random.ts'

/** What happens to a command of a client: carried out, refused unseen, or carried out without the client learning of it. */
export type Fate = 'deliver' | 'lose-request' | 'lose-answer' | { readonly refuse: Status }

export interface FakeClientOptions {
  /** Asked for every command, in order. */
  readonly fate?: (request: ApiRequest, index: number) => Fate
  /** Milliseconds before a command is carried out, and again before its answer. */
  readonly latencyMs?: number
}

export interface FakeClusterOptions {
  /** Default: the plugins of a real cluster, but for the one that needs a ServiceAccount for every pod. */
  readonly admission?: readonly AdmissionPlugin[]
}

/** Answers a client's request in place of the cluster; undefined lets the cluster answer. */
export type Intercept = (request: ApiRequest, carryOut: () => ApiResult) => ApiResult | undefined

export interface FakeCluster {
  readonly feed: ObjectFeed
  /** A feed that hands changes over later. */
  delayedFeed(delayMs: () => number): ObjectFeed
  /** While true no feed says anything new. */
  holdFeed(isHeld: boolean): void
  /** Ends all feeds that are followed now, with an error. */
  breakFeed(): void
  client(options?: FakeClientOptions): ApiClient
  /** Asked for every request of every client, when it arrives. */
  intercept: Intercept | undefined
  /** Carries a request out at once. */
  execute(request: ApiRequest): ApiResult
  /** As `execute`, for requests that must succeed. */
  must(request: ApiRequest): KubeObject
  /** Places an object with its defaults filled in, past every other rule: a state that a test begins with. */
  put<O extends KubeObject = KubeObject>(groupResource: string, object: JsonObject): O
  /** Takes an object away, past every rule. */
  remove(groupResource: string, key: string): void
  /** `key` is `default/web`, or `/node-1` for what has no namespace. */
  get<R extends string>(groupResource: R, key: string): ObjectOf<R> | undefined
  list<R extends string>(groupResource: R, namespace?: string): ObjectOf<R>[]
  /** Every change so far, in order. */
  readonly changes: readonly ObjectChange[]
  /** Called after every change, synchronously. */
  onChange(callback: (change: ObjectChange) => void): void
  /** Every request that reached the cluster, with its answer. */
  readonly requests: readonly { readonly request: ApiRequest; readonly result: ApiResult }[]
  /** Attempts to schedule that clients recorded. */
  readonly attempts: readonly { readonly pod: string; readonly record: JsonObject }[]
  readonly sequence: number
}

/** Creates an empty cluster. A namespace that nobody created counts as existing. */
export function createFakeCluster(
  clock: Pick<Clock, 'nowMs' | 'sleep'>,
  options: FakeClusterOptions = {},
): FakeCluster {
  const store = createMemoryStore(clock)
  const feeds = createMemoryFeeds(store, clock)
  const pipeline = pipelineOver(store, clock, options)
  const requests: { request: ApiRequest; result: ApiResult }[] = []
  const attempts: { pod: string; record: JsonObject }[] = []

  const run = (request: ApiRequest): ApiResult => {
    const result = execute(pipeline, request)
    requests.push({ request, result })
    return result
  }
  const arrive = (request: ApiRequest): ApiResult => {
    const result = cluster.intercept?.(request, () => run(request))
    if (result === undefined) return run(request)
    if (requests.at(-1)?.request !== request) requests.push({ request, result })
    return result
  }
  const waitFor = (ms: number): Promise<void> => (ms > 0 ? clock.sleep(ms) : Promise.resolve())

  const cluster: FakeCluster = {
    feed: feeds.delayed(() => 0),
    delayedFeed: feeds.delayed,
    holdFeed: feeds.hold,
    breakFeed: feeds.break,
    intercept: undefined,
    client: ({ fate = () => 'deliver', latencyMs = 0 }: FakeClientOptions = {}) => {
      let index = 0
      return {
        request: async (request) => {
          const decided = fate(request, index++)
          await waitFor(latencyMs)
          if (decided === 'lose-request') throw new Error('connection reset')
          if (typeof decided === 'object') return refused(decided.refuse)
          const result = arrive(request)
          await waitFor(latencyMs)
          if (decided === 'lose-answer') throw new Error('connection reset')
          return result
        },
        recordAttempt: async ({ pod, record }) => void attempts.push({ pod, record }),
      }
    },
    execute: run,
    must: (request) => {
      const result = run(request)
      if (!result.ok) throw new Error(`${request.verb} ${request.resource}: ${result.status.message}`)
      return result.object
    },
    put: <O extends KubeObject>(groupResource: string, object: JsonObject) =>
      place(store, clock, groupResource, object) as O,
    remove: (groupResource, key) => {
      const slash = key.indexOf('/')
      const object = store.get(groupResource, key.slice(0, slash), key.slice(slash + 1))
      if (object) store.record(groupResource, { object, type: `${object.kind}Deleted`, deleted: true })
    },
    get: <R extends string>(groupResource: R, key: string) => {
      const slash = key.indexOf('/')
      return store.get(groupResource, key.slice(0, slash), key.slice(slash + 1)) as ObjectOf<R> | undefined
    },
    list: <R extends string>(groupResource: R, namespace?: string) => store.list(groupResource, namespace) as ObjectOf<R>[],
    changes: store.changes,
    onChange: store.onChange,
    requests,
    attempts,
    get sequence() {
      return store.sequence
    },
  }
  return cluster
}

/** Services may be of both families. */
const dualStack = parseIpRanges('10.96.0.0/16,fd00:10:96::/112')

const catalogues = new WeakMap<MemoryStore, Catalogue>()

/** The kinds that there are now, as the definitions in the store say. */
function catalogueOf(store: MemoryStore): Catalogue {
  const stored = store.list(definitionsResource).map((object) => ({
    name: object.metadata.name,
    sequence: Number(object.metadata.resourceVersion),
    parse: () => object,
  }))
  const catalogue = withDefinitions(catalogues.get(store) ?? builtInCatalogue(), stored)
  catalogues.set(store, catalogue)
  return catalogue
}

/** No controller makes the accounts that one of them asks for, none takes the taint away that the other puts on new nodes. */
const absent: ReadonlySet<string> = new Set(['ServiceAccount', 'TaintNodesByCondition'])

/** Ids count and names are drawn from a fixed seed, so that a failing test fails the same way again. */
function pipelineOver(
  store: MemoryStore,
  clock: Pick<Clock, 'nowMs'>,
  { admission = defaultAdmissionPlugins().filter(({ name }) => !absent.has(name)) }: FakeClusterOptions,
): PipelineDeps {
  const random = seededRandom(1)
  let serial = 0
  return {
    get registry() {
      return catalogueOf(store)
    },
    store,
    admission,
    reader: {
      get: (groupResource, namespace, name) =>
        store.get(groupResource, namespace, name) ?? impliedObject(groupResource, name),
      list: (groupResource, namespace) => store.list(groupResource, namespace),
    },
    context: () => ({
      nowMs: clock.nowMs(),
      user: { name: 'system:admin', groups: ['system:masters'] },
      uuid: () => `00000000-0000-4000-8000-${String(++serial).padStart(12, '0')}`,
      integer: (below) => random.below(below),
      serviceRanges: dualStack,
    }),
  }
}

/** What admission finds though nobody created it: namespaces, and the priority classes that every cluster has. */
function impliedObject(groupResource: string, name: string): KubeObject | undefined {
  const metadata = { name, uid: `uid-of-${name}`, creationTimestamp: '2026-01-01T00:00:00Z' }
  if (groupResource === 'namespaces') return { apiVersion: 'v1', kind: 'Namespace', metadata, status: { phase: 'Active' } }
  if (groupResource !== 'priorityclasses.scheduling.k8s.io') return undefined
  const found = systemPriorityClasses.find((one) => one.name === name)
  return found && { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata, value: found.value }
}

function place(store: MemoryStore, clock: Pick<Clock, 'nowMs'>, groupResource: string, object: JsonObject): KubeObject {
  const draft = structuredClone(object) as KubeObject
  const { namespace, name } = draft.metadata
  const before = store.get(groupResource, namespace ?? '', name)
  draft.metadata.uid ??= before?.metadata.uid ?? `uid-${store.sequence + 1}`
  draft.metadata.creationTimestamp ??= rfc3339(clock.nowMs())
  strategyFor(groupResource).setDefaults?.(draft)
  const type = `${draft.kind}${before ? 'Updated' : 'Created'}`
  return store.record(groupResource, { object: draft, type, deleted: false })
}

/** The pods that a selector object matches. */
export const podsMatching = (cluster: FakeCluster, namespace: string, selector: JsonObject): Pod[] =>
  cluster.list('pods', namespace).filter((pod) => compileLabelSelector(selector).matches(pod.metadata.labels))
