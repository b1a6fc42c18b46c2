// Requests that pages of browsers make. A browser adds cookies and certificates by itself, whosever page it is that asks,
// so neither is enough to act: the dashboard's own page says the session's proof as well, which no other page can read;
// and what comes from a page of another origin changes nothing here.
import { ApiError, forbidden, unauthorized } from '@shiplog/api/status'
import type { User } from '@shiplog/domain/strategy'
import { header, type HttpRequest, type RawRequest } from '../http/fastify-types.ts'
import { parseResourcePath } from '../http/request-info.ts'
import { upgradeOf } from '../http/web-socket.ts'
import { isSame, type Session, type Sessions } from './sessions.ts'

/** The header that carries the session's proof; a WebSocket has it as a subprotocol. */
export const proofHeader = 'shiplog-session-proof'
export const proofProtocol = 'session-proof.shiplog.dev.'

const cookiePrefix = '__Host-shiplog-'
/**
 * Cookies do not tell ports apart: two clusters on one machine have two names. Other servers of the machine are sent it as
 * well, and cannot use it without the proof, which the page keeps where ports are told apart.
 */
export const cookieName = (raw: RawRequest): string => `${cookiePrefix}${raw.socket.localPort ?? 0}`

/** A Cookie header without sessions of dashboards: what stands behind a proxy is not told of them. */
export const withoutSession = (cookies: string): string =>
  cookies
    .split(';')
    .map((cookie) => cookie.trim())
    .filter((cookie) => cookie !== '' && !cookie.startsWith(cookiePrefix))
    .join('; ')

export function cookieOf(raw: RawRequest): string | undefined {
  const name = `${cookieName(raw)}=`
  for (const part of (header(raw, 'cookie') ?? '').split(';')) {
    const cookie = part.trim()
    if (cookie.startsWith(name)) return cookie.slice(name.length)
  }
  return undefined
}

const hostOf = (raw: RawRequest): string => header(raw, ':authority') ?? header(raw, 'host') ?? ''

/**
 * False when a browser says that another origin's page asks. It knows best: what stands between (`kubectl proxy`) has another
 * name than this server. Who says nothing is no browser.
 */
export function isOfOwnOrigin(raw: RawRequest): boolean {
  const site = header(raw, 'sec-fetch-site')
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  const origin = header(raw, 'origin')
  return origin === undefined || origin.toLowerCase() === `https://${hostOf(raw).toLowerCase()}`
}

/** Whether a browser itself is to show the answer as a page, of this server's origin. */
export const isShownByBrowser = (raw: RawRequest): boolean =>
  header(raw, 'sec-fetch-dest') !== undefined && header(raw, 'x-forwarded-for') === undefined

/**
 * The session that the dashboard's page asks in; undefined for requests that are none of its. Throws 401 when there was
 * one, so that the page can say so.
 */
export function sessionOfPage(sessions: Sessions, raw: RawRequest): Session | undefined {
  if (header(raw, 'authorization') !== undefined) return undefined
  const proof = proofOf(raw)
  if (proof === undefined || !isOfOwnOrigin(raw)) return undefined
  const id = cookieOf(raw)
  const session = id === undefined ? undefined : sessions.find(id)
  if (!session || !isSame(session.proof, proof)) throw new ApiError(unauthorized())
  return session
}

function proofOf(raw: RawRequest): string | undefined {
  if (!upgradeOf(raw)) return header(raw, proofHeader)
  const offered = (header(raw, 'sec-websocket-protocol') ?? '').split(',').map((one) => one.trim())
  return offered.find((one) => one.startsWith(proofProtocol))?.slice(proofProtocol.length)
}

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Throws 403 for what another origin's page would have done with what a browser adds by itself. */
export function refuseForeignPage({ raw, method }: HttpRequest): void {
  if (header(raw, 'authorization') !== undefined) return
  if (safeMethods.has(method) && !upgradeOf(raw)) return
  if (isOfOwnOrigin(raw)) return
  throw new ApiError(forbidden(nothing, '', 'a page of another origin cannot act here'))
}

const nothing = { group: '', resource: '' }

/** What asks and changes nothing, although it is sent by POST. */
const questions = /^\/(apis\/(authorization|authentication)\.k8s\.io\/v\d\w*\/selfsubject(access|rules)?reviews|shiplog\/v1\/sql)$/

/**
 * Throws 403 for what a session is not for. What stands behind a proxy has pages of its own, which would be of the same
 * origin as the dashboard and so could speak for its user.
 */
export function checkSessionUse({ readOnly }: Session, user: User, { method, path }: HttpRequest): void {
  const subresource = subresourceOf(path)
  if (subresource === 'proxy')
    throw new ApiError(forbidden(nothing, '', 'what is behind a proxy is not shown to a session of the dashboard'))
  const connects = ['exec', 'attach', 'portforward'].includes(subresource)
  if (!readOnly || (safeMethods.has(method) && !connects) || (method === 'POST' && questions.test(path))) return
  throw new ApiError(forbidden(nothing, '', `this session of ${user.name} is read-only`))
}

function subresourceOf(path: string): string {
  try {
    return parseResourcePath(path)?.subresource ?? ''
  } catch {
    return ''
  }
}
