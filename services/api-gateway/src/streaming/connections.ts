// What stands behind `pods/exec`, `attach`, `portforward` and the `proxy` subresources: which container, port or node is
// meant, decided here with upstream's sentences, and the tunnel to it. Protocols of clients are the door's affair (http/).
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { ApiError, badRequest, routeNotFound } from '@shiplog/api/status'
import type { StreamSelection } from '@shiplog/api-client/wire/tunnel-request'
import type { Channel } from '@shiplog/events/bus/channel'
import type { Reader } from '../read/reader.ts'
import { flag } from '../request/list-options.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import type { ProxyTarget } from './proxy-targets.ts'
import { createProxyTargets, type ProxyTargets } from './proxy-targets.ts'
import type { Tunnels } from './tunnels.ts'

/** A container with which a client is to be connected. */
export interface ContainerConnection {
  readonly to: 'container'
  readonly selection: StreamSelection
  /** Empty: the container itself. */
  readonly command: readonly string[]
  open(signal: AbortSignal): Promise<Channel>
}

/** A pod to whose ports a client may have connections. */
export interface PortsConnection {
  readonly to: 'ports'
  readonly podUid: string
  /** Of the query, for the protocols that name them there. */
  readonly ports: readonly string[]
  /** Throws ApiError when there can be none. */
  check(signal: AbortSignal): Promise<void>
  open(port: number, signal: AbortSignal): Promise<Channel>
}

/** What answers requests over HTTP. */
export interface ProxyConnection extends ProxyTarget {
  readonly to: 'http'
}

export type Connection = ContainerConnection | PortsConnection | ProxyConnection

export interface Connections {
  /** Throws ApiError. */
  find(request: GatewayRequest): Promise<Connection>
}

export interface ConnectionDeps {
  readonly reader: Reader
  readonly tunnels: Tunnels
  /** Any of so many. */
  readonly integer: (below: number) => number
}

export function createConnections(deps: ConnectionDeps): Connections {
  const targets = createProxyTargets(deps)
  return { find: (request) => find(deps, targets, request) }
}

/** Nothing runs in the past. */
export const noConnectionsOfThePast = (moment: string): Connections => ({
  find: () => Promise.reject(new ApiError(badRequest(`nothing that runs can be reached below /at/${moment}`))),
})

async function find(deps: ConnectionDeps, targets: ProxyTargets, request: GatewayRequest): Promise<Connection> {
  switch (request.subresource) {
    case 'exec':
    case 'attach':
      return await findContainer(deps, request, request.subresource)
    case 'portforward':
      return await findPorts(deps, request)
    case 'proxy':
      return { to: 'http', ...(await targets.find(request)) }
    default:
      throw new ApiError(routeNotFound())
  }
}

async function findContainer(
  { reader, tunnels }: ConnectionDeps,
  request: GatewayRequest,
  kind: 'exec' | 'attach',
): Promise<ContainerConnection> {
  const { namespace, name, query } = request
  const pod = await podOf(reader, request)
  const container = containerOf(pod, query.get('container') ?? '')
  const nodeName = nodeOf(pod)
  const tty = flag(query, 'tty') ?? false
  const selection: StreamSelection = {
    ...{ tty, stdin: flag(query, 'stdin') ?? false, stdout: flag(query, 'stdout') ?? false },
    // A terminal has one output.
    stderr: !tty && (flag(query, 'stderr') ?? false),
  }
  if (!selection.stdin && !selection.stdout && !selection.stderr) {
    throw new ApiError(badRequest('you must specify at least 1 of stdin, stdout, stderr'))
  }
  const command = kind === 'exec' ? query.getAll('command') : []
  if (kind === 'exec' && command.length === 0) throw new ApiError(badRequest('you must specify a command'))
  const target = { namespace, pod: name, uid: pod.metadata.uid, container, ...selection }
  return {
    ...{ to: 'container', selection, command },
    open: (signal) =>
      tunnels.open(nodeName, kind === 'exec' ? { kind, ...target, command } : { kind, ...target }, signal),
  }
}

async function findPorts({ reader, tunnels }: ConnectionDeps, request: GatewayRequest): Promise<PortsConnection> {
  const { namespace, name, query } = request
  const pod = await podOf(reader, request)
  const nodeName = nodeOf(pod)
  const { uid } = pod.metadata
  const open = (port: number, signal: AbortSignal): Promise<Channel> =>
    tunnels.open(nodeName, { kind: 'portForward', namespace, pod: name, uid, port }, signal)
  return {
    ...{ to: 'ports', podUid: uid, open },
    ports: query.getAll('ports').concat(query.getAll('port')),
    check: async (signal) => (await open(0, signal)).close(),
  }
}

export const podOf = async (reader: Reader, { resource, namespace, name }: GatewayRequest): Promise<Pod> =>
  (await reader.get(resource, namespace, name, undefined)).parse() as unknown as Pod

function nodeOf({ metadata, spec }: Pod): string {
  if (!spec.nodeName) throw new ApiError(badRequest(`pod ${metadata.name} does not have a host assigned`))
  return spec.nodeName
}

/** Upstream's validateContainer. */
function containerOf({ metadata: { name }, spec }: Pod, asked: string): string {
  const [init, containers, ephemeral] = [spec.initContainers ?? [], spec.containers ?? [], spec.ephemeralContainers ?? []]
  const all = [...init, ...containers, ...ephemeral].map((container) => container.name)
  if (asked !== '') {
    if (all.includes(asked)) return asked
    throw new ApiError(badRequest(`container ${asked} is not valid for pod ${name}`))
  }
  if (containers.length === 1) return containers[0]!.name
  throw new ApiError(badRequest(`a container name must be specified for pod ${name}, choose one of: [${all.join(' ')}]`))
}
