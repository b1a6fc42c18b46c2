// Requests that go on to a pod, a Service or a node: all methods, bodies as they come, other protocols as they are. What
// upstream's UpgradeAwareHandler changes on the way is changed here: headers of the connection and of whoever asks, CORS,
// redirects, and links in HTML, which then lead back through the proxy.
import { type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { deflateRaw, gunzip, gzip, inflateRaw } from 'node:zlib'
import { ApiError, isApiError, internalError, serviceUnavailable } from '@shiplog/api/status'
import { passOn } from '@shiplog/api-client/wire/channel-streams'
import type { Logger } from '@shiplog/runtime/logger'
import { isRemoteHeader } from '../aggregation/front-proxy.ts'
import type { ProxyTarget } from '../streaming/proxy-targets.ts'
import { isRefusedByAgent } from '../streaming/tunnels.ts'
import { isShownByBrowser, proofHeader, withoutSession } from '../browser/page-requests.ts'
import { header, type HttpReply, type HttpRequest, type RawRequest, replyHeaders } from './fastify-types.ts'
import { joinPaths, type LinkRewriter, rewriteHtml, rewriteUrl } from './proxy-links.ts'
import type { ResourcePath } from './request-info.ts'
import { keepAlive } from './spdy-upgrade.ts'
import { type PendingUpgrade, takeConnection, upgradeOf } from './web-socket.ts'

/** A longer page goes on as it is. */
const pageBytesMax = 8 * 1024 * 1024
/** The head of an answer to a request to switch protocols. */
const headBytesMax = 1024 * 1024

/** Of the connection to the client alone. */
const hopByHop = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings'],
])
/** Of who asks: what stands behind the proxy is told nothing of it. */
const isCredential = (name: string): boolean =>
  name === 'authorization' || name === proofHeader || name.startsWith('impersonate-')
const corsHeaders = new Set([
  ...['access-control-allow-credentials', 'access-control-allow-headers'],
  ...['access-control-allow-methods', 'access-control-allow-origin'],
])

type HeaderPairs = readonly (readonly [name: string, value: string])[]

interface Proxied {
  /** Who asks, for whoever believes us; what a client says of that itself goes no further. */
  readonly remote?: HeaderPairs
  readonly request: HttpRequest
  readonly reply: HttpReply
  readonly target: ProxyTarget
  /** As the target sees it, with its query. */
  readonly path: string
  readonly links: LinkRewriter
  /** Aborted when the client goes away. */
  readonly left: AbortSignal
  readonly logger: Logger
}

/** Throws ApiError as long as the client can be answered. */
export async function serveProxy(
  { logger }: { readonly logger: Logger },
  { rest }: ResourcePath,
  request: HttpRequest,
  reply: HttpReply,
  target: ProxyTarget,
): Promise<void> {
  const whole = request.raw.url ?? '/'
  const query = whole.includes('?') ? whole.slice(whole.indexOf('?')) : ''
  const isSlashed = request.path.endsWith('/')
  const path = rest === '' ? (isSlashed ? '/' : '') : joinPaths(rest + (isSlashed ? '/' : ''))
  const upgrade = upgradeOf(request.raw)
  if (path === '' && !upgrade && (request.method === 'GET' || request.method === 'HEAD')) {
    void reply.code(301).header('location', `${request.path}/${query}`).send()
    return
  }
  const left = new AbortController()
  const onClose = (): void => left.abort()
  const { socket } = request.raw
  socket.once('close', onClose)
  reply.raw.once('close', onClose)
  try {
    const links: LinkRewriter = {
      pathPrepend: prependOf(decodedPath(request.path), path),
      targetHost: target.host,
      requestHost: hostOf(request.raw),
    }
    const proxied: Proxied = { request, reply, target, path: encodePath(path || '/') + query, links, left: left.signal, logger }
    if (upgrade) await passUpgrade(proxied, upgrade)
    else await passRequest(proxied)
  } finally {
    socket.off('close', onClose)
  }
}

