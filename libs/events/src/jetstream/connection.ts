// One connection to NATS, with what the log needs of it: requests that fail at once when the connection breaks (the
// client itself lets each wait for its own timeout), and word of every reconnection.
import {
  connect,
  type Msg,
  type NatsConnection,
  type PermissionViolationError,
  type PublishOptions,
} from '@nats-io/transport-node'
import type { Clock } from '@shiplog/runtime/clock'
import { LogUnanswered, LogUnavailable } from '../event-log.ts'
import type { EncodedHeaders } from './wire.ts'

export type { Msg }

const connectTimeoutMs = 5000
const reconnectWaitMs = 50
/** A server that leaves two of these unanswered (paused, cut off) is left for another: within 9 s. */
const pingIntervalMs = 3_000
const pingsUnansweredMax = 2
/** How often overdue requests are looked for. */
const sweepIntervalMs = 50
/** Most requests without an answer. */
const requestsMax = 100_000

export interface ConnectionOptions {
  /** `nats://host:port`, also with `user:password@`. */
  readonly servers: string | readonly string[]
  readonly credentials?: { readonly user: string; readonly password: string; readonly inboxPrefix?: string }
  readonly clock: Clock
  readonly name?: string
}

/** The request was not answered: it may have been carried out or not. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

export interface Connection {
  /** The client's own connection; only for what is built on it (see management.ts). */
  readonly nats: NatsConnection
  readonly serverVersion: string
  readonly maxPayloadBytes: number
  /** One answer; throws NoAnswer after the timeout, or at once when the connection breaks. */
  request(subject: string, payload: Uint8Array, options: RequestOptions): Promise<Msg>
  /** Every answer until `done` says true; the timeout counts from the last one. */
  requestMany(
    subject: string,
    payload: Uint8Array,
    timeoutMs: number,
    onAnswer: (answer: Msg) => boolean,
  ): Promise<void>
  publish(subject: string, payload: Uint8Array, options?: { headers?: EncodedHeaders; reply?: string }): void
  /** Messages of a subject of our own, under the inbox prefix. */
  listen(onMessage: (message: Msg) => void): { readonly subject: string; stop(): void }
  /** Messages of a subject, which may hold wildcards; of those with the same queue one gets each. */
  subscribe(subject: string, onMessage: (message: Msg) => void, queue?: string): { stop(): void }
  /** True while the connection stands. */
  readonly up: boolean
  /**
   * True when the server has left something unanswered and has said nothing since (it hangs, or is gone): whoever asks now
   * should not wait as long as for one that works.
   */
  readonly mute: boolean
  /** Resolves as soon as the server says something, or at the deadline. */
  heard(deadlineMs: number): Promise<void>
  /** Resolves when the connection stands, at once when it does; throws LogUnavailable at the deadline. */
  connected(deadlineMs: number): Promise<void>
  onReconnect(callback: () => void): Disposable
  readonly closed: boolean
  close(): Promise<void>
}

export interface RequestOptions {
  readonly timeoutMs: number
  readonly headers?: EncodedHeaders
}

interface Pending {
  readonly subject: string
  deadlineMs: number
  readonly timeoutMs: number
  onAnswer(message: Msg): boolean
  reject(error: Error): void
}

/** Nothing was sent. */
export const notConnected = 'not connected'

const noBytes = new Uint8Array(0)

export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const { clock } = options
  const { servers, credentials } = resolveServers(options)
  const nats = await connect({
    servers,
    name: options.name ?? 'shiplog',
    timeout: connectTimeoutMs,
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: reconnectWaitMs,
    reconnectJitter: 0,
    pingInterval: pingIntervalMs,
    maxPingOut: pingsUnansweredMax,
    noAsyncTraces: true,
    ignoreAuthErrorAbort: true,
    ...(credentials === undefined ? {} : { user: credentials.user, pass: credentials.password }),
  }).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new LogUnavailable(`Cannot connect to NATS at ${servers.join(', ')}: ${reason}`, { ambiguous: false, cause })
  })
  return wrap(nats, clock, credentials?.inboxPrefix ?? '_INBOX', servers)
}

