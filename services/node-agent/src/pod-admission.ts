// Whether a node takes a pod that was bound to it (the kubelet's pkg/kubelet/lifecycle/predicate.go): a pod may name its node
// itself, and schedulers may be wrong. The rules are those of the scheduler; reasons and sentences are the kubelet's.
// Not here: a critical pod does not push others out to get room.
import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import { isTolerated } from '@shiplog/scheduling/plugins/tolerations'
import { NodeInfo } from '@shiplog/scheduling/snapshot/node-info'
import { createPodReader, type PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import { amountOf } from '@shiplog/scheduling/snapshot/resources'

/** Why a pod is not taken. */
export interface PodRejection {
  readonly reason: string
  readonly message: string
}

const osLabel = 'kubernetes.io/os'
const os = 'linux'
const basicResources = ['cpu', 'memory', 'ephemeral-storage'] as const

const read = createPodReader()

/** What a pod wants and takes; read anew when its specification has changed. */
export const podNeeds = (pod: Pod, before?: PodInfo): PodInfo =>
  before !== undefined && before.generation === pod.metadata.generation ? before : read(pod)

/** Why a node with these other pods does not take this one; undefined: it does. */
export function podRejection(pod: Pod, node: Node, others: Iterable<PodInfo>): PodRejection | undefined {
  const otherSystem = systemRejection(pod)
  if (otherSystem) return otherSystem
  const info = new NodeInfo(node.metadata.name, 0)
  info.update(node)
  for (const other of others) info.add(other)
  const wanted = read(pod)
  return shortage(wanted, info) ?? mismatch(wanted, info)
}

function systemRejection({ metadata, spec }: Pod): PodRejection | undefined {
  const label = metadata.labels?.[osLabel]
  if (label !== undefined && label !== os) {
    const message = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label"
    return { reason: 'PodOSSelectorNodeLabelDoesNotMatch', message }
  }
  if (spec.os === undefined || spec.os.name === os) return undefined
  return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" }
}

/** The first resource of which there is not enough. */
function shortage({ shape: { requests } }: PodInfo, node: NodeInfo): PodRejection | undefined {
  if (node.pods.size + 1 > node.podsMax) return outOf('pods', 1, node.pods.size, node.podsMax)
  // Extended resources that the node does not know at all are the business of somebody else.
  const extended = [...(requests.scalars?.keys() ?? [])].filter((name) => node.allocatable.scalars?.has(name))
  for (const name of [...basicResources, ...extended]) {
    const requested = amountOf(requests, name)
    const [used, capacity] = [node.requested(name), node.offers(name)]
    if (requested > 0 && requested > capacity - used) return outOf(name, requested, used, capacity)
  }
  return undefined
}

const outOf = (name: string, requested: number, used: number, capacity: number): PodRejection => ({
  reason: `OutOf${name}`,
  message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
})

function mismatch({ shape }: PodInfo, node: NodeInfo): PodRejection | undefined {
  if (shape.required?.matches(node) === false)
    return failed('NodeAffinity', "node(s) didn't match Pod's node affinity/selector")
  if (shape.hostPorts.some((port) => node.holdsPort(port)))
    return failed('NodePorts', "node(s) didn't have free ports for the requested pod ports")
  const isHostile = node.taints.some((taint) => taint.effect === 'NoExecute' && !isTolerated(shape.tolerations, taint))
  return isHostile ? failed('TaintToleration', "node(s) had taints that the pod didn't tolerate") : undefined
}

const failed = (predicate: string, why: string): PodRejection => ({
  reason: predicate,
  message: `Predicate ${predicate} failed: ${why}`,
})
