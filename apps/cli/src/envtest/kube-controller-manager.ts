// `envtest/bin/kube-controller-manager`: the controllers alone, for test suites that want them beside the API server. They
// follow the log through the API server that the kubeconfig names, and write through it.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { createApiConnection } from '@shiplog/api-client/api-connection'
import { createGatewayLog } from '@shiplog/api-client/gateway-log'
import { createHttpApiClient } from '@shiplog/api-client/http-api-client'
import { createCertificateSigner } from '@shiplog/control-plane/identity/certificate-signer'
import { createTokenSigner } from '@shiplog/control-plane/identity/signed-token'
import { signingKeyOf } from '@shiplog/control-plane/identity/token-keys'
import { controllerManagerName as program, createControllerManager } from '@shiplog/controllers/controller-manager'
import { createObjectFeed } from '@shiplog/feed/object-feed-from-log'
import { createReplica, replicaIdLength } from '@shiplog/replicas/replica'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { nameSuffix, systemIds as ids } from '@shiplog/runtime/ids'
import { createPinoLogger } from '@shiplog/runtime/pino-logger'
import type { Service } from '@shiplog/runtime/service'
import { shiplogVersion } from '@shiplog/runtime/version'
import { credentialsIn } from '../kubeconfig-credentials.ts'
import { controllerManagerFlags, type ControllerManagerOptions, readControllerManagerOptions } from './controller-manager-flags.ts'
import { helpText, parseFlags } from './flags.ts'
import { endWithLauncher } from './launcher.ts'
import { servingCertificate } from './serving-certificate.ts'

const say = (line: string): void => void process.stderr.write(`${program}: ${line}\n`)

main(process.argv.slice(2)).catch((error: Error) => {
  say(error.message)
  process.exit(1)
})

async function main(args: readonly string[]): Promise<void> {
  const flags = parseFlags(controllerManagerFlags, args)
  if (flags.wantsHelp) return void process.stdout.write(helpText(`${program} of Shiplog ${shiplogVersion}`, controllerManagerFlags))
  if (flags.isOn('version')) return void process.stdout.write(`Shiplog ${shiplogVersion}\n`)
  if (flags.unknown.length > 0) say(`not looked at: ${flags.unknown.map((name) => `--${name}`).join(', ')}`)
  const options = readControllerManagerOptions(flags, (path) => readFileSync(path, 'utf8'))
  const manager = await start(options, Number(flags.value('v') ?? 0) >= 4 ? 'debug' : 'warn')
  endWithLauncher(() => manager.stop(), say)
}

async function start(options: ControllerManagerOptions, level: 'debug' | 'warn') {
  const log = createPinoLogger({ name: program, level })
  const { server, ca, cert, key, token } = credentialsIn(options.kubeconfig)
  const text = (bytes: Buffer | undefined): string => bytes?.toString('utf8') ?? ''
  const connection = createApiConnection({
    ...{ servers: [server], ca: text(ca), userAgent: program, clock },
    credentials: token === undefined ? { certificate: text(cert), key: text(key) } : { token },
  })
  const client = createHttpApiClient({ connection, clock })
  const feed = createObjectFeed(
    createGatewayLog({ server, ...(ca ? { ca } : {}), ...(cert && key ? { cert, key } : {}), ...(token === undefined ? {} : { token }) }),
  )
  const { signing, tokenKey, controllers, nodeCidrs } = options
  const shared = {
    ...{ feed, clock, ids, log, rootCa: options.rootCa ?? text(ca), controllers, nodeCidrs },
    tokenSigner: tokenKey === undefined ? undefined : createTokenSigner(signingKeyOf(tokenKey)),
    certificateSigner: signing && createCertificateSigner(signing),
  }
  const service: Service = options.leaderElect
    ? createReplica({
        ...{ client, clock, log, component: program },
        id: nameSuffix(ids, replicaIdLength),
        create: (fenced, shares) => createControllerManager({ ...shared, client: fenced, shares }),
      })
    : createControllerManager({ ...shared, client })
  const health = options.port === 0 ? undefined : await serveHealth(options, service)
  await service.start()
  say('the controllers run')
  return {
    async stop() {
      health?.close()
      await service.stop()
      feed.stop()
      connection.close()
    },
  }
}

/** `/healthz`, as launchers wait for it. */
function serveHealth({ host, port, certDir }: ControllerManagerOptions, service: Service) {
  const files = { certFile: undefined, keyFile: undefined, certDir }
  const serving = servingCertificate({ ...files, baseName: program }, [host, '127.0.0.1'], clock.nowMs())
  const server = createServer({ ...serving }, (_, reply) => {
    const isWell = service.health().every(({ ok }) => ok)
    reply.writeHead(isWell ? 200 : 500, { 'content-type': 'text/plain' })
    reply.end(isWell ? 'ok' : 'not ok')
  })
  return new Promise<typeof server>((settle, reject) => {
    server.on('error', reject)
    server.listen(port, host, () => settle(server))
  })
}
