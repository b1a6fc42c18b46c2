// Users of other issuers, by JSON Web Tokens: k8s.io/apiserver/plugin/pkg/authenticator/token/oidc. Keys are discovered and kept;
// names, groups and rules may be expressions.
import { constants, createHash, createPublicKey, type JsonWebKeyInput, type KeyObject, verify } from 'node:crypto'
import { Agent } from 'node:https'
import type { JsonObject } from '@shiplog/api/kube-object'
import { jsonValue, valueJson } from '@shiplog/cel/json-values'
import { dyn, type Type } from '@shiplog/cel/types'
import { parseToken, type UnverifiedToken } from '@shiplog/control-plane/identity/signed-token'
import { expressions } from '@shiplog/custom-resources/expressions/late'
import type { User } from '@shiplog/domain/strategy'
import { type Clock, systemClock } from '@shiplog/runtime/clock'
import { getJson } from '../remote/remote-service.ts'
import type { ClaimOrExpression, JwtIssuer } from './jwt-configuration.ts'
import type { TokenVerdict } from './service-account-authenticator.ts'

export interface JwtAuthenticator {
  /** Undefined for what is no token of such an issuer. */
  authenticate(token: string): Promise<TokenVerdict> | undefined
}

/** Upstream's: what is signed with a shared secret, or not at all, is signed by nobody. */
const algorithm = /^(RS|ES|PS)(256|384|512)$/
const curves: Readonly<Record<string, string>> = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' }
/** Clocks differ. */
const leewaySeconds = 10
/** Tokens whose signatures are remembered. */
const rememberedMax = 4_096
const discoveryTimeoutMs = 30_000
/** A key that nobody knows is looked for no more often than this. */
const refreshMinMs = 10_000
const costMax = 1_000_000

export function createJwtAuthenticator(
  issuers: readonly JwtIssuer[],
  clock: Pick<Clock, 'after' | 'nowMs'> = systemClock,
): JwtAuthenticator {
  const known = new Map(issuers.map((one) => [one.issuer.url, trusted(one, clock)]))
  return {
    authenticate(token) {
      const issuer = issuerOf(token)
      const found = issuer === undefined ? undefined : known.get(issuer)
      return found?.(token)
    },
  }
}

function issuerOf(token: string): string | undefined {
  const { iss } = parseToken(token)?.claims ?? {}
  return typeof iss === 'string' ? iss : undefined
}

interface IssuerKey {
  readonly id: string
  readonly key: KeyObject
}

const keysIn = ({ keys = [] }: JsonObject): readonly IssuerKey[] =>
  (keys as (JsonWebKeyInput['key'] & { kid?: string; use?: string })[]).flatMap((jwk) => {
    if (jwk.use !== undefined && jwk.use !== 'sig') return []
    try {
      return [{ id: jwk.kid ?? '', key: createPublicKey({ key: jwk, format: 'jwk' }) }]
    } catch {
      // Of a kind that nothing here knows.
      return []
    }
  })

/** The keys that may have signed a token. */
const keysFor = ({ keyId }: UnverifiedToken, keys: readonly IssuerKey[]): readonly IssuerKey[] =>
  keyId === '' ? keys : keys.filter(({ id }) => id === keyId)

function isSigned({ algorithm: named, signed, signature }: UnverifiedToken, { key }: IssuerKey): boolean {
  const [, kind, bits] = algorithm.exec(named) ?? []
  if (kind === undefined) return false
  const isCurve = kind === 'ES'
  if (key.asymmetricKeyType !== (isCurve ? 'ec' : 'rsa')) return false
  if (isCurve && key.asymmetricKeyDetails?.namedCurve !== curves[named]) return false
  const padding =
    kind === 'PS' ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : {}
  return verify(`sha${bits}`, Buffer.from(signed), { key, ...padding, ...(isCurve ? { dsaEncoding: 'ieee-p1363' } : {}) }, signature)
}

/** Throws where a token is not for us, or not now. */
function checkClaims(claims: JsonObject, audiences: readonly string[], nowMs: number): void {
  const { aud, exp, nbf } = claims
  const given = [aud].flat()
  if (!audiences.some((audience) => given.includes(audience)))
    throw new Error(`oidc: verify token: oidc: expected audience in ${JSON.stringify(audiences)} got ${JSON.stringify(given)}`)
  const now = nowMs / 1_000
  if (typeof exp !== 'number' || now > exp + leewaySeconds) throw new Error('oidc: verify token: oidc: token is expired')
  if (typeof nbf === 'number' && now < nbf - leewaySeconds) throw new Error('oidc: verify token: oidc: current time before the nbf (not before) time')
}

