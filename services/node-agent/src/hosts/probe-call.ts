// Carries out what a probe or a lifecycle hook asks for: a command in the container, a request, a connection. The messages
// are those of the kubelet, because people search for them.
import { request as httpRequest } from 'node:http'
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { GRPCAction, HTTPGetAction, LifecycleHandler, Probe, TCPSocketAction } from '@shiplog/api/generated/types/core-v1'
import type { ExecResult } from '@shiplog/node/container-runtime'
import type { Clock } from '@shiplog/runtime/clock'

/** Another way to addresses than the machine's own network. */
export interface ProbeNetwork {
  /** Rejects with the code of a connection that failed: `ECONNREFUSED`. */
  dial(host: string, port: number, signal: AbortSignal): Promise<Socket>
}

export interface ProbeTarget {
  readonly podIP: string
  /** Absent: the machine's own. */
  readonly network?: ProbeNetwork
  /** Ports of the container by their names. */
  readonly ports: ReadonlyMap<string, number>
  exec(command: readonly string[], timeoutMs: number): Promise<ExecResult>
}

export interface ProbeAnswer {
  readonly ok: boolean
  readonly message: string
}

const bodyBytesMax = 10 * 1024
const success = (message = ''): ProbeAnswer => ({ ok: true, message })
const failure = (message: string): ProbeAnswer => ({ ok: false, message })

/** What a probe or a hook asks for. */
export type ProbeAction = LifecycleHandler & Pick<Probe, 'grpc'>

/** Never rejects. */
export async function callProbe(
  action: ProbeAction,
  target: ProbeTarget,
  timeoutMs: number,
  clock: Clock,
): Promise<ProbeAnswer> {
  try {
    if (action.exec) return await callExec(action.exec.command ?? [], target, timeoutMs)
    if (action.httpGet) return await callHttp(action.httpGet, target, timeoutMs, clock)
    if (action.tcpSocket) return await callTcp(action.tcpSocket, target, timeoutMs, clock)
    if (action.sleep) {
      await clock.sleep((action.sleep.seconds ?? 0) * 1_000)
      return success()
    }
    if (action.grpc) return await callGrpc(action.grpc, target, timeoutMs, clock)
    return failure('missing probe handler')
  } catch (error) {
    return failure(error instanceof Error ? error.message : String(error))
  }
}

async function callExec(command: readonly string[], target: ProbeTarget, timeoutMs: number): Promise<ProbeAnswer> {
  const { exitCode, output, timedOut } = await target.exec(command, timeoutMs)
  if (timedOut) return failure(`command timed out: "${command.join(' ')}" timed out after ${timeoutMs / 1_000}s`)
  return { ok: exitCode === 0, message: output }
}

function portOf(port: unknown, { ports }: ProbeTarget): number {
  const number = typeof port === 'number' || /^\d+$/.test(String(port)) ? Number(port) : ports.get(String(port))
  if (number === undefined || number < 1 || number > 65_535)
    throw new Error(`couldn't find port: ${JSON.stringify(port)}`)
  return number
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/** In Go's words, which everybody knows. */
function dialFault(error: NodeJS.ErrnoException, address: string): string {
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connect: connection refused',
    EHOSTUNREACH: 'connect: no route to host',
    ENETUNREACH: 'connect: network is unreachable',
  }
  if (error.code === 'ECONNRESET') return `read tcp ${address}: read: connection reset by peer`
  return `dial tcp ${address}: ${known[error.code ?? ''] ?? error.message}`
}

function callHttp(get: HTTPGetAction, target: ProbeTarget, timeoutMs: number, clock: Clock): Promise<ProbeAnswer> {
  const host = get.host || target.podIP
  const port = portOf(get.port, target)
  const isHttps = (get.scheme ?? 'HTTP').toUpperCase() === 'HTTPS'
  const path = get.path ?? '/'
  const url = `${isHttps ? 'https' : 'http'}://${bracketed(host)}:${port}${path.startsWith('/') ? path : `/${path}`}`
  const headers: Record<string, string | string[]> = {
    'User-Agent': 'kube-probe/1.36',
    Accept: '*/*',
    Connection: 'close',
  }
  for (const { name, value } of get.httpHeaders ?? []) {
    for (const standard of ['User-Agent', 'Accept']) {
      if (name.toLowerCase() === standard.toLowerCase()) delete headers[standard]
    }
    headers[name] = value ?? ''
  }
  return new Promise((resolve) => {
    const limited = new AbortController()
    // Each has a connection of its own, whichever way it goes; an agent would not take ours.
    const own = target.network
      ? { createConnection: dialled(target.network, host, port, isHttps, limited.signal) }
      : { agent: false as const }
    const call = (isHttps ? httpsRequest : httpRequest)(
      url,
      // Nobody gave the kubelet an authority for what runs in pods.
      { method: 'GET', headers, ...own, ...(isHttps ? { rejectUnauthorized: false } : {}) },
      (response) => {
        const code = response.statusCode ?? 0
        const parts: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes <= bodyBytesMax) parts.push(chunk)
        })
        const tell = (): void => {
          if (code >= 200 && code < 400) resolve(success(Buffer.concat(parts).toString('utf8')))
          else resolve(failure(`HTTP probe failed with statuscode: ${code}`))
        }
        response.on('end', tell)
        response.on('error', tell)
      },
    )
    const limit = clock.after(timeoutMs, () => {
      resolve(failure(`Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`))
      limited.abort()
      call.destroy()
    })
    call.on('error', (error) => resolve(failure(`Get "${url}": ${dialFault(error, `${bracketed(host)}:${port}`)}`)))
    call.on('close', () => limit[Symbol.dispose]())
    call.end()
  })
}

