// Which nodes are in a topology domain, for the keys that somebody asked about.
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PluginState } from '../snapshot/plugin-state.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

export class NodeDomains implements PluginState {
  readonly #snapshot: Snapshot
  /** Key → value → nodes. */
  readonly #keys = new Map<string, Map<string, Set<NodeInfo>>>()

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot
  }

  in(topologyKey: string, value: string): Iterable<NodeInfo> {
    let values = this.#keys.get(topologyKey)
    if (values === undefined) {
      this.#keys.set(topologyKey, (values = new Map()))
      for (const node of this.#snapshot.nodes()) put(values, topologyKey, node)
    }
    return values.get(value) ?? []
  }

  nodeAdded(node: NodeInfo): void {
    for (const [topologyKey, values] of this.#keys) put(values, topologyKey, node)
  }

  nodeRemoved(node: NodeInfo): void {
    for (const [topologyKey, values] of this.#keys) {
      const value = node.labels[topologyKey]
      if (value === undefined) continue
      const nodes = values.get(value)
      nodes?.delete(node)
      if (nodes?.size === 0) values.delete(value)
    }
  }

  podAdded(): void {}
  podRemoved(): void {}
}

function put(values: Map<string, Set<NodeInfo>>, topologyKey: string, node: NodeInfo): void {
  const value = node.labels[topologyKey]
  if (value === undefined) return
  const nodes = values.get(value)
  if (nodes) nodes.add(node)
  else values.set(value, new Set([node]))
}

/** A key with more values than this is one of many domains: what is counted in them tells nodes apart, and not the values. */
export const valuesMax = 128

export function distinctValues(snapshot: Snapshot, topologyKey: string): number {
  const values = new Set<string | undefined>()
  for (const { labels } of snapshot.nodes()) values.add(labels[topologyKey])
  return values.size
}

/** The domains of a snapshot: `snapshot.stateOf(createNodeDomains)`. */
export const createNodeDomains = (snapshot: Snapshot): NodeDomains => new NodeDomains(snapshot)