function trusted(config: JwtIssuer, clock: Pick<Clock, 'after' | 'nowMs'>): (token: string) => Promise<TokenVerdict> {
  const { url, discoveryURL, certificateAuthority, audiences } = config.issuer
  const agent = new Agent({ keepAlive: true, ...(certificateAuthority ? { ca: certificateAuthority } : {}) })
  const mapping = compileMapping(config)
  let keys: Promise<readonly IssuerKey[]> | undefined
  let fetchedMs = 0
  const verified = new Map<string, JsonObject>()

  async function discover(): Promise<readonly IssuerKey[]> {
    fetchedMs = clock.nowMs()
    const at = new URL(discoveryURL ?? `${url.replace(/\/$/, '')}/.well-known/openid-configuration`)
    const { issuer, jwks_uri: keysUrl } = await getJson({ url: at, agent, clock }, discoveryTimeoutMs)
    if (issuer !== url)
      throw new Error(`oidc: issuer did not match the issuer returned by provider, expected ${url} got ${String(issuer)}`)
    const set = await getJson({ url: new URL(String(keysUrl)), agent, clock }, discoveryTimeoutMs)
    verified.clear()
    return keysIn(set)
  }

  /** Keys that could not be had are asked for again with the next token. */
  function keySet(): Promise<readonly IssuerKey[]> {
    keys ??= discover().catch((error: unknown) => {
      keys = undefined
      throw error
    })
    return keys
  }

  async function claimsOf(token: string): Promise<JsonObject> {
    const digest = createHash('sha256').update(token).digest('base64')
    let claims = verified.get(digest)
    if (!claims) {
      const unverified = parseToken(token)!
      let candidates = keysFor(unverified, await keySet())
      // The issuer may have new keys.
      if (candidates.length === 0 && clock.nowMs() - fetchedMs >= refreshMinMs) {
        keys = undefined
        candidates = keysFor(unverified, await keySet())
      }
      if (!candidates.some((key) => isSigned(unverified, key)))
        throw new Error('oidc: verify token: failed to verify signature: failed to verify id token signature')
      ;({ claims } = unverified)
      if (verified.size >= rememberedMax) verified.clear()
      verified.set(digest, claims)
    }
    checkClaims(claims, audiences, clock.nowMs())
    return claims
  }

  return async (token) => {
    try {
      const claims = await claimsOf(token)
      const user = mapping(claims)
      return { user, audiences: [...audiences] }
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) }
    }
  }
}

type Evaluate = (variables: Readonly<Record<string, unknown>>) => unknown

/** An expression over what is given by these names. Throws where it is wrong. */
function compile(text: string, names: readonly string[]): Evaluate {
  const { compileExpression, isBadExpression } = expressions()
  const variables = new Map<string, Type>(names.map((name) => [name, dyn]))
  const compiled = compileExpression(text, { variables, sizeOf: () => undefined })
  if (isBadExpression(compiled)) throw new Error(`compilation failed: ${compiled.problem}`)
  return (given) => {
    const values = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, jsonValue(value)]))
    const { value, error } = compiled.program(values, costMax)
    if (value === undefined) throw new Error(`expression '${text}' resulted in error: ${error}`)
    return valueJson(value)
  }
}

function compileMapping({ claimMappings, claimValidationRules = [], userValidationRules = [] }: JwtIssuer): (claims: JsonObject) => User {
  const rules = claimValidationRules.map((rule) => ({ ...rule, evaluate: rule.expression ? compile(rule.expression, ['claims']) : undefined }))
  const userRules = userValidationRules.map((rule) => ({ ...rule, evaluate: compile(rule.expression, ['user']) }))
  const username = mapped(claimMappings.username)
  const groups = claimMappings.groups && mapped(claimMappings.groups)
  const uid = claimMappings.uid && mapped(claimMappings.uid)
  const extra = (claimMappings.extra ?? []).map(({ key, valueExpression }) => ({ key, evaluate: compile(valueExpression, ['claims']) }))
  return (claims) => {
    for (const { claim, requiredValue = '', expression, message, evaluate } of rules) {
      if (evaluate && evaluate({ claims }) !== true) throw new Error(`validation expression '${expression}' failed: ${message ?? ''}`)
      if (claim && !(claim in claims)) throw new Error(`oidc: required claim ${claim} not present in ID token`)
      if (claim && claims[claim] !== requiredValue)
        throw new Error(`oidc: required claim ${claim} value does not match. Got = ${String(claims[claim])}, want = ${requiredValue}`)
    }
    const [name = ''] = username(claims)
    if (name === '') throw new Error('oidc: parse username claims: the username is empty')
    // An address that nobody has checked is nobody's.
    const { email_verified: isVerified = true } = claims
    if (claimMappings.username.claim === 'email' && isVerified !== true)
      throw new Error('oidc: email not verified')
    const shown = extra.flatMap(({ key, evaluate }): [string, string[]][] => {
      const values = textsOf(evaluate({ claims }))
      return values.length > 0 ? [[key, values]] : []
    })
    const [id] = uid?.(claims) ?? []
    const user: User = {
      name,
      ...(id ? { uid: id } : {}),
      groups: [...(groups?.(claims) ?? []), 'system:authenticated'],
      ...(shown.length > 0 ? { extra: Object.fromEntries(shown) } : {}),
    }
    const info = { username: name, uid: id ?? '', groups: user.groups.slice(0, -1), extra: user.extra ?? {} }
    for (const { evaluate, expression, message } of userRules)
      if (evaluate({ user: info }) !== true) throw new Error(`validation expression '${expression}' failed: ${message ?? ''}`)
    return user
  }
}

const textsOf = (value: unknown): string[] =>
  typeof value === 'string' ? (value === '' ? [] : [value]) : Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string' && one !== '') : []

function mapped({ claim, prefix = '', expression }: ClaimOrExpression): (claims: JsonObject) => string[] {
  const evaluate = expression ? compile(expression, ['claims']) : undefined
  return (claims) =>
    evaluate ? textsOf(evaluate({ claims })) : textsOf(claims[claim ?? '']).map((value) => `${prefix}${value}`)
}
