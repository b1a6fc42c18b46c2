// The whole API as of a moment: the same operations as the present's, over a reader that stands still.
import type { Clock } from '@shiplog/runtime/clock'
import { builtInCatalogue, type Catalogue, definitionsResource, withDefinitions } from '@shiplog/domain/catalogue/catalogue'
import { methodNotAllowed, type Status } from '@shiplog/api/status'
import type { Converter } from '../conversion/converter.ts'
import type { Operations } from '../operations/operations.ts'
import { createMoments, type Moment } from './moment.ts'
import { createPastReader, type PastReader } from './reader.ts'
import type { Outgoing } from '../read/outgoing.ts'
import { checkPastStart, servePastWatch } from './watch.ts'
import { type Connections, noConnectionsOfThePast } from '../streaming/connections.ts'
import { noPodLogsOfThePast, type PodLogSource } from '../streaming/pod-logs.ts'
import type { UsageSource } from '../metrics/usage-store.ts'
import type { WatchSource } from '../read/watch-source.ts'
import type { Reader } from '../read/reader.ts'
import { fixedKinds, type Kinds } from '../store/kinds.ts'
import type { Streams } from '../store/streams.ts'
import type { Version } from '../store/version.ts'

/** What operations differ in by the time that they are of. */
export interface OperationSources {
  readonly kinds: Kinds
  readonly reader: Reader
  readonly watches: WatchSource
  readonly podLogs: PodLogSource
  readonly connections: Connections
  readonly usage?: UsageSource
  readonly nowMs: () => number
}

export interface Past {
  /** The operations as of the moment that a path names; throws ApiError. */
  at(moment: string): Promise<Operations>
  /** Watches of the past that are open. */
  readonly watchers: number
}

export function createPast(deps: {
  readonly streams: Streams
  readonly reader: Reader
  /** The kinds of the present. */
  readonly kinds: Kinds
  readonly operationsOver: (sources: OperationSources) => Operations
  readonly converter: Converter
  readonly clock: Clock
  readonly outgoing: Outgoing
  readonly stopped: AbortSignal
}): Past {
  const { streams, clock } = deps
  const moments = createMoments({ events: streams.events, nowMs: () => clock.nowMs() })
  let watchers = 0

  const watchesOf = (reader: PastReader): WatchSource => ({
    async open({ resource, kind }, { selection, options }) {
      await checkPastStart(reader, resource, options)
      return {
        kind: 'watch',
        warnings: reader.warnings,
        async serve(presenter, sink) {
          watchers++
          try {
            const shown = (versions: readonly Version[]): Promise<readonly Version[]> => deps.converter.shown(kind, versions)
            const watch = { reader, resource, selection, presenter, options, sink, ...(kind.conversions ? { shown } : {}) }
            await servePastWatch(watch, clock, deps.outgoing, deps.stopped)
          } finally {
            watchers--
          }
        },
        [Symbol.dispose]: () => undefined,
      }
    },
  })

  const catalogueAt = pastCatalogues(deps.kinds)

  const operationsAt = (moment: Moment): Operations => {
    const reader = createPastReader(streams, deps.reader, moment)
    return deps.operationsOver({
      kinds: { ...fixedKinds(builtInCatalogue()), latest: () => catalogueAt(moment, reader) },
      reader,
      watches: watchesOf(reader),
      podLogs: noPodLogsOfThePast(String(moment.sequence)),
      connections: noConnectionsOfThePast(String(moment.sequence)),
      nowMs: () => moment.timeMs,
    })
  }

  return {
    at: async (text) => operationsAt(await moments.resolve(text)),
    get watchers() {
      return watchers
    },
  }
}

/** Moments whose kinds are kept. */
const cataloguesMax = 16

/** The kinds of a moment: those that its definitions say, and as far as they are those of today, the same values. */
function pastCatalogues(present: Kinds): (moment: Moment, reader: PastReader) => Promise<Catalogue> {
  const kept = new Map<number, Promise<Catalogue>>()
  const definitions = builtInCatalogue().storage(definitionsResource)!
  return async ({ sequence }, reader) => {
    let catalogue = kept.get(sequence)
    if (!catalogue) {
      catalogue = reader.all(definitions).then((versions) => withDefinitions(present.current, versions))
      kept.set(sequence, catalogue)
      catalogue.catch(() => kept.delete(sequence))
      for (const oldest of kept.keys()) {
        if (kept.size <= cataloguesMax) break
        kept.delete(oldest)
      }
    }
    return await catalogue
  }
}

/** What a write in the past is told. */
export const pastIsReadOnly = (method: string, moment: string): Status => ({
  ...methodNotAllowed({ group: '', resource: '' }, method),
  message: `the past is read-only: ${method} is not possible below /at/${moment}`,
})

/** Whether a path is answered by the kinds that there are: discovery, OpenAPI. */
export const tellsKinds = (path: string): boolean => path === '/' || /^\/(api|apis|openapi)(\/|$)/.test(path)

/** What has a past of its own, or is the same at all times; metrics and raw events are of the present alone. */
export const isTimeless = (path: string): boolean =>
  path === '/' || /^\/(api|apis|openapi|version|healthz|livez|readyz)(\/|$)/.test(path)
