import { expect, test } from 'vitest'
import { issuerOfFlags, parseAuthenticationConfiguration } from './jwt-configuration.ts'

const file = (jwt: string) => parseAuthenticationConfiguration(`apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: [${jwt}]`)
const issuer = "issuer: {url: 'https://a.dev', audiences: [x]}"

test('what is wrong with a configuration is told', () => {
  expect(() => parseAuthenticationConfiguration('kind: Other')).toThrow('expected an AuthenticationConfiguration')
  expect(() => file("{issuer: {audiences: [x]}}")).toThrow('jwt[0].issuer.url: Required value')
  expect(() => file("{issuer: {url: 'https://a.dev'}}")).toThrow('jwt[0].issuer.audiences: Required value')
  expect(() => file(`{${issuer}, claimMappings: {}}`)).toThrow('claim or expression is required')
  expect(() => file(`{${issuer}, claimMappings: {username: {claim: sub}}}`)).toThrow('prefix is required when claim is set')
  const right = `{${issuer}, claimMappings: {username: {claim: sub, prefix: ''}}}`
  expect(() => file(`${right}, ${right}`)).toThrow('jwt[1].issuer.url: Duplicate value: "https://a.dev"')
  expect(file(right)).toHaveLength(1)
})

test('flags say the same of one issuer, with a prefix of its own unless names are addresses', () => {
  const flags = { oidcIssuerUrl: 'https://a.dev', oidcClientId: 'x' }
  expect(issuerOfFlags({})).toBeUndefined()
  expect(() => issuerOfFlags({ oidcIssuerUrl: 'https://a.dev' })).toThrow('must be specified together')
  expect(issuerOfFlags(flags)?.claimMappings.username).toEqual({ claim: 'sub', prefix: 'https://a.dev#' })
  expect(issuerOfFlags({ ...flags, oidcUsernameClaim: 'email' })?.claimMappings.username).toEqual({ claim: 'email', prefix: '' })
  expect(issuerOfFlags({ ...flags, oidcUsernamePrefix: '-' })?.claimMappings.username).toEqual({ claim: 'sub', prefix: '' })
  const more = { oidcGroupsClaim: 'roles', oidcGroupsPrefix: 'a:', oidcRequiredClaim: 'hd=a.dev,b=c=d' }
  expect(issuerOfFlags({ ...flags, ...more })).toMatchObject({
    claimMappings: { groups: { claim: 'roles', prefix: 'a:' } },
    claimValidationRules: [{ claim: 'hd', requiredValue: 'a.dev' }, { claim: 'b', requiredValue: 'c=d' }],
  })
})
