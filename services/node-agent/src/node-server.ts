// What a kubelet serves over HTTP, as far as there is something to say: reached through the API's `nodes/proxy` and nowhere
// else, since a node has no port. Each tunnel is a connection of this server.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { badRequest } from '@shiplog/api/status'
import { createChannelStreams, duplexOf } from '@shiplog/api-client/wire/channel-streams'
import { connectionStream } from '@shiplog/api-client/wire/tunnel-request'
import type { Channel } from '@shiplog/events/bus/channel'
import type { Clock } from '@shiplog/runtime/clock'
import { gauge, type MetricSample, metricsContentType, processSamples } from '@shiplog/runtime/metrics'
import { type HostedPod, messageOf, type PodHost } from './hosts/pod-host.ts'
import { containersOf } from './pod-work.ts'
import type { NodeConfig } from './node-object.ts'
import { dialled, serveConnection } from './stream-tunnels.ts'
import { refuse, type TunnelHandlers } from './tunnels.ts'

export interface NodeServerDeps {
  readonly host: Pick<PodHost, 'streams' | 'network' | 'stats'>
  readonly clock: Clock
  readonly nodes: ReadonlyMap<string, NodeConfig>
  /** The pods of a node, as they were last seen. */
  readonly podsOf: (nodeName: string) => readonly HostedPod[]
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

interface Answer {
  readonly code: number
  readonly type: string
  readonly body: string
}

const plain = (code: number, body: string): Answer => ({ code, type: 'text/plain; charset=utf-8', body })
const json = (value: unknown): Answer => ({ code: 200, type: 'application/json', body: JSON.stringify(value) })

function answer(deps: NodeServerDeps, nodeName: string, request: IncomingMessage, response: ServerResponse): void {
  // Nobody sends a body that would be looked at.
  request.resume()
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  const found = isRead ? answerTo(deps, nodeName, new URL(request.url ?? '/', 'http://node')) : Promise.resolve(plain(405, 'Method Not Allowed\n'))
  found
    .catch((error: unknown) => plain(500, `${messageOf(error)}\n`))
    .then(({ code, type, body }) => response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body))
    .catch(() => response.destroy())
}

async function answerTo({ host: { stats }, podsOf }: NodeServerDeps, nodeName: string, { pathname }: URL): Promise<Answer> {
  const pods = podsOf(nodeName)
  switch (pathname) {
    case '/healthz':
    case '/healthz/ping':
      return plain(200, 'ok')
    case '/pods':
    case '/pods/':
      return json(podList(pods))
    case '/runningpods/':
      return json(podList(pods.filter(({ work }) => containersOf(work).some(({ state }) => state.at === 'running'))))
    case '/metrics':
      return await metrics([...kubeletMetrics(nodeName, pods), ...processSamples()])
    case '/stats/summary':
      return stats ? json(await stats.summary(nodeName, pods)) : notFound
    case '/metrics/resource':
      return stats ? await metrics(await stats.metrics('resource', pods)) : notFound
    case '/metrics/cadvisor':
      return stats ? await metrics(await stats.metrics('cadvisor', pods)) : notFound
    default:
      return notFound
  }
}

const notFound = plain(404, '404 page not found\n')

const podList = (pods: readonly HostedPod[]) => ({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: pods.map(({ pod }) => pod) })

async function metrics(samples: Iterable<MetricSample>): Promise<Answer> {
  const { expose } = await import('@shiplog/runtime/metrics/exposition')
  return { code: 200, type: metricsContentType, body: await expose(samples) }
}

/** By the kubelet's names. */
function kubeletMetrics(node: string, pods: readonly HostedPod[]): MetricSample[] {
  const containers = pods.flatMap(({ work }) => containersOf(work))
  const states = { running: 'running', terminated: 'exited', waiting: 'created' } as const
  const counts = new Map<string, number>()
  for (const { state } of containers) if (state.at !== 'waiting') counts.set(states[state.at], (counts.get(states[state.at]) ?? 0) + 1)
  return [
    gauge('kubelet_node_name', 1, { node }),
    gauge('kubelet_running_pods', pods.filter(({ work }) => work.sandbox === 'ready').length),
    ...[...counts].map(([state, count]) => gauge('kubelet_running_containers', count, { container_state: state })),
  ]
}
