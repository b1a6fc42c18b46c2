// The whole API as of a moment: the same operations as the present's, over a reader that stands still.
import type { Clock } from '@shiplog/runtime/clock'
import { methodNotAllowed, type Status } from '@shiplog/api/status'
import type { Operations } from '../operations/operations.ts'
import { createMoments, type Moment } from './moment.ts'
import { createPastReader, type PastReader } from './reader.ts'
import { type PastWatchRequest, servePastWatch } from './watch.ts'
import type { Reader } from '../read/reader.ts'
import type { Streams } from '../store/streams.ts'

export interface PastView {
  readonly moment: Moment
  readonly reader: PastReader
  readonly operations: Operations
}

export interface Past {
  /** The view of the moment that a path names; throws ApiError. */
  view(moment: string): Promise<PastView>
  watch(request: PastWatchRequest): Promise<void>
  /** Watches of the past that are open. */
  readonly watchers: number
}

export function createPast(deps: {
  readonly streams: Streams
  readonly reader: Reader
  readonly operationsOver: (reader: Reader) => Operations
  readonly clock: Clock
  readonly stopped: AbortSignal
}): Past {
  const { streams, clock } = deps
  const moments = createMoments({ events: streams.events, nowMs: () => clock.nowMs() })
  let watchers = 0
  return {
    async view(text) {
      const moment = await moments.resolve(text)
      const reader = createPastReader(streams, deps.reader, moment)
      return { moment, reader, operations: deps.operationsOver(reader) }
    },
    async watch(request) {
      watchers++
      try {
        await servePastWatch(request, clock, deps.stopped)
      } finally {
        watchers--
      }
    },
    get watchers() {
      return watchers
    },
  }
}

/** What a write in the past is told. */
export const pastIsReadOnly = (method: string, moment: string): Status => ({
  ...methodNotAllowed({ group: '', resource: '' }, method),
  message: `the past is read-only: ${method} is not possible below /at/${moment}`,
})

/** What has a past of its own, or is the same at all times; metrics and raw events are of the present alone. */
export const isTimeless = (path: string): boolean =>
  path === '/' || /^\/(api|apis|openapi|version|healthz|livez|readyz)(\/|$)/.test(path)
