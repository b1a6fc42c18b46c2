// What gateways bring clients to through tunnels, beside logs: commands in containers, containers themselves, ports of pods
// and of the node. Refused at once is what cannot be, in the kubelet's words; what fails later is told through the tunnel.
import { badRequest, internalError, type Status } from '@shiplog/api/status'
import {
  type ChannelStreams,
  createChannelStreams,
  duplexOf,
  joinConnections,
  passOn,
} from '@shiplog/api-client/wire/channel-streams'
import {
  type AttachTunnelRequest,
  connectionStream,
  containerStream,
  type ExecTunnelRequest,
  type StreamSelection,
  type TunnelRequest,
} from '@shiplog/api-client/wire/tunnel-request'
import type { Channel, ChannelVerdict } from '@shiplog/events/bus/channel'
import { dial, portStream } from '@shiplog/node/dial'
import type { ContainerStream, NodeStreams, PortStream, StreamTarget } from '@shiplog/node/node-streams'
import type { Clock } from '@shiplog/runtime/clock'
import { messageOf, type PodHost } from './hosts/pod-host.ts'
import type { KnownPod } from './log-tunnel.ts'
import { containersOf, isRunning } from './pod-work.ts'
import { refuse, type TunnelHandlers } from './tunnels.ts'

export interface StreamTunnelDeps {
  readonly host: Pick<PodHost, 'streams' | 'version' | 'network'>
  readonly clock: Clock
  /** Undefined for a pod that the agent does not look after. */
  readonly find: (uid: string) => KnownPod | undefined
}

/** A gateway whose client does not get ready in this time has lost it. */
const startTimeoutMs = 60_000

export const createStreamTunnels = (deps: StreamTunnelDeps): Pick<TunnelHandlers, 'exec' | 'attach' | 'portForward' | 'connect'> => ({
  exec: (request, nodeName) =>
    toContainer(deps, request, nodeName, (streams, target) =>
      streams.exec(target, { ...selectionOf(request), command: request.command }),
    ),
  attach: (request, nodeName) =>
    toContainer(deps, request, nodeName, (streams, target) => streams.attach(target, selectionOf(request))),
  portForward: (request, nodeName) =>
    toPort(deps, request, nodeName, (streams, { uid }) => streams.portForward(uid, request.port)),
  connect: (request, nodeName) => toPort(deps, request, nodeName, (_, pod) => connectToPod(deps, pod, request.port)),
})

const selectionOf = ({ tty, stdin, stdout, stderr }: StreamSelection): StreamSelection => ({ tty, stdin, stdout, stderr: stderr && !tty })

/** As a kubelet answers for a pod that it has not got. */
const noSuchPod: Status = { ...badRequest('pod does not exist'), reason: 'NotFound', code: 404 }

type Known = { readonly pod: KnownPod; readonly streams: NodeStreams } | { readonly refusal: Status }

type PodRequest = Pick<ExecTunnelRequest, 'namespace' | 'pod' | 'uid'>

function knownPod({ host, find }: StreamTunnelDeps, { namespace, pod: name, uid }: PodRequest, nodeName: string): Known {
  const pod = find(uid)
  if (pod?.nodeName !== nodeName || pod.namespace !== namespace || pod.name !== name) return { refusal: noSuchPod }
  if (host.streams) return { pod, streams: host.streams }
  const kind = host.version.split(':')[0]!
  return { refusal: badRequest(`pod "${name}" is ${kind}: nothing runs in it, so there is nothing to connect to`) }
}

function toContainer(
  deps: StreamTunnelDeps,
  request: ExecTunnelRequest | AttachTunnelRequest,
  nodeName: string,
  begin: (streams: NodeStreams, target: StreamTarget) => Promise<ContainerStream>,
): ChannelVerdict {
  const known = knownPod(deps, request, nodeName)
  if ('refusal' in known) return refuse(known.refusal)
  const container = containersOf(known.pod.work).find(({ name }) => name === request.container)
  if (!container || !isRunning(container)) {
    return refuse({ ...internalError(''), message: `container not found ("${request.container}")` })
  }
  const target: StreamTarget = { podUid: known.pod.uid, containerID: container.containerID }
  return { serve: (channel) => serveContainer(deps, channel, () => begin(known.streams, target)) }
}