/** Connections of a request through another network, as Node's clients want them made. */
const dialled =
  (network: ProbeNetwork, host: string, port: number, isHttps: boolean, signal: AbortSignal) =>
  (_options: unknown, done: (error: Error | null, socket: Socket) => void): undefined => {
    network.dial(host, port, signal).then(
      (socket) => done(null, isHttps ? connectTls({ socket, rejectUnauthorized: false }) : socket),
      (error: Error) => done(error, undefined as unknown as Socket),
    )
  }

async function callTcp(wanted: TCPSocketAction, target: ProbeTarget, timeoutMs: number, clock: Clock): Promise<ProbeAnswer> {
  const host = wanted.host || target.podIP
  const port = portOf(wanted.port, target)
  const address = `${bracketed(host)}:${port}`
  const limited = new AbortController()
  const late = clock.after(timeoutMs, () => limited.abort())
  try {
    const dial = target.network?.dial ?? dialMachine
    ;(await dial(host, port, limited.signal)).destroy()
    return success()
  } catch (error) {
    return failure(limited.signal.aborted ? `dial tcp ${address}: i/o timeout` : dialFault(error as Error, address))
  } finally {
    late[Symbol.dispose]()
  }
}

const dialMachine: ProbeNetwork['dial'] = (host, port, signal) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    signal.addEventListener('abort', () => {
      socket.destroy()
      reject(new Error('given up'))
    })
    socket.once('connect', () => resolve(socket))
    socket.on('error', reject)
  })

/** The health service that gRPC servers have agreed on, with as much of gRPC as one question needs. */
async function callGrpc(probe: GRPCAction, target: ProbeTarget, timeoutMs: number, clock: Clock): Promise<ProbeAnswer> {
  const address = `${bracketed(target.podIP)}:${probe.port}`
  const limited = new AbortController()
  const late = clock.after(timeoutMs, () => limited.abort())
  try {
    const socket = await (target.network?.dial ?? dialMachine)(target.podIP, probe.port, limited.signal)
    const answer = await askHealth(socket, address, probe.service ?? '', limited.signal)
    if (answer === serving) return success()
    return failure(`service unhealthy (responded with "${healthWords[answer] ?? answer}")`)
  } catch (error) {
    if (limited.signal.aborted) return failure(`timeout: failed to connect service "${address}" within ${timeoutMs / 1_000}s: context deadline exceeded`)
    return failure(`error: health rpc probe failed: ${dialFault(error as Error, address)}`)
  } finally {
    late[Symbol.dispose]()
  }
}

const serving = 1
const healthWords: Readonly<Record<number, string>> = { 0: 'UNKNOWN', 2: 'NOT_SERVING', 3: 'SERVICE_UNKNOWN' }
/** Before each message of gRPC: not compressed, and its length. */
const grpcPrefixBytes = 5

/** The status of the answer; 0 when the message leaves it out. */
function askHealth(socket: Socket, address: string, service: string, signal: AbortSignal): Promise<number> {
  const session = connectHttp2(`http://${address}`, { createConnection: () => socket })
  return new Promise<number>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('given up')))
    session.on('error', reject)
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kube-probe/1.36',
    })
    const parts: Buffer[] = []
    let status: string | undefined
    const takeStatus = (headers: IncomingHttpHeaders): void => {
      status = (headers['grpc-status'] as string | undefined) ?? status
    }
    stream.on('response', takeStatus)
    stream.on('trailers', takeStatus)
    stream.on('data', (chunk: Buffer) => parts.push(chunk))
    stream.on('error', reject)
    stream.on('end', () => {
      const message = Buffer.concat(parts).subarray(grpcPrefixBytes)
      if (status !== undefined && status !== '0') reject(new Error(`rpc error: code = ${status}`))
      // Field 1, a variable-length number that is small.
      else resolve(message[0] === 0x08 ? (message[1] ?? 0) : 0)
    })
    const name = Buffer.from(service)
    const body = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name])
    const prefix = Buffer.alloc(grpcPrefixBytes)
    prefix.writeUInt32BE(body.length, 1)
    stream.end(Buffer.concat([prefix, body]))
  }).finally(() => {
    session.destroy()
    socket.destroy()
  })
}
