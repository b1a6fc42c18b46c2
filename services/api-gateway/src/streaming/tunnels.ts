// Tunnels to what runs on nodes. A node has no port that anybody could dial: the gateway asks the node's agent over the
// bus, and the agent accepts a channel or refuses. Logs go through it; whatever else a kubelet serves can go the same way.
import { agentUnreachable, ApiError, badRequest, isApiError, serviceUnavailable, tooManyRequests } from '@shiplog/api/status'
import {
  encodeTunnelRequest,
  tunnelOpenSubject,
  tunnelPrefix,
  tunnelRefusal,
  type TunnelRequest,
} from '@shiplog/api-client/wire/tunnel-request'
import { type Bus, isNoBusAnswer } from '@shiplog/events/bus/bus'
import { type Channel, openChannel } from '@shiplog/events/bus/channel'
import { isChannelRefused } from '@shiplog/events/bus/channel-errors'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { FrameSink } from '../read/watch.ts'

/** An agent that has not answered by then is not there. */
const openTimeoutMs = 4_000
/** Tunnels of one gateway, to all nodes. */
export const tunnelsMax = 1_024

export interface Tunnels {
  /** Throws ApiError: what the agent refused with, 503 when it is not there, 429 when too many tunnels are open. */
  open(nodeName: string, request: TunnelRequest, signal: AbortSignal): Promise<Channel>
  /** Tunnels that are open or being opened. */
  readonly count: number
}

export function createTunnels(deps: {
  /** Absent where there is none: then no agent can be reached. */
  readonly bus: Bus | undefined
  readonly clock: Clock
  readonly ids: Ids
  /** Ends all tunnels. */
  readonly stopped: AbortSignal
}): Tunnels {
  const { bus, clock, ids, stopped } = deps
  let count = 0

  async function openCounted(nodeName: string, request: TunnelRequest, signal: AbortSignal): Promise<Channel> {
    if (!bus) throw new ApiError(agentUnreachable(nodeName))
    try {
      return await openChannel({
        ...{ bus, clock, ids },
        subject: tunnelOpenSubject(nodeName),
        prefix: tunnelPrefix(nodeName),
        request: encodeTunnelRequest(request),
        timeoutMs: openTimeoutMs,
        signal,
      })
    } catch (error) {
      if (isChannelRefused(error)) throw Object.assign(new ApiError(tunnelRefusal(error.refusal, nodeName)), { cause: error })
      if (isNoBusAnswer(error)) throw new ApiError(agentUnreachable(nodeName))
      if (stopped.aborted) throw new ApiError(serviceUnavailable('the gateway is stopping'))
      // Nobody hears this any more, but it is no fault.
      if (signal.aborted) throw new ApiError(badRequest('the client went away'))
      throw error
    }
  }

  return {
    async open(nodeName, request, signal) {
      if (count >= tunnelsMax) throw new ApiError(tooManyRequests('too many tunnels to nodes are open', 1))
      count += 1
      try {
        const channel = await openCounted(nodeName, request, AbortSignal.any([signal, stopped]))
        const end = (): void => channel.close('the gateway is stopping')
        stopped.addEventListener('abort', end)
        whenAborted(channel.closed, () => {
          stopped.removeEventListener('abort', end)
          count -= 1
        })
        if (stopped.aborted) end()
        return channel
      } catch (error) {
        count -= 1
        throw error
      }
    },
    get count() {
      return count
    },
  }
}

/** Whether it was the agent that said no: clients hear it in the words of a kubelet, which stand in for themselves. */
export const isRefusedByAgent = (error: unknown): error is ApiError => isApiError(error) && isChannelRefused(error.cause)

/**
 * Brings what comes through a tunnel to a client, no faster than it takes it: a client that does not read stops the
 * sender on the node. An ordinary end ends the answer; anything else breaks it off, so that the client can tell.
 */
export async function answerFromTunnel(channel: Channel, sink: FrameSink): Promise<void> {
  whenAborted(sink.closed, () => channel.close('the client went away'))
  try {
    for await (const bytes of channel.incoming) {
      if (!sink.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))) await sink.drained()
      if (sink.closed.aborted) return
    }
    sink.end()
  } catch {
    sink.destroy()
  } finally {
    channel.close()
  }
}

function whenAborted(signal: AbortSignal, callback: () => void): void {
  if (signal.aborted) callback()
  else signal.addEventListener('abort', callback, { once: true })
}
