// Streams into containers and to ports of pods: the runtime gives a URL that is good once, behind which its streaming server
// speaks SPDY. Its own WebSocket knows no end of input, which programs that read to the end wait for.
import { request } from 'node:http'
import { PassThrough, type Readable, type Writable } from 'node:stream'
import type { Duplex } from 'node:stream'
import { createSpdySession, type SpdySession } from '@shiplog/spdy/session'
import type { SpdyStream } from '@shiplog/spdy/stream'
import type { Clock } from '@shiplog/runtime/clock'
import { RuntimeFailure } from '../container-runtime.ts'
import type { ContainerStream, NodeStreams, PortStream, StreamExit, StreamOptions } from '../node-streams.ts'
import { type CriClient, criMessage } from './cri-client.ts'
import { bareId } from './cri-runtime.ts'

export interface CriStreamsDeps {
  readonly client: CriClient
  /** The way to the runtime's server of streams. */
  readonly dial: (host: string, port: number, signal: AbortSignal) => Promise<Duplex>
  /** The pod's sandbox. */
  readonly sandboxOf: (podUid: string) => Promise<{ readonly id: string }>
  readonly clock: Clock
}

const commandProtocol = 'v4.channel.k8s.io'
const portProtocol = 'portforward.k8s.io'
const upgradeTimeoutMs = 30_000
const statusBytesMax = 64 * 1_024
/** What a program says last may come a moment after its end. */
const lastWordsMs = 500

export function createCriStreams(deps: CriStreamsDeps): NodeStreams {
  const { client } = deps
  return {
    exec: ({ containerID }, { command, ...streams }) =>
      connectContainer(deps, streams, () => client.execUrl(bareId(containerID), command, wishesOf(streams))),
    attach: ({ containerID }, streams) =>
      connectContainer(deps, streams, () => client.attachUrl(bareId(containerID), wishesOf(streams))),
    async portForward(podUid, port) {
      const session = await connect(deps, portProtocol, async () => client.portForwardUrl((await deps.sandboxOf(podUid)).id, port))
      return await openPort(session, port)
    },
  }
}

/** A terminal has one output. */
const wishesOf = ({ tty, stdin, stdout, stderr }: StreamOptions): StreamOptions => ({ tty, stdin, stdout, stderr: stderr && !tty })

async function connect({ dial, clock }: CriStreamsDeps, protocol: string, urlOf: () => Promise<string>): Promise<SpdySession> {
  try {
    const url = new URL(await urlOf())
    const limited = new AbortController()
    const late = clock.after(upgradeTimeoutMs, () => limited.abort())
    try {
      const socket = await dial(url.hostname, Number(url.port), limited.signal)
      return await upgrade(url, protocol, socket, clock)
    } finally {
      late[Symbol.dispose]()
    }
  } catch (error) {
    throw new RuntimeFailure('StreamFailed', criMessage(error))
  }
}

const upgrade = (url: URL, protocol: string, socket: Duplex, clock: Clock): Promise<SpdySession> =>
  new Promise((resolve, reject) => {
    const asked = request(url, {
      method: 'POST',
      createConnection: () => socket,
      headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': protocol },
    })
    asked.on('upgrade', (_response, upgraded, head) =>
      resolve(createSpdySession({ role: 'client', socket: upgraded, head, clock, toKubernetes: true })),
    )
    asked.on('response', (response) => {
      socket.destroy()
      reject(new Error(`the runtime's server of streams answered ${response.statusCode}`))
    })
    asked.on('error', reject)
    asked.end()
  })

async function connectContainer(
  deps: CriStreamsDeps,
  wanted: StreamOptions,
  urlOf: () => Promise<string>,
): Promise<ContainerStream> {
  const options = wishesOf(wanted)
  const session = await connect(deps, commandProtocol, urlOf)
  try {
    const open = (streamType: string): Promise<SpdyStream> => session.open({ streamtype: streamType })
    // The runtime waits for all of them, whatever their order.
    const [errors, stdin, stdout, stderr, resize] = await Promise.all([
      open('error'),
      options.stdin ? open('stdin') : undefined,
      options.stdout ? open('stdout') : undefined,
      options.stderr ? open('stderr') : undefined,
      options.tty ? open('resize') : undefined,
    ])
    errors.io.end()
    for (const output of [stdout, stderr]) output?.io.end()
    return containerStream(deps, session, { errors, stdin, stdout, stderr, resize })
  } catch (error) {
    session.destroy()
    throw new RuntimeFailure('StreamFailed', criMessage(error))
  }
}

