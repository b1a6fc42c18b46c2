// What a binding takes of its node, and what it leaves: by this a gateway tells whether bindings of several schedulers, made
// at the same moment, fit beside each other (ApiRequest.once).
import type { Claim, Once } from '@shiplog/api/api-client'
import type { NodeInfo } from '@shiplog/scheduling/snapshot/node-info'
import { createPodCounts } from '@shiplog/scheduling/counts/pod-counts'
import { hostname, type KnownTerms } from './known-terms.ts'
import type { PodInfo, PodShape } from '@shiplog/scheduling/snapshot/pod-info'
import type { Snapshot } from '@shiplog/scheduling/snapshot/snapshot'
import { amountOf } from '@shiplog/scheduling/snapshot/resources'

/**
 * False for a pod for which a node has to be seen as it is: ports are there or not, and so are the pods that it cannot be with.
 * Whoever binds to the node at the same moment, even a pod that knows nothing of such terms, is in the way then.
 */
export const mayClaim = ({ shape }: PodInfo): boolean =>
  shape.hostPorts.length === 0 && !exclusiveKeys(shape).has(hostname)

/** The topology keys by which a pod wants others away, or even. */
const exclusiveKeys = ({ terms, spread }: PodShape): Set<string> =>
  new Set([
    ...(terms?.requiredAnti ?? []).map(({ topologyKey }) => topologyKey),
    ...spread.filter(({ isHard }) => isHard).map(({ topologyKey }) => topologyKey),
  ])

/**
 * The domains larger than a node in which a binding may be at odds with another one that its decision could not see: by what
 * the pod requires, and by what other pods require of it, be they placed or on their way. Sorted.
 */
export function contestedDomains(pod: PodInfo, node: NodeInfo, snapshot: Snapshot, known: KnownTerms): readonly string[] {
  const keys = exclusiveKeys(pod.shape)
  const { objects } = snapshot
  for (const key of known.keysFor(pod, (name) => objects.namespaceLabels(name), objects.namespaceVersion)) keys.add(key)
  for (const { kind, term } of snapshot.stateOf(createPodCounts).matching(pod)) {
    if (kind === 'anti') keys.add(term.topologyKey)
  }
  keys.delete(hostname)
  return [...keys]
    .filter((key) => Object.hasOwn(node.labels, key))
    .map((key) => `domain/${key}=${node.labels[key]}`)
    .sort()
}

/** For pods that are bound together: their nodes have to be seen as they are, and so have their domains. */
export function onceTogether(
  placements: readonly { readonly pod: PodInfo; readonly node: string }[],
  round: string,
  snapshot: Snapshot,
  known: KnownTerms,
): Once {
  const matters = placements.flatMap(({ pod, node: name }) => {
    const node = snapshot.node(name)
    return [`node/${name}`, ...(node ? contestedDomains(pod, node, snapshot, known) : [])]
  })
  const [matter, ...also] = [...new Set(matters)].sort()
  return { matter: matter!, round, ...(also.length > 0 ? { also } : {}) }
}

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
