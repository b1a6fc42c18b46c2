// How an answer goes out: a Status, bytes, a list in pieces, or a stream that Fastify does not hold.
import type { ServerResponse } from 'node:http'
import { parseExactJson } from '@shiplog/api/exact-json'
import type { Status } from '@shiplog/api/status'
import type { Logger } from '@shiplog/runtime/logger'
import { frameSink } from '../read/frame-sink.ts'
import type { Outgoing } from '../read/outgoing.ts'
import type { FrameSink } from '../read/watch.ts'
import { protobufMediaType, type Representation } from '../representation/negotiation.ts'
import { inProtobuf } from '../representation/protobuf-presenter.ts'
import type { ListBody } from '../representation/presenter.ts'
import { acceptsGzip, gzipBytesMin, gzipHeaders, gzipped, sendGzipped, wantsIndent } from './answer-encoding.ts'
import { header, type HttpReply, type HttpRequest, type RawRequest, replyHeaders } from './fastify-types.ts'
import { createJsonIndenter, indentedPieces } from './indent-json.ts'
import { heldBytesOfAnswer, partBytes, sendPieces } from './piece-stream.ts'
import { yamlPieces, yamlWriter } from './yaml-pieces.ts'
import { isWebSocketRequest, openWebSocket } from './web-socket.ts'
import { eventMessages, webSocketSink } from './web-socket-sink.ts'

export const jsonType = 'application/json'

const newline = Buffer.from('\n')

/** As upstream's encoder writes it: with a newline at the end. */
export const json = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value)}\n`)

// A reply is awaited until it is sent: of the functions here only the route handler returns it, once.

export function answerStatus(reply: HttpReply, status: Status): void {
  reply.request.audit?.refused(status)
  if (status.details?.retryAfterSeconds) reply.header('retry-after', String(status.details.retryAfterSeconds))
  const accept = reply.request.headers.accept ?? ''
  if (accept.startsWith(protobufMediaType))
    sendBytes(reply.code(status.code).header('content-type', protobufMediaType), inProtobuf(status)!)
  else if (/^application\/yaml\b/.test(accept))
    void yamlWriter().then((dump) => sendBytes(reply.code(status.code).type(yamlType), Buffer.from(dump(status))))
  else answerJson(reply, status.code, status)
}

/** As Go's server answers where nothing is served, not even a group of the API. */
export function answerNoPath(reply: HttpReply): void {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' }
  void reply.code(404).headers(headers).send(Buffer.from('404 page not found\n'))
}

export function answerJson(reply: HttpReply, code: number, value: unknown): void {
  sendBytes(reply.code(code).header('content-type', jsonType), json(value))
}

/** Sends a whole body, indented and compressed as the client wants it. */
export function sendBytes(reply: HttpReply, whole: Buffer): void {
  const { raw } = reply.request
  const isIndented = wantsIndentOf(raw) && String(reply.getHeader('content-type')).startsWith(jsonType)
  const bytes = isIndented ? Buffer.concat([createJsonIndenter().next(whole), newline]) : whole
  if (bytes.length <= gzipBytesMin || !wantsGzip(raw)) {
    void reply.send(bytes)
    return
  }
  const vary = reply.getHeader('vary')
  void reply.headers(vary === undefined ? gzipHeaders : { ...gzipHeaders, vary: `${String(vary)}, ${gzipHeaders.vary}` })
  gzipped(bytes).then(
    (packed) => reply.send(packed),
    (error) => reply.send(error),
  )
}

/** RFC 7234 warning: code 299, agent "-", the text quoted. */
export const warningHeader = (text: string): string =>
  `299 - "${text.replace(/[\\"]/g, (character) => `\\${character}`).replace(/[^\x20-\x7e]/g, ' ')}"`

export function warn(reply: HttpReply, warnings: readonly string[]): void {
  // Fastify would fold them into one header; upstream sends one for each.
  for (const warning of warnings) reply.raw.appendHeader?.('warning', warningHeader(warning))
}

/** Writes the head of an answer that Fastify does not hold: its body comes in time, or in pieces. */
function takeOver(reply: HttpReply, headers: Readonly<Record<string, string | number>>): ServerResponse {
  reply.hijack()
  // What is used of it, a response of HTTP/2 has as well.
  const raw = reply.raw as unknown as ServerResponse
  raw.writeHead(reply.statusCode, { ...replyHeaders(reply), ...headers })
  return raw
}

/** Begins an answer whose body comes in time. */
export function beginStream(reply: HttpReply, contentType: string): FrameSink {
  const raw = takeOver(reply, { 'content-type': contentType })
  // `kubectl rollout status`, `wait` and `logs -f` hang until they see the headers.
  raw.flushHeaders()
  return frameSink(raw)
}

/** Begins the answer of a watch: a stream, or the messages of a WebSocket. */
export function beginFrames(request: HttpRequest, reply: HttpReply, contentType = jsonType): FrameSink {
  if (!isWebSocketRequest(request.raw)) return beginStream(reply, contentType)
  const opened = openWebSocket(request.raw, { headers: replyHeaders(reply) })
  reply.hijack()
  return webSocketSink(opened, eventMessages)
}

