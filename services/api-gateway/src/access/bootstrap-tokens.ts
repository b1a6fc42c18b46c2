// Bootstrap tokens (kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens): a Secret `bootstrap-token-<id>` in
// kube-system is a way in for who joins the cluster, for a while.
import { timingSafeEqual } from 'node:crypto'
import type { Secret } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { User } from '@shiplog/domain/strategy'
import type { Lookup } from './service-account-tokens.ts'

const secretType = 'bootstrap.kubernetes.io/token'
const form = /^([a-z0-9]{6})\.([a-z0-9]{16})$/
const extraGroup = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/

/** Undefined for what is no bootstrap token, or no longer one. */
export function bootstrapTokenUser(token: string, lookup: Lookup, nowMs: number): User | undefined {
  const [, id, secret] = form.exec(token) ?? []
  if (id === undefined || secret === undefined) return undefined
  const object = lookup('secrets', 'kube-system', `bootstrap-token-${id}`) as (KubeObject & Secret) | undefined
  if (object?.type !== secretType || object.metadata.deletionTimestamp) return undefined
  const data = (name: string): string => Buffer.from(object.data?.[name] ?? '', 'base64').toString('utf8')
  if (!isSame(data('token-secret'), secret)) return undefined
  if (data('token-id') !== id || data('usage-bootstrap-authentication') !== 'true') return undefined
  const expiration = data('expiration')
  if (expiration !== '' && !(Date.parse(expiration) > nowMs)) return undefined
  const extra = data('auth-extra-groups')
  const groups = extra === '' ? [] : extra.split(',')
  // One group that is none spoils the token.
  if (!groups.every((group) => extraGroup.test(group))) return undefined
  return {
    name: `system:bootstrap:${id}`,
    groups: ['system:bootstrappers', ...new Set(groups), 'system:authenticated'],
  }
}

function isSame(stored: string, given: string): boolean {
  const [one, other] = [Buffer.from(stored), Buffer.from(given)]
  return one.length === other.length && timingSafeEqual(one, other)
}
