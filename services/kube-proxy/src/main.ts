// The proxy of one node as a process of its own, in the network namespace of the node. It reads Services, EndpointSlices and
// Nodes through the API, as system:kube-proxy may.
//
//   SHIPLOG_NODE_NAME   the node whose rules these are
//   SHIPLOG_NFT         path of nft, 1.0.1 or newer (default: that of PATH)
//   SHIPLOG_CONNTRACK   path of conntrack; without it connections of UDP end by themselves only
//   SHIPLOG_LOAD_BALANCER_POOL  addresses of load balancers that nodes answer for: `172.30.1.0/24,172.30.2.10-172.30.2.20`
//   SHIPLOG_ANNOUNCE_DEVICE     the device on which this node does so, `eth0`; without it it answers for none
import { createServer, type Server } from 'node:net'
import { connectionFromEnvironment } from '@shiplog/api-client/connection-from-environment'
import { parseAddressPool } from '@shiplog/api/address-pool'
import { createNodeAddresses } from '@shiplog/node/node-addresses'
import { createWatchFeed } from '@shiplog/api-client/watch-feed'
import { run } from '@shiplog/runtime/run'
import { createFlowTable } from './flow-table.ts'
import { createKubeProxy, kubeProxyName } from './kube-proxy.ts'
import { createNft } from '@shiplog/node/packet-filter/nft'

await run(kubeProxyName, async ({ env, clock, ids, logger: log, metrics, onStop }) => {
  const connection = connectionFromEnvironment({ env, clock, ids, userAgent: kubeProxyName })
  onStop(() => connection.close())
  const conntrack = env.optional('SHIPLOG_CONNTRACK')
  const device = env.optional('SHIPLOG_ANNOUNCE_DEVICE')
  const pool = env.optional('SHIPLOG_LOAD_BALANCER_POOL')
  const node = {
    name: env.required('SHIPLOG_NODE_NAME'),
    filter: createNft({ nft: env.optional('SHIPLOG_NFT') ?? 'nft' }),
    listen,
    ...(device === undefined ? {} : { addresses: createNodeAddresses({ device }) }),
    ...(conntrack === undefined ? {} : { flows: createFlowTable({ conntrack }) }),
  }
  const feed = createWatchFeed({ connection, clock, log })
  return { service: createKubeProxy({ feed, clock, log, metrics, nodes: [node], pool: pool === undefined ? undefined : parseAddressPool(pool) }) }
})

function listen(port: number): Promise<Server> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, () => resolve(server))
  })
}
