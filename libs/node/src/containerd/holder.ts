// Holders: processes that keep the namespaces of a node (network, mounts, process ids) and run one program in them again and
// again. A holder is the first process in its process namespace, so its end is the end of all that ever ran in there, by the
// kernel's own doing. It outlives us on purpose: a new life finds it by a mark in its environment, without any file.
import { execFile, spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Clock } from '@shiplog/runtime/clock'

const run = promisify(execFile)

const markVariable = 'SHIPLOG_HOLDER'
const readyTimeoutMs = 10_000
const pollMs = 10
const directoryLookSeconds = 2
const commandTimeoutMs = 20_000

export interface HolderOptions {
  /** Tells this holder from all others of the machine: a path. */
  readonly mark: string
  /** Lines of shell that prepare the namespaces. */
  readonly prepare: readonly string[]
  /** The program that is kept running, with its arguments. */
  readonly program: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Where the program prints to. */
  readonly logFile: string
  readonly clock: Clock
}

/** The process id of the holder of this mark, when there is one. */
export const findHolder = (mark: string): number | undefined => holders().get(mark)

/** All holders of the machine, whoever started them: by their marks. */
export function holders(): Map<string, number> {
  const found = new Map<string, number>()
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    const mark = Number.isSafeInteger(pid) && pid > 1 ? markOf(pid) : undefined
    if (mark !== undefined) found.set(mark, pid)
  }
  return found
}

function markOf(pid: number): string | undefined {
  try {
    // The first in a process namespace below ours, and no other that inherited its environment.
    const inside = /^NSpid:\s+\d+\s+.*?(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
    if (inside !== '1') return undefined
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    return variables.find((variable) => variable.startsWith(`${markVariable}=`))?.slice(markVariable.length + 1)
  } catch {
    return undefined
  }
}

/** Starts a holder and resolves with its process id when its namespaces are prepared. */
export async function startHolder(options: HolderOptions): Promise<number> {
  const { mark, prepare, program, env, logFile, clock } = options
  const script = [
    'set -e',
    ...prepare,
    'touch /run/prepared',
    'set +e',
    // Whoever removes the directory wants nothing of this any more: all but this process is ended, and then it ends.
    `alive() { [ -d '${mark.replaceAll("'", "'\\''")}' ]; }`,
    `(while alive; do sleep ${directoryLookSeconds}; done; kill -9 -1) &`,
    // As the first process it buries what others leave behind, which `wait` does in passing.
    'while alive; do "$@" & wait $!; sleep 0.3; done',
  ].join('\n')
  const log = openSync(logFile, 'a', 0o600)
  const child = spawn(
    'unshare',
    [
      ...['--net', '--mount', '--pid', '--fork', '--mount-proc', '--propagation', 'private'],
      ...['sh', '-c', script, 'shiplog-holder', ...program],
    ],
    { detached: true, stdio: ['ignore', log, log], env: { ...env, [markVariable]: mark } },
  )
  closeSync(log)
  child.unref()
  const ended = new Promise<never>((_resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => reject(new Error(`namespaces cannot be made (${code}): ${tailOf(logFile)}`)))
  })
  ended.catch(() => undefined)
  const deadlineMs = clock.nowMs() + readyTimeoutMs
  for (;;) {
    const pid = findHolder(mark)
    if (pid !== undefined && isPrepared(pid)) return pid
    if (clock.nowMs() > deadlineMs) throw new Error(`namespaces are not ready: ${tailOf(logFile)}`)
    await Promise.race([clock.sleep(pollMs), ended])
  }
}

function isPrepared(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/root/run`).includes('prepared')
  } catch {
    return false
  }
}

function tailOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim().split('\n').at(-1) ?? ''
  } catch {
    return ''
  }
}

/** Ends a holder and with it everything that runs in its namespaces; resolves when nothing of that is left. */
export async function endHolder(mark: string, clock: Clock): Promise<void> {
  for (;;) {
    const pid = findHolder(mark)
    if (pid === undefined) return
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself.
    }
    await clock.sleep(pollMs)
  }
}

/** Runs shell in namespaces of a holder: its network (`net`), or its mounts. */
export async function inNamespace(pid: number, which: 'net' | 'mount', script: string): Promise<string> {
  // What looks at itself in /proc, as mounting does, has to be in the process namespace that /proc shows there.
  const spaces = which === 'net' ? ['--net'] : ['--mount', '--pid']
  const { stdout } = await run('nsenter', ['-t', String(pid), ...spaces, 'sh', '-ec', script], {
    timeout: commandTimeoutMs,
    maxBuffer: 8 << 20,
  })
  return stdout
}
