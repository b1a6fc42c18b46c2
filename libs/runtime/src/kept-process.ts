// A supervised helper process: nats-server, PostgreSQL, a separate service. Whatever happens to it (it exits, cannot be
// started, its directory is gone, no file descriptors are left), nothing is thrown: it is restarted with a back-off, as a
// kubelet does, and its restart history can be queried and shown.
import { type ChildProcess, spawn } from 'node:child_process'
import type { Clock } from './clock.ts'

export interface KeepOptions {
  readonly clock: Clock
  /** Starts the process; when it throws, that counts as an end. */
  readonly start: () => ChildProcess | Promise<ChildProcess>
  /** Called on each unexpected exit, with the delay before the next start. */
  readonly onEnd?: (how: string, waitMs: number) => void
  readonly backoff?: Backoff
  /** The process is ended when this one is gone, also by SIGKILL. */
  readonly endsWithUs?: boolean
}

export interface Backoff {
  readonly firstMs: number
  readonly maxMs: number
  /** Uptime after which the back-off is reset. */
  readonly calmMs: number
}

/** A kubelet's: 10 s, doubled up to 5 minutes, forgotten after 10 minutes; it restarts the first time at once, as we do. */
export const kubeletBackoff: Backoff = { firstMs: 1_000, maxMs: 300_000, calmMs: 600_000 }

/** Restart history of a supervised process. */
export interface Lives {
  readonly running: boolean
  /** Restart count. */
  readonly restarts: number
  /** When its present life began, or the one that ended last. */
  readonly startedAtMs: number
  readonly lastEnd?: { readonly how: string; readonly atMs: number; readonly exitCode: number }
  /** Delay between the last exit and the next start. */
  readonly waitMs: number
}

export interface KeptProcess {
  /** The present one; undefined between two lives. */
  readonly child: ChildProcess | undefined
  lives(): Lives
  /** Stops it for good: the signal (or what `ask` does), then SIGKILL after the timeout. Safe to call twice. */
  stop(withinMs: number, ask?: (child: ChildProcess) => void): Promise<void>
}

/** Starts it, now if `start` is synchronous. */
export function keepProcess(options: KeepOptions): KeptProcess {
  const { clock } = options
  const backoff = options.backoff ?? kubeletBackoff
  let child: ChildProcess | undefined
  let starting: Promise<void> | undefined
  let stopping = false
  let timer: Disposable | undefined
  let delayMs = 0
  let lives: Lives = { running: false, restarts: 0, startedAtMs: clock.nowMs(), waitMs: 0 }

  const ended = (how: string, exitCode: number): void => {
    child = undefined
    const nowMs = clock.nowMs()
    const calm = lives.running && nowMs - lives.startedAtMs >= backoff.calmMs
    delayMs = calm || delayMs === 0 ? backoff.firstMs : Math.min(backoff.maxMs, delayMs * 2)
    lives = { ...lives, running: false, lastEnd: { how, atMs: nowMs, exitCode }, waitMs: delayMs }
    if (stopping) return
    options.onEnd?.(how, delayMs)
    timer = clock.after(delayMs, () => {
      lives = { ...lives, restarts: lives.restarts + 1 }
      launch()
    })
  }

  const adopt = (begun: ChildProcess, guard: Guard | undefined): void => {
    child = begun
    lives = { ...lives, running: true, startedAtMs: clock.nowMs() }
    if (begun.pid !== undefined) guard?.watch(begun.pid)
    let over = false
    const once = (how: string, exitCode: number): void => {
      if (over) return
      over = true
      guard?.[Symbol.dispose]()
      ended(how, exitCode)
    }
    begun.once('error', (error) => once(error.message, 128))
    begun.once('exit', (code, signal) => once(signal ?? `exit code ${code}`, code ?? 137))
    if (begun.exitCode !== null) once(`exit code ${begun.exitCode}`, begun.exitCode)
    else if (begun.signalCode !== null) once(begun.signalCode, 137)
  }

  const failed = (error: unknown, guard: Guard | undefined): void => {
    guard?.[Symbol.dispose]()
    ended(error instanceof Error ? error.message : String(error), 128)
  }

  function launch(): void {
    if (stopping) return
    // Before the process: whoever kills us in between leaves nothing.
    const guard = options.endsWithUs ? createGuard() : undefined
    try {
      const begun = options.start()
      if (begun instanceof Promise) {
        starting = begun
          .then(
            (one) => adopt(one, guard),
            (error: unknown) => failed(error, guard),
          )
          .finally(() => {
            starting = undefined
          })
      } else adopt(begun, guard)
    } catch (error) {
      failed(error, guard)
    }
  }
  launch()

  return {
    get child() {
      return child
    },
    lives: () => lives,
    async stop(withinMs, ask = (one) => void one.kill('SIGTERM')) {
      stopping = true
      timer?.[Symbol.dispose]()
      await starting
      const last = child
      if (last === undefined || last.exitCode !== null || last.signalCode !== null) return
      const gone = new Promise<void>((settle) => {
        last.once('exit', () => settle())
        last.once('error', () => settle())
      })
      ask(last)
      using _hammer = clock.after(withinMs, () => last.kill('SIGKILL'))
      await gone
    },
  }
}

interface Guard extends Disposable {
  /** From now on the process ends with this one. */
  watch(pid: number): void
}

/**
 * Ends a process when this one is gone, however it went: a shell, which is there before the process is, is told its id and waits
 * for the end of a pipe that only we hold open. It has a session of its own, so that Ctrl-C does not reach it before us.
 * Disposing it lets the process be.
 */
function createGuard(): Guard {
  const script = `read -r pid || exit 0; read -r _; kill -TERM $pid || exit 0; n=0
while kill -0 $pid && [ $n -lt 30 ]; do sleep 0.1; n=$((n + 1)); done; kill -KILL $pid`
  const watcher = spawn('/bin/sh', ['-c', script, 'shiplog-end-with'], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  // Without a watcher the next command on the data directory sweeps what was left.
  watcher.on('error', () => undefined)
  watcher.stdin?.on('error', () => undefined)
  watcher.unref()
  ;(watcher.stdin as unknown as { unref?: () => void } | null)?.unref?.()
  return {
    watch: (pid) => void watcher.stdin?.write(`${pid}\n`),
    [Symbol.dispose]: () => void watcher.kill('SIGKILL'),
  }
}