/** To an API server of somebody else: the path stays what it is. Throws ApiError as long as the client can be answered. */
export async function passToServer(
  { logger }: { readonly logger: Logger },
  request: HttpRequest,
  reply: HttpReply,
  { target, headers }: { readonly target: ProxyTarget; readonly headers: HeaderPairs },
): Promise<void> {
  const left = new AbortController()
  const onClose = (): void => left.abort()
  const { socket } = request.raw
  socket.once('close', onClose)
  reply.raw.once('close', onClose)
  const links: LinkRewriter = { pathPrepend: '', targetHost: target.host, requestHost: target.host }
  const proxied: Proxied = { request, reply, target, path: request.raw.url ?? '/', links, left: left.signal, logger, remote: headers }
  const upgrade = upgradeOf(request.raw)
  try {
    if (upgrade) await passUpgrade(proxied, upgrade)
    else await passRequest(proxied)
  } finally {
    socket.off('close', onClose)
  }
}

const decodedPath = (path: string): string => decodeURIComponent(path)

/** The path of the proxy itself. */
function prependOf(whole: string, path: string): string {
  const suffix = whole.endsWith('/') && !path.endsWith('/') ? `${path}/` : path
  return whole.endsWith(suffix) ? whole.slice(0, whole.length - suffix.length) : whole
}

/** As Go writes a path that it has decoded. */
const encodePath = (path: string): string =>
  path.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )

const hostOf = (raw: RawRequest): string => header(raw, ':authority') ?? header(raw, 'host') ?? ''

/** The headers of the request that go on. */
function headersOf({ request: { raw }, links, path, remote }: Proxied, keepsUpgrade: boolean): HeaderPairs {
  const named = new Set((header(raw, 'connection') ?? '').split(',').map((name) => name.trim().toLowerCase()))
  const pairs: [string, string][] = [['Host', links.requestHost]]
  let forwardedFor = raw.socket.remoteAddress ?? ''
  const { rawHeaders } = raw
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [written, value] = [rawHeaders[index]!, rawHeaders[index + 1]!]
    const name = written.toLowerCase()
    if (name.startsWith(':') || name === 'host' || isCredential(name)) continue
    if (remote && isRemoteHeader(name)) continue
    if (remote && name === 'sec-websocket-protocol') {
      const protocols = value.split(',').filter((one) => !one.trim().startsWith(tokenProtocol))
      if (protocols.length > 0) pairs.push([written, protocols.join(',')])
      continue
    }
    if (name === 'cookie') {
      const cookie = withoutSession(value)
      if (cookie !== '') pairs.push([written, cookie])
      continue
    }
    if (name === 'x-forwarded-for') forwardedFor = `${value}, ${forwardedFor}`
    else if (name === 'x-forwarded-uri') continue
    else if (keepsUpgrade || (!hopByHop.has(name) && !named.has(name))) pairs.push([written, value])
  }
  pairs.push(['X-Forwarded-For', forwardedFor])
  if (remote) pairs.push(...remote.map(([name, value]): [string, string] => [name, headerText(value)]))
  else if (!keepsUpgrade) pairs.push(['X-Forwarded-Uri', `${links.pathPrepend}${path.split('?')[0]!}`])
  return pairs
}

/** As bytes: names may be of any language. */
const headerText = (value: string): string => Buffer.from(value.replace(/[\r\n\0]/g, ' ')).toString('latin1')

/** In which browsers send a token: it is for us alone. */
const tokenProtocol = 'base64url.bearer.authorization.k8s.io.'

async function dialTarget({ target, left }: Proxied): Promise<Duplex> {
  try {
    const connection = await target.dial(left)
    return target.scheme === 'https' ? await secure(connection, target.host) : connection
  } catch (error) {
    throw unreachable(error)
  }
}

