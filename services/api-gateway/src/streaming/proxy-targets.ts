// Where requests through `pods/proxy`, `services/proxy` and `nodes/proxy` go. Upstream's API server dials addresses of pods
// and nodes; here a connection is made by the node's own agent, through its tunnel.
import type { Duplex } from 'node:stream'
import type { Endpoints, EndpointAddress, EndpointSubset, Pod, Service } from '@shiplog/api/generated/types/core-v1'
import { goQuote } from '@shiplog/api/decode/go-quote'
import { ApiError, badRequest, isApiError, notFound, serviceUnavailable } from '@shiplog/api/status'
import { createChannelStreams, duplexOf } from '@shiplog/api-client/wire/channel-streams'
import { connectionStream, type TunnelRequest } from '@shiplog/api-client/wire/tunnel-request'
import { builtInCatalogue } from '@shiplog/domain/catalogue/catalogue'
import type { Channel } from '@shiplog/events/bus/channel'
import type { GatewayRequest } from '../request/gateway-request.ts'
import type { ConnectionDeps } from './connections.ts'
import type { Tunnels } from './tunnels.ts'

export interface ProxyTarget {
  readonly scheme: 'http' | 'https'
  /** How it is called in links that lead to it: `10.244.0.7:8080`. */
  readonly host: string
  /** A connection. Rejects with what went wrong, in Go's words. */
  dial(signal: AbortSignal): Promise<Duplex>
}

export interface ProxyTargets {
  /** Throws ApiError. */
  find(request: GatewayRequest): Promise<ProxyTarget>
}

/** Where a kubelet listens, by convention: what the node's agent serves itself. */
const kubeletPort = 10_250
const portMax = 65_535

export const createProxyTargets = (deps: ConnectionDeps): ProxyTargets => ({
  async find(request) {
    switch (request.resource.resource) {
      case 'pods':
        return await findPod(deps, request)
      case 'services':
        return await findService(deps, request)
      default:
        return await findNode(deps, request)
    }
  },
})

interface ProxyName {
  readonly scheme: 'http' | 'https' | ''
  readonly name: string
  readonly port: string
}

/** `name`, `name:port` or `scheme:name:port`, each part but the name may be empty; undefined for what is none of them. */
export function parseProxyName(text: string): ProxyName | undefined {
  const parts = text.split(':')
  const [scheme, name, port] = parts.length === 3 ? parts : ['', ...parts]
  if (parts.length > 3 || !name || (scheme !== '' && scheme !== 'http' && scheme !== 'https')) return undefined
  return { scheme, name, port: port ?? '' }
}

function nameOf({ name, resource }: GatewayRequest): ProxyName {
  const parsed = parseProxyName(name)
  if (!parsed) throw new ApiError(badRequest(`invalid ${resource.singular} request ${goQuote(name)}`))
  return parsed
}

function portOf(text: string, scheme: ProxyName['scheme']): number {
  if (text === '') return scheme === 'https' ? 443 : 80
  const port = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (port >= 1 && port <= portMax) return port
  throw new ApiError(serviceUnavailable(`error trying to reach service: dial tcp: lookup tcp/${text}: unknown port`))
}

const hostAndPort = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

async function findPod(deps: ConnectionDeps, request: GatewayRequest): Promise<ProxyTarget> {
  const { scheme, name, port } = nameOf(request)
  const { resource, namespace } = request
  const pod = (await deps.reader.get(resource, namespace, name, undefined)).parse() as unknown as Pod
  const declared = (pod.spec.containers ?? []).flatMap(({ ports }) => ports ?? [])[0]?.containerPort
  return toPod(deps, pod, scheme || 'http', portOf(port || String(declared ?? ''), scheme))
}

function toPod({ tunnels }: ConnectionDeps, pod: Pod, scheme: 'http' | 'https', port: number): ProxyTarget {
  const { namespace = '', name, uid } = pod.metadata
  const { nodeName } = pod.spec
  const address = pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP
  if (!address || !nodeName) throw new ApiError(badRequest('address not allowed'))
  const target = { nodeName, namespace, name, uid, port }
  return { scheme, host: hostAndPort(address, port), dial: (signal) => dialPod(tunnels, target, signal) }
}

export interface PodPort {
  readonly nodeName: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly port: number
}

/** A connection to a port of a pod, made by the agent of its node. Rejects with what went wrong, in Go's words. */
export function dialPod(tunnels: Tunnels, { nodeName, namespace, name, uid, port }: PodPort, signal: AbortSignal): Promise<Duplex> {
  const asked: TunnelRequest = { kind: 'connect', namespace, pod: name, uid, port }
  return dial(tunnels.open(nodeName, asked, signal))
}

