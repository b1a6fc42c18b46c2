// A start waits for a log that is slow: on a machine that is busy (it often is, when everything starts at once) a server
// answers late, and that is no reason to give up. Requests that somebody waits for end at their own deadline instead.
import type { Clock } from '@shiplog/runtime/clock'
import { LogUnanswered } from '../event-log.ts'

/** After this long a start gives up. */
export const startPatienceMs = 300_000
const askAgainMs = 250

/** Asks until there is an answer, a refusal, an abort, or no patience left. */
export async function patiently<T>(clock: Clock, ask: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const deadlineMs = clock.nowMs() + startPatienceMs
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof LogUnanswered) || signal?.aborted || clock.nowMs() >= deadlineMs) throw error
    }
    await clock.sleep(askAgainMs, signal).catch(() => undefined)
  }
}
