// Who is asking: client certificates (CN is the user, O the groups), static and bootstrap bearer tokens. Anonymous is
// let through to health endpoints only.
import { timingSafeEqual, createHash } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { AdmissionView } from '@shiplog/domain/admission'
import type { User } from '@shiplog/domain/strategy'

export interface Authenticator {
  /** Undefined when nobody could be recognised. `invalid` credentials are never taken for anonymous. */
  authenticate(socket: TLSSocket, authorization: string | undefined): User | undefined
  authenticateToken(token: string): User | undefined
}

export const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

/** A line of the static token file: `token,user,uid,"group1,group2"`. */
export function parseTokenFile(text: string): Map<string, User> {
  const users = new Map<string, User>()
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const cells = [...line.matchAll(/("([^"]*)"|[^,]*)(,|$)/g)].map((match) => (match[2] ?? match[1] ?? '').trim())
    const [token, name, uid, groups] = cells
    if (!token || !name || uid === undefined) throw new Error(`token file: a line needs token, user and uid: ${line}`)
    users.set(digest(token), { name, uid, groups: [...(groups ? groups.split(',') : []), 'system:authenticated'] })
  }
  return users
}

const digest = (token: string): string => createHash('sha256').update(token).digest('hex')

export function createAuthenticator(options: {
  readonly tokens: ReadonlyMap<string, User>
  readonly view: AdmissionView
  readonly nowMs: () => number
}): Authenticator {
  const bySocket = new WeakMap<TLSSocket, User | null>()

  function byCertificate(socket: TLSSocket): User | undefined {
    const known = bySocket.get(socket)
    if (known !== undefined) return known ?? undefined
    let user: User | null = null
    // `authorized` says that the certificate was issued by our CA and is valid now.
    if (socket.authorized) {
      const { subject } = socket.getPeerCertificate()
      const name = first(subject?.CN)
      if (name) user = { name, groups: [...list(subject.O), 'system:authenticated'] }
    }
    bySocket.set(socket, user)
    return user ?? undefined
  }

  function byToken(token: string): User | undefined {
    return options.tokens.get(digest(token)) ?? bootstrapToken(token)
  }

  /** kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens: a Secret `bootstrap-token-<id>` in kube-system. */
  function bootstrapToken(token: string): User | undefined {
    const match = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token)
    if (!match) return undefined
    const [, id, secret] = match as unknown as [string, string, string]
    const object = options.view.get('secrets', 'kube-system', `bootstrap-token-${id}`)
    if (object?.['type'] !== 'bootstrap.kubernetes.io/token' || object.metadata.deletionTimestamp) return undefined
    const data = (name: string): string => Buffer.from(String(object['data']?.[name] ?? ''), 'base64').toString('utf8')
    const stored = Buffer.from(data('token-secret'))
    const given = Buffer.from(secret)
    if (stored.length !== given.length || !timingSafeEqual(stored, given)) return undefined
    if (data('token-id') !== id || data('usage-bootstrap-authentication') !== 'true') return undefined
    const expiration = data('expiration')
    if (expiration !== '' && !(Date.parse(expiration) > options.nowMs())) return undefined
    const extra = data('auth-extra-groups')
    return {
      name: `system:bootstrap:${id}`,
      groups: ['system:bootstrappers', ...(extra ? extra.split(',') : []), 'system:authenticated'],
    }
  }

  return {
    authenticateToken: byToken,
    authenticate(socket, authorization) {
      if (authorization !== undefined) {
        const match = /^Bearer\s+(\S+)$/i.exec(authorization)
        return match ? byToken(match[1]!) : undefined
      }
      return byCertificate(socket)
    },
  }
}

const list = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value]
const first = (value: string | string[] | undefined): string | undefined => list(value)[0]
