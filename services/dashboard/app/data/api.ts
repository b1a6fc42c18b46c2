// Everything the page asks the server, as the user who is signed in. The proof goes with every request: the cookie alone
// is not believed, because a browser would send it for anybody's page.

import { unindented } from './unindented.ts'

export interface SessionInfo {
  readonly user: { readonly name: string; readonly groups: readonly string[] }
  readonly proof: string
  readonly readOnly: boolean
  readonly expires: string
}

export class ApiFailure extends Error {
  readonly code: number
  readonly reason: string
  readonly causes: readonly { readonly message?: string; readonly field?: string }[]
  constructor(code: number, status: { message?: string; reason?: string; details?: { causes?: ApiFailure['causes'] } }) {
    super(status.message ?? `the server answered ${code}`)
    this.code = code
    this.reason = status.reason ?? ''
    this.causes = status.details?.causes ?? []
  }
}

const proofKey = 'shiplog-proof'
export const proof = (): string => localStorage.getItem(proofKey) ?? ''
/** Called when the session is over. */
let onSignedOut: () => void = () => undefined
export const signedOut = (): void => onSignedOut()
export const whenSignedOut = (listener: () => void): void => void (onSignedOut = listener)

export interface Asked {
  readonly method?: string
  readonly body?: unknown
  readonly accept?: string
  readonly type?: string
  readonly signal?: AbortSignal
}

export async function ask(path: string, { method = 'GET', body, accept, type, signal }: Asked = {}): Promise<Response> {
  const response = await fetch(unindented(path), {
    method,
    credentials: 'same-origin',
    headers: {
      'shiplog-session-proof': proof(),
      ...(accept === undefined ? {} : { accept }),
      ...(body === undefined ? {} : { 'content-type': type ?? 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  })
  if (response.ok) return response
  const status = await response.json().catch(() => ({}))
  if (response.status === 401) onSignedOut()
  throw new ApiFailure(response.status, status)
}

export const askJson = async <T = any>(path: string, asked?: Asked): Promise<T> => (await ask(path, asked)).json()

export async function currentSession(): Promise<SessionInfo | undefined> {
  if (proof() === '') return undefined
  const response = await fetch('/dashboard/session', { headers: { 'shiplog-session-proof': proof() } })
  return response.ok ? await response.json() : undefined
}

export async function signIn(how: { code?: string; token?: string; certificate?: boolean; readOnly?: boolean }): Promise<SessionInfo> {
  const response = await fetch('/dashboard/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(how),
  })
  const answer = await response.json()
  if (!response.ok) throw new ApiFailure(response.status, answer)
  localStorage.setItem(proofKey, answer.proof)
  return answer
}

export async function signOut(): Promise<void> {
  await fetch('/dashboard/session', { method: 'DELETE', headers: { 'shiplog-session-proof': proof() } })
  localStorage.removeItem(proofKey)
}

/** The same path as of a moment; the present where there is none. */
export const asOf = (at: string | undefined, path: string): string => (at ? `/at/${encodeURIComponent(at)}${path}` : path)
