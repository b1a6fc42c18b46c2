// What nodes last said of their use. Every gateway hears every report and keeps the last of each node, for as long as it
// says anything; nothing of it is in the log.
import { decodeUsage, nodeOfUsage, type NodeUsage, usageExpiresMs, usageFilter } from '@shiplog/api-client/wire/node-usage'
import type { Bus } from '@shiplog/events/bus/bus'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'

/** Nodes whose reports are kept; more than a cluster has. */
const nodesMax = 20_000

export interface UsageSource {
  /** The last report of a node, unless it is too old. */
  of(node: string): NodeUsage | undefined
}

/** Where nothing is measured. */
export const noUsage: UsageSource = { of: () => undefined }

export interface UsageStore extends UsageSource {
  /** Hears reports until disposed. */
  hear(bus: Bus): Disposable
}

export function createUsageStore({ clock, logger }: { readonly clock: Clock; readonly logger: Logger }): UsageStore {
  const reports = new Map<string, { readonly usage: NodeUsage; readonly heardMs: number }>()
  return {
    of(node) {
      const report = reports.get(node)
      return report && clock.nowMs() - report.heardMs <= usageExpiresMs ? report.usage : undefined
    },
    hear: (bus) =>
      bus.subscribe(usageFilter, ({ subject, payload }) => {
        const node = nodeOfUsage(subject)
        const usage = node === undefined ? undefined : decodeUsage(payload)
        if (node === undefined || !usage) {
          logger.debug({ subject }, 'report of use not understood')
          return
        }
        reports.delete(node)
        reports.set(node, { usage, heardMs: clock.nowMs() })
        if (reports.size > nodesMax) reports.delete(reports.keys().next().value!)
      }),
  }
}
