// Connections to what runs, as answers: which protocol the client asks for, and what brings it together with the tunnel.
import { ApiError, badRequest, isApiError, internalError } from '@shiplog/api/status'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { Duplex } from 'node:stream'
import { createSpdySession, type SpdySessionOptions } from '@shiplog/spdy/session'
import type { Connection, ContainerConnection, PortsConnection } from '../streaming/connections.ts'
import { connectClient } from '../streaming/remote-command.ts'
import { isRefusedByAgent } from '../streaming/tunnels.ts'
import { createChannelSocket, type ChannelSocket } from './channel-socket.ts'
import { header, type HttpReply, type HttpRequest, replyHeaders } from './fastify-types.ts'
import {
  portChannelProtocols,
  portForwardProtocol,
  portsOf,
  servePairs,
  servePortChannels,
  tunnelProtocol,
} from './port-forward-clients.ts'
import { serveProxy } from './proxy.ts'
import {
  collectSpdyStreams,
  endsChannels,
  spdyCommandProtocols,
  webSocketClient,
  webSocketCommandProtocols,
} from './remote-command-clients.ts'
import type { ResourcePath } from './request-info.ts'
import { agreeOnProtocol, answerText, isSpdy, keepAlive, openSpdy } from './spdy-upgrade.ts'
import {
  isWebSocketRequest,
  type OpenWebSocket,
  openWebSocket,
  type PendingUpgrade,
  readProtocols,
  upgradeOf,
  webSocketDuplex,
} from './web-socket.ts'

/** Longest message that a client may send, as upstream's. */
const receivedBytesMax = 32 * 1024 * 1024
/** A connection on which nothing was said for so long is closed, as a kubelet does. */
const idleMsMax = 4 * 60 * 60 * 1_000
const idleCheckMs = 60_000

export interface ConnectionAnswerDeps {
  readonly clock: Clock
  readonly logger: Logger
}

/** Serves until the connection is over. Throws ApiError as long as the client can be answered over HTTP. */
export async function serveConnection(
  deps: ConnectionAnswerDeps,
  info: ResourcePath,
  request: HttpRequest,
  reply: HttpReply,
  connection: Connection,
): Promise<void> {
  if (connection.to === 'http') return await serveProxy(deps, info, request, reply, connection)
  const upgrade = upgradeOf(request.raw)
  if (!upgrade) throw new ApiError(badRequest('Upgrade request required'))
  const door: Door = { ...deps, request, reply, upgrade }
  try {
    if (connection.to === 'container') await serveContainer(door, connection)
    else await servePorts(door, connection)
  } catch (error) {
    // A kubelet's words are passed on as they are.
    if (!isRefusedByAgent(error) || reply.sent) throw error
    answerText(reply, { code: error.status.code, text: error.status.message ?? '' })
  }
}

interface Door extends ConnectionAnswerDeps {
  readonly request: HttpRequest
  readonly reply: HttpReply
  readonly upgrade: PendingUpgrade
}

/** Aborted when the client goes away before it has been connected. */
function whileWaiting({ upgrade }: Door): AbortSignal & Disposable {
  const left = new AbortController()
  const leave = (): void => left.abort()
  upgrade.socket.once('close', leave)
  return Object.assign(left.signal, { [Symbol.dispose]: () => void upgrade.socket.off('close', leave) })
}

async function serveContainer(door: Door, connection: ContainerConnection): Promise<void> {
  const { request, reply, clock } = door
  if (isWebSocketRequest(request.raw)) return await serveContainerOverWebSocket(door, connection)
  if (!isSpdy(door.upgrade)) return answerText(reply, noSpdy)
  const protocol = agreeOnProtocol(request, spdyCommandProtocols)
  if (typeof protocol !== 'string') return answerText(reply, protocol)
  using waiting = whileWaiting(door)
  const channel = await connection.open(waiting)
  const streams = collectSpdyStreams(connection, clock)
  const session = openSpdy(door.upgrade, reply, protocol, { clock, onStream: streams.onStream })
  using _idle = endIdle(clock, () => session.activeAtMs, () => session.destroy())
  const client = await streams.complete(session, protocol)
  if (client) await connectClient(channel, client)
  else {
    channel.close('the client opened no streams')
    session.close()
  }
}

const noSpdy = { code: 400, text: 'unable to upgrade: missing upgrade headers in request' }

