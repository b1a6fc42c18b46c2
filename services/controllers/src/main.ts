// The controller manager as a process of its own: it reads the log with a reader's credentials and writes through the
// gateways. Several replicas divide the keys among themselves; a dead one's share moves on within five seconds.
import { parseAddressPool } from '@shiplog/api/address-pool'
import { parseIpRanges } from '@shiplog/api/ip-address'
import { connectionFromEnvironment } from '@shiplog/api-client/connection-from-environment'
import { createHttpApiClient } from '@shiplog/api-client/http-api-client'
import { meteredClient } from '@shiplog/api-client/client-metrics'
import { openLogFromEnvironment } from '@shiplog/events/jetstream/log-from-environment'
import { createObjectFeed } from '@shiplog/feed/object-feed-from-log'
import { createCertificateSigner } from '@shiplog/control-plane/identity/certificate-signer'
import { createTokenSigner } from '@shiplog/control-plane/identity/signed-token'
import { signingKeyOf } from '@shiplog/control-plane/identity/token-keys'
import { startHeartbeat } from '@shiplog/control-plane/leases/heartbeat'
import { createReplica, replicaIdLength } from '@shiplog/replicas/replica'
import { workQueueSamples } from '@shiplog/reconcile/work-queue-metrics'
import { nameSuffix } from '@shiplog/runtime/ids'
import { run } from '@shiplog/runtime/run'
import { controllerManagerName as name, createControllerManager } from './controller-manager.ts'

await run(name, async ({ env, clock, ids, logger: log, metrics, replica, vitals, signal, onStop }) => {
  const events = await openLogFromEnvironment({ env, clock, logger: log, signal, name, readOnly: true })
  onStop(() => events.close())
  const connection = connectionFromEnvironment({ env, clock, ids, userAgent: name })
  onStop(() => connection.close())
  const host = (): string => connection.server.replace('https://', '')
  const client = meteredClient(createHttpApiClient({ connection, clock }), { metrics, clock, host })
  const { end } = startHeartbeat({ client, clock, log, component: name, replica, holder: ids.uuid(), vitals })
  onStop(end)
  const feed = createObjectFeed(events)
  onStop(() => feed.stop())
  const rootCa = env.file('SHIPLOG_API_CA')
  const controllers = env.optional('SHIPLOG_CONTROLLERS')?.split(',') ?? ['*']
  const pool = env.optional('SHIPLOG_LOAD_BALANCER_POOL')
  const loadBalancerPool = pool === undefined ? undefined : parseAddressPool(pool)
  const [tokenKey, authorityKey] = [env.optionalFile('SHIPLOG_SERVICE_ACCOUNT_KEY'), env.optionalFile('SHIPLOG_CA_KEY')]
  const nodeCidrs = { podRanges: env.parsed('SHIPLOG_POD_CIDR', parseIpRanges) }
  const signers = {
    tokenSigner: tokenKey === undefined ? undefined : createTokenSigner(signingKeyOf(tokenKey)),
    certificateSigner:
      authorityKey === undefined ? undefined : createCertificateSigner({ certificate: rootCa, key: authorityKey }),
  }
  const service = createReplica({
    client,
    clock,
    log,
    component: name,
    id: nameSuffix(ids, replicaIdLength),
    create: (fenced, shares) =>
      createControllerManager({
        ...{ feed, client: fenced, shares, clock, ids, log, rootCa, controllers, nodeCidrs, loadBalancerPool, metrics },
        ...signers,
      }),
  })
  return { service, metrics: () => [...service.metrics(), ...workQueueSamples(service.worker.metrics())] }
})
