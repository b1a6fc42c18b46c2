// A connection to one of several gateways: HTTP/2 over TLS, one session that all requests share, a bound on what is in
// flight, and pings that find out about a peer that hangs. What a request means is not known here; whether it may have
// been carried out is.
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { Clock } from '@shiplog/runtime/clock'
import { ApiUnreachable } from './api-unreachable.ts'

/** Requests under way at once; fewer than the streams that a gateway grants to one connection. */
export const requestsInFlightMax = 512
/** Requests that wait for their turn. */
const requestsWaitingMax = 50_000
const connectTimeoutMs = 3_000
/** A gateway gives up an append after 10 s; its answer comes before this. */
const requestTimeoutMs = 15_000
/** More than any object may have. */
const lineCharactersMax = 16 << 20
const pingIntervalMs = 1_000
/** A peer that answers no ping for so long is given up, with all that was asked of it. */
const pingTimeoutMs = 3_000

export interface ApiConnectionOptions {
  /** `https://host:port`, any number: when one cannot be reached, the next one is tried. */
  readonly servers: readonly string[]
  /** PEM of the authority that signed the gateways' certificates. */
  readonly ca: string
  /** PEM of a client certificate, or a bearer token. */
  readonly credentials: { readonly certificate: string; readonly key: string } | { readonly token: string }
  readonly userAgent: string
  readonly clock: Clock
  /** Which server to begin with; default the first. */
  readonly startAt?: number
}

export interface WireRequest {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  /** Asked just before it is sent; see ApiRequest.isWanted. */
  readonly isWanted?: () => boolean
}

