// Whether a connection stands and whether its server says anything, and who waits for that.
import type { Clock } from '@shiplog/runtime/clock'
import { LogUnanswered, LogUnavailable } from '../event-log.ts'

export class ConnectionState {
  readonly #clock: Clock
  readonly #unreachable: string
  readonly #reconnects = new Set<() => void>()
  readonly #connecting = new Set<() => void>()
  readonly #listening = new Set<() => void>()
  #up = true
  #mute = false
  #closed = false

  /** `unreachable`: what is said when the connection does not stand in time. */
  constructor(clock: Clock, unreachable: string) {
    this.#clock = clock
    this.#unreachable = unreachable
  }

  get up(): boolean {
    return this.#up
  }

  get mute(): boolean {
    return this.#mute
  }

  get closed(): boolean {
    return this.#closed
  }

  disconnected(): void {
    this.#up = false
    this.#mute = true
  }

  reconnected(): void {
    this.#up = true
    this.heardSomething()
    wake(this.#connecting)
    for (const callback of this.#reconnects) callback()
  }

  /** An answer is overdue. */
  wentMute(): void {
    this.#mute = true
  }

  heardSomething(): void {
    if (!this.#mute) return
    this.#mute = false
    wake(this.#listening)
  }

  close(): void {
    this.#closed = true
    this.#up = false
    wake(this.#connecting)
    wake(this.#listening)
  }

  onReconnect(callback: () => void): Disposable {
    this.#reconnects.add(callback)
    return { [Symbol.dispose]: () => void this.#reconnects.delete(callback) }
  }

  /** Resolves as soon as the server says something, or at the deadline. */
  async heard(deadlineMs: number): Promise<void> {
    if (this.#mute) await this.#wait(this.#listening, deadlineMs)
  }

  /** Resolves when the connection stands, at once when it does; throws LogUnavailable at the deadline. */
  async connected(deadlineMs: number): Promise<void> {
    while (!this.#up) {
      if (this.#closed) throw new LogUnavailable('The log is closed', { ambiguous: false })
      if (this.#clock.nowMs() >= deadlineMs) throw new LogUnanswered(this.#unreachable)
      await this.#wait(this.#connecting, deadlineMs)
    }
  }

  async #wait(waiting: Set<() => void>, deadlineMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.add(resolve)
    const timer = this.#clock.after(deadlineMs - this.#clock.nowMs(), resolve)
    await promise
    timer[Symbol.dispose]()
    waiting.delete(resolve)
  }
}

function wake(waiting: Set<() => void>): void {
  const woken = [...waiting]
  waiting.clear()
  for (const resolve of woken) resolve()
}