export interface SendDeps {
  readonly outgoing: Outgoing
  readonly logger: Logger
}

/** Sends an object or a list, as JSON, YAML or protobuf. A small answer in JSON goes out at once. */
export function sendBody(
  deps: SendDeps,
  request: HttpRequest,
  reply: HttpReply,
  representation: Representation,
  body: ListBody,
): Promise<void> | undefined {
  if (representation.as !== 'table' && representation.protobuf) return sendProtobuf(deps, request, reply, body)
  if (representation.yaml) return sendYaml(deps, request, reply, body)
  const { pieces, bytes } = body
  if (bytes === undefined || bytes >= partBytes) return sendJson(deps, request, reply, body)
  sendBytes(reply.header('content-type', jsonType), lineOf(pieces, bytes + newline.length))
  return undefined
}

const yamlType = 'application/yaml'

async function sendYaml(
  deps: SendDeps,
  { raw, user }: HttpRequest,
  reply: HttpReply,
  { pieces, bytes, parts }: ListBody,
): Promise<void> {
  const dump = await yamlWriter()
  if (parts && (bytes === undefined || bytes > partBytes)) {
    using _room = await deps.outgoing.admit(user.name, heldBytesOfAnswer)
    const gzip = wantsGzip(raw)
    const response = takeOver(reply, { 'content-type': yamlType, ...(gzip ? gzipHeaders : {}) })
    await sendTaken(deps, response, yamlPieces(dump, parts()), gzip)
    return
  }
  sendBytes(reply.type(yamlType), Buffer.from(dump(parseExactJson(Buffer.concat([...pieces]).toString('utf8')))))
}

/** A list is made whole first: its length stands before it. */
async function sendProtobuf(
  deps: SendDeps,
  { raw, user }: HttpRequest,
  reply: HttpReply,
  { prepared, heldBytes = 0, ...body }: ListBody,
): Promise<void> {
  using _room = prepared && heldBytes > partBytes ? await deps.outgoing.admit(user.name, heldBytes) : undefined
  const { pieces, bytes } = prepared ? await prepared() : body
  if (bytes !== undefined && bytes <= partBytes) {
    sendBytes(reply.header('content-type', protobufMediaType), Buffer.concat([...pieces], bytes))
    return
  }
  const gzip = acceptsGzip(header(raw, 'accept-encoding'))
  const length = gzip || bytes === undefined ? {} : { 'content-length': bytes }
  const response = takeOver(reply, { 'content-type': protobufMediaType, ...(gzip ? gzipHeaders : {}), ...length })
  await sendTaken(deps, response, pieces, gzip)
}

/** Sends JSON that is there in pieces, and a newline after it; `bytes` is the length of the pieces where it is known. */
async function sendJson(
  deps: SendDeps,
  { raw, user }: HttpRequest,
  reply: HttpReply,
  { pieces, bytes }: ListBody,
): Promise<void> {
  using _room = await deps.outgoing.admit(user.name, heldBytesOfAnswer)
  const [indent, gzip] = [wantsIndentOf(raw), wantsGzip(raw)]
  const response = takeOver(reply, {
    'content-type': jsonType,
    ...(gzip ? gzipHeaders : {}),
    ...(bytes === undefined || gzip || indent ? {} : { 'content-length': bytes + newline.length }),
  })
  await sendTaken(deps, response, withNewline(indent ? indentedPieces(pieces) : pieces), gzip)
}

/** Sends the body of an answer that Fastify does not hold any more. */
async function sendTaken(
  { outgoing, logger }: SendDeps,
  response: ServerResponse,
  pieces: Iterable<Buffer>,
  gzip: boolean,
): Promise<void> {
  try {
    await (gzip ? sendGzipped(response, pieces, outgoing) : sendPieces(response, pieces, outgoing))
  } catch (error) {
    logger.error({ err: error }, 'failed to send an answer whole')
    response.destroy()
  }
}

/** The pieces as one line of `length` bytes. */
function lineOf(pieces: Iterable<Buffer>, length: number): Buffer {
  const line = Buffer.allocUnsafe(length)
  let end = 0
  for (const piece of pieces) end += piece.copy(line, end)
  line[end] = newline[0]!
  return line
}

function* withNewline(pieces: Iterable<Buffer>): Generator<Buffer> {
  yield* pieces
  yield newline
}

const noQuery = new URLSearchParams()

const wantsIndentOf = (raw: RawRequest): boolean =>
  wantsIndent({
    query: raw.url?.includes('pretty') ? new URLSearchParams(/\?(.*)$/s.exec(raw.url)?.[1] ?? '') : noQuery,
    userAgent: header(raw, 'user-agent'),
    accept: header(raw, 'accept'),
  })

const wantsGzip = (raw: RawRequest): boolean => acceptsGzip(header(raw, 'accept-encoding'))
