// Which headers pass through the ingress, and what it adds. Those of one connection (RFC 9110, 7.6.1) end here, both ways.
import { type ClientRequest, isOverTls } from './client-message.ts'

const ofConnection = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'te', 'trailer', 'expect'],
  ...['http2-settings', 'proxy-authenticate', 'proxy-authorization'],
])
/** What clients say of themselves in these is not believed: each is replaced. */
const ownHeaders = new Set([
  ...['host', 'forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-proto'],
  ...['x-forwarded-scheme', 'x-real-ip', 'x-scheme', 'x-request-id', 'x-original-forwarded-for'],
])
const requestIdPattern = /^[A-Za-z0-9._-]{1,128}$/
const bodyMethods = new Set(['POST', 'PUT', 'PATCH'])

/** Name after value, for the pod. `upgrade` names the protocol that the client wants to change to. */
export function headersForPod(
  request: ClientRequest,
  given: { readonly authority: string; readonly port: number; readonly newId: () => string; readonly hasBody: boolean; readonly upgrade?: string },
): string[] {
  const { rawHeaders } = request
  const dropped = namedByConnection(rawHeaders)
  const headers: string[] = ['Host', given.authority]
  let hasLength = false
  let id: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i]!, rawHeaders[i + 1]!]
    const key = name.toLowerCase()
    if (key === 'x-request-id' && requestIdPattern.test(value)) id = value
    if (key === 'te' && /\btrailers\b/i.test(value)) headers.push('TE', 'trailers')
    // `X_Real_IP` is `X-Real-IP` to servers of the CGI kind.
    if (key.startsWith(':') || key.includes('_') || ofConnection.has(key) || ownHeaders.has(key) || dropped.has(key)) continue
    if (key === 'content-length') {
      if (!given.hasBody) continue
      hasLength = true
    }
    headers.push(name, value)
  }
  const address = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
  const scheme = isOverTls(request) ? 'https' : 'http'
  headers.push('X-Request-ID', id ?? given.newId(), 'X-Real-IP', address, 'X-Forwarded-For', address)
  headers.push('X-Forwarded-Host', given.authority, 'X-Forwarded-Port', String(given.port))
  headers.push('X-Forwarded-Proto', scheme, 'X-Forwarded-Scheme', scheme, 'X-Scheme', scheme)
  if (given.upgrade !== undefined) headers.push('Connection', 'Upgrade', 'Upgrade', given.upgrade)
  else if (given.hasBody && !hasLength) headers.push('Transfer-Encoding', 'chunked')
  else if (!given.hasBody && bodyMethods.has(request.method ?? '')) headers.push('Content-Length', '0')
  return headers
}

/** Headers of a pod's answer, for the client. */
export function headersForClient(rawHeaders: readonly string[]): string[] {
  const dropped = namedByConnection(rawHeaders)
  const headers: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const key = rawHeaders[i]!.toLowerCase()
    if (!key.startsWith(':') && !ofConnection.has(key) && !dropped.has(key)) headers.push(rawHeaders[i]!, rawHeaders[i + 1]!)
  }
  return headers
}

/** A Connection header may name others that end here with it. */
function namedByConnection(rawHeaders: readonly string[]): Set<string> {
  const names = new Set<string>()
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() !== 'connection') continue
    for (const name of rawHeaders[i + 1]!.split(',')) names.add(name.trim().toLowerCase())
  }
  return names
}
