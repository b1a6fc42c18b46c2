// Whose token of a service account this is. The signature of a token is verified once and remembered; whether its time has
// come and gone, and whether the account and what it is bound to are still there, is asked each time.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { ServiceAccount } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { isSignedBy, parseToken } from '@shiplog/control-plane/identity/signed-token'
import {
  accountUserName,
  type KubernetesClaims,
  kubernetesClaim,
  legacyClaim,
  legacyIssuer,
  type Reference,
} from '@shiplog/control-plane/identity/token-claims'
import type { User } from '@shiplog/domain/strategy'
import type { Lookup, ServiceAccountTokens } from './service-account-tokens.ts'

/** What becomes of a token. `stale`: perhaps only because this gateway has not seen yet what others have. */
export type TokenVerdict =
  | { readonly user: User; readonly audiences: readonly string[]; readonly warning?: string }
  | { readonly error: string; readonly stale?: boolean }

export interface ServiceAccountAuthenticator {
  /** Undefined for what is no token of this issuer: others may know it. */
  authenticate(token: string, audiences: readonly string[]): TokenVerdict | undefined
}

export interface ServiceAccountAuthenticatorDeps {
  readonly tokens: ServiceAccountTokens
  readonly lookup: Lookup
  readonly nowMs: () => number
  /** Told of every use of a token that lies in a Secret. */
  readonly onLegacyUse?: (secret: KubeObject) => void
}

/** Tokens whose signatures are remembered: each costs about a kilobyte. */
export const rememberedTokensMax = 4_096
/** Clocks differ; and what is being deleted may still be used for so long. */
const leewayMs = 60_000

const unsigned = { error: 'invalid signature, no keys found' } as const

export function createServiceAccountAuthenticator(deps: ServiceAccountAuthenticatorDeps): ServiceAccountAuthenticator {
  const { tokens } = deps
  const verified = new Map<string, JsonObject>()

  /** The claims of a token of ours; undefined for what is none, and why for one that no key has signed. */
  function claimsOf(token: string): { readonly claims: JsonObject } | typeof unsigned | undefined {
    const digest = createHash('sha256').update(token).digest('base64')
    let claims = verified.get(digest)
    if (!claims) {
      const unverified = parseToken(token)
      const issuer = unverified?.claims['iss']
      if (!unverified || typeof issuer !== 'string') return undefined
      if (!tokens.issuers.has(issuer) && issuer !== legacyIssuer) return undefined
      if (!isSignedBy(unverified, tokens.keys)) return unsigned
      ;({ claims } = unverified)
    }
    // The one that was not used for longest goes first.
    verified.delete(digest)
    verified.set(digest, claims)
    if (verified.size > rememberedTokensMax) verified.delete(verified.keys().next().value!)
    return { claims }
  }

  return {
    authenticate(token, asked) {
      const known = claimsOf(token)
      if (!known || 'error' in known) return known
      const { claims } = known
      const own = audiencesOf(claims)
      const meant = own.length === 0 ? tokens.audiences : own
      const audiences = meant.filter((audience) => asked.includes(audience))
      if (audiences.length === 0) {
        return { error: `token audiences ${quoted(meant)} is invalid for the target audiences ${quoted(asked)}` }
      }
      const found = claims['iss'] === legacyIssuer ? legacyUser(deps, token, claims) : boundUser(deps, claims)
      return 'error' in found ? found : { ...found, audiences }
    },
  }
}

type Found = { readonly user: User; readonly warning?: string } | { readonly error: string; readonly stale?: boolean }

const quoted = (list: readonly string[]): string => `[${list.map((each) => JSON.stringify(each)).join(' ')}]`

function audiencesOf({ aud }: JsonObject): readonly string[] {
  if (typeof aud === 'string') return [aud]
  return Array.isArray(aud) ? aud.filter((each): each is string => typeof each === 'string') : []
}

/** Why a token may not be used at this time. */
function whyNotNow({ nbf, exp, iat }: JsonObject, nowMs: number): string | undefined {
  const at = (seconds: unknown): number | undefined => (typeof seconds === 'number' ? seconds * 1_000 : undefined)
  const [notBefore, end, issued] = [at(nbf), at(exp), at(iat)]
  if (notBefore !== undefined && nowMs + leewayMs < notBefore) return 'service account token is not valid yet'
  if (end === undefined || nowMs - leewayMs > end) return 'service account token has expired'
  return issued !== undefined && nowMs + leewayMs < issued ? 'service account token is issued in the future' : undefined
}

/** An object that has been going for longer than clocks differ is gone. */
const isGone = ({ metadata: { deletionTimestamp } }: KubeObject, nowMs: number): boolean =>
  deletionTimestamp !== undefined && Date.parse(deletionTimestamp) < nowMs - leewayMs

