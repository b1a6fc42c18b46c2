// The agent of one simulated node as a process of its own. It has no credentials for the log: it watches its node and its
// pods through a gateway, as `system:node:<name>`, and sees nothing else.
import { connectionFromEnvironment } from '@shiplog/api-client/connection-from-environment'
import { createHttpApiClient } from '@shiplog/api-client/http-api-client'
import { createWatchFeed } from '@shiplog/api-client/watch-feed'
import { createSimulatedRuntime } from '@shiplog/node/simulated-runtime'
import { startHeartbeat } from '@shiplog/reconcile/heartbeat'
import { gauge } from '@shiplog/runtime/metrics'
import { run } from '@shiplog/runtime/run'
import { createNodeAgent } from './node-agent.ts'
import { simulatedNode } from './node-object.ts'

await run('node-agent', async ({ env, clock, ids, logger: log, vitals, onStop }) => {
  const node = simulatedNode(env.required('SHIPLOG_NODE_NAME'))
  const connection = connectionFromEnvironment({ env, clock, ids, userAgent: 'kubelet' })
  onStop(() => connection.close())
  const client = createHttpApiClient({ connection, clock })
  const heart = { client, clock, log, component: 'node-agent', replica: node.name, holder: ids.uuid(), vitals }
  const { end } = startHeartbeat(heart)
  onStop(end)
  const service = createNodeAgent({
    feed: createWatchFeed({
      connection,
      clock,
      fieldSelectors: { nodes: `metadata.name=${node.name}`, pods: `spec.nodeName=${node.name}` },
    }),
    client,
    runtime: createSimulatedRuntime({ clock, ids }),
    nodes: { count: 0 },
    extraNodes: [node],
    ...{ clock, ids, log },
  })
  return { service, metrics: () => [gauge('kubelet_running_pods', service.podCount())] }
})
