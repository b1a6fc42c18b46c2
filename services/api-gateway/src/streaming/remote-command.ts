// A client and a command in a container, connected: what the client types goes through the tunnel, what is printed comes
// back, each as fast as the other side takes it, and at the end the client is told how it ended. Which protocol the client
// speaks does not matter here.
import type { Readable, Writable } from 'node:stream'
import { type Status, internalError } from '@shiplog/api/status'
import { createChannelStreams, passOn } from '@shiplog/api-client/wire/channel-streams'
import { containerStream } from '@shiplog/api-client/wire/tunnel-request'
import type { Channel } from '@shiplog/events/bus/channel'

/** How a command ended, or why there is no telling. */
export type CommandEnd = { readonly exitCode: number } | { readonly failure: Status }

/** A client, whatever it speaks. */
export interface RemoteClient {
  /** Absent unless the client asked for it; so the others. */
  readonly stdin?: Readable
  readonly stdout?: Writable
  readonly stderr?: Writable
  /** Told of every size that the client's window gets, also before anybody listened. */
  onResize(listener: (columns: number, rows: number) => void): void
  /** Tells how it ended, after all that was written, and ends the connection. */
  finish(end: CommandEnd): Promise<void>
  readonly closed: AbortSignal
}

/** Serves until either side is over. */
export async function connectClient(channel: Channel, client: RemoteClient): Promise<void> {
  const told = Promise.withResolvers<CommandEnd>()
  const streams = createChannelStreams(channel, {
    onMessage: ({ exit }) => {
      if (exit !== undefined) told.resolve(endOf(exit))
    },
  })
  const outputs = [
    client.stdout && passOn(streams.readable(containerStream.stdout), client.stdout),
    client.stderr && passOn(streams.readable(containerStream.stderr), client.stderr),
  ]
  const leave = (): void => channel.close('the client went away')
  const left = new Promise<void>((resolve) => client.closed.addEventListener('abort', () => resolve()))
  client.closed.addEventListener('abort', leave)
  if (client.closed.aborted) leave()
  try {
    await streams.tell({ start: true })
    client.onResize((columns, rows) => void streams.tell({ columns, rows }).catch(() => undefined))
    if (client.stdin) void passOn(client.stdin, streams.writable(containerStream.stdin))
    const end = await Promise.race([told.promise, streams.over.then((): CommandEnd => ({ failure: tunnelBroke }))])
    await Promise.race([Promise.all(outputs), left])
    await client.finish(end)
  } catch {
    await client.finish({ failure: tunnelBroke })
  } finally {
    client.closed.removeEventListener('abort', leave)
    channel.close()
  }
}

/** The node, its agent or the way to it went away. */
const tunnelBroke = internalError('the connection to the node of the pod broke')

/** What an agent said, whatever that is. */
function endOf(exit: unknown): CommandEnd {
  const { exitCode, error } = (typeof exit === 'object' && exit !== null ? exit : {}) as Record<string, unknown>
  if (typeof error === 'string') return { failure: internalError(`error executing command in container: ${error}`) }
  if (Number.isInteger(exitCode)) return { exitCode: exitCode as number }
  return { failure: internalError('error executing command in container: its node did not say how it ended') }
}

/** As the client's error stream has it, from version 4 of the protocol on; `why` is what came before in the chain. */
export function statusOfEnd(end: CommandEnd, why: (exitCode: number) => string): object {
  if ('failure' in end) return end.failure
  if (end.exitCode === 0) return { metadata: {}, status: 'Success' }
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: ${why(end.exitCode)}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(end.exitCode) }] },
  }
}

/** As the older protocols have it: nothing when all went well. */
export function textOfEnd(end: CommandEnd, why: (exitCode: number) => string): string {
  if ('failure' in end) return end.failure.message ?? ''
  return end.exitCode === 0 ? '' : `command terminated with non-zero exit code: ${why(end.exitCode)}`
}

const sizeBytesMax = 1_024

/** Reads sizes of a window off a stream of JSON objects; what is none is passed over. */
export function sizeReader(onSize: (columns: number, rows: number) => void): (bytes: Buffer) => void {
  let text = ''
  return (bytes) => {
    text = (text + bytes.toString('utf8')).slice(-sizeBytesMax)
    for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
      const one = text.slice(0, end + 1)
      text = text.slice(end + 1)
      try {
        const { Width, Height } = JSON.parse(one) as { readonly Width?: unknown; readonly Height?: unknown }
        if (isSize(Width) && isSize(Height)) onSize(Width, Height)
      } catch {
        // Not a size.
      }
    }
  }
}

const sizeMax = 65_535
const isSize = (value: unknown): value is number => Number.isInteger(value) && (value as number) > 0 && (value as number) <= sizeMax

/** Remembers sizes until somebody wants to know them. */
export function sizeRelay(): Pick<RemoteClient, 'onResize'> & { readonly onSize: (columns: number, rows: number) => void } {
  let last: readonly [number, number] | undefined
  let listener: ((columns: number, rows: number) => void) | undefined
  return {
    onSize(columns, rows) {
      last = [columns, rows]
      listener?.(columns, rows)
    },
    onResize(to) {
      listener = to
      if (last) to(...last)
    },
  }
}
