// What a kubelet serves over HTTP, as far as there is something to say: reached through the API's `nodes/proxy` and nowhere
// else, since a node has no port. Each tunnel is a connection of this server.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { badRequest } from '@shiplog/api/status'
import { createChannelStreams, duplexOf } from '@shiplog/api-client/wire/channel-streams'
import { connectionStream } from '@shiplog/api-client/wire/tunnel-request'
import type { Channel } from '@shiplog/events/bus/channel'
import type { Clock } from '@shiplog/runtime/clock'
import type { PodHost } from './hosts/pod-host.ts'
import type { NodeConfig } from './node-object.ts'
import { dialled, serveConnection } from './stream-tunnels.ts'
import { refuse, type TunnelHandlers } from './tunnels.ts'

export interface NodeServerDeps {
  readonly host: Pick<PodHost, 'streams' | 'network'>
  readonly clock: Clock
  readonly nodes: ReadonlyMap<string, NodeConfig>
  /** The pods of a node, as they were last seen. */
  readonly podsOf: (nodeName: string) => readonly Pod[]
}

export interface NodeServer extends Disposable {
  readonly handler: TunnelHandlers['node']
}

export function createNodeServer(deps: NodeServerDeps): NodeServer {
  const servers = new Map<string, Server>()
  const serverOf = (nodeName: string): Server => {
    let server = servers.get(nodeName)
    if (!server) {
      server = createServer((request, response) => answer(deps, nodeName, request, response))
      servers.set(nodeName, server)
    }
    return server
  }
  return {
    handler({ port }, nodeName) {
      const node = deps.nodes.get(nodeName)
      if (port === 'agent') return { serve: (channel) => serveHttp(serverOf(nodeName), channel) }
      const host = node?.internalIPs[0]
      if (!deps.host.streams || host === undefined) {
        return refuse(badRequest(`node "${nodeName}" is simulated: nothing listens on its ports`))
      }
      return { serve: (channel) => serveConnection(channel, () => dialled(deps, host, port)) }
    },
    [Symbol.dispose]() {
      for (const server of servers.values()) server.closeAllConnections()
    },
  }
}

async function serveHttp(server: Server, channel: Channel): Promise<void> {
  const streams = createChannelStreams(channel, { onMessage: () => undefined })
  const connection = duplexOf(streams, connectionStream)
  connection.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => connection.once('close', resolve))
  await streams.tell({ connected: true })
  server.emit('connection', connection)
  await Promise.race([closed, streams.over])
  connection.destroy()
}

function answer({ podsOf }: NodeServerDeps, nodeName: string, request: IncomingMessage, response: ServerResponse): void {
  const path = new URL(request.url ?? '/', 'http://node').pathname
  const send = (code: number, type: string, body: string): void => {
    response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body)
  }
  // Nobody sends a body that would be looked at.
  request.resume()
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (!isRead) send(405, 'text/plain; charset=utf-8', 'Method Not Allowed\n')
  else if (path === '/healthz' || path === '/healthz/ping') send(200, 'text/plain; charset=utf-8', 'ok')
  else if (path === '/pods' || path === '/runningpods/') {
    const list = { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: podsOf(nodeName) }
    send(200, 'application/json', JSON.stringify(list))
  } else send(404, 'text/plain; charset=utf-8', '404 page not found\n')
}
