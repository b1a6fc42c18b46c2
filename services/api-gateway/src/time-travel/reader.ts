// A Reader whose present is a moment of the past: gets and lists through it say what they said then. Objects of EVENTS
// are exact at every sequence that the log holds. Leases and Event objects age (their streams keep the last record of
// each): they are exact within the memory of this gateway, and beyond it those are shown that are still held.
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import { ApiError, badRequest, notFound, versionTooLarge } from '@shiplog/api/status'
import { sequenceAtTime } from '@shiplog/events/history/history'
import { resourceFilter } from '@shiplog/events/subjects'
import { decodeContinue } from '../request/list-options.ts'
import { getAt, listAt } from '../store/history.ts'
import { damageBetween, damagedStatus } from './damage.ts'
import type { Moment } from './moment.ts'
import { keyOf } from '../store/projection.ts'
import { pageOf, type Reader } from '../read/reader.ts'
import type { Stream, Streams } from '../store/streams.ts'
import type { Version } from '../store/version.ts'

export interface PastReader extends Reader {
  /** Where the moment lies in the stream of a resource. */
  sequenceIn(stream: Stream): Promise<number>
  /** What has to be said with the answers that were given so far: damage of the log. */
  readonly warnings: readonly string[]
  /** All objects of a resource at the moment. */
  all(resource: ResourceInfo): Promise<readonly Version[]>
  /** Learns, before a watch begins, what is to be said of the state that it begins with. */
  checkState(resource: ResourceInfo): Promise<void>
  /** Checks, before a watch begins, the events that it will tell of: damage among them is refused, or warned of. */
  checkEvents(resource: ResourceInfo, from: number, to: number): Promise<void>
}

export function createPastReader(streams: Streams, reader: Reader, moment: Moment): PastReader {
  const warnings = new Set<string>()
  const warn = (more: readonly string[]): void => {
    for (const one of more) warnings.add(one)
  }
  const sequences = new Map<Stream, Promise<number>>([[streams.events, Promise.resolve(moment.sequence)]])

  function sequenceIn(stream: Stream): Promise<number> {
    let sequence = sequences.get(stream)
    if (sequence === undefined) {
      sequence = (async () => {
        const [first, last] = await Promise.all([stream.log.firstSequence(), stream.log.lastSequence()])
        await stream.projection.waitFor(last)
        return await sequenceAtTime(stream.log, moment.timeMs, first, Math.min(last, stream.projection.applied))
      })()
      sequences.set(stream, sequence)
    }
    return sequence
  }

  async function versionsAt(resource: ResourceInfo, namespace: string, sequence: number): Promise<readonly Version[]> {
    const stream = reader.streamOf(resource)
    const address = { group: resource.storageGroup, resource: resource.resource }
    const { windowFloor } = stream.projection
    if (stream === streams.events || sequence >= windowFloor) {
      const state = await listAt(stream, reader.tableOf(resource), address, namespace, sequence)
      warn(state.warnings)
      return state.versions
    }
    const held = await listAt(stream, reader.tableOf(resource), address, namespace, windowFloor)
    return held.versions.filter((version) => version.sequence <= sequence)
  }

  /** The sequence that a request means: the moment, or one before it that it names. */
  function chosen(at: number, asked: number | undefined): number {
    if (!asked) return at
    if (asked > at) throw new ApiError(versionTooLarge(asked, at))
    return asked
  }

  return {
    turns: reader.turns,
    streamOf: (resource) => reader.streamOf(resource),
    tableOf: (resource) => reader.tableOf(resource),
    barrier: () => Promise.resolve(),
    sequenceIn,
    get warnings() {
      return [...warnings]
    },

    all: async (resource) => await versionsAt(resource, '', await sequenceIn(reader.streamOf(resource))),

    async checkState(resource) {
      await versionsAt(resource, '', await sequenceIn(reader.streamOf(resource)))
    },

    async checkEvents(resource, from, to) {
      const stream = reader.streamOf(resource)
      const filter = resourceFilter(resource.storageGroup, resource.resource)
      const found = await damageBetween(stream, filter, from, to)
      if (found.damages.length > 0) throw new ApiError(damagedStatus(found.damages))
      warn(found.warnings)
    },

    async get(resource, namespace, name, resourceVersion) {
      const stream = reader.streamOf(resource)
      const at = await sequenceIn(stream)
      // As in the present, a resourceVersion asks for that version or a later one.
      chosen(at, resourceVersion)
      let version: Version | undefined
      if (stream === streams.events || at >= stream.projection.windowFloor) {
        const address = { group: resource.storageGroup, resource: resource.resource, namespace, name }
        version = await getAt(stream, reader.tableOf(resource), address, at, warn)
      } else {
        const key = keyOf(namespace, name)
        version = (await versionsAt(resource, namespace, at)).find((one) => one.key === key)
      }
      if (!version) throw new ApiError(notFound(resource, name))
      return version
    },

    async list(resource, selection, options, shown) {
      const stream = reader.streamOf(resource)
      let at = await sequenceIn(stream)
      let start: string | undefined
      if (options.continueToken !== '') {
        if (options.resourceVersion)
          throw new ApiError(badRequest('specifying resource version is not allowed when using continue'))
        const token = decodeContinue(options.continueToken)
        at = chosen(at, token.sequence)
        start = token.start
      } else if (options.resourceVersionMatch === 'Exact') at = chosen(at, options.resourceVersion)
      else chosen(at, options.resourceVersion)
      return await pageOf(await versionsAt(resource, selection.namespace, at), selection, options, { at, start, turns: reader.turns, shown })
    },
  }
}
