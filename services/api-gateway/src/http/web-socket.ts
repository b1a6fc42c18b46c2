// Requests to switch protocols: to a WebSocket (RFC 6455), which browsers and Java's fabric8 use for watches and logs and
// kubectl for commands in containers, to SPDY/3.1, which older clients use for the latter, and, for proxies, to whatever
// what stands behind understands. Such a request takes the way of every other through the server, and so meets the same
// refusals, as ordinary HTTP; only what is served over another protocol switches to it, as late as that.
import { createRequire } from 'node:module'
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { ApiError, badRequest, type Status } from '@shiplog/api/status'
import type { WebSocket, WebSocketServer } from 'ws'
import type { HttpServer } from './fastify-types.ts'

/** Most clients have nothing to say: a message is read and dropped, one that is longer ends the connection. */
const ignoredBytesMax = 64 * 1024
/** A client that does not answer the end of a WebSocket is cut off. */
const closeTimeoutMs = 2_000

const bearerPrefix = 'base64url.bearer.authorization.k8s.io.'

export interface PendingUpgrade {
  readonly request: IncomingMessage
  readonly socket: Duplex
  /** What the client sent after its headers. */
  readonly head: Buffer
  readonly response: ServerResponse
  /** In lower case: `websocket`, `spdy/3.1`. */
  readonly protocol: string
}

export interface OpenWebSocket {
  readonly connection: WebSocket
  readonly socket: Duplex
}

const pending = new WeakMap<object, PendingUpgrade>()
const switched = new WeakSet<object>()

const headerList = (value: string | undefined): string[] =>
  (value ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

const webSocketProtocol = 'websocket'

/** Paths of which more than WebSockets is served. */
const connectionPath = /^\/api\/.*\/(exec|attach|portforward|proxy)([/?]|$)/
/** What others' API servers serve may have streams of its own. */
const othersPath = /^\/apis\//

const asksForUpgrade = ({ method, headers, url = '' }: IncomingMessage): boolean =>
  headers.upgrade !== undefined &&
  headerList(headers.connection).some((option) => option.toLowerCase() === 'upgrade') &&
  ((method === 'GET' && headers.upgrade.toLowerCase() === webSocketProtocol) ||
    connectionPath.test(url) ||
    (othersPath.test(url) && headers.upgrade.toLowerCase().startsWith('spdy/')))

/** Whether a request asks for a WebSocket; how it asks is judged when it gets one. */
export const isWebSocketRequest = (raw: object): boolean => pending.get(raw)?.protocol === webSocketProtocol

/** What a request wants to switch to; undefined for one that wants an ordinary answer. */
export const upgradeOf = (raw: object): PendingUpgrade | undefined => pending.get(raw)

/** Whether the connection of the request has been taken over. */
export const isSwitched = (raw: object): boolean => switched.has(raw)

/** Takes the connection over: what is sent on it from here on is the caller's. */
export function takeConnection({ request, socket, response }: PendingUpgrade): Duplex {
  switched.add(request)
  response.detachSocket(socket as never)
  return socket
}

/** Has requests to switch protocols routed like all others. Where nothing is switched they are ignored, as HTTP allows. */
export function routeUpgrades(fastify: HttpServer): void {
  // Typed for HTTP/2; the server takes both.
  const routeHttp1 = fastify.routing as unknown as (request: IncomingMessage, response: ServerResponse) => void
  Object.assign(fastify.server, { shouldUpgradeCallback: asksForUpgrade })
  fastify.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const response = new ServerResponse(request)
    // Nobody reads from this connection any more: an ordinary answer is its last.
    response.shouldKeepAlive = false
    response.on('finish', () => {
      response.detachSocket(socket as never)
      socket.end()
    })
    // A client that is gone is seen by its close.
    socket.on('error', () => undefined)
    response.assignSocket(socket as never)
    pending.set(request, { request, socket, head, response, protocol: request.headers.upgrade!.toLowerCase() })
    routeHttp1(request, response)
  })
}

