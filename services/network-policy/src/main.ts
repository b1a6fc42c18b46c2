// The enforcement of NetworkPolicies on one node as a process of its own, in the network namespace of the node. It reads
// NetworkPolicies, pods and namespaces through the API, and may do nothing else there.
//
//   SHIPLOG_NODE_NAME       the node whose rules these are
//   SHIPLOG_NFT             path of nft, 1.0.1 or newer (default: that of PATH)
//   SHIPLOG_POD_INTERFACE   where pods are plugged in: `cni0` (default), or with `*` at its end the beginning of names: `cali*`
import { connectionFromEnvironment } from '@shiplog/api-client/connection-from-environment'
import { createWatchFeed } from '@shiplog/api-client/watch-feed'
import { createNft } from '@shiplog/node/packet-filter/nft'
import { run } from '@shiplog/runtime/run'
import { podInterfaceDefault } from './base-rules.ts'
import { createNetworkPolicies, networkPolicyName } from './network-policy.ts'

await run(networkPolicyName, async ({ env, clock, ids, logger: log, metrics, onStop }) => {
  const connection = connectionFromEnvironment({ env, clock, ids, userAgent: networkPolicyName })
  onStop(() => connection.close())
  const node = {
    name: env.required('SHIPLOG_NODE_NAME'),
    podInterface: env.optional('SHIPLOG_POD_INTERFACE') ?? podInterfaceDefault,
    filter: createNft({ nft: env.optional('SHIPLOG_NFT') ?? 'nft' }),
  }
  const feed = createWatchFeed({ connection, clock, log })
  return { service: createNetworkPolicies({ feed, clock, log, metrics, nodes: [node] }) }
})
