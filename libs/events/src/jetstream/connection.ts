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
import { LogUnavailable } from '../event-log.ts'
import { ConnectionState } from './connection-state.ts'
import { NoAnswer, type PendingRequest, PendingRequests } from './pending-requests.ts'
import type { EncodedHeaders } from './wire.ts'

export type { Msg }

const connectTimeoutMs = 5000
const reconnectWaitMs = 50
/** A server that leaves two of these unanswered (paused, cut off) is left for another: within 9 s. */
const pingIntervalMs = 3_000
const pingsUnansweredMax = 2

export interface ConnectionOptions {
  /** `nats://host:port`, also with `user:password@`. */
  readonly servers: string | readonly string[]
  readonly credentials?: { readonly user: string; readonly password: string; readonly inboxPrefix?: string }
  readonly clock: Clock
  readonly name?: string
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

function wrap(nats: NatsConnection, clock: Clock, inboxPrefix: string, servers: readonly string[]): Connection {
  const base = `${inboxPrefix}.${process.pid.toString(36)}${process.hrtime.bigint().toString(36)}`
  const state = new ConnectionState(clock, `NATS cannot be reached at ${servers.join(', ')}`)
  const pending = new PendingRequests(clock, () => state.wentMute())
  const replies = `${base}.r.`
  nats.subscribe(`${replies}*`, {
    callback: (error, message) => {
      state.heardSomething()
      if (error === null) pending.settle(message.subject.slice(replies.length), message)
    },
  })
  void followStatus(nats, state, pending)
  void nats.closed().then(() => {
    pending.stop()
    pending.failAll('the connection is closed')
    state.close()
  })
  const publish: Connection['publish'] = (subject, payload, how = {}) =>
    nats.publish(subject, payload, how as unknown as PublishOptions)
  const send = (payload: Uint8Array, request: PendingRequest, headers?: EncodedHeaders): void => {
    if (!state.up || pending.isFull) {
      request.reject(new NoAnswer(state.up ? 'too many requests without an answer' : notConnected))
      return
    }
    const token = pending.add(request)
    try {
      publish(request.subject, payload, { reply: `${replies}${token}`, ...(headers === undefined ? {} : { headers }) })
    } catch (error) {
      pending.drop(token)
      request.reject(error as Error)
    }
  }
  return {
    nats,
    serverVersion: nats.info?.version ?? '',
    maxPayloadBytes: nats.info?.max_payload ?? 0,
    publish,
    ...requestsBy(send),
    ...subscriptionsOf(nats, state, `${base}.l.`),
    close: async () => {
      pending.stop()
      // A drained connection would wait for answers; everything that matters has been answered or will be asked again.
      await nats.flush().catch(() => undefined)
      await nats.close()
    },
    get up() {
      return state.up
    },
    get mute() {
      return state.mute
    },
    get closed() {
      return state.closed
    },
    heard: (deadlineMs) => state.heard(deadlineMs),
    connected: (deadlineMs) => state.connected(deadlineMs),
    onReconnect: (callback) => state.onReconnect(callback),
  }
}

async function followStatus(nats: NatsConnection, state: ConnectionState, pending: PendingRequests): Promise<void> {
  for await (const status of nats.status()) {
    if (status.type === 'disconnect') {
      state.disconnected()
      pending.failAll('the connection broke')
    } else if (status.type === 'error' && status.error.name === 'PermissionViolationError') {
      const { operation, subject } = status.error as PermissionViolationError
      if (operation === 'publish') pending.refuse(subject)
    } else if (status.type === 'reconnect') {
      state.reconnected()
    }
  }
}

type Send = (payload: Uint8Array, request: PendingRequest, headers?: EncodedHeaders) => void

const requestsBy = (send: Send): Pick<Connection, 'request' | 'requestMany'> => ({
  request: (subject, payload, { timeoutMs, headers }) =>
    new Promise((resolve, reject) => {
      const onAnswer = (message: Msg): boolean => {
        resolve(message)
        return true
      }
      send(payload, { subject, timeoutMs, onAnswer, reject }, headers)
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
      send(payload, { subject, timeoutMs, onAnswer, reject })
    }),
})

function subscriptionsOf(
  nats: NatsConnection,
  state: ConnectionState,
  inbox: string,
): Pick<Connection, 'listen' | 'subscribe'> {
  let serial = 0
  return {
    listen: (onMessage) => {
      serial += 1
      const subject = `${inbox}${serial.toString(36)}`
      const subscription = nats.subscribe(subject, {
        callback: (error, message) => {
          state.heardSomething()
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
  }
}

/** The body of a request to JetStream's API. */
export const jsonBytes = (value: unknown): Uint8Array =>
  value === undefined ? noBytes : Buffer.from(JSON.stringify(value))
