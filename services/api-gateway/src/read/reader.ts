// The read path: gets and lists, linearizable by default, exact at any version the log still holds when asked.
import { groupResourceOf, type ResourceInfo } from '@shiplog/api/schema/schema'
import {
  ApiError,
  expired,
  notFound,
  serviceUnavailable,
  type Status,
  timeout,
  versionTooLarge,
  versionTooOld,
} from '@shiplog/api/status'
import { oldestWholeSequence } from '@shiplog/events/history/history'
import { type ContinueToken, decodeContinue, encodeContinue, type ListOptions } from '../request/list-options.ts'
import { listAt } from '../store/history.ts'
import type { ListMeta } from '../representation/presenter.ts'
import { keyOf, type ResourceTable } from '../store/projection.ts'
import type { Selection } from '../request/selection.ts'
import type { Stream, Streams } from '../store/streams.ts'
import type { Version } from '../store/version.ts'
import { filterInSlices, type Turns, turnsOf } from './slices.ts'

/** Versions in another shape; the same objects in the same order. */
export type ShownVersions = (versions: readonly Version[]) => Promise<readonly Version[]>

export interface ListResult {
  readonly versions: readonly Version[]
  readonly meta: ListMeta
  /** What a client is told besides: damage of the past that the list may lack something for. */
  readonly warnings?: readonly string[]
}

export interface Reader {
  get(resource: ResourceInfo, namespace: string, name: string, resourceVersion: number | undefined): Promise<Version>
  /** `shown` makes of stored versions what the request's version of the kind shows; where it is given, fields are selected by that. */
  list(resource: ResourceInfo, selection: Selection, options: ListOptions, shown?: ShownVersions): Promise<ListResult>
  streamOf(resource: ResourceInfo): Stream
  tableOf(resource: ResourceInfo): ResourceTable
  /** Resolves when everything acknowledged before the call is visible; throws 503 when that takes too long. */
  barrier(stream: Stream): Promise<void>
  /** In which long work on lists is done. */
  readonly turns: Turns
  /** What has to be said with the answers that were given so far: damage of the log. */
  readonly warnings?: readonly string[]
}

export interface ReaderOptions {
  readonly nowMs: () => number
  /** How long a list goes on from its snapshot; as long as the log holds that by default. */
  readonly continueTokenLifetimeMs?: number | undefined
}

