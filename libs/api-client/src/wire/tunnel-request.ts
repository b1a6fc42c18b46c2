// What a gateway asks of a node's agent over a tunnel: a channel on the bus that the agent, which only ever dials out,
// accepts. One kind of request for each thing that can be done with a running container; so far its logs. Both sides are in
// different services and often of different versions, so the form of what they say to each other stands here, and the
// reader of each side takes nothing for granted.
//
//   tun.<node>.open       the request; the answer is a refusal (a Status) or a channel
//   tun.<node>.<id>.…     the channel; of logs it carries the bytes that the client is to see, agent to gateway
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

export type TunnelRequest = LogTunnelRequest

/** As it goes over the bus. */
export const encodeTunnelRequest = (request: TunnelRequest): JsonObject => request as unknown as JsonObject

/** Reads what came over the bus; undefined when it is no request that this version knows. */
export function parseTunnelRequest(value: Readonly<Record<string, unknown>>): TunnelRequest | undefined {
  const { kind, namespace, pod, uid, container, options } = value
  if (typeof namespace !== 'string' || typeof pod !== 'string' || typeof uid !== 'string') return undefined
  if (kind !== 'logs' || typeof container !== 'string' || !isRecord(options)) return undefined
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
  return {
    ...{ kind, namespace, pod, uid, container },
    options: { follow, previous, timestamps, stream, ...numbers },
  }
}

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
