// What a binding takes of its node, and what it leaves: by this a gateway tells whether bindings of several schedulers, made
// at the same moment, fit beside each other (ApiRequest.once).
import type { Claim } from '@shiplog/api/api-client'
import type { NodeInfo } from '@shiplog/scheduling/snapshot/node-info'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import { amountOf } from '@shiplog/scheduling/snapshot/resources'

/** A pod for which a node has to be seen as it is: ports are there or not, there is no quantity of them. */
export const mayClaim = (pod: PodInfo): boolean => pod.shape.hostPorts.length === 0

/** The claim of a pod that the node does not count yet. */
export function claimOf(pod: PodInfo, node: NodeInfo, order: number): Claim {
  const { requests } = pod.shape
  const take: Record<string, number> = { pods: 1 }
  const room: Record<string, number> = { pods: node.podsMax - node.pods.size - 1 }
  for (const name of ['cpu', 'memory', 'ephemeral-storage', ...(requests.scalars?.keys() ?? [])]) {
    const amount = amountOf(requests, name)
    if (amount === 0) continue
    take[name] = amount
    room[name] = node.offers(name) - node.requested(name) - amount
  }
  return { order, take, room }
}
