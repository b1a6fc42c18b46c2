// The ports: HTTP/1.1 without TLS, and TLS with HTTP/2 or HTTP/1.1 as client and server agree. Connections of both kinds are
// served by the same two servers. Slow and idle clients are bounded everywhere.
import { createServer as createHttp1, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttp2, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTls, type SecureContext } from 'node:tls'
import type { Clock } from '@shiplog/runtime/clock'
import type { ClientRequest, ClientResponse } from './client-message.ts'

/** nginx's client_header_timeout, and keepalive_timeout as ingress-nginx has it. */
const headersTimeoutMs = 60_000
const keepAliveMs = 75_000
const handshakeTimeoutMs = 10_000
const headerBytesMax = 32_768
const headersMax = 200
const streamsPerConnectionMax = 128
/** Of each port; nginx's worker_connections in ingress-nginx. */
const connectionsMax = 16_384
const drainPollMs = 20

export interface ServersOptions {
  readonly host: string
  readonly httpPort: number
  /** Undefined: no TLS. */
  readonly httpsPort: number | undefined
  readonly onRequest: (request: ClientRequest, response: ClientResponse) => void
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  readonly contextFor: (serverName: string) => SecureContext
  readonly otherCertificate: { readonly cert: string; readonly key: string }
  readonly clock: Clock
}

export interface Servers {
  readonly httpPort: number
  readonly httpsPort: number | undefined
  /** Takes no further connection, lets requests finish for so long, then closes. */
  stop(withinMs: number): Promise<void>
}

export async function startServers(options: ServersOptions): Promise<Servers> {
  const { host, clock } = options
  const sessions = new Set<ServerHttp2Session>()
  const upgraded = new Set<Duplex>()
  let open = 0
  const onRequest = (request: ClientRequest, response: ClientResponse): void => {
    open++
    response.once('close', () => open--)
    options.onRequest(request, response)
  }
  const http1 = createHttp1({ maxHeaderSize: headerBytesMax, headersTimeout: headersTimeoutMs, requestTimeout: 0, keepAliveTimeout: keepAliveMs, shouldUpgradeCallback: mayChangeProtocol })
  http1.maxHeadersCount = headersMax
  http1.on('request', (request: IncomingMessage, response: ServerResponse) => onRequest(request, response))
  http1.on('upgrade', (request, socket, head) => {
    upgraded.add(socket)
    socket.once('close', () => upgraded.delete(socket))
    options.onUpgrade(request, socket, head)
  })
  http1.on('connect', (_, socket) => socket.end('HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'))
  const http2 = createHttp2({ settings: { maxConcurrentStreams: streamsPerConnectionMax, maxHeaderListSize: headerBytesMax }, maxHeaderListPairs: headersMax })
  http2.on('request', onRequest)
  http2.on('session', (session) => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
    session.on('error', () => undefined)
    session.setTimeout(keepAliveMs, () => session.close())
  })
  const listening: Server[] = [http1]
  await listen(http1, options.httpPort, host)
  let tls: Server | undefined
  const tlsSockets = new Set<Socket>()
  if (options.httpsPort !== undefined) {
    const server = createTls({
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: handshakeTimeoutMs,
      minVersion: 'TLSv1.2',
      // For those who name no host.
      ...options.otherCertificate,
      SNICallback: (name, done) => done(null, options.contextFor(name.toLowerCase())),
    })
    server.on('secureConnection', (socket) => {
      tlsSockets.add(socket)
      socket.once('close', () => tlsSockets.delete(socket))
      ;(socket.alpnProtocol === 'h2' ? http2 : http1).emit('connection', socket)
    })
    server.on('tlsClientError', (_, socket) => socket.destroy())
    tls = server
    listening.push(server)
    try {
      await listen(server, options.httpsPort, host)
    } catch (error) {
      http1.close()
      throw error
    }
  }
  const portOf = (server: Server): number => (server.address() as AddressInfo).port
  return {
    httpPort: portOf(http1),
    httpsPort: tls && portOf(tls),
    async stop(withinMs) {
      for (const server of listening) server.close()
      for (const session of sessions) session.close()
      http1.closeIdleConnections()
      const deadlineMs = clock.nowMs() + withinMs
      while (open > 0 && clock.nowMs() < deadlineMs) await clock.sleep(drainPollMs)
      http1.closeAllConnections()
      for (const session of sessions) session.destroy()
      for (const socket of [...upgraded, ...tlsSockets]) socket.destroy()
    },
  }
}

/**
 * Not to another HTTP: within it a client could ask for paths that nobody here sees. Such a wish is passed over, as RFC 9110
 * allows, and the request is answered as it is.
 */
const mayChangeProtocol = ({ headers }: IncomingMessage): boolean =>
  (headers.upgrade ?? '').split(',').every((protocol) => !/^\s*(h2|http|tls)/i.test(protocol))

const listen = (server: Server, port: number, host: string): Promise<void> => {
  server.maxConnections = connectionsMax
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
