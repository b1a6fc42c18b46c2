// Who asks: by the session of the dashboard's page, client certificate, bearer token, or the subprotocol of a WebSocket; then
// whom they impersonate.
import type { TLSSocket } from 'node:tls'
import { ApiError, unauthorized } from '@shiplog/api/status'
import type { Authenticated, Authenticator } from '../access/authentication.ts'
import { refuseForeignPage, sessionOfPage } from '../browser/page-requests.ts'
import { userOfSession } from '../browser/session-routes.ts'
import type { Session, Sessions } from '../browser/sessions.ts'
import { type Action, impersonate } from '../access/impersonation.ts'
import { selectorsOf } from '../access/selectors.ts'
import { parsePastPath } from '../time-travel/moment.ts'
import { parseResourcePath } from './request-info.ts'
import { verbOf } from './resource-routes.ts'
import type { Authorizer } from '../access/rbac-authorizer.ts'
import { header, type HttpRequest, type RawRequest } from './fastify-types.ts'
import { isWebSocketRequest, readProtocols } from './web-socket.ts'

export interface AuthenticationDeps {
  readonly authenticator: Authenticator
  readonly authorizer: Authorizer
  /** Of the dashboard's pages. */
  readonly sessions: Sessions
}

export type AuthenticatedRequest = Authenticated & { readonly session?: Session }

/**
 * Throws 401 for credentials that nobody knows, and for none where anonymous requests are refused. Who shows a certificate is
 * known at once: no promise is made then.
 */
export function authenticate(
  deps: AuthenticationDeps,
  request: HttpRequest,
): AuthenticatedRequest | Promise<AuthenticatedRequest> {
  const { authenticator, sessions } = deps
  const session = sessionOfPage(sessions, request.raw)
  if (session) {
    return userOfSession(authenticator, session).then((user) => ({ ...authenticated(deps, request, user && { user }), session }))
  }
  refuseForeignPage(request)
  const found = whoAsks(authenticator, request.raw)
  return found instanceof Promise ? found.then((later) => authenticated(deps, request, later)) : authenticated(deps, request, found)
}

function authenticated({ authorizer }: AuthenticationDeps, request: HttpRequest, found: Authenticated | undefined): Authenticated {
  if (!found) throw new ApiError(unauthorized())
  const user = impersonate(found.user, request.raw.rawHeaders, authorizer, () => actionOf(request))
  return user === found.user ? found : { ...found, user, impersonator: found.user }
}

/** What is asked for, as authorizers see it; undefined for a path that nobody can read. */
function actionOf({ method, path: whole, searchParams }: HttpRequest): Action | undefined {
  try {
    const path = parsePastPath(whole)?.path ?? whole
    const info = parseResourcePath(path)
    const verb = info ? verbOf(method, info, searchParams) : undefined
    if (!info || verb === undefined) return { verb: method === 'HEAD' ? 'get' : method.toLowerCase(), path }
    const { group, resource, subresource, namespace, name } = info
    return { verb, group, resource, subresource, namespace, name, selectors: selectorsOf(verb, searchParams) }
  } catch {
    return undefined
  }
}

function whoAsks(authenticator: Authenticator, raw: RawRequest): ReturnType<Authenticator['authenticate']> {
  const authorization = header(raw, 'authorization')
  if (authorization === undefined && isWebSocketRequest(raw)) {
    const { token, invalid } = readProtocols(header(raw, 'sec-websocket-protocol'))
    if (invalid) return undefined
    if (token !== undefined) return authenticator.authenticate(raw.socket as TLSSocket, `Bearer ${token}`)
  }
  return authenticator.authenticate(raw.socket as TLSSocket, authorization)
}
