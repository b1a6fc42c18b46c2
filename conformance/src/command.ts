// Runs one program to its end: arguments, standard input, a deadline, and what it wrote. Nothing here knows Kubernetes.
import { spawn } from 'node:child_process'

export interface CommandOptions {
  readonly stdin?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** After this the program is killed and the result says so. */
  readonly timeoutMs?: number
  /** Ends the program by SIGINT as soon as its standard output satisfies this: for commands that never end. */
  readonly until?: (stdout: string) => boolean
}

export interface CommandResult {
  readonly command: string
  readonly stdout: string
  readonly stderr: string
  /** The exit code; -1 when the program was killed for its deadline, 0 when `until` was satisfied. */
  readonly code: number
  readonly timedOut: boolean
}

const defaultTimeoutMs = 60_000

/** Longest output that is kept of one stream. */
const outputCharactersMax = 8_000_000

export function runCommand(
  path: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, {
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    let satisfied = false
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      child.kill('SIGKILL')
    }, options.timeoutMs ?? defaultTimeoutMs)
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      if (stdout.length < outputCharactersMax) stdout += chunk
      if (!satisfied && options.until?.(stdout)) {
        satisfied = true
        child.kill('SIGINT')
      }
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      if (stderr.length < outputCharactersMax) stderr += chunk
    })
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      const command = [path.split('/').at(-1), ...args].join(' ')
      resolve({ command, stdout, stderr, code: satisfied ? 0 : timedOut ? -1 : (code ?? -1), timedOut })
    })
    child.stdin.on('error', () => undefined) // A program may end without reading all that it was given.
    child.stdin.end(options.stdin ?? '')
  })
}

/** Splits a command line into words; single quotes keep spaces: `get pods -l 'a in (b, c)'`. */
export function words(line: string): readonly string[] {
  const found = line.match(/(?:[^\s']|'[^']*')+/g) ?? []
  return found.map((word) => word.replaceAll("'", ''))
}
