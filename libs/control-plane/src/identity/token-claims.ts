// What tokens of service accounts say, in upstream's words: those that are asked for (TokenRequest: with audiences, an end,
// and an object that they live and die with), and the old ones that lie in Secrets and never end.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'

/** The issuer that a cluster has when nobody names another, as kubeadm's. */
export const defaultIssuer = 'https://kubernetes.default.svc.cluster.local'
/** The issuer of tokens in Secrets. */
export const legacyIssuer = 'kubernetes/serviceaccount'

/** The life of the token that pods are given by default: one of exactly this length is known to be such. */
export const warnOnlyExpirationSeconds = 60 * 60 + 7
/** How long that one is really taken, when it is extended: its warning comes at the time that was asked for. */
export const extendedExpirationSeconds = 24 * 365 * 60 * 60

export interface Reference {
  readonly name: string
  readonly uid?: string
}

/** What a token says of Kubernetes. */
export interface KubernetesClaims {
  readonly namespace: string
  readonly serviceaccount: Reference
  readonly pod?: Reference
  readonly secret?: Reference
  readonly node?: Reference
  /** Seconds since 1970. */
  readonly warnafter?: number
}

export const kubernetesClaim = 'kubernetes.io'

export const accountUserName = (namespace: string, name: string): string => `system:serviceaccount:${namespace}:${name}`

export interface TokenContent {
  readonly account: KubeObject
  readonly bound?: { readonly pod?: KubeObject; readonly secret?: KubeObject; readonly node?: KubeObject }
  readonly issuer: string
  readonly audiences: readonly string[]
  readonly nowMs: number
  readonly expirationSeconds: number
  /** When somebody who still uses the token is to be warned. */
  readonly warnAfterSeconds?: number
  /** The token's own name. */
  readonly id: string
}

export function tokenClaims(content: TokenContent): JsonObject {
  const { account, bound = {}, nowMs, warnAfterSeconds } = content
  const now = Math.floor(nowMs / 1_000)
  const { name, namespace = '' } = account.metadata
  const about: KubernetesClaims = {
    namespace,
    ...(bound.node ? { node: referenceTo(bound.node) } : {}),
    ...(bound.pod ? { pod: referenceTo(bound.pod) } : {}),
    ...(bound.secret ? { secret: referenceTo(bound.secret) } : {}),
    serviceaccount: referenceTo(account),
    ...(warnAfterSeconds === undefined ? {} : { warnafter: now + warnAfterSeconds }),
  }
  return {
    aud: [...content.audiences],
    exp: now + content.expirationSeconds,
    iat: now,
    iss: content.issuer,
    jti: content.id,
    [kubernetesClaim]: about,
    nbf: now,
    sub: accountUserName(namespace, name),
  }
}

const referenceTo = ({ metadata: { name, uid } }: KubeObject): Reference => ({ name, ...(uid ? { uid } : {}) })

const legacy = 'kubernetes.io/serviceaccount'
export const legacyClaim = {
  namespace: `${legacy}/namespace`,
  secret: `${legacy}/secret.name`,
  account: `${legacy}/service-account.name`,
  accountUid: `${legacy}/service-account.uid`,
} as const

/** The token that lies in a Secret of type kubernetes.io/service-account-token. */
export function legacyTokenClaims(account: KubeObject, secret: KubeObject): JsonObject {
  const { name, namespace = '', uid } = account.metadata
  return {
    iss: legacyIssuer,
    [legacyClaim.namespace]: namespace,
    [legacyClaim.secret]: secret.metadata.name,
    [legacyClaim.account]: name,
    [legacyClaim.accountUid]: uid,
    sub: accountUserName(namespace, name),
  }
}
