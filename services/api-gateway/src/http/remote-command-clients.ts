// Clients of `exec` and `attach` in the protocols that there are: SPDY with a stream for each of the container's, and
// WebSockets with a channel for each. The versions differ in how the end of the command is told.
import type { Duplex } from 'node:stream'
import type { StreamSelection } from '@shiplog/api-client/wire/tunnel-request'
import type { Clock } from '@shiplog/runtime/clock'
import type { SpdySession } from '@shiplog/spdy/session'
import type { SpdyStream } from '@shiplog/spdy/stream'
import { type CommandEnd, type RemoteClient, sizeReader, sizeRelay, statusOfEnd, textOfEnd } from '../streaming/remote-command.ts'
import type { ChannelSocket } from './channel-socket.ts'

/** Of SPDY, the best last known first. */
export const spdyCommandProtocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'] as const
/** Of WebSockets; what a client speaks that names none is the first. */
export const webSocketCommandProtocols = [
  ...['channel.k8s.io', 'base64.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'v5.channel.k8s.io'],
] as const
/** Of these the end is told as a Status; v5 is told all faults so, once the WebSocket stands. */
const tellsStatus = (protocol: string): boolean => /^v[45]\./.test(protocol)
export const endsChannels = (protocol: string): boolean => protocol.startsWith('v5.')

const streamCreationTimeoutMs = 30_000
const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const

/** How the runtime, or the one in between, says it. */
const whyOf = (protocol: string, command: readonly string[]) => (exitCode: number): string =>
  endsChannels(protocol)
    ? `command terminated with exit code ${exitCode}`
    : `error executing command [${command.join(' ')}], exit code ${exitCode}`

const endBytes = (end: CommandEnd, protocol: string, command: readonly string[]): Buffer => {
  const why = whyOf(protocol, command)
  return Buffer.from(tellsStatus(protocol) ? JSON.stringify(statusOfEnd(end, why)) : textOfEnd(end, why))
}

export interface CommandOf {
  readonly selection: StreamSelection
  readonly command: readonly string[]
}

export function webSocketClient(socket: ChannelSocket, { selection, command }: CommandOf): RemoteClient {
  const sizes = sizeRelay()
  const read = sizeReader(sizes.onSize)
  socket.readable(channels.resize).on('data', (bytes: Buffer) => read(bytes))
  // As upstream: an empty message first, so that the client sees that the connection stands.
  const first = selection.stdout ? channels.stdout : selection.stderr ? channels.stderr : channels.error
  void socket.send(first, Buffer.alloc(0)).catch(() => undefined)
  return {
    ...(selection.stdin ? { stdin: socket.readable(channels.stdin) } : {}),
    ...(selection.stdout ? { stdout: socket.writable(channels.stdout) } : {}),
    ...(selection.stderr ? { stderr: socket.writable(channels.stderr) } : {}),
    onResize: sizes.onResize,
    async finish(end) {
      const bytes = endBytes(end, socket.protocol, command)
      if (bytes.length > 0) await socket.send(channels.error, bytes).catch(() => undefined)
      socket.close()
    },
    closed: socket.closed,
  }
}

/** Takes the streams that a client opens, until those that it said it wants are there. */
export interface SpdyStreamsOfClient {
  readonly onStream: (stream: SpdyStream) => void
  /** Undefined when the client did not open them in time, or left. */
  complete(session: SpdySession, protocol: string): Promise<RemoteClient | undefined>
}

export function collectSpdyStreams({ selection, command }: CommandOf, clock: Clock): SpdyStreamsOfClient {
  const found = new Map<string, Duplex>()
  const arrived = Promise.withResolvers<void>()
  let expected: readonly string[] = []
  const check = (): void => {
    if (expected.length > 0 && expected.every((type) => found.has(type))) arrived.resolve()
  }
  return {
    onStream({ headers, io }) {
      const type = headers.get('streamtype')?.[0] ?? ''
      if (!(type in channels) || found.has(type)) throw new Error('no such stream')
      found.set(type, io)
      check()
    },
    async complete(session, protocol) {
      const canResize = /^v[34]\./.test(protocol)
      expected = [
        ...(['stdin', 'stdout', 'stderr'] as const).filter((one) => selection[one]),
        ...(selection.tty && canResize ? ['resize'] : []),
        'error',
      ]
      check()
      const late = new AbortController()
      const tooLate = clock.sleep(streamCreationTimeoutMs, AbortSignal.any([session.closed, late.signal])).then(
        () => false,
        () => false,
      )
      const isComplete = await Promise.race([arrived.promise.then(() => true), tooLate])
      late.abort()
      return isComplete ? spdyClient(session, protocol, found, command) : undefined
    },
  }
}

function spdyClient(
  session: SpdySession,
  protocol: string,
  found: ReadonlyMap<string, Duplex>,
  command: readonly string[],
): RemoteClient {
  const sizes = sizeRelay()
  found.get('resize')?.on('data', sizeReader(sizes.onSize))
  const [stdin, stdout, stderr, errors] = ['stdin', 'stdout', 'stderr', 'error'].map((type) => found.get(type))
  // What a client says on streams that it has no say on is not kept.
  for (const output of [stdout, stderr, errors]) output?.resume()
  return {
    ...(stdin ? { stdin } : {}),
    ...(stdout ? { stdout } : {}),
    ...(stderr ? { stderr } : {}),
    onResize: sizes.onResize,
    async finish(end) {
      if (!session.closed.aborted && errors) {
        const sent = new Promise<void>((resolve) => errors.once('close', resolve).once('finish', resolve))
        errors.end(endBytes(end, protocol, command))
        await sent
      }
      session.close()
    },
    closed: session.closed,
  }
}
