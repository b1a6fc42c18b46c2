// When decisions are made: in the next turn of the event loop, so that all that arrives in this one is seen and I/O is not
// starved; or at the time when a pod's back-off ends.
import type { Clock } from '@shiplog/runtime/clock'

export interface Turns {
  /** Runs in the next turn of the event loop; asked for several times, once. */
  request(): void
  /** Runs at this time, unless an earlier one was asked for. */
  requestAt(atMs: number): void
  stop(): void
}

export function createTurns(clock: Clock, run: () => void): Turns {
  let isRequested = false
  let isStopped = false
  let wakeUp: { readonly atMs: number; readonly timer: Disposable } | undefined

  function request(): void {
    if (isRequested || isStopped) return
    isRequested = true
    setImmediate(() => {
      isRequested = false
      if (!isStopped) run()
    })
  }

  return {
    request,
    requestAt(atMs) {
      if (isStopped || (wakeUp !== undefined && wakeUp.atMs <= atMs)) return
      wakeUp?.timer[Symbol.dispose]()
      const timer = clock.after(Math.max(0, atMs - clock.nowMs()), () => {
        wakeUp = undefined
        request()
      })
      wakeUp = { atMs, timer }
    },
    stop() {
      isStopped = true
      wakeUp?.timer[Symbol.dispose]()
      wakeUp = undefined
    },
  }
}
