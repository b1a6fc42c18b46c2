// A terminal as a reader has it: one bash that keeps its directory and variables from command to command, and others for
// commands that stay. Standard output and standard error come together, as on a screen.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'

export interface Outcome {
  readonly output: string
  readonly code: number
}

/** A command that stays until somebody ends it. */
export interface Staying {
  output(): string
  readonly ended: Promise<number>
  /** Ctrl-C: SIGINT to everything that was started here. */
  interrupt(): void
}

export interface Terminal extends AsyncDisposable {
  /** Runs a command to its end. */
  run(command: string, timeoutMs: number): Promise<Outcome>
  /** Opens another terminal, in the same place, for a command that stays. */
  begin(command: string): Staying
}

const outputCharactersMax = 4_000_000

export function openTerminal(options: { readonly directory: string; readonly env: NodeJS.ProcessEnv }): Terminal {
  const started: ChildProcess[] = []
  const bash = (args: readonly string[]): ChildProcess => {
    // Each in a process group of its own, so that signals reach all that was started in it.
    const child = spawn('bash', ['--norc', '--noprofile', ...args], {
      cwd: options.directory,
      env: options.env,
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    })
    child.stdin!.on('error', () => undefined)
    started.push(child)
    return child
  }
  const signalGroup = (child: ChildProcess, signal: NodeJS.Signals): void => {
    try {
      process.kill(-child.pid!, signal)
    } catch {
      // Nobody is left in it.
    }
  }

  const shell = bash([])
  let heard = ''
  let listener = (): void => undefined
  shell.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
    if (heard.length < outputCharactersMax) heard += chunk
    listener()
  })
  shell.on('exit', () => listener())
  shell.stdin!.write('exec 2>&1\n')

  return {
    run(command, timeoutMs) {
      const mark = `done-${randomBytes(8).toString('hex')}`
      heard = ''
      shell.stdin!.write(`{ ${command}\n} </dev/null\nprintf '\\n%s %d\\n' ${mark} "$?"\n`)
      return new Promise((settle, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`not done within ${timeoutMs} ms: ${command}\n${heard}`)),
          timeoutMs,
        )
        listener = () => {
          const found = new RegExp(`\\n${mark} (\\d+)\\n`).exec(heard)
          if (found === null && shell.exitCode === null) return
          clearTimeout(timer)
          if (found === null) reject(new Error(`the shell ended: ${command}\n${heard}`))
          else settle({ output: heard.slice(0, found.index), code: Number(found[1]) })
        }
      })
    },
    begin(command) {
      const child = bash(['-c', `exec 2>&1\n${command}`])
      let output = ''
      child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
        if (output.length < outputCharactersMax) output += chunk
      })
      return {
        output: () => output,
        ended: new Promise((settle) => child.once('exit', (code) => settle(code ?? -1))),
        interrupt: () => signalGroup(child, 'SIGINT'),
      }
    },
    async [Symbol.asyncDispose]() {
      for (const child of started) signalGroup(child, 'SIGKILL')
    },
  }
}
