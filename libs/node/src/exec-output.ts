// What a command prints while somebody is connected, and how it ended: told once all of its output is there to be read, but
// not later than what it left behind in the background wants.
import type { ChildProcess } from 'node:child_process'
import { PassThrough, type Readable } from 'node:stream'
import type { Clock } from '@shiplog/runtime/clock'
import { RuntimeFailure } from './container-runtime.ts'
import type { StreamExit } from './node-streams.ts'
import { execFault } from './process-launch.ts'
import { drainMs, exitCodeOf } from './running-process.ts'

/** After a command has ended, its output is looked at so often for whether something still comes. */
const drainCheckMs = 100

/** As containerd says it. */
export const execFailure = (program: string, error: NodeJS.ErrnoException): RuntimeFailure =>
  new RuntimeFailure(
    'ExecFailed',
    `failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: ${execFault(program, error)}`,
  )

/** Output that can be ended although something that the command left behind holds it open. */
export function relay(from: Readable): PassThrough {
  const to = new PassThrough()
  from.on('error', () => to.end())
  from.pipe(to)
  return to
}

/** How the command ended, once all that it printed is there to be read. */
export function exitOf(
  child: ChildProcess,
  outputs: readonly (readonly [from: Readable, to: PassThrough])[],
  clock: Clock,
): Promise<StreamExit> {
  const ended = Promise.all(outputs.map(([, to]) => new Promise((resolve) => to.once('finish', resolve).once('close', resolve))))
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      const exit: StreamExit = { exitCode: exitCodeOf({ code, signal }) }
      const watch = endIdle(outputs, clock)
      void ended.then(() => {
        watch[Symbol.dispose]()
        resolve(exit)
      })
    })
  })
}

/** Ends outputs on which nothing has come for a while and nothing waits to be read. */
function endIdle(outputs: readonly (readonly [from: Readable, to: PassThrough])[], clock: Clock): Disposable {
  let quietMs = 0
  const restless = (): void => {
    quietMs = 0
  }
  for (const [from] of outputs) from.on('data', restless)
  return clock.every(drainCheckMs, () => {
    const waits = outputs.some(([from, to]) => from.readableLength > 0 || to.readableLength > 0 || to.writableLength > 0)
    quietMs = waits ? 0 : quietMs + drainCheckMs
    if (quietMs < drainMs) return
    for (const [from, to] of outputs) {
      from.unpipe(to)
      from.destroy()
      to.end()
    }
  })
}
