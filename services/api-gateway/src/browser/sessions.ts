// Sessions of people who use the dashboard: whom the page of a browser may speak for, until when, and the links that open
// one. A session is kept by this gateway alone, by the hash of its name: what is in memory lets nobody in. It never holds
// more than its user has: a bearer token is asked for its user anew with every request.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { User } from '@shiplog/domain/strategy'

/** What somebody has shown when the session was opened. */
export type Credential =
  | { readonly kind: 'user'; readonly user: User; /** Of the certificate. */ readonly endMs: number }
  | { readonly kind: 'token'; readonly token: string }

export interface Session {
  readonly credential: Credential
  /** Nothing can be changed with it, whatever its user may. */
  readonly readOnly: boolean
  /** What the page has to say with every request, and no other page can know. */
  readonly proof: string
  readonly endMs: number
}

export interface OpenedSession extends Session {
  /** The cookie's value. */
  readonly id: string
}

export interface Sessions {
  /** A code that opens one session, once, soon. */
  createLink(credential: Credential, readOnly: boolean): string
  /** Undefined for a code that is unknown, used or too old. */
  redeem(code: string): OpenedSession | undefined
  open(credential: Credential, readOnly: boolean): OpenedSession
  find(id: string): Session | undefined
  close(id: string): void
}

const sessionMs = 12 * 60 * 60 * 1_000
export const linkMs = 2 * 60 * 1_000
/** Beyond these the oldest is forgotten. */
const sessionsMax = 1_000
const linksMax = 100
const secretBytes = 32

export function createSessions({ nowMs }: { readonly nowMs: () => number }): Sessions {
  const sessions = new Map<string, Session>()
  const links = new Map<string, { readonly credential: Credential; readonly readOnly: boolean; readonly endMs: number }>()

  function open(credential: Credential, readOnly: boolean): OpenedSession {
    const id = secret()
    const endMs = Math.min(nowMs() + sessionMs, credential.kind === 'user' ? credential.endMs : Number.POSITIVE_INFINITY)
    const session: Session = { credential, readOnly, proof: secret(), endMs }
    keep(sessions, sessionsMax, hashOf(id), session)
    return { ...session, id }
  }

  return {
    open,
    createLink(credential, readOnly) {
      const code = secret()
      keep(links, linksMax, hashOf(code), { credential, readOnly, endMs: nowMs() + linkMs })
      return code
    },
    redeem(code) {
      const key = hashOf(code)
      const link = links.get(key)
      links.delete(key)
      return link && nowMs() < link.endMs ? open(link.credential, link.readOnly) : undefined
    },
    find(id) {
      const key = hashOf(id)
      const session = sessions.get(key)
      if (session && nowMs() < session.endMs) return session
      sessions.delete(key)
      return undefined
    },
    close: (id) => void sessions.delete(hashOf(id)),
  }
}

const secret = (): string => randomBytes(secretBytes).toString('base64url')
const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url')

function keep<T>(map: Map<string, T>, max: number, key: string, value: T): void {
  map.set(key, value)
  if (map.size > max) map.delete(map.keys().next().value!)
}

/** Whether both are the same, in a time that does not tell where they differ. */
export const isSame = (a: string, b: string): boolean =>
  timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())
