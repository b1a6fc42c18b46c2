// A command on a terminal of its own. Node has no way to make one; script(1), which every Linux and macOS has, does, and
// stty(1) tells it how large the client's window is. The command waits until that is known, so that a program that asks
// once gets the right answer.
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { PassThrough, type Duplex } from 'node:stream'
import type { Clock } from '@shiplog/runtime/clock'
import { RuntimeFailure } from './container-runtime.ts'
import { execFailure, exitOf } from './exec-output.ts'
import type { ContainerStream } from './node-streams.ts'
import { launch, type LaunchPlace } from './process-launch.ts'
import { signalGroup } from './process-table.ts'

/** A client that sends the size of its window at all sends it at once. */
const firstSizeMs = 150
/** Of the terminal's name. */
const nameBytesMax = 256
const sizeMax = 65_535

export interface TerminalCommand {
  readonly command: readonly string[]
  readonly place: LaunchPlace
  readonly containerID: string
  readonly stdin: boolean
  readonly stdout: boolean
  readonly clock: Clock
}

/** Rejects with RuntimeFailure. */
export async function launchOnTerminal(wanted: TerminalCommand): Promise<ContainerStream> {
  const { command, place, containerID, clock } = wanted
  const missing = whyNotRun(command[0] ?? '', place)
  if (missing) throw execFailure(command[0] ?? '', missing)
  const script = `tty >&3; read -r _ <&3; exec 3>&-; exec ${command.map(quoted).join(' ')}`
  const program = process.platform === 'darwin' ? ['script', '-q', '/dev/null', '/bin/sh', '-c', script] : ['script', '-qfec', script, '/dev/null']
  const onTerminal = { ...place, env: { TERM: 'xterm', ...place.env, SHELL: '/bin/sh' } }
  const child = await launch(program, onTerminal, containerID, ['pipe', 'pipe', 'ignore', 'pipe'])
  if (child instanceof Error) throw new RuntimeFailure('ExecFailed', `there is no terminal on this node: script(1): ${child.message}`)
  child.on('error', () => undefined)
  child.stdin!.on('error', () => undefined)
  const resize = terminalSize(child, clock)
  const output = new PassThrough()
  child.stdout!.on('error', () => output.end()).pipe(output)
  if (!wanted.stdout) output.resume()
  return {
    // Without a client that types, the terminal is open all the same, and silent.
    ...(wanted.stdin ? { stdin: child.stdin! } : {}),
    ...(wanted.stdout ? { stdout: output } : {}),
    resize,
    exit: exitOf(child, [[child.stdout!, output]], clock),
    close() {
      // With script(1) its terminal goes, and the system tells what runs in it (SIGHUP).
      if (child.exitCode === null && child.signalCode === null) signalGroup(child.pid!, 'SIGKILL')
      child.stdin!.destroy()
      child.stdout!.destroy()
      output.destroy()
    },
  }
}

/** Applies sizes to the terminal, in order; the first one, or a moment without any, lets the command begin. */
function terminalSize(child: ChildProcess, clock: Clock): (columns: number, rows: number) => void {
  const line = child.stdio[3] as Duplex
  let name = ''
  let wanted: readonly [number, number] | undefined
  let isBusy = false
  let hasBegun = false
  line.on('error', () => undefined)

  const begin = (): void => {
    if (hasBegun) return
    hasBegun = true
    late[Symbol.dispose]()
    line.end('\n')
  }
  function apply(): void {
    if (isBusy || !wanted || name === '') return
    const [columns, rows] = wanted
    wanted = undefined
    isBusy = true
    const flag = process.platform === 'darwin' ? '-f' : '-F'
    const stty = spawn('stty', [flag, name, 'cols', String(columns), 'rows', String(rows)], { stdio: 'ignore' })
    const next = (): void => {
      isBusy = false
      begin()
      apply()
    }
    stty.once('error', next)
    stty.once('exit', next)
  }
  const late = clock.after(firstSizeMs, begin)
  line.on('data', (bytes: Buffer) => {
    const text = bytes.toString('latin1')
    if (name !== '' || text.length > nameBytesMax) return
    name = /^(\/dev\/[A-Za-z0-9/]+)\s*$/.exec(text)?.[1] ?? ''
    apply()
  })
  return (columns, rows) => {
    const isSize = [columns, rows].every((one) => Number.isInteger(one) && one > 0 && one <= sizeMax)
    if (!isSize || child.exitCode !== null) return
    wanted = [columns, rows]
    apply()
  }
}

/** For a shell. */
const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

/** Why a program cannot be run, before a shell would say so in its own words. */
function whyNotRun(program: string, { directory, env }: LaunchPlace): NodeJS.ErrnoException | undefined {
  const places = program.includes('/')
    ? [isAbsolute(program) ? program : join(directory, program)]
    : (env['PATH'] ?? '').split(':').map((place) => join(place, program))
  const found = places.filter((place) => existsSync(place))
  const fault = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code })
  if (program === '' || found.length === 0) return fault('ENOENT')
  return found.some(isExecutable) ? undefined : fault('EACCES')
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
