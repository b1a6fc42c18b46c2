// Connections to pods, kept open between requests: one pool an endpoint. A pool whose endpoint is gone closes what is idle and
// lets the rest finish.
import { Agent } from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Clock } from '@shiplog/runtime/clock'
import type { Endpoint } from '../model/backends.ts'

/** Connects to a pod. */
export type DialPod = (host: string, port: number, signal?: AbortSignal) => Promise<Duplex>

/** ingress-nginx's proxy_connect_timeout. */
const connectTimeoutMs = 5_000
/** Shorter than the 5 s after which many servers close an idle connection, so that seldom one closes as we use it. */
const idleMs = 4_000
const idlePerEndpointMax = 64
const sweepMs = 2_000

export interface Pools {
  agent(endpoint: Endpoint): Agent
  session(endpoint: Endpoint): Promise<ClientHttp2Session>
  /** A connection of its own, for what is not HTTP after its first answer. */
  dial(endpoint: Endpoint): Promise<Duplex>
  [Symbol.dispose](): void
}

/** A connection that did not come about: the request has not been seen by anybody. */
export class ConnectError extends Error {
  readonly isTimeout: boolean
  constructor(cause: unknown, isTimeout: boolean) {
    super('no connection to the pod', { cause })
    this.isTimeout = isTimeout
  }
}

const idOf = ({ address, port }: Endpoint): string => `${address} ${port}`

export function createPools(options: { readonly dial: DialPod; readonly clock: Clock }): Pools {
  const { clock } = options
  const agents = new Map<string, { readonly agent: Agent; usedMs: number }>()
  const sessions = new Map<string, Promise<ClientHttp2Session>>()

  async function dial({ address, port }: Endpoint): Promise<Duplex> {
    const giveUp = new AbortController()
    const timer = clock.after(connectTimeoutMs, () => giveUp.abort())
    try {
      return await options.dial(address, port, giveUp.signal)
    } catch (cause) {
      throw new ConnectError(cause, giveUp.signal.aborted || (cause as NodeJS.ErrnoException).code === 'ETIMEDOUT')
    } finally {
      timer[Symbol.dispose]()
    }
  }

  function newAgent(endpoint: Endpoint): Agent {
    const agent = new Agent({ keepAlive: true, maxFreeSockets: idlePerEndpointMax, timeout: idleMs, scheduling: 'lifo' })
    const createConnection = (_: object, created: (error: Error | null, socket?: Duplex) => void): undefined => {
      dial(endpoint).then(
        (socket) => created(null, socket),
        (error: Error) => created(error),
      )
    }
    return Object.assign(agent, { createConnection })
  }

  async function newSession(endpoint: Endpoint, id: string): Promise<ClientHttp2Session> {
    const socket = await dial(endpoint)
    const session = connectHttp2('http://pod', { createConnection: () => socket })
    const forget = (): void => void (sessions.get(id) === opened && sessions.delete(id))
    const opened = sessions.get(id)
    session.on('error', forget).on('goaway', forget).on('close', forget)
    session.setTimeout(idleMs, () => {
      forget()
      session.close()
    })
    return session
  }

  // What was not used for a while is of an endpoint that is gone, or one that nobody asks for.
  const sweeper = clock.every(sweepMs, () => {
    for (const [id, { agent, usedMs }] of agents)
      if (Object.keys(agent.sockets).length === 0 && Object.keys(agent.freeSockets).length === 0 && clock.nowMs() - usedMs > idleMs)
        agents.delete(id)
  })

  return {
    dial,
    agent(endpoint) {
      const id = idOf(endpoint)
      const known = agents.get(id) ?? { agent: newAgent(endpoint), usedMs: 0 }
      known.usedMs = clock.nowMs()
      agents.set(id, known)
      return known.agent
    },
    session(endpoint) {
      const id = idOf(endpoint)
      const known = sessions.get(id)
      if (known !== undefined) return known
      // Begun a turn later, so that it finds itself in the map.
      const opening = Promise.resolve().then(() => newSession(endpoint, id))
      sessions.set(id, opening)
      opening.catch(() => void (sessions.get(id) === opening && sessions.delete(id)))
      return opening
    },
    [Symbol.dispose]() {
      sweeper[Symbol.dispose]()
      for (const { agent } of agents.values()) agent.destroy()
      for (const opened of sessions.values()) opened.then((session) => session.destroy(), () => undefined)
      agents.clear()
      sessions.clear()
    },
  }
}
