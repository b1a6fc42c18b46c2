// Clients of `portforward`: a session of SPDY in which each connection is a pair of streams, for its bytes and for what went
// wrong; the same within a WebSocket; and the older WebSocket protocol with a pair of channels for each port of the query.
import { Duplex } from 'node:stream'
import { createChannelStreams, duplexOf, passOn } from '@shiplog/api-client/wire/channel-streams'
import { connectionStream } from '@shiplog/api-client/wire/tunnel-request'
import { isApiError } from '@shiplog/api/status'
import type { Clock } from '@shiplog/runtime/clock'
import { resetStatus } from '@shiplog/spdy/spdy-error'
import type { SpdyStream } from '@shiplog/spdy/stream'
import type { PortsConnection } from '../streaming/connections.ts'
import type { ChannelSocket } from './channel-socket.ts'

export const portForwardProtocol = 'portforward.k8s.io'
/** SPDY within a WebSocket. */
export const tunnelProtocol = `SPDY/3.1+${portForwardProtocol}`
export const portChannelProtocols = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'] as const

const pairTimeoutMs = 30_000
const portMax = 65_535

interface Pair {
  data: SpdyStream | undefined
  errors: SpdyStream | undefined
  /** Ends the wait for the other one. */
  readonly late: Disposable
}

/** A whole number that is a port; throws for what is none. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port >= 0 && port <= portMax)) throw new Error(`unable to parse ${JSON.stringify(text)} as a port: invalid syntax`)
  if (port < 1) throw new Error(`port ${JSON.stringify(text)} must be > 0`)
  return port
}

/** Serves the pairs of streams that the client opens; `onStream` refuses what belongs to none by throwing. */
export function servePairs(
  connection: PortsConnection,
  deps: { readonly clock: Clock; readonly closed: () => AbortSignal },
): { readonly onStream: (stream: SpdyStream) => void } {
  const pairs = new Map<string, Pair>()
  return {
    onStream(stream) {
      const port = parsePort(stream.headers.get('port')?.[0] ?? '')
      const type = stream.headers.get('streamtype')?.[0]
      if (type !== 'data' && type !== 'error') throw new Error('invalid stream type')
      // Older clients number no requests: theirs come as neighbours, errors first.
      const id = stream.headers.get('requestid')?.[0] || String(type === 'error' ? stream.id : stream.id - 2)
      const pair = pairs.get(id) ?? newPair(pairs, id, deps.clock)
      const slot = type === 'error' ? 'errors' : 'data'
      if (pair[slot]) throw new Error(`${type} stream already assigned`)
      pair[slot] = stream
      if (!pair.data || !pair.errors) return
      pair.late[Symbol.dispose]()
      pairs.delete(id)
      void servePair(connection, port, pair.data, pair.errors, deps.closed())
    },
  }
}

function newPair(pairs: Map<string, Pair>, id: string, clock: Clock): Pair {
  const pair: Pair = {
    ...{ data: undefined, errors: undefined },
    late: clock.after(pairTimeoutMs, () => {
      pairs.delete(id)
      pair.data?.reset(resetStatus.cancel)
      pair.errors?.io.end(`(request=${id}) timed out waiting for streams`)
    }),
  }
  pairs.set(id, pair)
  return pair
}

async function servePair(
  connection: PortsConnection,
  port: number,
  data: SpdyStream,
  errors: SpdyStream,
  closed: AbortSignal,
): Promise<void> {
  errors.io.resume()
  const fault = await forward(connection, port, data.io, closed)
  if (fault === undefined) {
    errors.io.end()
    data.io.end()
  } else {
    errors.io.end(faultText(connection, port, fault))
    data.reset(resetStatus.cancel)
  }
}

const faultText = ({ podUid }: PortsConnection, port: number, fault: string): string =>
  `error forwarding port ${port} to pod ${podUid}, uid : ${fault}`

/** Connects the client's bytes with the port. Resolves when that is over, with what went wrong. */
async function forward(connection: PortsConnection, port: number, client: Duplex, closed: AbortSignal): Promise<string | undefined> {
  try {
    const channel = await connection.open(port, closed)
    const leave = (): void => channel.close('the client went away')
    closed.addEventListener('abort', leave)
    if (closed.aborted) leave()
    let fault: string | undefined
    const streams = createChannelStreams(channel, {
      onMessage: (message) => {
        const { fault: told } = message
        if (typeof told === 'string') fault = told
      },
    })
    const node = duplexOf(streams, connectionStream)
    node.on('error', () => undefined)
    void passOn(client, node)
    // Who listens at the port has said all: what the client still has to say interests nobody.
    if (await passOn(node, client)) channel.close()
    // What went wrong is told after the bytes.
    else await streams.over
    node.destroy()
    client.resume()
    closed.removeEventListener('abort', leave)
    return fault
  } catch (error) {
    return isApiError(error) ? (error.status.message ?? 'refused') : 'the connection to the node broke'
  }
}

/** One connection for each port of the query, on channels 2n (bytes) and 2n + 1 (what went wrong). */
export async function servePortChannels(connection: PortsConnection, ports: readonly number[], socket: ChannelSocket): Promise<void> {
  await Promise.all(
    ports.map(async (port, index) => {
      const name = Buffer.alloc(2)
      name.writeUInt16LE(port)
      await socket.send(2 * index, name)
      await socket.send(2 * index + 1, name)
      const fault = await forwardChannel(connection, port, socket, 2 * index)
      if (fault !== undefined) await socket.send(2 * index + 1, Buffer.from(faultText(connection, port, fault)))
    }),
  ).catch(() => undefined)
  socket.close()
}

async function forwardChannel(connection: PortsConnection, port: number, socket: ChannelSocket, channel: number): Promise<string | undefined> {
  const client = Duplex.from({ readable: socket.readable(channel), writable: socket.writable(channel) } as never)
  client.on('error', () => undefined)
  return await forward(connection, port, client, socket.closed)
}

/** Ports of a query: `?ports=80,8080&ports=443`. Throws for what is none. */
export function portsOf(texts: readonly string[]): readonly number[] {
  if (texts.length === 0) throw new Error('query parameter "port" is required')
  return texts.flatMap((text) => {
    if (text === '') throw new Error('query parameter "port" cannot be empty')
    return text.split(',').map(parsePort)
  })
}
