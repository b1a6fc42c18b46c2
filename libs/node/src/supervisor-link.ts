// The runtime's end of the line to its supervisor: starts one when there is none, finds it again when the line breaks, and
// tells every end exactly once, also those that happened while nobody listened. What it knows of containers mirrors the
// supervisor's records.
import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, statSync, truncateSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { ContainerRecord } from './container-records.ts'
import { socketName, supervisorLogFile } from './pod-directories.ts'
import {
  lineOf,
  lineReader,
  type Order,
  type Orders,
  protocolVersion,
  type SupervisorMessage,
} from './supervisor-protocol.ts'

export interface SupervisorLink {
  /** Sends an order once the line stands. Rejects when the line breaks before the answer (see isLineBroken), or after the time limit. */
  order<Which extends Order>(
    order: Which,
    request: Orders[Which]['request'],
    timeoutMs?: number,
  ): Promise<Orders[Which]['answer']>
  /** Starts or finds the supervisor, if need be; afterwards `records` is complete. */
  ready(): Promise<void>
  readonly records: ReadonlyMap<string, ContainerRecord>
  /** Forgets what it knows of a pod. */
  forget(podUid: string): void
  readonly isConnected: boolean
  /** Hangs up; the supervisor goes on. */
  close(): void
}

const orderTimeoutMs = 30_000
/** A machine that is busy takes its time to start a process. */
const readyTimeoutMs = 30_000
const connectRetryMs = 20
const spawnAgainMs = 3_000
const reconnectPauseMs = 200
const linkLogBytesMax = 1024 * 1024
/** Longest path of a socket, minus room. */
const socketPathBytesMax = 100

/** No answer came, and it is not known whether the order was carried out. */
class LineBroken extends Error {
  override readonly name = 'LineBroken'
}

/** The order may be given again, if it can be given twice. */
export const isLineBroken = (error: unknown): boolean => error instanceof Error && error.name === 'LineBroken'

interface Waiting {
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
}

export function createSupervisorLink(deps: {
  readonly directory: string
  readonly clock: Clock
  readonly log: Logger
  /** Called in a turn of its own. */
  readonly onEnded: (record: ContainerRecord) => void
}): SupervisorLink {
  const { directory, clock, log } = deps
  const records = new Map<string, ContainerRecord>()
  const waiting = new Map<number, Waiting>()
  let serial = 0
  let socket: Socket | undefined
  let connecting: Promise<void> | undefined
  let closed = false

  function take(record: ContainerRecord): void {
    const before = records.get(record.containerID)
    records.set(record.containerID, record)
    if (record.ended !== undefined && before !== undefined && before.ended === undefined) deps.onEnded(record)
  }

  function ready(): Promise<void> {
    if (closed) return Promise.reject(new Error('the runtime has been stopped'))
    if (socket !== undefined) return Promise.resolve()
    connecting ??= establish().finally(() => (connecting = undefined))
    return connecting
  }

  async function establish(): Promise<void> {
    const deadlineMs = clock.nowMs() + readyTimeoutMs
    let spawnedAtMs = Number.NEGATIVE_INFINITY
    for (;;) {
      const candidate = await dialSupervisor(directory)
      if (candidate !== undefined) {
        listen(candidate)
        try {
          const known = await send(candidate, 'hello', { version: protocolVersion }, orderTimeoutMs)
          if (closed) return candidate.destroy() as never
          socket = candidate
          for (const record of known) take(record)
          return
        } catch (error) {
          candidate.destroy()
          if (clock.nowMs() > deadlineMs) throw error
        }
      } else if (clock.nowMs() - spawnedAtMs > spawnAgainMs) {
        spawnedAtMs = clock.nowMs()
        launchSupervisor(directory)
      }
      if (clock.nowMs() > deadlineMs) {
        throw new Error(`no supervisor after ${readyTimeoutMs} ms; see ${supervisorLogFile(directory)}`)
      }
      await clock.sleep(connectRetryMs)
    }
  }

  function listen(candidate: Socket): void {
    const read = lineReader((value) => {
      const message = value as SupervisorMessage
      if ('ended' in message) return take(message.ended)
      const asked = waiting.get(message.id)
      waiting.delete(message.id)
      if ('error' in message) asked?.reject(new Error(message.error))
      else asked?.resolve(message.answer)
    })
    candidate.on('data', (chunk: Buffer) => {
      try {
        read(chunk)
      } catch (err) {
        log.error({ err }, 'invalid message from supervisor')
        candidate.destroy()
      }
    })
    candidate.on('error', () => undefined)
    candidate.on('close', () => {
      for (const { reject } of waiting.values()) reject(new LineBroken('the line to the supervisor broke'))
      waiting.clear()
      if (socket !== candidate) return
      socket = undefined
      if (!closed) void restore()
    })
  }

  /** Something may still run: somebody has to hear how it ends. */
  async function restore(): Promise<void> {
    while (!closed && [...records.values()].some((record) => record.ended === undefined)) {
      try {
        return await ready()
      } catch (err) {
        log.error({ err }, 'supervisor unreachable, retrying')
        await clock.sleep(reconnectPauseMs)
      }
    }
  }

  function send<Which extends Order>(
    over: Socket,
    order: Which,
    request: Orders[Which]['request'],
    timeoutMs: number,
  ): Promise<Orders[Which]['answer']> {
    const id = ++serial
    return new Promise((resolve, reject) => {
      const limit = clock.after(timeoutMs, () => {
        waiting.delete(id)
        reject(new Error(`the supervisor did not answer within ${timeoutMs} ms`))
      })
      waiting.set(id, {
        resolve: (answer) => {
          limit[Symbol.dispose]()
          resolve(answer as Orders[Which]['answer'])
        },
        reject: (error) => {
          limit[Symbol.dispose]()
          reject(error)
        },
      })
      over.write(lineOf({ id, order, request }))
    })
  }

  async function place<Which extends Order>(
    order: Which,
    request: Orders[Which]['request'],
    timeoutMs = orderTimeoutMs,
  ): Promise<Orders[Which]['answer']> {
    await ready()
    if (socket === undefined) throw new LineBroken('the line to the supervisor broke')
    const answer = await send(socket, order, request, timeoutMs)
    if (order === 'start') {
      const record = answer as ContainerRecord
      if (!records.has(record.containerID)) records.set(record.containerID, record)
    }
    return answer
  }

  return {
    records,
    ready,
    order: place,
    forget(podUid) {
      for (const record of [...records.values()]) if (record.podUid === podUid) records.delete(record.containerID)
    },
    get isConnected() {
      return socket !== undefined
    },
    close() {
      closed = true
      socket?.destroy()
    },
  }
}

