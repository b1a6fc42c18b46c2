// One program at work: its lines, as they come, and its end.
import { spawn } from 'node:child_process'
import type { Program } from './program.ts'

export interface Running {
  /** The parsed lines so far. */
  readonly lines: readonly any[]
  /** Resolves with the first line that satisfies this; fails when the program ends without it, or takes too long. */
  line(what: string, found: (line: any) => boolean): Promise<any>
  kill(): void
}

const lineTimeoutMs = 180_000
const errorCharactersMax = 4_000

export function startProgram(
  { name, start }: Program,
  options: { readonly place: string; readonly namespace: string; readonly kubeconfig: string },
): Running {
  const [command, ...args] = start
  const child = spawn(command!, [...args, options.namespace], {
    cwd: options.place,
    env: { ...process.env, KUBECONFIG: options.kubeconfig },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: any[] = []
  const waiting = new Set<() => void>()
  const wake = (): void => {
    for (const look of waiting) look()
  }
  let errors = ''
  let rest = ''
  let ended: string | undefined
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop()!
    // What a library prints beside is no line of ours.
    for (const part of parts) if (part.startsWith('{')) lines.push(JSON.parse(part))
    wake()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-errorCharactersMax)
  })
  child.on('error', (error) => {
    ended = error.message
    wake()
  })
  child.on('close', (code) => {
    ended ??= `it ended with code ${code}`
    wake()
  })

  return {
    lines,
    line: (what, found) =>
      new Promise((resolve, reject) => {
        const finish = (): void => {
          waiting.delete(look)
          clearTimeout(timer)
        }
        const fail = (why: string): void => {
          finish()
          reject(new Error(`${name}: no ${what}: ${why}\nlast lines: ${lines.slice(-3).map((line) => JSON.stringify(line)).join(' ')}\n${errors}`))
        }
        const look = (): void => {
          const line = lines.find(found)
          if (line !== undefined) {
            finish()
            resolve(line)
          } else if (ended !== undefined) fail(ended)
        }
        const timer = setTimeout(() => fail(`not within ${lineTimeoutMs / 1_000} s`), lineTimeoutMs)
        waiting.add(look)
        look()
      }),
    kill: () => void child.kill('SIGKILL'),
  }
}