export function createReader(streams: Streams, { nowMs, continueTokenLifetimeMs }: ReaderOptions): Reader {
  const turns = turnsOf({ nowMs })
  const storageKey = (resource: ResourceInfo): string => groupResourceOf(resource.storageGroup, resource.resource)
  const streamOf = (resource: ResourceInfo): Stream => streams.of(storageKey(resource))
  const tableOf = (resource: ResourceInfo): ResourceTable => streamOf(resource).projection.table(storageKey(resource))

  async function barrier(stream: Stream): Promise<void> {
    if (!(await stream.projection.barrier())) {
      throw new ApiError(
        stream.projection.failure
          ? serviceUnavailable('the gateway has lost the log')
          : timeout('the projection did not catch up with the log in time'),
      )
    }
  }

  /** Waits until at least `resourceVersion` is applied; a version that the log does not know is refused. */
  async function reach(stream: Stream, resourceVersion: number): Promise<void> {
    const { projection } = stream
    if (resourceVersion <= projection.applied) return
    const known = resourceVersion <= (await stream.log.lastSequence())
    if (known && (await projection.waitFor(resourceVersion))) return
    throw new ApiError(versionTooLarge(resourceVersion, projection.applied))
  }

  return {
    streamOf,
    tableOf,
    barrier,
    turns,

    async get(resource, namespace, name, resourceVersion) {
      const stream = streamOf(resource)
      if (resourceVersion === undefined) await barrier(stream)
      else if (resourceVersion > 0) await reach(stream, resourceVersion)
      const version = tableOf(resource).current.get(keyOf(namespace, name))
      if (!version) throw new ApiError(notFound(resource, name))
      return version
    },

    async list(resource, selection, options, shown) {
      const stream = streamOf(resource)
      const table = tableOf(resource)
      const { projection } = stream
      let token: ContinueToken | undefined
      let at: number
      let versions: readonly Version[]
      let warnings: readonly string[] = []
      if (options.continueToken !== '') {
        token = decodeContinue(options.continueToken)
        if (options.resourceVersion) {
          throw new ApiError({
            ...expired(''),
            code: 400,
            reason: 'BadRequest',
            message: 'specifying resource version is not allowed when using continue',
          } as Status)
        }
        if (isTooOld(token)) throw new ApiError(tokenExpired(token))
        if (token.sequence === 0) await barrier(stream)
        at = token.sequence === 0 ? projection.applied : token.sequence
      } else if (options.resourceVersion === undefined) {
        await barrier(stream)
        at = projection.applied
      } else if (options.resourceVersionMatch === 'Exact') {
        await reach(stream, options.resourceVersion)
        at = options.resourceVersion
      } else {
        if (options.resourceVersion > 0) await reach(stream, options.resourceVersion)
        at = projection.applied
      }
      if (at >= projection.applied && at === projection.applied) {
        versions = selection.name !== undefined ? single(table, selection) : table.list(selection.namespace)
      } else {
        await reach(stream, at)
        const oldest = at >= projection.windowFloor ? 0 : await oldestKept(stream)
        if (at < oldest) throw new ApiError(token ? tokenExpired(token) : versionTooOld(at, oldest))
        const address = { group: resource.storageGroup, resource: resource.resource }
        ;({ versions, warnings } = await listAt(stream, table, address, selection.namespace, at))
      }
      const begunMs = continueTokenLifetimeMs === undefined ? undefined : (token?.begunMs ?? nowMs())
      const place = { at, start: token?.start, begunMs, turns, shown }
      return { ...(await pageOf(versions, selection, options, place)), warnings }
    },
  }

  /** A token that goes on with whatever is current never expires. */
  function isTooOld({ sequence, begunMs }: ContinueToken): boolean {
    if (continueTokenLifetimeMs === undefined || begunMs === undefined || sequence === 0) return false
    return nowMs() - begunMs > continueTokenLifetimeMs
  }

  /** Streams that keep only the last record of each subject cannot show the past beyond the window. */
  async function oldestKept(stream: Stream): Promise<number> {
    if (stream !== streams.events) return stream.projection.windowFloor
    return await oldestWholeSequence(stream.log)
  }
}

export interface PagePlace {
  readonly at: number
  readonly start: string | undefined
  readonly begunMs?: number | undefined
  readonly turns: Turns
  readonly shown?: ShownVersions | undefined
}

/** What is selected of the versions at a sequence, after the key `start`, as far as the limit goes. */
export async function pageOf(
  stored: readonly Version[],
  selection: Selection,
  options: ListOptions,
  { at, start, begunMs, turns, shown }: PagePlace,
): Promise<ListResult> {
  const all = shown && selection.readsFields ? await shown(stored) : stored
  let versions = selection.everything
    ? all
    : await filterInSlices(all, (version) => selection.matches(version), turns)
  if (start !== undefined) versions = versions.filter((version) => version.key > start)
  const meta: { resourceVersion: string; continue?: string; remainingItemCount?: number } = {
    resourceVersion: String(at),
  }
  if (options.limit > 0 && versions.length > options.limit) {
    const remaining = versions.length - options.limit
    versions = versions.slice(0, options.limit)
    meta.continue = encodeContinue({
      ...{ sequence: at, start: versions[versions.length - 1]!.key },
      ...(begunMs === undefined ? {} : { begunMs }),
    })
    if (options.labelSelector === '' && options.fieldSelector === '') meta.remainingItemCount = remaining
  }
  return { versions, meta }
}

const single = (table: ResourceTable, selection: Selection): Version[] => {
  if (selection.namespace === '') return table.list('').filter((version) => version.name === selection.name)
  const version = table.current.get(keyOf(selection.namespace, selection.name!))
  return version ? [version] : []
}

/** 410 with a token that goes on after the last key in whatever is current then. */
const tokenExpired = (token: ContinueToken): Status => ({
  ...expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
  ),
  metadata: { continue: encodeContinue({ sequence: 0, start: token.start }) },
})
