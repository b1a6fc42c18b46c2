// How many pods of some kind each topology domain has: the nodes that share a value of one label.
import type { NodeInfo } from '../snapshot/node-info.ts'

/** How many changes are remembered; a reader that is further behind looks at everything again. */
const changesKept = 256

/** A list of changed domains that readers follow from where they left off. */
class ChangeLog {
  readonly #values: string[] = []
  #count = 0

  get count(): number {
    return this.#count
  }

  add(value: string): void {
    this.#values[this.#count % changesKept] = value
    this.#count++
  }

  /** The values since then, or undefined when that is too long ago. */
  since(count: number): ReadonlySet<string> | undefined {
    if (this.#count - count > changesKept) return undefined
    const values = new Set<string>()
    for (let index = count; index < this.#count; index++) values.add(this.#values[index % changesKept]!)
    return values
  }
}

export class Domains {
  readonly topologyKey: string
  readonly #counts = new Map<string, number>()
  /** Domains whose count changed. */
  readonly changes = new ChangeLog()
  /** Domains that got their first pod or lost their last one. */
  readonly transitions = new ChangeLog()
  #total = 0

  constructor(topologyKey: string) {
    this.topologyKey = topologyKey
  }

  /** Over all domains. */
  get total(): number {
    return this.#total
  }

  of(value: string): number {
    return this.#counts.get(value) ?? 0
  }

  /** In the node's domain; 0 for a node that is in none. */
  at(node: NodeInfo): number {
    const value = node.labels[this.topologyKey]
    return value === undefined ? 0 : (this.#counts.get(value) ?? 0)
  }

  add(node: NodeInfo, amount: number): void {
    if (amount === 0 || !Object.hasOwn(node.labels, this.topologyKey)) return
    const value = node.labels[this.topologyKey]!
    const before = this.#counts.get(value) ?? 0
    const after = before + amount
    if (after === 0) this.#counts.delete(value)
    else this.#counts.set(value, after)
    this.#total += amount
    this.changes.add(value)
    if (before === 0 || after === 0) this.transitions.add(value)
  }
}