/** As upstream, what stands behind is not asked for a certificate that anybody knows. */
function secure(socket: Duplex, host: string): Promise<Duplex> {
  const name = host.replace(/:\d+$/, '')
  return new Promise((resolve, reject) => {
    const servername = isIP(name.replace(/[[\]]/g, '')) ? {} : { servername: name }
    const tls = connectTls({ socket, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'], ...servername })
    tls.once('secureConnect', () => resolve(tls))
    tls.once('error', reject)
    tls.once('close', () => reject(new Error('EOF')))
    tls.on('error', () => undefined)
  })
}

const goSentences: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'http: server gave HTTP response to HTTPS client',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'http: server gave HTTP response to HTTPS client',
  ECONNRESET: 'read: connection reset by peer',
}

function unreachable(error: unknown): ApiError {
  // Who stands between says so itself; what stands behind is told of as upstream does.
  if (isApiError(error) && !isRefusedByAgent(error)) return error
  const { message, code = '' } = (error instanceof Error ? error : new Error(String(error))) as NodeJS.ErrnoException
  const why = message === 'socket hang up' ? 'EOF' : (goSentences[code] ?? message)
  return new ApiError(serviceUnavailable(`error trying to reach service: ${why}`))
}

async function passRequest(proxied: Proxied): Promise<void> {
  const { request, path, left } = proxied
  const connection = await dialTarget(proxied)
  connection.on('error', () => undefined)
  const end = (): void => void connection.destroy()
  left.addEventListener('abort', end)
  try {
    const outgoing = httpRequest({
      // With a connection of its own and no agent, it is used for this request alone.
      ...{ method: request.method, path, setHost: false },
      createConnection: () => connection,
      headers: headersOf(proxied, false).flat(),
    })
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve)
      outgoing.on('error', reject)
      outgoing.once('upgrade', () => reject(new Error('malformed HTTP response')))
    })
    if (hasBody(request.raw)) void pipeline(request.raw, outgoing).catch(() => undefined)
    else outgoing.end()
    let response: IncomingMessage
    try {
      response = await answered
    } catch (error) {
      throw unreachable(error)
    }
    await passAnswer(proxied, response)
  } finally {
    left.removeEventListener('abort', end)
    connection.destroy()
  }
}

/** HTTP/2 says that nothing comes with the end of the headers, HTTP/1.1 by having neither header. */
function hasBody(raw: RawRequest): boolean {
  if ('stream' in raw && raw.stream) return !raw.stream.endAfterHeaders
  return raw.headers['transfer-encoding'] !== undefined || Number(raw.headers['content-length'] ?? 0) > 0
}

async function passAnswer({ reply, links, request, logger }: Proxied, response: IncomingMessage): Promise<void> {
  const headers = answerHeaders(response, links)
  // In a browser a page of what stands behind would be of this origin, the dashboard's: it gets one of its own.
  if (isShownByBrowser(request.raw)) headers.set('content-security-policy', sandboxOf(headers))
  const isPage = /^text\/html\s*(;|$)/i.test(response.headers['content-type'] ?? '') && response.headers.location === undefined
  const hasContent = request.method !== 'HEAD' && response.statusCode !== 204 && response.statusCode !== 304
  const page = isPage && hasContent ? await readPage(response) : undefined
  const body = page && (await rewrittenPage(page, response.headers['content-encoding'] ?? '', links))
  if (body) {
    headers.delete('content-length')
    headers.set('content-length', String(body.length))
  }
  reply.hijack()
  // What is used of it, a response of HTTP/2 has as well.
  const raw = reply.raw as unknown as ServerResponse
  raw.writeHead(response.statusCode ?? 502, { ...replyHeaders(reply), ...Object.fromEntries(headers) })
  raw.flushHeaders()
  if (body) raw.end(body)
  else if (page) raw.write(page)
  if (!body) {
    try {
      await pipeline(response, raw)
    } catch (err) {
      logger.debug({ err, requestId: request.requestId }, 'a proxied answer ended early')
      raw.destroy()
    }
  }
}

