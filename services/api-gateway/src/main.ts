// A gateway as a process of its own: any number of them on one log serve the same. Certificates are made by
// `shiplog pki`; SHIPLOG_DATA_DIR keeps nothing but the high-water mark, which tells a damaged log from a whole one.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseServiceRanges } from '@shiplog/domain/service/ip-range'
import { openLogFromEnvironment } from '@shiplog/events/jetstream/log-from-environment'
import { encryptionFromEnvironment } from '@shiplog/encryption/encryption-from-environment'
import { probeNatsServers } from '@shiplog/nats-server/server-probe'
import { openBusFromEnvironment } from '@shiplog/events/jetstream/nats-from-environment'
import { advertisedAddress } from '@shiplog/runtime/machine-address'
import type { Environment } from '@shiplog/runtime/environment'
import { run } from '@shiplog/runtime/run'
import { createApiGateway } from './api-gateway.ts'
import { defaultIssuer } from '@shiplog/control-plane/identity/token-claims'
import type { FrontProxy } from './aggregation/aggregated-services.ts'
import type { ServiceAccountOptions } from './access/service-account-tokens.ts'
import { optionName, serverFlags, variableName } from './configuration/flag-names.ts'
import { readServerFlags, type ServerFlags } from './configuration/server-flags.ts'
import { guardedGateway } from './guarded-gateway.ts'
import { markOf } from '@shiplog/events/integrity/guarded-log'

await run('kube-apiserver', async ({ env, clock, ids, logger, metrics, replica, vitals, signal, onStop }) => {
  const dataDir = env.required('SHIPLOG_DATA_DIR')
  const mark = await markOf(dataDir)
  const expected = mark ? { expectIncarnation: mark.incarnation } : {}
  const nats = { env, clock, logger, signal, name: 'api-gateway' }
  const bus = await openBusFromEnvironment(nats)
  onStop(() => bus.close())
  const log = await openLogFromEnvironment({ ...nats, readOnly: false, ...expected })
  onStop(() => log.close())
  const encryption = await encryptionFromEnvironment({ env, log, writes: true, clock, ids, logger })
  onStop(() => encryption.stop())
  const host = env.optional('SHIPLOG_HOST') ?? '0.0.0.0'
  const address = env.optional('SHIPLOG_ADVERTISE_ADDRESS') ?? advertisedAddress(host)
  const probeLogServers = () => probeNatsServers(env.list('SHIPLOG_NATS_URL'), clock)
  const serviceRanges = env.parsed('SHIPLOG_SERVICE_CIDR', parseServiceRanges)
  const parts = { log, dataDir, mark, clock, ids, logger, address, serviceRanges, replica, vitals, probeLogServers }
  const service = await guardedGateway(parts, (guarded) => {
    const [ca, cert, key] = [env.file('SHIPLOG_CA'), env.file('SHIPLOG_SERVER_CERT'), env.file('SHIPLOG_SERVER_KEY')]
    const https = { host, port: env.number('SHIPLOG_PORT', 6_443), ca, cert, key }
    const tokenFile = env.optionalFile('SHIPLOG_TOKEN_FILE') ?? ''
    const serviceAccounts = serviceAccountsFromEnvironment(env)
    const frontProxy = frontProxyFromEnvironment(env)
    const dashboard = dashboardFromEnvironment(env)
    return createApiGateway({
      ...{ ...guarded, encryption, bus, tokenFile, serviceRanges, clock, ids, logger, metrics, https, externalHost: address, dashboard },
      ...(serviceAccounts ? { serviceAccounts } : {}),
      ...(frontProxy ? { frontProxy } : {}),
      ...readServerFlags(flagsFromEnvironment(env)),
    })
  })
  return { service }
})

/** `SHIPLOG_AUDIT_POLICY_FILE` is `--audit-policy-file`. A function: it is called before this line is reached. */
function flagsFromEnvironment(env: Environment): ServerFlags {
  const given = serverFlags.flatMap(([name]) => {
    const value = env.optional(variableName(name))
    return value === undefined ? [] : [[optionName(name), value]]
  })
  return Object.fromEntries(given)
}

/** The directory of the dashboard's built files: named, or beside a bundle; without either there is no /dashboard. */
function dashboardFromEnvironment(env: Environment): (() => Promise<string>) | undefined {
  const named = env.optional('SHIPLOG_DASHBOARD_DIR')
  const beside = join(import.meta.dirname, 'dashboard')
  const directory = named || (existsSync(join(beside, 'index.html')) ? beside : undefined)
  return directory === undefined ? undefined : () => Promise.resolve(directory)
}

/** Undefined without a certificate: then others' API servers have no way to know whom this gateway speaks for. */
function frontProxyFromEnvironment(env: Environment): FrontProxy | undefined {
  const [ca, certificate, key] = [
    env.optionalFile('SHIPLOG_FRONT_PROXY_CA'),
    env.optionalFile('SHIPLOG_FRONT_PROXY_CERT'),
    env.optionalFile('SHIPLOG_FRONT_PROXY_KEY'),
  ]
  return ca !== undefined && certificate !== undefined && key !== undefined ? { ca, certificate, key } : undefined
}

/** Undefined without a key: then there are no tokens of service accounts. */
function serviceAccountsFromEnvironment(env: Environment): ServiceAccountOptions | undefined {
  const signingKey = env.optionalFile('SHIPLOG_SERVICE_ACCOUNT_KEY')
  const publicKeys = env.optionalFile('SHIPLOG_SERVICE_ACCOUNT_PUBLIC_KEYS')
  if (signingKey === undefined && publicKeys === undefined) return undefined
  const issuers = (env.optional('SHIPLOG_SERVICE_ACCOUNT_ISSUERS') ?? defaultIssuer).split(',')
  return { issuers, ...(signingKey ? { signingKey } : {}), ...(publicKeys ? { publicKeys } : {}) }
}
