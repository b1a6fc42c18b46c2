// Streams of a node as answers: plain bytes (a container's log), or the messages of a WebSocket.
import type { Channel } from '@shiplog/events/bus/channel'
import type { StreamAnswer } from '../operations/answer.ts'
import type { FrameSink } from '../read/watch.ts'
import { frameSink } from '../read/frame-sink.ts'
import { answerFromTunnel } from '../streaming/tunnels.ts'
import { type HttpReply, type HttpRequest, replyHeaders } from './fastify-types.ts'
import { beginStream } from './responses.ts'
import { isWebSocketRequest, openWebSocket } from './web-socket.ts'
import { streamMessages, streamProtocols, webSocketSink } from './web-socket-sink.ts'

export async function serveStream(request: HttpRequest, reply: HttpReply, answer: StreamAnswer): Promise<void> {
  const channel = await answer.open(frameSink(reply.raw).closed)
  // As upstream: a pod without a node has no log, not an empty one.
  if (!channel) {
    void reply.code(204).send()
  } else if (isWebSocketRequest(request.raw)) {
    await answerFromTunnel(channel, openSocket(request, reply, channel))
  } else {
    // A browser would hold back the first lines to find out what they are; whoever prints them does not decide that.
    reply.header('x-content-type-options', 'nosniff')
    const sink = beginStream(reply, 'text/plain')
    if (request.method === 'HEAD') {
      channel.close('only the headers were asked for')
      sink.end()
    } else await answerFromTunnel(channel, sink)
  }
}

function openSocket(request: HttpRequest, reply: HttpReply, channel: Channel): FrameSink {
  try {
    const opened = openWebSocket(request.raw, { known: streamProtocols, headers: replyHeaders(reply) })
    reply.hijack()
    const sink = webSocketSink(opened, streamMessages(opened.connection.protocol))
    // As upstream: an empty message first, so that the client sees that the stream has begun.
    sink.write(Buffer.alloc(0))
    return sink
  } catch (error) {
    channel.close('there was no WebSocket')
    throw error
  }
}
