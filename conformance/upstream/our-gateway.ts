// Our API gateway alone, as upstream's API server is alone: nothing moves by itself, so that answers can be compared.
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadPki } from '@shiplog/all-in-one/pki'
import { createApiGateway } from '@shiplog/api-gateway/api-gateway'
import { bootGateway } from '@shiplog/api-gateway/boot'
import { parseServiceRanges } from '@shiplog/domain/service/ip-range'
import { openSqliteClusterLog } from '@shiplog/events/sqlite/sqlite-log'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger as logger } from '@shiplog/runtime/logger'
import { createHttpClient, type HttpClient } from '../src/http.ts'

export interface OurGateway {
  readonly http: HttpClient
  stop(): Promise<void>
}

export async function startOurGateway(serviceCidr = '10.96.0.0/12'): Promise<OurGateway> {
  const serviceRanges = parseServiceRanges(serviceCidr)
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-compared-'))
  const pki = loadPki({ directory: join(directory, 'pki'), nowMs: clock.nowMs() })
  const log = await openSqliteClusterLog({ dataDir: ':memory:' })
  const host = '127.0.0.1'
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  const signingKey = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  const gateway = createApiGateway({
    ...{ log, clock, ids, logger, serviceRanges },
    serviceAccounts: { issuers: ['https://kubernetes.default.svc'], signingKey },
    https: { host, port: 0, ca: pki.ca, cert: pki.server.certificate, key: pki.server.key },
  })
  const boot = bootGateway({ gateway, clock, logger, address: host, serviceRanges, keepSystemObjects: false })
  await boot.start()
  await boot.finish()
  const http = createHttpClient({
    server: `https://${host}:${gateway.port}`,
    ca: Buffer.from(pki.ca),
    cert: Buffer.from(pki.admin.certificate),
    key: Buffer.from(pki.admin.key),
  })
  return {
    http,
    async stop() {
      http.close()
      await gateway.stop()
      await log.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
