// The object feed over HTTPS: lists and watches, as any client has them. For parts that run apart and may read a few resources
// only, each under a user of its own; what they may see is the authorizer's word.
import { parseObjectText } from '@shiplog/api/exact-json'
import type { KubeObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { splitGroupResource } from '@shiplog/api/schema/schema'
import type { FeedBatch, ObjectChange, ObjectFeed } from '@shiplog/feed/object-feed'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { ApiConnection } from './api-connection.ts'
import { wireTarget } from './request-path.ts'

const pauseMsMin = 100
const pauseMsMax = 5_000
/** A watch ends by itself after this and goes on where it was. */
const watchSeconds = 600
const batchesMax = 10_000

export interface WatchFeedOptions {
  readonly connection: ApiConnection
  readonly clock: Clock
  readonly log: Logger
}

/** Its changes carry no event type; `sequence` is the highest resourceVersion told of any of its resources. */
export function createWatchFeed(options: WatchFeedOptions): ObjectFeed {
  return {
    async *follow(groupResources, signal) {
      const ending = new AbortController()
      const ended = AbortSignal.any([signal, ending.signal])
      const queue = createQueue()
      const synced = new Set<string>()
      let sequence = 0
      const watches = groupResources.map((resource) =>
        followOne(options, resource, ended, async (changes, upTo) => {
          synced.add(resource)
          sequence = Math.max(sequence, upTo)
          await queue.put({ changes, sequence, synced: synced.size === groupResources.length })
        }),
      )
      const stop = (): void => queue.end()
      ended.addEventListener('abort', stop, { once: true })
      try {
        for (;;) {
          const batch = await queue.take()
          if (batch === undefined) return
          yield batch
        }
      } finally {
        ending.abort()
        queue.end()
        await Promise.allSettled(watches)
      }
    },
  }
}

interface Queue {
  put(batch: FeedBatch): Promise<void>
  take(): Promise<FeedBatch | undefined>
  end(): void
}

/** Who reads slowly slows the watches down. */
function createQueue(): Queue {
  const batches: FeedBatch[] = []
  let isOver = false
  let change = Promise.withResolvers<void>()
  const tell = (): void => {
    change.resolve()
    change = Promise.withResolvers()
  }
  return {
    async put(batch) {
      while (batches.length >= batchesMax && !isOver) await change.promise
      batches.push(batch)
      tell()
    },
    async take() {
      while (batches.length === 0 && !isOver) await change.promise
      if (isOver) return undefined
      const batch = batches.shift()
      tell()
      return batch
    },
    end() {
      isOver = true
      tell()
    },
  }
}

type Tell = (changes: readonly ObjectChange[], upTo: number) => Promise<void>

interface Followed {
  readonly objects: Map<string, KubeObject>
  version: string
}

async function followOne(options: WatchFeedOptions, groupResource: string, signal: AbortSignal, tell: Tell): Promise<void> {
  const { clock, log } = options
  const state: Followed = { objects: new Map(), version: '' }
  let failures = 0
  while (!signal.aborted) {
    try {
      if (state.version === '') await list(options, groupResource, state, tell)
      failures = 0
      await watch(options, groupResource, state, signal, tell)
    } catch (error) {
      if (signal.aborted) return
      if (failures === 1) log.warn({ err: error, resource: groupResource }, 'a watch failed; it is opened again')
    }
    const pauseMs = failures === 0 ? pauseMsMin : Math.min(pauseMsMin * 2 ** failures, pauseMsMax)
    failures++
    await clock.sleep(pauseMs, signal).catch(() => undefined)
  }
}

function pathOf(groupResource: string, query: Readonly<Record<string, string>>): string {
  const { group, resource } = splitGroupResource(groupResource)
  const target = wireTarget({ verb: 'list', group, resource, query }, builtInRegistry())
  if (target === undefined) throw new Error(`no resource ${groupResource}`)
  return target.path
}

const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name}`

const changeOf = (groupResource: string, object: KubeObject, sequence: number, nowMs: number, deleted = false): ObjectChange => {
  const { group, resource } = splitGroupResource(groupResource)
  const { namespace = '', name } = object.metadata
  return { group, resource, namespace, name, groupResource, sequence, timeMs: nowMs, type: '', deleted, object }
}

/** All there is: what is not in the list is gone. */
async function list({ connection, clock }: WatchFeedOptions, groupResource: string, state: Followed, tell: Tell): Promise<void> {
  const answer = await connection.request({ method: 'GET', path: pathOf(groupResource, {}) })
  const text = answer.body.toString('utf8')
  if (answer.code !== 200) throw new Error(`${groupResource} cannot be listed: ${answer.code} ${text.slice(0, 300)}`)
  const found = parseObjectText(text) as KubeObject & { readonly items: readonly KubeObject[] }
  const version = found.metadata.resourceVersion ?? '0'
  const nowMs = clock.nowMs()
  const before = new Map(state.objects)
  state.objects.clear()
  const changes = found.items.map((object) => {
    state.objects.set(keyOf(object), object)
    before.delete(keyOf(object))
    return changeOf(groupResource, object, Number(object.metadata.resourceVersion), nowMs)
  })
  const gone = [...before.values()].map((object) => changeOf(groupResource, object, Number(version), nowMs, true))
  state.version = version
  await tell([...gone, ...changes], Number(version))
}

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: KubeObject
}

async function watch(
  { connection, clock, log }: WatchFeedOptions,
  groupResource: string,
  state: Followed,
  signal: AbortSignal,
  tell: Tell,
): Promise<void> {
  const query = { watch: '1', allowWatchBookmarks: 'true', resourceVersion: state.version, timeoutSeconds: String(watchSeconds) }
  for await (const line of connection.lines({ method: 'GET', path: pathOf(groupResource, query) }, signal)) {
    if (line.code !== 200) {
      if (line.code === 410) state.version = ''
      throw new Error(`${groupResource} cannot be watched: ${line.code} ${line.text.slice(0, 300)}`)
    }
    const { type, object } = parseObjectText(line.text) as unknown as WatchEvent
    if (type === 'ERROR') {
      // What was to come next is not kept any more, or something else is wrong: all of it is read again.
      log.debug({ resource: groupResource, reason: (object as { message?: string }).message }, 'a watch was ended')
      state.version = ''
      return
    }
    const version = object.metadata.resourceVersion ?? state.version
    state.version = version
    if (type === 'BOOKMARK') continue
    if (type === 'DELETED') state.objects.delete(keyOf(object))
    else state.objects.set(keyOf(object), object)
    await tell([changeOf(groupResource, object, Number(version), clock.nowMs(), type === 'DELETED')], Number(version))
  }
}
