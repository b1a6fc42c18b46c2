// Bootstrap tokens as they lie in Secrets of kube-system.
import type { Secret } from '@shiplog/api/generated/types/core-v1'

export const tokenNamespace = 'kube-system'
const namePrefix = 'bootstrap-token-'

export const isBootstrapToken = ({ type, metadata }: Secret): boolean =>
  type === 'bootstrap.kubernetes.io/token' && metadata.namespace === tokenNamespace

export const field = ({ data }: Secret, name: string): string =>
  Buffer.from(data?.[name] ?? '', 'base64').toString('utf8')

/** Undefined for a token without an end; NaN for one whose end nobody can read, which has therefore ended. */
export function endMsOf(secret: Secret): number | undefined {
  const text = field(secret, 'expiration')
  return text === '' ? undefined : Date.parse(text)
}

export const hasEnded = (secret: Secret, nowMs: number): boolean => {
  const end = endMsOf(secret)
  return end !== undefined && !(end > nowMs)
}

/** Id and secret of a token that may be used for this; undefined for one that may not. */
export function tokenFor(secret: Secret, usage: 'signing' | 'authentication', nowMs: number) {
  const [id, value] = [field(secret, 'token-id'), field(secret, 'token-secret')]
  const isNamedSo = secret.metadata.name === `${namePrefix}${id}`
  if (!isBootstrapToken(secret) || !isNamedSo || value === '' || hasEnded(secret, nowMs)) return undefined
  return field(secret, `usage-bootstrap-${usage}`) === 'true' ? { id, secret: value } : undefined
}
