// The object feed for those who have no credentials for the log: list, then watch, over HTTPS. A node agent sees through
// it what a gateway lets it see, its own node and its own pods, and nothing else.
import { builtInRegistry } from '@shiplog/api/registry'
import type { FeedBatch, FeedObject, ObjectChange, ObjectFeed } from '@shiplog/events/object-feed'
import type { Clock } from '@shiplog/runtime/clock'
import type { ApiConnection } from './api-connection.ts'
import { ApiUnreachable } from './api-unreachable.ts'
import { wireTarget } from './request-path.ts'

/** Changes that wait for the consumer; more, and it has to begin again. */
const waitingChangesMax = 50_000
/** One line of a watch: an object and its frame. */
const lineBytesMax = 8 * 1024 * 1024
const retryMs = 200

export interface WatchFeedOptions {
  readonly connection: ApiConnection
  readonly clock: Clock
  /** Field selectors by resource: `{ pods: 'spec.nodeName=node-0' }`. */
  readonly fieldSelectors: Readonly<Record<string, string>>
}

interface Frame {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: FeedObject
}

/** Creates the feed. Its changes carry no event type: a watch does not tell it. */
export function createWatchFeed({ connection, clock, fieldSelectors }: WatchFeedOptions): ObjectFeed {
  const registry = builtInRegistry()

  const addressOf = (groupResource: string): { readonly group: string; readonly resource: string } => {
    const dot = groupResource.indexOf('.')
    return dot < 0
      ? { group: '', resource: groupResource }
      : { group: groupResource.slice(dot + 1), resource: groupResource.slice(0, dot) }
  }

  const pathOf = (groupResource: string, more: Readonly<Record<string, string>> = {}): string => {
    const fieldSelector = fieldSelectors[groupResource]
    const query = { ...(fieldSelector === undefined ? {} : { fieldSelector }), ...more }
    const target = wireTarget({ ...addressOf(groupResource), verb: 'list', query }, registry)
    if (target === undefined) throw new Error(`there is no resource ${groupResource}`)
    return target.path
  }

  const changeOf = (groupResource: string, object: FeedObject, deleted: boolean): ObjectChange => ({
    ...addressOf(groupResource),
    groupResource,
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name,
    sequence: Number(object.metadata.resourceVersion),
    timeMs: clock.nowMs(),
    type: '',
    deleted,
    object,
  })

  async function list(groupResource: string): Promise<{ changes: ObjectChange[]; sequence: number }> {
    const answer = await connection.request({ method: 'GET', path: pathOf(groupResource) })
    const parsed = JSON.parse(answer.body.toString('utf8'))
    if (answer.code !== 200) throw new Error(`${groupResource} cannot be listed: ${parsed.message}`)
    const { apiVersion } = parsed
    const kind = String(parsed.kind).replace(/List$/, '')
    return {
      sequence: Number(parsed.metadata.resourceVersion),
      changes: (parsed.items as FeedObject[]).map((item) =>
        changeOf(groupResource, { ...item, apiVersion, kind }, false),
      ),
    }
  }

  /** Watches from a sequence for ever; a stream that ends is asked for again where it ended. */
  async function watch(
    groupResource: string,
    from: number,
    signal: AbortSignal,
    onChange: (change: ObjectChange | undefined, sequence: number) => void,
  ): Promise<void> {
    let sequence = from
    while (!signal.aborted) {
      const path = pathOf(groupResource, {
        watch: 'true',
        resourceVersion: String(sequence),
        allowWatchBookmarks: 'true',
      })
      try {
        const stream = await connection.stream({ method: 'GET', path }, signal)
        if (stream.code !== 200) {
          if (stream.code !== 429 && stream.code < 500) {
            throw new Error(`${groupResource} cannot be watched: the API answers ${stream.code}`)
          }
          throw new ApiUnreachable(`the API answers ${stream.code}`, { ambiguous: false })
        }
        for await (const line of linesOf(stream.chunks)) {
          const { type, object } = JSON.parse(line) as Frame
          if (type === 'ERROR') throw new WatchRefused(String(object['message']))
          sequence = Number(object.metadata.resourceVersion)
          onChange(type === 'BOOKMARK' ? undefined : changeOf(groupResource, object, type === 'DELETED'), sequence)
        }
      } catch (error) {
        if (signal.aborted) return
        if (!isConnectionFault(error)) throw error
      }
      await clock.sleep(retryMs, signal).catch(() => undefined)
    }
  }

  async function* follow(groupResources: readonly string[], signal: AbortSignal): AsyncIterable<FeedBatch> {
    const lists = await Promise.all(groupResources.map(list))
    if (signal.aborted) return
    const sequences = lists.map(({ sequence }) => sequence)
    const through = (): number => Math.min(...sequences)
    yield { changes: lists.flatMap(({ changes }) => changes), sequence: through(), synced: true }

    const ending = new AbortController()
    const both = AbortSignal.any([signal, ending.signal])
    let waiting: ObjectChange[] = []
    let dirty = false
    let failure: { readonly error: unknown } | undefined
    let wake = (): void => undefined
    const fail = (error: unknown): void => {
      failure ??= { error }
      wake()
    }
    for (const [index, groupResource] of groupResources.entries()) {
      watch(groupResource, sequences[index]!, both, (change, sequence) => {
        sequences[index] = sequence
        if (change) waiting.push(change)
        if (waiting.length > waitingChangesMax) fail(new Error('a consumer of the watch feed is too slow'))
        dirty = true
        wake()
      }).catch(fail)
    }
    const onAbort = (): void => wake()
    signal.addEventListener('abort', onAbort)
    try {
      while (!signal.aborted) {
        if (failure) throw failure.error
        if (dirty) {
          const changes = waiting
          waiting = []
          dirty = false
          yield { changes, sequence: through(), synced: true }
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      ending.abort()
    }
  }

  return { follow }
}

/** The gateway ended the watch for a reason: its start is too old, mostly. A new list is needed. */
class WatchRefused extends Error {
  override readonly name = 'WatchRefused'
}

const isConnectionFault = (error: unknown): boolean =>
  error instanceof ApiUnreachable || /^ERR_(HTTP2|STREAM)|^E[A-Z]+$/.test((error as { code?: string }).code ?? '')

async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncIterable<string> {
  let rest: Buffer[] = []
  let restBytes = 0
  for await (const chunk of chunks) {
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const line = chunk.subarray(from, end)
      from = end + 1
      const whole = rest.length === 0 ? line : Buffer.concat([...rest, line])
      rest = []
      restBytes = 0
      if (whole.length > 0) yield whole.toString('utf8')
    }
    if (from < chunk.length) {
      rest.push(chunk.subarray(from))
      restBytes += chunk.length - from
      if (restBytes > lineBytesMax) throw new Error('a line of a watch is too long')
    }
  }
}
