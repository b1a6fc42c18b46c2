// Who asks: by client certificate, bearer token, or the subprotocol of a WebSocket; then whom they impersonate.
import type { TLSSocket } from 'node:tls'
import { ApiError, unauthorized } from '@shiplog/api/status'
import type { User } from '@shiplog/domain/strategy'
import type { Authenticator } from '../access/authentication.ts'
import { impersonate } from '../access/impersonation.ts'
import type { Authorizer } from '../access/rbac-authorizer.ts'
import { header, type HttpRequest, type RawRequest } from './fastify-types.ts'
import { isWebSocketRequest, readProtocols } from './web-socket.ts'

export interface AuthenticationDeps {
  readonly authenticator: Authenticator
  readonly authorizer: Authorizer
}

/** Throws 401 for credentials that nobody knows, and for none. */
export function authenticate({ authenticator, authorizer }: AuthenticationDeps, { raw }: Pick<HttpRequest, 'raw'>): User {
  const user = whoAsks(authenticator, raw)
  if (!user) throw new ApiError(unauthorized())
  return impersonate(user, raw.rawHeaders, authorizer)
}

function whoAsks(authenticator: Authenticator, raw: RawRequest): User | undefined {
  const authorization = header(raw, 'authorization')
  if (authorization === undefined && isWebSocketRequest(raw)) {
    const { token, invalid } = readProtocols(header(raw, 'sec-websocket-protocol'))
    if (invalid) return undefined
    if (token !== undefined) return authenticator.authenticateToken(token)
  }
  return authenticator.authenticate(raw.socket as TLSSocket, authorization)
}
