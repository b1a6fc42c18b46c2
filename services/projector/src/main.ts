// The projector as a process of its own: it reads the log with a reader's credentials and writes the SQL tables of the
// PostgreSQL that SHIPLOG_POSTGRES_URL names. Of several replicas each stream is written by one. Where it knows a gateway it
// tells there that it lives; its work does not need one.
import { connectionFromEnvironment } from '@shiplog/api-client/connection-from-environment'
import { createHttpApiClient } from '@shiplog/api-client/http-api-client'
import { openLogFromEnvironment } from '@shiplog/events/jetstream/log-from-environment'
import { optionalEncryption } from '@shiplog/encryption/encryption-from-environment'
import { createPool } from '@shiplog/read-model/database'
import { createPostgresReadModel, prepare } from '@shiplog/read-model/postgres-read-model'
import { startHeartbeat } from '@shiplog/control-plane/leases/heartbeat'
import { run } from '@shiplog/runtime/run'
import { prepareWhenThere } from './prepare-when-there.ts'
import { createProjector } from './projector.ts'

const name = 'shiplog-projector'
const statementTimeoutMs = 120_000

await run(name, async ({ env, clock, ids, logger, replica, vitals, signal, onStop }) => {
  const pool = createPool({
    url: env.required('SHIPLOG_POSTGRES_URL'),
    applicationName: name,
    statementTimeoutMs,
    onError: (err) => logger.debug({ err }, 'a connection to PostgreSQL broke'),
  })
  onStop(() => pool.end())
  await prepareWhenThere({ prepare: () => prepare(pool), clock, logger, signal })
  const log = await openLogFromEnvironment({ env, clock, logger, signal, name, readOnly: true })
  onStop(() => log.close())
  // Without keys it tells of encrypted objects that they are there, and nothing more.
  const encryption = await optionalEncryption({ env, log, writes: false, clock, ids, logger })
  onStop(() => encryption?.stop())
  if (env.optional('SHIPLOG_API_SERVERS') !== undefined) {
    const connection = connectionFromEnvironment({ env, clock, ids, userAgent: name })
    onStop(() => connection.close())
    const client = createHttpApiClient({ connection, clock })
    const heart = startHeartbeat({ client, clock, log: logger, component: name, replica, holder: ids.uuid(), vitals })
    onStop(() => heart.end())
  }
  const model = createPostgresReadModel(pool, encryption?.codec)
  const service = createProjector({ log, model, keys: encryption?.keyring.store, clock, logger })
  return { service, metrics: () => service.metrics() }
})