async function findNode({ reader, tunnels }: ConnectionDeps, request: GatewayRequest): Promise<ProxyTarget> {
  const { scheme, name, port } = nameOf(request)
  const node = await reader.get(request.resource, '', name, undefined)
  const isAgent = port === '' || port === String(kubeletPort)
  const number = isAgent ? kubeletPort : portOf(port, scheme)
  const asked: TunnelRequest = { kind: 'node', port: isAgent ? 'agent' : number }
  return {
    // What the agent serves goes through the tunnel alone, which is its protection.
    scheme: isAgent ? 'http' : scheme || 'http',
    host: hostAndPort(node.name, number),
    dial: (signal) => dial(tunnels.open(name, asked, signal)),
  }
}

async function findService(deps: ConnectionDeps, request: GatewayRequest): Promise<ProxyTarget> {
  const { reader, integer } = deps
  const { scheme, name, port } = nameOf(request)
  const { resource, namespace } = request
  let portName = port
  if (/^[+-]?\d+$/.test(port)) {
    const { spec } = (await reader.get(resource, namespace, name, undefined)).parse() as unknown as Service
    const found = spec.ports?.find((one) => one.port === Number(port))
    if (!found) throw new ApiError(serviceUnavailable(`no service port ${Number(port)} found for service ${goQuote(name)}`))
    portName = found.name ?? ''
  }
  const all = await subsetsOf(deps, request, name)
  if (all.length === 0) throw new ApiError(serviceUnavailable(`no endpoints available for service ${goQuote(name)}`))
  for (const subset of inTurn(all, integer)) {
    const number = subset.ports?.find((one) => (one.name ?? '') === portName)?.port
    const pod = number === undefined ? undefined : await anyPodOf(deps, request, subset)
    if (pod && number !== undefined) return toPod(deps, pod, scheme || 'http', number)
  }
  throw new ApiError(serviceUnavailable(`no endpoints available for service ${goQuote(request.name)}`))
}

/** Of a service without Endpoints is told as of one that is not there. */
async function subsetsOf({ reader }: ConnectionDeps, request: GatewayRequest, name: string): Promise<readonly EndpointSubset[]> {
  const endpoints = builtInCatalogue().resource('', 'v1', 'endpoints')!
  try {
    const found = (await reader.get(endpoints, request.namespace, name, undefined)).parse() as unknown as Endpoints
    return found.subsets ?? []
  } catch (error) {
    if (isApiError(error) && error.status.code === 404) throw new ApiError(notFound(request.resource, name))
    throw error
  }
}

/** All of them, beginning with any. */
function inTurn<Item>(items: readonly Item[], integer: (below: number) => number): readonly Item[] {
  const first = items.length > 0 ? integer(items.length) : 0
  return [...items.slice(first), ...items.slice(0, first)]
}

/** One of the pods behind a Service: only addresses that are a pod's, as upstream. */
async function anyPodOf(
  { reader, integer }: ConnectionDeps,
  { namespace }: GatewayRequest,
  { addresses = [] }: EndpointSubset,
): Promise<Pod | undefined> {
  const pods = builtInCatalogue().resource('', 'v1', 'pods')!
  for (const { ip, targetRef } of inTurn<EndpointAddress>(addresses ?? [], integer)) {
    if (!targetRef?.name || targetRef.namespace !== namespace) continue
    try {
      const pod = (await reader.get(pods, namespace, targetRef.name, undefined)).parse() as unknown as Pod
      if (pod.status?.podIPs?.some((one) => one.ip === ip)) return pod
    } catch (error) {
      if (!isApiError(error) || error.status.code !== 404) throw error
    }
  }
  return undefined
}

/** A connection through a tunnel, once the agent has it. */
async function dial(opening: Promise<Channel>): Promise<Duplex> {
  const channel = await opening
  const connected = Promise.withResolvers<void>()
  const streams = createChannelStreams(channel, {
    onMessage(message) {
      const { connected: stands, fault } = message
      if (stands === true) connected.resolve()
      else if (typeof fault === 'string') connected.reject(new Error(fault))
    },
  })
  const connection = duplexOf(streams, connectionStream)
  connection.on('error', () => undefined)
  connection.once('close', () => channel.close())
  void streams.over.then(() => connected.reject(new Error('the connection to the node broke')))
  try {
    await connected.promise
    return connection
  } catch (error) {
    connection.destroy()
    throw error
  }
}