export interface WireAnswer {
  readonly code: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface WireLine {
  /** Of the answer. */
  readonly code: number
  readonly text: string
}

export interface ApiConnection {
  /** One answer, whatever its code; throws ApiUnreachable. */
  request(request: WireRequest): Promise<WireAnswer>
  /** The lines of an answer without end, as they come: a watch. Throws ApiUnreachable when the connection breaks. */
  lines(request: WireRequest, signal: AbortSignal): AsyncIterable<WireLine>
  /** The server in use, or the one that is tried next. */
  readonly server: string
  /** Breaks the connection as a network would: the next request opens another one. */
  disconnect(): void
  close(): void
}

const { HTTP2_HEADER_METHOD, HTTP2_HEADER_PATH, HTTP2_HEADER_STATUS, NGHTTP2_REFUSED_STREAM, NGHTTP2_CANCEL } =
  constants

/** Opens nothing yet: the first request connects. */
export function createApiConnection(options: ApiConnectionOptions): ApiConnection {
  const { servers, clock, credentials } = options
  if (servers.length === 0) throw new Error('no API server was named')
  let index = (options.startAt ?? 0) % servers.length
  let current: Promise<ClientHttp2Session> | undefined
  let closed = false
  let inFlight = 0
  const line: (() => void)[] = []

  async function open(server: string): Promise<ClientHttp2Session> {
    const session = connect(server, {
      ca: options.ca,
      ...('token' in credentials ? {} : { cert: credentials.certificate, key: credentials.key }),
    })
    session.setMaxListeners(0)
    // Failures are told by 'close'; without a listener an error would end the process.
    session.on('error', () => undefined)
    await new Promise<void>((resolve, reject) => {
      const timer = clock.after(connectTimeoutMs, () => session.destroy(new Error(`no connection to ${server}`)))
      session.once('connect', () => {
        timer[Symbol.dispose]()
        resolve()
      })
      session.once('error', (cause) => {
        timer[Symbol.dispose]()
        reject(new ApiUnreachable(`${server} cannot be reached: ${cause.message}`, { ambiguous: false, cause }))
      })
      session.once('close', () => reject(new ApiUnreachable(`${server} closed the connection`, { ambiguous: false })))
    })
    watchOver(session)
    return session
  }

  /** Pings the peer; one that hangs (stopped, cut off) is given up. */
  function watchOver(session: ClientHttp2Session): void {
    let answeredMs = clock.nowMs()
    let askedMs = 0
    const timer = clock.every(pingIntervalMs, () => {
      const nowMs = clock.nowMs()
      // A pause of our own is not the peer's fault: the answer may lie in the socket.
      const paused = nowMs - askedMs > pingTimeoutMs
      askedMs = nowMs
      if (paused) answeredMs = Math.max(answeredMs, nowMs - pingIntervalMs)
      if (nowMs - answeredMs > pingTimeoutMs) {
        session.destroy(new Error('the server answers no pings'))
        return
      }
      if (session.destroyed) return
      session.ping((error) => {
        if (!error) answeredMs = clock.nowMs()
      })
    })
    session.once('close', () => timer[Symbol.dispose]())
  }

  function session(): Promise<ClientHttp2Session> {
    if (closed) return Promise.reject(new ApiUnreachable('the connection was closed', { ambiguous: false }))
    if (current === undefined) {
      const opening = open(servers[index]!)
      current = opening
      const drop = (): void => {
        if (current !== opening) return
        current = undefined
        index = (index + 1) % servers.length
      }
      opening.then((opened) => {
        // A server that stops says so first: what was asked is answered, new requests go elsewhere.
        opened.once('goaway', drop)
        opened.once('close', drop)
        if (opened.destroyed || opened.closed) drop()
      }, drop)
    }
    return current
  }

  async function send(request: WireRequest): Promise<ClientHttp2Stream> {
    const opened = await session()
    const headers: OutgoingHttpHeaders = {
      [HTTP2_HEADER_METHOD]: request.method,
      [HTTP2_HEADER_PATH]: request.path,
      'user-agent': options.userAgent,
      accept: 'application/json',
      ...('token' in credentials ? { authorization: `Bearer ${credentials.token}` } : {}),
      ...request.headers,
    }
    if (opened.destroyed || opened.closed) {
      throw new ApiUnreachable('the connection has just ended', { ambiguous: false })
    }
    if (request.isWanted?.() === false) throw new Error('the request is not wanted any more')
    const stream = opened.request(headers, { endStream: request.body === undefined })
    if (request.body !== undefined) stream.end(request.body)
    return stream
  }

  const lost = (stream: ClientHttp2Stream, cause?: Error): ApiUnreachable =>
    new ApiUnreachable(cause?.message ?? 'the connection broke', {
      ambiguous: stream.rstCode !== NGHTTP2_REFUSED_STREAM,
      cause,
    })

  async function exchange(request: WireRequest): Promise<WireAnswer> {
    const stream = await send(request)
    return await new Promise<WireAnswer>((resolve, reject) => {
      const chunks: Buffer[] = []
      let headers: IncomingHttpHeaders | undefined
      let ended = false
      let failure: Error | undefined
      const timer = clock.after(requestTimeoutMs, () => {
        failure = new Error(`no answer within ${requestTimeoutMs} ms`)
        stream.close(NGHTTP2_CANCEL)
      })
      stream.on('response', (received) => {
        headers = received
      })
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        ended = true
      })
      stream.on('error', (error) => {
        failure ??= error
      })
      stream.on('close', () => {
        timer[Symbol.dispose]()
        if (headers === undefined || !ended || failure || stream.rstCode !== 0) reject(lost(stream, failure))
        else resolve({ code: Number(headers[HTTP2_HEADER_STATUS]), headers, body: Buffer.concat(chunks) })
      })
    })
  }

  async function* lines(request: WireRequest, signal: AbortSignal): AsyncGenerator<WireLine> {
    const stream = await send(request)
    const stop = (): void => stream.close(NGHTTP2_CANCEL)
    signal.addEventListener('abort', stop, { once: true })
    let code = 0
    stream.once('response', (headers) => {
      code = Number(headers[HTTP2_HEADER_STATUS])
    })
    try {
      let rest = ''
      for await (const text of stream.setEncoding('utf8')) {
        const parts = (rest + (text as string)).split('\n')
        rest = parts.pop()!
        if (rest.length > lineCharactersMax) throw new Error('a line of a watch is too long')
        for (const line of parts) if (line !== '') yield { code, text: line }
      }
      if (rest !== '') yield { code, text: rest }
    } catch (error) {
      if (signal.aborted) return
      throw lost(stream, error as Error)
    } finally {
      signal.removeEventListener('abort', stop)
      stream.close(NGHTTP2_CANCEL)
    }
  }

  return {
    lines,
    get server() {
      return servers[index]!
    },
    async request(request) {
      if (inFlight >= requestsInFlightMax) {
        if (line.length >= requestsWaitingMax) {
          throw new ApiUnreachable('too many requests wait for the API', { ambiguous: false })
        }
        await new Promise<void>((resolve) => {
          line.push(resolve)
        })
      } else inFlight++
      try {
        return await exchange(request)
      } finally {
        const next = line.shift()
        if (next) next()
        else inFlight--
      }
    },
    disconnect() {
      void current?.then(
        (opened) => opened.destroy(),
        () => undefined,
      )
    },
    close() {
      closed = true
      void current?.then(
        (opened) => opened.destroy(),
        () => undefined,
      )
      current = undefined
    },
  }
}
