// What a gateway asks of a node's agent over a tunnel: a channel on the bus that the agent, which only ever dials out,
// accepts. One kind of request for each thing that can be done with what runs on the node. Both sides are in different
// services and often of different versions, so the form of what they say to each other stands here, and the reader of each
// side takes nothing for granted.
//
//   tun.<node>.open       the request; the answer is a refusal (a Status) or a channel
//   tun.<node>.<id>.…     the channel; of logs it carries the bytes that the client is to see, agent to gateway; of all
//                         else several streams with ends of their own (channel-streams.ts)
import { encodeToken } from '@shiplog/events/subjects'
import type { JsonObject } from '@shiplog/api/kube-object'
import { internalError, type Status } from '@shiplog/api/status'

/** Of the subjects of one node's tunnels: `tun.node-0`. */
export const tunnelPrefix = (nodeName: string): string => `tun.${encodeToken(nodeName)}`

/** Where the agent of a node listens for requests. */
export const tunnelOpenSubject = (nodeName: string): string => `${tunnelPrefix(nodeName)}.open`

/** One message of a tunnel carries no more than this. */
export const tunnelChunkBytesMax = 64 * 1024

/** Which container is meant. The uid tells a pod from one that had its name before. */
export interface TunnelTarget {
  readonly namespace: string
  readonly pod: string
  readonly uid: string
  readonly container: string
}

/** PodLogOptions, validated, with moments as milliseconds. */
export interface LogOptions {
  readonly follow: boolean
  readonly previous: boolean
  readonly timestamps: boolean
  readonly tailLines?: number
  readonly limitBytes?: number
  /** Seconds before now, by the clock of the node. */
  readonly sinceSeconds?: number
  readonly sinceTimeMs?: number
  readonly stream: 'All' | 'Stdout' | 'Stderr'
}

export interface LogTunnelRequest extends TunnelTarget {
  readonly kind: 'logs'
  readonly options: LogOptions
}

/** Which streams a client wants of a container. */
export interface StreamSelection {
  readonly tty: boolean
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
}

/** Runs a command, once the gateway has said `start`: then its client is there. */
export interface ExecTunnelRequest extends TunnelTarget, StreamSelection {
  readonly kind: 'exec'
  readonly command: readonly string[]
}

/** Joins the container's own process, once the gateway has said `start`. */
export interface AttachTunnelRequest extends TunnelTarget, StreamSelection {
  readonly kind: 'attach'
}

/** A connection to a port, as a program in the pod would make it to localhost. Port 0 asks whether there could be one. */
export interface PortForwardTunnelRequest extends Omit<TunnelTarget, 'container'> {
  readonly kind: 'portForward'
  readonly port: number
}

/** A connection to a port of the pod's address, as others on its network make it. */
export interface ConnectTunnelRequest extends Omit<TunnelTarget, 'container'> {
  readonly kind: 'connect'
  readonly port: number
}

/** A connection to the node itself: to what its agent serves of a kubelet's API over HTTP, or to a port of the machine. */
export interface NodeTunnelRequest {
  readonly kind: 'node'
  readonly port: number | 'agent'
}

export type TunnelRequest =
  | LogTunnelRequest
  | ExecTunnelRequest
  | AttachTunnelRequest
  | PortForwardTunnelRequest
  | ConnectTunnelRequest
  | NodeTunnelRequest

/** The streams of a container in a channel, by number, as the client's protocols have them. */
export const containerStream = { stdin: 0, stdout: 1, stderr: 2 } as const
/** The one stream, in both directions, of a connection to a port. */
export const connectionStream = 0

/** As it goes over the bus. */
export const encodeTunnelRequest = (request: TunnelRequest): JsonObject => request as unknown as JsonObject

/** Reads what came over the bus; undefined when it is no request that this version knows. */
export function parseTunnelRequest(value: Readonly<Record<string, unknown>>): TunnelRequest | undefined {
  const { kind } = value
  if (kind === 'node') {
    const { port } = value
    return port === 'agent' || isPort(port) ? { kind, port } : undefined
  }
  const { namespace, pod, uid, container, options } = value
  if (typeof namespace !== 'string' || typeof pod !== 'string' || typeof uid !== 'string') return undefined
  if (kind === 'portForward' || kind === 'connect') {
    const { port } = value
    return isPort(port) || port === 0 ? { kind, namespace, pod, uid, port } : undefined
  }
  if (typeof container !== 'string') return undefined
  const target: TunnelTarget = { namespace, pod, uid, container }
  if (kind === 'exec' || kind === 'attach') return parseContainerStreams(kind, target, value)
  if (kind !== 'logs' || !isRecord(options)) return undefined
  const read = parseLogOptions(options)
  return read && { kind, ...target, options: read }
}

function parseContainerStreams(
  kind: 'exec' | 'attach',
  target: TunnelTarget,
  { tty, stdin, stdout, stderr, command }: Readonly<Record<string, unknown>>,
): TunnelRequest | undefined {
  if (typeof tty !== 'boolean' || typeof stdin !== 'boolean') return undefined
  if (typeof stdout !== 'boolean' || typeof stderr !== 'boolean') return undefined
  const streams: StreamSelection = { tty, stdin, stdout, stderr }
  if (kind === 'attach') return { kind, ...target, ...streams }
  const isCommand = Array.isArray(command) && command.length > 0 && command.every((word) => typeof word === 'string')
  return isCommand ? { kind, ...target, ...streams, command: command as string[] } : undefined
}

function parseLogOptions(options: Record<string, unknown>): LogOptions | undefined {
  const { follow, previous, timestamps, stream } = options
  if (typeof follow !== 'boolean' || typeof previous !== 'boolean' || typeof timestamps !== 'boolean') return undefined
  if (stream !== 'All' && stream !== 'Stdout' && stream !== 'Stderr') return undefined
  const numbers: Record<string, number> = {}
  for (const name of ['tailLines', 'limitBytes', 'sinceSeconds', 'sinceTimeMs']) {
    const number: unknown = options[name]
    if (number === undefined) continue
    if (!Number.isSafeInteger(number) || (name !== 'sinceTimeMs' && (number as number) < 0)) return undefined
    numbers[name] = number as number
  }
  return { follow, previous, timestamps, stream, ...numbers }
}

const portMax = 65_535
const isPort = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= portMax

/** The refusal of an agent as the Status for the client, whatever the agent sent. */
export function tunnelRefusal(refusal: unknown, nodeName: string): Status {
  if (isRecord(refusal)) {
    const { code, reason, message } = refusal
    const isError = typeof code === 'number' && Number.isInteger(code) && code >= 400 && code <= 599
    if (isError && typeof reason === 'string' && typeof message === 'string') {
      return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, reason, message }
    }
  }
  const why = typeof refusal === 'string' ? refusal : 'it answered with no reason that can be read'
  return internalError(`the agent of node "${nodeName}" refused: ${why}`)
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
