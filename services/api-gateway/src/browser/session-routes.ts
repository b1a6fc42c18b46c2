// Signing in to the dashboard and out again: by the code of a one-time link, a bearer token, or the certificate that the
// browser has shown. What comes back is a cookie that scripts cannot read, and a proof that only the page knows.
import type { TLSSocket } from 'node:tls'
import { ApiError, badRequest, forbidden, unauthorized } from '@shiplog/api/status'
import type { User } from '@shiplog/domain/strategy'
import type { Authenticator } from '../access/authentication.ts'
import { header, type HttpReply, type HttpRequest, type HttpServer } from '../http/fastify-types.ts'
import { answerJson } from '../http/responses.ts'
import { cookieName, cookieOf, isOfOwnOrigin, sessionOfPage } from './page-requests.ts'
import { type Credential, linkMs, type OpenedSession, type Session, type Sessions } from './sessions.ts'

export const sessionPath = '/dashboard/session'
/** Whoever is known can have a link for a browser: it speaks for the same user. */
export const linksPath = '/shiplog/v1/dashboard/links'

export interface SessionDeps {
  readonly sessions: Sessions
  readonly authenticator: Authenticator
}

export function sessionRoutes(server: HttpServer, deps: SessionDeps): void {
  server.get(sessionPath, async (request, reply) => {
    const session = sessionOfPage(deps.sessions, request.raw)
    if (!session) throw new ApiError(unauthorized())
    await answerSession(deps, session, reply)
    return reply
  })
  server.post(sessionPath, async (request, reply) => {
    checkOrigin(request)
    const session = await open(deps, request)
    setCookie(request, reply, session)
    await answerSession(deps, session, reply)
    return reply
  })
  server.delete(sessionPath, async (request, reply) => {
    checkOrigin(request)
    const id = sessionOfPage(deps.sessions, request.raw) && cookieOf(request.raw)
    if (id !== undefined) deps.sessions.close(id)
    reply.header('set-cookie', `${cookieName(request.raw)}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0`)
    return reply.code(204).send()
  })
}

/** Nobody can be signed in, as somebody else, by a page of another origin. */
function checkOrigin({ raw }: HttpRequest): void {
  const isJson = header(raw, 'content-type')?.startsWith('application/json') ?? false
  if (isOfOwnOrigin(raw) && (isJson || raw.method === 'DELETE')) return
  throw new ApiError(forbidden({ group: '', resource: '' }, '', 'sessions are opened by the dashboard itself'))
}

interface SignIn {
  readonly code?: unknown
  readonly token?: unknown
  readonly certificate?: unknown
  readonly readOnly?: unknown
}

async function open(deps: SessionDeps, { body, raw }: HttpRequest): Promise<OpenedSession> {
  const { code, token, certificate, readOnly } = bodyOf(body)
  const wantsReadOnly = readOnly === true
  if (typeof code === 'string') {
    const session = deps.sessions.redeem(code)
    if (session) return session
    throw new ApiError({ ...unauthorized(), message: 'this link was used, or is too old: shiplog dashboard makes another' })
  }
  if (typeof token === 'string' && /^\S+$/.test(token)) {
    const verdict = await deps.authenticator.authenticateToken(token)
    if (!('error' in verdict)) return deps.sessions.open({ kind: 'token', token }, wantsReadOnly)
    throw new ApiError({ ...unauthorized(), message: 'nobody has this token' })
  }
  if (certificate === true) {
    const known = await ofCertificate(deps.authenticator, raw.socket as TLSSocket)
    if (known) return deps.sessions.open(known, wantsReadOnly)
    throw new ApiError({ ...unauthorized(), message: 'the browser has shown no certificate that this cluster knows' })
  }
  throw new ApiError(badRequest('a code, a token, or a certificate, please'))
}

function bodyOf(body: unknown): SignIn {
  try {
    return (JSON.parse(Buffer.isBuffer(body) ? body.toString('utf8') : '{}') ?? {}) as SignIn
  } catch {
    throw new ApiError(badRequest('the body is no JSON'))
  }
}

async function ofCertificate(authenticator: Authenticator, socket: TLSSocket): Promise<Credential | undefined> {
  const endMs = certificateEndMs(socket)
  const found = endMs === undefined ? undefined : await authenticator.authenticate(socket, undefined)
  return found && endMs !== undefined ? { kind: 'user', user: found.user, endMs } : undefined
}

function certificateEndMs(socket: TLSSocket): number | undefined {
  const { raw, valid_to: end } = socket.getPeerCertificate()
  return raw === undefined ? undefined : Date.parse(end)
}

/** The answer to `POST` of a link: for the user of the request, whoever that is. */
export function answerLink({ sessions }: SessionDeps, request: HttpRequest, reply: HttpReply): void {
  const { user, raw, method } = request
  if (method !== 'POST') throw new ApiError(badRequest('links are made by POST'))
  if (user.groups.includes('system:unauthenticated'))
    throw new ApiError(forbidden({ group: '', resource: '' }, '', 'nobody can sign in as somebody unknown'))
  // What it opened would outlive the token that this session was opened with.
  if (sessionOfPage(sessions, raw)) throw new ApiError(forbidden({ group: '', resource: '' }, '', 'a session of the dashboard makes no links'))
  const { readOnly } = bodyOf(request.body)
  const code = sessions.createLink(credentialOf(user, raw), readOnly === true)
  answerJson(reply, 201, { code, lifetimeSeconds: linkMs / 1_000, path: `/dashboard#code=${code}` })
}

function credentialOf(user: User, raw: HttpRequest['raw']): Credential {
  const token = /^Bearer\s+(\S+)$/i.exec(header(raw, 'authorization') ?? '')?.[1]
  const isImpersonated = raw.rawHeaders.some((name, i) => i % 2 === 0 && name.toLowerCase().startsWith('impersonate-'))
  const endMs = certificateEndMs(raw.socket as TLSSocket)
  // A certificate stands before a token, as everywhere.
  if (endMs === undefined && token !== undefined && !isImpersonated) return { kind: 'token', token }
  return { kind: 'user', user, endMs: endMs ?? Number.POSITIVE_INFINITY }
}

function setCookie({ raw }: HttpRequest, reply: HttpReply, { id }: OpenedSession): void {
  reply.header('set-cookie', `${cookieName(raw)}=${id}; Path=/; Secure; HttpOnly; SameSite=Strict`)
}

async function answerSession(deps: SessionDeps, session: Session, reply: HttpReply): Promise<void> {
  const user = await userOfSession(deps.authenticator, session)
  if (!user) throw new ApiError(unauthorized())
  const { proof, readOnly, endMs } = session
  reply.header('cache-control', 'no-store')
  answerJson(reply, 200, {
    user: { name: user.name, groups: user.groups },
    ...{ proof, readOnly, expires: new Date(endMs).toISOString() },
  })
}

/** Undefined when the token that it was opened with is good no more. */
export async function userOfSession(authenticator: Authenticator, { credential }: Session): Promise<User | undefined> {
  if (credential.kind === 'user') return credential.user
  const verdict = await authenticator.authenticateToken(credential.token)
  return 'error' in verdict ? undefined : verdict.user
}
