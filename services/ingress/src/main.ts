// The ingress as a process of its own. It reads Ingresses and what they refer to through the API, writes their status and Events,
// and connects to pods.
//
//   SHIPLOG_INGRESS_HOST         address that it listens on (default 0.0.0.0)
//   SHIPLOG_INGRESS_HTTP_PORT    default 80
//   SHIPLOG_INGRESS_HTTPS_PORT   default 443
//   SHIPLOG_INGRESS_ADDRESSES    what is written into Ingresses, with commas (default this machine's address)
//   SHIPLOG_INGRESS_ACCESS_LOG   `off`: requests are not logged
//   SHIPLOG_INGRESS_DOOR         socket of the network of nodes of containers, when pods are reached through it
import { connect } from 'node:net'
import { connectionFromEnvironment } from '@shiplog/api-client/connection-from-environment'
import { createHttpApiClient } from '@shiplog/api-client/http-api-client'
import { createWatchFeed } from '@shiplog/api-client/watch-feed'
import { dialThrough } from '@shiplog/node/containerd/door'
import { machineAddress } from '@shiplog/runtime/machine-address'
import { run } from '@shiplog/runtime/run'
import type { DialPod } from './engine/pools.ts'
import { createIngress, ingressName as name } from './ingress.ts'

const dialDirectly: DialPod = (host, port, signal) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, ...(signal ? { signal } : {}) })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })

await run(name, async ({ env, clock, ids, logger: log, metrics, onStop }) => {
  const connection = connectionFromEnvironment({ env, clock, ids, userAgent: name })
  onStop(() => connection.close())
  const door = env.optional('SHIPLOG_INGRESS_DOOR')
  const service = createIngress({
    ...{ clock, ids, log, metrics },
    feed: createWatchFeed({ connection, clock, log }),
    client: createHttpApiClient({ connection, clock }),
    host: env.optional('SHIPLOG_INGRESS_HOST') ?? '0.0.0.0',
    httpPort: env.number('SHIPLOG_INGRESS_HTTP_PORT', 80),
    httpsPort: env.number('SHIPLOG_INGRESS_HTTPS_PORT', 443),
    addresses: env.optional('SHIPLOG_INGRESS_ADDRESSES') ? env.list('SHIPLOG_INGRESS_ADDRESSES') : [machineAddress()],
    accessLog: env.optional('SHIPLOG_INGRESS_ACCESS_LOG') !== 'off',
    dial: door === undefined ? dialDirectly : dialThrough(door),
  })
  return { service }
})
