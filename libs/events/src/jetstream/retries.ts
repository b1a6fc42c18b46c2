// Deadlines of the adapter, and the one loop that repeats a request until the server answers it.
import type { Clock } from '@shiplog/runtime/clock'
import { LogUnanswered } from '../event-log.ts'
import type { Connection } from './connection.ts'
import { NoAnswer } from './pending-requests.ts'

/** An append that has had no answer for this long fails. */
export const appendDeadlineMs = 10_000
/** One attempt of a request. */
export const attemptTimeoutMs = 3000
const readTimeoutMs = 5000
/** The timeout while the server is mute: it has left a request unanswered and sent nothing since. */
export const muteTimeoutMs = 1000
export const retryDelayMs = 20

/** A connection and the clock that its deadlines are measured with. */
export interface Session {
  readonly connection: Connection
  readonly clock: Clock
}

/** When a read fails: sooner while the server is mute. */
export const readDeadlineMs = ({ connection, clock }: Session): number =>
  clock.nowMs() + (connection.mute ? muteTimeoutMs : readTimeoutMs)

/**
 * Repeats `attempt` while it throws NoAnswer. Throws LogUnanswered with the message at the deadline; whatever else an
 * attempt throws is passed on.
 */
export async function untilAnswered<T>(
  { connection, clock }: Session,
  deadlineMs: number,
  message: string,
  attempt: (timeoutMs: number) => Promise<T>,
): Promise<T> {
  for (;;) {
    await connection.connected(deadlineMs)
    try {
      return await attempt(Math.max(1, Math.min(attemptTimeoutMs, deadlineMs - clock.nowMs())))
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
    }
    if (clock.nowMs() >= deadlineMs) throw new LogUnanswered(message)
    await clock.sleep(retryDelayMs)
  }
}