/** A connection, or undefined when nobody listens. */
export function dialSupervisor(directory: string): Promise<Socket | undefined> {
  const path = join(directory, socketName)
  if (!existsSync(path)) return Promise.resolve(undefined)
  // The name of a socket is at most some hundred bytes long; through an open directory any is short enough.
  const holder =
    Buffer.byteLength(path) > socketPathBytesMax && process.platform === 'linux' ? openSync(directory, 'r') : undefined
  return new Promise((resolve) => {
    const candidate = connect(holder === undefined ? path : `/proc/self/fd/${holder}/${socketName}`)
    const settle = (outcome: Socket | undefined): void => {
      if (holder !== undefined) closeSync(holder)
      candidate.removeAllListeners('error')
      if (outcome === undefined) candidate.destroy()
      resolve(outcome)
    }
    candidate.once('connect', () => settle(candidate))
    candidate.once('error', () => settle(undefined))
  })
}

/** Beside this file in a checkout; beside the bundles where everything is bundled. */
function supervisorProgram(): string {
  const places = [
    join(import.meta.dirname, 'supervisor-main.ts'),
    join(import.meta.dirname, 'process-supervisor.mjs'),
    join(import.meta.dirname, '..', 'process-supervisor.mjs'),
  ]
  const found = places.find((place) => existsSync(place))
  if (found === undefined) throw new Error(`the supervisor's program is not there: ${places.join(', ')}`)
  return found
}

function launchSupervisor(directory: string): void {
  const logFile = supervisorLogFile(directory)
  if (existsSync(logFile) && statSync(logFile).size > linkLogBytesMax) truncateSync(logFile)
  const output = openSync(logFile, 'a', 0o600)
  const { PATH = '', HOME = '/', TZ } = process.env
  try {
    // A session of its own: what ends the agent's terminal or group does not end this.
    const child = spawn(process.execPath, [supervisorProgram(), directory], {
      cwd: directory,
      detached: true,
      stdio: ['ignore', output, output],
      env: { PATH, HOME, ...(TZ === undefined ? {} : { TZ }) },
    })
    child.on('error', () => undefined)
    child.unref()
  } finally {
    closeSync(output)
  }
}
