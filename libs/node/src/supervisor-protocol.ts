// What runtime and supervisor say to one another over the socket in the node's directory: one JSON value a line. Requests
// have a number and get one answer; ends of containers are told by themselves.
import type { ExecResult } from './container-runtime.ts'
import type { ContainerRecord } from './container-records.ts'
import type { LaunchPlace } from './process-launch.ts'

/** Raised with every change that an older supervisor would not understand. */
export const protocolVersion = 1

export interface StartOrder {
  readonly podUid: string
  readonly name: string
  readonly attempt: number
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly directory: string
  readonly user?: number
  readonly group?: number
  /** Where its output goes. */
  readonly logDirectory: string
  /** Read when it has ended. */
  readonly terminationMessageFile: string
  /** When that file is empty and it failed, the end of its output is the message. */
  readonly outputAsMessage: boolean
  /** It reads what attached clients type; otherwise its input is empty. */
  readonly stdin?: boolean
  /** Its input ends when the first client that was attached to it leaves. */
  readonly stdinOnce?: boolean
}

export interface Orders {
  /** The first thing on a connection. Older connections end: there is one agent. */
  hello: { readonly request: { readonly version: number }; readonly answer: readonly ContainerRecord[] }
  start: { readonly request: StartOrder; readonly answer: ContainerRecord }
  stop: { readonly request: { readonly containerID: string; readonly graceMs: number }; readonly answer: true }
  exec: {
    readonly request: { readonly containerID: string; readonly command: readonly string[]; readonly timeoutMs: number }
    readonly answer: ExecResult
  }
  /** Where a running container runs, for commands beside it that only last as long as somebody is connected. */
  place: { readonly request: { readonly containerID: string }; readonly answer: LaunchPlace }
  /** Kills what still runs of a pod and removes its volumes and roots; with `all`, records and output, too. */
  remove: { readonly request: { readonly podUid: string; readonly all: boolean }; readonly answer: true }
  /** Ends everything and then the supervisor itself. */
  end: { readonly request: { readonly graceMs: number }; readonly answer: true }
}

export type Order = keyof Orders

export type SupervisorMessage =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: string }
  | { readonly ended: ContainerRecord }

/** Longest line: environments are bounded by the kernel at 2 MiB, and JSON may double that. */
export const lineBytesMax = 8 * 1024 * 1024

/** Splits a stream of bytes into the values of its lines; throws for a line that is too long or no JSON. */
export function lineReader(onValue: (value: unknown) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = []
  let bytes = 0
  return (chunk) => {
    let rest = chunk
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      const line = Buffer.concat([...parts, rest.subarray(0, end)]).toString('utf8')
      parts = []
      bytes = 0
      rest = rest.subarray(end + 1)
      if (line !== '') onValue(JSON.parse(line))
    }
    if (rest.length === 0) return
    parts.push(rest)
    bytes += rest.length
    if (bytes > lineBytesMax) throw new Error(`a line of more than ${lineBytesMax} bytes`)
  }
}

export const lineOf = (value: unknown): string => `${JSON.stringify(value)}\n`
