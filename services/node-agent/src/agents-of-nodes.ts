// Agents of several nodes in one process, as one service. Each has a connection of its own, since on the bus it can speak
// only as its node.
import { gauge, type MetricSample } from '@shiplog/runtime/metrics'
import type { Service } from '@shiplog/runtime/service'
import type { NodeAgent } from './node-agent.ts'

/** Starts and stops all of them together; a health check names its node. */
export function agentsOfNodes(
  agents: ReadonlyMap<string, NodeAgent>,
): Service & { metrics(): readonly MetricSample[] } {
  const all = [...agents.values()]
  const each = async (what: (agent: NodeAgent) => Promise<void>): Promise<void> => {
    await Promise.all(all.map(what))
  }
  return {
    name: 'node-agent',
    start: () => each((agent) => agent.start()),
    stop: () => each((agent) => agent.stop()),
    health: () =>
      [...agents].flatMap(([node, agent]) =>
        agent.health().map((check) => ({ ...check, name: agents.size === 1 ? check.name : `${check.name}-${node}` })),
      ),
    metrics: () => [
      gauge(
        'kubelet_running_pods',
        all.reduce((sum, agent) => sum + agent.podCount(), 0),
      ),
    ],
  }
}
