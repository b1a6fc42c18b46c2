// Keeps processes running: one that ends is started again a moment later, under the same name. The name of each finds its
// process id and its output in a directory, for people and their scripts.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@shiplog/runtime/clock'

export interface Part {
  /** `scheduler-1`: its files are `scheduler-1.pid` and `scheduler-1.log`. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

export interface Supervisor {
  start(part: Part): void
  /** SIGTERM to these, SIGKILL to those that do not end in time. */
  stop(names: readonly string[], withinMs: number): Promise<void>
}

export interface SupervisorOptions {
  readonly directory: string
  readonly clock: Clock
  /** Told of each process that ended by itself. */
  readonly onEnd: (name: string, how: string) => void
}

const restartDelayMs = 1_000
/** The variable by which a process of an earlier run is known again. */
const supervisedBy = 'SHIPLOG_SUPERVISED_BY'

export function createSupervisor({ directory, clock, onEnd }: SupervisorOptions): Supervisor {
  const running = new Map<string, ChildProcess>()
  const stopping = new Set<string>()
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  endOrphans(directory)
  const pidFile = (name: string): string => join(directory, `${name}.pid`)

  function launch(part: Part): void {
    const output = openSync(join(directory, `${part.name}.log`), 'a', 0o600)
    const child = spawn(part.command, part.args, {
      stdio: ['ignore', output, output],
      env: { PATH: process.env['PATH'] ?? '', [supervisedBy]: directory, ...part.env },
      // Ctrl-C in a terminal reaches the whole group: these are ended in order by us.
      detached: true,
    })
    closeSync(output)
    running.set(part.name, child)
    if (child.pid !== undefined) writeFileSync(pidFile(part.name), `${child.pid}\n`)
    let over = false
    const ended = (how: string): void => {
      if (over) return
      over = true
      running.delete(part.name)
      if (stopping.has(part.name)) return
      onEnd(part.name, how)
      clock.after(restartDelayMs, () => {
        if (!stopping.has(part.name)) launch(part)
      })
    }
    child.once('error', (error) => ended(error.message))
    child.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`))
  }

  return {
    start: launch,
    async stop(names, withinMs) {
      const endings = names.map((name) => {
        stopping.add(name)
        const child = running.get(name)
        const ended = Promise.withResolvers<void>()
        if (child === undefined) ended.resolve()
        else {
          child.once('exit', () => ended.resolve())
          child.kill('SIGTERM')
        }
        return ended.promise.then(() => rmSync(pidFile(name), { force: true }))
      })
      using _hammer = clock.after(withinMs, () => {
        for (const name of names) running.get(name)?.kill('SIGKILL')
      })
      await Promise.all(endings)
    },
  }
}

/** Processes that outlived their supervisor (it was killed): they are ours, by their ids and their command lines. */
function endOrphans(directory: string): void {
  for (const file of readdirSync(directory)) {
    if (!file.endsWith('.pid')) continue
    const pid = Number(readFileSync(join(directory, file), 'utf8'))
    rmSync(join(directory, file), { force: true })
    if (Number.isSafeInteger(pid) && pid > 1 && isOurs(pid, directory)) process.kill(pid, 'SIGKILL')
  }
}

/** True when the environment of a process says that it was started from this directory. */
const isOurs = (pid: number, directory: string): boolean => {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`${supervisedBy}=${directory}`)
  } catch {
    return false
  }
}
