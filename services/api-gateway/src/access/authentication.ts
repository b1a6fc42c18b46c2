// Who is asking: client certificates (CN is the user, O the groups), and bearer tokens: static ones, bootstrap tokens, and
// those of service accounts. Who shows nothing is anonymous; who shows what nobody knows is refused.
import { createHash } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { User } from '@shiplog/domain/strategy'
import { bootstrapTokenUser } from './bootstrap-tokens.ts'
import type { ServiceAccountAuthenticator, TokenVerdict } from './service-account-authenticator.ts'
import type { JwtAuthenticator } from './jwt-authenticator.ts'
import type { TokenWebhook } from './token-webhook.ts'
import type { Lookup } from './service-account-tokens.ts'

export interface Authenticator {
  /** Undefined when nobody could be recognised. `invalid` credentials are never taken for anonymous. No promise where none is needed. */
  authenticate(
    socket: TLSSocket,
    authorization: string | undefined,
  ): Authenticated | undefined | Promise<Authenticated | undefined>
  /** For one of these audiences; for the API server's own by default. */
  authenticateToken(token: string, audiences?: readonly string[]): Promise<TokenVerdict>
}

export interface Authenticated {
  readonly user: User
  /** Who really asks, where the user is somebody whom they impersonate. */
  readonly impersonator?: User
  readonly warning?: string
}

export const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

/** A line of the static token file: `token,user,uid,"group1,group2"`. */
export function parseTokenFile(text: string): Map<string, User> {
  const users = new Map<string, User>()
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const cells = [...line.matchAll(/("([^"]*)"|[^,]*)(,|$)/g)].map((match) => (match[2] ?? match[1] ?? '').trim())
    const [token, name, uid, groups] = cells
    if (!token || !name || uid === undefined) throw new Error(`token file: line ${index + 1} needs token, user and uid`)
    users.set(digest(token), { name, uid, groups: [...(groups ? groups.split(',') : []), 'system:authenticated'] })
  }
  return users
}

const digest = (token: string): string => createHash('sha256').update(token).digest('hex')

export interface AuthenticatorDeps {
  readonly tokens: ReadonlyMap<string, User>
  readonly lookup: Lookup
  readonly nowMs: () => number
  /** Absent where no tokens of service accounts are known. */
  readonly serviceAccounts?: ServiceAccountAuthenticator | undefined
  /** Issuers of JSON Web Tokens elsewhere. */
  readonly jwt?: JwtAuthenticator | undefined
  /** Asked last. */
  readonly tokenWebhook?: TokenWebhook | undefined
  /** Whom the API server is to tokens that name nobody. */
  readonly audiences: readonly string[]
  /** Resolves when this gateway has seen what others had written. */
  readonly caughtUp: () => Promise<unknown>
  /** Whether who shows nothing is somebody: system:anonymous. Default true. */
  readonly anonymous?: boolean
}

const unknownToken: TokenVerdict = { error: 'invalid bearer token' }

export function createAuthenticator(deps: AuthenticatorDeps): Authenticator {
  const bySocket = new WeakMap<TLSSocket, ShownCertificate>()

  function certificateOf(socket: TLSSocket): ShownCertificate {
    let shown = bySocket.get(socket)
    if (!shown) {
      shown = readCertificate(socket)
      bySocket.set(socket, shown)
    }
    return shown
  }

  async function byToken(token: string, audiences: readonly string[] = deps.audiences): Promise<TokenVerdict> {
    const user = deps.tokens.get(digest(token)) ?? bootstrapTokenUser(token, deps.lookup, deps.nowMs())
    // These say nothing of audiences: they are the API server's.
    if (user) return { user, audiences: deps.audiences.filter((audience) => audiences.includes(audience)) }
    const verdict = deps.serviceAccounts?.authenticate(token, audiences)
    if (!verdict) return await byOthers(token, audiences)
    if (!('error' in verdict) || !verdict.stale) return verdict
    // Another gateway may have made the account, or the pod, a moment ago.
    await deps.caughtUp()
    return deps.serviceAccounts?.authenticate(token, audiences) ?? unknownToken
  }

  /** Issuers elsewhere, then whoever knows tokens that say nothing. */
  async function byOthers(token: string, audiences: readonly string[]): Promise<TokenVerdict> {
    const ofIssuer = await deps.jwt?.authenticate(token)
    if (ofIssuer && !('error' in ofIssuer)) return ofIssuer
    return (await deps.tokenWebhook?.authenticate(token, audiences)) ?? ofIssuer ?? unknownToken
  }

  return {
    authenticateToken: byToken,
    authenticate(socket, authorization) {
      const { user, endMs, isShown } = certificateOf(socket)
      if (user && deps.nowMs() < endMs) return { user }
      const token = /^Bearer\s+(\S+)$/i.exec(authorization ?? '')?.[1]
      if (token !== undefined) return byToken(token).then((verdict) => ('error' in verdict ? undefined : verdict))
      // Who shows a certificate that nobody trusts is not nobody. A header of another scheme is not looked at.
      return isShown || deps.anonymous === false ? undefined : { user: anonymous }
    },
  }
}

/** What a client has shown of itself when it connected. */
interface ShownCertificate {
  readonly isShown: boolean
  /** Absent when our authority has not issued it. */
  readonly user?: User
  readonly endMs: number
}

const noCertificate: ShownCertificate = { isShown: false, endMs: 0 }

function readCertificate(socket: TLSSocket): ShownCertificate {
  const { subject, raw, valid_to: end } = socket.getPeerCertificate()
  if (raw === undefined) return noCertificate
  const name = list(subject?.CN)[0]
  // `authorized` says that the certificate was issued by our CA and was valid when the client connected.
  if (!socket.authorized || !name) return { isShown: true, endMs: 0 }
  const fingerprint = createHash('sha256').update(raw).digest('hex')
  return {
    isShown: true,
    endMs: Date.parse(end),
    user: {
      name,
      groups: [...list(subject.O), 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint}`] },
    },
  }
}

const list = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value]
