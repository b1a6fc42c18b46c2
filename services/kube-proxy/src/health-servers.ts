// The ports of one node on which its health is told: opened and closed as Services come and go, and answered from what holds
// at that moment. A port that cannot be opened is tried again.
import { createServer, type Server } from 'node:http'
import type { Server as SocketServer } from 'node:net'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { HealthAnswer } from './health-answers.ts'

/** Opens a port on all addresses of the node. */
export type Listen = (port: number) => Promise<SocketServer>

/** Undefined: there is no such path. */
export type Answerer = (path: string) => HealthAnswer | undefined

export interface HealthServers {
  /** These ports are open from now on, and no others. */
  show(ports: ReadonlyMap<number, Answerer>): void
  stop(): Promise<void>
}

const retryMs = 5_000
const requestTimeoutMs = 5_000
const connectionsMax = 256
const headerBytesMax = 8 << 10

export interface HealthServersOptions {
  readonly listen: Listen
  readonly clock: Clock
  readonly log: Logger
}

export function createHealthServers({ listen, clock, log }: HealthServersOptions): HealthServers {
  let wanted: ReadonlyMap<number, Answerer> = new Map()
  const open = new Map<number, Server>()
  const opening = new Set<number>()
  let retry: Disposable | undefined

  function serve(port: number): Server {
    const server = createServer(
      { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs, maxHeaderSize: headerBytesMax },
      ({ url = '/' }, response) => {
        const answer = wanted.get(port)?.(url.split('?')[0]!)
        if (answer === undefined) response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n')
        else response.writeHead(answer.code, answer.headers).end(answer.body)
      },
    )
    server.maxConnections = connectionsMax
    return server
  }

  async function openPort(port: number): Promise<void> {
    opening.add(port)
    try {
      const socket = await listen(port)
      if (wanted.has(port)) open.set(port, serve(port).listen(socket))
      else socket.close()
    } catch (err) {
      log.warn({ err, port }, 'failed to start healthcheck')
      retry ??= clock.after(retryMs, () => {
        retry = undefined
        update()
      })
    } finally {
      opening.delete(port)
    }
  }

  function update(): void {
    for (const [port, server] of open) {
      if (wanted.has(port)) continue
      open.delete(port)
      close(server)
    }
    for (const port of wanted.keys()) if (!open.has(port) && !opening.has(port)) void openPort(port)
  }

  return {
    show(ports) {
      wanted = ports
      update()
    },
    async stop() {
      wanted = new Map()
      retry?.[Symbol.dispose]()
      update()
    },
  }
}

function close(server: Server): void {
  server.close()
  server.closeAllConnections()
}
