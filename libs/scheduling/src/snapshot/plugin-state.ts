// What a plugin keeps from event to event, so that a decision need not go through all pods.
import type { NodeInfo } from './node-info.ts'
import type { PodInfo } from './pod-info.ts'

/** Told of every pod that comes to a node or leaves it, bound or assumed. Pods of nodes that do not exist count nowhere. */
export interface PluginState {
  /** With its pods. Also after its labels or images changed: the node was removed before. */
  nodeAdded(node: NodeInfo): void
  /** With its pods and the labels and images that it had. */
  nodeRemoved(node: NodeInfo): void
  podAdded(pod: PodInfo, node: NodeInfo): void
  podRemoved(pod: PodInfo, node: NodeInfo): void
}
