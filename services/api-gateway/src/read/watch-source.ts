// Watches of the present: what is checked before the answer begins, and the events after that.
import type { Converter } from '../conversion/converter.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import type { ListOptions } from '../request/list-options.ts'
import type { Selection } from '../request/selection.ts'
import { type Kinds, untilChanged } from '../store/kinds.ts'
import type { WatchAnswer } from '../operations/answer.ts'
import type { Reader } from './reader.ts'
import { checkStart, type WatchHub } from './watch.ts'

/** What the query of a request selects. */
export interface Selected {
  readonly selection: Selection
  readonly options: ListOptions
}

export interface WatchSource {
  /** Everything that can be refused is refused here; throws ApiError. */
  open(request: GatewayRequest, selected: Selected): Promise<WatchAnswer>
}

export const createWatchSource = ({
  reader,
  kinds,
  hub,
  converter,
  watchEvents,
}: {
  readonly reader: Reader
  readonly kinds: Kinds
  readonly hub: WatchHub
  readonly converter: Converter
  /** Counts the events that are sent. */
  readonly watchEvents?: (group: string, version: string, resource: string) => { inc(by?: number): void }
}): WatchSource => ({
  async open({ resource, kind, user }, { selection, options }) {
    const stream = reader.streamOf(resource)
    if (options.resourceVersion === undefined || options.sendInitialEvents) await reader.barrier(stream)
    await checkStart(stream, options.resourceVersion)
    const table = reader.tableOf(resource)
    const room = await hub.admit(user.name, { stream, table, selection, options })
    const changed = kind.custom && untilChanged(kinds, kind)
    return {
      kind: 'watch',
      warnings: [],
      serve: (presenter, sink) =>
        hub.serve({
          ...{ stream, table, selection, presenter, options, sink, room },
          ...(changed ? { until: changed } : {}),
          ...(kind.conversions ? { shown: (versions) => converter.shown(kind, versions) } : {}),
          ...(watchEvents ? { sent: watchEvents(resource.group, resource.version, resource.resource) } : {}),
          resource: { group: resource.storageGroup, resource: resource.resource },
        }),
      [Symbol.dispose]: () => {
        changed?.[Symbol.dispose]()
        room[Symbol.dispose]()
      },
    }
  },
})