interface Opened {
  readonly errors: SpdyStream
  readonly stdin: SpdyStream | undefined
  readonly stdout: SpdyStream | undefined
  readonly stderr: SpdyStream | undefined
  readonly resize: SpdyStream | undefined
}

function containerStream({ clock }: CriStreamsDeps, session: SpdySession, opened: Opened): ContainerStream {
  const { errors, stdin, stdout, stderr, resize } = opened
  const outputs = [stdout, stderr].flatMap((stream) => stream ?? [])
  const readable = new Map(outputs.map((stream) => [stream, outputOf(stream)]))
  const ended = Promise.all([...readable.values()].map(({ drained }) => drained))
  const exit = exitOf(errors).then(async (found) => {
    // Everything that was printed can be read before the end is told.
    await Promise.race([ended, clock.sleep(lastWordsMs)])
    session.close()
    return found
  })
  stdin?.io.on('error', () => undefined)
  return {
    ...(stdin ? { stdin: stdin.io as Writable } : {}),
    ...(stdout ? { stdout: readable.get(stdout)!.stream } : {}),
    ...(stderr ? { stderr: readable.get(stderr)!.stream } : {}),
    resize(columns, rows) {
      if (resize !== undefined && !resize.io.destroyed) resize.io.write(JSON.stringify({ Width: columns, Height: rows }))
    },
    exit,
    close: () => session.destroy(),
  }
}

/** Output as a stream of its own, that ends in order even when the connection does not. */
function outputOf({ io }: SpdyStream): { readonly stream: Readable; readonly drained: Promise<void> } {
  const stream = new PassThrough()
  const drained = new Promise<void>((resolve) => {
    io.on('end', resolve)
    io.on('close', resolve)
    io.on('error', () => {
      stream.end()
      resolve()
    })
  })
  io.pipe(stream)
  return { stream, drained }
}

interface ExitStatus {
  readonly status?: string
  readonly reason?: string
  readonly message?: string
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] }
}

/** The runtime says at the end, on a stream of its own, how it went. */
async function exitOf({ io }: SpdyStream): Promise<StreamExit> {
  let text = ''
  try {
    for await (const chunk of io as AsyncIterable<Buffer>) text = (text + chunk.toString('utf8')).slice(0, statusBytesMax)
  } catch (error) {
    return { exitCode: -1, error: error instanceof Error ? error.message : String(error) }
  }
  if (text === '') return { exitCode: 0 }
  let status: ExitStatus
  try {
    status = JSON.parse(text) as ExitStatus
  } catch {
    return { exitCode: -1, error: text }
  }
  if (status.status === 'Success') return { exitCode: 0 }
  const code = status.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message
  if (status.reason === 'NonZeroExitCode' && code !== undefined) return { exitCode: Number(code) }
  return { exitCode: -1, error: status.message ?? text }
}

async function openPort(session: SpdySession, port: number): Promise<PortStream> {
  try {
    const headers = { port: String(port), requestid: '0' }
    const errors = await session.open({ streamtype: 'error', ...headers })
    errors.io.end()
    const data = await session.open({ streamtype: 'data', ...headers })
    const closed = portError(errors).then((error) => {
      session.close()
      return error
    })
    data.io.on('close', () => session.close())
    return { data: data.io, closed }
  } catch (error) {
    session.destroy()
    throw new RuntimeFailure('StreamFailed', criMessage(error))
  }
}

async function portError({ io }: SpdyStream): Promise<string | undefined> {
  let text = ''
  try {
    for await (const chunk of io as AsyncIterable<Buffer>) text = (text + chunk.toString('utf8')).slice(0, statusBytesMax)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return text || undefined
}