async function serveContainer(
  { clock }: StreamTunnelDeps,
  channel: Channel,
  begin: () => Promise<ContainerStream>,
): Promise<void> {
  const started = Promise.withResolvers<boolean>()
  let run: ContainerStream | undefined
  const streams = createChannelStreams(channel, {
    onMessage({ start, columns, rows }) {
      if (start === true) started.resolve(true)
      else if (typeof columns === 'number' && typeof rows === 'number') run?.resize(columns, rows)
    },
  })
  const stdin = streams.readable(containerStream.stdin)
  channel.closed.addEventListener('abort', () => started.resolve(false))
  using _late = clock.after(startTimeoutMs, () => started.resolve(false))
  if (!(await started.promise)) return
  try {
    run = await begin()
  } catch (error) {
    return await streams.tell({ exit: { error: messageOf(error) } })
  }
  const leave = (): void => run?.close()
  channel.closed.addEventListener('abort', leave)
  if (channel.closed.aborted) leave()
  if (run.stdin) void passOn(stdin, run.stdin)
  else stdin.destroy()
  await Promise.all([
    run.stdout && passOn(run.stdout, streams.writable(containerStream.stdout)),
    run.stderr && passOn(run.stderr, streams.writable(containerStream.stderr)),
  ])
  const exit = await run.exit
  channel.closed.removeEventListener('abort', leave)
  run.close()
  if (!channel.closed.aborted) await streams.tell({ exit })
}

function toPort(
  deps: StreamTunnelDeps,
  request: PodRequest & { readonly port: number },
  nodeName: string,
  connect: (streams: NodeStreams, pod: KnownPod) => Promise<PortStream>,
): ChannelVerdict {
  const known = knownPod(deps, request, nodeName)
  if ('refusal' in known) return refuse(known.refusal)
  if (known.pod.work.sandbox !== 'ready') return refuse(noSuchPod)
  return {
    serve: async (channel) => {
      // Asked whether there could be a connection: yes.
      if (request.port !== 0) await serveConnection(channel, () => connect(known.streams, known.pod))
    },
  }
}

/** Brings a channel to a connection, and says first whether there is one. */
export async function serveConnection(channel: Channel, connect: () => Promise<PortStream>): Promise<void> {
  const streams: ChannelStreams = createChannelStreams(channel, { onMessage: () => undefined })
  const ours = duplexOf(streams, connectionStream)
  ours.on('error', () => undefined)
  let port: PortStream
  try {
    port = await connect()
  } catch (error) {
    await streams.tell({ fault: messageOf(error) })
    ours.destroy()
    return
  }
  const leave = (): void => void port.data.destroy()
  channel.closed.addEventListener('abort', leave)
  if (channel.closed.aborted) return leave()
  await streams.tell({ connected: true })
  await joinConnections(ours, port.data)
  channel.closed.removeEventListener('abort', leave)
  const fault = await port.closed
  if (fault !== undefined && !channel.closed.aborted) await streams.tell({ fault })
}

async function connectToPod(deps: StreamTunnelDeps, { work }: KnownPod, port: number): Promise<PortStream> {
  const host = work.podIPs[0]
  if (host === undefined) throw new Error('the pod has no address')
  return await dialled(deps, host, port)
}

/** Throws in Go's words. */
export async function dialled({ host: { network }, clock }: DialDeps, address: string, port: number): Promise<PortStream> {
  const late = new AbortController()
  using _limit = clock.after(dialTimeoutMs, () => late.abort(new Error('i/o timeout')))
  const connection = network
    ? await network.dial(address, port, late.signal).catch((error: unknown) => new Error(messageOf(error)))
    : await dial(address, port, clock)
  if (!(connection instanceof Error)) return portStream(connection)
  throw new Error(`dial tcp ${address.includes(':') ? `[${address}]` : address}:${port}: ${connection.message}`)
}

export interface DialDeps {
  readonly host: Pick<PodHost, 'network'>
  readonly clock: Clock
}

const dialTimeoutMs = 10_000

/** What is asked for by a tunnel of that kind. */
export type RequestOf<Kind extends TunnelRequest['kind']> = Extract<TunnelRequest, { kind: Kind }>
