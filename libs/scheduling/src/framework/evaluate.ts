// The filters, one node at a time: the first plugin that rejects a node is the one that is reported, as upstream.
import type { Plugin, Rejection } from './framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'

/** A node that will not do, and the first plugin that said so. */
export interface RejectedNode {
  readonly node: NodeInfo
  readonly plugin: string
  readonly rejection: Rejection
}

/** The first filter's verdict against the node. */
export function evaluate(filters: readonly Plugin[], pod: PodInfo, node: NodeInfo): RejectedNode | undefined {
  for (const plugin of filters) {
    const rejection = plugin.filter!(pod, node)
    if (rejection !== undefined) return { node, plugin: plugin.name, rejection }
  }
  return undefined
}
