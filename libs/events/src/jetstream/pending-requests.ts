// Requests that wait for answers: each has a token, which its answers carry, and a deadline, which counts from the last one.
import type { Msg } from '@nats-io/transport-node'
import type { Clock } from '@shiplog/runtime/clock'
import { LogUnavailable } from '../event-log.ts'

/** How often overdue requests are looked for. */
const sweepIntervalMs = 50
/** Most requests without an answer. */
export const pendingRequestsMax = 100_000

/** The request was not answered: it may have been carried out or not. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

export interface PendingRequest {
  readonly subject: string
  readonly timeoutMs: number
  /** True when no more answers are expected. */
  onAnswer(message: Msg): boolean
  reject(error: Error): void
}

interface Waiting extends PendingRequest {
  deadlineMs: number
}

export class PendingRequests {
  readonly #clock: Clock
  readonly #onOverdue: () => void
  readonly #waiting = new Map<string, Waiting>()
  #serial = 0
  /** Runs only while something is waited for: an idle process is not woken twenty times a second. */
  #sweeper: Disposable | undefined
  #stopped = false

  constructor(clock: Clock, onOverdue: () => void) {
    this.#clock = clock
    this.#onOverdue = onOverdue
  }

  get isFull(): boolean {
    return this.#waiting.size >= pendingRequestsMax
  }

  /** The token of the request. */
  add(request: PendingRequest): string {
    this.#serial += 1
    const token = this.#serial.toString(36)
    const { subject, timeoutMs } = request
    this.#waiting.set(token, {
      subject,
      timeoutMs,
      deadlineMs: this.#clock.nowMs() + timeoutMs,
      onAnswer: (message) => request.onAnswer(message),
      reject: (error) => request.reject(error),
    })
    this.#sweeper ??= this.#clock.after(sweepIntervalMs, () => this.#sweep())
    return token
  }

  /** The request was not sent. */
  drop(token: string): void {
    this.#waiting.delete(token)
  }

  settle(token: string, message: Msg): void {
    const request = this.#waiting.get(token)
    if (request === undefined) return
    request.deadlineMs = this.#clock.nowMs() + request.timeoutMs
    if (request.onAnswer(message)) this.#waiting.delete(token)
  }

  /** The server tells of a forbidden subject beside the requests; those on it will never be answered. */
  refuse(subject: string): void {
    for (const [token, request] of this.#waiting) {
      if (request.subject !== subject) continue
      this.#waiting.delete(token)
      request.reject(
        new LogUnavailable(`NATS does not permit this user to publish to ${subject}`, { ambiguous: false }),
      )
    }
  }

  failAll(why: string): void {
    const failed = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const request of failed) request.reject(new NoAnswer(why))
  }

  /** Nobody is told any more that an answer is overdue. */
  stop(): void {
    this.#stopped = true
    this.#sweeper?.[Symbol.dispose]()
  }

  #sweep(): void {
    this.#sweeper = undefined
    const now = this.#clock.nowMs()
    for (const [token, request] of this.#waiting) {
      if (request.deadlineMs > now) continue
      this.#waiting.delete(token)
      this.#onOverdue()
      request.reject(new NoAnswer(`no answer within ${request.timeoutMs} ms`))
    }
    if (this.#waiting.size > 0 && !this.#stopped) this.#sweeper = this.#clock.after(sweepIntervalMs, () => this.#sweep())
  }
}
