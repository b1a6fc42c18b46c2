// WebSockets and other protocols that begin as a request of HTTP/1.1: the pod decides, and from its 101 on the ingress carries
// bytes.
import { type IncomingMessage, request as requestHttp1 } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Endpoint } from '../model/backends.ts'
import { admit } from './admit.ts'
import { cookieIn } from './balancer.ts'
import { valuesOf } from './client-message.ts'
import { headersForClient, headersForPod } from './headers.ts'
import { type ProxyDeps, portOf, type RoutedRequest } from './proxy.ts'

const triesMax = 3
const idleWatchMs = 1_000
const protocolPattern = /^[A-Za-z0-9][A-Za-z0-9./_-]{0,63}$/

export function createUpgrade(deps: ProxyDeps): (request: IncomingMessage, client: Duplex, head: Buffer) => void {
  return (request, client, head) => {
    const beganMs = deps.clock.nowMs()
    client.on('error', () => client.destroy())
    const admitted = admit(request, deps.traffic.table(), deps.ports.https)
    const done = (status: number, endpoint?: Endpoint): void =>
      deps.onDone({ route: admitted.route, method: request.method ?? '', status, ms: deps.clock.nowMs() - beganMs, request, endpoint })
    const refuse = (status: number, text: string, headers: readonly string[] = [], endpoint?: Endpoint): void => {
      writeRaw(client, status, text, [...headers, 'content-length', '0', 'connection', 'close'])
      client.end()
      done(status, endpoint)
    }
    if (admitted.kind === 'refused') refuse(admitted.status, 'Refused', admitted.headers)
    else if (!protocolPattern.test(request.headers.upgrade ?? '')) refuse(400, 'Bad Request')
    else connectAndJoin(deps, request, admitted, { client, head, refuse, done }).catch(() => refuse(502, 'Bad Gateway'))
  }
}

interface Ends {
  readonly client: Duplex
  readonly head: Buffer
  readonly refuse: (status: number, text: string, headers?: readonly string[], endpoint?: Endpoint) => void
  readonly done: (status: number, endpoint: Endpoint) => void
}

async function connectAndJoin(deps: ProxyDeps, request: IncomingMessage, { route, authority, target }: RoutedRequest, ends: Ends): Promise<void> {
  const { namespace, service, port, settings } = route
  const tried: Endpoint[] = []
  let socket: Duplex | undefined
  const cookie = settings.isSticky ? cookieIn(valuesOf(request.rawHeaders, 'cookie')) : undefined
  while (socket === undefined) {
    const { endpoints } = deps.traffic.backend(namespace, service, port)
    const endpoint = deps.balancer.pick(`${namespace}/${service}/${port}`, endpoints, tried, cookie)
    if (endpoint === undefined || tried.length >= triesMax) break
    tried.push(endpoint)
    socket = await deps.pools.dial(endpoint).catch(() => undefined)
  }
  const endpoint = tried.at(-1)
  if (endpoint === undefined) return ends.refuse(503, 'Service Temporarily Unavailable')
  if (socket === undefined) return ends.refuse(502, 'Bad Gateway', [], endpoint)
  const pod = socket
  const upgrade = request.headers.upgrade ?? ''
  const { uuid: newId } = deps.ids
  const headers = headersForPod(request, { authority, port: portOf(deps, request), newId, hasBody: false, upgrade })
  const timeout = settings.answerTimeoutMs
  const asked = requestHttp1({ method: request.method, path: target, headers, setHost: false, createConnection: () => pod, timeout })
  ends.client.once('close', () => asked.destroy())
  asked.on('timeout', () => asked.destroy(new Error('the pod does not answer')))
  asked.once('error', () => void (ends.client.writableEnded || ends.refuse(502, 'Bad Gateway', [], endpoint)))
  asked.on('response', (answer) => {
    // It stays with HTTP: its answer is the last on this connection.
    writeRaw(ends.client, answer.statusCode ?? 502, answer.statusMessage ?? '', [...headersForClient(answer.rawHeaders), 'connection', 'close'])
    answer.pipe(ends.client)
    answer.once('end', () => ends.done(answer.statusCode ?? 502, endpoint))
  })
  asked.on('upgrade', (answer, _, podHead) => {
    asked.removeAllListeners('timeout')
    const named = answer.headers.upgrade ?? upgrade
    writeRaw(ends.client, 101, 'Switching Protocols', [...headersForClient(answer.rawHeaders), 'connection', 'Upgrade', 'upgrade', named])
    if (podHead.length > 0) ends.client.write(podHead)
    if (ends.head.length > 0) pod.write(ends.head)
    join(deps, ends.client, pod, timeout, () => ends.done(101, endpoint))
  })
  asked.end()
}

/** Carries bytes both ways until either side ends, or neither says anything for the time that the Ingress gives. */
function join(deps: ProxyDeps, client: Duplex, pod: Duplex, idleMs: number, onEnd: () => void): void {
  let heardMs = deps.clock.nowMs()
  const hear = (): void => void (heardMs = deps.clock.nowMs())
  const watch = deps.clock.every(idleWatchMs, () => {
    if (deps.clock.nowMs() - heardMs > idleMs) pod.destroy()
  })
  for (const [from, to] of [[client, pod], [pod, client]] as const) {
    from.on('data', hear)
    from.pipe(to)
    from.on('error', () => to.destroy())
    from.on('close', () => to.destroy())
  }
  client.once('close', () => {
    watch[Symbol.dispose]()
    onEnd()
  })
}

/** Names and values come from a parser, which lets no line break through. */
function writeRaw(client: Duplex, status: number, text: string, headers: readonly string[]): void {
  const lines = [`HTTP/1.1 ${status} ${text}`]
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`)
  client.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}
