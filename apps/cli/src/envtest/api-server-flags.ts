// The flags of kube-apiserver that mean something here, and what they come to. Pure but for the files that they name.
import type { IpRanges } from '@shiplog/api/ip-address'
import { type AuthorizationMode, authorizationModes } from '@shiplog/api-gateway/access/rbac-authorizer'
import type { ServiceAccountOptions } from '@shiplog/api-gateway/access/service-account-tokens'
import { parseServiceRanges } from '@shiplog/domain/service/ip-range'
import type { Flag, ParsedFlags } from './flags.ts'

const value = (help: string): Flag => ({ kind: 'value', help })
const list = (help: string): Flag => ({ kind: 'list', help })
const onOff = (help: string): Flag => ({ kind: 'switch', help })

export const apiServerFlags = {
  'advertise-address': value('The IP address that the Service kubernetes leads to.'),
  'allow-privileged': onOff('Privileged containers are always allowed here.'),
  'anonymous-auth': onOff('Whether requests without credentials are system:anonymous. Default true.'),
  'api-audiences': list('Whom tokens of service accounts are for by default; the issuers by default.'),
  'authorization-mode': list(`Who decides, in this order: ${authorizationModes.join(', ')}. Default AlwaysAllow.`),
  'bind-address': value('The IP address to listen on. Default 0.0.0.0.'),
  'cert-dir': value('Where apiserver.crt and apiserver.key are, or are made. Default /var/run/kubernetes.'),
  'client-ca-file': value('Who shows a certificate of one of these authorities is whom it names.'),
  'disable-admission-plugins': list('Admission plugins to leave out.'),
  'enable-admission-plugins': list('Beside those that are on by default.'),
  'etcd-servers': list('Taken and not asked: the log of this server is its own.'),
  'feature-gates': list('Taken and not looked at: the features of Kubernetes 1.36 that are stable are on.'),
  'runtime-config': list('Taken and not looked at: all stable versions of the API are served.'),
  'secure-port': value('The port to listen on. Default 6443.'),
  'service-account-extend-token-expiration': onOff('Whether tokens that pods get by default are taken for a year. Default true.'),
  'service-account-issuer': list('Who issues tokens of service accounts; the first, new ones.'),
  'service-account-jwks-uri': value('Where others find the public keys.'),
  'service-account-key-file': list('Public keys that tokens of service accounts may be signed with.'),
  'service-account-signing-key-file': value('The key that new tokens of service accounts are signed with.'),
  'service-cluster-ip-range': value('Where addresses of Services come from. Default 10.0.0.0/24.'),
  'shiplog-data-dir': value('Keep the log there, for `shiplog log` and `shiplog history`; in memory by default.'),
  'tls-cert-file': value('The certificate to serve with.'),
  'tls-private-key-file': value('Its key.'),
  'token-auth-file': value('Static tokens: token,user,uid,"group1,group2" a line.'),
  v: value('How much is logged: 0 (warnings) to 4 and more (everything).'),
  version: onOff('Print the version and end.'),
} as const satisfies Readonly<Record<string, Flag>>

export type ApiServerFlags = ParsedFlags<typeof apiServerFlags>

export interface ApiServerOptions {
  readonly host: string
  readonly port: number
  readonly advertiseAddress: string | undefined
  readonly modes: readonly AuthorizationMode[]
  readonly anonymousAuth: boolean
  readonly disabledAdmissionPlugins: readonly string[]
  /** As they were named, also those that this server does not have. */
  readonly enabledAdmissionPlugins: readonly string[]
  readonly serviceRanges: IpRanges
  readonly tokenFile: string | undefined
  readonly clientCa: string | undefined
  readonly serviceAccounts: ServiceAccountOptions | undefined
  /** The log lies there; in memory when absent. */
  readonly dataDir: string | undefined
}

/** Upstream's defaults, where a launcher says nothing. */
const defaultPort = 6_443
const portMax = 65_535
const defaultServiceRange = '10.0.0.0/24'

/** Reads all of it; `read` gives the text of a file. Throws a sentence about what is wrong. */
export function readApiServerOptions(flags: ApiServerFlags, read: (path: string) => string): ApiServerOptions {
  return {
    host: flags.value('bind-address') ?? '0.0.0.0',
    port: readPort(flags.value('secure-port')),
    advertiseAddress: flags.value('advertise-address'),
    modes: readModes(flags.list('authorization-mode')),
    anonymousAuth: flags.isOn('anonymous-auth') ?? true,
    disabledAdmissionPlugins: flags.list('disable-admission-plugins'),
    enabledAdmissionPlugins: flags.list('enable-admission-plugins'),
    serviceRanges: parseServiceRanges(flags.value('service-cluster-ip-range') ?? defaultServiceRange),
    tokenFile: readOptional(flags.value('token-auth-file'), read),
    clientCa: readOptional(flags.value('client-ca-file'), read),
    serviceAccounts: readServiceAccounts(flags, read),
    dataDir: flags.value('shiplog-data-dir'),
  }
}

const readOptional = (path: string | undefined, read: (path: string) => string): string | undefined =>
  path === undefined || path === '' ? undefined : read(path)

function readPort(text: string | undefined): number {
  if (text === undefined) return defaultPort
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > portMax) throw new Error(`--secure-port ${text} is no port`)
  return port
}

function readModes(names: readonly string[]): readonly AuthorizationMode[] {
  if (names.length === 0) return ['AlwaysAllow']
  return names.map((name) => {
    const mode = authorizationModes.find((known) => known === name)
    if (!mode) throw new Error(`--authorization-mode ${name} is not there; there are ${authorizationModes.join(', ')}`)
    return mode
  })
}

function readServiceAccounts(
  flags: ApiServerFlags,
  read: (path: string) => string,
): ServiceAccountOptions | undefined {
  const issuers = flags.list('service-account-issuer')
  const signingKey = readOptional(flags.value('service-account-signing-key-file'), read)
  const publicKeys = flags.list('service-account-key-file').map(read)
  if (issuers.length === 0) return undefined
  const audiences = flags.list('api-audiences')
  const keySetUrl = flags.value('service-account-jwks-uri')
  return {
    issuers,
    ...(audiences.length > 0 ? { audiences } : {}),
    ...(signingKey === undefined ? {} : { signingKey }),
    ...(publicKeys.length === 0 ? {} : { publicKeys: publicKeys.join('\n') }),
    ...(keySetUrl === undefined ? {} : { keySetUrl }),
    extendExpiration: flags.isOn('service-account-extend-token-expiration') ?? true,
  }
}
