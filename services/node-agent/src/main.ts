// The agents of one or several nodes as a process of its own. They have no way to the log nor to a gateway's
// port: on the bus each speaks as its node and as nobody else, and is told of its node, its pods and what those refer to.
import { createBusApiClient } from '@shiplog/api-client/bus-api-client'
import { createBusFeed } from '@shiplog/api-client/bus-feed'
import { openBusFromEnvironment } from '@shiplog/events/jetstream/nats-from-environment'
import { startHeartbeat } from '@shiplog/control-plane/leases/heartbeat'
import { run } from '@shiplog/runtime/run'
import { agentsOfNodes } from './agents-of-nodes.ts'
import { createNodeAgent, type NodeAgent } from './node-agent.ts'
import { nodeFromEnvironment } from './node-from-environment.ts'

await run('node-agent', async ({ env, clock, ids, logger, signal, vitals, onStop }) => {
  const agents = new Map<string, NodeAgent>()
  for (const node of env.list('SHIPLOG_NODE_NAMES')) {
    const log = logger.child({ node })
    const bus = await openBusFromEnvironment({ env, clock, logger: log, signal, name: node, node })
    onStop(() => bus.close())
    const client = createBusApiClient({ bus, clock, user: `system:node:${node}` })
    // One heartbeat for the process, under the name of its first node.
    if (agents.size === 0) {
      const heart = { client, clock, log, component: 'node-agent', replica: node, holder: ids.uuid(), vitals }
      onStop(startHeartbeat(heart).end)
    }
    const feed = createBusFeed({ bus, clock, ids, log, node })
    const served = await nodeFromEnvironment(env, node, { clock, ids, log })
    const agent = createNodeAgent({ feed, client, bus, nodes: { count: 0 }, ...served, clock, ids, log })
    agents.set(node, agent)
  }
  const service = agentsOfNodes(agents)
  return { service, metrics: () => service.metrics() }
})
