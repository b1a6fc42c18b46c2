// How a program of a test control plane ends: by a signal, or because nobody is left who started it.
import { systemClock as clock } from '@shiplog/runtime/clock'

/** Ends a program whose launcher was killed and could not end it. */
const launcherCheckMs = 1_000

export function endWithLauncher(stop: () => Promise<void>, say: (line: string) => void): void {
  let isStopping = false
  const end = (): void => {
    if (isStopping) return
    isStopping = true
    stop().then(
      () => process.exit(0),
      (error: Error) => {
        say(error.message)
        process.exit(1)
      },
    )
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, end)
  const launcher = process.ppid
  clock.every(launcherCheckMs, () => {
    if (process.ppid !== launcher) end()
  })
}
