// Keeps processes running: one that ends is started again a moment later, under the same name. The name of each finds its
// process id and its output in a directory, for people and their scripts.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@shiplog/runtime/clock'
import { type KeptProcess, keepProcess } from '@shiplog/runtime/kept-process'
import { openSecretFile, secretDirectory, withClosedUmask, writeSecretFile } from '@shiplog/runtime/secret-files'

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

/** A service that ends comes back a second later; one that keeps ending, later each time. */
const backoff = { firstMs: 1_000, maxMs: 60_000, calmMs: 5_000 }
/** The variable by which a process of an earlier run is known again. */
const supervisedBy = 'SHIPLOG_SUPERVISED_BY'

export function createSupervisor({ directory, clock, onEnd }: SupervisorOptions): Supervisor {
  const running = new Map<string, KeptProcess>()
  secretDirectory(directory)
  endOrphans(directory)
  const pidFile = (name: string): string => join(directory, `${name}.pid`)

  function launch(part: Part): ChildProcess {
    secretDirectory(directory)
    const output = openSecretFile(join(directory, `${part.name}.log`), 'a')
    try {
      const child = withClosedUmask(() =>
        spawn(part.command, part.args, {
          stdio: ['ignore', output, output],
          env: { PATH: process.env['PATH'] ?? '', [supervisedBy]: directory, ...part.env },
          // Ctrl-C in a terminal reaches the whole group: these are ended in order by us.
          detached: true,
        }),
      )
      // For people alone: a disk without room for it must not keep the service from running.
      if (child.pid !== undefined) attempt(() => writeSecretFile(pidFile(part.name), `${child.pid}\n`))
      return child
    } finally {
      closeSync(output)
    }
  }

  return {
    start(part) {
      const kept = keepProcess({
        clock,
        backoff,
        endsWithUs: true,
        start: () => launch(part),
        onEnd: (how) => onEnd(part.name, how),
      })
      running.set(part.name, kept)
    },
    async stop(names, withinMs) {
      await Promise.all(
        names.map(async (name) => {
          await running.get(name)?.stop(withinMs)
          attempt(() => rmSync(pidFile(name), { force: true }))
        }),
      )
    },
  }
}

function attempt(how: () => void): void {
  try {
    how()
  } catch {
    // Its caller says why it may fail.
  }
}

/** Processes that outlived their supervisor (it was killed): they are ours, by their ids and their command lines. */
function endOrphans(directory: string): void {
  for (const file of readdirSync(directory)) {
    if (!file.endsWith('.pid')) continue
    const pid = Number(readFileSync(join(directory, file), 'utf8'))
    rmSync(join(directory, file), { force: true })
    if (Number.isSafeInteger(pid) && pid > 1 && isOurs(pid, directory)) attempt(() => process.kill(pid, 'SIGKILL'))
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
