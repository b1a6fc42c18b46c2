// Whether the log takes writes: fed by the outcome of every append, told by /readyz as `log-append`, and put into the log of
// the process once per change. A log that cannot be written is still read, so nothing else shows it.
import { serviceUnavailable, type Status, timeout } from '@shiplog/api/status'
import type { LogUnavailable } from '@shiplog/events/event-log'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { HealthCheck } from '@shiplog/runtime/service'

/** After a failed append nobody but us may write any more (not ready, no traffic): then we try this often. */
export const probeEveryMs = 5_000

export interface AppendHealth {
  /** The outcome of an append to a stream: undefined for stored, else what the log threw. */
  observe(stream: string, error: unknown): void
  /** The check; while it fails, asking for it also tries the log again now and then. */
  check(): HealthCheck
}

/** `probe` appends something small to the log; it throws when that fails. */
export function createAppendHealth(deps: {
  readonly clock: Clock
  readonly logger: Logger
  readonly probe: () => Promise<unknown>
}): AppendHealth {
  const { clock, logger, probe } = deps
  /** Streams whose last append failed. */
  const failing = new Map<string, string>()
  let triedMs = 0
  return {
    observe(stream, error) {
      if (error === undefined) {
        if (failing.size === 0 || !failing.delete(stream)) return
        logger.info({ stream }, 'the log takes writes again')
        return
      }
      if ((error as Error).name !== 'LogUnavailable') return
      const reason = (error as Error).message
      if (!failing.has(stream)) logger.error({ stream, reason }, 'the log does not take writes')
      failing.set(stream, reason)
      triedMs = clock.nowMs()
    },
    check() {
      const [reason] = failing.values()
      if (reason === undefined) return { name: 'log-append', ok: true }
      if (clock.nowMs() - triedMs >= probeEveryMs) {
        triedMs = clock.nowMs()
        // All streams lie on one disk: room for one is room for the others, until they say otherwise.
        probe().then(
          () => {
            if (failing.size > 0) logger.info({}, 'the log takes writes again')
            failing.clear()
          },
          // Why not is known already.
          () => undefined,
        )
      }
      return { name: 'log-append', ok: false, reason }
    },
  }
}

/** What a client is told when the log cannot be reached, the cause in the log's own words; undefined for other errors. */
export function statusOfUnavailable(error: unknown): Status | undefined {
  if (!(error instanceof Error) || error.name !== 'LogUnavailable') return undefined
  return (error as LogUnavailable).ambiguous
    ? timeout(`the log did not acknowledge the write in time; it may or may not have been stored: ${error.message}`)
    : serviceUnavailable(`the log is not available: ${error.message}`)
}
