// A projector waits for its PostgreSQL: processes are started in any order, and a database may begin later or be away.
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'

const retryMs = 500
/** Not there, not there yet, or not any more; as opposed to a server that refuses what is asked. */
const awayCodes = /^(ECONN\w+|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|57P0[123]|53300|08\d\d\d)$/
const awayMessages = /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout)/

/** True when it is worth while to ask again later. */
export function isAway(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isAway)
  const { code, message, cause } = error as { code?: unknown; message?: unknown; cause?: unknown }
  if (typeof code === 'string' && awayCodes.test(code)) return true
  if (typeof message === 'string' && awayMessages.test(message)) return true
  return cause !== undefined && cause !== error && isAway(cause)
}

/** Calls `prepare` until it succeeds; throws what it throws when that is not that the server is away. */
export async function prepareWhenThere(options: {
  readonly prepare: () => Promise<void>
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
}): Promise<void> {
  const { prepare, clock, logger, signal } = options
  let told = ''
  for (;;) {
    try {
      return await prepare()
    } catch (error) {
      if (!isAway(error)) throw error
      const reason = error instanceof Error ? error.message || error.name : String(error)
      if (told !== reason) logger.warn({ reason }, 'PostgreSQL is not available yet')
      told = reason
    }
    await clock.sleep(retryMs, signal)
  }
}
