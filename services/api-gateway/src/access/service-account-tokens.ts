// The tokens of service accounts that this API server issues and takes: by whose name, with which keys, for whom. Gateways
// on one log are given the same, so a token of one is good at all of them.
import type { KubeObject } from '@shiplog/api/kube-object'
import { createTokenSigner, type TokenSigner } from '@shiplog/control-plane/identity/signed-token'
import { type TokenContent, tokenClaims } from '@shiplog/control-plane/identity/token-claims'
import {
  keySetOf,
  type PublicTokenKey,
  publicTokenKeys,
  signingKeyOf,
} from '@shiplog/control-plane/identity/token-keys'
import type { Ids } from '@shiplog/runtime/ids'

export interface ServiceAccountOptions {
  /** The first is the issuer of new tokens; those of the others are taken as well. */
  readonly issuers: readonly string[]
  /** Whom tokens are for that name nobody; the issuers by default. */
  readonly audiences?: readonly string[]
  /** PEM: a private key. Without one no tokens are issued. */
  readonly signingKey?: string
  /** PEM: public keys that tokens may be signed with, besides that of the signing key. */
  readonly publicKeys?: string
  /** No token lives longer; as long as is asked for by default. */
  readonly maxExpirationSeconds?: number
  /** Whether the tokens that pods are given by default are taken for a year, with a warning after their hour. Default true. */
  readonly extendExpiration?: boolean
  /** Where others find the public keys. */
  readonly keySetUrl?: string
}

export interface ServiceAccountTokens {
  readonly issuers: ReadonlySet<string>
  readonly audiences: readonly string[]
  readonly keys: readonly PublicTokenKey[]
  readonly maxExpirationSeconds: number | undefined
  readonly extendExpiration: boolean
  readonly canIssue: boolean
  /** A token with this content. Throws when there is no key to sign with. */
  issue(content: Omit<TokenContent, 'issuer' | 'id'>): string
  /** The documents of OpenID Connect discovery. `address` is where this API server is reached. */
  configuration(address: string): object
  readonly keySet: object
}

export function createServiceAccountTokens(options: ServiceAccountOptions, ids: Pick<Ids, 'uuid'>): ServiceAccountTokens {
  const { signingKey, publicKeys = '' } = options
  const [issuer] = options.issuers
  if (issuer === undefined) throw new Error('tokens of service accounts need the name of an issuer')
  const keys = publicTokenKeys(signingKey ?? '', publicKeys)
  const signer: TokenSigner | undefined = signingKey === undefined ? undefined : createTokenSigner(signingKeyOf(signingKey))
  return {
    issuers: new Set(options.issuers),
    audiences: options.audiences ?? options.issuers,
    keys,
    maxExpirationSeconds: options.maxExpirationSeconds,
    extendExpiration: options.extendExpiration ?? true,
    canIssue: signer !== undefined,
    issue(content) {
      if (!signer) throw new Error('there is no key to sign tokens of service accounts with')
      return signer.sign(tokenClaims({ ...content, issuer, id: ids.uuid() }))
    },
    configuration: (address) => ({
      issuer,
      jwks_uri: options.keySetUrl ?? `https://${address}${keySetPath}`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [...new Set(keys.map(({ algorithm }) => algorithm))].sort(),
    }),
    keySet: keySetOf(keys),
  }
}

export const configurationPath = '/.well-known/openid-configuration'
export const keySetPath = '/openid/v1/jwks'
/** How long others may keep the documents: a key that is to sign must have been told of before. */
export const documentsMaxAgeSeconds = 3_600

/** What a token's references name, as of now. */
export type Lookup = (resource: string, namespace: string, name: string) => KubeObject | undefined
