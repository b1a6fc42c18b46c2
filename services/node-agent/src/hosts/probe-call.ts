// Carries out what a probe or a lifecycle hook asks for: a command in the container, a request, a connection. The messages
// are those of the kubelet, because people search for them.
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import type { HTTPGetAction, LifecycleHandler, Probe, TCPSocketAction } from '@shiplog/api/generated/types/core-v1'
import type { ExecResult } from '@shiplog/node/container-runtime'
import type { Clock } from '@shiplog/runtime/clock'

export interface ProbeTarget {
  readonly podIP: string
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
    if (action.grpc) return failure('gRPC probes do not exist on a node of processes')
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
    const call = (isHttps ? httpsRequest : httpRequest)(
      url,
      // Nobody gave the kubelet an authority for what runs in pods.
      { method: 'GET', headers, agent: false, ...(isHttps ? { rejectUnauthorized: false } : {}) },
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
      call.destroy()
    })
    call.on('error', (error) => resolve(failure(`Get "${url}": ${dialFault(error, `${bracketed(host)}:${port}`)}`)))
    call.on('close', () => limit[Symbol.dispose]())
    call.end()
  })
}

function callTcp(wanted: TCPSocketAction, target: ProbeTarget, timeoutMs: number, clock: Clock): Promise<ProbeAnswer> {
  const host = wanted.host || target.podIP
  const port = portOf(wanted.port, target)
  const address = `${bracketed(host)}:${port}`
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const limit = clock.after(timeoutMs, () => settle(failure(`dial tcp ${address}: i/o timeout`)))
    const settle = (answer: ProbeAnswer): void => {
      limit[Symbol.dispose]()
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => settle(success()))
    socket.on('error', (error) => settle(failure(dialFault(error, address))))
  })
}
