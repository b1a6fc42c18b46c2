// The classes of all plugins that tell nodes apart, as one: nodes are in the same class when they are for each plugin.
import type { Profile, Scorer } from '../framework/configuration.ts'
import { normalize, rangeOf } from '../framework/cycle.ts'
import type { NodeClassifier, Plugin } from '../framework/framework.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'

export interface Classification {
  readonly plugin: Plugin
  readonly classifier: NodeClassifier
}

interface Part {
  readonly classifier: NodeClassifier
  /** Undefined when it has no score, or the profile does not ask for it. */
  readonly scorer: Scorer | undefined
}

/** Class → how many of its nodes pass what judges nodes one by one. */
type Sizes = ReadonlyMap<number, number>

const onlyClass = 0

/** Combinations that came up so far; past it they are made anew, for counts go up and most are empty by then. */
const classesMax = 20_000

export class CombinedClasses {
  readonly #parts: readonly Part[]
  readonly #ids = new Map<string, number>()
  /** The classes of the parts, by class. */
  readonly #members: (readonly number[])[] = []

  constructor({ cycleScorers }: Profile, classifications: readonly Classification[]) {
    this.#parts = classifications.map(({ plugin, classifier }) => ({
      classifier,
      scorer: classifier.scores ? cycleScorers.find((scorer) => scorer.plugin === plugin) : undefined,
    }))
  }

  get isCurrent(): boolean {
    return this.#members.length < classesMax && this.#parts.every(({ classifier }) => classifier.isCurrent)
  }

  classOf(node: NodeInfo): number {
    if (this.#parts.length === 0) return onlyClass
    const members = this.#parts.map(({ classifier }) => classifier.classOf(node))
    const key = members.join(' ')
    let id = this.#ids.get(key)
    if (id === undefined) {
      this.#ids.set(key, (id = this.#members.length))
      this.#members.push(members)
    }
    return id
  }

  /** Nodes whose class may have changed together with others, since the last call; undefined: all. */
  moved(): readonly NodeInfo[] | undefined {
    const nodes: NodeInfo[] = []
    let areAll = false
    for (const { classifier } of this.#parts) {
      const some = classifier.moved()
      if (some === undefined) areAll = true
      else nodes.push(...some)
    }
    return areAll ? undefined : nodes
  }

  /** The classes that pass, and what each adds to the score of its nodes. */
  judge(sizes: Sizes): ReadonlyMap<number, number> {
    const added = new Map<number, number>()
    const judges = this.#parts.map(({ classifier }) => classifier.judge())
    for (const id of sizes.keys()) {
      if (judges.every((passes, part) => passes(this.#members[id]![part]!))) added.set(id, 0)
    }
    for (const [part, { scorer }] of this.#parts.entries()) if (scorer) this.#score(part, scorer, sizes, added)
    return added
  }

  #score(part: number, { plugin, weight }: Scorer, sizes: Sizes, added: Map<number, number>): void {
    const passing = new Map<number, number>()
    for (const id of added.keys()) {
      const member = this.#members[id]![part]!
      passing.set(member, (passing.get(member) ?? 0) + sizes.get(id)!)
    }
    const rawOf = this.#parts[part]!.classifier.score(passing)
    const raws = new Map([...passing.keys()].map((member) => [member, rawOf(member)]))
    const range = rangeOf(plugin, [...raws.values()])
    for (const [id, before] of added) {
      added.set(id, before + normalize(plugin, raws.get(this.#members[id]![part]!)!, range) * weight)
    }
  }
}
