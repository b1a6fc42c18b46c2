// A request of a client and its answer, over HTTP/1.1 or HTTP/2: what both have in common, and where they differ.
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { TLSSocket } from 'node:tls'

export type ClientRequest = IncomingMessage | Http2ServerRequest
export type ClientResponse = ServerResponse | Http2ServerResponse

export const isHttp2 = (message: ClientRequest): message is Http2ServerRequest => message.httpVersionMajor === 2

export const isOverTls = (request: ClientRequest): boolean => (request.socket as TLSSocket).encrypted === true

/** The header that says which host is meant; undefined when there is none, or more than one. */
export function authorityOf(request: ClientRequest): string | undefined {
  if (isHttp2(request)) return request.authority || valuesOf(request.rawHeaders, 'host')[0]
  const hosts = valuesOf(request.rawHeaders, 'host')
  return hosts.length === 1 ? hosts[0] : undefined
}

export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const found: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]!.toLowerCase() === name) found.push(rawHeaders[i + 1]!)
  return found
}

export const hasBody = (request: ClientRequest): boolean =>
  isHttp2(request)
    ? !request.stream.endAfterHeaders
    : request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0

/** Headers as they came, name after value, to the client; those of one name stay apart. */
export function writeHead(response: ClientResponse, status: number, rawHeaders: readonly string[]): void {
  const headers: OutgoingHttpHeaders = Object.create(null) as OutgoingHttpHeaders
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    const before = headers[name]
    const value = rawHeaders[i + 1]!
    headers[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [String(before)]), value]
  }
  // No reason phrase: HTTP/2 has none, and that of a pod is nothing to go by.
  if ('stream' in response) response.writeHead(status, headers)
  else response.writeHead(status, headers)
}

/** Ends an answer that cannot be finished in a way that the client takes for what it is. */
export function breakOff(response: ClientResponse): void {
  if ('stream' in response) response.stream?.close(2)
  else response.destroy()
}

export function answerText(response: ClientResponse, status: number, text: string, more: readonly string[] = []): void {
  if (response.headersSent) {
    breakOff(response)
    return
  }
  const body = `${text}\n`
  writeHead(response, status, [
    ...['content-type', 'text/plain; charset=utf-8', 'content-length', String(Buffer.byteLength(body))],
    ...more,
  ])
  response.end(body)
}
