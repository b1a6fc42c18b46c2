// Who vouches for users by JSON Web Tokens: an AuthenticationConfiguration (apiserver.config.k8s.io), or the older flags --oidc-*,
// which say less in the same terms.
import { readFileSync } from 'node:fs'
import { decodeYaml } from '@shiplog/api/decode/decode-yaml'

export interface ClaimOrExpression {
  readonly claim?: string
  readonly prefix?: string
  readonly expression?: string
}

export interface JwtIssuer {
  readonly issuer: {
    readonly url: string
    readonly discoveryURL?: string
    readonly certificateAuthority?: string
    readonly audiences: readonly string[]
  }
  readonly claimValidationRules?: readonly {
    readonly claim?: string
    readonly requiredValue?: string
    readonly expression?: string
    readonly message?: string
  }[]
  readonly claimMappings: {
    readonly username: ClaimOrExpression
    readonly groups?: ClaimOrExpression
    readonly uid?: Omit<ClaimOrExpression, 'prefix'>
    readonly extra?: readonly { readonly key: string; readonly valueExpression: string }[]
  }
  readonly userValidationRules?: readonly { readonly expression: string; readonly message?: string }[]
}

const versions = ['v1', 'v1beta1', 'v1alpha1'].map((version) => `apiserver.config.k8s.io/${version}`)

/** Throws with what is wrong with the file. */
export function parseAuthenticationConfiguration(text: string): readonly JwtIssuer[] {
  const value = decodeYaml(text).value as { apiVersion?: string; kind?: string; jwt?: JwtIssuer[] }
  if (value?.kind !== 'AuthenticationConfiguration' || !versions.includes(value.apiVersion ?? ''))
    throw new Error('expected an AuthenticationConfiguration of apiserver.config.k8s.io')
  const issuers = value.jwt ?? []
  const urls = new Set<string>()
  for (const [index, { issuer, claimMappings }] of issuers.entries()) {
    const at = `jwt[${index}]`
    if (!issuer?.url) throw new Error(`${at}.issuer.url: Required value: URL is required`)
    if (urls.has(issuer.url)) throw new Error(`${at}.issuer.url: Duplicate value: ${JSON.stringify(issuer.url)}`)
    urls.add(issuer.url)
    if (!(issuer.audiences?.length > 0)) throw new Error(`${at}.issuer.audiences: Required value: at least one jwt[].issuer.audiences is required`)
    const { claim, expression, prefix } = claimMappings?.username ?? {}
    const place = `${at}.claimMappings.username`
    if (!claim && !expression) throw new Error(`${place}: Required value: claim or expression is required`)
    if (claim && expression) throw new Error(`${place}: Invalid value: "": claim and expression can't both be set`)
    if (claim && prefix === undefined) throw new Error(`${place}.prefix: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing`)
  }
  return issuers
}

export interface OidcFlags {
  readonly oidcIssuerUrl?: string
  readonly oidcClientId?: string
  readonly oidcUsernameClaim?: string
  readonly oidcUsernamePrefix?: string
  readonly oidcGroupsClaim?: string
  readonly oidcGroupsPrefix?: string
  /** `claim=value`, several with commas. */
  readonly oidcRequiredClaim?: string
  readonly oidcCaFile?: string
}

/** The flags as one issuer. */
export function issuerOfFlags(flags: OidcFlags): JwtIssuer | undefined {
  const { oidcIssuerUrl: url, oidcClientId: client, oidcUsernameClaim: claim = 'sub', oidcUsernamePrefix: given } = flags
  if (url === undefined) return undefined
  if (client === undefined) throw new Error('oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set')
  // As upstream: a name that is no address of mail belongs to its issuer.
  const prefix = given === '-' ? '' : (given ?? (claim === 'email' ? '' : `${url}#`))
  const required = (flags.oidcRequiredClaim ?? '').split(',').filter((one) => one.includes('='))
  return {
    issuer: {
      url,
      audiences: [client],
      ...(flags.oidcCaFile === undefined ? {} : { certificateAuthority: readFileSync(flags.oidcCaFile, 'utf8') }),
    },
    claimValidationRules: required.map((one) => {
      const [name, ...rest] = one.split('=')
      return { claim: name!, requiredValue: rest.join('=') }
    }),
    claimMappings: {
      username: { claim, prefix },
      ...(flags.oidcGroupsClaim === undefined ? {} : { groups: { claim: flags.oidcGroupsClaim, prefix: flags.oidcGroupsPrefix ?? '' } }),
    },
  }
}