function resolveServers(options: ConnectionOptions): {
  servers: string[]
  credentials: ConnectionOptions['credentials']
} {
  let { credentials } = options
  const servers = [options.servers].flat().map((server) => {
    const url = new URL(server.includes('://') ? server : `nats://${server}`)
    if (url.username !== '' && credentials === undefined) {
      credentials = { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
    }
    return `${url.protocol}//${url.hostname}:${url.port || '4222'}`
  })
  return { servers, credentials }
}

const unreachable = (servers: readonly string[]): string => `NATS cannot be reached at ${servers.join(', ')}`

function wrap(nats: NatsConnection, clock: Clock, inboxPrefix: string, servers: readonly string[]): Connection {
  const base = `${inboxPrefix}.${process.pid.toString(36)}${process.hrtime.bigint().toString(36)}`
  const pending = new Map<string, Pending>()
  const reconnects = new Set<() => void>()
  let serial = 0
  let up = true
  let closed = false
  let mute = false
  let waiting: (() => void)[] = []
  let listening: (() => void)[] = []

  const hear = (): void => {
    if (!mute) return
    mute = false
    const woken = listening
    listening = []
    for (const resolve of woken) resolve()
  }

  const failAll = (why: string): void => {
    const failed = [...pending.values()]
    pending.clear()
    for (const each of failed) each.reject(new NoAnswer(why))
  }
  const settle = (token: string, message: Msg): void => {
    const each = pending.get(token)
    if (each === undefined) return
    each.deadlineMs = clock.nowMs() + each.timeoutMs
    if (each.onAnswer(message)) pending.delete(token)
  }
  /** The server tells of a forbidden subject beside the requests; those on it will never be answered. */
  const refuse = (subject: string): void => {
    for (const [token, each] of pending) {
      if (each.subject !== subject) continue
      pending.delete(token)
      each.reject(new LogUnavailable(`NATS does not permit this user to publish to ${subject}`, { ambiguous: false }))
    }
  }
  const replies = `${base}.r.`
  nats.subscribe(`${replies}*`, {
    callback: (error, message) => {
      hear()
      if (error === null) settle(message.subject.slice(replies.length), message)
    },
  })
  /** Runs only while something is waited for: an idle process is not woken twenty times a second. */
  let sweeper: Disposable | undefined
  const sweep = (): void => {
    sweeper = undefined
    const now = clock.nowMs()
    for (const [token, each] of pending) {
      if (each.deadlineMs > now) continue
      pending.delete(token)
      mute = true
      each.reject(new NoAnswer(`no answer within ${each.timeoutMs} ms`))
    }
    if (pending.size > 0 && !closed) sweeper = clock.after(sweepIntervalMs, sweep)
  }
  void (async () => {
    for await (const status of nats.status()) {
      if (status.type === 'disconnect') {
        up = false
        mute = true
        failAll('the connection broke')
      } else if (status.type === 'error' && status.error.name === 'PermissionViolationError') {
        const { operation, subject } = status.error as PermissionViolationError
        if (operation === 'publish') refuse(subject)
      } else if (status.type === 'reconnect') {
        up = true
        hear()
        const woken = waiting
        waiting = []
        for (const resolve of woken) resolve()
        for (const callback of reconnects) callback()
      }
    }
  })()
  void nats.closed().then(() => {
    closed = true
    up = false
    failAll('the connection is closed')
    for (const resolve of waiting) resolve()
    for (const resolve of listening) resolve()
  })

  const send = (payload: Uint8Array, entry: Pending, headers?: EncodedHeaders): void => {
    if (closed || !up || pending.size >= requestsMax) {
      entry.reject(new NoAnswer(closed || !up ? notConnected : 'too many requests without an answer'))
      return
    }
    serial += 1
    const token = serial.toString(36)
    pending.set(token, entry)
    sweeper ??= clock.after(sweepIntervalMs, sweep)
    try {
      publish(entry.subject, payload, { reply: `${replies}${token}`, ...(headers === undefined ? {} : { headers }) })
    } catch (error) {
      pending.delete(token)
      entry.reject(error as Error)
    }
  }

  const publish: Connection['publish'] = (subject, payload, how = {}) =>
    nats.publish(subject, payload, how as unknown as PublishOptions)

  return {
    nats,
    serverVersion: nats.info?.version ?? '',
    maxPayloadBytes: nats.info?.max_payload ?? 0,
    request: (subject, payload, { timeoutMs, headers }) =>
      new Promise((resolve, reject) => {
        const onAnswer = (message: Msg): boolean => {
          resolve(message)
          return true
        }
        send(payload, { subject, deadlineMs: clock.nowMs() + timeoutMs, timeoutMs, onAnswer, reject }, headers)
      }),
    requestMany: (subject, payload, timeoutMs, onEach) =>
      new Promise((resolve, reject) => {
        const onAnswer = (message: Msg): boolean => {
          try {
            if (!onEach(message)) return false
            resolve()
          } catch (error) {
            reject(error as Error)
          }
          return true
        }
        send(payload, { subject, deadlineMs: clock.nowMs() + timeoutMs, timeoutMs, onAnswer, reject })
      }),
    publish,
    listen: (onMessage) => {
      serial += 1
      const subject = `${base}.l.${serial.toString(36)}`
      const subscription = nats.subscribe(subject, {
        callback: (error, message) => {
          hear()
          if (error === null) onMessage(message)
        },
      })
      return { subject, stop: () => subscription.unsubscribe() }
    },
    subscribe: (subject, onMessage, queue) => {
      const subscription = nats.subscribe(subject, {
        ...(queue === undefined ? {} : { queue }),
        callback: (error, message) => {
          if (error === null) onMessage(message)
        },
      })
      return { stop: () => subscription.unsubscribe() }
    },
    get up() {
      return up
    },
    get mute() {
      return mute
    },
    heard: async (deadlineMs) => {
      if (!mute) return
      await new Promise<void>((resolve) => {
        listening.push(resolve)
        clock.after(deadlineMs - clock.nowMs(), resolve)
      })
    },
    connected: async (deadlineMs) => {
      while (!up) {
        if (closed) throw new LogUnavailable('The log is closed', { ambiguous: false })
        const left = deadlineMs - clock.nowMs()
        if (left <= 0) throw new LogUnanswered(unreachable(servers))
        await new Promise<void>((resolve) => {
          waiting.push(resolve)
          clock.after(left, resolve)
        })
      }
    },
    onReconnect: (callback) => {
      reconnects.add(callback)
      return { [Symbol.dispose]: () => void reconnects.delete(callback) }
    },
    get closed() {
      return closed
    },
    close: async () => {
      sweeper?.[Symbol.dispose]()
      // A drained connection would wait for answers; everything that matters has been answered or will be asked again.
      await nats.flush().catch(() => undefined)
      await nats.close()
    },
  }
}

/** The body of a request to JetStream's API. */
export const jsonBytes = (value: unknown): Uint8Array =>
  value === undefined ? noBytes : Buffer.from(JSON.stringify(value))
