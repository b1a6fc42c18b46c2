// Flags of the API server that name files, for whoever shows them; server-flags.ts reads them.

/** By their names on the command line: what stands for their value, and what they are for. */
export const serverFlags: readonly (readonly [name: string, value: string, help: string])[] = [
  ['audit-policy-file', '<file>', 'the audit policy (audit.k8s.io/v1)'],
  ['audit-log-path', '<file>', 'where audit events are written, as lines of JSON; - is the standard output'],
  ['audit-log-maxage', '<days>', 'how long old audit logs are kept (default: for ever)'],
  ['audit-log-maxbackup', '<count>', 'how many old audit logs are kept (default: all)'],
  ['audit-log-maxsize', '<MB>', 'size at which the audit log is rotated (default: 100)'],
  ['authentication-config', '<file>', 'AuthenticationConfiguration: issuers of JSON Web Tokens, and what their claims mean'],
  ['oidc-issuer-url', '<url>', 'one issuer by flags: its URL'],
  ['oidc-client-id', '<id>', 'for whom its tokens are'],
  ['oidc-username-claim', '<claim>', 'the claim that names the user (default: sub)'],
  ['oidc-username-prefix', '<prefix>', 'what is put before it; - is nothing'],
  ['oidc-groups-claim', '<claim>', 'the claim that names groups'],
  ['oidc-groups-prefix', '<prefix>', 'what is put before them'],
  ['oidc-required-claim', '<claim=value>', 'what tokens must say; several with commas'],
  ['oidc-ca-file', '<file>', 'who vouches for the issuer'],
  ['authentication-token-webhook-config-file', '<file>', 'kubeconfig of a service that knows tokens'],
  ['encryption-provider-config', '<file>', 'EncryptionConfiguration: what the log holds encrypted, and with which keys (default: Secrets, with a key in the data directory)'],
  ['deleted-key-grace', '<seconds>', 'how long the key of a deleted object is kept; then nobody can tell what it held (default: 86400)'],
  ['audit-webhook-config-file', '<file>', 'kubeconfig of a service that audit events are sent to, in batches'],
]

/** `--audit-log-path` as options have it: `auditLogPath`. */
export const optionName = (flag: string): string => flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** The same as environments have it: `SHIPLOG_AUDIT_LOG_PATH`. */
export const variableName = (flag: string): string => `SHIPLOG_${flag.replaceAll('-', '_').toUpperCase()}`
