// Switching to SPDY/3.1: which protocol of Kubernetes is spoken on it, and the session. Upstream's sentences for what cannot
// be agreed on are plain text, and clients show them as they are.
import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import type { Clock } from '@shiplog/runtime/clock'
import { createSpdySession, type SpdySession } from '@shiplog/spdy/session'
import type { SpdyStream } from '@shiplog/spdy/stream'
import { header, type HttpReply, type HttpRequest, replyHeaders } from './fastify-types.ts'
import { type PendingUpgrade, takeConnection } from './web-socket.ts'

const spdyProtocol = 'spdy/3.1'
const versionHeader = 'x-stream-protocol-version'
/** A peer whose machine is gone is noticed by the connection. */
const keepAliveMs = 15_000

export const isSpdy = ({ protocol }: PendingUpgrade): boolean => protocol.includes(spdyProtocol)

export interface TextAnswer {
  readonly code: number
  readonly text: string
  readonly headers?: Readonly<Record<string, string | string[]>>
}

/** The protocol that both know; or the refusal. */
export function agreeOnProtocol(request: HttpRequest, known: readonly string[]): string | TextAnswer {
  const asked = header(request.raw, versionHeader)
  if (asked === undefined) {
    const count = Object.keys(request.headers).length
    return { code: 400, text: `unable to upgrade: header X-Stream-Protocol-Version does not exist in request with ${count} headers` }
  }
  const offered = asked.split(',').map((one) => one.trim()).filter((one) => one !== '')
  if (offered.length === 0) {
    return { code: 400, text: `unable to upgrade: header X-Stream-Protocol-Version contains [${asked}], but no valid protocols` }
  }
  const agreed = offered.find((one) => known.includes(one))
  if (agreed !== undefined) return agreed
  return {
    code: 403,
    text: `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${known.join(' ')}]`,
    headers: { 'x-accepted-stream-protocol-versions': [...known] },
  }
}

export function answerText(reply: HttpReply, { code, text, headers = {} }: TextAnswer): void {
  const plain = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' }
  void reply.code(code).headers({ ...headers, ...plain }).send(Buffer.from(`${text}\n`))
}

/** Switches protocols. The request's HTTP answer is over with that. */
export function openSpdy(
  upgrade: PendingUpgrade,
  reply: HttpReply,
  protocol: string,
  options: { readonly clock: Clock; readonly onStream: (stream: SpdyStream) => void },
): SpdySession {
  reply.hijack()
  const socket = takeConnection(upgrade)
  keepAlive(socket)
  socket.write(headOf({ ...replyHeaders(reply), connection: 'Upgrade', upgrade: 'SPDY/3.1', [versionHeader]: protocol }))
  return createSpdySession({ role: 'server', socket, head: upgrade.head, ...options })
}

export function keepAlive(socket: Duplex): void {
  const { setKeepAlive } = socket as Partial<Socket>
  setKeepAlive?.call(socket, true, keepAliveMs)
}

const headOf = (headers: Readonly<Record<string, string>>): string =>
  `HTTP/1.1 101 Switching Protocols\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`
