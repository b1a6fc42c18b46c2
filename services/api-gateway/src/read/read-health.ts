// Whether the log answers: asked when somebody asks /readyz, told as `log-read`. A log that hangs (a stopped server, a dead
// disk) fails no read for as long as the reads may wait; whoever sends traffic here wants to know earlier.
import type { Clock } from '@shiplog/runtime/clock'
import type { HealthCheck } from '@shiplog/runtime/service'

/** Upstream's `--etcd-readycheck-timeout`. */
export const readCheckTimeoutMs = 2_000

export interface ReadHealth {
  /** Asks the log; resolves with its answer, or after `readCheckTimeoutMs` without one. Callers meanwhile share one question. */
  refresh(): Promise<void>
  /** What the last question found. */
  check(): HealthCheck
}

/** `ask` reads something small from the log; it throws when that fails. */
export function createReadHealth({ clock, ask }: { readonly clock: Clock; readonly ask: () => Promise<unknown> }): ReadHealth {
  let reason: string | undefined
  let asking: Promise<void> | undefined

  const tryToAsk = async (): Promise<void> => {
    const late = Promise.withResolvers<string>()
    using _ = clock.after(readCheckTimeoutMs, () => late.resolve(`no answer within ${readCheckTimeoutMs / 1_000} s`))
    const answer = ask().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    // An answer that comes late counts as well: nobody may ask again for long.
    const heard = answer.then((found) => void (reason = found))
    const missed = late.promise.then((found) => void (reason = found))
    await Promise.race([heard, missed])
    asking = undefined
  }

  return {
    refresh: () => (asking ??= tryToAsk()),
    check: () => (reason === undefined ? { name: 'log-read', ok: true } : { name: 'log-read', ok: false, reason }),
  }
}