async function serveContainerOverWebSocket(door: Door, connection: ContainerConnection): Promise<void> {
  const { request, reply, clock } = door
  const { offered } = readProtocols(header(request.raw, 'sec-websocket-protocol'))
  // As upstream: this version is answered by the API server itself, at once; others by who is asked.
  if (offered.some(endsChannels)) {
    const socket = openChannels(door, ['v5.channel.k8s.io'])
    using _idle = endIdle(clock, () => socket.activeAtMs, () => socket.close())
    const client = webSocketClient(socket, connection)
    try {
      await connectClient(await connection.open(socket.closed), client)
    } catch (error) {
      await client.finish({ failure: whyNotConnected(error) })
    }
    return
  }
  using waiting = whileWaiting(door)
  const channel = await connection.open(waiting)
  try {
    const socket = openChannels(door, webSocketCommandProtocols)
    using _idle = endIdle(clock, () => socket.activeAtMs, () => socket.close())
    await connectClient(channel, webSocketClient(socket, connection))
  } catch (error) {
    channel.close('there was no WebSocket')
    if (!reply.sent) throw error
  }
}

function whyNotConnected(error: unknown): ApiError['status'] {
  if (isRefusedByAgent(error)) return internalError(`unable to upgrade connection: ${error.status.message ?? ''}`)
  if (isApiError(error)) return error.status
  return internalError('the connection to the node of the pod broke')
}

function openChannels({ request, reply, clock }: Door, known: readonly string[]): ChannelSocket {
  return createChannelSocket(switchToWebSocket(request, reply, known), () => clock.nowMs())
}

function switchToWebSocket(request: HttpRequest, reply: HttpReply, known: readonly string[]): OpenWebSocket {
  const opened = openWebSocket(request.raw, { known, headers: replyHeaders(reply), receivedBytesMax })
  reply.hijack()
  keepAlive(opened.socket)
  return opened
}

async function servePorts(door: Door, connection: PortsConnection): Promise<void> {
  const { request, reply, clock } = door
  if (!isWebSocketRequest(request.raw)) {
    if (!isSpdy(door.upgrade)) return answerText(reply, noSpdy)
    const protocol = agreeOnProtocol(request, [portForwardProtocol])
    if (typeof protocol !== 'string') return answerText(reply, protocol)
    await checkPorts(door, connection)
    return await servePortSession(clock, connection, (onStream) => openSpdy(door.upgrade, reply, protocol, { clock, onStream }))
  }
  const { offered } = readProtocols(header(request.raw, 'sec-websocket-protocol'))
  if (offered.includes(tunnelProtocol)) {
    await checkPorts(door, connection)
    const socket: Duplex = webSocketDuplex(switchToWebSocket(request, reply, [tunnelProtocol]))
    return await servePortSession(clock, connection, (onStream) => createSpdySession({ role: 'server', socket, clock, onStream }))
  }
  const ports = readPorts(connection)
  if (typeof ports === 'string') return answerText(reply, { code: 400, text: ports })
  await checkPorts(door, connection)
  const socket = openChannels(door, portChannelProtocols)
  using _idle = endIdle(clock, () => socket.activeAtMs, () => socket.close())
  await servePortChannels(connection, ports, socket)
}

async function checkPorts(door: Door, connection: PortsConnection): Promise<void> {
  using waiting = whileWaiting(door)
  await connection.check(waiting)
}

function readPorts({ ports }: PortsConnection): readonly number[] | string {
  try {
    return portsOf(ports)
  } catch (error) {
    return (error as Error).message
  }
}

async function servePortSession(
  clock: Clock,
  connection: PortsConnection,
  open: (onStream: NonNullable<SpdySessionOptions['onStream']>) => ReturnType<typeof createSpdySession>,
): Promise<void> {
  const pairs = servePairs(connection, { clock, closed: () => session.closed })
  const session = open(pairs.onStream)
  using _idle = endIdle(clock, () => session.activeAtMs, () => session.destroy())
  await new Promise<void>((resolve) => {
    if (session.closed.aborted) resolve()
    else session.closed.addEventListener('abort', () => resolve())
  })
}

function endIdle(clock: Clock, activeAtMs: () => number, end: () => void): Disposable {
  return clock.every(idleCheckMs, () => {
    if (clock.nowMs() - activeAtMs() > idleMsMax) end()
  })
}