function boundUser({ lookup, nowMs }: ServiceAccountAuthenticatorDeps, claims: JsonObject): Found {
  const now = nowMs()
  const error = whyNotNow(claims, now)
  if (error) return { error }
  const about = claims[kubernetesClaim] as KubernetesClaims | undefined
  if (!about?.namespace || !about.serviceaccount?.name) return { error: 'service account token has no account' }
  const { namespace, serviceaccount: account, pod, secret, node } = about
  const known = lookup('serviceaccounts', namespace, account.name)
  if (!known) return { error: `serviceaccounts "${account.name}" not found`, stale: true }
  if (known.metadata.uid !== account.uid) {
    return { error: `service account UID (${known.metadata.uid}) does not match claim (${account.uid})`, stale: true }
  }
  if (isGone(known, now)) return { error: `service account ${namespace}/${account.name} has been deleted` }
  // The node of a pod's token is told and not asked for: the pod's life is what counts.
  const bound: readonly (readonly [string, string, Reference | undefined, string])[] = [
    ['secrets', namespace, secret, 'Secret'],
    ['pods', namespace, pod, 'Pod'],
    ['nodes', '', pod ? undefined : node, 'Node'],
  ]
  for (const [resource, home, reference, kind] of bound) {
    const why = reference && whyUnbound(lookup(resource, home, reference.name), reference, kind, now)
    if (why) return { error: why, stale: true }
  }
  const extra = {
    ...(typeof claims['jti'] === 'string' ? { 'authentication.kubernetes.io/credential-id': [`JTI=${claims['jti']}`] } : {}),
    ...(node ? extraOf('node', node) : {}),
    ...(pod ? extraOf('pod', pod) : {}),
  }
  return { user: accountUser(namespace, account, extra) }
}

function whyUnbound(
  object: KubeObject | undefined,
  { uid }: Reference,
  kind: string,
  nowMs: number,
): string | undefined {
  if (!object || isGone(object, nowMs)) return 'service account token has been invalidated'
  if (object.metadata.uid === uid) return undefined
  return `${kind} UID (${object.metadata.uid}) does not match service account ${kind.toLowerCase()} ref claim (${uid})`
}

const extraOf = (kind: 'pod' | 'node', { name, uid }: Reference): Record<string, string[]> => ({
  [`authentication.kubernetes.io/${kind}-name`]: [name],
  ...(uid ? { [`authentication.kubernetes.io/${kind}-uid`]: [uid] } : {}),
})

const accountUser = (namespace: string, { name, uid }: Reference, extra: Record<string, string[]>): User => ({
  name: accountUserName(namespace, name),
  ...(uid ? { uid } : {}),
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  ...(Object.keys(extra).length > 0 ? { extra } : {}),
})

/** Somebody marked it so, or the cleaner of tokens that nobody uses did. */
export const invalidSinceLabel = 'kubernetes.io/legacy-token-invalid-since'

/** A token that lies in a Secret: good as long as it lies there. */
function legacyUser(deps: ServiceAccountAuthenticatorDeps, token: string, claims: JsonObject): Found {
  const text = (claim: string): string => (typeof claims[claim] === 'string' ? claims[claim] : '')
  const namespace = text(legacyClaim.namespace)
  const [secretName, name, uid] = [legacyClaim.secret, legacyClaim.account, legacyClaim.accountUid].map(text)
  if (!namespace || !secretName || !name || !uid || text('sub') !== accountUserName(namespace, name)) {
    return { error: 'sub claim is invalid' }
  }
  const secret = deps.lookup('secrets', namespace, secretName)
  if (!secret || secret.metadata.deletionTimestamp) return { error: 'Token has been invalidated', stale: true }
  if (!isCopyOf(secret, token)) return { error: "Token does not match server's copy", stale: true }
  const account = deps.lookup('serviceaccounts', namespace, name) as (KubeObject & ServiceAccount) | undefined
  if (!account) return { error: `serviceaccounts "${name}" not found`, stale: true }
  if (account.metadata.deletionTimestamp) return { error: `ServiceAccount ${namespace}/${name} has been deleted` }
  if (account.metadata.uid !== uid) {
    return { error: `ServiceAccount UID (${account.metadata.uid}) does not match claim (${uid})`, stale: true }
  }
  deps.onLegacyUse?.(secret)
  if (secret.metadata.labels?.[invalidSinceLabel]) {
    return {
      error: `the token in secret ${namespace}/${secretName} for service account ${namespace}/${name} has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '${invalidSinceLabel}' label from the secret to temporarily allow use of this token`,
      stale: true,
    }
  }
  const user = accountUser(namespace, { name, uid }, {})
  const isGenerated = account.secrets?.some((each) => each.name === secretName) ?? false
  return isGenerated ? { user, warning: generatedTokenWarning } : { user }
}

const generatedTokenWarning =
  'Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens.'

function isCopyOf(secret: KubeObject, token: string): boolean {
  const copy = Buffer.from(String(secret['data']?.token ?? ''), 'base64')
  const given = Buffer.from(token)
  return copy.length === given.length && timingSafeEqual(copy, given)
}