const sandbox = 'sandbox allow-scripts allow-forms allow-popups allow-downloads allow-modals'

/** Beside what the page asks for itself. */
const sandboxOf = (headers: ReadonlyMap<string, string | string[]>): string[] => [
  ...[headers.get('content-security-policy') ?? []].flat(),
  sandbox,
]

function answerHeaders({ rawHeaders, headers }: IncomingMessage, links: LinkRewriter): Map<string, string | string[]> {
  const named = new Set((headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()))
  const kept = new Map<string, string | string[]>()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name, value] = [rawHeaders[index]!.toLowerCase(), rawHeaders[index + 1]!]
    if (hopByHop.has(name) || named.has(name) || corsHeaders.has(name)) continue
    const before = kept.get(name)
    const shown = name === 'location' ? rewriteUrl(value, links) : value
    kept.set(name, before === undefined ? shown : [...[before].flat(), shown])
  }
  return kept
}

/** A page as a whole, or what has come of it when it is too long; the rest is still to be read then. */
async function readPage(response: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of response.iterator({ destroyOnReturn: false })) {
    parts.push(part as Buffer)
    bytes += (part as Buffer).length
    if (bytes > pageBytesMax) break
  }
  return Buffer.concat(parts)
}

/** Undefined when it goes on as it is. */
async function rewrittenPage(page: Buffer, encoding: string, links: LinkRewriter): Promise<Buffer | undefined> {
  if (page.length > pageBytesMax) return undefined
  const rewrite = (html: Buffer): Buffer => Buffer.from(rewriteHtml(html.toString('latin1'), links), 'latin1')
  try {
    if (encoding === '') return rewrite(page)
    if (encoding === 'gzip') return await promisify<Buffer, Buffer>(gzip)(rewrite(await unpacked(gunzip, page)))
    if (encoding === 'deflate') return await promisify<Buffer, Buffer>(deflateRaw)(rewrite(await unpacked(inflateRaw, page)))
  } catch {
    // It cannot be read: then neither can its links.
  }
  return undefined
}

const unpacked = (how: typeof gunzip, page: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    how(page, { maxOutputLength: pageBytesMax }, (error, bytes) => (error ? reject(error) : resolve(bytes)))
  })

/** Another protocol: once what stands behind has agreed to it, bytes go both ways until one side ends. */
async function passUpgrade(proxied: Proxied, upgrade: PendingUpgrade): Promise<void> {
  const { request, reply, path } = proxied
  const connection = await dialTarget(proxied)
  connection.on('error', () => undefined)
  const head = headersOf(proxied, true).map(([name, value]) => `${name}: ${value}\r\n`)
  connection.write(`${request.method} ${path} HTTP/1.1\r\n${head.join('')}\r\n`)
  let answer: Buffer
  try {
    answer = await readHead(connection)
  } catch (error) {
    connection.destroy()
    throw unreachable(error)
  }
  const code = Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer.toString('latin1', 0, 16))?.[1] ?? 0)
  if (code !== 101 && code < 400) {
    connection.destroy()
    throw new ApiError(internalError(`invalid upgrade response: status code ${code}`))
  }
  reply.hijack()
  const socket = takeConnection(upgrade)
  keepAlive(socket)
  socket.on('error', () => undefined)
  socket.write(answer)
  if (upgrade.head.length > 0) socket.unshift(upgrade.head)
  await Promise.race([passOn(connection, socket), passOn(socket, connection)])
  connection.destroy()
  socket.end()
}

/** What has come once the head of an answer is whole. */
async function readHead(connection: Duplex): Promise<Buffer> {
  let head = Buffer.alloc(0)
  for await (const part of connection.iterator({ destroyOnReturn: false })) {
    head = Buffer.concat([head, part as Buffer])
    if (head.includes('\r\n\r\n')) return head
    if (head.length > headBytesMax) throw new Error('malformed HTTP response')
  }
  throw new Error('EOF')
}
