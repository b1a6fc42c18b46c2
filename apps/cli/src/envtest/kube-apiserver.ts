// `envtest/bin/kube-apiserver`: the API server alone, by the flags of upstream's, for launchers that start the real one
// (controller-runtime's envtest). It runs without controllers, scheduler and nodes on the embedded log, in memory unless told
// otherwise.
import { mkdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { openLog } from '@shiplog/all-in-one/open-log'
import { createApiGateway } from '@shiplog/api-gateway/api-gateway'
import { bootGateway } from '@shiplog/api-gateway/boot'
import { issueCertificate, newKeyPair } from '@shiplog/control-plane/identity/certificate'
import { optionalAdmissionPlugins } from '@shiplog/domain/admission/plugins'
import type { ClusterLog } from '@shiplog/events/event-log'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { lockDirectory } from '@shiplog/runtime/directory-lock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { advertisedAddress } from '@shiplog/runtime/machine-address'
import { createPinoLogger } from '@shiplog/runtime/pino-logger'
import { shiplogVersion } from '@shiplog/runtime/version'
import { apiServerFlags, type ApiServerOptions, readApiServerOptions } from './api-server-flags.ts'
import { helpText, type ParsedFlags, parseFlags } from './flags.ts'
import { endWithLauncher } from './launcher.ts'
import { servingCertificate } from './serving-certificate.ts'

const program = 'kube-apiserver'
const defaultCertDir = '/var/run/kubernetes'

const say = (line: string): void => void process.stderr.write(`${program}: ${line}\n`)

main(process.argv.slice(2)).catch((error: Error) => {
  say(error.message)
  process.exit(1)
})

async function main(args: readonly string[]): Promise<void> {
  const flags = parseFlags(apiServerFlags, args)
  if (flags.wantsHelp) return void process.stdout.write(helpText(`${program} of Shiplog ${shiplogVersion}`, apiServerFlags))
  if (flags.isOn('version')) return void process.stdout.write(`Shiplog ${shiplogVersion}\n`)
  if (flags.unknown.length > 0) say(`not looked at: ${flags.unknown.map((name) => `--${name}`).join(', ')}`)
  const server = await start(readApiServerOptions(flags, (path) => readFileSync(path, 'utf8')), flags)
  endWithLauncher(() => server.stop(), say)
}

/** Authorities whose certificates are believed: nobody's, when no file names any. */
function clientAuthorities(file: string | undefined): string {
  if (file !== undefined) return file
  const nowMs = clock.nowMs()
  return issueCertificate({ use: 'authority', commonName: 'nobody', notBeforeMs: nowMs, notAfterMs: nowMs + 1_000 }, newKeyPair())
}

async function start(options: ApiServerOptions, flags: ParsedFlags<typeof apiServerFlags>) {
  const { dataDir, host, port, serviceRanges, serviceAccounts, tokenFile } = options
  const logger = createPinoLogger({ name: program, level: Number(flags.value('v') ?? 0) >= 4 ? 'debug' : 'warn' })
  const { log, close } = await openTestLog(dataDir)
  const address = options.advertiseAddress ?? advertisedAddress(host)
  const files = { certFile: flags.value('tls-cert-file'), keyFile: flags.value('tls-private-key-file') }
  const certDir = flags.value('cert-dir') ?? defaultCertDir
  const serving = servingCertificate({ ...files, certDir }, [address, '127.0.0.1'], clock.nowMs())
  const gateway = createApiGateway({
    ...{ log, clock, ids, logger, serviceRanges, externalHost: address },
    ...(serviceAccounts ? { serviceAccounts } : {}),
    ...(tokenFile === undefined ? {} : { tokenFile }),
    https: { host, port, ca: clientAuthorities(options.clientCa), ...serving },
    anonymousAuth: options.anonymousAuth,
    authorizationModes: options.modes,
    disabledAdmissionPlugins: options.disabledAdmissionPlugins,
    // Of others nothing is to be turned on: they are on, or are not here.
    enabledAdmissionPlugins: options.enabledAdmissionPlugins.filter((name) => optionalAdmissionPlugins.includes(name)),
  })
  const boot = bootGateway({ gateway, clock, logger, address, serviceRanges, keepSystemObjects: true })
  await boot.start()
  const finishing = boot.finish()
  say(`serving on https://${host}:${gateway.port}`)
  return {
    async stop() {
      await finishing
      await boot[Symbol.asyncDispose]()
      await gateway.stop()
      await close()
      if (dataDir !== undefined) say(`the history of this run: npx shiplog log --data-dir ${dataDir}`)
    },
  }
}

/** In memory, or where `shiplog log` and its like find it afterwards. */
async function openTestLog(dataDir: string | undefined): Promise<{ readonly log: ClusterLog; close(): Promise<void> }> {
  if (dataDir === undefined) {
    const log = await openSqliteClusterLog({ dataDir: ':memory:' })
    return { log, close: () => log.close() }
  }
  const directory = resolve(dataDir)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const lock = lockDirectory(directory)
  const options = { choice: 'embedded', clock, logger: silentLogger, progress: () => undefined } as const
  const opened = await openLog({ ...options, dataDir: directory, findNatsServer: () => Promise.resolve(undefined) })
  return {
    log: opened.log,
    async close() {
      await opened.log.close()
      await opened.stop()
      lock.release()
    },
  }
}
