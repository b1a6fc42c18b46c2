// Those who wait until the scheduler has seen the log up to a sequence.

export class SequenceWaiters {
  readonly #waiters = new Set<{ readonly sequence: number; readonly resolve: () => void }>()

  /** Everything up to this sequence has been seen. */
  reached(sequence: number): void {
    for (const waiter of this.#waiters) if (waiter.sequence <= sequence) waiter.resolve()
  }

  /** Rejects with the signal's reason. */
  async wait(sequence: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const reached = Promise.withResolvers<void>()
    const waiter = { sequence, resolve: reached.resolve }
    const onAbort = (): void => reached.reject(signal.reason)
    this.#waiters.add(waiter)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await reached.promise
    } finally {
      this.#waiters.delete(waiter)
      signal.removeEventListener('abort', onAbort)
    }
  }
}