export interface WebSocketProtocols {
  /** A token that came as a subprotocol, because browsers can send no other header. */
  readonly token: string | undefined
  /** What else was offered. */
  readonly offered: readonly string[]
  /** Why the subprotocols are no credentials that could be checked. */
  readonly invalid: boolean
}

/** Tells a bearer token in the subprotocols from the others, by upstream's rules. */
export function readProtocols(header: string | undefined): WebSocketProtocols {
  const all = headerList(header)
  const offered = all.filter((protocol) => !protocol.startsWith(bearerPrefix))
  const encoded = all
    .filter((protocol) => protocol.startsWith(bearerPrefix))
    .map((text) => text.slice(bearerPrefix.length))
  if (encoded.length === 0) return { token: undefined, offered, invalid: false }
  const token = Buffer.from(encoded[0]!, 'base64url').toString()
  const isEncoding = /^[A-Za-z0-9_-]*$/.test(encoded[0]!) && !token.includes('\ufffd')
  // The token is not echoed, but a client that offers subprotocols must get one: there has to be another.
  const invalid = encoded.length > 1 || !isEncoding || (token !== '' && offered.length === 0)
  return { token: token === '' ? undefined : token, offered, invalid }
}

/** Why a request cannot get a WebSocket although what it asks for is served over one. */
export function checkHandshake(raw: IncomingMessage, known: readonly string[] | undefined): Status | undefined {
  const { headers } = raw
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? ''))
    return badRequest('the upgrade to a WebSocket has no valid Sec-WebSocket-Key header')
  if (headers['sec-websocket-version'] !== '13')
    return badRequest('the upgrade to a WebSocket needs the header Sec-WebSocket-Version: 13')
  const { offered } = readProtocols(headers['sec-websocket-protocol'])
  if (known && offered.length > 0 && !offered.some((protocol) => known.includes(protocol)))
    return {
      ...badRequest(`requested protocol(s) are not supported: [${offered.join(' ')}]; supports [${known.join(' ')}]`),
      reason: 'Forbidden',
      code: 403,
    }
  return undefined
}

/** Loaded with the first WebSocket: a start need not wait for it. */
const webSockets = (): typeof import('ws') => createRequire(import.meta.url)('ws') as typeof import('ws')

/** A WebSocket as a connection whose bytes are carried by binary messages, wherever they begin and end. */
export const webSocketDuplex = ({ connection }: OpenWebSocket): Duplex => {
  const duplex = webSockets().createWebSocketStream(connection)
  duplex.on('error', () => undefined)
  return duplex
}

/** What the ws library knows beside what its types say. */
type Options = ConstructorParameters<typeof WebSocketServer>[0] & { readonly closeTimeout: number }

/**
 * Switches protocols; the request's HTTP answer is over with that. Of the subprotocols offered the first is taken that is
 * among `known`, or the first of all when there are none to know. Throws ApiError before anything was sent.
 */
export function openWebSocket(
  raw: object,
  options: {
    readonly known?: readonly string[]
    readonly headers: Readonly<Record<string, string>>
    /** Longest message of a client that has something to say. */
    readonly receivedBytesMax?: number
  },
): OpenWebSocket {
  const { request, socket, head } = pending.get(raw)!
  const { known, headers } = options
  const refusal = checkHandshake(request, known)
  if (refusal) throw new ApiError(refusal)
  const { offered } = readProtocols(request.headers['sec-websocket-protocol'])
  const protocol = offered.find((each) => known?.includes(each) ?? true)
  const server = new (webSockets().WebSocketServer)({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: options.receivedBytesMax ?? ignoredBytesMax,
    closeTimeout: closeTimeoutMs,
    handleProtocols: () => protocol ?? false,
  } as Options)
  server.on('headers', (lines) => {
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
  })
  takeConnection(pending.get(raw)!)
  let connection: WebSocket | undefined
  server.handleUpgrade(request, socket, head, (opened) => (connection = opened))
  // Without a way to ask the client first, it is there at once, or the client is not.
  if (!connection) throw new ApiError(badRequest('the client went away'))
  return { connection, socket }
}
