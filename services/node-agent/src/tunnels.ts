// The agent's end of tunnels: it listens on the bus for what gateways ask of its nodes, and serves a channel for each
// request or refuses it. A node has no port of its own; the connection to the bus is one that the agent made.
import { badRequest, type Status, tooManyRequests } from '@shiplog/api/status'
import { parseTunnelRequest, tunnelOpenSubject, tunnelPrefix, type TunnelRequest } from '@shiplog/api-client/wire/tunnel-request'
import type { Bus } from '@shiplog/events/bus/bus'
import { acceptChannels, type ChannelVerdict } from '@shiplog/events/bus/channel'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'

/** Tunnels of one node at once. */
export const nodeTunnelsMax = 256

/** By kind of request: decides on one for something on this node. */
export type TunnelHandlers = {
  readonly [Kind in TunnelRequest['kind']]: (
    request: Extract<TunnelRequest, { kind: Kind }>,
    nodeName: string,
  ) => ChannelVerdict
}

type Handler = (request: TunnelRequest, nodeName: string) => ChannelVerdict

export interface TunnelsDeps {
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
  readonly nodeNames: Iterable<string>
  /** What is not there is not served. */
  readonly handlers: Partial<TunnelHandlers>
}

/** Serves tunnels to these nodes until disposed. */
export function serveTunnels(deps: TunnelsDeps): Disposable {
  const { bus, clock, log, handlers } = deps
  const acceptors = new DisposableStack()
  for (const nodeName of deps.nodeNames) {
    const acceptor = acceptors.use(
      acceptChannels({
        ...{ bus, clock },
        subject: tunnelOpenSubject(nodeName),
        prefix: () => tunnelPrefix(nodeName),
        // Whoever asks a node is a gateway, and may say more on the bus than its agent may.
        mayReply: () => true,
        accept: (asked): ChannelVerdict => {
          const request = parseTunnelRequest(asked)
          const handle = request && (handlers[request.kind] as Handler | undefined)
          if (!request || !handle) return refuse(badRequest(`the agent of node "${nodeName}" does not know this kind of request`))
          if (acceptor.open >= nodeTunnelsMax) {
            return refuse(tooManyRequests(`too many tunnels to node "${nodeName}" are open`, 1))
          }
          return handle(request, nodeName)
        },
        onFault: (err) => log.warn({ err, node: nodeName }, 'tunnel failed'),
        channelsMax: 2 * nodeTunnelsMax,
      }),
    )
  }
  return acceptors
}

/** The client gets this Status as the answer. */
export const refuse = (status: Status): ChannelVerdict => ({ refusal: status })
