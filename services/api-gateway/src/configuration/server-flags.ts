// The flags of an API server that name files, by kube-apiserver's names: read here, when the gateway starts.
import { readFileSync } from 'node:fs'
import type { ApiGatewayDeps } from '../api-gateway.ts'
import type { AuditOptions } from '../audit/audit-options.ts'
import { issuerOfFlags, type JwtIssuer, type OidcFlags, parseAuthenticationConfiguration } from '../access/jwt-configuration.ts'
import { readRemoteService } from '../remote/remote-service.ts'

/** As commander names them: `--audit-policy-file` is `auditPolicyFile`. */
export interface ServerFlags extends OidcFlags {
  readonly authenticationConfig?: string
  readonly authenticationTokenWebhookConfigFile?: string
  /** Read by whoever opens the log: see open-encryption.ts of libs/encryption. */
  readonly encryptionProviderConfig?: string
  readonly deletedKeyGrace?: string
  readonly auditPolicyFile?: string
  readonly auditLogPath?: string
  readonly auditLogMaxage?: number
  readonly auditLogMaxbackup?: number
  readonly auditLogMaxsize?: number
  readonly auditWebhookConfigFile?: string
}

export const readServerFlags = (flags: ServerFlags): Pick<ApiGatewayDeps, 'audit' | 'jwtIssuers' | 'tokenWebhook' | 'keyGraceMs'> => ({
  keyGraceMs: graceOf(flags),
  audit: auditOf(flags),
  jwtIssuers: issuersOf(flags),
  tokenWebhook:
    flags.authenticationTokenWebhookConfigFile === undefined
      ? undefined
      : readRemoteService(flags.authenticationTokenWebhookConfigFile),
})

function graceOf({ deletedKeyGrace }: ServerFlags): number | undefined {
  if (deletedKeyGrace === undefined) return undefined
  if (!/^\d{1,10}$/.test(String(deletedKeyGrace))) throw new Error('--deleted-key-grace: a whole number of seconds, please')
  return Number(deletedKeyGrace) * 1_000
}

function issuersOf(flags: ServerFlags): readonly JwtIssuer[] {
  const ofFlags = issuerOfFlags(flags)
  if (flags.authenticationConfig === undefined) return ofFlags ? [ofFlags] : []
  if (ofFlags) throw new Error('authentication-config file and oidc-* flags are mutually exclusive')
  return parseAuthenticationConfiguration(readFileSync(flags.authenticationConfig, 'utf8'))
}

function auditOf(flags: ServerFlags): AuditOptions | undefined {
  const { auditPolicyFile, auditLogPath, auditWebhookConfigFile } = flags
  if (auditLogPath === undefined && auditWebhookConfigFile === undefined) return undefined
  // As upstream: a backend without a policy records nothing.
  if (auditPolicyFile === undefined) return undefined
  return {
    policy: readFileSync(auditPolicyFile, 'utf8'),
    ...(auditLogPath === undefined
      ? {}
      : {
          log: {
            path: auditLogPath,
            maxAgeDays: Number(flags.auditLogMaxage ?? 0),
            maxBackups: Number(flags.auditLogMaxbackup ?? 0),
            maxSizeMb: Number(flags.auditLogMaxsize ?? 0),
          },
        }),
    ...(auditWebhookConfigFile === undefined ? {} : { webhook: readRemoteService(auditWebhookConfigFile) }),
  }
}
