// The filters, one node at a time: the first plugin that rejects a node is the one that is reported, as upstream.
import type { CycleFilter, Plugin, PodChanges, Rejection } from './framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import { outranks } from '../snapshot/nominations.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

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

/** All that judges nodes in one decision. */
export interface Judges {
  readonly pod: PodInfo
  readonly snapshot: Snapshot
  readonly filters: readonly Plugin[]
  /** Filters that hold for this decision. */
  readonly momentary: readonly { readonly plugin: string; readonly filter: CycleFilter }[]
}

/**
 * The verdict of all filters about a node (or a copy of it with other pods, which `changes` name). The node has to do both
 * with the nominated pods that will come to it and without them: they may make room for themselves elsewhere, too.
 */
export function judge(judges: Judges, node: NodeInfo, changes?: PodChanges): RejectedNode | undefined {
  const { pod, snapshot } = judges
  const nominated = snapshot.nominations.on(node.name)
  const coming = nominated.length === 0 ? nominated : nominated.filter((one) => outranks(one, pod))
  if (coming.length > 0) {
    const full = node.copy()
    for (const one of coming) full.add(one)
    const added = [...(changes?.added ?? []), ...coming]
    const rejected = ask(judges, full, { added, removed: changes?.removed ?? [] })
    if (rejected !== undefined) return { ...rejected, node }
  }
  return ask(judges, node, changes)
}

function ask({ pod, filters, momentary }: Judges, node: NodeInfo, changes?: PodChanges): RejectedNode | undefined {
  const rejected = evaluate(filters, pod, node)
  if (rejected !== undefined) return rejected
  for (const { plugin, filter } of momentary) {
    const rejection = filter(node, changes)
    if (rejection !== undefined) return { node, plugin, rejection }
  }
  return undefined
}
