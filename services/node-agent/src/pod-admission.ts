// Whether a node takes a pod that was bound to it (the kubelet's pkg/kubelet/lifecycle/predicate.go): a pod may name its node
// itself, and schedulers may be wrong. The rules are those of the scheduler; reasons and sentences are the kubelet's.
// Not here: a critical pod does not push others out to get room.
import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import { isTolerated } from '@shiplog/scheduling/plugins/tolerations'
import { NodeInfo } from '@shiplog/scheduling/snapshot/node-info'
import { createPodReader, type HostPort, type PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
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

/** Node objects as the scheduler reads them, without pods. */
const readNodes = new WeakMap<Node, NodeInfo>()

function readNode(node: Node): NodeInfo {
  let info = readNodes.get(node)
  if (info === undefined) {
    info = new NodeInfo(node.metadata.name, 0)
    info.update(node)
    readNodes.set(node, info)
  }
  return info
}

/** Why a node whose other pods need this does not take a pod; undefined: it does. */
export function podRejection(
  pod: Pod,
  needs: PodInfo,
  node: Node,
  others: readonly PodInfo[],
): PodRejection | undefined {
  const info = readNode(node)
  return systemRejection(pod) ?? shortage(needs, info, others) ?? mismatch(needs, info, others)
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
function shortage({ shape: { requests } }: PodInfo, node: NodeInfo, others: readonly PodInfo[]): PodRejection | undefined {
  if (others.length + 1 > node.podsMax) return outOf('pods', 1, others.length, node.podsMax)
  // Extended resources that the node does not know at all are the business of somebody else.
  const extended = [...(requests.scalars?.keys() ?? [])].filter((name) => node.allocatable.scalars?.has(name))
  for (const name of [...basicResources, ...extended]) {
    const requested = amountOf(requests, name)
    if (requested === 0) continue
    let used = 0
    for (const { shape } of others) used += amountOf(shape.requests, name)
    const capacity = node.offers(name)
    if (requested > capacity - used) return outOf(name, requested, used, capacity)
  }
  return undefined
}

const outOf = (name: string, requested: number, used: number, capacity: number): PodRejection => ({
  reason: `OutOf${name}`,
  message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
})

const anyAddress = '0.0.0.0'

const clash = (one: HostPort, other: HostPort): boolean =>
  one.port === other.port &&
  one.protocol === other.protocol &&
  (one.ip === other.ip || one.ip === anyAddress || other.ip === anyAddress)

function mismatch({ shape }: PodInfo, node: NodeInfo, others: readonly PodInfo[]): PodRejection | undefined {
  if (shape.required?.matches(node) === false)
    return failed('NodeAffinity', "node(s) didn't match Pod's node affinity/selector")
  if (shape.hostPorts.some((port) => others.some((other) => other.shape.hostPorts.some((taken) => clash(port, taken)))))
    return failed('NodePorts', "node(s) didn't have free ports for the requested pod ports")
  const isHostile = node.taints.some((taint) => taint.effect === 'NoExecute' && !isTolerated(shape.tolerations, taint))
  return isHostile ? failed('TaintToleration', "node(s) had taints that the pod didn't tolerate") : undefined
}

const failed = (predicate: string, why: string): PodRejection => ({
  reason: predicate,
  message: `Predicate ${predicate} failed: ${why}`,
})
